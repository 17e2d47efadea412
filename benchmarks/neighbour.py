"""A busy neighbour: keeps one processor busy, on and off for 0.2 s, 3 s and 30 s by turns, until it is ended.

    .venv/bin/python benchmarks/neighbour.py & evenbench run lenet torch tensorflow --controls; kill %1

What a study shows beside it is a figure of docs/results/turns.md.
"""

import itertools
import time

PERIODS_S = (0.2, 3.0, 30.0)
SHARE_S = 60.0
"""Seconds for which each period goes on before the next one's turn."""


def main() -> None:
    for period in itertools.cycle(PERIODS_S):
        end = time.monotonic() + SHARE_S
        while (now := time.monotonic()) < end:
            while time.monotonic() < now + period:
                pass
            time.sleep(period)


if __name__ == "__main__":
    main()
