"""Runs inside a backend's interpreter: `python conformance_worker.py ADAPTER MODE KIND` prints what it found as JSON.

One process does all checks of one backend and mode, since importing and starting a framework takes seconds. What is
timed (KIND `timed`, else `computed`) has a process of its own: it is asked for when nothing else is running.
"""

import sys
from typing import Any

import msgspec
import numpy as np
from golden import Golden, golden_cases
from zoo import case, dense_net, stage_zoo, zoo

from harness.boltzmann import Stage
from harness.contract import Backend, BoltzmannProgram, Program
from harness.language import plain
from harness.layers import Activation, Dense, Dropout
from harness.measure.clock import unfinished_share
from harness.optimizers import SGD
from harness.parity import levels as parity
from harness.parity import stages
from harness.registry import resolve
from harness.spec import Mode, Task
from harness.worker.describe import matmul_error
from harness.worker.jobs import TraceJob
from harness.worker.parity import levels

REFERENCE: Backend = resolve("backends.numpy.adapter:backend")()


def check_case(backend: Backend, mode: Mode, task: Task) -> dict[str, Any]:
    """Return the parity levels of one small task."""
    inputs = parity.inputs(task)
    preset = task.preset("only")

    def trace(of: Backend, its_mode: Mode) -> Any:
        job = TraceJob(adapter="", out="", cores=(), task=task, preset=preset, device="cpu", mode=its_mode, inputs="")
        return levels(job, of, inputs)

    found = parity.compare(task, preset.optimizer, trace(REFERENCE, "eager"), trace(backend, mode), inputs)
    return dict(msgspec.to_builtins(found))


def program_of(backend: Backend, mode: Mode, task: Task, seed: int = 0) -> tuple[Program, dict[str, Any]]:
    inputs = parity.inputs(task)
    weights = {name.removeprefix("weights/"): v for name, v in inputs.items() if name.startswith("weights/")}
    program = backend.build(task, task.preset("only").optimizer, device="cpu", mode=mode, weights=weights, seed=seed)
    program.load({name: inputs[name] for name in ("train_x", "train_y", "test_x", "test_y")})
    return program, inputs


def golden(backend: Backend, mode: Mode, of: Golden) -> float:
    """Return the largest error of a case worked out by hand."""
    program = backend.build(of.task, SGD(learning_rate=0.1), device="cpu", mode=mode, weights=of.weights, seed=0)
    y = np.array(of.outputs, np.float32).reshape(len(of.x), -1)
    program.load({"train_x": of.x, "train_y": y, "test_x": of.x, "test_y": y})
    return float(np.abs(program.host(program.predict("test", np.arange(len(y), dtype=np.int32))) - y).max())


def check_stage(backend: Backend, mode: Mode, stage: Stage) -> dict[str, Any]:
    """Return how one stage of a Boltzmann machine agrees with the reference, and what its own noise looks like."""
    given = stages.inputs(stage)
    state = stages.under("state", given)

    def build(of: Backend, its_mode: Mode, seed: int) -> BoltzmannProgram:
        return of.build_boltzmann(stage, device="cpu", mode=its_mode, state=state, seed=seed)

    reference = stages.trace(stage, build(REFERENCE, "eager", 0), given)
    error, where = stages.largest_error(reference, stages.trace(stage, build(backend, mode, 0), given))
    return {"error": error, "where": where}


def own_noise(backend: Backend, mode: Mode) -> dict[str, float]:
    """Return how the errors of equal updates differ: without learning, only the noise changes between them."""
    stage = msgspec.structs.replace(stage_zoo()[0], learning_rate=0.0)
    given = stages.inputs(stage)
    state = {name: 0 * value for name, value in stages.under("state", given).items()}
    order = np.tile(given["order"][:1], (40, 1))
    rates = np.zeros((40, 2), np.float32)

    def errors(seed: int) -> Any:
        program = backend.build_boltzmann(stage, device="cpu", mode=mode, state=state, seed=seed)
        program.load({"train_x": given["pictures"], "test_x": given["pictures"]})
        found = []
        for _ in range(2):
            program.train(order, rates, gibbs_steps=1)
            program.synchronize()
            found.append(program.statistics()["reconstruction_error"])
        return np.concatenate(found)

    first, other = errors(1), errors(2)
    return {
        "distinct": len(np.unique(first)),
        "distinct_in_second_call": len(np.unique(first[40:])),
        "same_in_both_calls": float((first[:40] == first[40:]).mean()),
        "same_with_other_seed": float((first == other).mean()),
        "mean": float(first.mean()),
    }


def dropout_share(backend: Backend, mode: Mode) -> dict[str, float]:
    """Return how much of a gradient dropout at 0.4 lets through in training, and the spread that shows it is random."""
    layers = (Dropout(rate=0.4), Dense(units=1, bias=False))
    task = case("dropped", layers, SGD(learning_rate=0.1), shape=(4000,), loss="mean_squared_error")
    weights = {"dense1.weight": np.zeros((1, 4000), np.float32)}
    x, y = np.ones((1, 4000), np.float32), np.ones((1, 1), np.float32)
    program = backend.build(task, SGD(learning_rate=0.1), device="cpu", mode=mode, weights=weights, seed=0)
    program.load({"train_x": x, "train_y": y, "test_x": x, "test_y": y})
    first, second = (program.gradients(np.zeros(1, np.int32))["dense1.weight"].ravel() / -2 for _ in range(2))
    return {
        "dropped": float((first == 0).mean()),
        "kept_value": float(first[first != 0].mean()),
        "same_twice": float((first == second).mean()),
    }


def calls(backend: Backend, mode: Mode) -> dict[str, Any]:
    """Return what the shapes and repetitions of the program's calls look like."""
    task = case("calls", dense_net(Activation(kind="tanh")), SGD(learning_rate=0.1), loss="softmax_cross_entropy")
    program, inputs = program_of(backend, mode, task)
    order = inputs["order"]
    lengths = []
    for steps in (1, 5, 2):
        program.train(order[:steps])
        lengths.append(list(program.losses().shape))
    before = program.parameters()
    gradients = program.gradients(order[0])
    outputs = [program.host(program.predict("test", np.arange(n, dtype=np.int32))) for n in (8, 3)]
    after = program.parameters()
    return {
        "losses_shapes": lengths,
        "dtypes": sorted({str(a.dtype) for a in (*before.values(), *gradients.values(), outputs[0])}),
        "moved_by_gradients": max(float(np.abs(before[n] - after[n]).max()) for n in before),
        "output_shapes": [list(o.shape) for o in outputs],
        "same_rows": bool(np.allclose(outputs[0][:3], outputs[1], atol=1e-6)),
        "owns_its_arrays": bool(all(a is not b for a, b in zip(before.values(), after.values(), strict=True))),
    }


def waiting(backend: Backend, mode: Mode) -> float:
    """Return the smallest share of unfinished work in three blocks of a net with much to do."""
    layers = (Dense(units=600), Activation(kind="relu"), Dense(units=600), Activation(kind="relu"), Dense(units=3))
    task = case("waiting", layers, SGD(learning_rate=0.01), shape=(300,), loss="softmax_cross_entropy")
    program, inputs = program_of(backend, mode, task)
    order = np.tile(inputs["order"], (3, 1))
    program.train(order[:1])
    program.synchronize()
    return min(unfinished_share(program, order) for _ in range(3))


def computed(backend: Backend, mode: Mode) -> dict[str, Any]:
    """Return what every check found that reads no clock."""
    task = zoo()[0]
    return {
        "name": backend.name,
        "default_mode": backend.default_mode,
        "modes": backend.modes(),
        "versions": backend.versions(),
        "settings": backend.settings(),
        "devices": msgspec.to_builtins(backend.devices()),
        "traps": msgspec.to_builtins(backend.traps()),
        "why_not": plain({device: backend.why_not(task, device, mode) for device in ("cpu", "gpu", "npu")}),
        "cases": {of.name: check_case(backend, mode, of) for of in zoo()},
        "golden": {name: golden(backend, mode, of) for name, of in golden_cases().items()},
        "stages": {of.name: check_stage(backend, mode, of) for of in stage_zoo()},
        "noise": own_noise(backend, mode),
        "dropout": dropout_share(backend, mode),
        "calls": calls(backend, mode),
        "matmul_error": matmul_error(backend),
        "device_memory": msgspec.to_builtins(program_of(backend, mode, task)[0].device_memory()),
    }


def main(adapter: str, mode: Mode, kind: str) -> None:
    backend: Backend = resolve(adapter)()
    found = {"unfinished_share": waiting(backend, mode)} if kind == "timed" else computed(backend, mode)
    sys.stdout.write("\n" + msgspec.json.encode(found).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])  # type: ignore[arg-type]
