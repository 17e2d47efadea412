"""What every backend must keep of the contract: one check after the other, first things first, each told in a sentence.

A check yields what is wrong and nothing where all is well. It raises `Refused` with the backend's own words where
`why_not` refuses its task; whatever else it raises is wrong too. The answer is written after every check, so that the
parent knows which one a process died of. What reads a clock has a process of its own.
"""

import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.boltzmann import Stage
from harness.contract import Backend, BoltzmannProgram, Device, Program, Trap
from harness.language import Sentence, Words, noop
from harness.layers import Activation, Dense, Dropout
from harness.measure.clock import fewest_seconds, unfinished_share
from harness.measure.honesty import other_mode
from harness.optimizers import SGD
from harness.parity import hints, stages
from harness.parity import levels as parity
from harness.parity.golden import Golden, golden_cases
from harness.parity.levels import Parity
from harness.parity.zoo import case, dense_net, stage_zoo, zoo
from harness.registry import reference, reference_name, resolve
from harness.spec import Boltzmann, DeviceKind, Mode, Task
from harness.worker.describe import matmul_error
from harness.worker.jobs import ConformanceJob, Finding, Result, TraceJob
from harness.worker.parity import levels, prefixes
from harness.worker.process import write_result

Wrong = Iterator[Words]
Check = Callable[[Backend, ConformanceJob], Wrong]
MOST_UNFINISHED = 0.1
LARGEST_MATMUL_ERROR = 1e-3
LARGEST_STAGE_ERROR = 1e-5
SAME = 1e-5
"""How much two calls may differ that compute the same."""


class Refused(Exception):
    """The backend refuses a check's task."""

    def __init__(self, words: Words) -> None:
        super().__init__(str(words))
        self.words = words


def conform(job: ConformanceJob) -> tuple[Finding, ...]:
    """Make all checks of a job and return what they found."""
    found: list[Finding] = []
    backend: Backend = resolve(job.adapter)()
    for name, check in (timed_checks() if job.timed else checks()).items():
        if job.only and not name.startswith(job.only):
            continue
        write_result(job.out, Result(findings=(*found, Finding(check=name, state="unfinished"))))
        found.append(checked(name, partial(check, backend, job)))
    return tuple(found)


def checked(name: str, check: Callable[[], Wrong]) -> Finding:
    """Return what one check found: the first thing that is wrong."""
    try:
        wrong = next(check(), None)
    except Refused as refused:
        return Finding(check=name, state="refused", words=refused.words)
    except Exception as error:
        traceback.print_exc()  # for the author, who finds it with what else the worker wrote
        line = (str(error).strip().splitlines() or [""])[0][:300]
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = Sentence(
            "{error} ({file}, line {line})",
            error=": ".join((type(error).__name__, line)),
            file=where.filename.rpartition("/")[2],
            line=where.lineno or 0,
        )
        return Finding(check=name, state="wrong", words=words)
    return Finding(check=name, state="passed") if wrong is None else Finding(check=name, state="wrong", words=wrong)


def checks() -> dict[str, Check]:
    """Return the checks that read no clock, in the order in which an author meets them."""
    return {
        "description": description,
        "refusals": refusals,
        "first steps": first_steps,
        "calls": calls,
        **{f"golden: {name}": partial(golden, of) for name, of in golden_cases().items()},
        **{f"parity: {task.name}": partial(agrees, task) for task in zoo()},
        "mode": mode,  # before others compute in the default mode
        "dropout": dropout,
        "precision": precision,
        "memory": memory,
        **{f"stage: {stage.name}": partial(stage_agrees, stage) for stage in stage_zoo()},
        "noise of a stage": noise,
    }


def timed_checks() -> dict[str, Check]:
    """Return the checks that read a clock."""
    return {"synchronize": synchronize, "probes": probes}


def ask(backend: Backend, job: ConformanceJob, task: Task) -> None:
    """Raise Refused where the backend does."""
    if (words := backend.why_not(task, "cpu", job.mode)) is not None:
        raise Refused(words)


def description(backend: Backend, job: ConformanceJob) -> Wrong:
    """What the adapter says of itself is what its entry says, in the types of the contract."""
    for what, theirs, ours in (
        ("name", backend.name, job.name),
        ("modes", ", ".join(backend.modes()), ", ".join(job.modes)),
        ("default_mode", backend.default_mode, job.default_mode),
    ):
        if theirs != ours:
            yield Sentence(
                "{field} of the backend is {theirs!r}, but its entry has {ours!r}",
                field=what,
                theirs=str(theirs),
                ours=str(ours),
            )
    for what, answer, form in (
        ("versions()", backend.versions(), dict[str, str]),
        ("settings()", backend.settings(), dict[str, str]),
        ("devices()", backend.devices(), tuple[Device, ...]),
        ("traps()", backend.traps(), tuple[Trap, ...]),
        ("compiled()", backend.compiled(), dict[Mode, int]),
    ):
        try:
            msgspec.convert(answer, form, from_attributes=True)
        except msgspec.ValidationError as error:
            yield Sentence("{field} is not as the contract has it: {error}", field=what, error=error)
    if job.framework not in backend.versions():
        yield Sentence("versions() does not say which {framework} it is", framework=job.framework)
    if "cpu" not in {device.kind for device in backend.devices()}:
        yield noop("devices() does not name the cpu, on which all of this is checked")


def refusals(backend: Backend, job: ConformanceJob) -> Wrong:
    """A device or mode that is not there is refused with a sentence, and what is there is not."""
    task = simple()
    if (words := backend.why_not(task, "cpu", job.mode)) is not None:
        yield Sentence("the simplest net is refused on the cpu: {reason}", reason=words)
    present = {device.kind for device in backend.devices()}
    modes: tuple[Mode, ...] = get_args(Mode)
    devices: tuple[DeviceKind, ...] = get_args(DeviceKind)
    asked: list[tuple[str, Words | None]] = [
        (kind, backend.why_not(task, kind, job.mode)) for kind in devices if kind not in present
    ]
    asked += [(other, backend.why_not(task, "cpu", other)) for other in modes if other not in backend.modes()]
    for absent, answer in asked:
        if answer is None:
            yield Sentence("why_not() takes {absent}, which is not there", absent=absent)
        elif len(str(answer).split()) < 6:
            yield Sentence(
                "why_not() is to refuse {absent} with a sentence that says why, but says {words!r}",
                absent=absent,
                words=str(answer),
            )


def simple() -> Task:
    """Return the simplest net."""
    return case("simple", dense_net(Activation(kind="tanh")), SGD(learning_rate=0.1), loss="softmax_cross_entropy")


def program_of(backend: Backend, job: ConformanceJob, task: Task, *, seed: int = 0) -> tuple[Program, dict[str, Any]]:
    """Return a fresh program with its data, and what it was given."""
    ask(backend, job, task)
    inputs = parity.inputs(task)
    optimizer = task.preset("only").optimizer
    weights = {name: inputs[f"weights/{name}"] for name in stages.under("weights", inputs)}
    program = backend.build(task, optimizer, device="cpu", mode=job.mode, weights=weights, seed=seed)
    program.load({name: inputs[name] for name in ("train_x", "train_y", "test_x", "test_y")})
    return program, inputs


def first_steps(backend: Backend, job: ConformanceJob) -> Wrong:
    """The simplest net can be built and trained, and learns."""
    program, inputs = program_of(backend, job, simple())
    program.synchronize()  # a run waits for what `build` and `load` have begun
    program.train(np.tile(inputs["order"][:1], (20, 1)))
    program.synchronize()
    losses = program.losses()
    if losses.shape != (20,):
        yield Sentence(
            "losses() after 20 steps is to have the shape {expected}, but has {came}",
            expected="(20,)",
            came=str(losses.shape),
        )
    if not losses[-1] < losses[0]:
        yield Sentence(
            "20 steps on one mini-batch bring the loss from {first:.3g} to {last:.3g}: nothing is learned",
            first=float(losses[0]),
            last=float(losses[-1]),
        )


def calls(backend: Backend, job: ConformanceJob) -> Wrong:
    """Calls have the contract's shapes and types, repeat themselves, and change nothing that they should not."""
    program, inputs = program_of(backend, job, simple())
    order = inputs["order"]
    given = {name: value.copy() for name, value in inputs.items()}
    for steps in (1, 5, 2):
        program.train(order[:steps])
        if program.losses().shape != (steps,):
            yield Sentence(
                "losses() after train() of {steps} steps has the shape {came}",
                steps=steps,
                came=str(program.losses().shape),
            )
    before = program.parameters()
    kept = {name: value.copy() for name, value in before.items()}
    gradients = program.gradients(order[0])
    if any(not np.array_equal(kept[name], value) for name, value in program.parameters().items()):
        yield noop("gradients() moves the parameters")
    first, again, fewer = (program.host(program.predict("test", np.arange(n, dtype=np.int32))) for n in (8, 8, 3))
    if (first.shape, fewer.shape) != ((8, 3), (3, 3)):
        yield Sentence("predict() of 8 examples of 3 classes gives the shape {came}", came=str(first.shape))
    if not (np.allclose(first, again, atol=SAME) and np.allclose(first[:3], fewer, atol=SAME)):
        yield noop("predict() gives other outputs for the same examples in another call")
    wanted = np.float64 if backend.name == reference_name() else np.float32
    arrays = {
        "parameters()": before,
        "gradients()": gradients,
        "host()": {"": first},
        "losses()": {"": program.losses()},
    }
    for call, found in arrays.items():
        wrong = {str(array.dtype) for array in found.values() if array.dtype not in (wanted, np.float32)}
        if wrong:
            yield Sentence("{call} is to return float32, but returns {came}", call=call, came=", ".join(wrong))
    program.train(order)
    program.synchronize()
    if any(not np.array_equal(kept[name], value) for name, value in before.items()):
        yield noop("parameters() hands out the program's own memory, which the next step overwrites: return a copy")
    if any(not np.array_equal(given[name], value) for name, value in inputs.items()):
        yield noop("training changes the arrays that were handed in: copy them")
    if not np.allclose(program.losses(), replayed(backend, job), atol=SAME):
        yield noop("the same steps from the same weights give other losses when they are made again")


def replayed(backend: Backend, job: ConformanceJob) -> NDArray[np.float32]:
    """Return the losses of the last steps of `calls`, made again by a fresh program."""
    program, inputs = program_of(backend, job, simple())
    for steps in (1, 5, 2):
        program.train(inputs["order"][:steps])
    program.train(inputs["order"])
    return program.losses()


def golden(of: Golden, backend: Backend, job: ConformanceJob) -> Wrong:
    """A case worked out by hand comes out."""
    ask(backend, job, of.task)
    program = backend.build(of.task, SGD(learning_rate=0.1), device="cpu", mode=job.mode, weights=of.weights, seed=0)
    y = np.array(of.outputs, np.float32).reshape(len(of.x), -1)
    program.load({"train_x": of.x, "train_y": y, "test_x": of.x, "test_y": y})
    came = program.host(program.predict("test", np.arange(len(y), dtype=np.int32)))
    if not (error := float(np.abs(came - y).max())) <= of.tolerance:
        yield Sentence(
            "the outputs were worked out by hand, and one is off by {error:.2g} (allowed {allowed:.2g})",
            error=error,
            allowed=of.tolerance,
        )


def agrees(task: Task, backend: Backend, job: ConformanceJob) -> Wrong:
    """A small task agrees with the reference at every level of parity."""
    ask(backend, job, task)
    preset, inputs = task.preset("only"), parity.inputs(task)

    def trace(of: Backend, its_mode: Mode, what: Callable[..., dict[str, Any]] = levels) -> dict[str, Any]:
        its_job = TraceJob(
            adapter="", out="", cores=(), task=task, preset=preset, device="cpu", mode=its_mode, inputs=""
        )
        return what(its_job, of, inputs)

    own = reference()
    expected, came = trace(own, own.default_mode), trace(backend, job.mode)
    found = parity.compare(task, preset.optimizer, expected, came, inputs)
    if not (failed := parity.failed(found)):
        return
    layer = None
    if failed[0] == "forward":
        cut = (trace(own, own.default_mode, prefixes), trace(backend, job.mode, prefixes))
        layer = parity.first_difference(task, *cut)
    hint = hints.hint(task, preset, failed[0], expected, came, inputs)
    where: dict[str, Any] = {"backend": backend.name, "device": "cpu", "mode": job.mode}
    yield Parity(task=task.name, **where, passed=False, levels=found, first_layer=layer, hint=hint).summary()


def dropout(backend: Backend, job: ConformanceJob) -> Wrong:
    """Dropout at 0.4 drops four tenths of a gradient, scales the rest, and draws anew every time."""
    layers = (Dropout(rate=0.4), Dense(units=1, bias=False))
    task = case("dropped", layers, SGD(learning_rate=0.1), shape=(4000,), loss="mean_squared_error")
    ask(backend, job, task)
    weights = {"dense1.weight": np.zeros((1, 4000), np.float32)}
    x, y = np.ones((1, 4000), np.float32), np.ones((1, 1), np.float32)
    program = backend.build(task, SGD(learning_rate=0.1), device="cpu", mode=job.mode, weights=weights, seed=0)
    program.load({"train_x": x, "train_y": y, "test_x": x, "test_y": y})
    first, second = (program.gradients(np.zeros(1, np.int32))["dense1.weight"].ravel() / -2 for _ in range(2))
    dropped, kept = float((first == 0).mean()), first[first != 0]
    if abs(dropped - 0.4) > 0.05:
        yield Sentence("of values with a dropout rate of 0.4, {dropped:.2f} are dropped in training", dropped=dropped)
    elif not np.allclose(kept, 1 / 0.6, rtol=1e-3):
        yield Sentence(
            "what dropout keeps is to be divided by 1 - rate, but {came:.3f} comes out for 1.667",
            came=float(kept.mean()),
        )
    if (same := float((first == second).mean())) > 0.7:
        yield Sentence("dropout drops the same values every time ({same:.0%} of them)", same=same)


def precision(backend: Backend, job: ConformanceJob) -> Wrong:
    """Products are true float32."""
    if not (error := matmul_error(backend)) < LARGEST_MATMUL_ERROR:
        yield Sentence("a product of two 512x512 matrices is wrong by {error:.1g}, which is not float32", error=error)


def memory(backend: Backend, job: ConformanceJob) -> Wrong:
    """The device's memory is a number or a reason."""
    found = program_of(backend, job, simple())[0].device_memory()
    if (found.peak_bytes is None) == (found.reason is None):
        yield noop("device_memory() is to have peak_bytes, or else the reason why there are none")


def mode(backend: Backend, job: ConformanceJob) -> Wrong:
    """A mode is held to its name by the framework's own count of graphs."""
    if (why := other_mode(backend.compiled(), job.mode)) is not None:
        yield why


def machine_task(stage: Stage) -> Task:
    """Return a task whose preset has one stage of a Boltzmann machine, for a backend to refuse."""
    task = simple()
    boltzmann = Boltzmann(stages=(stage,), probe_epochs=1, probe=SGD(learning_rate=0.1))
    return msgspec.structs.replace(
        task, presets={"only": msgspec.structs.replace(task.preset("only"), boltzmann=boltzmann)}
    )


def stage_agrees(stage: Stage, backend: Backend, job: ConformanceJob) -> Wrong:
    """A stage of a Boltzmann machine agrees with the reference, with the same numbers drawn."""
    ask(backend, job, machine_task(stage))
    given = stages.inputs(stage)
    state = stages.under("state", given)

    def build(of: Backend, its_mode: Mode) -> BoltzmannProgram:
        return of.build_boltzmann(stage, device="cpu", mode=its_mode, state=state, seed=0)

    own = reference()
    expected = stages.trace(stage, build(own, own.default_mode), given)
    cleared = {**given, **{name: value for name, value in expected.items() if name.startswith("tape/")}}
    error, where = stages.largest_error(expected, stages.trace(stage, build(backend, job.mode), cleared))
    if error is None:
        yield Sentence("{where} is missing, has another shape or is not finite", where=where)
    elif not error < LARGEST_STAGE_ERROR:
        yield Sentence(
            "differs from the reference in {where} ({error:.1e}, allowed {allowed:.0e})",
            where=where,
            error=error,
            allowed=LARGEST_STAGE_ERROR,
        )


def noise(backend: Backend, job: ConformanceJob) -> Wrong:
    """Without learning only the noise changes: it does from update to update, from call to call, from seed to seed."""
    stage = msgspec.structs.replace(stage_zoo()[0], learning_rate=0.0)
    ask(backend, job, machine_task(stage))
    first, other = own_errors(backend, job, stage, 1), own_errors(backend, job, stage, 2)
    if len(np.unique(first)) <= 20 or len(np.unique(first[40:])) <= 15:
        yield noop("the updates of a stage do not draw new numbers each")
    if float((first[:40] == first[40:]).mean()) >= 0.5:
        yield noop("the second call of train() draws the numbers of the first again")
    if float((first == other).mean()) >= 0.5:
        yield noop("the seed of a stage changes nothing")
    if abs(float(first.mean()) - 15) > 1:
        yield Sentence(
            "with weights of zero, 30 pixels are coin tosses, of which {came:.1f} and not 15 go wrong",
            came=float(first.mean()),
        )


def own_errors(backend: Backend, job: ConformanceJob, stage: Stage, seed: int) -> NDArray[np.float32]:
    """Return the errors of equal updates, 40 in each of two calls."""
    given = stages.inputs(stage)
    state = {name: 0 * value for name, value in stages.under("state", given).items()}
    program = backend.build_boltzmann(stage, device="cpu", mode=job.mode, state=state, seed=seed)
    program.load({"train_x": given["pictures"], "test_x": given["pictures"]})
    found = []
    for _ in range(2):
        program.train(np.tile(given["order"][:1], (40, 1)), np.zeros((40, 2), np.float32), gibbs_steps=1)
        program.synchronize()
        found.append(program.statistics()["reconstruction_error"])
    return np.concatenate(found)


def synchronize(backend: Backend, job: ConformanceJob) -> Wrong:
    """After `synchronize` nothing is left to wait for: the smallest share of three blocks with much to do."""
    layers = (Dense(units=600), Activation(kind="relu"), Dense(units=600), Activation(kind="relu"), Dense(units=3))
    task = case("waiting", layers, SGD(learning_rate=0.01), shape=(300,), loss="softmax_cross_entropy")
    program, inputs = program_of(backend, job, task)
    order = np.tile(inputs["order"], (3, 1))
    program.train(order[:1])
    program.synchronize()
    share = min(unfinished_share(program, order) for _ in range(3))
    if not share < MOST_UNFINISHED:
        yield Sentence("`synchronize` came back with {share:.0%} of the work still to do", share=share)


def probes(backend: Backend, job: ConformanceJob) -> Wrong:
    """The probes compute: 512 times the operations, or 4,096 times the numbers, take at least three times as long."""
    for name, probe, small, large in (
        ("product_probe", backend.product_probe, 128, 1024),
        ("copy_probe", backend.copy_probe, 2**13, 2**25),
    ):
        seconds = [fewest_seconds(probe("cpu", size), budget_s=0.5) for size in (small, large)]
        if not seconds[1] > 3 * seconds[0]:
            yield Sentence(
                "{name} takes {large_s:.1e} s for {large} and {small_s:.1e} s for {small}: it does not compute, or "
                "does not wait",
                name=name,
                large_s=seconds[1],
                large=large,
                small_s=seconds[0],
                small=small,
            )
