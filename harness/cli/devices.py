"""Whether a device that is asked for is here: the frameworks are asked, for only they know, before anything runs."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from harness import registry
from harness.cli.names import device_called, words
from harness.errors import EnvironmentFailure
from harness.language import Sentence, Words, _, said

if TYPE_CHECKING:
    from harness.environments.interpreters import Interpreter
    from harness.spec import Choice, DeviceKind


def those_with_a_device(
    choices: "Iterable[Choice]",
    interpreters: "Mapping[tuple[str, DeviceKind], Interpreter]",
    devices: Iterable[str],
    *,
    warn: Callable[[str], None],
) -> "tuple[Choice, ...]":
    """Return the choices that have an interpreter, and whose device is here; only frameworks know that of gpu and npu.

    A device that was named and is not here for one backend, while another choice can run, is told and kept: its runs
    are recorded as unsupported. With `all`, it is left out.

    Raises:
        EnvironmentFailure: none has its device.
    """
    kept = tuple(choice for choice in choices if (choice.backend, choice.device) in interpreters)
    wanted = {key: interpreters[key] for key in dict.fromkeys((c.backend, c.device) for c in kept) if key[1] != "cpu"}
    absent = {key: reason for key, one in wanted.items() if (reason := _why_no_device(*key, one))}
    if absent and all((choice.backend, choice.device) in absent for choice in kept):
        raise EnvironmentFailure(
            "no chosen backend can use {devices} here: {reasons}; `evenbench doctor` shows the devices that there are",
            devices=", ".join(dict.fromkeys(device for _backend, device in absent)),
            reasons="; ".join(f"{backend}: {said(reason)}" for (backend, _device), reason in absent.items()),
        )
    every = registry.ALL in map(device_called, words(devices))
    for (backend, device), reason in absent.items():
        sentence = _("{backend} cannot use {device} here ({reason}): its runs will be recorded as unsupported")
        if every:
            sentence = _("{backend} cannot use {device} here ({reason}): left out")
        warn(sentence.format(backend=backend, device=device, reason=said(reason)))
    return tuple(choice for choice in kept if not every or (choice.backend, choice.device) not in absent)


def _why_no_device(backend: str, device: "DeviceKind", interpreter: "Interpreter") -> Words | None:
    """Return why a backend cannot use a device here, None where it can."""
    from harness.runs.execute import describe

    question = registry.task(registry.task_names()[0])
    try:
        found = describe(backend, interpreter, (question,))
    except EnvironmentFailure as error:
        return Sentence.of(error)
    if device in {one.kind for one in found.devices}:
        return None
    mode = registry.entry(backend).default_mode
    return found.why_not.get(f"{question.name}/{device}/{mode}", Sentence("it finds no {device}", device=device))
