"""After how many steps a compiled mode has won back what it costs to build."""

import math
from collections.abc import Sequence

import numpy as np

from harness.language import _
from reports.statistics.row_runs import RowRuns
from reports.words import text


def break_even(found: Sequence[RowRuns]) -> tuple[str, ...]:
    """Return after how many steps each compiled mode has won back what it costs to build, against eager mode.

    The costs are build and first step, the gain is the difference of the steps; medians of comparable rows. Where the
    runs' steps overlap there is no gain to speak of. The first step is a cold one, with nothing kept by the compiler;
    where it keeps something, what a later process pays is said too.
    """
    eager = {(s.row.backend, s.row.profile, s.row.device_name): s for s in found if s.row.mode == "eager"}
    lines = []
    for side in found:
        plain = eager.get((side.row.backend, side.row.profile, side.row.device_name))
        if side.row.mode == "eager" or plain is None or not (side.row.comparable and plain.row.comparable):
            continue
        costs, plain_costs = _costs(side), _costs(plain)
        if costs is None or plain_costs is None:
            continue
        (extra, step), (plain_extra, plain_step) = costs, plain_costs
        extra -= plain_extra
        steps = pays_after(extra, plain_step - step)
        if overlap(side, plain):
            sentence = _("{row} against {eager}: the ranges of their steps overlap, no gain is shown.")
        elif steps is None:
            sentence = _("{row} never pays against {eager}: a step takes {step} ms instead of {eager_step} ms.")
        elif steps == 0:
            sentence = _(
                "{row} pays from the first step against {eager}: a step takes {step} ms instead of {eager_step} ms."
            )
        else:
            sentence = _(
                "{row} pays after {steps:,} steps against {eager}: build and first step take {extra} s longer, "
                "a step takes {step} ms instead of {eager_step} ms."
            )
        lines.append(
            sentence.format(
                row=side.label,
                eager=plain.label,
                steps=steps,
                extra=text.seconds(extra),
                step=text.milliseconds(step),
                eager_step=text.milliseconds(plain_step),
            )
        )
        if (warm := side.median("warm_first_step_s")) is not None:
            sentence = _(
                "{row}: its compiler keeps what it made; a later process makes its first step in {warm} s, "
                "the first one in {cold} s."
            )
            cold = text.seconds(side.median("first_step_s") or 0.0)
            lines.append(sentence.format(row=side.label, warm=text.seconds(warm), cold=cold))
    return tuple(lines)


def _costs(side: RowRuns) -> tuple[float, float] | None:
    """Return the seconds of build and first step together, and those of a warm step."""
    build, first, step = (side.median(name) for name in ("build_s", "first_step_s", "step_s"))
    return None if build is None or first is None or step is None else (build + first, step)


def overlap(one: RowRuns, other: RowRuns) -> bool:
    """Return whether the ranges of the seconds per step over the completed runs of two rows have a part in common."""
    (low, high), (other_low, other_high) = _range(one), _range(other)
    return max(low, other_low) <= min(high, other_high)


def _range(side: RowRuns) -> tuple[float, float]:
    steps = side.numbers("step_s")
    return float(np.nanmin(steps)), float(np.nanmax(steps))


def pays_after(extra_s: float, gain_s: float) -> int | None:
    """Return the fewest steps whose gain makes up for what came before; None where there is no gain."""
    if gain_s <= 0:
        return None
    return max(0, math.ceil(extra_s / gain_s))
