"""All that one record holds, for a person at a terminal. Needs no pandas."""

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.record import Measured, Record
from harness.spec import fingerprint
from reports import show_installation, text
from reports.figures import figures
from reports.settled import read
from reports.speed import examples_per_s
from reports.text import printable

LONGEST_VALUE = 2000


def show(record: Record, console: Console) -> None:
    """Print a record, one section per subject."""
    console.print(Text(printable(record.spec.run_id), style="bold", overflow="fold"))
    for title, facts in _sections(record):
        console.print(Text(f"\n{title}", style="bold"))
        if not facts:
            console.print("  nothing")
            continue
        grid = Table.grid(padding=(0, 2))
        grid.add_column(max_width=28, overflow="fold")
        grid.add_column(overflow="fold")
        for name, value in facts.items():
            grid.add_row(Text(f"  {printable(name, 60)}"), Text(printable(value, LONGEST_VALUE), overflow="fold"))
        console.print(grid, highlight=False)
    tail = record.outcome.stderr_tail
    if tail.strip():
        console.print(Text("\nlast of stderr", style="bold"))
        for line in tail.splitlines():
            console.print(Text(f"  {printable(line, LONGEST_VALUE)}", overflow="fold"), highlight=False)


def _sections(record: Record) -> Iterator[tuple[str, Mapping[str, str]]]:
    measured = record.measured
    yield "outcome", _outcome(record)
    yield "spec", _spec(record)
    yield (
        "phases (seconds)",
        {
            name.removesuffix("_s"): text.seconds(getattr(measured.phases, name))
            for name in measured.phases.__struct_fields__
        },
    )
    yield "blocks", _blocks(record)
    if measured.stages:
        yield "stages", _stages(record)
    yield (
        "evaluations",
        {
            f"after {item.steps:,} steps, {text.seconds(item.train_seconds)} s": _qualities(item.quality)
            + (f"; on the validation split: {_qualities(item.validation)}" if item.validation else "")
            for item in measured.evaluations
        },
    )
    memory = {
        name.removesuffix("_bytes"): f"{text.megabytes(getattr(measured.memory, name))} MB"
        if getattr(measured.memory, name) is not None
        else f"{text.NOTHING} {measured.memory.reasons.get(name, '')}"
        for name in measured.memory.__struct_fields__
        if name != "reasons"
    }
    others = {name: why for name, why in measured.memory.reasons.items() if name.removesuffix("_bytes") not in memory}
    yield "memory", memory | others
    if instruments := _instruments(record):
        yield "instruments", instruments
    if installed := show_installation.installation(record):
        yield "installation", installed
    if record.mistakes:
        yield "students' mistakes", show_installation.mistakes(record)
    yield "versions", {"python": measured.python} | measured.versions
    yield "settings", measured.settings
    yield "tuned settings", record.tuned_settings
    yield (
        "traps",
        {trap.name: f"{'harmful' if trap.harmful else 'harmless'}: {trap.sentence}" for trap in measured.traps},
    )
    yield "machine", _machine(record)


def _outcome(record: Record) -> dict[str, str]:
    outcome, parity, measured = record.outcome, record.parity, record.measured
    verdict = {True: "pass", False: "fail", None: "not checked"}[parity.passed]
    error = f", largest error {text.number(parity.largest_error)} of its tolerance" if parity.largest_error else ""
    facts = {
        "status": outcome.status,
        "reason": outcome.reason,
        "error": outcome.error_type or "",
        "signal": outcome.signal or "",
        "parity": f"{verdict}{error}{f': {parity.reason}' if parity.reason else ''}",
        "quality": _qualities(measured.quality),
        "stopped early": _stopped_early(measured),
        **{_words(name): text.quality(value, name) for name, value in record.baselines.items()},
        "last loss": text.number(measured.losses[-1], 4) if measured.losses else "",
    }
    return {name: value for name, value in facts.items() if value}


def _spec(record: Record) -> dict[str, str]:
    spec = record.spec
    facts = {name: str(getattr(spec, name)) for name in spec.__struct_fields__ if getattr(spec, name) is not None}
    return facts | {
        "task_fingerprint": fingerprint(record.task),
        "dataset_fingerprint": record.dataset_fingerprint,
        "batch_size": str(record.measured.batch_size),
        "examples": ", ".join(f"{count:,} {split}" for split, count in record.measured.examples.items()),
    }


def _blocks(record: Record) -> dict[str, str]:
    """Return per kind how many blocks there were, their steps and their seconds."""
    found: dict[str, str] = {}
    for kind in dict.fromkeys(block.kind for block in record.measured.blocks):
        blocks = [block for block in record.measured.blocks if block.kind == kind]
        steps, seconds = sum(block.steps for block in blocks), sum(block.seconds for block in blocks)
        cpu = sum(block.cpu_seconds for block in blocks)
        found[kind] = f"{len(blocks):,} of {steps:,} steps in {text.seconds(seconds)} s, CPU time {text.seconds(cpu)} s"
    if "steady" in found:
        reading = read(record.measured.blocks, len(record.affinity))
        found["steady state"] = (
            f"{reading.outcome}: {len(reading.blocks):,} blocks are read, {reading.discarded:,} discarded, "
            f"{reading.disturbed:,} disturbed"
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
        return value
    return f"{value:,}" if isinstance(value, int) else text.number(value, 4) if value is not None else ""


def _stopped_early(measured: Measured) -> str:
    if not measured.stopped_early:
        return ""
    steps = f"after {measured.loss_steps[-1]:,} steps" if measured.loss_steps else "yes"
    return f"{steps}; the quality is that of the evaluation that was best on the validation split"


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
            facts.append(f"{stage.updates:,} updates in {text.seconds(stage.train_s)} s, first {first} s")
            facts.append(f"{speed} examples/s")
        facts += [f"{_words(name)} {text.number(means[-1])}" for name, means in stage.statistics.items() if means]
        facts += [f"{_words(name)} {text.quality(value, name)}" for name, value in stage.quality.items()]
        facts += [f"{_words(name)}: {sentence}" for name, sentence in stage.remarks.items()]
        found[f"{number} {stage.name}"] = "; ".join(facts)
    return found


def _words(name: str) -> str:
    return name.replace("_", " ")


def _machine(record: Record) -> dict[str, str]:
    machine = record.machine
    return {
        "cpu": machine.cpu,
        "processors": f"{len(record.affinity)} of {machine.cores} used: {', '.join(map(str, record.affinity))}",
        "memory": f"{machine.memory_bytes / 1e9:.1f} GB",
        "system": f"{machine.system} {machine.kernel}",
        "device": record.measured.device_name or "",
        "interpreter": f"{record.interpreter} ({record.interpreter_source})",
        "evenbench": f"{record.evenbench} ({record.git_revision or 'no revision known'})",
        "started_at": record.started_at,
    }


def _qualities(quality: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {text.quality(value, name)}" for name, value in quality.items())
