"""One study, rendered in the formats that were asked for: people's on the terminal, the others into files."""

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO, get_args

from rich.console import Console

from harness.errors import StoreError, UsageError, unknown_name
from harness.whole_files import write_whole
from reports.frame.columns import FRAME, STAGES, VERDICTS
from reports.statistics.study import StudyRead
from reports.words.json_text import for_stream

if TYPE_CHECKING:  # pandas, and all that needs it, is imported while other processes read
    from reports.content.content import Content
    from reports.page.html import Link, StudyPart

FORMATS = ("terminal", "md", "csv", "json", "html", "parquet", "latex")
ENDINGS = {"latex": "tex"}
"""Of the files of formats that are not called like their ending."""
TABLES = ("csv", "parquet")
"""With files of their own for the stages and the verdicts."""
PAGE = "report.html"
Part = Literal["full", "legend"]
PARTS: tuple[Part, ...] = get_args(Part)
"""What the terminal can show above the answer."""
ON_STDOUT = ("terminal", "json")
"""These go to stdout unless a file is named; the others go beside the records unless a file is named."""


def render(
    study_folder: Path,
    formats: Sequence[str] = ("terminal",),
    out: Path | None = None,
    *,
    stdout: TextIO | None = None,
    more: Collection[str] = (),
) -> tuple[Path, ...]:
    """Write the reports of a study and return the files that were written.

    Args:
        study_folder: the study.
        formats: of `FORMATS`. `terminal` goes to stdout, `json` too unless `out` is given.
        out: the file for the one format that is not `terminal`; else `<study>/report.md`, `report.csv` and
            so on; csv and parquet have `report.verdicts.csv` or `.parquet` beside it where there are two rows to
            compare, and `report.stages` where tasks have stages.
        stdout: in place of `sys.stdout`.
        more: what the terminal shows above the answer, with which it ends.

    Raises:
        UsageError: there is no such study or format, or the formats and `out` do not go together.
        StoreError: a file cannot be written.
    """
    wanted = tuple(dict.fromkeys(formats))
    _check(wanted, out, study_folder)
    stream = sys.stdout if stdout is None else stdout
    study = StudyRead.of(study_folder, for_pictures="html" in wanted)
    from reports.content.content import content
    from reports.formats import export, latex, markdown
    from reports.formats.export import to_parquet

    runs, groups, name_of_study = study.runs, study.groups, study.loaded.name
    said = content(study)
    written = []
    for name in wanted:
        if name == "terminal":
            _show(study, said, Console(file=stream), more)
            continue
        text: str | bytes
        if name == "md":
            text = markdown.markdown(said)
        elif name == "html":
            text = _page([_part(study, said)])
        elif name == "latex":
            text = latex.latex(said, groups, study=name_of_study)
        elif name == "parquet":
            text = to_parquet(runs, FRAME, study=name_of_study)
        elif name == "csv":
            text = export.to_csv(runs)
        else:
            text = export.to_json(study)
        if out is None and name in ON_STDOUT:
            stream.write(for_stream(str(text), stream))
        else:
            written.append(_write(out or study_folder / f"report.{ENDINGS.get(name, name)}", text))
        if name in TABLES and out is None:
            for what, found, columns in (
                ("stages", study.stages, STAGES),
                ("verdicts", export.verdicts(groups), VERDICTS),
            ):
                if len(found):
                    text = export.to_csv(found) if name == "csv" else to_parquet(found, columns, study=name_of_study)
                    written.append(_write(study_folder / f"report.{what}.{name}", text))
    return tuple(written)


def render_several(
    study_folders: Sequence[Path],
    formats: Sequence[str] = ("terminal",),
    out: Path | None = None,
    *,
    stdout: TextIO | None = None,
    more: Collection[str] = (),
) -> tuple[Path, ...]:
    """Write the reports of some studies: one page of all of them, in the other formats one report after another.

    Raises:
        UsageError: as of `render`, or the one page has no file, or the one file would hold many reports.
        StoreError: a file cannot be written.
    """
    folders = {folder.resolve(): folder for folder in study_folders}
    if len(folders) == 1:
        return render(study_folders[0], formats, out, stdout=stdout, more=more)
    others = [name for name in dict.fromkeys(formats) if name != "html"]
    if "html" not in formats and out is not None:
        raise UsageError(
            "-o names one file, but there are {folders} studies: only the format html joins them", folders=len(folders)
        )
    if "html" in formats and out is None:
        raise UsageError("one page of several studies belongs to none of their folders: name its file with -o")
    if "html" in formats and out is not None:
        _check(("html", *(name for name in others if name == "terminal")), out, folders[next(iter(folders))])
    written: list[Path] = []
    for folder in folders.values():
        written += render(folder, others, stdout=stdout, more=more) if others else ()
    if out is not None:
        written.append(_write(out, _page([_loaded_part(folder) for folder in folders.values()])))
    return tuple(written)


def _show(study: StudyRead, said: "Content", console: Console, more: Collection[str]) -> None:
    """Print what was asked for, and the answer last: that is what stays on the screen."""
    from reports.content.next_steps import steps
    from reports.formats import answer_terminal, terminal

    if "full" in more:
        terminal.show(said, console)
    if "legend" in more:
        terminal.show_legend(said, console)
    if more:
        console.print()
    page = study.loaded.folder / PAGE
    answer_terminal.show(
        said.answer, steps(study.loaded, study.groups, page if page.is_file() else None), console, title=said.title
    )


def page_of(folder: Path, links: "Sequence[Link]" = ()) -> str:
    """Return the HTML page of one study, in the language in use, with ways to what is served beside it.

    Raises:
        UsageError: there is no study in this folder.
    """
    return _page([_loaded_part(folder)], links)


def _loaded_part(folder: Path) -> "StudyPart":
    study = StudyRead.of(folder)
    from reports.content.content import content

    return _part(study, content(study))


def _part(study: StudyRead, said: "Content") -> "StudyPart":
    from reports.page.exhibits.all import exhibits
    from reports.page.html import StudyPart

    return StudyPart(study=study, said=said, exhibits=exhibits(study))


def _page(parts: "Sequence[StudyPart]", links: "Sequence[Link]" = ()) -> str:
    from reports.page.html import page  # Plotly and Jinja take a second to import

    return page(parts, links)


def _check(formats: Sequence[str], out: Path | None, study_folder: Path) -> None:
    """Raise if formats and file do not go together."""
    for name in formats:
        if name not in FORMATS:
            raise unknown_name("format", name, FORMATS)
    in_files = [name for name in formats if name != "terminal"]
    if out is None:
        if set(ON_STDOUT) <= set(formats):
            raise UsageError("terminal and json would be mixed on stdout: name a file for json with -o")
        return
    if len(in_files) != 1:
        raise UsageError(
            "-o names one file, for one of the formats {formats}; received {received}",
            formats=", ".join(FORMATS[1:]),
            received=", ".join(formats) or "no format",
        )
    if out.suffix == ".json" and out.resolve().parent == study_folder.resolve():
        raise UsageError("{out} would lie among the study's records: choose another folder", out=out)


def _write(path: Path, text: str | bytes) -> Path:
    """Write beside the file and rename, so that a report is never half a report."""
    try:
        write_whole(path, text.encode() if isinstance(text, str) else text)
    except OSError as error:
        raise StoreError(
            "cannot write {path}: {strerror}; name another file with -o", path=path, strerror=error.strerror
        ) from error
    return path
