"""How the stages of a Boltzmann machine follow each other: what each starts from, and what the net above starts from.

Two machines become a deep one by their weights, unchanged, since each was trained with one side doubled; the hidden
layer between them gets the sum of the two biases that it had (Salakhutdinov & Hinton 2009, sections 3.1 and 3.2).
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.boltzmann import Joint, Rbm, Stage, State, WakeSleep, initial_state
from harness.layers import Dense
from harness.model import Weights
from harness.spec import Preset, Task

Trained = Mapping[str, State]
"""The states of the stages that are done, by name."""


def drawn_states(preset: Preset, seed: int) -> Weights:
    """Return the states that the stages of a preset start from where nothing came before, as `<stage>/<name>`."""
    stages = preset.boltzmann.stages if preset.boltzmann else ()
    return {
        f"{stage.name}/{name}": value
        for number, stage in enumerate(stages)
        for name, value in initial_state(stage, preset.batch_size, 1000 * seed + number).items()
    }


def start(stages: Sequence[Stage], number: int, drawn: Weights, done: Trained) -> State:
    """Return the state from which stage `number` starts, given the drawn states and those of the stages before it."""
    stage = stages[number]
    prefix = f"{stage.name}/"
    state = {name.removeprefix(prefix): value for name, value in drawn.items() if name.startswith(prefix)}
    before = [done[earlier.name] for earlier in stages[:number]]
    match stage:
        case Joint() if len(before) >= 2:
            state |= composition(*before[-2:])
        case WakeSleep() if len(before) >= 2:
            state |= untied(*before[-2:])
        case Rbm(recognise=pixels) if pixels:
            state |= {"below.weight": before[-1]["weight"], "below.bias": before[-1]["hidden_bias"]}
    return state


def composition(bottom: State, top: State) -> State:
    """Return the parameters of the deep machine that two machines make."""
    return {
        "weight1": bottom["weight"],
        "weight2": top["weight"],
        "visible_bias": bottom["visible_bias"],
        "hidden1_bias": bottom["hidden_bias"] + top["visible_bias"],
        "hidden2_bias": top["hidden_bias"],
    }


def untied(bottom: State, top: State) -> State:
    """Return the parameters of the net whose recognition and generation begin as one machine's weights."""
    return {
        "recognition": bottom["weight"],
        "recognition_bias": bottom["hidden_bias"],
        "generation": bottom["weight"],
        "visible_bias": bottom["visible_bias"],
        "weight2": top["weight"],
        "hidden1_bias": top["visible_bias"],
        "hidden2_bias": top["hidden_bias"],
    }


def fine_tuned_task(task: Task, last: Stage) -> Task:
    """Return the task whose net is fine-tuned: after a joint stage its inputs are the pixels and the machine's m2."""
    if isinstance(last, Joint):
        return msgspec.structs.replace(task, input_shape=(last.visible + last.hidden2,))
    return task


def net_weights(task: Task, stages: Sequence[Stage], done: Trained, drawn: Weights) -> Weights:
    """Return the first weights of the fine-tuned net: the machine's, and for the layers above it the drawn ones."""
    weights = {name: value for name, value in drawn.items() if "/" not in name}
    last = done[stages[-1].name]
    if isinstance(stages[-1], Joint):
        below = np.concatenate([last["weight1"].T, last["weight2"]], axis=1)  # pixels, then m2, to the first layer
        layers = [(below, last["hidden1_bias"]), (last["weight2"].T, last["hidden2_bias"])]
    elif isinstance(stages[-1], WakeSleep):
        layers = [(last["recognition"].T, last["recognition_bias"]), (last["weight2"].T, last["hidden2_bias"])]
    else:
        layers = [(done[stage.name]["weight"].T, done[stage.name]["hidden_bias"]) for stage in stages]
    for number, (weight, bias) in enumerate(layers, start=1):
        weights[f"dense{number}.weight"] = np.ascontiguousarray(weight)
        weights[f"dense{number}.bias"] = bias
    return weights


def probe_task(task: Task, features: int) -> Task:
    """Return the linear probe on so many features: softmax regression onto the task's classes."""
    return msgspec.structs.replace(task, name=f"{task.name}-probe", input_shape=(features,), layers=(task.layers[-1],))


def probe_weights(task: Task) -> Weights:
    """Return zeros: softmax regression is convex, so the start does not matter."""
    layer = task.layers[0]
    units = layer.units if isinstance(layer, Dense) else 0
    return {
        "dense1.weight": np.zeros((units, *task.input_shape), np.float32),
        "dense1.bias": np.zeros(units, np.float32),
    }


def chosen_examples(y: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return `count` examples, as many of each class as possible: the first ones of each in their order."""
    classes = np.unique(y)
    shares = [count // len(classes) + (number < count % len(classes)) for number in range(len(classes))]
    parts = [np.flatnonzero(y == k)[:share] for k, share in zip(classes, shares, strict=True)]
    return np.sort(np.concatenate(parts)).astype(np.int32)


def order_of(
    examples: NDArray[np.int32], order: NDArray[np.int32], *, batch_size: int, fewest_updates: int
) -> NDArray[np.int32]:
    """Return an order (N, B) over some examples alone: that of the whole set, without all others, over and over."""
    flat = order.ravel()
    kept = flat[np.isin(flat, examples)]
    batch = min(batch_size, len(examples))
    updates = max(len(kept) // batch, fewest_updates)
    return np.resize(kept, updates * batch).reshape(updates, batch).astype(np.int32)
