"""What a verdict of one hour leaves out: how far the ratio of two rows moves from one study to another."""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from reports.statistics.rows import Group

FEWEST_STUDIES = 2


class Session(Struct, frozen=True, kw_only=True):
    """A pair of rows that took turns in several studies."""

    table: str
    """Task, preset, data set and device."""
    a: str
    b: str
    ratios: tuple[float, ...]
    """Seconds of a over those of b, study by study."""
    sd_log: float
    """Standard deviation of their logarithms beyond what the studies' own rounds explain; rough where they are few."""


def sessions(studies: Sequence[Sequence[Group]]) -> tuple[Session, ...]:
    """Return the pairs that at least two of these studies compared round by round.

    The variance over the studies holds that of each study's own mean, which is taken off: s^2 / n of its n rounds.
    """
    seen: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for groups in studies:
        for group in groups:
            for item in group.comparisons:
                if item.ratio is None or item.rounds is None or item.round_spread is None:
                    continue
                a, b, log_ratio = group.rows[item.a].label, group.rows[item.b].label, math.log(item.ratio)
                if a > b:  # which of the two stands first differs from study to study
                    a, b, log_ratio = b, a, -log_ratio
                explained = item.round_spread**2 / item.rounds
                seen.setdefault((group.heading, a, b), []).append((log_ratio, explained))
    return tuple(
        Session(
            table=table,
            a=a,
            b=b,
            ratios=tuple(math.exp(log_ratio) for log_ratio, _explained in found),
            sd_log=_beyond(found),
        )
        for (table, a, b), found in seen.items()
        if len(found) >= FEWEST_STUDIES
    )


def _beyond(found: Sequence[tuple[float, float]]) -> float:
    logs, explained = np.array(found).T
    return math.sqrt(max(0.0, float(logs.var(ddof=1) - explained.mean())))
