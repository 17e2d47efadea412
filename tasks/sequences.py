"""Sequences without a last state: the next character at every place, and reviews read by a Transformer."""

from harness.layers import (
    LSTM,
    Activation,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Layer,
    LayerNorm,
    Positions,
    Residual,
    SelfAttention,
)
from harness.optimizers import Adam, StepSchedule
from harness.spec import Preset, Target, Task
from tasks import lstm_text

CHARACTERS = 64
LENGTH = 48


def characters_layers(units: int) -> tuple[Layer, ...]:
    """Return a net that says at every place which character comes next.

    Its layer is an LSTM: a GRU is a loop in Python with some backends, two seconds a step.
    """
    return Embedding(vocabulary=CHARACTERS, units=16), LSTM(units=units, sequence=True), Dense(units=CHARACTERS)


def char_rnn() -> Task:
    """Return the lectures' task: having read C, H, I, N, say A (Karpathy 2015); every place is one example."""
    quick = Adam(learning_rate=0.01, clip_norm=1.0)
    return Task(
        name="char-rnn",
        version=1,
        summary="Say the next character at every place of a text with an LSTM.",
        input_shape=(LENGTH,),
        layers=characters_layers(48),
        loss="softmax_cross_entropy",
        datasets=("reviews-en", "rt-polarity", "imdb"),
        presets={
            "smoke": Preset(
                dataset="reviews-en", epochs=1, batch_size=64, optimizer=quick, measure_s=0.2, inference_s=0.1
            ),
            "quick": Preset(
                dataset="reviews-en", epochs=4, batch_size=64, optimizer=quick, target=Target(at_least=0.7)
            ),
            "full": Preset(
                dataset="rt-polarity",
                epochs=10,
                batch_size=64,
                optimizer=Adam(learning_rate=0.005, clip_norm=1.0, schedule=StepSchedule(every=1500, factor=0.5)),
                evaluations=5,
                timeout_s=36_000,
                layers=characters_layers(256),
            ),
        },
    )


def encoder(vocabulary: int, features: int, *, heads: int, blocks: int, dropout: float = 0.0) -> tuple[Layer, ...]:
    """Return a Transformer's encoder with the normalisation in front (Vaswani et al. 2017; Xiong et al. 2020).

    All places are laid side by side for the last layer, which so weighs each place by itself.
    """
    drop = (Dropout(rate=dropout),) if dropout else ()
    block = (
        Residual(layers=(LayerNorm(), SelfAttention(heads=heads), *drop)),
        Residual(
            layers=(
                LayerNorm(),
                Dense(units=2 * features),
                Activation(kind="gelu"),
                Dense(units=features),
                *drop,
            )
        ),
    )
    first = (Embedding(vocabulary=vocabulary, units=features), Positions(), *drop)
    return (*first, *block * blocks, LayerNorm(), Flatten(), *drop, Dense(units=2))


def transformer_text() -> Task:
    """Return the reviews of `lstm-text`, read by a Transformer's encoder."""
    small = encoder(lstm_text.SMALL_VOCABULARY, lstm_text.SMALL_UNITS, heads=4, blocks=1)
    large = encoder(lstm_text.VOCABULARY, lstm_text.UNITS, heads=4, blocks=2, dropout=0.3)
    return lstm_text.reviews(
        "transformer-text",
        "Classify reviews with a Transformer's encoder, in English and Chinese.",
        small,
        large,
        target=None,  # of real reviews: not run yet
    )
