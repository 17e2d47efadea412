"""What a summary consists of: a row per backend, mode and profile, in groups that computed the very same thing."""

from msgspec import Struct

from harness.records.steady import TOO_NOISY
from harness.spec import PLANTED
from reports.statistics.looks import WITHIN, Turn
from reports.statistics.methods import EQUAL
from reports.statistics.verdicts import Comparison

SEPARATOR = " · "
CELL = ("task", "preset", "dataset", "device")
"""What a user asked for: the heading of a table."""
SPLITS = ("task_version", "task_fingerprint", "dataset_fingerprint", "source", "machine")
"""What must be equal besides, or the runs stand in tables of their own. Two machines of a merged study may be equal in
every word and still be two: what comes from different studies is never pooled."""


class Spread(Struct, frozen=True, kw_only=True):
    """A number over several processes."""

    median: float
    low: float
    high: float
    runs: int

    def relative(self) -> float:
        """Return the distance from the smallest to the largest over the median."""
        return (self.high - self.low) / self.median


class Quality(Struct, frozen=True, kw_only=True):
    """The test quality of one completed run."""

    seed: int | None
    repeat: int | None
    value: float


class Row(Struct, frozen=True, kw_only=True):
    """One backend in one mode and profile. Numbers are medians over its completed runs; null where there is none."""

    label: str = ""
    """Its name in its group: backend, mode and profile, with what tells it from others of the same ones."""
    backend: str
    mode: str
    profile: str
    device_name: str
    framework_version: str
    conditions: dict[str, str] = {}
    """Under which its runs were made (`harness/measure/conditions.py`); none where all ended before they told them."""
    run_ids: tuple[str, ...]
    runs: int
    ok_runs: int
    status: dict[str, int]
    """How often its runs ended in which way."""
    reasons: tuple[str, ...]
    """The distinct reasons of the endings, each once."""
    throughput_examples_per_s: Spread | None
    time_to_first_step_s: float | None
    epoch_s: float | None
    host_peak_bytes: float | None
    device_peak_bytes: float | None
    metric: str
    """Which metric `quality` holds; empty if there is none."""
    quality: tuple[Quality, ...]
    """In the order of seed and repeat."""
    quality_mean: float | None
    quality_min: float | None
    quality_max: float | None
    parity: dict[str, int]
    """How many of the runs that its numbers come from have which verdict: pass, fail or not checked."""
    parity_error_over_tolerance: float | None
    comparable: bool
    why_not_comparable: tuple[str, ...]
    steady_state: dict[str, int]
    """How many of its measured runs have which outcome."""
    discarded_blocks: int
    disturbed_blocks: int
    recorded_blocks: int
    """All steady blocks of the measured runs."""
    seconds_per_example: tuple[float, ...]
    """Of every measured run its median seconds per step over the batch size: what verdicts compare."""
    turns: dict[str, dict[str, dict[int, Turn]]] = {}
    """By measure (train, latency, inference) and round: the blocks that it was timed in by turns with other rows."""
    until_decided: bool = False
    """Its rounds are looked at after 3, 5, 7 and 10, until all pairs are decided."""
    within: float = WITHIN
    """Share of 1 within which a ratio is called equal."""
    by_round: dict[str, float] = {}
    """Seconds per example by round, where turns were planned: for pairs that memory kept from being alive together."""
    round_s: float | None = None
    """Seconds of the last round that it took part in."""
    inference: dict[str, tuple[float, ...]]
    """By measure of inference, of every run that has it: `latency`, seconds of the median call with one example, and
    `inference`, seconds per example at the task's batch size. Empty where outputs differed from the evaluation's."""
    accuracy_per_seed: dict[int, float]
    """By seed, the mean over its runs, which are not independent."""
    accuracy_low: float | None
    accuracy_high: float | None
    """Ends of the 95 % interval of their mean, from two seeds on, cut at 0 and 1."""
    rank: int | None = None
    """Place among the comparable rows: 1 if it is not shown to be slower than the fastest, else one more than the rows
    that are shown to be faster."""
    shares_place: bool = False
    """Another row has the same place: no order of the two is shown."""
    alone: bool = False
    """No other row of its group is comparable, so that it is faster than none."""
    times_slower: float | None = None
    """Seconds of this row over those of the fastest, geometric means over the processes."""
    to_fastest: Comparison | None = None
    """This row against the fastest one, null for that one itself."""

    @property
    def passed_parity(self) -> bool:
        """Whether every run that its numbers come from passed parity."""
        return set(self.parity) == {"pass"}

    @property
    def is_disturbed(self) -> bool:
        """Whether other programs disturbed it too much for it to be compared."""
        return not self.comparable and self.passed_parity and TOO_NOISY in self.steady_state


class Control(Struct, frozen=True, kw_only=True):
    """A row whose verdict is known before: a twin of another row, or one that does `PLANT` more work than it says."""

    row: Row
    found: Comparison
    """The original against it."""

    @property
    def holds(self) -> bool:
        """Whether what is known came out: the twin equal, the planted one slower."""
        return self.found.verdict == ("faster" if self.row.profile == PLANTED else EQUAL)


class Group(Struct, frozen=True, kw_only=True):
    """The rows that computed the same task on the same data, kind of device and machine."""

    task: str
    preset: str
    dataset: str
    device: str
    task_version: int | None
    task_fingerprint: str
    dataset_fingerprint: str
    source: str = ""
    machine: str
    rows: tuple[Row, ...]
    beside: tuple[Row, ...] = ()
    """Its controls, as rows."""
    controls: tuple[Control, ...] = ()
    """Those whose original is there."""
    baselines: dict[str, tuple[float, ...]] = {}
    """What simple methods reach on the same data: more than one number where the runs do not agree."""
    comparisons: tuple[Comparison, ...] = ()
    """Every pair of rows once."""
    split_by: tuple[str, ...] = ()
    """In what this group differs from another one of the same task, preset, data set and device."""

    @property
    def heading(self) -> str:
        """What was asked for: task, preset, data set and device."""
        return SEPARATOR.join(str(getattr(self, name)) for name in CELL)

    @property
    def facts(self) -> tuple[str, ...]:
        """What tells it from other groups of the same heading, each fact with its name."""
        return tuple(f"{name.replace('_', ' ')} {getattr(self, name)}" for name in self.split_by)

    @property
    def title(self) -> str:
        """Its heading, with what tells it from other groups of the same one."""
        return SEPARATOR.join((self.heading, *self.facts))
