"""Prepared bytes: equal seeds give equal files, different ones differ, and nothing half-written looks complete."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import registry, stage_sequence
from harness.data import datasets
from harness.data import prepare as data
from harness.data.datasets import Embedded
from harness.data.prepare import Prepared, prepare
from harness.environments import home as folders
from harness.errors import DataError, UsageError
from harness.model import initial_weights
from harness.spec import Preset, Task

XOR = registry.task("xor")
SMOKE = XOR.preset("smoke")


def prepared(*, task: Task = XOR, preset: Preset = SMOKE, dataset: str = "xor", seed: int = 0) -> Prepared:
    return prepare(task, preset, dataset=dataset, seed=seed, data_dir=None)


@pytest.fixture
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


EMBEDDED = [
    (task, dataset)
    for task in map(registry.task, registry.task_names())
    for dataset in task.datasets
    if isinstance(datasets.named(dataset), Embedded)
]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("task", "dataset"), EMBEDDED, ids=lambda value: getattr(value, "name", value))
def test_every_embedded_data_set_is_prepared_as_its_task_needs_it(task: Task, dataset: str) -> None:
    preset = task.preset("smoke")
    found = prepared(task=task, preset=preset, dataset=dataset)
    arrays = {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in found.arrays.items()}
    for split, count in found.examples.items():
        assert arrays[f"{split}_x"].shape == (count, *task.input_shape)
        assert len(arrays[f"{split}_y"]) == count
    order = np.load(found.order, mmap_mode="r", allow_pickle=False)
    steps = data.steps_per_epoch(found.examples["train"], preset.batch_size)
    assert (order.shape, order.dtype) == ((preset.order_epochs * steps, preset.batch_size), np.int32)
    with np.load(found.weights, allow_pickle=False) as weights:
        expected = initial_weights(task, 0) | stage_sequence.drawn_states(preset, 0)
        assert list(weights) == list(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(weights[name], value)
    assert all(Path(path).is_absolute() for path in (*found.arrays.values(), found.order, found.weights))


@given(examples=st.integers(1, 50), batch_size=st.integers(1, 50), epochs=st.integers(1, 4), seed=st.integers(0, 2**32))
def test_every_epoch_sees_every_example_once_but_for_the_remainder(
    examples: int, batch_size: int, epochs: int, seed: int
) -> None:
    order = data.batch_order(examples, batch_size=batch_size, epochs=epochs, seed=seed)
    steps = examples // batch_size
    assert order.shape == (epochs * steps, batch_size)
    assert order.dtype == np.int32
    random = np.random.default_rng([seed, 0])
    for epoch in range(epochs):
        seen = order[epoch * steps : (epoch + 1) * steps].ravel()
        assert len(set(seen.tolist())) == steps * batch_size
        np.testing.assert_array_equal(seen, random.permutation(examples)[: steps * batch_size])


def test_equal_seeds_share_their_files_and_other_seeds_do_not(fresh_home: Path) -> None:
    first = prepared(seed=1)
    times = {path: path.stat().st_mtime_ns for path in fresh_home.rglob("*")}
    assert prepared(seed=1) == first
    assert {path: path.stat().st_mtime_ns for path in fresh_home.rglob("*")} == times, "written again"
    other = prepared(seed=2)
    assert other.arrays == first.arrays
    assert other.order != first.order
    assert other.weights != first.weights


def test_a_longer_preset_has_another_order(fresh_home: Path) -> None:
    longer = msgspec.structs.replace(SMOKE, epochs=SMOKE.epochs + 1)
    assert prepared(preset=longer).order != prepared().order


def test_changed_bytes_get_another_fingerprint_and_another_folder(
    fresh_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prepared()
    monkeypatch.setattr(datasets, "PIPELINE_VERSION", datasets.PIPELINE_VERSION + 1)
    after = prepared()
    assert after.fingerprint != before.fingerprint
    assert set(after.arrays.values()).isdisjoint(before.arrays.values())


def test_a_relative_home_still_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENBENCH_HOME", "here")
    assert prepared().order.startswith(str(tmp_path / "here"))


def test_a_data_set_that_the_task_does_not_take_is_refused_with_those_it_takes() -> None:
    with pytest.raises(UsageError, match="task xor does not take the data set 'mnist': it takes xor$"):
        prepared(dataset="mnist")


@pytest.mark.usefixtures("home")
def test_fewer_examples_than_a_batch_are_refused_with_both_numbers() -> None:
    with pytest.raises(DataError, match="xor has 4 training examples, fewer than one mini-batch of 5"):
        prepared(preset=msgspec.structs.replace(SMOKE, batch_size=5))


def test_a_wrong_data_folder_is_refused_even_if_the_arrays_are_cached(
    fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mnist = datasets.named("mnist")
    task = registry.task("lenet-mnist")
    (fresh_home / "cache" / "data" / f"mnist-{datasets.fingerprint(mnist)}").mkdir(parents=True)
    monkeypatch.setenv("EVENBENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="nowhere does not exist"):
        prepare(task, task.preset("smoke"), dataset="mnist", seed=0, data_dir=None)


def test_a_damaged_cache_is_refused_with_what_to_delete(fresh_home: Path) -> None:
    path = Path(prepared().arrays["test_x"])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="test_x.npy is damaged .*: delete its folder and try again"):
        prepared()


def test_pickled_arrays_are_never_loaded(fresh_home: Path) -> None:
    path = Path(prepared().arrays["train_y"])
    np.save(path, np.array([{}, {}, {}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"train_y.npy is damaged"):
        prepared()


@pytest.mark.parametrize("below", ["file", "file/home"])
def test_a_home_that_cannot_be_made_is_refused_in_a_sentence(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path / below))
    with pytest.raises(UsageError, match=f"cannot write {tmp_path / below}: .*; make room there or name another"):
        folders.home()


def test_a_read_only_home_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        tmp_path = Path("/proc")  # the superuser may write everywhere but there
        if not tmp_path.is_dir():
            pytest.skip("the superuser may write to every folder here")
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=f"cannot write {tmp_path}: "):
        folders.cache_folder()


def test_the_folders_are_below_home(fresh_home: Path) -> None:
    assert folders.cache_folder() == fresh_home / "cache"
    assert folders.environments_folder() == fresh_home / "environments"
    assert fresh_home.is_dir()


def _prepare_with_files_of_at_most(limit_bytes: int, seed: int) -> str:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        prepared(seed=seed)
    except UsageError as error:
        return str(error)
    return ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of a file")
@pytest.mark.parametrize("limit_bytes", [0, 100, 500])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(limit_bytes: int, fresh_home: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        sentence = pool.apply(_prepare_with_files_of_at_most, (limit_bytes, 0))
    assert sentence.startswith(f"cannot write {fresh_home / 'cache'}")
    assert sentence.endswith("make room there or name another folder with EVENBENCH_HOME")
    left = {path.parent.name for path in fresh_home.rglob("*") if path.is_file()}
    assert left <= {f"xor-{datasets.fingerprint(datasets.named('xor'))}"}, "a half-written plan is left"
    assert not list(fresh_home.rglob(".unfinished-*"))
    assert prepared().examples == {"train": 4, "test": 4}


def test_an_interrupted_preparation_leaves_nothing_that_looks_complete(fresh_home: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "half").write_text("written")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folders.write_once(fresh_home / "cache" / "folder", fill)
    assert list((fresh_home / "cache").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_preparation_leaves_nothing_that_looks_complete(fresh_home: Path) -> None:
    program = (
        "import os, signal; from pathlib import Path; from harness.environments.home import write_once\n"
        "def fill(folder):\n"
        "    (folder / 'half').write_text('written'); os.kill(os.getpid(), signal.SIGKILL)\n"
        f"write_once(Path({str(fresh_home)!r}) / 'folder', fill)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[1], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not (fresh_home / "folder").exists()
    folders.write_once(fresh_home / "folder", lambda folder: folder.joinpath("whole").touch())
    assert [path.name for path in (fresh_home / "folder").iterdir()] == ["whole"]


def test_of_two_that_write_at_once_the_second_takes_the_first_ones(fresh_home: Path) -> None:
    target = fresh_home / "folder"

    def slow(folder: Path) -> None:
        folders.write_once(target, lambda other: other.joinpath("first").touch())
        folder.joinpath("second").touch()

    assert folders.write_once(target, slow) == target
    assert [path.name for path in fresh_home.rglob("*")] == ["folder", "first"]


def test_four_processes_prepare_the_same_at_once(fresh_home: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        calls = [pool.apply_async(prepared) for _ in range(8)]
        found = [call.get(60) for call in calls]
    assert all(one == found[0] for one in found)
    assert not list(fresh_home.rglob(".unfinished-*"))
