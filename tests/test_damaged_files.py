"""Whatever a disk has made of a file that is read back: one sentence, or the thing is made again; never a traceback."""

import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from records_factory import MACHINE

from harness.data.baselines import bag_of_words
from harness.data.prepare import prepare
from harness.environments import config
from harness.environments.folder import STAMP, read_stamp
from harness.environments.home import Remembered
from harness.errors import EvenbenchError
from harness.records import pictures, same_seed
from harness.records.store import STUDY, Store
from harness.registry import task
from harness.runs import evidence, profiles
from harness.spec import Choice
from harness.worker.process import RESULT, read_result

XOR = task("xor")


def array_file() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(12.0))
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, filters=np.arange(12.0), losses=np.arange(3.0))
    return buffer.getvalue()


SPOILT = {
    "empty": b"",
    "a blank": b" \n",
    "zeros": bytes(4096),
    "cut off": b'{"schema": 5, "name": "stu',
    "another type": b"[1, 2]",
    "a number": b"3",
    "null": b"null",
    "no UTF-8 in a name": b'{"\xff": 1}',
    "no UTF-8 in a string": b'{"name": "\xff", "python": "\xff", "pins_sha256": "\xff", "reason": "\xff"}',
    "UTF-16": '{"schema": 5}'.encode("utf-16"),
    "nested without end": b'{"a":' + b"[" * 100_000,
    "nested in TOML": b"a=" + b"[" * 20_000,
    "one array": array_file(),
    "one array without numbers": array_file()[:-40],
    "an archive, cut off": archive()[:-30],
    "an archive of other things": archive(),
    "half an archive": archive()[: len(archive()) // 2],
}


@pytest.fixture(params=SPOILT)
def spoilt(request: pytest.FixtureRequest) -> bytes:
    return SPOILT[request.param]


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def sentence_of(call: Callable[[], object]) -> str:
    with pytest.raises(EvenbenchError) as caught:
        call()
    return str(caught.value)


def test_a_damaged_plan_is_one_sentence(spoilt: bytes, tmp_path: Path) -> None:
    write(tmp_path / STUDY, spoilt)
    assert "cannot be read" in sentence_of(Store(tmp_path).study)


def test_a_damaged_record_is_listed(spoilt: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "run.json", spoilt)
    records, damaged = Store(tmp_path).records()
    assert (records, [one.path for one in damaged]) == ([], [str(path)])


def test_a_damaged_config_is_one_sentence(spoilt: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / config.NAME, spoilt)
    if not spoilt.strip():
        assert config.read(path) == config.Config()
    else:
        assert str(path) in sentence_of(lambda: config.read(path))


def test_a_damaged_answer_is_forgotten(spoilt: bytes, home: Path) -> None:
    known = Remembered("parity", ("a fact", str(len(spoilt))), dict[str, str])
    assert known.file is not None
    write(known.file, spoilt)
    assert known.answer() is None
    known.keep({"a": "b"})
    assert known.answer() == {"a": "b"}


def test_a_damaged_stamp_is_as_good_as_none(spoilt: bytes, tmp_path: Path) -> None:
    write(tmp_path / STAMP, spoilt)
    assert read_stamp(tmp_path) is None


def test_damaged_evidence_has_its_reason(spoilt: bytes, tmp_path: Path) -> None:
    found = evidence.read(write(tmp_path / "evidence.json", spoilt))
    assert found is not None
    assert "does not hold together" in found.reason


def test_a_damaged_profile_is_one_sentence(spoilt: bytes, home: Path) -> None:
    choice = Choice(backend="numpy", device="cpu", mode="eager")
    write(profiles.path_of("xor", "smoke", choice, machine=MACHINE, cores=2), spoilt)
    said = sentence_of(lambda: profiles.find(XOR, "smoke", choice, machine=MACHINE, cores=2, packages=""))
    assert "evenbench tune" in said


def test_a_damaged_answer_of_a_worker_is_a_crash(spoilt: bytes, tmp_path: Path) -> None:
    write(tmp_path / RESULT, spoilt)
    found = read_result(tmp_path)
    assert found is not None
    assert found.outcome is not None
    assert found.outcome.status == "crashed"
    assert "answer cannot be read" in found.outcome.reason


def test_damaged_pictures_are_none(spoilt: bytes, tmp_path: Path) -> None:
    pictures.save(write(tmp_path / pictures.ARRAYS, spoilt), tmp_path / "run.pictures")
    assert not (tmp_path / "run.pictures").exists()


def test_a_damaged_outcome_gives_its_place_to_that_of_the_next_twin(spoilt: bytes, tmp_path: Path) -> None:
    write(same_seed.kept_path(tmp_path, "one"), spoilt)
    same_seed.write(str(tmp_path), [1.0, 2.0], {"weight": np.ones(2, np.float32)})
    found = tmp_path / same_seed.OUTCOME
    twins = {"two": ("one", "three"), "three": ("one", "two")}
    first = same_seed.settle(found, "two", twins=twins["two"], folder=tmp_path)
    if first is None:  # else it was an archive of other arrays, which is a difference and no damage
        twin = same_seed.settle(found, "three", twins=twins["three"], folder=tmp_path)
        assert twin is not None
        assert (twin.run_id, twin.identical) == ("two", True)


def test_a_damaged_baseline_is_computed_again(spoilt: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bag_of_words, "accuracy", lambda arrays: 0.75)
    file = write(tmp_path / "bag_of_words.json", spoilt)
    found = bag_of_words.remembered({"train_x": str(tmp_path / "train_x.npy")})
    assert found == (3.0 if spoilt == b"3" else 0.75)
    assert msgspec.json.decode(file.read_bytes()) == found


def prepared() -> list[Path]:
    """Return the cached files of a run."""
    data = prepare(XOR, XOR.preset("smoke"), dataset="xor", seed=0, data_dir=None)
    return [Path(path) for path in (*data.arrays.values(), data.order, data.weights)]


@pytest.mark.parametrize("number", range(6))
def test_a_damaged_file_of_the_cache_is_one_sentence(
    number: int, spoilt: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path))
    path = prepared()[number]
    if spoilt in (array_file(), archive()):
        return  # whole files of other numbers: nobody can tell
    path.write_bytes(spoilt)
    assert f"{path} is damaged" in sentence_of(prepared)
