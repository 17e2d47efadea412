"""Every backend against operator test vectors that come with ONNX's wheel; see `vectors.py`."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from vectors import Vector, vectors

from backends.numpy.nets import Net
from harness import registry
from harness.runs.launch import worker_environment

VECTORS = vectors()
ROOT = Path(__file__).parents[1]
TOLERANCE = 1e-5


def assert_same(vector: Vector, came: np.ndarray) -> None:
    assert came.shape == vector.y.shape
    error = np.abs(came - vector.y).max() / max(float(np.abs(vector.y).max()), 1e-30)
    assert error <= TOLERANCE, vector.name


def test_there_are_as_many_as_there_were() -> None:
    assert len(VECTORS) >= FEWEST, sorted(VECTORS)


FEWEST = 45


@pytest.mark.parametrize("name", VECTORS)
def test_the_reference_gives_what_others_wrote_down(name: str) -> None:
    vector = VECTORS[name]
    weights = {key: value.astype(np.float64) for key, value in vector.weights.items()}
    assert_same(vector, Net(vector.task, weights, 0).forward(vector.x.astype(np.float64), training=False)[0])


@pytest.mark.parametrize("backend", registry.backend_names())
def test_every_framework_gives_what_others_wrote_down(
    backend: str, python_of: Callable[[str], str], tmp_path: Path
) -> None:
    for name, vector in VECTORS.items():
        task = np.frombuffer(msgspec.json.encode(vector.task), np.uint8)
        np.savez(tmp_path / f"{name}.npz", task=task, x=vector.x, **vector.weights)  # type: ignore[arg-type, unused-ignore]
    entry = registry.entry(backend)
    variables = worker_environment(tmp_path, (0,), None) | {"PYTHONPATH": str(ROOT)}
    words = [python_of(backend), str(ROOT / "tests" / "vector_worker.py"), entry.adapter, entry.default_mode]
    done = subprocess.run([*words, str(tmp_path)], env=variables, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    for name, vector in VECTORS.items():
        assert_same(vector, np.load(tmp_path / f"{name}.npy"))
