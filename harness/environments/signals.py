"""What signals are called, and what they do to a command: it is asked to end once, and is left to clean up.

SIGHUP (the terminal was closed), SIGQUIT, SIGUSR1 (a batch system's warning), the real-time signals and the rest of
`ENDING` end a command as Ctrl-C does: its worker is ended, an interrupted record is written, no folder is left. SIGPIPE
stays as Python has it, an error where something is written. SIGKILL cannot be handled: `environments/places.py` sweeps.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

ENDING = tuple(
    sorted(
        getattr(signal, name)
        for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGALRM", "SIGPWR")
        if hasattr(signal, name)
    )
) + tuple(range(getattr(signal, "SIGRTMIN", 1), getattr(signal, "SIGRTMAX", 0) + 1))
"""The signals that ask a command to end, by number."""
ALWAYS = (signal.SIGINT, signal.SIGTERM)
"""Those that are heeded though the command was started with them ignored, as a shell's background job is, and a second
time while it cleans up: whoever sends them twice means it."""


def name(number: int) -> str:
    """Return what a signal is called; Python has no names for the real-time ones but the first and the last."""
    with suppress(ValueError):
        return signal.Signals(number).name
    first = getattr(signal, "SIGRTMIN", None)
    if first is not None and first < number < signal.SIGRTMAX:
        return f"SIGRTMIN+{number - first}"
    return str(number)


class Ending:
    """The handler of all signals in `ENDING`: the first raises KeyboardInterrupt, which everything here cleans up for.

    A closed terminal sends SIGHUP more than once, and an init system SIGTERM with SIGHUP after it: what comes later is
    heeded only where it is one of `ALWAYS`.
    """

    def __init__(self) -> None:
        self.came = False
        self.held = 0
        self.waiting: int | None = None
        self.terminals = tuple(number for number in (1, 2) if os.isatty(number))

    def install(self) -> None:
        """Handle the signals from now on; those that were ignored (`nohup`) stay so."""
        for number in ENDING:
            if number in ALWAYS or signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self)

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Ask the command to end, at once or when the block of `deferred` is over."""
        if self.held:
            self.waiting = number
            return
        self._leave_terminals()
        if not self.came or number in ALWAYS:
            self.came = True
            raise KeyboardInterrupt

    def _leave_terminals(self) -> None:
        """Write what is still to be said into nothing where the terminal has gone: it would be an error in the end."""
        for number in self.terminals:
            if not os.isatty(number):
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, number)
                os.close(nothing)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let signals wait until the block is over; another thread than the main one is never met by them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1
            if not self.held and self.waiting is not None:
                number, self.waiting = self.waiting, None
                self(number, None)


@contextmanager
def deferred() -> Iterator[None]:
    """Let signals that end the command wait until the block is over: it is done whole or not begun."""
    handler = signal.getsignal(signal.SIGTERM)
    if not isinstance(handler, Ending):  # a program that uses Evenbench has signals of its own
        yield
        return
    with handler.holding():
        yield


def heed() -> None:
    """Raise KeyboardInterrupt where a signal has asked the command to end and nobody met what its handler raised.

    Python can only report an exception that is raised in a finalizer or a callback, and goes on.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if isinstance(handler, Ending) and handler.came:
        raise KeyboardInterrupt
