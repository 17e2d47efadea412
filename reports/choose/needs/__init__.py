"""What somebody needs of a framework: weights, limits and scales, from a TOML file that is checked field by field.

`course.toml` and `team.toml` beside this file are needs that everybody can name; any other file is a user's own.
"""

import math
import re
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from harness import registry
from harness.errors import UsageError, why
from harness.language import Sentence, Words, noop
from harness.spec import DeviceKind
from harness.whole_files import given_path

FOLDER = Path(__file__).parent
LARGEST_FILE = 1_000_000
"""Bytes; a device such as /dev/zero never ends."""
LARGEST_WEIGHT = 1e6
UNITS = {"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much each criterion of `choose/criteria.py` counts, against the others; what is left out counts nothing."""

    device_available: float = 0.0
    throughput: float = 0.0
    time_to_accuracy: float = 0.0
    start_up: float = 0.0
    host_memory: float = 0.0
    install_size: float = 0.0
    install_minutes: float = 0.0
    adapter_code: float = 0.0
    clear_messages: float = 0.0
    device_coverage: float = 0.0
    quality: float = 0.0


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What excludes a candidate, whatever else it does."""

    parity: bool = True
    """Not to be switched off: what computes something else is no candidate."""
    device: DeviceKind | None = None
    """Only runs on it are read, and who has none is excluded."""
    memory: float | str | None = None
    """Bytes of host memory that no run may exceed, or a text such as "8 GB"."""
    quality_at_least: float | dict[str, float] | None = None
    """The mean accuracy on every task, or on those named."""
    install_at_most: float | str | None = None
    """Bytes of the environment, or a text such as "2 GB"."""
    install_minutes_at_most: float | None = None


class Needs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a choice is made by."""

    name: str
    weights: Weights
    limits: Limits = Limits()
    tasks: dict[str, float] = {}
    """How much each task counts against the others, 1 where nothing is said; 0 leaves it out of all scores."""
    wanted_devices: tuple[DeviceKind, ...] = ()
    """The devices whose availability the weight of that name speaks of."""
    worthless_at: float = 10.0
    """A candidate so many times worse than the best one, in seconds, bytes or lines, gets nothing for it."""
    quality_span: float = 0.05
    """And one whose accuracy is so much below the best one's."""

    def weight_of(self) -> dict[str, float]:
        """Return every criterion's weight by its name."""
        return {name: float(value) for name, value in asdict(self.weights).items()}

    def weight_of_task(self, name: str) -> float:
        """Return how much a task counts against the others."""
        return self.tasks.get(name, 1.0)


def shipped() -> tuple[str, ...]:
    """Return the names of the needs that come with Evenbench."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def read(wanted: str) -> Needs:
    """Return the needs of a name that comes with Evenbench, or of a file.

    Raises:
        UsageError: there is no such file, or what it says is wrong; the text names the line or the field.
    """
    path = FOLDER / f"{wanted}.toml" if wanted in shipped() else given_path(wanted, "--for")
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE + 1).decode()
    except IsADirectoryError as error:
        raise UsageError(
            "--for expects {known} or the path of a TOML file; {wanted!r} is a folder",
            known=", ".join(shipped()),
            wanted=wanted,
        ) from error
    except FileNotFoundError as error:
        raise UsageError(
            "--for expects {known} or the path of a TOML file; there is no {wanted!r}",
            known=", ".join(shipped()),
            wanted=wanted,
        ) from error
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError("{path} cannot be read: {reason}", path=path, reason=why(error)) from error
    if len(text) > LARGEST_FILE:
        raise UsageError("{path} is larger than needs can be, {most:,} bytes", path=path, most=LARGEST_FILE)
    return parse(text, str(path))


def parse(text: str, path: str) -> Needs:
    """Return the needs in a text of TOML; `path` is for the errors.

    Raises:
        UsageError: the text is no TOML, or a field is unknown, of the wrong type or out of its range.
    """
    try:
        document = msgspec.toml.decode(text)
    except (ValueError, RecursionError) as error:
        raise UsageError("{path} is not TOML: {reason}", path=path, reason=error) from error
    _check_names(document, text, path)
    _check_presence(document, path)
    try:
        needs = msgspec.convert(document, Needs)
    except msgspec.ValidationError as error:
        raise _wrong(path, text, _field_of(str(error)), str(error).partition(" - at ")[0]) from error
    for field, problem in _problems(needs):
        raise _wrong(path, text, field, problem)
    return needs


def size(value: float | str) -> float:
    """Return the bytes of a number or of a text such as "8 GB".

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str):
        found = re.fullmatch(r"\s*([\d.]+)\s*([A-Za-z]*)\s*", value)
        if found is None or found[2].upper() not in UNITS:
            raise ValueError(value)
        value = float(found[1]) * UNITS[found[2].upper()]
    if not (math.isfinite(value) and value > 0):
        raise ValueError(value)
    return float(value)


def _check_names(document: dict[str, Any], text: str, path: str) -> None:
    """Refuse an unknown field, criterion, limit or task with the list of those that there are."""
    for table, known in (
        ("", Needs.__struct_fields__),
        ("weights.", Weights.__struct_fields__),
        ("limits.", Limits.__struct_fields__),
        ("tasks.", registry.task_names()),
    ):
        problem = Sentence("there is no such field; known are {known}", known=", ".join(known))
        if table == "tasks.":
            problem = Sentence("there is no such task; known are {known}", known=", ".join(known))
        found = document.get(table.removesuffix(".")) if table else document
        for name in found if isinstance(found, dict) else ():
            if name not in known:
                raise _wrong(path, text, f"{table}{name}", problem)


def _check_presence(document: dict[str, Any], path: str) -> None:
    """Refuse needs without a field that has no default, with what to write."""
    for name, problem in (
        ("name", noop('name is missing; give the needs one on the first line, as in name = "lab"')),
        ("weights", noop("the table [weights] is missing; add it with a criterion, as in throughput = 1")),
    ):
        if name not in document:
            raise UsageError("{path}: {problem}", path=path, problem=problem)


def _problems(needs: Needs) -> list[tuple[str, Words]]:
    """Return what is wrong with the numbers: the field, and the sentence."""
    found: list[tuple[str, Words]] = []
    for table, weights in (("weights", needs.weight_of()), ("tasks", needs.tasks)):
        for name, weight in weights.items():
            if not 0 <= weight <= LARGEST_WEIGHT:
                problem = Sentence("a weight is a number from 0 to 1,000,000, not {value}", value=weight)
                found.append((f"{table}.{name}", problem))
    if not any(weight > 0 for weight in needs.weight_of().values()) and not found:
        found.append(("weights", noop("at least one weight must be above 0")))
    if not any(needs.weight_of_task(name) > 0 for name in registry.task_names()) and not found:
        found.append(("tasks", noop("at least one task must have a weight above 0")))
    if not (math.isfinite(needs.worthless_at) and needs.worthless_at > 1):
        problem = Sentence("it is a ratio above 1, not {value}", value=needs.worthless_at)
        found.append(("worthless_at", problem))
    if not 0 < needs.quality_span <= 1:
        problem = Sentence(
            "it is a difference of accuracies above 0 and up to 1, not {value}", value=needs.quality_span
        )
        found.append(("quality_span", problem))
    return found + _limit_problems(needs.limits)


def _limit_problems(limits: Limits) -> list[tuple[str, Words]]:
    found: list[tuple[str, Words]] = []
    if not limits.parity:
        found.append(("limits.parity", noop("it cannot be switched off: what computes something else is no candidate")))
    for name in ("memory", "install_at_most"):
        value = getattr(limits, name)
        try:
            if value is not None:
                size(value)
        except ValueError:
            problem = Sentence('it is a number of bytes or a text such as "8 GB", not {value!r}', value=value)
            found.append((f"limits.{name}", problem))
    least = limits.quality_at_least
    for value in least.values() if isinstance(least, dict) else () if least is None else (least,):
        if not 0 <= value <= 1:
            problem = Sentence("it is an accuracy from 0 to 1, not {value}", value=value)
            found.append(("limits.quality_at_least", problem))
    minutes = limits.install_minutes_at_most
    if minutes is not None and not (math.isfinite(minutes) and minutes > 0):
        problem = Sentence("it is a number of minutes above 0, not {value}", value=minutes)
        found.append(("limits.install_minutes_at_most", problem))
    return found


def _field_of(message: str) -> str:
    """Return the field that msgspec's error speaks of, as in `$.weights.quality`, or nothing."""
    found = re.search(r"`\$\.?([\w.]*)[^`]*`$", message)
    return found[1] if found else ""


def _wrong(path: str, text: str, field: str, problem: Words) -> UsageError:
    line = _line_of(text, field)
    if line is not None:
        return UsageError("{path}, line {line}, {field}: {problem}", path=path, line=line, field=field, problem=problem)
    return UsageError("{path}: {problem}", path=path, problem=problem)


def _line_of(text: str, field: str) -> int | None:
    """Return the line on which a field is set, counted from 1; None where it is written in another way."""
    table, _dot, name = field.rpartition(".")
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([\w.]+)\]", line):
            inside = header[1]
            if inside == field:
                return number
        elif inside == table and re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", line):
            return number
    return None
