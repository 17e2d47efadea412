"""What the parent asks of a worker, and what it answers: the only words spoken between the two processes.

A worker is started as `python -m harness.worker JOB.json`; it writes `result.json` (and `trace.npz`) into `out`.
"""

from typing import Literal

from msgspec import Struct

from harness.contract import Device, Trap
from harness.language import Words
from harness.record import Ceiling, Measured, Mistake, Outcome
from harness.spec import DeviceKind, Mode, Preset, RunSpec, Task


class _Job(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="job"):
    adapter: str
    """Import string of the function that returns the Backend."""
    out: str
    """The folder for the answer."""
    cores: tuple[int, ...]
    """The processors that the worker binds itself to before anything is imported."""
    memory_limit_bytes: int | None = None
    settings: dict[str, str] = {}
    """Variables set in the worker's environment before it starts: those of a tuned profile."""


class DescribeJob(_Job, frozen=True, kw_only=True):
    """Say what this backend is and has on this machine."""

    tasks: tuple[Task, ...] = ()
    """Tasks for which `why_not` is asked, on every kind of device and in every mode."""


class RunJob(_Job, frozen=True, kw_only=True):
    """Train and measure one run."""

    spec: RunSpec
    task: Task
    preset: Preset
    arrays: dict[str, str]
    """`train_x`, `train_y`, `test_x`, `test_y`: paths of .npy files."""
    order: str
    """Path of the (steps, B) int32 .npy file of example indices."""
    weights: str
    """Path of the .npz file of initial weights."""
    validation: str | None = None
    """Path of the .npy file of the training examples that early stopping is decided on."""
    trial: bool = False
    """Only the speed is wanted: the first step and some steady blocks, no training to the end and no evaluation."""
    turns: tuple[int, int] | None = None
    """File descriptors to read words from and to answer to, for a worker that is measured in turns with others."""
    start_only: bool = False
    """Of a trial, no more than its first step is wanted."""
    checkpoint: str | None = None
    """Path of the .npz file from which a long training goes on, if it is there, and into which it saves itself."""
    machines: str | None = None
    """The folder for the copies of a machine that is watched on its way."""
    keep_outcome: bool = False
    """Also write all losses and the trained parameters, to be compared with those of a run with the same seed."""


class TraceJob(_Job, frozen=True, kw_only=True):
    """Compute what parity compares and write it to `trace.npz`."""

    task: Task
    preset: Preset
    device: Literal["cpu", "gpu", "npu"]
    mode: Mode
    inputs: str
    """Path of the .npz file with arrays, order and weights (see `harness/parity/levels.py`)."""
    prefixes: bool = False
    """Compute the outputs of the model cut off after each layer instead, to find the first that differs."""
    nudges: int = 0
    """Compute the losses alone instead, in float32 and so many times with every weight moved by a trifle."""


class CeilingJob(_Job, frozen=True, kw_only=True):
    """Measure what the backend's library reaches on a device, in its own products and copies."""

    library: str
    """The name under which the study knows it."""
    device: DeviceKind


class MistakeJob(_Job, frozen=True, kw_only=True):
    """Make one training step with one student's mistake planted, and observe what is said."""

    step: str
    """Import string of the backend's `Step` (see `harness/mistakes.py`)."""
    name: str
    """Of the mistake."""
    mode: Mode
    device: DeviceKind


class ConformanceJob(_Job, frozen=True, kw_only=True):
    """Make the checks of `harness/worker/conformance.py` in one mode, on the CPU."""

    name: str
    framework: str
    modes: tuple[Mode, ...]
    default_mode: Mode
    """These four as the entry has them."""
    mode: Mode
    timed: bool = False
    """Make those that read a clock, and no others: they need the machine for themselves."""
    only: tuple[str, ...] = ()
    """The beginnings of the names of the checks to make; none: all of them."""


Job = DescribeJob | RunJob | TraceJob | CeilingJob | MistakeJob | ConformanceJob


class Description(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backend as it is on this machine."""

    name: str
    python: str
    versions: dict[str, str]
    settings: dict[str, str]
    devices: tuple[Device, ...]
    modes: tuple[Mode, ...]
    default_mode: Mode
    traps: tuple[Trap, ...]
    matmul_error: float | None
    """Largest absolute error of a 512x512 float32 product, N(0, 1) entries, against float64; about 1e-4."""
    flushes_denormals: bool | None
    import_s: float
    why_not: dict[str, Words]
    """`<task>/<device>/<mode>` to the reason why it cannot run; those that can are left out."""


class Finding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one check of the contract found."""

    check: str
    state: Literal["passed", "refused", "wrong", "unfinished"]
    """`refused`: the backend says of itself that it cannot do this. `unfinished`: being checked, or never ended."""
    words: Words = ""
    """What is wrong, or why it is refused."""


class Result(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worker's answer. Partial while the worker is alive: then `outcome` is null."""

    outcome: Outcome | None = None
    measured: Measured | None = None
    description: Description | None = None
    ceiling: Ceiling | None = None
    mistake: Mistake | None = None
    findings: tuple[Finding, ...] = ()
