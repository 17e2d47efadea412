"""The comparison as LaTeX for a paper: one booktabs table per group, every string escaped.

pandas' Styler sets the tables; the words are escaped before, since it escapes no caption.
"""

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from harness.language import _
from reports.content.cells import cells
from reports.content.content import Content
from reports.statistics.rows import CELL, Group, Row
from reports.words import text

SPELLED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
    "[": "{[}", "]": "{]}", "×": r"$\times$", "≈": r"$\approx$", "−": "$-$", "≤": r"$\leq$", "≥": r"$\geq$",
    "–": r"\textendash{}", "—": r"\textemdash{}", "…": r"\ldots{}", "·": r"\textperiodcentered{}",
    "\u202f": r"\,", "\u00a0": "~",
}  # fmt: skip
"""Characters that mean something to LaTeX, brackets behind a line's end too, or that not every engine knows."""
LIGATURE = re.compile(r"([-,'])(?=\1)")
"""Where two characters would be set as a third one: a dash, or a quotation mark."""
LONG_HEADER = 9
"""Characters from which on a header takes two lines."""
WITHIN_THE_LINE = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""Makes what is wider than the line as wide as the line, and leaves all else as it is."""


def latex(content: Content, groups: Iterable[Group], *, study: str) -> str:
    r"""Return the tables of all groups, to be read in by `\input`.

    Args:
        content: for the study's title.
        groups: as `summarize` returns them.
        study: the study's name, which tells its labels from those of another study in the same paper.
    """
    lines = (
        f"% {text.printable(content.title)}",
        r"% Needs \usepackage[T1]{fontenc} and \usepackage{booktabs,graphicx,textcomp}.",
        r"% In Chinese, or where names are not Latin: XeLaTeX and \usepackage{ctex} in place of fontenc.",
    )
    name = "-".join(re.findall(r"[A-Za-z0-9]+", text.printable(study)))
    tables = [
        _table(group, "-".join(filter(None, ("tab:evenbench", name, str(n))))) for n, group in enumerate(groups, 1)
    ]
    return "\n\n".join(("\n".join(lines), *tables)) + "\n"


def escape(words: str) -> str:
    """Return text that LaTeX prints as it is, on one line."""
    return LIGATURE.sub(r"\1{}", "".join(SPELLED.get(character, character) for character in text.printable(words)))


def _table(group: Group, label: str) -> str:
    headers = _headers(group.rows)
    device = _has_device(group.rows)
    rows = [_cells(row, device=device) for row in group.rows]
    found = pd.DataFrame([[escape(cell) for cell in row] for row in rows], columns=list(map(_header, headers)))
    columns = "@{}l" + "r" * (len(headers) - 2) + "l@{}"
    title = escape(_title(group))
    lines = (
        r"\begin{table}[htbp]",
        r"\centering",
        r"\setlength{\belowcaptionskip}{6pt}",
        rf"\caption[{title}]{{{_caption(title, group.rows)}}}",
        rf"\label{{{label}}}",
        r"\footnotesize\setlength{\tabcolsep}{3pt}",
        WITHIN_THE_LINE,
        f"{str(found.style.hide(axis='index').to_latex(hrules=True, column_format=columns)).rstrip()}}}",
        r"\end{table}",
    )
    return "\n".join(lines)


def _header(words: str) -> str:
    """Return a header, a long one in two lines of about the same length."""
    spaces = [place for place, character in enumerate(words) if character == " "]
    if len(words) < LONG_HEADER or not spaces:
        return escape(words)
    middle = min(spaces, key=lambda place: abs(2 * place - len(words)))
    return rf"\shortstack[r]{{{escape(words[:middle])}\strut \\ {escape(words[middle + 1 :])}\strut}}"


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


def _cells(row: Row, *, device: bool) -> list[str]:
    shown = {key: cell.shown for key, cell in cells(row).items()}
    if row.throughput_examples_per_s and row.throughput_examples_per_s.runs > 1:
        shown["rate"] = f"{shown['rate']} ({shown['range']})"
    keys = ("row", "processes", "rate", "slower", "quality", "memory", *(["device"] if device else []), "verdict")
    return [shown[key] for key in keys]
