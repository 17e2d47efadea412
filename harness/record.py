"""What came out of a run: raw seconds, losses, quality, memory, environment, status and reason. Written once.

Seconds and bytes are as measured; no rate, mean or verdict is stored, so that a later report can correct an earlier
one. A number that was not finite is stored as null.
"""

from typing import Literal

from msgspec import Struct

from harness.contract import Trap
from harness.language import Sentence
from harness.spec import Mode, RunSpec, Task

SCHEMA = 6
"""The number of the record's form, all of 2026-11. 1: the first. 2: stages, validation and early stopping. 3: noise,
inference, energy, ceilings, tuned settings and runs of equal seeds. 4: parity levels, evidence, installation and
mistakes. 5: sentences with numbers in them also as message and fields, to be said in any language. 6: turns, and
the design of a study."""

Status = Literal["ok", "missed_target", "unsupported", "diverged", "out_of_memory", "timeout", "crashed", "interrupted"]
COMPLETED: tuple[Status, ...] = ("ok", "missed_target")
"""The endings of a run that trained to its end."""
LevelName = Literal["parameters", "forward", "loss", "gradients", "update", "losses", "stages"]
BlockKind = Literal["first", "calibration", "steady", "short"]


class _Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False, gc=False):
    """Frozen, validated, and strict about unknown fields; a tree, in which Python need not look for cycles."""


class Noise(_Data, frozen=True, kw_only=True):
    """What else the machine did while a block was timed (`measure/noise.py`); null where the system does not tell."""

    load: float | None = None
    """Load average over the last minute."""
    foreign_cpu_seconds: float | None = None
    """CPU time that others took on the worker's processors."""
    steal_seconds: float | None = None
    """Time that the hypervisor gave to other virtual machines, on the worker's processors."""
    throttled_seconds: float | None = None
    """Time for which the worker's control group was held back by its quota."""
    involuntary_switches: int | None = None
    """How often a thread of the worker was taken off its processor before it gave it up."""
    mhz: float | None = None
    """Mean clock frequency of the worker's processors, right after the block."""


class Block(_Data, frozen=True, kw_only=True):
    """Some optimizer steps between two synchronisations.

    `first` is the very first step, with whatever the framework compiles on it; `calibration` blocks grow until one
    takes long enough to be read; `steady` blocks are what throughput is computed from; a `short` block is what was
    left of an epoch and took less than the shortest readable time.
    """

    kind: BlockKind
    steps: int
    seconds: float
    cpu_seconds: float
    """CPU time of the worker's process, all threads, in the same interval."""
    noise: Noise | None = None
    """Of blocks that are read; null in records before schema 3."""
    turn: int | None = None
    """Number of the turn of its round in which it was timed, with the workers of the other rows alive and stopped; null
    where it was timed with no other worker alive."""


class Evaluation(_Data, frozen=True, kw_only=True):
    """The quality on the test split after `steps` optimizer steps and `train_seconds` of training alone."""

    steps: int
    train_seconds: float
    quality: dict[str, float | None]
    validation: dict[str, float | None] = {}
    """The quality on the validation split, where the preset stops early."""


class Phases(_Data, frozen=True, kw_only=True):
    """Wall seconds per phase of the worker; null where the run did not get that far.

    What the framework's compiler keeps from process to process lies in a folder of the run's own, empty at its start.
    (Before schema 5 in one that all runs shared.)
    """

    import_s: float | None = None
    build_s: float | None = None
    load_s: float | None = None
    first_step_s: float | None = None
    train_s: float | None = None
    evaluate_s: float | None = None
    total_s: float | None = None


class Memory(_Data, frozen=True, kw_only=True):
    """Peak bytes of the worker. `reasons` says why a figure is null.

    `host_peak_bytes`: peak anonymous resident memory above its state before the framework was imported.
    `import_bytes`: the part of it that the import alone took. `device_peak_bytes`: the framework's own allocator.
    `device_process_bytes`: the driver's view of the process.
    """

    host_peak_bytes: int | None = None
    import_bytes: int | None = None
    device_peak_bytes: int | None = None
    device_process_bytes: int | None = None
    reasons: dict[str, str] = {}
    said: dict[str, Sentence] = {}
    """What those of the reasons were made of that have fields."""


class StageMeasured(_Data, frozen=True, kw_only=True):
    """One stage of a Boltzmann machine, or one training of its net, as it was done and what came out of it.

    After a checkpoint, `blocks` and `statistics` are those of the updates since; `train_s` is that of all of them.
    """

    name: str
    updates: int = 0
    first_step_s: float | None = None
    train_s: float = 0.0
    blocks: tuple[Block, ...] = ()
    statistics: dict[str, tuple[float | None, ...]] = {}
    """What every update reports, as means over each epoch."""
    quality: dict[str, float | None] = {}
    remarks: dict[str, str] = {}
    """Sentences on the figures in `quality`: why one is missing or not to be relied on."""
    said: dict[str, Sentence] = {}
    """What those of the remarks were made of that have fields."""


class Inference(_Data, frozen=True, kw_only=True):
    """Forward passes of the trained model at one batch size, warm."""

    batch_size: int
    first_call_s: float
    """Seconds of the first call at this size, with what is compiled on it."""
    blocks: tuple[Block, ...]
    """At the task's batch size: forward passes between two synchronisations. At 1: groups of single calls."""
    latencies: tuple[float, ...] = ()
    """At batch size 1: seconds from a call to its outputs on the host, call by call in the order of the blocks."""
    largest_difference: float | None = None
    """Largest difference from the outputs that the quality was taken from, over their largest magnitude."""


class Energy(_Data, frozen=True, kw_only=True):
    """Energy over the steady blocks by the counters of the hardware; `reasons` where there are none."""

    joules: dict[str, float] = {}
    """By the counter's name, such as `rapl package-0` or `nvml 0`."""
    seconds: float | None = None
    """The wall seconds over which the counters were read: pauses between blocks included, evaluations left out."""
    steps: int = 0
    """The optimizer steps in them."""
    reasons: dict[str, str] = {}
    said: dict[str, Sentence] = {}
    """What those of the reasons were made of that have fields."""


class Ceiling(_Data, frozen=True, kw_only=True):
    """What one library reached on this machine in this study, on the same cores: the roof of the roofline."""

    library: str
    """`numpy` for NumPy's BLAS, else the backend's name."""
    matmul_flops_per_s: float | None = None
    """Floating-point operations per second in a large float32 product, the best of several."""
    copy_bytes_per_s: float | None = None
    """Bytes read and written per second in a large copy, the best of several."""
    reason: str = ""
    """Why a rate is missing, or may be too low."""
    said: Sentence | None = None
    """What `reason` was made of, where it has fields."""


class Installation(_Data, frozen=True, kw_only=True):
    """What it took to get the backend onto this machine, and how much code joins it to Evenbench."""

    install_s: float | None = None
    """Wall seconds of the build of the environment, downloads included."""
    bytes: int | None = None
    """Sum of the sizes of the environment's files, right after the build."""
    packages: int | None = None
    """Installed distributions."""
    installer: str = ""
    reason: str = ""
    """Why the figures above are null: the harness did not build this interpreter's environment."""
    said: Sentence | None = None
    """What `reason` was made of, where it has fields."""
    adapter_lines: int | None = None
    """Lines of code in the backend's folder, without blank lines, comments, docstrings and its students' mistakes."""


class Mistake(_Data, frozen=True, kw_only=True):
    """What a framework said of one typical mistake of a student's (`harness/mistakes.py`), in its default mode."""

    name: str
    mode: Mode
    error_type: str | None = None
    """Class of the exception; null where none came."""
    message: str = ""
    """What was said, the exception's text or else what was written while the step ran, cut to 1,000 characters."""
    characters: int = 0
    """Length of the whole of it."""
    seconds: float | None = None
    """From the start of the step to the exception, or to the step's end."""
    names_expected: bool = False
    names_given: bool = False
    """By the rules in `harness/mistakes.py`, which look at the whole message."""
    loss: float | None = None
    """The step's loss where no exception came; null too where it was not finite."""
    right_loss: float | None = None
    """The loss of the same step without the mistake, from the same start."""
    reason: str = ""
    """Why nothing could be observed, or how the process died of it."""
    said: Sentence | None = None
    """What `reason` was made of, where it has fields."""
    died: bool = False
    """The mistake ended the process each time, or it did not come to an end in time."""
    deaths: int = 0
    """How many processes were ended by the mistake before one answered, or at all."""


class Twin(_Data, frozen=True, kw_only=True):
    """How far a run came out like the first run of the study with the same seed, backend, device, mode and profile."""

    run_id: str
    """The run that this one was compared with."""
    identical: bool
    """Every training loss and every parameter was equal, bit for bit."""
    largest_loss_difference: float | None = None
    """Largest absolute difference of the losses, step by step."""
    largest_parameter_difference: float | None = None
    """Largest absolute difference of the trained parameters, over the parameter's largest magnitude."""


class Honesty(_Data, frozen=True, kw_only=True):
    """Whether the program worked while the clock ran (`measure/honesty.py`); null where it was not asked."""

    unfinished_share: float | None = None
    """How much of a block's work was still to be done when `synchronize` came back, from 0 to 1."""
    train_fresh_over_seen: float | None = None
    """How many times as long never seen mini-batches took as ones that it had trained on."""
    predict_fresh_over_seen: float | None = None
    """The same for forward passes."""
    compiled: dict[Mode, int] | None = None
    """How many graphs the framework itself says it had compiled at the end, by mode; null where it was not asked."""


class Measured(_Data, frozen=True, kw_only=True):
    """All that a worker can say about itself; written again after every phase, so that a sudden end loses little."""

    python: str = ""
    versions: dict[str, str] = {}
    settings: dict[str, str] = {}
    traps: tuple[Trap, ...] = ()
    device_name: str | None = None
    phases: Phases = Phases()
    blocks: tuple[Block, ...] = ()
    batch_size: int = 0
    examples: dict[str, int] = {}
    """How many examples each split holds."""
    loss_steps: tuple[int, ...] = ()
    losses: tuple[float | None, ...] = ()
    """Mean training losses over the steps since the step before in `loss_steps`, at most about 1,000 of them."""
    evaluations: tuple[Evaluation, ...] = ()
    quality: dict[str, float | None] = {}
    memory: Memory = Memory()
    stages: tuple[StageMeasured, ...] = ()
    """For a Boltzmann machine; `blocks` and `losses` are then those of its last stage."""
    stopped_early: bool = False
    """Training ended by the preset's early stopping."""
    clock_resolution_s: float | None = None
    """Smallest step of the clock that was seen."""
    synchronize_s: float | None = None
    """Seconds of a `synchronize` with nothing to wait for."""
    inference: tuple[Inference, ...] = ()
    energy: Energy = Energy()
    honesty: Honesty = Honesty()


class Outcome(_Data, frozen=True, kw_only=True):
    """How a run ended. `reason` is one sentence for the reader, empty when all is well."""

    status: Status
    reason: str = ""
    said: Sentence | None = None
    """What `reason` was made of, where it has fields."""
    error_type: str | None = None
    signal: str | None = None
    stderr_tail: str = ""
    """The last 4 KiB that the worker wrote to stderr."""


class ParityLevel(_Data, frozen=True, kw_only=True):
    """What one level of the comparison with the reference showed (`harness/parity/levels.py`)."""

    error: float | None
    """Null where it is not finite, or shapes differ."""
    tolerance: float
    passed: bool


class ParityVerdict(_Data, frozen=True, kw_only=True):
    """Whether this backend, device and mode was shown to compute the task; `passed` is null if it was not checked."""

    passed: bool | None
    reason: str = ""
    said: Sentence | None = None
    """What `reason` was made of, where it has fields."""
    largest_error: float | None = None
    """The largest error of any level, as a multiple of that level's tolerance."""
    levels: dict[LevelName, ParityLevel] = {}
    """In the order in which they are compared; empty before schema 4, or where nothing could be compared."""


class Machine(_Data, frozen=True, kw_only=True):
    """The computer, as far as it can matter for a number."""

    cpu: str
    cpu_flags: tuple[str, ...]
    cores: int
    memory_bytes: int
    system: str
    kernel: str
    python: str
    cpu_quota: float | None = None
    """How many processors' time the container gives; null: no limit, or before it was read."""
    memory_limit_bytes: int | None = None
    """What the container gives of the memory; null: no limit, or before it was read."""
    physical_cores: int | None = None
    """Cores that the processors are hyperthreads of; null where the system does not tell, or before it was read."""


class Record(_Data, frozen=True, kw_only=True):
    """One run, for ever."""

    schema: int = SCHEMA
    evenbench: str
    git_revision: str | None
    started_at: str
    """UTC, ISO 8601."""
    spec: RunSpec
    task: Task
    dataset_fingerprint: str
    machine: Machine
    affinity: tuple[int, ...]
    interpreter: str
    interpreter_source: str
    outcome: Outcome
    parity: ParityVerdict
    measured: Measured
    baselines: dict[str, float] = {}
    """What simple methods reach on the same data: for texts `bag_of_words_accuracy`, for characters
    `character_counts_accuracy` and `character_counts_bits_per_place`."""
    tuned_settings: dict[str, str] = {}
    """What the profile of the run set: environment variables, and nothing for `stock`."""
    ceilings: tuple[Ceiling, ...] = ()
    """The limits of the run's device as measured in this study: by its own framework and by the others in it, and on
    the CPU by NumPy."""
    twin: Twin | None = None
    installation: Installation = Installation()
    mistakes: tuple[Mistake, ...] = ()
    """What the backend said of students' mistakes on the run's device, once per study; none where that was left out."""
    live_with: tuple[str, ...] = ()
    """The runs whose workers were alive in the same round, this one included: they took turns, block by block."""
    probes: dict[int, float] = {}
    """By the number of the turn: seconds of a fixed piece of work on the same cores right before it."""
    warm_start: Phases | None = None
    """The start of a second process, as far as its first step, which found what the compiler of the first one had kept;
    null where it had kept nothing."""
