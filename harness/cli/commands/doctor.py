"""The command `evenbench doctor`: what works here, what serves it, and what would spoil a comparison."""

from typing import TYPE_CHECKING

import click

from harness.cli.names import backends_called, with_words
from harness.cli.options import print_json
from harness.language import _, noop, plain, said

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.runs.doctor import Checkup, Diagnosis

WORDS = (noop("machine"), noop("python"), noop("none"), noop("no"), noop("yes"))


@click.command()
@click.argument("what", nargs=-1, metavar="[BACKEND]...")
@click.option("--backend", "backends", multiple=True, metavar="NAME", help="Only this backend; may be repeated.")
@click.option("--python", "pythons", multiple=True, metavar="NAME=PATH", help="Use this interpreter for a backend.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(context: click.Context, /, pythons: tuple[str, ...], as_json: bool, **asked: tuple[str, ...]) -> None:
    """Say what works on this machine, and how to mend what would spoil a comparison.

    Ends with 0 if every backend works and nothing harmful was found, else with 1.
    """
    from rich.console import Console

    from harness import registry
    from harness.environments import interpreters
    from harness.runs import doctor as checks

    overrides = interpreters.parse(pythons)
    wanted = backends_called(with_words(asked)["backends"]) or tuple(
        name for name in registry.backend_names() if interpreters.is_expected(name, overrides)
    )
    for name in wanted:
        registry.entry(name)
    machine = checks.look_at_machine()  # before our own workers make it noisy
    talk = Console(stderr=True)
    checkups = []
    for name in wanted:
        with talk.status(_("asking {backend} ...").format(backend=name)):
            checkups.append(checks.examine(name, overrides, machine))
    diagnosis = checks.conclude(machine, tuple(checkups))
    if as_json:
        print_json(plain(diagnosis))
    else:
        out = Console()
        for part in _parts(diagnosis):
            out.print(part)
    context.exit(0 if diagnosis.healthy else 1)


def _parts(diagnosis: "Diagnosis") -> "list[RenderableType]":
    """Return what a reader sees, from the overview to the details."""
    from rich.box import SIMPLE
    from rich.table import Table

    from reports.words.wide_text import Words

    machine = diagnosis.machine
    headings = (_("backend"), _("works"), _("version"), _("devices"), _("modes"), _("interpreter"))
    overview = Table(*headings, box=SIMPLE, pad_edge=False)
    overview.caption = _("* the mode that is run by default")
    overview.caption_justify = "left"
    detail = Table(_("backend"), "python", _("import"), _("interpreter and why"), box=SIMPLE, pad_edge=False)
    detail.columns[-1].overflow = "fold"
    for checkup in diagnosis.backends:
        overview.add_row(*_overview_row(checkup))
        if (facts := checkup.description) is not None:
            where = f"{checkup.python}\n{said(checkup.reason or '')}"
            detail.add_row(checkup.backend, facts.python, f"{facts.import_s:.1f} s", where)
    summary = _(
        "Evenbench {version}, Python {python}, {cores} processors, load {load:.1f}, {memory:.1f} GB of memory and "
        "{disk:.0f} GB of disk free"
    ).format(
        version=diagnosis.evenbench,
        python=machine.python,
        cores=machine.cores,
        load=machine.load_1min,
        memory=machine.memory_free_bytes / 1e9,
        disk=machine.disk_free_bytes / 1e9,
    )
    parts: list[RenderableType] = [Words(summary), overview]
    if detail.row_count:
        parts.append(detail)
    return [*parts, _troubles(diagnosis), Words(_closing(diagnosis), style="bold")]


def _closing(diagnosis: "Diagnosis") -> str:
    """Return the last line: how many frameworks work, and what to type now."""
    from harness import registry

    frameworks = [one for one in diagnosis.backends if one.backend in registry.framework_names()]
    works = sum(one.description is not None for one in frameworks)
    fields = {"works": works, "all": len(frameworks)}
    if frameworks and not works:
        return _("None of {all} frameworks works; now: evenbench env create").format(**fields)
    if not diagnosis.healthy:
        return _("{works} of {all} frameworks work; mend what stands at a red ! above, then: evenbench run").format(
            **fields
        )
    return _("{works} of {all} frameworks work; now: evenbench run").format(**fields)


def _overview_row(checkup: "Checkup") -> tuple[str, ...]:
    facts = checkup.description
    if facts is None:
        return (checkup.backend, _("no"), "", "", "", _(checkup.source or "none"))
    from harness import registry

    modes = ", ".join(f"{mode}*" if mode == facts.default_mode else mode for mode in facts.modes)
    devices = ", ".join(device.kind if device.kind == device.name else device.name for device in facts.devices)
    version = facts.versions.get(registry.entry(checkup.backend).framework, "")
    return (checkup.backend, _("yes"), version, devices, modes, _(checkup.source or "none"))


def _troubles(diagnosis: "Diagnosis") -> "RenderableType":
    """Return everything that is wrong, the harmful first, or the sentence that all is well."""
    from rich.table import Table
    from rich.text import Text

    from reports.words.wide_text import Words

    found = [(said(checkup.error), True) for checkup in diagnosis.backends if checkup.error]
    traps = [(_("machine"), trap) for trap in diagnosis.traps]
    traps += [(checkup.backend, trap) for checkup in diagnosis.backends for trap in checkup.traps]
    sentence = _("{row}: {what}: {reason}")
    found += [
        (sentence.format(row=where, what=_(trap.name), reason=said(trap.said or trap.sentence)), trap.harmful)
        for where, trap in traps
    ]
    if not found:
        return _("Nothing wrong was found.")
    grid = Table.grid(padding=(0, 1))
    for line, harmful in sorted(found, key=lambda row: not row[1]):
        grid.add_row(Text("!", style="bold red") if harmful else Text("i", style="blue"), Words(line))
    return grid
