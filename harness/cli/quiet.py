"""Before anything is timed: what do other programs take of the processors, and is it worth waiting for them?"""

from collections.abc import Callable, Sequence

from harness.language import _
from harness.measure.clock import Stopwatch, watched

QUIET = 0.05
"""Share of the processors that others may take before a machine is called busy: what disturbs a block."""
BUSY = 0.5
"""From such a share on it is said."""
LOOK_S = 1.0


def others(cores: Sequence[int], look_s: float = LOOK_S) -> float:
    """Return the share of the processors' time that others take, over a moment in which nothing of ours runs."""
    noise = watched(lambda: Stopwatch().wait_until(look_s), cores).noise
    taken = (noise.foreign_cpu_seconds or 0.0) + (noise.steal_seconds or 0.0) if noise else 0.0
    return taken / (look_s * len(cores))


def wait_for_quiet(
    cores: Sequence[int],
    most_s: float,
    say: Callable[[str], None],
    *,
    look: Callable[[Sequence[int]], float] = others,
    pause: Callable[[float], None] = lambda seconds: Stopwatch().wait_until(seconds),
) -> None:
    """Return when others take hardly anything of the processors, or after so many seconds; say at once if not so."""
    watch, asked = Stopwatch(), False
    while (share := look(cores)) > QUIET:
        if not asked:
            sentence = _("other programs take {share:.0%} of the processors: waiting up to {minutes:g} min for quiet")
            say(sentence.format(share=share, minutes=most_s / 60))
            asked = True
        if watch.seconds() >= most_s:
            say(_("they still take {share:.0%}: it is measured beside them").format(share=share))
            return
        pause(1.0)


def warn_of_others(
    cores: Sequence[int], say: Callable[[str], None], *, look: Callable[[Sequence[int]], float] = others
) -> None:
    """Say if others take much of the processors: rows in turns can still be told apart, but after more rounds."""
    if (share := look(cores)) > BUSY:
        sentence = _(
            "other programs take {share:.0%} of the processors: it will take more rounds to decide; stop them, or let "
            "--wait-for-quiet 10min wait for them"
        )
        say(sentence.format(share=share))
