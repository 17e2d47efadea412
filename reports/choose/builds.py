"""Another build of what was installed: how the candidates would stand with it, by its size as its backend knows it."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from harness import registry
from reports.choose.known import WHOLE, Candidate, Reading

NEARLY = 1.25
"""A build whose size differs by less is the one that was measured."""


def other_builds(candidates: Sequence[Candidate]) -> Iterator[tuple[str, int, tuple[Candidate, ...]]]:
    """Yield the name and bytes of every known build that was not measured, with the candidates as they would be."""
    for backend in dict.fromkeys(candidate.backend for candidate in candidates):
        measured = [size for one in candidates if one.backend == backend for size in _sizes(one)]
        for build, size in registry.entry(backend).builds.items():
            if measured and not any(size / NEARLY < found < size * NEARLY for found in measured):
                others = (_with_size(one, size) if one.backend == backend else one for one in candidates)
                yield build, size, tuple(others)


def _sizes(candidate: Candidate) -> tuple[float, ...]:
    return candidate.readings["install_size"][WHOLE].values


def _with_size(candidate: Candidate, size: int) -> Candidate:
    readings = candidate.readings | {"install_size": {WHOLE: Reading(values=(float(size),))}}
    return replace(candidate, readings=readings)
