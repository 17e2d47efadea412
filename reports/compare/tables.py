"""The tables of a comparison: training, inference, quality and memory, a line per row that both studies have."""

from collections.abc import Sequence

from harness.language import _
from reports.compare.pairing import KEY, StudyRow
from reports.compare.studies import Compared, ComparedRow
from reports.statistics.methods import MARGIN
from reports.statistics.verdicts import Comparison, Shown
from reports.words import text
from reports.words.document import Part
from reports.words.table import Cell, grid, number, words

ALWAYS = ("task", "backend", "mode")
"""Parts of a row's name that are always said."""
PAIRED = "paired by seed"


def labels(found: Compared) -> list[str]:
    """Return a name for every line, with what tells it from the others of its task."""
    keys = [line.b.key() for line in found.lines]
    varying = [
        name
        for place, name in enumerate(KEY)
        if name in ALWAYS or len({(key[0], key[place]) for key in keys}) > len({key[0] for key in keys})
    ]
    names = []
    for line, key in zip(found.lines, keys, strict=True):
        parts = [value for name, value in zip(KEY, key, strict=True) if name in varying and value != "stock"]
        if line.a.row.backend != line.b.row.backend:
            parts.append(f"({line.a.row.backend} → {line.b.row.backend})")
        names.append(" ".join(parts))
    return [
        name if names.count(name) == 1 else " ".join(filter(None, (name, line.b.group.source, line.b.group.machine)))
        for name, line in zip(names, found.lines, strict=True)
    ]


def place_label(place: StudyRow) -> str:
    """Return the full name of a row that stands alone."""
    return " ".join(filter(None, (*place.key(), place.group.source)))


def speeds(found: Compared, names: Sequence[str]) -> list[Part]:
    """Return the tables of training and of both measures of inference, those that have a line."""
    return [
        part
        for part in (
            _training(found, names),
            _inference(found, names, "latency", _("Latency of one example")),
            _inference(found, names, "inference", _("Inference in batches")),
        )
        if part
    ]


def _training(found: Compared, names: Sequence[str]) -> Part | None:
    rows = [
        (
            words(name),
            _rate(line.a),
            _rate(line.b),
            _ratio(line.found),
            words(_verdict(line)),
            _could(line, "training", line.found.smallest_ratio),
        )
        for name, line in zip(names, found.lines, strict=True)
        if line.is_compared()
    ]
    headers = (_("row"), _("A /s"), _("B /s"), _("time B / A"), _("B is"), _("could have shown"))
    return _part(_("Training"), headers, rows)


def _verdict(line: ComparedRow) -> str:
    """Return the verdict, or why there is none."""
    return line.found.why or _(line.found.verdict)


def _could(line: ComparedRow, measure: str, smallest: float | None) -> Cell:
    """Return what could have been shown: of the limit where one was given, else of any difference."""
    tested = line.tested.get(measure)
    ratio = tested.could_show if tested else smallest
    return number(ratio, text.ratio(ratio))


def _inference(found: Compared, names: Sequence[str], measure: str, title: str) -> Part | None:
    rows: list[tuple[Cell, ...]] = [
        (words(name), _ratio(shown), words(_(shown.verdict)), _could(line, measure, None))
        for name, line in zip(names, found.lines, strict=True)
        if (shown := line.found.inference.get(measure))
    ]
    headers: tuple[str, ...] = (_("row"), _("time B / A"), _("B is"), _("could have shown"))
    if found.limit is None:
        headers, rows = headers[:3], [row[:3] for row in rows]
    return _part(title, headers, rows)


def quality(found: Compared, names: Sequence[str]) -> Part | None:
    """Return the table of what was learnt, with the tests of accuracies."""
    rows = []
    for name, line in zip(names, found.lines, strict=True):
        if line.refused or not (line.a.row.metric and line.a.row.metric == line.b.row.metric):
            continue
        item = line.found
        interval = text.NOTHING
        if item.accuracy_difference == item.accuracy_low == item.accuracy_high == 0:
            interval = _("none, in any seed") if item.accuracy_test == PAIRED else _("none")
        elif item.accuracy_difference is not None:
            interval = _("{difference} ({low} to {high})").format(
                difference=_signed(item.accuracy_difference),
                low=_signed(item.accuracy_low),
                high=_signed(item.accuracy_high),
            )
        means = [place.row.quality_mean for place in (line.a, line.b)]
        metric = line.a.row.metric
        rows.append(
            (
                words(name),
                words(metric.replace("_", " ")),
                *(number(mean, text.quality(mean, metric)) for mean in means),
                words(interval),
                words(_accuracy(line)),
            )
        )
    headers = (_("row"), _("metric"), "A", "B", _("B − A"), _("verdict"))
    note = _(
        "Means over the processes; equivalent: the accuracies differ by less than {margin:g}, by two tests at 5 %."
    )
    return _part(_("Quality"), headers, rows, (note.format(margin=MARGIN),))


def _accuracy(line: ComparedRow) -> str:
    if line.a.row.metric != "accuracy" or not line.is_compared():
        return text.NOTHING
    return _(line.found.accuracy_verdict)


def memory(found: Compared, names: Sequence[str]) -> Part | None:
    """Return the table of the peaks of memory, which are described and not tested."""
    rows = []
    for name, line in zip(names, found.lines, strict=True):
        for column, what in (("host_peak_bytes", _("host")), ("device_peak_bytes", _("device"))):
            a, b = (getattr(place.row, column) for place in (line.a, line.b))
            if a and b and not line.refused:
                sizes = [number(size, text.megabytes(size)) for size in (a, b)]
                rows.append((words(name), words(what), *sizes, number(b / a, text.ratio(b / a))))
    headers = (_("row"), _("memory"), _("A MB"), _("B MB"), "B / A")
    note = _("Medians of the processes' peaks; a description, not a test.")
    return _part(_("Memory"), headers, rows, (note,))


def _part(
    title: str, headers: tuple[str, ...], rows: Sequence[tuple[Cell, ...]], notes: tuple[str, ...] = ()
) -> Part | None:
    if not rows:
        return None
    return Part(title=title, notes=notes, table=grid(headers, rows, title))


def _rate(place: StudyRow) -> Cell:
    speed = place.row.throughput_examples_per_s
    rate = speed.median if speed else None
    return number(rate, text.rate(rate))


def _ratio(found: Comparison | Shown) -> Cell:
    return number(found.ratio, text.ratio(found.ratio, found.low, found.high))


def _signed(value: float | None) -> str:
    return text.NOTHING if value is None else f"{round(value, 4) + 0.0:+.4f}"  # no minus before a zero
