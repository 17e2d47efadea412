"""The comparison as LaTeX for a paper: one booktabs table per group, every string escaped.

pandas' Styler sets the tables; the words are escaped before, since it escapes no caption.
"""

from collections.abc import Iterable, Sequence

import pandas as pd

from harness.language import _
from reports import text
from reports.content import Content, row_labels
from reports.rows import CELL, Group, Row
from reports.said_verdicts import times_slower, verdict

SPELLED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
    "[": "{[}", "]": "{]}", "×": r"$\times$", "≈": r"$\approx$", "–": r"\textendash{}", "—": r"\textemdash{}",
    "…": r"\ldots{}", "·": r"\textperiodcentered{}", "\u202f": r"\,", "\u00a0": "~",
}  # fmt: skip
"""Characters that mean something to LaTeX, brackets behind a line's end too, or that not every engine knows."""


def latex(content: Content, groups: Iterable[Group]) -> str:
    r"""Return the tables of all groups, to be read in by `\input`.

    Args:
        content: for the study's title.
        groups: as `summarize` returns them.
    """
    lines = (
        f"% {text.printable(content.title)}",
        r"% Needs \usepackage{booktabs,textcomp} and \usepackage[T1]{fontenc}, and where names are not Latin, XeLaTeX.",
    )
    tables = [_table(group, number) for number, group in enumerate(groups, start=1)]
    return "\n\n".join(("\n".join(lines), *tables)) + "\n"


def escape(words: str) -> str:
    """Return text that LaTeX prints as it is, on one line."""
    return "".join(SPELLED.get(character, character) for character in text.printable(words))


def _table(group: Group, number: int) -> str:
    headers = _headers(group.rows)
    labels = row_labels(group.rows)
    device = _has_device(group.rows)
    rows = [_cells(row, label, device=device) for row, label in zip(group.rows, labels, strict=True)]
    cells = pd.DataFrame([[escape(cell) for cell in row] for row in rows], columns=list(map(escape, headers)))
    title = escape(_title(group))
    found = cells.style.hide(axis="index").to_latex(
        hrules=True,
        column_format="l" + "r" * (len(headers) - 2) + "l",
        caption=(_caption(title, group.rows), title),
        label=f"tab:evenbench-{number}",
        position="htbp",
        position_float="centering",
    )
    return str(found).rstrip()


def _title(group: Group) -> str:
    names = (*CELL, *group.split_by)
    return ", ".join(str(getattr(group, name)) for name in names)


def _caption(title: str, rows: Sequence[Row]) -> str:
    """Return what the columns are; the title is escaped already."""
    sentences = [
        f"{title}.",
        _("Examples per second: median over the processes, smallest and largest in brackets."),
        _("Times slower: against the fastest row, geometric means with the 95 % interval."),
        _("Verdicts by Welch's test at 5 %, adjusted by Holm's method."),
    ]
    if any(not row.comparable for row in rows):
        sentences.append(_("Rows that are not comparable are never ranked."))
    return " ".join((sentences[0], *map(escape, sentences[1:])))


def _headers(rows: Sequence[Row]) -> tuple[str, ...]:
    metric = next((row.metric for row in rows if row.metric), "accuracy").replace("_", " ")
    device = (_("device MB"),) if _has_device(rows) else ()
    return (
        _("framework"),
        _("processes"),
        _("examples/s"),
        _("× slower"),
        _("mean {metric}").format(metric=_(metric)),
        _("memory MB"),
        *device,
        _("verdict"),
    )


def _has_device(rows: Sequence[Row]) -> bool:
    return any(row.device_peak_bytes is not None for row in rows)


def _cells(row: Row, label: str, *, device: bool) -> tuple[str, ...]:
    speed = row.throughput_examples_per_s
    rate = text.rate(speed.median if speed else None)
    if speed and speed.runs > 1:
        rate = f"{rate} ({text.rate(speed.low)}–{text.rate(speed.high)})"
    return (
        label,
        str(len(row.seconds_per_example)),
        rate,
        times_slower(row),
        text.quality(row.quality_mean, row.metric),
        text.megabytes(row.host_peak_bytes),
        *((text.megabytes(row.device_peak_bytes),) if device else ()),
        verdict(row),
    )
