"""Does a program do its work while the clock runs? Four questions, asked of every run after all that counts.

Did the framework compile it, or not, as its mode says? Is there work left when `synchronize` comes back? Are
mini-batches that it has trained on before faster than ones that it never saw? And outputs that it has given before? An
answer by the clock is taken again before it is held against a run, for the machine may have been busy elsewhere.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from harness.contract import Program
from harness.language import Sentence
from harness.measure.clock import Stopwatch, Trainer, unfinished_share
from harness.measure.quality import CHUNK
from harness.record import Honesty
from harness.spec import Mode

MOST_UNFINISHED = 0.1
"""Share of a block's work that may be left when `synchronize` comes back."""
MOST_FRESH_OVER_SEEN = 1.5
"""How many times as long what was never seen may take as what was."""
ATTEMPTS = 10  # an honest run needs one: the first answer that is allowed ends it
PAIRS = 10
GROUP_S = 0.01
MOST_CALLS = 50
"""Calls that are too short for the clock are timed in groups of at most so many."""
SEED = 20_261_121

Examples = NDArray[np.int32]


def waits(program: Program, trainer: Trainer, *, test_examples: int) -> Honesty:
    """Ask the first question of a trained program, before its speed is read: one that lies there may never end."""
    examples = np.arange(min(CHUNK, test_examples), dtype=np.int32)

    def look() -> None:  # at what depends on every step, in a shape that was evaluated: nothing is compiled for it
        program.losses()
        program.host(program.predict("test", examples))

    order = trainer.order[: longest(trainer)]
    return Honesty(unfinished_share=least(lambda: unfinished_share(program, order, look), MOST_UNFINISHED))


def remembers(program: Program, trainer: Trainer, known: Honesty, *, test_examples: int, batch_size: int) -> Honesty:
    """Ask the other two questions, after all else; the program is trained some steps further, in shapes that it knows.

    Args:
        program: idle.
        trainer: has trained it.
        known: the answer to the first question.
        test_examples: how many the test split holds.
        batch_size: of the forward passes, as their speed was measured.
    """
    seen = trainer.order[: longest(trainer)]
    train_examples = int(trainer.order.max()) + 1
    size = min(batch_size, test_examples)
    shown = np.arange(size, dtype=np.int32)
    random = np.random.default_rng(SEED)

    def train(order: Examples) -> None:
        program.train(order)
        program.losses()

    def predict(examples: Examples) -> None:
        program.host(program.predict("test", examples))

    def fresh_batches() -> Examples:
        return random.integers(0, train_examples, seen.shape, dtype=np.int32)

    def fresh_examples() -> Examples:
        return random.integers(0, test_examples, size, dtype=np.int32)

    return replace(
        known,
        train_fresh_over_seen=ratio(train, fresh_batches, seen),
        predict_fresh_over_seen=ratio(predict, fresh_examples, shown),
    )


def longest(trainer: Trainer) -> int:
    """Return how many steps the longest block had."""
    return max(block.steps for block in trainer.blocks)


def other_mode(compiled: Mapping[Mode, int] | None, mode: Mode) -> Sentence | None:
    """Return the sentence that says that a program did not run in its mode, by the framework's own count of graphs."""
    if compiled is None:
        return None
    if mode != "eager" and not compiled.get(mode):
        return Sentence(
            "the framework compiled nothing, so that this was not its {mode} mode: see what `evenbench doctor` says "
            "of this shell's variables",
            mode=mode,
        )
    if mode == "eager" and (count := sum(compiled.values())):
        return Sentence("the framework compiled {count} graphs, so that this was not eager mode", count=count)
    return None


def doubts(honesty: Honesty, mode: Mode) -> tuple[Sentence, ...]:
    """Return the sentences that say why the times of a run in a mode are not to be believed, none if they are."""
    found = list(filter(None, (other_mode(honesty.compiled, mode),)))
    if (share := honesty.unfinished_share or 0.0) > MOST_UNFINISHED:
        found.append(Sentence("`synchronize` came back with {share:.0%} of the work still to do", share=share))
    if (times := honesty.train_fresh_over_seen or 0.0) > MOST_FRESH_OVER_SEEN:
        found.append(
            Sentence(
                "mini-batches that it had not trained on before took {times:.1f} times as long: it remembers them",
                times=times,
            )
        )
    if (times := honesty.predict_fresh_over_seen or 0.0) > MOST_FRESH_OVER_SEEN:
        found.append(
            Sentence(
                "outputs that it had not given before took {times:.1f} times as long: it remembers them", times=times
            )
        )
    return tuple(found)


def least(ask: Callable[[], float], most: float) -> float:
    """Return the first answer that is allowed, or after `ATTEMPTS` of them the least."""
    found = math.inf
    for _ in range(ATTEMPTS):  # other processes can only lengthen what is left to do: one good answer is proof enough
        found = min(found, ask())
        if found <= most:
            break
    return found


def ratio(call: Callable[[Examples], None], fresh: Callable[[], Examples], seen: Examples) -> float:
    """Return how many times as long calls with fresh examples take as calls with ones that were seen.

    `call` ends when its results are on the host. Every call with fresh examples has other ones. The shortest times of
    both are compared, of at least two and at most `PAIRS` pairs, for nothing but work makes the shortest time long.
    """
    call(seen)
    first = seconds_of(call, [fresh()])
    calls = min(MOST_CALLS, math.ceil(GROUP_S / max(first, 1e-6)))
    best_fresh = best_seen = math.inf
    for pair in range(PAIRS):
        best_fresh = min(best_fresh, seconds_of(call, [fresh() for _ in range(calls)]))
        best_seen = min(best_seen, seconds_of(call, [seen] * calls))
        if pair > 0 and best_fresh <= MOST_FRESH_OVER_SEEN * best_seen:
            break
    return best_fresh / max(best_seen, 1e-9)  # a coarse clock may show zero


def seconds_of(call: Callable[[Examples], None], inputs: list[Examples]) -> float:
    """Return the seconds that calls with these inputs take, one after the other."""
    watch = Stopwatch()
    for examples in inputs:
        call(examples)
    return watch.seconds()
