"""Compositions and the layers that go with them: names, shapes, sentences, work, and what data they read."""

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from test_reference import net_and_batch

from backends.numpy.nets import Net
from benchmarks.stacks import stack
from harness.data import cifar, scenes, texts
from harness.data.images import digits
from harness.data.texts import Corpus
from harness.errors import DataError, UsageError
from harness.layers import (
    Activation,
    Branches,
    Conv2d,
    Dense,
    Layer,
    LocalResponseNorm,
    MaxPool2d,
    Residual,
    SelfAttention,
    Upsample2d,
)
from harness.measure.quality import bits_per_place, mean_iou, quality
from harness.model import cuts, initial_weights, layer_parameters, named_layers, parameter_shapes
from harness.optimizers import SGD
from harness.parity import levels
from harness.parity.zoo import case, zoo
from harness.registry import reference, task
from harness.spec import Task, fingerprint
from harness.worker.jobs import TraceJob
from harness.worker.parity import levels as traced
from reports.frame.work import forward, training_step

STEP = SGD(learning_rate=0.1)


def image_task(*layers: Layer, shape: tuple[int, ...] = (2, 8, 8)) -> Task:
    return case("made", layers, STEP, shape=shape, loss="mean_squared_error")


def test_names_follow_the_nesting() -> None:
    inner = Branches(branches=((Conv2d(filters=3, kernel=1),), ()))
    made = image_task(
        Conv2d(filters=4, kernel=3, padding=1),
        Residual(
            layers=(inner, Conv2d(filters=5, kernel=1, bias=False)), shortcut=(Conv2d(filters=5, kernel=1, bias=False),)
        ),
    )
    assert parameter_shapes(made) == {
        "conv1.weight": (4, 2, 3, 3),
        "conv1.bias": (4,),
        "residual1.layers.branches1.branch1.conv1.weight": (3, 4, 1, 1),
        "residual1.layers.branches1.branch1.conv1.bias": (3,),
        "residual1.layers.conv1.weight": (5, 7, 1, 1),
        "residual1.shortcut.conv1.weight": (5, 4, 1, 1),
    }
    assert named_layers(made)[-1].output_shape == (5, 8, 8)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((Residual(layers=(Conv2d(filters=3, kernel=3),)),), "residual1 do not fit each other: they give (3, 6, 6)"),
        ((Branches(branches=((MaxPool2d(),), ())),), "branches1 do not fit each other: they give (2, 4, 4), (2, 8, 8)"),
        ((Residual(layers=(Conv2d(filters=2, kernel=9),)),), "residual1.layers.conv1 is larger than its input"),
        ((Branches(branches=()),), "branches1 has no branches: give it one at least"),
        ((Conv2d(filters=4, kernel=1, groups=3),), "conv1 has 3 groups, which is to divide its 2 channels"),
        ((MaxPool2d(size=2, padding=2),), "at most half its size 2, not 2"),
        ((LocalResponseNorm(size=4),), "an odd number of channels, not at 4"),
        ((SelfAttention(heads=2),), "expects an input of 2 axes, but gets shape (2, 8, 8)"),
    ],
)
def test_what_does_not_fit_is_one_sentence_with_the_layers_name(layers: tuple[Layer, ...], words: str) -> None:
    with pytest.raises(UsageError, match="task made: ") as refused:
        named_layers(image_task(*layers))
    assert words in str(refused.value)


def test_heads_divide_the_features() -> None:
    with pytest.raises(UsageError, match="has 3 heads, which is to divide its 4 features"):
        named_layers(image_task(SelfAttention(heads=3), shape=(5, 4)))


def test_a_task_keeps_its_fingerprint_when_layers_learn_more() -> None:
    """LeNet's as it was before convolutions had groups and pooling a stride."""
    lenet = task("lenet-mnist")
    assert fingerprint(lenet) == LENET
    grouped = tuple(replace(one, groups=2) if isinstance(one, Conv2d) else one for one in lenet.layers)
    assert fingerprint(replace(lenet, layers=grouped)) != LENET


LENET = "7f02938b22c4"


def test_a_cut_computes_what_the_whole_model_has_there() -> None:
    made = next(one for one in zoo() if one.name == "residual")
    net, x, _y = net_and_batch(made)
    found = {cut.name: cut for cut in cuts(made)}
    assert list(found)[:6] == [
        "conv1", "batchnorm1", "activation1", "residual1.layers.conv1", "residual1.layers.batchnorm1",
        "residual1.layers.activation1",
    ]  # fmt: skip
    assert set(found) >= {"residual2.shortcut.conv1", "residual2", "dense1"}
    last = found["dense1"]
    assert last.sources == {name: name for name in parameter_shapes(made)}
    shortcut = found["residual2.shortcut.conv1"]
    straight = replace(made, layers=shortcut.layers)
    weights = {name: net.parameters[source] for name, source in shortcut.sources.items()}
    y = Net(straight, weights, seed=0).forward(x, training=False)[0]
    assert y.shape[1:] == named_layers(straight)[-1].output_shape == (6, 4, 4)
    assert set(weights) == set(parameter_shapes(straight))


def test_the_first_layer_that_differs_is_named_inside_a_composition() -> None:
    made = next(one for one in zoo() if one.name == "inception")
    reference_trace = {f"prefix/{cut.name}": np.ones(3) for cut in cuts(made)}
    wrong = dict(reference_trace) | {
        f"prefix/{name}": np.zeros(3) for name in ("branches1.branch3.conv1", "branches1", "flatten1", "dense1")
    }
    assert levels.first_difference(made, reference_trace, wrong) == "branches1.branch3.conv1"


def test_the_work_of_a_composition_is_that_of_its_paths() -> None:
    made = image_task(
        Residual(layers=(Conv2d(filters=2, kernel=3, padding=1, bias=False),)),
        Conv2d(filters=4, kernel=1, groups=2, bias=False),
    )
    first, second = 2 * 2 * 9 * 64, 4 * 1 * 64
    assert forward(made, 3).flops == 2 * 3 * (first + second)
    # nobody needs the gradient of the pictures; the second convolution has a trained layer below
    assert training_step(made, STEP, 3).flops == 2 * 3 * (2 * first + 3 * second)


def test_the_work_of_attention_is_its_maps_and_its_products() -> None:
    made = image_task(SelfAttention(heads=2), shape=(5, 4))
    maps, products = 4 * 5 * 4 * 4, 2 * 5 * 5 * 4
    assert forward(made, 1).flops == 2 * (maps + products)


@pytest.mark.parametrize("of", zoo()[:6], ids=lambda of: of.name)
def test_no_layer_of_the_reference_changes_the_type(of: Task) -> None:
    backend: Any = reference()  # which alone can compute in float32 too
    program = backend.single().build(of, STEP, device="cpu", mode="eager", weights=initial_weights(of, 0), seed=0)
    inputs = levels.inputs(of)
    program.load({name: inputs[name] for name in ("train_x", "train_y", "test_x", "test_y")})
    assert {g.dtype for g in program.gradients(inputs["order"][0]).values()} == {np.dtype(np.float32)}
    assert program.predict("train", inputs["order"][0]).dtype == np.float32


@pytest.mark.parametrize("seed", range(40))
def test_every_gradient_of_a_random_stack_is_the_slope_of_the_loss(seed: int) -> None:
    net, x, y = net_and_batch(stack(seed))
    _loss, gradients = net.loss_and_gradients(x, y)
    random = np.random.default_rng(seed)
    direction = {name: random.standard_normal(g.shape) for name, g in gradients.items()}
    expected = sum(float((g * direction[name]).sum()) for name, g in gradients.items())
    h, losses = 1e-6, []
    before = {name: value.copy() for name, value in net.parameters.items()}
    for sign in (1, -1):
        net.parameters = {n: v + sign * h * direction[n] if n in direction else v.copy() for n, v in before.items()}
        losses.append(net.loss_and_gradients(x, y)[0])
    slope = (losses[0] - losses[1]) / (2 * h)
    assert slope == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_places_of_sequences_and_images_have_a_quality_of_their_own() -> None:
    y = np.array([[[0, 1], [1, 1]]])
    answers = np.array([[[0, 1], [0, 1]]])
    # class 0: 1 of 2 places; class 1: 2 of 3
    assert mean_iou(answers, y, classes=5) == pytest.approx((1 / 2 + 2 / 3) / 2)
    logits = np.stack([answers == 0, answers == 1], axis=1).astype(np.float32)
    found = quality("softmax_cross_entropy", logits, y)
    assert found == {"accuracy": 0.75, "mean_iou": pytest.approx((1 / 2 + 2 / 3) / 2)}
    sequence = np.zeros((1, 3, 4), np.float32)
    sequence[0, 0, 2] = np.nan
    assert quality("softmax_cross_entropy", sequence, np.zeros((1, 3), int))["accuracy"] == pytest.approx(2 / 3)
    assert bits_per_place(np.zeros((1, 3, 4), np.float32), np.zeros((1, 3), int)) == pytest.approx(2)


def test_characters_say_which_one_comes_next() -> None:
    corpus = Corpus(
        language="en",
        classes=("bad", "good"),
        texts={"train": ["CHINA", "CHINA"], "test": ["CHIN", "ÄCH"]},
        labels={"train": np.array([0, 1]), "test": np.array([0, 1])},
    )
    found = texts.characters(corpus, vocabulary=7, length=3)
    assert found["train_x"].tolist() == [[2, 3, 4], [5, 1, 6], [2, 3, 4]]
    assert found["train_y"].tolist() == [[3, 4, 5], [1, 6, 2], [3, 4, 5]]
    assert found["test_x"].tolist() == [[2, 3, 4], [5, 6, 0]]


def test_scenes_are_the_same_everywhere_and_have_each_digit_in_its_place() -> None:
    found = scenes.arrays(digits())
    assert {name: values.shape for name, values in found.items()} == {
        "train_x": (958, 1, 32, 32), "train_y": (958, 32, 32), "test_x": (240, 1, 32, 32), "test_y": (240, 32, 32),
    }  # fmt: skip
    assert set(np.unique(found["train_y"])) == set(range(11))
    assert 0.6 < (found["train_y"] == 0).mean() < 0.95
    digest = hashlib.sha256(b"".join(found[name].tobytes() for name in sorted(found))).hexdigest()
    assert digest == SCENES


SCENES = "384ae3f51bd3ada0e1090505419a06b399c458077684897c0f60dabb8579b3bf"


def archive(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return path


def cifar_like(path: Path, **changed: object) -> cifar.CifarImages:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    real = cifar.TABLE["cifar-10"]
    splits = {"train": ("data_batch_1.bin", "data_batch_2.bin"), "test": ("test_batch.bin",)}
    return replace(real, sha256=digest, splits=splits, records=2, **changed)


def records(*classes: int) -> bytes:
    return b"".join(bytes([c]) + bytes([c * 10]) * 1024 + b"\x00" * 1024 + b"\xff" * 1024 for c in classes)


def test_coloured_pictures_come_out_of_their_archive(tmp_path: Path) -> None:
    whole = {"data_batch_1.bin": records(1, 2), "data_batch_2.bin": records(3, 4), "test_batch.bin": records(9, 0)}
    path = archive(tmp_path, whole | {"readme.html": b"x"})
    found = cifar.load(cifar_like(path), data_dir=tmp_path)
    assert found["train_y"].tolist() == [1, 2, 3, 4]
    assert found["test_y"].tolist() == [9, 0]
    assert found["train_x"].shape == (4, 3, 32, 32)
    assert found["train_x"].dtype == np.float32
    picture = found["train_x"][2]
    assert picture[0, 0, 0] == pytest.approx((30 / 255 - 0.4914) / 0.2470)
    assert picture[1, 31, 31] == pytest.approx(-0.4822 / 0.2435)
    assert picture[2, 5, 5] == pytest.approx((1 - 0.4465) / 0.2616)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"data_batch_1.bin": records(1, 2), "test_batch.bin": records(1, 2)}, "has no data_batch_2.bin"),
        ({"data_batch_1.bin": records(1)}, "data_batch_1.bin has 3073 bytes instead of 6146, 2 records of 3073"),
        ({"data_batch_1.bin": records(1, 10)}, "a picture of class 10, where classes are 0 to 9"),
    ],
)
def test_an_archive_of_another_form_is_refused(files: dict[str, bytes], words: str, tmp_path: Path) -> None:
    path = archive(tmp_path, files)
    with pytest.raises(DataError) as refused:
        cifar.load(cifar_like(path), data_dir=tmp_path)
    assert words in str(refused.value)


def test_another_archive_and_a_damaged_one_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, {"data_batch_1.bin": records(1, 2)})
    with pytest.raises(DataError, match="its SHA-256 is"):
        cifar.load(cifar.TABLE["cifar-10"], data_dir=tmp_path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="is a damaged archive"):
        cifar.load(cifar_like(path), data_dir=tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"has no cifar-10-binary\.tar\.gz|is empty"):
        cifar.load(cifar.TABLE["cifar-10"], data_dir=tmp_path)


def test_every_random_stack_has_weights_and_names_once() -> None:
    for seed in range(200):
        made = stack(seed)
        names = [name for named in named_layers(made) for name in layer_parameters(named)]
        assert len(names) == len(set(names))
        assert list(initial_weights(made, 0)) == names


def test_upsampling_repeats_pixels() -> None:
    made = image_task(Upsample2d(size=2), shape=(1, 1, 2))
    x = np.array([[[[1.0, 2.0]]]])
    assert Net(made, {}, 0).forward(x, training=False)[0].tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2]]]]


def test_gelu_is_the_exact_one() -> None:
    made = image_task(Activation(kind="gelu"), shape=(3,))
    y = Net(made, {}, 0).forward(np.array([[-1.0, 0.0, 2.0]]), training=False)[0]
    assert y[0] == pytest.approx([-0.15865525, 0.0, 1.95449974], abs=1e-8)


def test_a_dense_layer_works_at_each_time_step() -> None:
    made = image_task(Dense(units=2), shape=(3, 4))
    assert named_layers(made)[0].output_shape == (3, 2)
    assert parameter_shapes(made) == {"dense1.weight": (2, 4), "dense1.bias": (2,)}


@pytest.mark.parametrize("of", zoo(), ids=lambda of: of.name)
def test_what_rounding_excuses_is_far_below_the_tolerance(of: Task) -> None:
    """Of the zoo, whose sums are well conditioned: else a fault could hide behind it."""
    job = TraceJob(
        task=of, preset=of.presets["only"], adapter="", device="cpu", mode="eager", settings={}, out="", cores=(),
        inputs="",
    )  # fmt: skip
    found = traced(job, reference(), levels.inputs(of))
    allowed = levels.rounding(found, "forward/outputs") / np.abs(found["forward/outputs"]).max()
    assert 0 < allowed < 5 * of.tolerances.forward
