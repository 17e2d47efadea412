"""What the frameworks say of students' mistakes, for the page: framework by mistake."""

from collections.abc import Sequence

from harness.language import _, noop
from harness.mistakes import NAMES, ending
from harness.record import Mistake, Record
from reports.content import mistakes
from reports.page.exhibit import Exhibit
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, Table, grid, number, words

NOTE = noop(
    "One training step of a small LeNet with one mistake in it, in each framework's default mode. Named: the message "
    "holds what was expected and what came, of a label out of range one of the two. Silent: nothing was said, and the "
    "loss is another one. As meant: the framework converted the input, and the loss is the right one."
)


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the table of all mistakes that a study made, nothing where it made none."""
    asked = made(study.loaded.records)
    rows = [_row(backend, device, one) for (backend, device), found in asked.items() for one in found]
    if not rows:
        return ()
    headers = (
        _("framework"),
        _("mistake"),
        _("what came"),
        _("what was said"),
        _("exception"),
        _("names what was expected"),
        _("names what came"),
        _("characters"),
        _("seconds"),
    )
    named = tuple(dict.fromkeys(one.name for found in asked.values() for one in found))
    shares = [mistakes.clear_messages(f"{backend} {device}", found) for (backend, device), found in asked.items()]
    return (
        Exhibit(
            name="mistakes",
            part="mistakes",
            title=_("What became of each mistake"),
            short=" ".join(f"{share}." for share in shares),
            note=_(NOTE),
            grid=_matrix(asked, named),
        ),
        Exhibit(name="messages", part="messages", title=_("Students' mistakes"), grid=grid(headers, rows)),
    )


def _matrix(asked: dict[tuple[str, str], tuple[Mistake, ...]], names: Sequence[str]) -> Table:
    """Return what became of every mistake, a line per mistake and a column per framework."""
    rows = []
    for wanted in names:
        found = [next((one for one in of if one.name == wanted), None) for of in asked.values()]
        title = next(mistakes.title(one) for one in found if one)
        rows.append([words(title), *(words(mistakes.ending_word(one) if one else text.NOTHING) for one in found)])
    return grid((_("mistake"), *(f"{backend} {device}" for backend, device in asked)), rows)


def made(records: Sequence[Record]) -> dict[tuple[str, str], tuple[Mistake, ...]]:
    """Return the mistakes of a study by backend and device, those of the last record that holds them."""
    return {(record.spec.backend, record.spec.device): record.mistakes for record in records if record.mistakes}


def _row(backend: str, device: str, one: Mistake) -> tuple[Cell, ...]:
    observed = one.name in NAMES and ending(one) not in ("not observed", "died")
    return (
        words(f"{backend} {device}", quoted=True),
        words(mistakes.title(one)),
        words(mistakes.ending_word(one)),
        words(mistakes.said(one), quoted=bool(one.message or one.reason)),
        words(one.error_type or text.NOTHING, quoted=True),
        words(_yes(one.names_expected) if observed else text.NOTHING),
        words(_yes(one.names_given) if observed else text.NOTHING),
        number(one.characters, f"{one.characters:,}"),
        number(one.seconds),
    )


def _yes(found: bool) -> str:
    return _("yes") if found else _("no")
