"""What the self-test knows of every case, and how what came out is held against it."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from harness.measure import honesty
from harness.record import Record
from harness.records import steady
from harness.runs import selftest_backend as known
from harness.spec import PLANT

Verdict = Literal["as known", "caught", "too noisy", "DEVIATES"]

BATCH = 16
TRAIN_EXAMPLES = 160
TEST_EXAMPLES = 40
EPOCHS = 20
EVALUATIONS = 4
STEPS = EPOCHS * TRAIN_EXAMPLES // BATCH
NOISY_SHARE = 0.25
"""Share of disturbed blocks from which on a machine is called noisy."""
MOST_OFF = 0.01
"""By how much a throughput may be off."""
MOST_OFF_ONCE = 0.1
"""By how much the time of something that is done once or a few times may be off."""
ALLOWANCE_BYTES = 16 * 2**20
"""What NumPy, the data and the record itself may take beside the known memory."""
COARSENESS_BYTES = 4 * 2**20
"""By how much a peak may come out too low: the pages of files are those of the end, not those at the peak."""
CAUGHT_OFF = 0.1
"""By how much an evaluation inside the clock must spoil the throughput to count as caught."""
TIMEOUT_S = 30.0
HANG_TIMEOUT_S = 5.0
MEMORY_LIMIT_BYTES = 2**30


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was known, and what came out."""

    case: str
    what: str
    expected: str
    measured: str
    verdict: Verdict
    excusable: bool = False
    """It is a time that came out too long, as on a busy machine."""


class Case(Struct, frozen=True, kw_only=True):
    """One fake backend, and what is to be said of its run."""

    name: str
    backend: str
    """The function in `harness/runs/selftest_backend.py`."""
    judge: Callable[["Case", Record], Iterator[Finding]]
    timeout_s: float = TIMEOUT_S
    memory_limit_bytes: int | None = None
    in_turns: bool = False
    """It takes turns with a twin that does `PLANT` more work than it says."""


def throughput(record: Record) -> float | None:
    """Return the examples per second of training that a report gives."""
    reading = steady.read(record.measured.blocks, len(record.affinity))
    return steady.examples_per_s(reading.blocks, record.measured.batch_size)


def is_noisy(record: Record) -> bool:
    """Return whether the noise guard saw many of a run's blocks disturbed."""
    reading = steady.read(record.measured.blocks, len(record.affinity))
    return reading.disturbed > NOISY_SHARE * reading.recorded


def number(
    case: Case, what: str, expected: float, measured: float | None, *, unit: str, most_off: float, slow: int = 0
) -> Finding:
    """Return whether a number is the known one.

    Args:
        case: of which run.
        what: the number's name.
        expected: what is known.
        measured: what came out.
        unit: for the reader.
        most_off: by which share it may differ.
        slow: 1 if a busy machine makes it larger, -1 if smaller, 0 if neither.
    """
    off = None if measured is None else measured / expected - 1
    right = off is not None and abs(off) <= most_off
    return Finding(
        case=case.name,
        what=what,
        expected=f"{expected:,.6g} {unit} ± {most_off:.0%}".replace("  ", " "),
        measured="nothing" if measured is None or off is None else f"{measured:,.6g} {unit} ({off:+.2%})",
        verdict="as known" if right else "DEVIATES",
        excusable=off is not None and off * slow > 0,
    )


def statement(case: Case, what: str, expected: str, measured: str, right: bool, *, liar: bool = False) -> Finding:
    """Return whether something that is no number came out as it is known."""
    verdict: Verdict = ("caught" if liar else "as known") if right else "DEVIATES"
    return Finding(case=case.name, what=what, expected=expected, measured=measured, verdict=verdict)


def speed_is_known(case: Case, record: Record) -> Finding:
    """Return whether the throughput of training is that of the known step."""
    came = throughput(record)
    found = number(case, "throughput", BATCH / known.STEP_S, came, unit="examples/s", most_off=MOST_OFF, slow=-1)
    return replace(found, excusable=found.excusable or (came is None and is_noisy(record)))


def honest_twin(case: Case, record: Record) -> Iterator[Finding]:
    """Yield what holds for every honest program."""
    yield ended_well(case, record)
    yield speed_is_known(case, record)
    reasons = tuple(map(str, honesty.doubts(record.measured.honesty, record.spec.mode)))
    asked = None not in (
        record.measured.honesty.unfinished_share,
        record.measured.honesty.train_fresh_over_seen,
        record.measured.honesty.predict_fresh_over_seen,
    )
    came = "; ".join(reasons) or ("none" if asked else "the questions were not asked")
    finding = statement(case, "doubts", "none", came, asked and not reasons)
    yield replace(finding, excusable=bool(reasons))


def ended_well(case: Case, record: Record) -> Finding:
    """Return whether the run ended well."""
    outcome = record.outcome
    came = f"{outcome.status}{': ' if outcome.reason else ''}{outcome.reason}"
    return statement(case, "ending", "ok", came, outcome.status == "ok")


def honest(case: Case, record: Record) -> Iterator[Finding]:
    """Yield everything that is known of the plain honest program."""
    measured, phases = record.measured, record.measured.phases
    yield from honest_twin(case, record)
    yield number(case, "first step", known.FIRST_STEP_S, phases.first_step_s, unit="s", most_off=MOST_OFF_ONCE, slow=1)
    yield number(
        case,
        "training",
        known.FIRST_STEP_S + (STEPS - 1) * known.STEP_S,
        phases.train_s,
        unit="s",
        most_off=2 * MOST_OFF,
        slow=1,
    )
    yield from evaluation_is_outside(case, record, known.PREDICT_EXAMPLE_S)
    latencies = measured.inference[0].latencies if measured.inference else ()
    median = float(np.median(latencies)) if latencies else None
    yield number(case, "latency", known.PREDICT_EXAMPLE_S, median, unit="s", most_off=MOST_OFF_ONCE, slow=1)
    accuracy = measured.quality.get("accuracy")
    expected = 1 - 1 / known.WRONG_ONE_IN
    yield statement(case, "accuracy", f"{expected}", f"{accuracy}", accuracy == expected)
    losses = tuple(float(np.float32(1 / step)) for step in range(1, STEPS + 1))
    yield statement(
        case, "losses", f"1 to 1/{STEPS}", f"{len(measured.losses)}, the last {measured.losses[-1:]}",
        measured.losses == losses and measured.loss_steps == tuple(range(1, STEPS + 1)),
    )  # fmt: skip
    peak = measured.memory.host_peak_bytes
    taken = known.KEPT_BYTES + known.SPIKE_BYTES
    least, most = taken - COARSENESS_BYTES, taken + ALLOWANCE_BYTES
    yield statement(
        case, "peak memory", f"{least / 1e6:.0f} to {most / 1e6:.0f} MB",
        "nothing" if peak is None else f"{peak / 1e6:.0f} MB",
        peak is not None and least <= peak <= most,
    )  # fmt: skip


def slow_evaluation(case: Case, record: Record) -> Iterator[Finding]:
    """Yield that the throughput is the same whatever an evaluation takes."""
    yield from honest_twin(case, record)
    yield from evaluation_is_outside(case, record, known.SLOW_PREDICT_EXAMPLE_S)


def evaluation_is_outside(case: Case, record: Record, example_s: float) -> Iterator[Finding]:
    """Yield that evaluations have their own seconds, and that all seconds fit into the run."""
    phases = record.measured.phases
    expected = EVALUATIONS * TEST_EXAMPLES * example_s
    yield number(case, "evaluation", expected, phases.evaluate_s, unit="s", most_off=MOST_OFF_ONCE, slow=1)
    parts = [phases.import_s, phases.build_s, phases.load_s, phases.evaluate_s]
    spent = sum(part or 0.0 for part in parts) + sum(block.seconds for block in record.measured.blocks)
    total = phases.total_s or 0.0
    yield statement(case, "sum of the phases", "at most the whole", f"{spent:.3f} of {total:.3f} s", spent <= total)


def doubted(word: str) -> Callable[[Case, Record], Iterator[Finding]]:
    """Return a judge that wants a liar's run to be called not comparable, with this word in the reason."""

    def judge(case: Case, record: Record) -> Iterator[Finding]:
        from reports.frame.frame import frame

        reasons = tuple(map(str, honesty.doubts(record.measured.honesty, record.spec.mode)))
        why_not = frame([record])["why_not_comparable"].iloc[0]
        right = any(word in reason for reason in reasons) and all(reason in why_not for reason in reasons)
        came = "; ".join(reasons) or f"believed, at {throughput(record) or 0:,.0f} examples/s"
        finding = statement(case, "doubts", f"“... {word} ...”", came, right, liar=True)
        yield replace(finding, excusable=bool(reasons))  # noise can look like another lie, but not like none

    return judge


def evaluates_inside(case: Case, record: Record) -> Iterator[Finding]:
    """Yield that an evaluation inside the clock does not go unnoticed: the throughput is then not the known one."""
    expected = BATCH / known.STEP_S
    came = throughput(record)
    off = 0.0 if came is None else came / expected - 1
    yield statement(
        case, "throughput", f"off by more than {CAUGHT_OFF:.0%}", f"off by {off:.1%}", off < -CAUGHT_OFF, liar=True
    )


def ends(status: str, word: str) -> Callable[[Case, Record], Iterator[Finding]]:
    """Return a judge that wants a run to have ended so, with this word in the reason, and its beginning kept."""

    def judge(case: Case, record: Record) -> Iterator[Finding]:
        outcome = record.outcome
        came = f"{outcome.status}: {outcome.reason}"
        yield statement(case, "ending", f"{status}: ... {word} ...", came, outcome.status == status and word in came)
        first = record.measured.phases.first_step_s
        yield statement(case, "what came before", "a first step", f"{first} s", first is not None)

    return judge


CASES = (
    Case(name="honest", backend="honest", judge=honest),
    Case(name="slow evaluation", backend="slow_evaluation", judge=slow_evaluation),
    Case(name="liar: synchronize returns early", backend="early_synchronize", judge=doubted("still to do")),
    Case(name="liar: remembers mini-batches", backend="remembers_batches", judge=doubted("mini-batches")),
    Case(name="liar: remembers outputs", backend="remembers_outputs", judge=doubted("outputs")),
    Case(name="liar: evaluation inside the clock", backend="evaluates_inside", judge=evaluates_inside),
    Case(name="misses its target", backend="misses", judge=ends("missed_target", "0.5000, the target is 0.75")),
    Case(name="loses its loss", backend="diverges", judge=ends("diverged", f"nan at step {known.FAILS_AT_STEP}")),
    Case(name="crashes", backend="crashes", judge=ends("crashed", "SIGABRT")),
    Case(name="hangs", backend="hangs", judge=ends("timeout", "limit of 5 s"), timeout_s=HANG_TIMEOUT_S),
    Case(
        name="takes too much memory",
        backend="exhausts",
        judge=ends("out_of_memory", "memory ran out"),
        memory_limit_bytes=MEMORY_LIMIT_BYTES,
    ),
)


def turns_are_known(case: Case, record: Record, partner: Record) -> Finding:
    """Return whether the ratio of two rows in turns is the planted one: the median over the turns, block by block."""
    own, other = (
        {b.turn: b.seconds / b.steps for b in one.measured.blocks if b.turn is not None} for one in (record, partner)
    )
    ratios = [other[turn] / own[turn] for turn in own if turn in other]
    came = float(np.median(ratios)) if ratios else None
    found = number(case, "ratio to a twin with more work", 1 + PLANT, came, unit="", most_off=MOST_OFF)
    return replace(found, excusable=came is not None)


TURNS = Case(name="takes turns", backend="honest", judge=lambda case, record: iter(()), in_turns=True)
