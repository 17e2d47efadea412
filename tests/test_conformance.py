"""What every backend must keep of the contract, in every mode, each in its own interpreter."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from golden import golden_cases
from zoo import stage_zoo, zoo

from harness import registry
from harness.environments.machine import available_cores
from harness.runs.launch import worker_environment, workplace

CELLS = [(name, mode) for name in registry.backend_names() for mode in registry.entry(name).modes]
AT_ONCE = {("mindspore", "eager"): {"MS_DEV_LAUNCH_BLOCKING": "1"}}
"""Settings with which a cell computes the same, sooner: MindSpore's threads wait by spinning (seen with 2.10.0), and on
the one processor that a test may use here they take nine tenths of the time. Parity in every other test is without."""
pytestmark = pytest.mark.parametrize(("backend", "mode"), CELLS, ids=[f"{b}-{m}" for b, m in CELLS], scope="module")


def conformance(python: str, backend: str, mode: str, kind: str) -> dict[str, Any]:
    """Run all checks of one kind of one backend and mode in one process and return what it printed."""
    tests = Path(__file__).parent
    with workplace() as place:
        done = subprocess.run(
            [python, str(tests / "conformance_worker.py"), registry.entry(backend).adapter, mode, kind],
            cwd=place / "empty",
            env=worker_environment(
                place, available_cores(), str(tests), AT_ONCE.get((backend, mode), {}) if kind == "computed" else {}
            ),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(msgspec.json.decode(done.stdout.strip().splitlines()[-1]))


@pytest.fixture(scope="module")  # a process that failed is not started again for the next test
def found(backend: str, mode: str, python_of: Callable[[str], str]) -> dict[str, Any]:
    return conformance(python_of(backend), backend, mode, "computed")


def test_the_adapter_is_what_the_table_says(found: dict[str, Any], backend: str, mode: str) -> None:
    entry = registry.entry(backend)
    assert (found["name"], found["default_mode"]) == (backend, entry.default_mode)
    assert tuple(found["modes"]) == entry.modes
    assert backend in found["versions"]


@pytest.mark.parametrize("case", [task.name for task in zoo()])
def test_a_small_task_agrees_with_the_reference(found: dict[str, Any], backend: str, mode: str, case: str) -> None:
    failed = {name: level for name, level in found["cases"][case].items() if not level["passed"]}
    assert failed == {}


@pytest.mark.parametrize("name", golden_cases())
def test_what_was_worked_out_by_hand_comes_out(found: dict[str, Any], backend: str, mode: str, name: str) -> None:
    assert found["golden"][name] <= golden_cases()[name].tolerance


@pytest.mark.parametrize("stage", [stage.name for stage in stage_zoo()])
def test_a_stage_agrees_with_the_reference(found: dict[str, Any], backend: str, mode: str, stage: str) -> None:
    came = found["stages"][stage]
    assert came["error"] is not None, came
    assert came["error"] < 1e-5, came


def test_a_stage_draws_new_noise_for_every_update(found: dict[str, Any], backend: str, mode: str) -> None:
    noise = found["noise"]
    assert noise["distinct"] > 20
    assert noise["distinct_in_second_call"] > 15
    assert noise["same_in_both_calls"] < 0.5
    assert noise["same_with_other_seed"] < 0.5
    assert noise["mean"] == pytest.approx(15, abs=1), "with weights of zero, 30 pixels are coin tosses"


def test_dropout_drops_its_share_and_scales_the_rest(found: dict[str, Any], backend: str, mode: str) -> None:
    assert found["dropout"]["dropped"] == pytest.approx(0.4, abs=0.05)
    assert found["dropout"]["kept_value"] == pytest.approx(1 / 0.6, rel=1e-3)
    assert found["dropout"]["same_twice"] < 0.7, "the same values are dropped every time"


def test_calls_keep_their_shapes_and_leave_the_weights_alone(found: dict[str, Any], backend: str, mode: str) -> None:
    calls = found["calls"]
    assert calls["losses_shapes"] == [[1], [5], [2]]
    assert calls["output_shapes"] == [[8, 3], [3, 3]]
    assert calls["moved_by_gradients"] == 0
    assert calls["same_rows"]
    assert calls["owns_its_arrays"]
    assert calls["dtypes"] == (["float64"] if backend == "numpy" else ["float32"])


@pytest.mark.alone("times what is left to do after a wait")
def test_synchronize_really_waits(python_of: Callable[[str], str], backend: str, mode: str) -> None:
    assert conformance(python_of(backend), backend, mode, "timed")["unfinished_share"] < 0.1


def test_an_absent_device_is_refused_with_a_sentence(found: dict[str, Any], backend: str, mode: str) -> None:
    present = {device["kind"] for device in found["devices"]}
    assert "cpu" in present
    assert found["why_not"]["cpu"] is None
    for device in {"gpu", "npu"} - present:
        assert len(found["why_not"][device].split()) > 5


def test_products_are_true_float32(found: dict[str, Any], backend: str, mode: str) -> None:
    assert found["matmul_error"] < 1e-3


def test_device_memory_is_a_number_or_a_reason(found: dict[str, Any], backend: str, mode: str) -> None:
    memory = found["device_memory"]
    assert (memory["peak_bytes"] is None) != (memory["reason"] is None)


def test_the_backend_has_pins_unless_it_is_the_reference(backend: str, mode: str) -> None:
    pins = Path(registry.__file__).parent.parent / "backends" / backend / "requirements.txt"
    assert pins.exists() or backend == registry.reference_name()
