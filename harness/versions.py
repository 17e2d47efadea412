"""A backend's name with a release of its framework behind it: `torch@2.12.0` is torch, of that release and no other.

Without `@` a name means the release that the backend's pins name. Text alone is looked at here: whether a release
exists, only the package index knows.
"""

import re

from harness.errors import UsageError

VERSION = r"\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?(?:\.post\d+)?(?:\.dev\d+)?(?:\+[a-z0-9]+(?:\.[a-z0-9]+)*)?"
"""A release in the normal form of Python packages (https://peps.python.org/pep-0440/), without an epoch."""


def base(name: str) -> str:
    """Return the name that stands in the table of backends: that before the `@`."""
    return name.partition("@")[0]


def wanted(name: str) -> str | None:
    """Return the release that a backend's name asks for, or None where it leaves that to the pins.

    Raises:
        UsageError: what stands behind the `@` is no release.
    """
    plain, at, version = name.partition("@")
    if not at:
        return None
    if re.fullmatch(VERSION, version) is None:
        raise UsageError(
            "{name!r} names no release of {plain}: expected {plain}@ and a number such as 2.12.0",
            name=name,
            plain=plain,
        )
    return version


def same(asked: str, found: str) -> bool:
    """Return whether a release is the one asked for: 2.12 is 2.12.0, and 2.12.0+cpu is a build of 2.12.0."""
    (asked_public, _, asked_local), (public, _, local) = asked.partition("+"), found.partition("+")
    return _without_zeros(asked_public) == _without_zeros(public) and asked_local in ("", local)


def _without_zeros(version: str) -> str:
    """Return a release without the zeros that end its numbers: 2.12.0rc1 is 2.12rc1."""
    return re.sub(r"^(\d+(?:\.\d+)*?)(?:\.0+)*(?=$|[a-z]|\.[a-z])", r"\1", version)
