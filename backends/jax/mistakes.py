"""One training step as JAX's own tutorial writes it, for students' mistakes (`harness/mistakes.py`).

The pure functions are those of "Training a simple neural network" in JAX's documentation, with the convolutions of its
page on convolutions: parameters in a list, labels as `one_hot`, `jit` around the update.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax, random
from jax.scipy.special import logsumexp

from backends.jax import DEVICES
from harness.mistakes import Array, Step
from harness.spec import DeviceKind

SHAPES = ((6, 1, 5, 5), (16, 6, 5, 5), (400, 120), (120, 84), (84, 10))
STEP_SIZE = 0.01


def init_params(key: Any) -> list[tuple[Any, Any]]:
    """Return weights and biases, drawn small."""
    keys = random.split(key, len(SHAPES))
    return [
        (0.1 * random.normal(k, shape), jnp.zeros(shape[0] if len(shape) == 4 else shape[1]))
        for k, shape in zip(keys, SHAPES, strict=True)
    ]


def predict(params: Any, images: Any) -> Any:
    """Return the logarithms of the classes' probabilities."""
    activations = images
    for w, b in params[:2]:
        activations = lax.conv(activations, w, (1, 1), "VALID") + b[:, None, None]
        activations = jax.nn.relu(activations)
        activations = lax.reduce_window(activations, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    activations = activations.reshape(activations.shape[0], -1)
    for w, b in params[2:-1]:
        activations = jax.nn.relu(jnp.dot(activations, w) + b)
    final_w, final_b = params[-1]
    logits = jnp.dot(activations, final_w) + final_b
    return logits - logsumexp(logits, axis=1, keepdims=True)


def loss(params: Any, images: Any, labels: Any) -> Any:
    """Return the mean cross-entropy."""
    targets = jax.nn.one_hot(labels, 10)
    return -jnp.mean(jnp.sum(predict(params, images) * targets, axis=1))


@jax.jit
def update(params: Any, images: Any, labels: Any) -> Any:
    """Return the loss, and the parameters after one step downhill."""
    value, grads = jax.value_and_grad(loss)(params, images, labels)
    return value, [(w - STEP_SIZE * dw, b - STEP_SIZE * db) for (w, b), (dw, db) in zip(params, grads, strict=True)]


def train_one_step(images: Array, labels: Array, device: DeviceKind) -> float:
    with jax.default_device(jax.devices(DEVICES[device])[0]):
        params = init_params(random.key(0))
        value, _ = update(params, jnp.array(images), jnp.array(labels))
    return float(value)


STEP = Step(train=train_one_step, channel_axis=1, labels="int32")
