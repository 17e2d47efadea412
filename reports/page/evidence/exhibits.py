"""What the nets learned, framework beside framework, from the files that runs left beside their records.

Of every row one run is shown, and which one is said. What cannot be shown is listed with its reason.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from harness.language import _, ngettext, noop
from harness.records.store import Damaged
from reports.page.evidence import answers as shown_answers
from reports.page.evidence import scenes, surface, texts
from reports.page.evidence.files import Gathered, ShownRun, gather, left_something
from reports.page.exhibit import Exhibit, Image
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import grid, words

MOST_GROUPS = 24
MOST_IMAGE_BYTES = 4_000_000
"""Of all pictures on a page together."""
MOST_DAMAGED = 100

SHEETS: dict[str, tuple[str, str]] = {
    "filters": (
        noop("Filters of the machine: {group}"),
        noop("The weights from the pixels to the first 100 hidden units, grey where they are zero."),
    ),
    "samples": (
        noop("Samples of the machine: {group}"),
        noop("What the chains of the trained machine would show next, as probabilities."),
    ),
    "reconstructions": (
        noop("Reconstructions: {group}"),
        noop("Test pictures, each followed by what the first hidden layer makes of it."),
    ),
}
"""Title and meaning of each sheet of a Boltzmann machine (`harness/records/pictures.py`)."""


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return what the runs of a study left, group by group, and what could not be shown of it."""
    loaded, groups = study.loaded, study.groups
    records = {record.spec.run_id: record for record in study.loaded.records}
    found: list[Exhibit] = []
    damaged: list[Damaged] = []
    shown_groups = left_out = image_bytes = 0
    for number, group in enumerate(groups, start=1):
        if shown_groups == MOST_GROUPS:
            left_out += left_something(loaded, group)
            continue
        gathered = gather(loaded, group, records, tuple(SHEETS))
        damaged += gathered.damaged
        of_group = _of_group(f"{number}", group.heading, gathered)
        size = sum(len(image.png) for exhibit in of_group for image in exhibit.images)
        if image_bytes + size > MOST_IMAGE_BYTES:
            left_out += 1
            continue
        shown_groups += bool(of_group)
        image_bytes += size
        found += [replace(one, part="evidence") for one in of_group]
    if damaged or left_out:
        found.append(_not_shown(damaged, left_out))
    return tuple(found)


def _of_group(anchor: str, title: str, gathered: Gathered) -> list[Exhibit]:
    shown = gathered.shown
    answers = shown_answers.rows_of(shown)
    made = [
        surface.exhibit(f"surface-{anchor}", title, shown, _which(shown, gathered)),
        shown_answers.confusion(f"confusion-{anchor}", title, answers, _which(shown, gathered)) if answers else None,
        shown_answers.mistakes(f"mistakes-{anchor}", title, answers, ""),
        texts.exhibit(f"texts-{anchor}", title, answers, _which(shown, gathered)),
        scenes.exhibit(f"scenes-{anchor}", title, shown, _which(shown, gathered)),
        texts.written(f"written-{anchor}", title, shown, _which(shown, gathered)),
        *(_sheets(f"{name}-{anchor}", name, title, gathered) for name in SHEETS),
    ]
    return [exhibit for exhibit in made if exhibit is not None]


def _which(shown: Sequence[ShownRun], gathered: Gathered) -> str:
    """Return a sentence on the runs that are shown, and on the rows that are not."""
    sentence = _(
        "One run is shown for each framework and mode: the first one, by seed and then by repeat, that trained to its "
        "end and saved what is shown here. These are {runs}."
    ).format(runs=", ".join(item.which for item in shown))
    if not gathered.left_out:
        return sentence
    more = ngettext("{count} more row is not shown.", "{count} more rows are not shown.", gathered.left_out)
    return f"{sentence} {more.format(count=gathered.left_out)}"


def _sheets(anchor: str, sheet: str, title: str, gathered: Gathered) -> Exhibit | None:
    """Return one kind of sheet of all rows, None where no row has it."""
    rows = [item for item in gathered.shown if sheet in item.pictures]
    if not rows:
        return None
    heading, meaning = SHEETS[sheet]
    return Exhibit(
        name=anchor,
        title=_(heading).format(group=title),
        note=f"{_(meaning)} {_which(rows, gathered)}",
        images=tuple(
            Image(
                png=item.pictures[sheet],
                caption=item.which,
                alt=_("A sheet of small grey pictures of {label}. {meaning}").format(
                    label=item.label, meaning=_(meaning)
                ),
            )
            for item in rows
        ),
    )


def _not_shown(damaged: Sequence[Damaged], left_out: int) -> Exhibit:
    """Return the files that are not shown, each with its reason."""
    notes = [_("What runs left beside their records and cannot be shown; everything else on this page is whole.")]
    if left_out:
        sentence = ngettext(
            "For want of room the pictures of {count} more group are not shown.",
            "For want of room the pictures of {count} more groups are not shown.",
            left_out,
        )
        notes.append(sentence.format(count=left_out))
    if len(damaged) > MOST_DAMAGED:
        notes.append(_("The table holds the first {most} of {all}.").format(most=MOST_DAMAGED, all=len(damaged)))
    cells = [
        [words(text.printable(part), quoted=True) for part in (item.path, item.reason)]
        for item in damaged[:MOST_DAMAGED]
    ]
    return Exhibit(
        name="evidence-not-shown",
        title=_("Evidence that is not shown"),
        note=" ".join(notes),
        grid=grid((_("file"), _("reason")), cells) if cells else None,
    )
