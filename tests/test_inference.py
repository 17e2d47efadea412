"""Inference: the calls that are timed are the ones that are counted, and they compute what the evaluation computed."""

import time
from typing import Any

import numpy as np
import pytest

from harness.measure import inference
from harness.measure.inference import Batched, Single, largest_difference
from harness.measure.noise import Guard
from harness.record import Noise

pytestmark = pytest.mark.alone("times calls of a few milliseconds")
N, K = 40, 3
OUTPUTS = np.arange(N * K, dtype=np.float32).reshape(N, K)


class Waiting:
    """A model that takes a given time per call, and notes what it was asked for."""

    def __init__(self, seconds: float = 0.002, factor: float = 1.0) -> None:
        self.seconds = seconds
        self.factor = factor
        self.asked: list[tuple[int, ...]] = []

    def predict(self, split: str, indices: np.ndarray) -> Any:
        time.sleep(self.seconds)
        self.asked.append(tuple(indices))
        return self.factor * OUTPUTS[indices]

    def host(self, outputs: Any) -> np.ndarray:
        return np.asarray(outputs, np.float32)

    def synchronize(self) -> None: ...


class Quiet(Guard):
    """Sees nobody else, or always somebody."""

    foreign = 0.0

    def between(self, before: Any, after: Any) -> Noise:
        return Noise(foreign_cpu_seconds=self.foreign)


class Noisy(Quiet):
    foreign = 10.0


def test_every_latency_belongs_to_a_block() -> None:
    found = Single(Waiting(), OUTPUTS, guard=Quiet((0,))).measure(seconds=0.1, budget_s=0.0)
    assert found.batch_size == 1
    assert len(found.latencies) == sum(block.steps for block in found.blocks) >= inference.FEWEST_CALLS
    assert min(found.latencies) >= 0.002
    assert sum(found.latencies) == pytest.approx(sum(block.seconds for block in found.blocks), rel=0.05)


def test_single_calls_go_round_all_examples() -> None:
    model = Waiting(0.0005)
    Single(model, OUTPUTS, guard=Quiet((0,))).measure(seconds=0.1, budget_s=0.0)
    assert {example for asked in model.asked for example in asked} == set(range(N))
    assert all(len(asked) == 1 for asked in model.asked)


def test_batches_are_of_the_tasks_size_and_calibrated() -> None:
    model = Waiting()
    found = Batched(model, OUTPUTS, 16, guard=Quiet((0,))).measure(seconds=0.2, budget_s=0.0)
    assert found.batch_size == 16
    assert {len(asked) for asked in model.asked} == {16}
    steady = [block for block in found.blocks if block.kind == "steady"]
    assert sum(block.seconds for block in steady) >= 0.2
    rate = sum(block.steps for block in steady) / sum(block.seconds for block in steady)
    assert rate == pytest.approx(1 / 0.002, rel=0.2)


def test_a_batch_is_no_larger_than_the_test_split() -> None:
    assert Batched(Waiting(), OUTPUTS, 1000, guard=Quiet((0,))).measure(seconds=0.05, budget_s=0.0).batch_size == N


def test_disturbed_calls_are_repeated_within_the_budget() -> None:
    quiet = Single(Waiting(), OUTPUTS, guard=Quiet((0,))).measure(seconds=0.1, budget_s=0.2)
    noisy = Single(Waiting(), OUTPUTS, guard=Noisy((0,))).measure(seconds=0.1, budget_s=0.2)
    assert sum(b.seconds for b in quiet.blocks) < 0.2
    assert 0.3 <= sum(b.seconds for b in noisy.blocks) < 0.6


def test_outputs_that_differ_from_the_evaluation_are_told() -> None:
    for found in (
        Single(Waiting(factor=1.01), OUTPUTS, guard=Quiet((0,))).measure(seconds=0.01, budget_s=0.0),
        Batched(Waiting(factor=1.01), OUTPUTS, 16, guard=Quiet((0,))).measure(seconds=0.01, budget_s=0.0),
    ):
        assert found.largest_difference == pytest.approx(0.01, rel=1e-3)
    assert largest_difference(np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)) == 0.0
