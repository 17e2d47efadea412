"""All that one record holds, for a person at a terminal. Needs no pandas."""

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.language import _, noop
from harness.record import Evaluation, Machine, Measured, Record
from harness.records.steady import examples_per_s, read
from harness.spec import fingerprint
from reports.content import mistakes as said_mistakes
from reports.frame.instruments import figures
from reports.words import text
from reports.words.record_words import stage_name
from reports.words.text import printable
from reports.words.wide_text import Words

LONGEST_VALUE = 2000


def show(record: Record, console: Console) -> None:
    """Print a record, one section per subject."""
    console.print(Text(printable(record.spec.run_id), style="bold", overflow="fold"))
    for title, facts in _sections(record):
        _print_section(console, title, facts)
    tail = record.outcome.stderr_tail
    if tail.strip():
        console.print(Text("\n" + _("last of stderr"), style="bold"))
        for line in tail.splitlines():
            console.print(Text(f"  {printable(line, LONGEST_VALUE)}", overflow="fold"), highlight=False)
    _print_section(console, noop("outcome"), _outcome(record))  # once more: above it has left the screen


def _print_section(console: Console, title: str, facts: Mapping[str, str]) -> None:
    console.print(Text(f"\n{_(title)}", style="bold"))
    if not facts:
        console.print("  " + _("nothing"))
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(max_width=28, overflow="fold")
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(Words(f"  {printable(_name(name), 60)}"), Words(printable(value, LONGEST_VALUE), overflow="fold"))
    console.print(grid, highlight=False)


def _sections(record: Record) -> Iterator[tuple[str, Mapping[str, str]]]:
    measured = record.measured
    yield noop("outcome"), _outcome(record)
    yield noop("spec"), _spec(record)
    yield (
        noop("phases (seconds)"),
        {
            name.removesuffix("_s"): text.seconds(getattr(measured.phases, name))
            for name in measured.phases.__struct_fields__
        },
    )
    yield noop("blocks"), _blocks(record)
    if measured.stages:
        yield noop("stages"), _stages(record)
    yield (
        noop("evaluations"),
        {
            _("after {steps:,} steps, {seconds} s").format(
                steps=item.steps, seconds=text.seconds(item.train_seconds)
            ): _evaluation(item)
            for item in measured.evaluations
        },
    )
    memory = {
        name.removesuffix("_bytes"): f"{text.megabytes(getattr(measured.memory, name))} MB"
        if getattr(measured.memory, name) is not None
        else f"{text.NOTHING} {text.quoted(measured.memory.reasons.get(name, ''))}"
        for name in measured.memory.__struct_fields__
        if name not in ("reasons", "said")
    }
    reasons = measured.memory.reasons
    others = {name: text.quoted(why) for name, why in reasons.items() if name.removesuffix("_bytes") not in memory}
    yield noop("memory"), memory | others
    if instruments := _instruments(record):
        yield noop("instruments"), instruments
    if installed := _installation(record):
        yield noop("installation"), installed
    if record.mistakes:
        yield noop("students' mistakes"), _mistakes(record)
    yield noop("versions"), {"python": measured.python} | measured.versions
    yield noop("settings"), {name: text.quoted(value) for name, value in measured.settings.items()}
    yield noop("tuned settings"), record.tuned_settings
    yield (
        noop("traps"),
        {
            _(trap.name): (_("harmful: {sentence}") if trap.harmful else _("harmless: {sentence}")).format(
                sentence=text.quoted(trap.sentence)
            )
            for trap in measured.traps
        },
    )
    yield noop("machine"), _machine(record)


def _outcome(record: Record) -> dict[str, str]:
    outcome, parity, measured = record.outcome, record.parity, record.measured
    verdict = _({True: "pass", False: "fail", None: "not checked"}[parity.passed])
    if parity.largest_error:
        verdict = _("{verdict}, largest error {error} of its tolerance").format(
            verdict=verdict, error=text.number(parity.largest_error)
        )
    if parity.reason:
        verdict = _("{what}: {reason}").format(what=verdict, reason=text.quoted(parity.reason))
    facts = {
        noop("status"): _(outcome.status),
        noop("reason"): text.quoted(outcome.reason),
        noop("error"): outcome.error_type or "",
        noop("signal"): outcome.signal or "",
        noop("parity"): verdict,
        noop("quality"): _qualities(measured.quality),
        noop("stopped early"): _stopped_early(measured),
        **{_words(name): text.quality(value, name) for name, value in record.baselines.items()},
        noop("last loss"): text.number(measured.losses[-1], 4) if measured.losses else "",
    }
    return {name: value for name, value in facts.items() if value}


def _spec(record: Record) -> dict[str, str]:
    spec = record.spec
    facts = {name: str(getattr(spec, name)) for name in spec.__struct_fields__ if getattr(spec, name) is not None}
    return facts | {
        "task_fingerprint": fingerprint(record.task),
        "dataset_fingerprint": record.dataset_fingerprint,
        "batch_size": str(record.measured.batch_size),
        noop("examples"): text.names(
            _("{count:,} {split}").format(count=count, split=_(split))
            for split, count in record.measured.examples.items()
        ),
    }


def _blocks(record: Record) -> dict[str, str]:
    """Return per kind how many blocks there were, their steps and their seconds."""
    found: dict[str, str] = {}
    for kind in dict.fromkeys(block.kind for block in record.measured.blocks):
        blocks = [block for block in record.measured.blocks if block.kind == kind]
        steps, seconds = sum(block.steps for block in blocks), sum(block.seconds for block in blocks)
        cpu = sum(block.cpu_seconds for block in blocks)
        found[kind] = _("{blocks:,} of {steps:,} steps in {seconds} s, CPU time {cpu} s").format(
            blocks=len(blocks), steps=steps, seconds=text.seconds(seconds), cpu=text.seconds(cpu)
        )
    if "steady" in found:
        reading = read(record.measured.blocks, len(record.affinity))
        found[noop("steady state")] = _(
            "{outcome}: {blocks:,} blocks are read, {discarded:,} discarded, {disturbed:,} disturbed"
        ).format(
            outcome=_(reading.outcome),
            blocks=len(reading.blocks),
            discarded=reading.discarded,
            disturbed=reading.disturbed,
        )
    return found


def _instruments(record: Record) -> dict[str, str]:
    """Return what inference, roofline, energy and equal seeds came to; nothing for a record without any of them."""
    measured = record.measured
    if not (measured.inference or record.ceilings or measured.energy.joules or measured.energy.reasons or record.twin):
        return {}
    reading = read(measured.blocks, len(record.affinity))
    steps = sum(block.steps for block in reading.blocks)
    found = figures(record, reading.seconds() / steps if steps else None)
    shown = {name: _figure(value) for name, value in found.items()}
    return {_words(name): value for name, value in shown.items() if value}


def _figure(value: float | int | str | None) -> str:
    if isinstance(value, str):
        return text.quoted(value)
    return f"{value:,}" if isinstance(value, int) else text.number(value, 4) if value is not None else ""


def _stopped_early(measured: Measured) -> str:
    if not measured.stopped_early:
        return ""
    if not measured.loss_steps:
        return _("yes; the quality is that of the evaluation that was best on the validation split")
    return _(
        "after {steps:,} steps; the quality is that of the evaluation that was best on the validation split"
    ).format(steps=measured.loss_steps[-1])


def _stages(record: Record) -> dict[str, str]:
    """Return per stage how it was trained, what its last epoch said, how good it is, and what is to be said of that."""
    found = {}
    for number, stage in enumerate(record.measured.stages, start=1):
        facts = []
        if stage.updates:
            speed = text.rate(
                examples_per_s(read(stage.blocks, len(record.affinity)).blocks, record.measured.batch_size)
            )
            first = text.seconds(stage.first_step_s)
            facts.append(
                _("{updates:,} updates in {seconds} s, first {first} s").format(
                    updates=stage.updates, seconds=text.seconds(stage.train_s), first=first
                )
            )
            facts.append(_("{rate} examples/s").format(rate=speed))
        facts += [f"{_(_words(name))} {text.number(means[-1])}" for name, means in stage.statistics.items() if means]
        facts += [f"{_(_words(name))} {text.quality(value, name)}" for name, value in stage.quality.items()]
        facts += [
            _("{what}: {reason}").format(what=_(_words(name)), reason=text.quoted(sentence))
            for name, sentence in stage.remarks.items()
        ]
        found[f"{number} {stage_name(stage.name)}"] = text.clauses(facts)
    return found


def _words(name: str) -> str:
    return name.replace("_", " ")


def _name(name: str) -> str:
    """Return a name as it is shown: the catalogue's words for it, or itself where it has none."""
    words = _words(name)
    said = _(words)
    return name if said == words else said


def _machine(record: Record) -> dict[str, str]:
    machine = record.machine
    return {
        "cpu": machine.cpu,
        noop("processors"): _("{used} of {cores} used: {numbers}").format(
            used=len(record.affinity), cores=machine.cores, numbers=", ".join(map(str, record.affinity))
        ),
        noop("memory"): f"{machine.memory_bytes / 1e9:.1f} GB",
        **_given(machine),
        noop("system"): f"{machine.system} {machine.kernel}",
        noop("device"): record.measured.device_name or "",
        noop("interpreter"): f"{record.interpreter} ({_(record.interpreter_source)})",
        "evenbench": f"{record.evenbench} ({record.git_revision or _('no revision known')})",
        "started_at": record.started_at,
    }


def _given(machine: Machine) -> dict[str, str]:
    """Return what a container gives of the machine, and what its processors are threads of, as far as it is known."""
    found = {}
    if machine.cpu_quota is not None:
        found[noop("processor quota")] = f"{machine.cpu_quota:g}"
    if machine.memory_limit_bytes is not None:
        found[noop("memory limit")] = f"{machine.memory_limit_bytes / 1e9:.1f} GB"
    if machine.physical_cores is not None:
        found[noop("physical cores")] = str(machine.physical_cores)
    return found


def _evaluation(item: Evaluation) -> str:
    if not item.validation:
        return _qualities(item.quality)
    return _("{test}; on the validation split: {validation}").format(
        test=_qualities(item.quality), validation=_qualities(item.validation)
    )


def _qualities(quality: Mapping[str, float | None]) -> str:
    return text.names(f"{_name(name)} {text.quality(value, name)}" for name, value in quality.items())


def _installation(record: Record) -> dict[str, str]:
    """Return what it took to install the backend, nothing for a record that does not say."""
    found = record.installation
    facts = {
        _("built in"): "" if found.install_s is None else f"{text.seconds(found.install_s)} s, {found.installer}",
        _("files"): "" if found.bytes is None else f"{text.megabytes(found.bytes)} MB",
        _("distributions"): "" if found.packages is None else f"{found.packages:,}",
        _("why there are no figures"): text.quoted(found.reason),
        _("adapter's lines of code"): "" if found.adapter_lines is None else f"{found.adapter_lines:,}",
    }
    return {name: value for name, value in facts.items() if value}


def _mistakes(record: Record) -> dict[str, str]:
    """Return what the backend said of every mistake."""
    return {
        said_mistakes.title(one): f"{said_mistakes.ending_word(one)}: {said_mistakes.said(one)}"
        for one in record.mistakes
    }
