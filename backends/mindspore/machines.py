"""Boltzmann machines in MindSpore: the updates of `harness/boltzmann.py` as cells without automatic differentiation.

Some sums are written for the CPU's kernels (2.10.0, two cores, 100x784 numbers): adding a bias by `+` takes 0.40 ms and
`ops.BiasAdd` 0.06 ms, a mean over rows 0.36 ms and their sum 0.06 ms, turning truth values into numbers 0.42 ms and the
sign of a difference 0.07 ms. And the positive and the negative part of a gradient are one product, of matrices that are
stacked: `v0' p0 - v' p = [v0; v]' [p0; -p]`.
"""

from typing import Any

import mindspore as ms
import numpy as np
from mindspore import mint, nn, ops
from mindspore.ops.operations.random_ops import Uniform

from harness.boltzmann import Joint, Rbm, Stage, WakeSleep, parameter_shapes
from harness.spec import DeviceKind


class Draws(nn.Cell):  # type: ignore[misc]
    """Draws states by the place of a draw among those of one update.

    Each place has an operator of its own with seeds of its own: on the CPU a generator belongs to one node of the
    compiled graph (or to one operator, in eager mode), goes on from launch to launch, and starts from the operator's
    seeds, so that two nodes with the same seeds draw the same numbers (seen with 2.10.0).
    """

    def __init__(self, places: int, device: DeviceKind, seeds: tuple[int, ...]) -> None:
        super().__init__()
        # `mint.rand_like`, the successor of all other random operators, is for Ascend only, and `Uniform` is not.
        self.on_npu = device == "npu"
        numbers = np.random.SeedSequence(seeds).generate_state(2 * places).astype(np.int64) // 2 + 1
        self.operators = tuple(Uniform(0.0, 1.0, int(a), int(b)) for a, b in numbers.reshape(places, 2))
        self.sign = ops.Sign()
        self.relu = ops.ReLU()

    def construct(self, place: int, p: Any, tape: Any) -> Any:
        """Return 1 where a uniform number is below p, else 0; the number is the tape's if there is one."""
        if len(tape) > 0:
            u = tape[place]
        elif self.on_npu:
            u = mint.rand_like(p)
        else:
            u = self.operators[place](p)
        return self.relu(self.sign(p - u))


class Machine(nn.Cell):  # type: ignore[misc]
    """One mini-batch's update of a stage, with its own stream of random numbers and the parameters of the program.

    `construct` takes the binary pictures' probabilities x `(B, V)`, learning rate and momentum and the tape's numbers
    one by one, and returns the statistics.
    """

    def __init__(self, stage: Stage, parameters: dict[str, Any], draws: Draws, gibbs_steps: int) -> None:
        super().__init__()
        self.draws = draws
        self.gibbs_steps = gibbs_steps
        trained = tuple(parameter_shapes(stage))
        self.weights = ms.ParameterTuple([parameters[name] for name in trained])
        self.velocities = ms.ParameterTuple([parameters[f"velocity.{name}"] for name in trained])
        self.decays = tuple(
            stage.weight_decay if len(shape) == 2 else 0.0 for shape in parameter_shapes(stage).values()
        )
        self.apply_momentum = ops.ApplyMomentum()
        self.product = ops.MatMul()
        self.product_with_transpose = ops.MatMul(transpose_b=True)
        self.product_of_transpose = ops.MatMul(transpose_a=True)
        self.add_bias = ops.BiasAdd()
        self.sigmoid = ops.Sigmoid()
        self.stack_rows = ops.Concat(0)
        self.sum = ops.ReduceSum()
        self.row_sum = ops.ReduceSum(keep_dims=True)

    def above(self, x: Any, weight: Any, bias: Any) -> Any:
        return self.sigmoid(self.add_bias(self.product(x, weight), bias))

    def below(self, h: Any, weight: Any, bias: Any) -> Any:
        return self.sigmoid(self.add_bias(self.product_with_transpose(h, weight), bias))

    def squared_error(self, x: Any, y: Any) -> Any:
        """Return the sum of squares, by columns first: float32 loses less in short sums."""
        return self.sum(self.sum(ops.square(x - y), 0))

    def move(self, rate: Any, momentum: Any, *gradients: Any) -> None:
        """Move all that is trained, by gradients that the learning rate is in already."""
        for i, w in enumerate(self.weights):
            step = gradients[i]
            if self.decays[i] > 0:
                step = step - (rate * self.decays[i]) * w
            # velocity = momentum * velocity + step; w -= -1 * velocity
            self.apply_momentum(w, self.velocities[i], -1.0, step, momentum)


class RbmMachine(Machine):
    """The update of `harness.boltzmann.Rbm`."""

    def __init__(self, stage: Rbm, parameters: dict[str, Any], draws: Draws, gibbs_steps: int) -> None:
        super().__init__(stage, parameters, draws, gibbs_steps)
        self.weight, self.visible_bias, self.hidden_bias = self.weights
        self.up = 2.0 if stage.doubled == "visible" else 1.0
        self.down = 2.0 if stage.doubled == "hidden" else 1.0
        self.persistent = stage.persistent
        self.recognise = stage.recognise > 0
        self.recognise_copies = float(stage.recognise_copies)
        if self.persistent:
            self.chain = parameters["chain"]
        if self.recognise:
            self.below_weight, self.below_bias = parameters["below.weight"], parameters["below.bias"]

    def construct(self, x: Any, rate: Any, momentum: Any, *tape: Any) -> Any:
        v0 = self.draws(0, x, tape)
        place = 1
        if self.recognise:
            v0 = self.draws(place, self.recognised(v0), tape)
            place = place + 1
        p0 = self.hidden(v0)
        if self.persistent:
            h = self.chain
        else:
            h = self.draws(place, p0, tape)
            place = place + 1
        v, p = v0, p0
        for k in range(1, self.gibbs_steps + 1):
            v = self.draws(place, self.visible(h), tape)
            place = place + 1
            p = self.hidden(v)
            if k < self.gibbs_steps or self.persistent:
                h = self.draws(place, p, tape)
                place = place + 1
        scale = rate / x.shape[0]
        # The rate goes into the small matrices of probabilities, not into the large one of gradients.
        up0, up = scale * p0, -scale * p
        self.move(
            rate,
            momentum,
            self.product_of_transpose(self.stack_rows((v0, v)), self.stack_rows((up0, up))),
            scale * self.sum(v0 - v, 0),
            self.sum(up0 + up, 0),
        )
        error = self.squared_error(v0, v) / x.shape[0]
        if self.persistent:
            ops.assign(self.chain, h)
        return ops.reshape(error, (1,))

    def hidden(self, v: Any) -> Any:
        return self.doubled(self.add_bias(self.product(v, self.weight), self.hidden_bias), self.up)

    def visible(self, h: Any) -> Any:
        return self.doubled(self.add_bias(self.product_with_transpose(h, self.weight), self.visible_bias), self.down)

    def recognised(self, v: Any) -> Any:
        return self.doubled(self.add_bias(self.product(v, self.below_weight), self.below_bias), self.recognise_copies)

    def doubled(self, y: Any, copies: float) -> Any:
        """Return `s(copies y)`."""
        if copies > 1:
            y = copies * y
        return self.sigmoid(y)

    def features(self, x: Any, indices: Any, steps: int) -> Any:
        v = ops.gather(x, indices, 0)
        if self.recognise:
            v = self.recognised(v)
        return self.hidden(v)


class JointMachine(Machine):
    """The update of `harness.boltzmann.Joint`."""

    def __init__(self, stage: Joint, parameters: dict[str, Any], draws: Draws, gibbs_steps: int) -> None:
        super().__init__(stage, parameters, draws, gibbs_steps)
        self.weight1, self.weight2, self.visible_bias, self.hidden1_bias, self.hidden2_bias = self.weights
        self.chain, self.mean1, self.mean2 = parameters["chain"], parameters["mean1"], parameters["mean2"]
        self.mean_field_steps = stage.mean_field_steps
        self.target1, self.target2 = stage.sparsity_targets
        self.cost = stage.sparsity_cost
        self.damping = stage.sparsity_damping

    def construct(self, x: Any, rate: Any, momentum: Any, *tape: Any) -> Any:
        v = self.draws(0, x, tape)
        m1, m2, change = self.mean_field(v, self.mean_field_steps)
        q1, fantasy = self.chain, v
        for k in range(self.gibbs_steps):
            h1 = self.draws(3 * k + 1, q1, tape)
            h2 = self.draws(3 * k + 2, self.above(h1, self.weight2, self.hidden2_bias), tape)
            fantasy = self.draws(3 * k + 3, self.below(h1, self.weight1, self.visible_bias), tape)
            q1 = self.first_layer(self.product(fantasy, self.weight1), h2)
        q2 = self.above(q1, self.weight2, self.hidden2_bias)
        b, c = 1.0 / x.shape[0], 1.0 / q1.shape[0]
        mean_v, mean_m1, mean_m2 = b * self.row_sum(v, 0), b * self.row_sum(m1, 0), b * self.row_sum(m2, 0)
        mean_w, mean_q1, mean_q2 = c * self.row_sum(fantasy, 0), c * self.row_sum(q1, 0), c * self.row_sum(q2, 0)
        r1 = self.damping * self.mean1 + (1 - self.damping) * ops.reshape(mean_m1, (-1,))
        r2 = self.damping * self.mean2 + (1 - self.damping) * ops.reshape(mean_m2, (-1,))
        e1 = ops.reshape((rate * self.cost) * (r1 - self.target1), (1, -1))
        e2 = ops.reshape((rate * self.cost) * (r2 - self.target2), (1, -1))
        error = b * self.squared_error(v, self.below(m1, self.weight1, self.visible_bias))
        # All terms of a gradient are one product, of data, chains and sparsity stacked; the rate is in the second.
        data, chains = rate * b, -rate * c
        below1, above1 = (v, fantasy, mean_v), (data * m1, chains * q1, -e1)
        below2, above2 = (m1, q1, mean_m1, e1), (data * m2, chains * q2, -e2, -mean_m2)
        self.move(
            rate,
            momentum,
            self.product_of_transpose(self.stack_rows(below1), self.stack_rows(above1)),
            self.product_of_transpose(self.stack_rows(below2), self.stack_rows(above2)),
            ops.reshape(rate * (mean_v - mean_w), (-1,)),
            ops.reshape(rate * (mean_m1 - mean_q1) - e1, (-1,)),
            ops.reshape(rate * (mean_m2 - mean_q2) - e2, (-1,)),
        )
        ops.assign(self.chain, q1)
        ops.assign(self.mean1, r1)
        ops.assign(self.mean2, r2)
        return ops.stack((error, change, ops.mean(mean_w), ops.mean(mean_q1), ops.mean(mean_q2)))

    def first_layer(self, from_below: Any, above: Any) -> Any:
        """Return `s(from_below + above W2' + b)`."""
        both = from_below + self.product_with_transpose(above, self.weight2)
        return self.sigmoid(self.add_bias(both, self.hidden1_bias))

    def mean_field(self, v: Any, steps: int) -> Any:
        """Return m1 `(B, H1)`, m2 `(B, H2)` and the mean absolute change of m1 in the last step."""
        from_below = self.product(v, self.weight1)
        m1 = self.sigmoid(self.add_bias(2.0 * from_below, self.hidden1_bias))
        m2 = self.above(m1, self.weight2, self.hidden2_bias)
        before = m1
        for _ in range(steps):
            before = m1
            m1 = self.first_layer(from_below, m2)
            m2 = self.above(m1, self.weight2, self.hidden2_bias)
        return m1, m2, ops.mean(self.sum(ops.abs(m1 - before), 0)) / v.shape[0]

    def features(self, x: Any, indices: Any, steps: int) -> Any:
        m1, m2, _ = self.mean_field(ops.gather(x, indices, 0), steps)
        return ops.concat((m1, m2), 1)


class WakeSleepMachine(Machine):
    """The update of `harness.boltzmann.WakeSleep`."""

    def __init__(self, stage: WakeSleep, parameters: dict[str, Any], draws: Draws, gibbs_steps: int) -> None:
        super().__init__(stage, parameters, draws, gibbs_steps)
        self.recognition, self.generation, self.weight2, *biases = self.weights
        self.recognition_bias, self.visible_bias, self.hidden1_bias, self.hidden2_bias = biases

    def construct(self, x: Any, rate: Any, momentum: Any, *tape: Any) -> Any:
        v = self.draws(0, x, tape)
        h = self.draws(1, self.above(v, self.recognition, self.recognition_bias), tape)
        p0 = self.above(h, self.weight2, self.hidden2_bias)
        g = self.draws(2, p0, tape)
        n, p = h, p0
        for k in range(self.gibbs_steps):
            n = self.draws(2 * k + 3, self.below(g, self.weight2, self.hidden1_bias), tape)
            p = self.above(n, self.weight2, self.hidden2_bias)
            if k + 1 < self.gibbs_steps:
                g = self.draws(2 * k + 4, p, tape)
        dream = self.draws(2 * self.gibbs_steps + 2, self.below(n, self.generation, self.visible_bias), tape)
        missed = v - self.below(h, self.generation, self.visible_bias)
        unseen = n - self.above(dream, self.recognition, self.recognition_bias)
        scale = rate / x.shape[0]
        up0, up = scale * p0, -scale * p
        self.move(
            rate,
            momentum,
            self.product_of_transpose(dream, scale * unseen),
            self.product_of_transpose(missed, scale * h),
            self.product_of_transpose(self.stack_rows((h, n)), self.stack_rows((up0, up))),
            scale * self.sum(unseen, 0),
            scale * self.sum(missed, 0),
            scale * self.sum(h - n, 0),
            self.sum(up0 + up, 0),
        )
        return ops.stack((self.squared_error(missed, ops.zeros_like(missed)) / x.shape[0],))

    def features(self, x: Any, indices: Any, steps: int) -> Any:
        pictures = ops.gather(x, indices, 0)
        return self.above(
            self.above(pictures, self.recognition, self.recognition_bias), self.weight2, self.hidden2_bias
        )
