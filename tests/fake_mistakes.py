"""Training steps that say things, or nothing, or die; they run in Evenbench's own interpreter."""

import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.contract import Entry
from harness.mistakes import Array, Step
from harness.spec import DeviceKind

HERE = str(Path(__file__).parent)
NAMES = ("SPEAKS", "MUMBLES", "SILENT", "FORGIVES", "WARNS", "ABORTS", "HANGS", "NEVER_WORKS")


def entry(name: str) -> Entry:
    """Return the table's entry of a backend with that step."""
    return Entry(
        adapter="fakes:well",
        framework="numpy",
        modes=("eager",),
        default_mode="eager",
        mistakes=f"fake_mistakes:{name}",
        path=HERE,
    )


def _is_right(x: Array, y: Array) -> bool:
    return x.shape == (11, 1, 32, 32) and x.dtype == np.float32 and y.dtype == np.int64


def _step(wrong: Callable[[Array, Array], float]) -> Step:
    def train(x: Array, y: Array, device: DeviceKind) -> float:
        if _is_right(x, y) and y.max() < 10 and np.isfinite(x).all():
            return 2.5
        return wrong(x, y)

    return Step(train=train, channel_axis=1, labels="int64")


def _speak(x: Array, y: Array) -> float:
    raise ValueError(
        f"expected 4 axes of float32, here (11, 1, 32, 32), and int64 labels below 10, but got {x.ndim} axes {x.shape} "
        f"of {x.dtype} with nan {np.isnan(x).any()}, and {y.dtype} labels up to {y.max()}" + " and so on" * 300
    )


def _mumble(x: Array, y: Array) -> float:
    raise RuntimeError("something is wrong, see case.py:17")


def _forgive(x: Array, y: Array) -> float:
    return 2.5 if np.isfinite(x).all() else float("nan")


def _warn(x: Array, y: Array) -> float:
    warnings.warn("the input holds NaN", stacklevel=1)
    os.write(2, b"from below: 17 is no label\n")
    sys.stdout.write("on stdout\n")
    return 1.5


def _abort(x: Array, y: Array) -> float:
    os.abort()


def _hang(x: Array, y: Array) -> float:
    time.sleep(60)
    return 0.0


def _fail(x: Array, y: Array, device: DeviceKind) -> float:
    raise OSError("no device here")


SPEAKS = _step(_speak)
MUMBLES = _step(_mumble)
SILENT = _step(lambda x, y: 2.6)
FORGIVES = _step(_forgive)
WARNS = _step(_warn)
ABORTS = _step(_abort)
HANGS = _step(_hang)
NEVER_WORKS = Step(train=_fail, channel_axis=1, labels="int64")
