"""What parity compares, computed by one backend and written down without judgement. See `harness/parity/levels.py`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.boltzmann import Stage
from harness.contract import Arrays, Backend, Program
from harness.language import told
from harness.layers import Dropout, Layer
from harness.model import cuts, each, parameter_shapes
from harness.parity import stages
from harness.parity.levels import nudged
from harness.record import Outcome
from harness.registry import resolve
from harness.spec import Task
from harness.worker.jobs import TraceJob

TRACE = "trace.npz"
COMPILED = "compiled/"
"""Before a mode: how many graphs the framework said it had compiled at the end."""


def trace(job: TraceJob) -> Outcome:
    """Compute every level and write the arrays to `trace.npz`, each under `<level>/<name>`."""
    backend: Backend = resolve(job.adapter)()
    reason = backend.why_not(job.task, job.device, job.mode)
    if reason is not None:
        return Outcome(status="unsupported", **told(reason))
    with np.load(job.inputs, allow_pickle=False) as file:
        inputs = dict(file)
    found: dict[str, Any] = {f"versions/{name}": np.array(version) for name, version in backend.versions().items()}
    compute = nudged_losses if job.nudges else prefixes if job.prefixes else levels
    found |= compute(job, backend, inputs)
    found |= {f"{COMPILED}{mode}": np.array(count) for mode, count in backend.compiled().items()}
    np.savez(Path(job.out, TRACE), **found)
    return Outcome(status="ok")


def levels(job: TraceJob, backend: Backend, inputs: Arrays) -> dict[str, Any]:
    """Return the arrays of levels 1 to 6, and of level 7 for each stage of a Boltzmann machine."""
    order = inputs["order"]
    found: dict[str, Any] = {}
    program = start(job, backend, inputs, job.task)
    found |= _under("parameters", program.parameters())
    # Of the task as it is: `predict` drops nothing.
    found["forward/outputs"] = program.host(program.predict("train", order[0]))
    still = without_dropout(job.task)
    if still != job.task:
        program = start(job, backend, inputs, still)
    found |= _under("gradients", program.gradients(order[0]))
    program = start(job, backend, inputs, still)
    program.train(order[:1])
    found["loss/first"] = program.losses()
    found |= _under("update", program.parameters())
    program.train(order[1:])
    found["losses/all"] = np.concatenate([found["loss/first"], program.losses()])
    found |= _under("trained", program.parameters())
    if "tiny_order" in inputs:
        program = start(job, backend, inputs, still)
        program.train(inputs["tiny_order"])
        found |= _under("tiny", program.parameters())
    if (single := getattr(backend, "single", None)) is not None:  # the reference alone has it
        program = start(job, single(), inputs, still)
        # before the gradients, which move running statistics
        found["single/forward/outputs"] = program.host(program.predict("train", order[0]))
        found |= _under("single", _under("gradients", program.gradients(order[0])))
    for stage in job.preset.boltzmann.stages if job.preset.boltzmann else ():
        found |= _under(f"stages/{stage.name}", trace_stage(job, backend, stage, inputs))
    return found


def trace_stage(job: TraceJob, backend: Backend, stage: Stage, inputs: Arrays) -> Arrays:
    """Return what level 7 compares of one stage, at its small size."""
    small = stages.small(stage)
    given = stages.under(f"stages/{stage.name}", inputs)
    state = stages.under("state", given)
    program = backend.build_boltzmann(small, device=job.device, mode=job.mode, state=state, seed=0)
    return stages.trace(small, program, given)


def prefixes(job: TraceJob, backend: Backend, inputs: Arrays) -> dict[str, Any]:
    """Return the outputs of the model cut off after its first layer, its second, and so on, inside compositions too."""
    found = {}
    for cut in cuts(job.task):
        task = msgspec.structs.replace(job.task, layers=cut.layers)
        program = start(job, backend, inputs, task, cut.sources)
        found[f"prefix/{cut.name}"] = program.host(program.predict("train", inputs["order"][0]))
    return found


def nudged_losses(job: TraceJob, backend: Any, inputs: Arrays) -> dict[str, Any]:
    """Return the reference's losses of 20 steps in float32, (nudges, steps), its weights moved another way each."""
    still, found = without_dropout(job.task), []
    for number in range(1, job.nudges + 1):
        program = start(job, backend.single(), nudged(inputs, number), still)
        program.train(inputs["order"])
        found.append(program.losses())
    return {"losses/nudged": np.stack(found)}


def start(
    job: TraceJob, backend: Backend, inputs: Arrays, task: Task, sources: Mapping[str, str] | None = None
) -> Program:
    """Build a fresh program with the given data, and weights that may have other names there (`sources`)."""
    names = sources or {name: name for name in parameter_shapes(task)}
    weights = {name: inputs[f"weights/{source}"] for name, source in names.items()}
    program = backend.build(task, job.preset.optimizer, device=job.device, mode=job.mode, weights=weights, seed=0)
    program.load({name: inputs[name] for name in ("train_x", "train_y", "test_x", "test_y")})
    return program


def without_dropout(task: Task) -> Task:
    """Return the task with every dropout rate at zero: what is drawn differently cannot be compared."""

    def still(layer: Layer) -> Layer:
        return Dropout(rate=0.0) if isinstance(layer, Dropout) else layer

    return msgspec.structs.replace(task, layers=each(task.layers, still))


def _under(level: str, arrays: Arrays) -> dict[str, Any]:
    return {f"{level}/{name}": array for name, array in arrays.items()}
