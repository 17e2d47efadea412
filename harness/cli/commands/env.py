"""The commands of `evenbench env`: make, list and remove the managed environments, one per framework."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from harness.cli.options import filled, print_json
from harness.language import _, noop, plain, said

if TYPE_CHECKING:
    from harness.environments.managed import Environment
    from harness.environments.pins import Variant

STATES = (noop("absent"), noop("unfinished"), noop("stale"), noop("broken"), noop("ready"))


@click.group()
def env() -> None:
    """Make and remove the environments that hold the frameworks."""


@env.command()
@click.argument("names", nargs=-1)
@click.option("--variant", default="cpu", help="For which devices: cpu, gpu or ascend.  [default: cpu]")
@click.option(
    "--installer",
    metavar="auto|uv|pip",
    callback=filled,
    help="What installs: uv, pip, or auto for uv where it is on PATH; take pip where pip is configured with local "
    "wheels.  [default: EVENBENCH_INSTALLER, else auto]",
)
@click.option("--all", "everything", is_flag=True, help="Also those of the frameworks that must be named else.")
def create(names: tuple[str, ...], variant: str, installer: str | None, everything: bool) -> None:
    """Build the environments of the backends NAMES (torch, torch@2.12.0, jax).

    Without names those of PyTorch, TensorFlow and MindSpore; with --all those of every framework.

    One that is ready is left alone; one that was not finished, or whose pins have changed, is built again.
    """
    from harness import registry
    from harness.cli.names import backends_called
    from harness.environments import managed, pins
    from harness.errors import EnvironmentFailure, unknown_name

    kind = next((known for known in pins.VARIANTS if known == variant.casefold()), None)
    if kind is None:
        raise unknown_name("variant", variant, pins.VARIANTS)
    everything = everything or registry.ALL in map(str.casefold, names)
    named = () if everything else backends_called(names)
    usual = registry.framework_names() if everything else registry.main_names()
    wanted = named or tuple(name for name in usual if kind in pins.variants(name))
    for name in wanted:
        pins.read(name, kind)  # a wrong name is said before the first environment is built
    failures = []
    for name in dict.fromkeys(wanted):
        try:
            click.echo(_create_one(managed.create, name, kind, installer))
        except EnvironmentFailure as error:  # the others may still be built
            failures.append(said(error))
    if failures:
        message = "\n".join(failures)
        raise EnvironmentFailure(message)


def _create_one(build: "Callable[..., Environment]", name: str, variant: "Variant", installer: str | None) -> str:
    """Build one environment under a progress line and return what to tell about it."""
    lines = 0
    with _progress(name) as show:

        def say(line: str) -> None:
            nonlocal lines
            lines += 1
            show(line)

        environment = build(name, variant, installer=installer, say=say)
    stamp = environment.stamp
    if stamp is None or not lines:
        return _("{name}: ready in {folder}").format(name=environment.name, folder=environment.folder)
    return _("{name}: built by {installer} in {seconds:.0f} s, {size:.1f} GB, in {folder}").format(
        name=environment.name,
        installer=stamp.installer,
        seconds=stamp.install_s,
        size=stamp.size_bytes / 1e9,
        folder=environment.folder,
    )


@contextmanager
def _progress(name: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a line: the last one beside a spinner on a terminal, else that something is built.

    An installer that fails is quoted by the error.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal:
        told: set[str] = set()

        def once(_line: str) -> None:
            if not told:
                click.echo(_("{name}: is being built, which takes some minutes").format(name=name), err=True)
            told.add(name)

        yield once
        return
    with console.status(Text(f"{name} ...")) as status:

        def show(line: str) -> None:
            text = Text(f"{name}: {line.strip()}")
            text.truncate(max(console.width - 4, 20), overflow="ellipsis")
            status.update(text)

        yield show


@env.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every installed version.")
def list_(as_json: bool) -> None:
    """List the environments that exist, and say what is wrong with those that cannot be used."""
    from harness.environments import managed, pins
    from harness.environments.home import environments_folder

    found = managed.present()
    if as_json:
        print_json(plain(found))
        return
    if not found:
        click.echo(_("no environment has been created: run `evenbench env create`"), err=True)
        return
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    headings = (_("environment"), _("state"), _("version"), "python", _("installed"), _("size"))
    table = Table(*headings, box=SIMPLE, pad_edge=False)
    for item in found:
        stamp = item.stamp
        facts = ("", "", "", "")
        if stamp is not None:
            named = (stamp.versions[name] for name in pins.packages(item.backend) if name in stamp.versions)
            version = next(named, "")
            how = f"{stamp.installer}, {stamp.install_s:.0f} s"
            facts = (version, stamp.python, how, f"{stamp.size_bytes / 1e9:.1f} GB")
        table.add_row(item.name, _(item.state), *facts)
    Console().print(table)
    click.echo(_("in {folder}").format(folder=environments_folder()))
    for item in found:
        if item.problem:
            click.echo(said(item.problem), err=True)


@env.command()
@click.argument("names", nargs=-1, required=True)
def remove(names: tuple[str, ...]) -> None:
    """Delete the environments NAMES, as `evenbench env list` calls them; all of them with the name all."""
    from harness import registry
    from harness.environments import managed

    if registry.ALL in map(str.casefold, names):
        names = tuple(environment.name for environment in managed.present())
    for name in map(registry.backend_called, names):
        gone = managed.remove(name)
        sentence = _("{name}: removed {folder}")
        if gone.stamp:
            sentence = _("{name}: removed {folder}, {size:.1f} GB freed")
        size = gone.stamp.size_bytes / 1e9 if gone.stamp else 0.0
        click.echo(sentence.format(name=name, folder=gone.folder, size=size))


@env.command()
@click.argument("name")
def python(name: str) -> None:
    """Print the path of the interpreter that serves the backend NAME, such as torch or torch@2.12.0."""
    from harness import registry
    from harness.environments import interpreters

    click.echo(interpreters.find(registry.backend_called(name), {}).python)
