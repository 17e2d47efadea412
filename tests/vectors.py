"""Operator test vectors that no one here wrote: those in ONNX's wheel, as tasks of one layer with weights and outputs.

A vector is used where the operator, with its attributes, is a layer of ours. What its definition has otherwise (the
order of an LSTM's gates, the normaliser of LRN's alpha, `(T, B, I)`) is turned round here; what is another operator (a
GRU that resets before the product, uneven padding) is left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from harness.layers import (
    LSTM,
    Activation,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    MaxPool2d,
    SimpleRNN,
)
from harness.optimizers import SGD
from harness.parity.zoo import case
from harness.spec import Task

Array = NDArray[Any]
ELEMENTWISE = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Gelu": "gelu",
    "Selu": "selu",
    "LeakyRelu": "leaky_relu",
}


class Vector(Struct, frozen=True, kw_only=True):
    """What goes into a layer and what must come out."""

    name: str
    task: Task
    weights: dict[str, Array]
    x: Array
    y: Array


def vectors() -> dict[str, Vector]:
    """Return all vectors that are layers of ours, by their names."""
    return {vector.name: vector for vector in _all()}


def _all() -> Iterator[Vector]:
    import onnx
    from onnx import numpy_helper

    for folder in sorted(Path(onnx.__file__).parent.glob("backend/test/data/node/test_*")):
        model = onnx.load(str(folder / "model.onnx"))
        if len(model.graph.node) != 1:
            continue
        node = model.graph.node[0]
        arrays: dict[str, list[Array]] = {"input": [], "output": []}
        try:
            for kind, found in arrays.items():
                for number in range(len(list((folder / "test_data_set_0").glob(f"{kind}_*.pb")))):
                    tensor = onnx.TensorProto()
                    tensor.ParseFromString((folder / "test_data_set_0" / f"{kind}_{number}.pb").read_bytes())
                    found.append(numpy_helper.to_array(tensor))
        except Exception:  # noqa: BLE001  (sequences, optionals and types that NumPy lacks)
            continue
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        made = _made(node.op_type, attributes, arrays["input"], arrays["output"], list(node.output))
        if made is not None:
            layer, weights, x, y = made
            task = case(folder.name, (layer,), SGD(learning_rate=0.1), shape=x.shape[1:], loss="mean_squared_error")
            yield Vector(name=folder.name.removeprefix("test_"), task=task, weights=weights, x=x, y=y)


Made = tuple[Layer, dict[str, Array], Array, Array] | None


def _made(op: str, a: dict[str, Any], inputs: list[Array], outputs: list[Array], names: list[str]) -> Made:
    if not inputs or not outputs or inputs[0].dtype != np.float32:
        return None
    x, y = inputs[0], outputs[0]
    if op in ELEMENTWISE and x.ndim in (2, 3, 4):
        return _elementwise(op, a, x, y)
    match op:
        case "Dropout" if len(inputs) == 1 and len(outputs) == 1 and x.ndim > 1:
            return Dropout(rate=0.5), {}, x, y
        case "Flatten" if a.get("axis", 1) == 1 and x.ndim == 4:
            return Flatten(), {}, x, y
        case "GlobalAveragePool" if x.ndim == 4:
            return GlobalAvgPool2d(), {}, x, y.reshape(y.shape[:2])
        case "Conv":
            return _convolution(a, inputs, y)
        case "MaxPool" if x.ndim == 4 and len(outputs) == 1:
            return _max_pool(a, x, y)
        case "Gemm" | "MatMul":
            return _dense(op, a, inputs, y)
        case "LRN":
            size = a["size"]
            alpha = a.get("alpha", 1e-4) / size  # divided by the size there
            layer = LocalResponseNorm(size=size, alpha=alpha, beta=a.get("beta", 0.75), k=a.get("bias", 1.0))
            return (layer, {}, x, y) if size % 2 else None
        case "LayerNormalization" if a.get("axis", -1) in (-1, x.ndim - 1) and x.ndim in (2, 3):
            bias = inputs[2] if len(inputs) > 2 else np.zeros_like(inputs[1])
            weights = {"layernorm1.weight": inputs[1], "layernorm1.bias": bias}
            return LayerNorm(epsilon=a.get("epsilon", 1e-5)), weights, x, y
        case "BatchNormalization" if not a.get("training_mode") and x.ndim in (2, 4):
            parts = ("weight", "bias", "mean", "variance")
            weights = {f"batchnorm1.{part}": value for part, value in zip(parts, inputs[1:], strict=True)}
            return BatchNorm(epsilon=a.get("epsilon", 1e-5)), weights, x, y
        case "LSTM" | "RNN":
            return _recurrent(op, a, inputs, outputs, names)
    return None


def _elementwise(op: str, a: dict[str, Any], x: Array, y: Array) -> Made:
    if a.get("approximate", b"none") != b"none":
        return None
    if op == "Selu" and a:  # other constants than Klambauer's
        return None
    return Activation(kind=ELEMENTWISE[op], slope=a.get("alpha", 0.01)), {}, x, y  # type: ignore[arg-type]


def _even(pads: list[int]) -> int | None:
    return pads[0] if len(set(pads)) == 1 else None


def _windows(a: dict[str, Any]) -> tuple[int, int, int] | None:
    """Return kernel, stride and padding where they are alike on both sides and nothing is automatic or dilated."""
    kernel, strides, pads = a.get("kernel_shape"), a.get("strides", [1, 1]), _even(a.get("pads", [0] * 4))
    if kernel is None or len(kernel) != 2 or len(set(kernel)) > 1 or len(set(strides)) > 1 or pads is None:
        return None
    if a.get("auto_pad", b"NOTSET") != b"NOTSET" or a.get("ceil_mode") or set(a.get("dilations", [1])) != {1}:
        return None
    return kernel[0], strides[0], pads


def _convolution(a: dict[str, Any], inputs: list[Array], y: Array) -> Made:
    if inputs[0].ndim != 4 or (found := _windows({"kernel_shape": inputs[1].shape[2:]} | a)) is None:
        return None
    kernel, stride, padding = found
    weights = {"conv1.weight": inputs[1]} | ({"conv1.bias": inputs[2]} if len(inputs) > 2 else {})
    layer = Conv2d(
        filters=len(inputs[1]), kernel=kernel, stride=stride, padding=padding, groups=a.get("group", 1),
        bias=len(inputs) > 2,
    )  # fmt: skip
    return layer, weights, inputs[0], y


def _max_pool(a: dict[str, Any], x: Array, y: Array) -> Made:
    if (found := _windows(a)) is None or 2 * found[2] > found[0]:
        return None
    return MaxPool2d(size=found[0], stride=found[1], padding=found[2]), {}, x, y


def _dense(op: str, a: dict[str, Any], inputs: list[Array], y: Array) -> Made:
    x, w = inputs[0], inputs[1]
    if x.ndim != 2 or w.ndim != 2:
        return None
    x = x.T if a.get("transA") else x
    w = w if a.get("transB") else w.T
    weights = {"dense1.weight": np.ascontiguousarray(a.get("alpha", 1.0) * w)}
    if has_bias := len(inputs) > 2:
        bias = np.broadcast_to(inputs[2], y.shape)
        if not (bias == bias[0]).all():
            return None
        weights["dense1.bias"] = np.ascontiguousarray(a.get("beta", 1.0) * bias[0])
    return Dense(units=len(w), bias=has_bias), weights, np.ascontiguousarray(x), y


def _recurrent(op: str, a: dict[str, Any], inputs: list[Array], outputs: list[Array], names: list[str]) -> Made:
    if a.get("layout") or a.get("direction", b"forward") != b"forward" or len(inputs) > 4 or "activations" in a:
        return None
    x, w, r = inputs[0].transpose(1, 0, 2), inputs[1][0], inputs[2][0]
    units = r.shape[1]
    both = inputs[3][0].reshape(2, -1).sum(axis=0) if len(inputs) > 3 else np.zeros(len(w), np.float32)
    blocks = [0, 2, 3, 1] if op == "LSTM" else [0]  # i, o, f, c there; i, f, g, o here

    def ordered(array: Array) -> Array:
        parts = array.reshape(len(blocks), units, *array.shape[1:])
        return np.ascontiguousarray(parts[blocks].reshape(array.shape))

    layer = LSTM(units=units) if op == "LSTM" else SimpleRNN(units=units)
    kind = "lstm1" if op == "LSTM" else "simplernn1"
    weights = {f"{kind}.input_weight": ordered(w), f"{kind}.state_weight": ordered(r), f"{kind}.bias": ordered(both)}
    last = outputs[[name for name in names if name].index("Y_h")] if "Y_h" in names else None
    return None if last is None else (layer, weights, np.ascontiguousarray(x), last[0])
