"""The layers that a model is made of, and the rules of arithmetic that every backend obeys.

A model is a tuple of these. Shapes leave out the batch axis: `(C, H, W)` for images and `(F,)` for features;
images are channels-first here, whatever a framework prefers inside, and sequences are `(T, F)`. All arithmetic is
float32 unless a run asks for something else by name.
"""

from typing import Literal

from msgspec import Struct

ActivationName = Literal["sigmoid", "tanh", "relu", "leaky_relu", "selu", "gelu"]


class _Layer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="layer"):
    """What all layers share: they are frozen data, written in JSON with their class name under `layer`."""


class Dense(_Layer, frozen=True, kw_only=True):
    """`y = x W' + b` with `W` of shape `(units, inputs)` and `b` of shape `(units,)`; of a sequence at each step."""

    units: int
    bias: bool = True


class Conv2d(_Layer, frozen=True, kw_only=True):
    """Cross-correlation with `filters` square kernels, `W` of shape `(filters, C / groups, kernel, kernel)`.

    `padding` zeros are put on each of the four sides, so that no framework's own idea of "same" comes into play. With
    `groups`, each of that many equal parts of the filters sees its own part of the channels alone (Krizhevsky 2012).
    """

    filters: int
    kernel: int
    stride: int = 1
    padding: int = 0
    bias: bool = True
    groups: int = 1


class MaxPool2d(_Layer, frozen=True, kw_only=True):
    """Maximum over windows of `size` by `size`, `stride` apart (0: `size`, so that they do not overlap).

    `padding` places that are never the maximum are put on each of the four sides; what is left at the far edge and
    fills no window is dropped. The gradient goes to the first place of a window that holds its maximum.
    """

    size: int = 2
    stride: int = 0
    padding: int = 0


class AvgPool2d(_Layer, frozen=True, kw_only=True):
    """Mean over windows of `size` by `size` that do not overlap; a remainder at the far edge is dropped."""

    size: int = 2


class GlobalAvgPool2d(_Layer, frozen=True, kw_only=True):
    """Mean of each channel, `(C, H, W)` to `(C,)` (Lin, Chen & Yan 2014)."""


class Upsample2d(_Layer, frozen=True, kw_only=True):
    """Repeat every value `size` times along both sides (nearest neighbour).

    Not a transposed convolution: with a convolution behind it this computes as much, and leaves no checkerboard
    (Odena, Dumoulin & Olah 2016).
    """

    size: int = 2


class Flatten(_Layer, frozen=True, kw_only=True):
    """`(C, H, W)` to `(C*H*W,)`, channel slowest."""


class Dropout(_Layer, frozen=True, kw_only=True):
    """In training each value is zero with probability `rate`, else divided by `1 - rate`; the identity elsewhere."""

    rate: float


class BatchNorm(_Layer, frozen=True, kw_only=True):
    """Normalise each channel or feature, then scale by `weight` and shift by `bias`.

    Training uses the biased variance of the mini-batch. The running statistics, used outside of training, move by
    `r = momentum * r + (1 - momentum) * batch`, with the unbiased variance (n - 1), and start at mean 0, variance 1.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5


class LayerNorm(_Layer, frozen=True, kw_only=True):
    """Normalise over the features, of a sequence at each time step; then scale by `weight` and shift by `bias`.

    By the biased variance, `epsilon` inside the root (Ba, Kiros & Hinton 2016).
    """

    epsilon: float = 1e-5


class LocalResponseNorm(_Layer, frozen=True, kw_only=True):
    """`y_c = x_c / (k + alpha * sum of x_j^2)^beta` over the `size` channels around c (Krizhevsky et al. 2012).

    `alpha` is not divided by `size`, and where channels end the sum has fewer terms; `size` is odd.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0


class Activation(_Layer, frozen=True, kw_only=True):
    """An element-wise function without parameters.

    `leaky_relu` has the given `slope` left of zero. `gelu` is `x Phi(x)` with the normal distribution itself, not its
    approximation by tanh (Hendrycks & Gimpel 2016). `selu` has the constants of Klambauer et al. 2017,
    alpha 1.6732632423543772 and scale 1.0507009873554805.
    """

    kind: ActivationName
    slope: float = 0.01


class PReLU(_Layer, frozen=True, kw_only=True):
    """`max(x, 0) + a * min(x, 0)` with one trained slope `a` per channel or feature (He et al. 2015)."""

    slope: float = 0.25


class Maxout(_Layer, frozen=True, kw_only=True):
    """The largest of `pieces` affine maps: `y_u = max_p (x W_p' + b_p)_u` (Goodfellow et al. 2013).

    `W` has the shape `(units * pieces, inputs)`; the rows of unit `u` are `u*pieces ... u*pieces + pieces - 1`.
    """

    units: int
    pieces: int = 2


class Embedding(_Layer, frozen=True, kw_only=True):
    """`y_t = W[x_t]`: whole numbers `(T,)` below `vocabulary` become the rows `(T, units)` of `W (vocabulary, units)`.

    Every row is trained, that of the padding (number 0) too, as any other word's.
    """

    vocabulary: int
    units: int


class Positions(_Layer, frozen=True, kw_only=True):
    """`y_t = x_t + W_t`: a trained row of `W (T, F)` is added at each place of a sequence `(T, F)`."""


class SelfAttention(_Layer, frozen=True, kw_only=True):
    """Multi-head scaled dot-product self-attention on `(T, E)` (Vaswani et al. 2017, section 3.2).

    `q = x Wq' + bq`, `k` and `v` alike, each `(E, E)` and `(E,)`, cut into `heads` parts of `d = E / heads` features;
    `softmax(q k' / sqrt(d)) v` of every head, joined, then `Wo'` and `bo`. A `causal` layer lets no place see later
    ones. Padding is a word like any other: nothing is masked for it. No dropout inside.
    """

    heads: int
    causal: bool = False


class _Recurrent(_Layer, frozen=True, kw_only=True):
    """What recurrent layers share: from `(T, I)` to the last state `(H,)`, or to all states `(T, H)` if `sequence`.

    `h_0 = 0`. `input_weight` is `(G*H, I)`, `state_weight` `(G*H, H)` and `bias` `(G*H,)`, in G blocks of rows, one per
    gate; there is one trained bias (two would double its learning rate). A `bidirectional` layer holds a second set,
    `reverse_...`, that reads from the end: its last state is the one at t = 1, and the two are joined to `(2H,)`.
    """

    units: int
    bidirectional: bool = False
    sequence: bool = False
    bias: bool = True


class SimpleRNN(_Recurrent, frozen=True, kw_only=True):
    """`h_t = f(W x_t + U h_{t-1} + b)` with f = tanh or ReLU (Elman 1990)."""

    kind: Literal["tanh", "relu"] = "tanh"


class LSTM(_Recurrent, frozen=True, kw_only=True):
    """Four gates, blocks i, f, g, o: `c_t = s(f) c_{t-1} + s(i) tanh(g); h_t = s(o) tanh(c_t)` (Gers et al. 2000)."""


class GRU(_Recurrent, frozen=True, kw_only=True):
    """Three gates, blocks r, z, n: `h_t = (1 - z) n + z h_{t-1}` with `n = tanh(W_n x_t + b_n + r (U_n h_{t-1}))`.

    The reset gate acts after the matrix product, as in cuDNN and the defaults of all frameworks today, not on the
    state before it, as in Cho et al. 2014.
    """


class Residual(_Layer, frozen=True, kw_only=True):
    """`y = f(x) + s(x)`: the sum of the outputs of `layers` and of `shortcut`, which is x itself if it is empty."""

    layers: "tuple[Layer, ...]"
    shortcut: "tuple[Layer, ...]" = ()


class Branches(_Layer, frozen=True, kw_only=True):
    """The outputs of several branches, joined along the channels or features; an empty branch is the input itself.

    An Inception module (Szegedy et al. 2015), and nested also a U-Net, whose skips are empty branches.
    """

    branches: "tuple[tuple[Layer, ...], ...]"


Recurrent = SimpleRNN | LSTM | GRU
Layer = (
    Dense
    | Conv2d
    | MaxPool2d
    | AvgPool2d
    | Flatten
    | Dropout
    | BatchNorm
    | Activation
    | PReLU
    | Maxout
    | Embedding
    | SimpleRNN
    | LSTM
    | GRU
    | GlobalAvgPool2d
    | Upsample2d
    | LayerNorm
    | LocalResponseNorm
    | Positions
    | SelfAttention
    | Residual
    | Branches
)
