"""Backends that misbehave on purpose. They compute with the reference and run in Evenbench's own interpreter."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

from backends.numpy.adapter import NumpyBackend, NumpyProgram
from harness.contract import Backend, Entry
from harness.knobs import Knob

HERE = str(Path(__file__).parent)
NAMES = (
    "well",
    "aborts",
    "hangs",
    "hoards",
    "diverges",
    "raises",
    "exits",
    "killed",
    "struck",
    "starves",
    "refuses",
    "unimportable",
    "slow",
    "queues",
    "lies",
    "scales",
    "random",
    "holds",
    "spikes",
    "imports",
    "tunable",
    "keeps",
    "aborts_late",
    "hangs_late",
    "hangs_there",
    "orphaned",
)
KNOBS = (
    Knob(name="cheating", variable="EVENBENCH_FAKE_CHEAT", values=("1",), meaning="Fastest of all, and wrong."),
    Knob(name="sleep", variable="EVENBENCH_FAKE_SLEEP_MS", values=("4", "0"), meaning="How long a step sleeps."),
    Knob(name="crash", variable="EVENBENCH_FAKE_CRASH", values=("1",), meaning="The first step ends the process."),
)
"""Of the backend `tunable`."""


def entries() -> dict[str, Entry]:
    """Return table entries for all fakes, to be added to `backends.TABLE`."""
    return {
        name: Entry(
            adapter=f"fakes:{name}",
            framework="numpy",
            modes=("eager",),
            default_mode="eager",
            knobs="fakes:KNOBS" if name == "tunable" else None,
            path=HERE,
        )
        for name in NAMES
    }


def fake(**methods: Callable[..., Any]) -> Backend:
    """Return the reference with some of its program's methods replaced."""
    program = type("FakeProgram", (NumpyProgram,), methods)

    class Fake(NumpyBackend):
        name = "fake"

        def build(self, task: Any, optimizer: Any, *, weights: Any, seed: int, **_: Any) -> Any:
            return program(task, optimizer, weights, seed)

    return Fake()


def after(steps: int, act: Callable[[Any], None]) -> Backend:
    """Return a backend that trains `steps` steps well and then does something else."""

    def train(self: Any, order: Any) -> None:
        self.taken = getattr(self, "taken", 0) + len(order)
        NumpyProgram.train(self, order)
        if self.taken > steps:
            act(self)

    return fake(train=train)


def well() -> Backend:
    return fake()


def aborts() -> Backend:
    return after(20, lambda _: os.abort())


def hangs() -> Backend:
    def wait(_: Any) -> None:
        threading.Event().wait(600)

    return after(20, wait)


def hoards() -> Backend:
    hoard: list[bytearray] = []

    def take(_: Any) -> None:
        while True:
            hoard.append(bytearray(16 * 1024 * 1024))

    return after(20, take)


def diverges() -> Backend:
    def spoil(program: Any) -> None:
        program.last_losses[-1] = float("nan")

    return after(20, spoil)


def raises() -> Backend:
    def fail(_: Any) -> None:
        raise ValueError("input of 3 axes expected, got 2")

    return after(20, fail)


def exits() -> Backend:
    def leave(_: Any) -> None:
        sys.stderr.write("the licence server is down\n")
        sys.stderr.flush()
        os._exit(7)

    return after(20, leave)


def killed() -> Backend:
    return after(20, lambda _: os.kill(os.getpid(), signal.SIGKILL))


def struck() -> Backend:
    """A signal without a name ends it."""
    return after(20, lambda _: os.kill(os.getpid(), signal.SIGRTMIN + 2))


def starves() -> Backend:
    """A library of its own finds no memory, says so and gives up."""

    def give_up(_: Any) -> None:
        os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n")
        os.abort()

    return after(20, give_up)


def refuses() -> Backend:
    class Refusing(NumpyBackend):
        def why_not(self, *_: Any) -> str:
            return "the wheel of this framework was built for another machine"

    return Refusing()


def unimportable() -> Backend:
    raise ImportError("libfake.so.1: cannot open shared object file")


def scales() -> Backend:
    """Its outputs are one per cent too large, and nothing else is wrong."""
    return fake(predict=lambda self, split, indices: 1.01 * NumpyProgram.predict(self, split, indices))


def slow() -> Backend:
    return after(0, lambda _: time.sleep(0.005))


def random() -> Backend:
    """Its first bias is moved by a little noise of the system at every step, whatever the seed."""

    def shake(program: Any) -> None:
        program.net.parameters["dense1.bias"] += 1e-4 * (os.urandom(1)[0] + 1) / 256

    return after(0, shake)


MEMORY_BYTES = 500_000_000
"""What the three fakes below take."""


def holds() -> Backend:
    """Takes memory once while it trains, uses all of it and keeps it."""
    kept: list[bytes] = []

    def take(_: Any) -> None:
        if not kept:
            kept.append(b"x" * MEMORY_BYTES)

    return after(20, take)


def spikes() -> Backend:
    """Takes the same memory once and gives it back at once."""
    done: list[bool] = []

    def take(_: Any) -> None:
        if not done:
            done.append(len(b"x" * MEMORY_BYTES) > 0)

    return after(20, take)


HELD_BY_THE_IMPORT: list[bytes] = []


def imports() -> Backend:
    """Takes the same memory while it is imported, and keeps it."""
    HELD_BY_THE_IMPORT.append(b"x" * MEMORY_BYTES)
    return fake()


def tunable() -> Backend:
    """It sleeps 2 ms per step; its variables make it slower, faster, wrong, or crash."""
    cheats = os.environ.get("EVENBENCH_FAKE_CHEAT") == "1"
    sleep_s = 0.0 if cheats else int(os.environ.get("EVENBENCH_FAKE_SLEEP_MS", "2")) / 1000

    def train(self: Any, order: Any) -> None:
        if "EVENBENCH_FAKE_CRASH" in os.environ:
            raise ValueError("this knob does not turn")
        time.sleep(sleep_s * len(order))
        NumpyProgram.train(self, order)

    def predict(self: Any, split: Any, indices: Any) -> Any:
        return (1.01 if cheats else 1.0) * NumpyProgram.predict(self, split, indices)

    return fake(train=train, predict=predict)


def queues() -> Backend:
    """An asynchronous device: `train` queues its work and returns; everything that reads waits for it."""
    return _asynchronous(honest=True)


def lies() -> Backend:
    """The same device with an emptied `synchronize`."""
    return _asynchronous(honest=False)


def _asynchronous(*, honest: bool) -> Backend:
    queue = ThreadPoolExecutor(max_workers=1)
    pending: list[Future[None]] = []

    def work(self: Any, order: Any) -> None:
        time.sleep(0.002 * len(order))
        NumpyProgram.train(self, order)

    def train(self: Any, order: Any) -> None:
        pending.append(queue.submit(work, self, order))

    def wait() -> None:
        while pending:
            pending.pop().result()

    def synchronize(_: Any) -> None:
        if honest:
            wait()

    def waiting(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any) -> Any:
            wait()
            return getattr(NumpyProgram, name)(self, *args)

        return method

    reading = {name: waiting(name) for name in ("losses", "parameters", "predict", "gradients")}
    return fake(train=train, synchronize=synchronize, **reading)


def keeps() -> Backend:
    """Return a backend whose compiler takes a second for the first step, unless it finds what it kept."""
    kept = Path(os.environ.get("EVENBENCH_FAKE_CACHE", "nowhere"), "graph")

    def train(self: Any, order: Any) -> None:
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            time.sleep(1)
            kept.write_text("compiled")
        NumpyProgram.train(self, order)

    return fake(train=train)


def in_its_third_turn(act: Callable[[], object]) -> Backend:
    """Return a backend that does something else in its third turn; its training proper goes well."""
    turns: set[Any] = set()

    def train(self: Any, order: Any) -> None:
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame.f_code.co_name != "turn":
            frame = frame.f_back
        if frame is not None:
            turns.add(frame.f_locals["number"])
        NumpyProgram.train(self, order)
        if len(turns) == 3:
            act()

    return fake(train=train)


def aborts_late() -> Backend:
    return in_its_third_turn(os.abort)


def hangs_late() -> Backend:
    return in_its_third_turn(lambda: threading.Event().wait(600))


def hangs_there() -> Backend:
    """Return a backend that hangs where a variable names a file, which it makes first; elsewhere all is well."""
    marker = os.environ.get("EVENBENCH_FAKE_HANG")
    if marker is None:
        return fake()

    def wait(_: Any) -> None:
        Path(marker).touch()
        threading.Event().wait(600)

    return after(20, wait)


def orphaned() -> Backend:
    """Return a backend that ends the process that started its worker."""
    return after(20, lambda _: os.kill(os.getppid(), signal.SIGKILL))
