"""What joining a cluster needs beside Ray: a look whether anything listens, silence, and a sentence where it fails."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import EnvironmentFailure, why

KNOCK_S = 5.0
"""Within which something has to listen at the address of a cluster."""
NO_TOKEN = "InvalidAuthToken"
"""In what Ray 2.60.0 says where a token is missing or wrong."""
ERR = 2
"""The number of stderr."""


def knock(address: str) -> None:
    """Raise at once if nothing listens at an address, if it has a port; Ray 2.60.0 tries for many minutes."""
    host, _colon, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S).close()
    except (OSError, OverflowError) as error:
        raise not_joined(address, error) from error


def not_joined(address: str, error: Exception) -> EnvironmentFailure:
    """Return what is said where a cluster cannot be joined."""
    if NO_TOKEN in f"{error} {error.__cause__}":
        return EnvironmentFailure(
            "the Ray cluster at {address} wants another token than this command has: set RAY_AUTH_MODE=token, and copy "
            "~/.ray/auth_token from its head node",
            address=address,
        )
    return EnvironmentFailure(
        "no Ray cluster can be joined at {address}: {reason}; start one with `ray start --head`, and give the address "
        "that it prints",
        address=address,
        reason=first_line(why(error)),
    )


@contextmanager
def hushed() -> Iterator[None]:
    """Let nothing be written to stderr in the block: from below Python Ray 2.60.0 warns there once a second.

    What it starts meanwhile writes into files of its own.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(ERR)
    except OSError:  # it is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, ERR)
    try:
        yield
    finally:
        os.dup2(kept, ERR)
        os.close(kept)
        os.close(nowhere)


def first_line(said: object) -> str:
    """Return the beginning of what an exception says."""
    return (str(said).strip().splitlines() or [""])[0][:300]
