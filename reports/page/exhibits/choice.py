"""What the needs that come with Evenbench would choose from a study, for the page."""

from harness.language import _
from reports.choose import needs, task_words
from reports.choose import words as said_choice
from reports.choose.candidates import field
from reports.choose.choice import Choice
from reports.choose.choose import choose_from
from reports.page.exhibit import Exhibit
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, grid, number, words


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return one table over all needs that come with Evenbench; nothing where nothing can be chosen."""
    choices = []
    for name in needs.shipped():
        wanted = needs.read(name)
        found = field(study, wanted)
        choices.append(choose_from(found, wanted, study=study.loaded.name))
    rows = [row for choice in choices for row in _rows(choice)]
    if not rows:
        return ()
    headers = (_("needs"), _("candidate"), _("is the best with"), _("score"), _("from"), _("to"))
    said: dict[str, list[str]] = {}
    for choice in choices:
        said.setdefault(" ".join(_sentences(choice)), []).append(choice.needs.name)
    note = "\n".join(
        _("{what}: {reason}").format(what=text.names(names), reason=sentences) for sentences, names in said.items()
    )
    return (
        Exhibit(
            name="choice",
            part="choice",
            title=_("What to choose"),
            note=note,
            short="\n".join(said_choice.verdict(choice) for choice in choices),
            grid=grid(headers, rows),
        ),
    )


def _sentences(choice: Choice) -> list[str]:
    found = (
        said_choice.verdict(choice),
        said_choice.deciding(choice),
        *task_words.weights(choice),
        *task_words.without(choice),
        *said_choice.otherwise(choice),
        said_choice.builds(choice),
        said_choice.messages(choice),
        said_choice.not_measured(choice),
    )
    return [line for line in found if line]


def _rows(choice: Choice) -> list[tuple[Cell, ...]]:
    return [
        (
            words(choice.needs.name),
            words(item.label, quoted=True),
            number(item.probability_best, text.chance(item.probability_best)),
            *(
                number(score, f"{score:.3f}") if len(choice.candidates) > 1 else number(None)
                for score in (item.score, item.score_low, item.score_high)
            ),
        )
        for item in choice.best()
    ]
