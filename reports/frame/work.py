"""How much work a step is by its definition: floating-point operations and the least bytes, the same for every backend.

Operations are those of the matrix products and convolutions alone, two per multiply-add, whatever algorithm a library
takes for them. Left out, since they are few beside the products and libraries fuse them: biases, activations, pooling,
dropout, normalisation, the loss, the optimizer's update, drawing, and looking up an embedding.

The bytes are a lower bound in float32, as if a library fused all that can be fused and nothing stayed in a cache:

- a forward pass reads the parameters and the inputs and writes the outputs;
- a training step reads and writes every parameter, writes and reads its gradient, reads and writes the optimizer's
  state, reads the inputs, and writes and reads the outputs of every layer that holds a product or an embedding;
- an update of a Boltzmann stage reads and writes its parameters and velocities, reads the pictures, and reads and
  writes the persistent chains.

Arithmetic intensity is operations over bytes; the roofline's bound is the smaller of the peak rate and intensity times
bandwidth (Williams, Waterman & Patterson 2009).
"""

import math

from msgspec import Struct

from harness.boltzmann import Joint, Rbm, Stage, WakeSleep
from harness.boltzmann import parameter_shapes as stage_shapes
from harness.layers import GRU, LSTM, Conv2d, Dense, Embedding, Maxout, Positions, SelfAttention, SimpleRNN
from harness.model import GATES, NamedLayer, layer_parameters, leaves, named_layers, parameter_count
from harness.optimizers import SGD, Adam, Optimizer
from harness.spec import Preset, Task

NUMBER_BYTES = 4
WRITTEN = (Dense, Maxout, Conv2d, Embedding, Positions, SelfAttention, SimpleRNN, LSTM, GRU)
"""The layers whose outputs have to be kept for the backward pass; those of the others can be computed on the way."""


class Work(Struct, frozen=True, kw_only=True):
    """What a step or a pass over one mini-batch is, counted from its definition."""

    flops: int
    least_bytes: int

    @property
    def intensity(self) -> float:
        """Floating-point operations per byte that has to move."""
        return self.flops / self.least_bytes

    def roofline(self, *, flops_per_s: float, bytes_per_s: float) -> float:
        """Return the most operations per second that a machine of these two rates allows (Williams et al. 2009)."""
        return min(flops_per_s, self.intensity * bytes_per_s)


def forward(task: Task, batch: int) -> Work:
    """Return the work of one forward pass over `batch` examples."""
    layers = named_layers(task)
    parameters = sum(_numbers(named) for named in layers)
    ends = math.prod(task.input_shape) + math.prod(layers[-1].output_shape)
    flops = 2 * batch * sum(sum(multiply_adds(named)) for named in leaves(layers))
    return Work(flops=flops, least_bytes=NUMBER_BYTES * (parameters + batch * ends))


def training_step(task: Task, optimizer: Optimizer, batch: int) -> Work:
    """Return the work of one optimizer step on `batch` examples.

    The backward pass repeats each product twice, for the gradients of its weights and of its inputs; nobody needs the
    latter where no trained layer lies below, and a recurrent layer needs those of its states all the same.
    """
    layers = named_layers(task)
    flops = 2 * batch * _step_products(layers, trained_below=False)
    kept = sum(math.prod(named.output_shape) for named in leaves(layers) if isinstance(named.layer, WRITTEN))
    moved = parameter_count(task) * (4 + 2 * state_copies(optimizer))
    moved += batch * (math.prod(task.input_shape) + 2 * kept)
    return Work(flops=flops, least_bytes=NUMBER_BYTES * moved)


def _step_products(layers: tuple[NamedLayer, ...], *, trained_below: bool) -> int:
    products = 0
    for named in layers:
        if named.paths:
            products += sum(_step_products(of, trained_below=trained_below) for _path, of in named.paths)
        else:
            of_inputs, of_states = multiply_adds(named)
            products += (3 if trained_below else 2) * of_inputs + 3 * of_states
        trained_below = trained_below or _numbers(named) > 0
    return products


def multiply_adds(named: NamedLayer) -> tuple[int, int]:
    """Return the multiply-adds of one example's forward pass: of a layer's inputs, and of those between its states.

    The latter are a recurrent layer's products of its states (the first one is zero, yet libraries compute it) and an
    attention's of queries, keys and values, whose gradients are always asked for.
    """
    match named.layer:
        case Dense(units=units):
            return math.prod(named.input_shape) * units, 0
        case Maxout(units=units, pieces=pieces):
            return math.prod(named.input_shape) * units * pieces, 0
        case Conv2d(kernel=kernel, groups=groups):
            return math.prod(named.output_shape) * (named.input_shape[0] // groups) * kernel**2, 0
        case SelfAttention():
            length, features = named.input_shape
            return 3 * length * features**2, length * features * (2 * length + features)
        case SimpleRNN() | LSTM() | GRU() as layer:
            length, inputs = named.input_shape
            rows = GATES[type(layer)] * layer.units * (2 if layer.bidirectional else 1)
            return length * rows * inputs, length * rows * layer.units
        case _:
            return 0, 0


def state_copies(optimizer: Optimizer) -> int:
    """Return how many numbers an optimizer keeps per parameter."""
    match optimizer:
        case SGD():
            return 0
        case Adam():
            return 2
        case _:
            return 1


def boltzmann_update(stage: Stage, batch: int, gibbs_steps: int) -> Work:
    """Return the work of one update of a stage on `batch` pictures.

    Of a joint stage the product of the pictures with W1 is counted once, for mean field starts from it at every step;
    the reconstruction that every update reports is counted.
    """
    parameters = sum(math.prod(shape) for shape in stage_shapes(stage).values())
    match stage:
        case Rbm(visible=v, hidden=h):
            products = batch * (v * h * (1 + 2 * gibbs_steps + 2) + stage.recognise * v)
            pictures, below = batch * (stage.recognise or v), stage.recognise * v
            chains = batch * h if stage.persistent else 0
        case Joint(visible=v, hidden1=h1, hidden2=h2):
            w1, w2, below = v * h1, h1 * h2, 0
            mean_field = batch * (w1 + w2 * (1 + 2 * stage.mean_field_steps))
            gibbs = stage.chains * (gibbs_steps * 2 * (w1 + w2) + w2)
            gradients = (batch + stage.chains) * (w1 + w2)
            products = mean_field + gibbs + gradients + batch * w1
            pictures, chains = batch * v, stage.chains * h1
        case WakeSleep(visible=v, hidden1=h1, hidden2=h2):
            w1, w2, below, chains = v * h1, h1 * h2, 0, 0
            # up, the reconstruction, the dream and its recognition, two gradients; on top as a machine of its own
            products = batch * (6 * w1 + w2 * (1 + 2 * gibbs_steps + 2))
            pictures = batch * v
    moved = 4 * parameters + below + pictures + 2 * chains
    return Work(flops=2 * products, least_bytes=NUMBER_BYTES * moved)


def timed_step(task: Task, preset: Preset) -> Work:
    """Return the work of what a run's steady blocks repeat: an optimizer step, or an update of the last stage.

    The Gibbs steps of a stage that raises them are those of its last epoch, with which measuring goes on.
    """
    if preset.boltzmann is None:
        return training_step(task, preset.optimizer, preset.batch_size)
    stage = preset.boltzmann.stages[-1]
    return boltzmann_update(stage, preset.batch_size, stage.gibbs_steps_at(stage.epochs - 1))


def _numbers(named: NamedLayer) -> int:
    return sum(math.prod(shape) for shape in layer_parameters(named).values())
