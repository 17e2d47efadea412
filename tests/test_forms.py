"""What a task's layers ask for is what they get: words, pixels, y equal to x, examples held out for validation."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.data import datasets, forms, images
from harness.data import prepare as data
from harness.data.prepare import Prepared, prepare
from harness.data.text_files import TextFile
from harness.errors import DataError, UsageError
from harness.layers import LSTM, Activation, Dense, Embedding, Layer
from harness.optimizers import SGD
from harness.spec import EarlyStopping, Loss, Preset, Task

PRESET = Preset(dataset="", epochs=3, batch_size=8, optimizer=SGD(learning_rate=0.1))


def task(
    *layers: Layer, shape: tuple[int, ...], names: tuple[str, ...] = (), loss: Loss = "softmax_cross_entropy"
) -> Task:
    return Task(
        name="some", version=1, summary="", input_shape=shape, layers=layers, loss=loss, datasets=names, presets={}
    )


def reader(*, vocabulary: int = 300, length: int = 12, outputs: int = 2) -> Task:
    layers = (Embedding(vocabulary=vocabulary, units=3), LSTM(units=3), Dense(units=outputs))
    return task(*layers, shape=(length,), names=("reviews-en", "reviews-zh", "digits", "xor"))


def net(outputs: int, loss: Loss = "softmax_cross_entropy") -> Task:
    return task(Dense(units=outputs), shape=(784,), names=("digits", "reviews-en"), loss=loss)


def prepared(some: Task, dataset: Any, *, seed: int = 0, preset: Preset = PRESET) -> Prepared:
    return prepare(some, preset, dataset=dataset, seed=seed, data_dir=None)


def arrays(found: Prepared) -> dict[str, np.ndarray]:
    return {name: np.load(path, allow_pickle=False) for name, path in found.arrays.items()}


pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize("dataset", ["reviews-en", "reviews-zh"])
def test_texts_come_as_the_numbers_that_the_embedding_has(dataset: str) -> None:
    found = prepared(reader(), dataset)
    for name, values in arrays(found).items():
        assert values.dtype == np.int32
        assert values.shape == (found.examples[name.split("_")[0]], *((12,) if name.endswith("_x") else ()))
        assert values.min() >= 0
        assert values.max() < 300
    words = data.words(found)
    assert words is not None
    assert words[:2] == ["<padding>", "<unknown>"]
    assert json.loads(Path(found.arrays["train_x"]).with_name("classes.json").read_text()) == ["bad", "good"]


def test_another_vocabulary_or_length_is_another_folder_and_fingerprint() -> None:
    some = [prepared(reader(**size), "reviews-en") for size in ({}, {"vocabulary": 50}, {"length": 13})]
    assert len({one.fingerprint for one in some}) == len({one.arrays["train_x"] for one in some}) == 3
    words = data.words(some[1])
    assert words is not None
    assert len(words) == 50
    assert arrays(some[1])["train_x"].max() == 49


def test_a_data_set_without_words_has_none() -> None:
    assert data.words(prepared(net(10), "digits")) is None


@pytest.mark.parametrize(
    ("some", "dataset", "sentence"),
    [
        (reader(), "digits", "the data set digits holds images, but the task's model reads words: choose another"),
        (reader(), "xor", "the data set xor holds numbers, but the task's model reads words"),
        (net(10), "reviews-en", "the data set reviews-en holds texts, but the task's model reads 784 pixels"),
    ],
)
def test_data_in_no_form_for_the_task_are_refused(some: Task, dataset: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        prepared(some, dataset)


def test_labels_and_outputs_must_fit() -> None:
    with pytest.raises(
        DataError, match="reviews-en has 2 classes, but the last layer of the task some gives 3 outputs"
    ):
        prepared(reader(outputs=3), "reviews-en")
    with pytest.raises(DataError, match="digits has 10 classes, but the last layer of the task some gives 9 outputs"):
        prepared(net(9), "digits")
    assert prepared(net(11), "digits").examples["train"] == 1437


def test_pixels_are_shares_of_white_without_padding() -> None:
    found = prepared(net(10), "digits")
    raw = images.digits().arrays
    for split in ("train", "test"):
        x, y = (arrays(found)[f"{split}_{part}"] for part in "xy")
        assert (x.dtype.name, x.shape) == ("float32", (len(y), 784))
        np.testing.assert_array_equal(x.reshape(-1, 28, 28), (raw[f"{split}_x"] / 255).astype(np.float32))
        np.testing.assert_array_equal(y, raw[f"{split}_y"])
        assert (x.min(), x.max()) == (0, 1)
    plain = task(Activation(kind="relu"), shape=(1, 32, 32), names=("digits",), loss="mean_squared_error")
    assert prepared(plain, "digits").fingerprint == datasets.fingerprint(datasets.named("digits")) != found.fingerprint


@pytest.mark.parametrize("loss", ["mean_squared_error", "sigmoid_cross_entropy"])
def test_an_autoencoder_is_asked_for_its_input(loss: Loss) -> None:
    found = prepared(net(784, loss), "digits")
    values = arrays(found)
    for split in ("train", "test"):
        np.testing.assert_array_equal(values[f"{split}_y"], values[f"{split}_x"])
    assert found.examples == {"train": 1437, "test": 360}
    assert found.fingerprint != prepared(net(10), "digits").fingerprint
    assert forms.form_of(net(10, loss)) == forms.Pixels()


def test_the_cosine_is_noisy_to_train_and_true_to_test() -> None:
    values = datasets.load(datasets.named("cosine"))
    assert {name: (array.dtype.name, array.shape) for name, array in values.items()} == {
        "train_x": ("float32", (50, 1)),
        "train_y": ("float32", (50, 1)),
        "test_x": ("float32", (200, 1)),
        "test_y": ("float32", (200, 1)),
    }
    assert 0 <= values["train_x"].min() < values["train_x"].max() < 5
    assert 0.05 < np.std(values["train_y"] - np.cos(values["train_x"])) < 0.15
    np.testing.assert_allclose(values["test_x"][:, 0], np.arange(200) / 40)
    np.testing.assert_allclose(values["test_y"], np.cos(values["test_x"]), atol=1e-6)


def stopping(share: float, **others: Any) -> Preset:
    return msgspec.structs.replace(PRESET, early_stopping=EarlyStopping(share=share), **others)


def test_what_is_held_out_is_never_trained_on() -> None:
    found = prepared(net(10), "digits", preset=stopping(0.1))
    assert found.validation is not None
    held_out, order = np.load(found.validation), np.load(found.order)
    assert (held_out.dtype, order.dtype) == (np.int32, np.int32)
    expected = np.random.default_rng([0, 4]).permutation(1437)[:144]
    np.testing.assert_array_equal(held_out, np.sort(expected))
    assert order.shape == (3 * (1293 // 8), 8)
    assert not set(order.ravel().tolist()) & set(held_out.tolist())
    assert len(set(order[: 1293 // 8].ravel().tolist())) == 1293 // 8 * 8, "an example comes twice in an epoch"
    assert found.examples == {"train": 1437, "test": 360}


def test_another_seed_or_share_holds_out_others_and_none_without_early_stopping() -> None:
    first = prepared(net(10), "digits", preset=stopping(0.1)).validation
    assert first is not None
    assert prepared(net(10), "digits", preset=stopping(0.1), seed=1).validation != first
    assert prepared(net(10), "digits", preset=stopping(0.2)).validation != first
    assert prepared(net(10), "digits").validation is None


def test_a_share_that_leaves_too_little_on_either_side_is_refused() -> None:
    with pytest.raises(DataError, match="digits has 287 training examples without the 1150 held out .* of 300"):
        prepared(net(10), "digits", preset=stopping(0.8, batch_size=300))
    with pytest.raises(DataError, match=r"of which a share of 0.0001 for validation is none: raise the share"):
        prepared(net(10), "digits", preset=stopping(0.0001))
    for share in (0.0, 1.0):
        with pytest.raises(UsageError, match=f"a share of the training examples between 0 and 1, not {share}"):
            prepared(net(10), "digits", preset=stopping(share))


def test_a_users_file_is_prepared_by_any_task_of_words(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text("".join(f"a good film {n},pos\na bad film {n},neg\n" for n in range(20)))
    dataset = datasets.chosen(str(path))
    assert isinstance(dataset, TextFile)
    found = prepared(reader(), dataset)
    assert found.examples == {"train": 32, "test": 8}
    assert Path(found.arrays["train_x"]).parent.name.startswith(dataset.name)
    path.write_text(path.read_text() + "".join(f"no film {n},other\n" for n in range(20)))
    with pytest.raises(DataError, match="file-films-.* has 3 classes, but the last layer .* gives 2 outputs"):
        prepared(reader(), dataset)


def test_a_wrong_folder_is_refused_even_if_the_texts_are_cached(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist: expected are aclImdb_v1.tar.gz or aclImdb_labelled"):
        prepare(reader(), PRESET, dataset=datasets.named("imdb"), seed=0, data_dir=tmp_path / "nowhere")
