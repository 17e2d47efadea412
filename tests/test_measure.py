"""The timed loop: what is counted, what is not, and whether a device that queues its work is waited for."""

from time import sleep

import numpy as np
import pytest
from fakes import lies, queues

from harness.measure import clock
from harness.measure.clock import (
    MOST_OVERHEAD,
    SHORTEST_BLOCK_S,
    TARGET_BLOCK_S,
    Diverged,
    Trainer,
    clean_s,
    loss_curve,
    unfinished_share,
)
from harness.measure.noise import Guard, Look
from harness.measure.quality import outputs, quality
from harness.record import Block, BlockKind, Noise
from harness.registry import task
from harness.worker.run import evaluation_steps

ORDER = np.tile(np.arange(4, dtype=np.int32), (25, 1))


class Clockwork:
    """A program whose steps take a given time, by waiting; it knows what was asked of it."""

    def __init__(self, step_s: float = 0.002, bad_step: int | None = None) -> None:
        self.step_s = step_s
        self.bad_step = bad_step
        self.steps = 0
        self.last = 0

    def train(self, order: np.ndarray) -> None:
        sleep(self.step_s * len(order))
        self.last = len(order)
        self.steps += len(order)

    def synchronize(self) -> None: ...

    def losses(self) -> np.ndarray:
        steps = np.arange(self.steps - self.last, self.steps)
        return np.where(steps == self.bad_step, np.nan, steps).astype(np.float32)


def trainer(program: Clockwork, steps: int) -> Trainer:
    return Trainer(program, np.zeros((steps, 4), np.int32))


def test_every_step_is_made_once_and_counted_once() -> None:
    program = Clockwork()
    timed = trainer(program, 200)
    timed.first_step()
    timed.train_until(200, lambda: None)
    assert program.steps == 200 == sum(block.steps for block in timed.blocks)
    assert timed.losses == list(range(200))
    assert timed.blocks[0].kind == "first"


@pytest.mark.alone("times blocks")
def test_steady_blocks_are_long_enough_to_be_read() -> None:
    timed = trainer(Clockwork(), 300)
    timed.first_step()
    timed.train_until(300, lambda: None)
    steady = [block for block in timed.blocks if block.kind == "steady"]
    assert len(steady) >= 5
    assert all(block.seconds >= SHORTEST_BLOCK_S for block in steady)
    assert np.median([block.seconds for block in steady]) >= 0.9 * TARGET_BLOCK_S


def test_the_blocks_of_a_long_training_get_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "BLOCKS_OF_ONE_LENGTH", 3)
    monkeypatch.setattr(clock, "MUCH_FOR_A_CALL", np.inf)  # whatever else the machine does
    timed = trainer(Clockwork(step_s=1.1 * TARGET_BLOCK_S), 28)
    timed.first_step()
    timed.train_until(28, lambda: None)
    steady = [block.steps for block in timed.blocks if block.kind == "steady"]
    assert steady == [1, 1, 1, 2, 2, 2, 4, 4, 4]


@pytest.mark.parametrize(
    ("call_s", "step_s", "late", "expected"),
    [
        (0.0, 0.08, {}, 1),  # one step is long enough, and two take twice as long
        (0.01, 0.05, {}, 1),  # a sixth is the call's, which may as well be noise
        (0.0, 0.08, {1: 0.2}, 1),  # what the first block waited for is not its call's
        (0.001, 0.001, {}, 49),
        (0.12, 0.005, {}, 256),  # 9 % are the call's, and in half of it 16 %
        (0.05, 0.002, {3: 0.03}, 256),  # the block of two steps waited, which hides what its call costs
        (0.05, 0.002, {17: 0.3}, 256),  # and so one of eight
        (5.0, 0.005, {}, 1),  # no block gets longer than a call that is too long by itself
        (0.9, 0.001, {}, 128),
    ],
)
def test_a_call_that_costs_beside_its_steps_gets_many_of_them(
    monkeypatch: pytest.MonkeyPatch, call_s: float, step_s: float, late: dict[int, float], expected: int
) -> None:
    def timed_block(program: Clockwork, order: np.ndarray, kind: BlockKind, guard: Guard | None = None) -> Block:
        waited = late.get(program.steps, 0.0)  # by the steps that were made before the block
        program.train(order)
        return Block(kind=kind, steps=len(order), seconds=call_s + len(order) * step_s + waited, cpu_seconds=0.0)

    monkeypatch.setattr(clock, "time_block", timed_block)
    timed = trainer(Clockwork(step_s=0.0), 1000)
    timed.first_step()
    timed.calibrate()
    assert timed._steps_per_block == expected


@pytest.mark.alone("times blocks")
def test_measuring_goes_on_after_training_without_counting_as_training() -> None:
    program = Clockwork()
    timed = trainer(program, 10)
    timed.first_step()
    timed.train_until(10, lambda: None)
    trained = timed.train_seconds
    timed.keep_measuring(0.1, lambda: None)
    assert len(timed.losses) == 10
    assert timed.train_seconds == trained
    assert sum(block.seconds for block in timed.blocks if block.kind == "steady") >= 0.1
    assert program.steps > 10


class Seen(Guard):
    """Sees others take a given share of one processor, from a given block on."""

    def __init__(self, *shares: float) -> None:
        super().__init__((0,))
        self.shares = list(shares)

    def between(self, before: Look, after: Look) -> Noise:
        share = self.shares.pop(0) if len(self.shares) > 1 else self.shares[0]
        return Noise(foreign_cpu_seconds=share * TARGET_BLOCK_S)


@pytest.mark.alone("times blocks")
def test_blocks_that_others_disturbed_are_measured_again_within_the_budget() -> None:
    quiet, passing, for_ever = (Trainer(Clockwork(), np.zeros((50, 4), np.int32), Seen(*s)) for s in SHARES)
    for timed in (quiet, passing, for_ever):
        timed.first_step()
        timed.keep_measuring(0.3, lambda: None, noise_budget_s=0.4)
    assert steady_s(quiet) == pytest.approx(0.3, abs=0.12)
    assert steady_s(passing) == pytest.approx(0.3 + 3 * TARGET_BLOCK_S, abs=0.12)
    assert clean_s(passing.blocks, 1) >= 0.3
    assert steady_s(for_ever) == pytest.approx(0.7, abs=0.12)
    assert clean_s(for_ever.blocks, 1) == 0.0


SHARES = ((0.0,), (1.0, 1.0, 1.0, 0.0), (1.0,))


def steady_s(timed: Trainer) -> float:
    return sum(block.seconds for block in timed.blocks if block.kind == "steady")


@pytest.mark.alone("times blocks")
def test_a_slow_synchronize_makes_longer_blocks() -> None:
    class SlowToWait(Clockwork):
        def synchronize(self) -> None:
            sleep(0.001)

    timed = Trainer(SlowToWait(), np.zeros((400, 4), np.int32))
    timed.first_step()
    assert timed.synchronize_s == pytest.approx(0.001, rel=0.5)
    assert timed.target_s >= 0.001 / MOST_OVERHEAD
    assert trainer(Clockwork(), 5).target_s == TARGET_BLOCK_S
    assert 0 < timed.clock_resolution_s < 1e-4


def test_a_loss_that_is_not_finite_ends_the_run_at_its_step() -> None:
    timed = trainer(Clockwork(bad_step=7), 50)
    with pytest.raises(Diverged, match="nan at step 8"):
        timed.train_until(50, lambda: None)


@pytest.mark.alone("times what is left to do after a wait")
def test_a_device_that_queues_its_work_is_waited_for() -> None:
    assert _unfinished(queues()) < 0.1


@pytest.mark.alone("times what is left to do after a wait")
def test_an_emptied_synchronize_is_seen() -> None:
    assert _unfinished(lies()) > 0.5


def _unfinished(backend: object) -> float:
    from harness.model import initial_weights

    xor = task("xor")
    program = backend.build(  # type: ignore[attr-defined]
        xor, xor.preset("quick").optimizer, device="cpu", mode="eager", weights=initial_weights(xor, 0), seed=0
    )
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    program.load({"train_x": x, "train_y": np.array([[0], [1], [1], [0]], np.float32)})
    return min(unfinished_share(program, ORDER) for _ in range(3))


@pytest.mark.parametrize(("steps", "points"), [(0, 10), (7, 10), (10, 10), (11, 10), (12345, 1000)])
def test_a_thinned_loss_curve_keeps_the_end_and_the_mean(steps: int, points: int) -> None:
    losses = [float(i) for i in range(steps)]
    at, means = loss_curve(losses, points)
    assert len(at) == len(means) <= points
    assert (at[-1] if steps else 0) == steps
    widths = np.diff([0, *at])
    assert np.dot(widths, means) == pytest.approx(sum(losses))


def test_evaluations_are_spread_evenly_and_end_at_the_end() -> None:
    assert evaluation_steps(100, 4) == (25, 50, 75, 100)
    assert evaluation_steps(3, 12) == (1, 2, 3)


class Echo:
    """A model whose output for example i is i."""

    def predict(self, split: str, indices: np.ndarray) -> np.ndarray:
        self.shapes = {*getattr(self, "shapes", set()), indices.shape}
        return indices[:, None].astype(np.float32)

    def host(self, values: np.ndarray) -> np.ndarray:
        return values


@pytest.mark.parametrize("examples", [1, 499, 500, 501, 1234])
def test_every_example_is_evaluated_once_in_batches_of_one_shape(examples: int) -> None:
    echo = Echo()
    found = outputs(echo, "test", np.arange(examples, dtype=np.int32))  # type: ignore[arg-type]
    assert found.ravel().tolist() == list(range(examples))
    assert len(echo.shapes) == 1


def test_accuracy_counts_right_answers_and_calls_nan_wrong() -> None:
    logits = np.array([[2, 1], [1, 2], [np.nan, 0]], np.float32)
    assert quality("softmax_cross_entropy", logits, np.array([0, 0, 0])) == {"accuracy": pytest.approx(1 / 3)}
    signs = np.array([[1.0], [-1.0], [np.nan]], np.float32)
    assert quality("sigmoid_cross_entropy", signs, np.array([[1], [0], [0]], np.float32)) == {
        "accuracy": pytest.approx(2 / 3)
    }
    assert quality("mean_squared_error", np.array([[1.0]]), np.array([[3.0]])) == {"mean_squared_error": 4}
