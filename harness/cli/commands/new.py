"""The command `evenbench new`: the skeleton of a plug-in, which runs, and which `conformance` takes from there."""

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import UsageError, why
from harness.language import _
from harness.registry.plugins import NAME

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SKELETONS = "skeletons"


@click.group()
def new() -> None:
    """Write the skeleton of a plug-in: a project of its own with a backend or a task."""


@new.command()
@click.argument("name")
@click.option("--framework", help="The name under which the framework is imported.  [default: NAME]")
@click.option("--folder", type=click.Path(path_type=Path), help="Where.  [default: evenbench-NAME]")
def backend(name: str, framework: str | None, folder: Path | None) -> None:
    """Write a backend called NAME; `evenbench conformance NAME` then says what to write first."""
    write("backend", name, folder, framework=framework or name)


@new.command()
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), help="Where.  [default: evenbench-NAME]")
def task(name: str, folder: Path | None) -> None:
    """Write a task called NAME, which learns the exclusive or until you say otherwise."""
    write("task", name, folder)


def write(kind: str, name: str, folder: Path | None, **more: str) -> None:
    """Write the files of a skeleton with its names filled in, and say how to go on.

    Raises:
        UsageError: the name cannot be a plug-in's, or the folder is there or cannot be written.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            "{name!r} cannot be the name of a plug-in: it has small letters, digits, and -, _ or . between them",
            name=name,
        )
    package = "evenbench_" + name.replace("-", "_").replace(".", "_")
    where = folder or Path(f"evenbench-{name}")
    fields = {"NAME": name, "PACKAGE": package, **{key.upper(): value for key, value in more.items()}}
    try:
        where.mkdir(parents=True)
        for source in files("harness.cli").joinpath(SKELETONS, kind).iterdir():
            _copy(source, where, fields)
    except FileExistsError as error:
        raise UsageError("{folder} is there already: name another with --folder", folder=where) from error
    except OSError as error:
        raise UsageError("cannot write {folder}: {reason}", folder=where, reason=why(error)) from error
    click.echo(_("written: {folder}").format(folder=where))
    click.echo(f"pip install --no-deps --editable {where}")
    click.echo(f"evenbench conformance {name}")


def _copy(source: "Traversable", folder: Path, fields: dict[str, str]) -> None:
    """Copy a file, without the `.txt` that keeps tools from reading it as code, with its names filled in."""
    text = source.read_text("utf-8")
    for field, value in fields.items():
        text = text.replace(f"@{field}@", value)
    inner = source.name in ("adapter.py.txt", "__init__.py.txt", "requirements.txt.txt")
    target = folder / fields["PACKAGE"] if inner else folder
    target.mkdir(exist_ok=True)
    (target / source.name.removesuffix(".txt")).write_text(text, "utf-8")
