"""Is a review good or bad? The way of the lectures: look words up, read them in order, judge by the last state.

What comes before (tokens, the dictionary, numbers, padding in front) is in `harness/data/texts.py`.
"""

from harness.layers import GRU, LSTM, Dense, Dropout, Embedding, Layer, SimpleRNN
from harness.optimizers import Adam, StepSchedule
from harness.spec import EarlyStopping, Preset, Target, Task

DATASETS = ("reviews-en", "reviews-zh", "imdb", "chnsenticorp", "rt-polarity", "uci-sentences")
SMALL_VOCABULARY, SMALL_LENGTH, SMALL_UNITS = 500, 24, 32
VOCABULARY, LENGTH, UNITS = 20_000, 400, 64

BATCH = 64
IMDB_STEPS, CHNSENTICORP_STEPS = 22_500 // BATCH, 5_591 // BATCH
"""Steps per epoch, a tenth of the training texts being held out."""


def halving(every: int, l2: float = 0.0) -> Adam:
    """Return Adam at a rate that is halved after so many steps: the large nets learn the training texts by heart."""
    return Adam(learning_rate=0.001, l2=l2, clip_norm=1.0, schedule=StepSchedule(every=every, factor=0.5))


def layers(recurrent: tuple[Layer, ...], vocabulary: int, units: int, dropout: float = 0.0) -> tuple[Layer, ...]:
    """Return the whole model around its recurrent layers."""
    embedding = Embedding(vocabulary=vocabulary, units=units)
    drop = (Dropout(rate=dropout),) if dropout else ()
    return (embedding, *drop, *recurrent, *drop, Dense(units=2))


def family(name: str, summary: str, small: tuple[Layer, ...], large: tuple[Layer, ...]) -> Task:
    """Return a text task with the given recurrent layers for the embedded reviews and for real ones."""
    big = layers(large, VOCABULARY, UNITS, dropout=0.5)
    target = Target(at_least=0.87)
    return reviews(name, summary, layers(small, SMALL_VOCABULARY, SMALL_UNITS), big, target=target)


def reviews(
    name: str, summary: str, small: tuple[Layer, ...], big: tuple[Layer, ...], *, target: Target | None
) -> Task:
    """Return a text task with whole models for the embedded reviews and for real ones, which are to reach `target`."""
    quick = Adam(learning_rate=0.005, clip_norm=1.0)
    return Task(
        name=name,
        version=1,
        summary=summary,
        input_shape=(SMALL_LENGTH,),
        layers=small,
        loss="softmax_cross_entropy",
        datasets=DATASETS,
        presets={
            "smoke": Preset(
                dataset="reviews-en", epochs=1, batch_size=BATCH, optimizer=quick, measure_s=0.2, inference_s=0.1
            ),
            "quick": Preset(
                dataset="reviews-en", epochs=2, batch_size=BATCH, optimizer=quick, target=Target(at_least=0.9)
            ),
            "full": Preset(
                dataset="imdb",
                epochs=4,
                batch_size=BATCH,
                optimizer=halving(every=IMDB_STEPS),
                target=target,
                evaluations=8,
                early_stopping=EarlyStopping(share=0.1, patience=4),
                timeout_s=14_400,
                input_shape=(LENGTH,),
                layers=big,
            ),
            "chinese": Preset(
                dataset="chnsenticorp",
                epochs=8,
                batch_size=BATCH,
                optimizer=halving(every=2 * CHNSENTICORP_STEPS, l2=3e-5),
                target=target,
                evaluations=8,
                early_stopping=EarlyStopping(share=0.1, patience=4),
                timeout_s=14_400,
                input_shape=(200,),
                layers=big,
            ),
        },
    )


def task() -> Task:
    """Return the task with an LSTM."""
    return family(
        "lstm-text",
        "Classify reviews by their last LSTM state, in English and Chinese.",
        (LSTM(units=SMALL_UNITS),),
        (LSTM(units=UNITS),),
    )


def gru() -> Task:
    """Return the task with a GRU."""
    return family("gru-text", "Classify reviews with a GRU.", (GRU(units=SMALL_UNITS),), (GRU(units=UNITS),))


def rnn() -> Task:
    """Return the task with a plain recurrent network, whose gradients vanish: the lecture's case for the LSTM."""
    small, large = (SimpleRNN(units=SMALL_UNITS),), (SimpleRNN(units=UNITS),)
    return family("rnn-text", "Classify reviews with a plain recurrent network.", small, large)


def bilstm() -> Task:
    """Return the task with an LSTM that reads both ways."""
    return family(
        "bilstm-text",
        "Classify reviews with a bidirectional LSTM.",
        (LSTM(units=SMALL_UNITS // 2, bidirectional=True),),
        (LSTM(units=UNITS // 2, bidirectional=True),),
    )


def stacked() -> Task:
    """Return the task with two LSTMs on top of each other."""
    return family(
        "stacked-text",
        "Classify reviews with two LSTM layers.",
        (LSTM(units=SMALL_UNITS, sequence=True), LSTM(units=SMALL_UNITS)),
        (LSTM(units=UNITS, sequence=True), LSTM(units=UNITS)),
    )
