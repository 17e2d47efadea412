"""Recurrent layers by hand: forward through time, then back through it (Rumelhart et al. 1986; Werbos 1990).

A cell does one time step: `forward` returns the new state and what `backward` needs. `B` is the mini-batch, `T` the
length, `I` the inputs and `H` the units. The matrix products with the inputs of all steps are done at once.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from backends.numpy.layers import Array, Backward, Parameters, sigmoid
from harness.layers import GRU, LSTM, Recurrent, SimpleRNN

State = tuple[Array, ...]
"""What a cell hands to the next step: `(h,)`, for the LSTM `(h, c)`, each `(B, H)`."""
CellBackward = Callable[[State], tuple[Array, Array, State]]
"""From the gradient of the new state to those of `W x + b`, of `U h`, and of the old state beside U."""
Cell = Callable[[Array, Array, State], tuple[State, CellBackward]]
"""From `W x + b` and `U h`, each `(B, G*H)`, and the old state to the new one."""


def simple_rnn_cell(kind: str) -> Cell:
    """Return the cell `h = f(W x + b + U h)`."""

    def cell(zx: Array, zh: Array, _state: State) -> tuple[State, CellBackward]:
        z = zx + zh
        h = np.tanh(z) if kind == "tanh" else np.maximum(z, 0)
        slope = 1 - h**2 if kind == "tanh" else (z > 0).astype(z.dtype)

        def backward(d_state: State) -> tuple[Array, Array, State]:
            dz = d_state[0] * slope
            return dz, dz, (np.zeros_like(h),)

        return (h,), backward

    return cell


def lstm_cell(zx: Array, zh: Array, state: State) -> tuple[State, CellBackward]:
    """Compute `c = s(f) c + s(i) tanh(g); h = s(o) tanh(c)` from the blocks i, f, g, o of `W x + b + U h`."""
    c_old = state[1]
    zi, zf, zg, zo = np.split(zx + zh, 4, axis=1)
    i, f, g, o = sigmoid(zi), sigmoid(zf), np.tanh(zg), sigmoid(zo)
    c = f * c_old + i * g
    squashed = np.tanh(c)

    def backward(d_state: State) -> tuple[Array, Array, State]:
        dh, dc = d_state
        dc = dc + dh * o * (1 - squashed**2)
        slopes = dc * g * i * (1 - i), dc * c_old * f * (1 - f), dc * i * (1 - g**2), dh * squashed * o * (1 - o)
        dz = np.concatenate(slopes, axis=1)
        return dz, dz, (np.zeros_like(dh), dc * f)

    return (o * squashed, c), backward


def gru_cell(zx: Array, zh: Array, state: State) -> tuple[State, CellBackward]:
    """Compute `n = tanh(W_n x + b_n + r (U_n h)); h = (1 - z) n + z h` from blocks r, z, n."""
    (h_old,) = state
    (xr, xz, xn), (hr, hz, hn) = np.split(zx, 3, axis=1), np.split(zh, 3, axis=1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    n = np.tanh(xn + r * hn)

    def backward(d_state: State) -> tuple[Array, Array, State]:
        (dh,) = d_state
        d_n = dh * (1 - z) * (1 - n**2)
        d_z = dh * (h_old - n) * z * (1 - z)
        d_r = d_n * hn * r * (1 - r)
        return np.concatenate([d_r, d_z, d_n], axis=1), np.concatenate([d_r, d_z, d_n * r], axis=1), (dh * z,)

    return ((1 - z) * n + z * h_old,), backward


def cell_of(layer: Recurrent) -> tuple[Cell, int]:
    """Return a layer's cell and the number of arrays in its state."""
    match layer:
        case SimpleRNN(kind=kind):
            return simple_rnn_cell(kind), 1
        case LSTM():
            return lstm_cell, 2
        case GRU():
            return gru_cell, 1


def one_way(layer: Recurrent, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Run from the first step to the last; x `(B, T, I)`, all states `(B, T, H)`."""
    cell, arrays = cell_of(layer)
    zx = x @ p["input_weight"].T + (p["bias"] if layer.bias else 0.0)
    state: State = (np.zeros((len(x), layer.units), zx.dtype),) * arrays
    states, backwards, before = [], [], []
    for t in range(x.shape[1]):
        before.append(state[0])
        state, backward_cell = cell(zx[:, t], state[0] @ p["state_weight"].T, state)
        states.append(state[0])
        backwards.append(backward_cell)

    def backward(dy: Array) -> tuple[Array, Parameters]:
        d_zx = np.zeros_like(zx)
        d_weight = np.zeros_like(p["state_weight"])
        d_state: State = (np.zeros_like(state[0]),) * arrays
        for t in reversed(range(x.shape[1])):
            # a state is used twice: by the next step, and as an output of the layer
            d_zx[:, t], d_zh, d_old = backwards[t]((d_state[0] + dy[:, t], *d_state[1:]))
            d_weight += d_zh.T @ before[t]
            d_state = (d_old[0] + d_zh @ p["state_weight"], *d_old[1:])
        gradients = {"input_weight": np.einsum("btg,bti->gi", d_zx, x, optimize=True), "state_weight": d_weight}
        if layer.bias:
            gradients["bias"] = d_zx.sum(axis=(0, 1))
        return d_zx @ p["input_weight"], gradients

    return np.stack(states, axis=1), backward


def recurrent(layer: Recurrent, x: Array, p: Parameters) -> tuple[Array, Backward]:
    """Run a layer one way or both; x `(B, T, I)`, y the last state `(B, H)` or all of them `(B, T, H)`."""
    forth = {part: value for part, value in p.items() if not part.startswith("reverse_")}
    runs = [one_way(layer, x, forth)]
    if layer.bidirectional:
        back = {part.removeprefix("reverse_"): value for part, value in p.items() if part.startswith("reverse_")}
        states, backward_back = one_way(layer, x[:, ::-1], back)
        runs.append((states[:, ::-1], backward_back))
    ends = [-1, 0][: len(runs)]
    """Where each direction has read everything."""

    def backward(dy: Array) -> tuple[Array, Parameters]:
        dx: Any = 0.0
        gradients: Parameters = {}
        for number, (own, (states, back)) in enumerate(zip(np.split(dy, len(runs), axis=-1), runs, strict=True)):
            d_states = own
            if not layer.sequence:
                d_states = np.zeros_like(states)
                d_states[:, ends[number]] = own
            turn = slice(None, None, -1 if number else 1)
            d_input, found = back(d_states[:, turn])
            dx = dx + d_input[:, turn]
            gradients |= {("reverse_" if number else "") + part: value for part, value in found.items()}
        return dx, gradients

    outputs = [states if layer.sequence else states[:, end] for (states, _), end in zip(runs, ends, strict=True)]
    return np.concatenate(outputs, axis=-1), backward
