"""Data sets: the embedded ones are what they say; files are found, checked, or downloaded from a mirror that has them.

The downloads come from a server in this process; nothing here needs a network.
"""

import gzip
import hashlib
import io
import os
import struct
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import zoom  # type: ignore[import-untyped, unused-ignore]

from harness.data import datasets, files
from harness.data.datasets import IdxFile, IdxImages
from harness.errors import DataError, UsageError

REAL = [dataset for dataset in datasets.TABLE.values() if isinstance(dataset, IdxImages)]


def idx_bytes(shape: tuple[int, ...]) -> bytes:
    values = np.random.default_rng(0).integers(0, 256 if len(shape) == 3 else 10, shape, np.uint8)
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values.tobytes()


def compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def idx_file(name: str, shape: tuple[int, ...]) -> IdxFile:
    content = idx_bytes(shape)
    digests = [hashlib.sha256(some).hexdigest() for some in (content, compressed(content))]
    return IdxFile(name=name, shape=shape, sha256=digests[0], gz_sha256=digests[1])


FILES = {
    "train_x": idx_file("train-images-idx3-ubyte", (6, 28, 28)),
    "train_y": idx_file("train-labels-idx1-ubyte", (6,)),
    "test_x": idx_file("t10k-images-idx3-ubyte", (3, 28, 28)),
    "test_y": idx_file("t10k-labels-idx1-ubyte", (3,)),
}
CONTENTS = {file.name: idx_bytes(file.shape) for file in FILES.values()}
SMALL = IdxImages(name="small", summary="nine images", mean=0.1307, deviation=0.3081, files=FILES, mirrors=())


def write_files(folder: Path, pattern: str = "{}", spelling: str = "-idx") -> None:
    for name, content in CONTENTS.items():
        path = folder / pattern.format(name.replace("-idx", spelling))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(compressed(content) if path.suffix == ".gz" else content)


class Mirror(BaseHTTPRequestHandler):
    """Serve the small data set below /good/; below /other/, /half/ and /mute/ as bad mirrors do; else 404."""

    def do_GET(self) -> None:
        _, place, file = self.path.split("/")
        content = b"<html>please log in</html>" if place == "other" else compressed(CONTENTS[file.removesuffix(".gz")])
        if place == "mute":
            return time.sleep(0.5)
        if place not in ("good", "other", "half"):
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if place == "half" else content)
        return None

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def fresh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("EVENBENCH_DATA", raising=False)
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def form(array: NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}"


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def refused_address() -> str:
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        return f"http://127.0.0.1:{server.server_address[1]}/good/"


def test_every_data_set_of_the_table_stands_under_its_own_name() -> None:
    assert [datasets.named(name).name for name in datasets.names()] == list(datasets.names())


def test_an_unknown_data_set_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown data set 'minst': known are xor, digits, mnist, fashion-mnist"):
        datasets.named("minst")


def test_fingerprints_differ_between_data_sets_and_with_their_content() -> None:
    found = {datasets.fingerprint(datasets.named(name)) for name in datasets.names()}
    assert len(found) == len(datasets.names())
    assert datasets.fingerprint(SMALL) != datasets.fingerprint(msgspec.structs.replace(SMALL, mean=0.5))


def test_xor_is_its_four_points_in_both_splits() -> None:
    arrays = datasets.load(datasets.named("xor"))
    for split in ("train", "test"):
        x, y = arrays[f"{split}_x"], arrays[f"{split}_y"]
        assert (form(x), form(y)) == ("float32 (4, 2)", "float32 (4, 1)")
        np.testing.assert_array_equal(y[:, 0], x[:, 0] != x[:, 1])


def test_digits_have_the_form_of_mnist_and_are_split_by_class() -> None:
    arrays = datasets.load(datasets.named("digits"))
    for split, count in (("train", 1437), ("test", 360)):
        x, y = arrays[f"{split}_x"], arrays[f"{split}_y"]
        assert (form(x), form(y)) == (f"float32 ({count}, 1, 32, 32)", f"int32 ({count},)")
        assert len(np.unique(y[:32])) == 10, "the shuffled order is lost"
    train, test = np.bincount(arrays["train_y"]), np.bincount(arrays["test_y"])
    np.testing.assert_allclose(test, (train + test) * 360 / 1797, atol=1)


def test_digits_are_the_same_bytes_everywhere() -> None:
    arrays = datasets.load(datasets.named("digits"))
    digest = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()
    assert digest == "9520fc9451ce5fbc962c770ffc899e49081861135a05ddf76a91034ef42a286e", (
        "other bytes: raise PIPELINE_VERSION"
    )


def test_digits_are_enlarged_as_scipy_does_it_rounded_to_bytes() -> None:
    images = np.random.default_rng(0).integers(0, 17, (20, 8, 8)).astype(np.uint8)
    expected = zoom(images * (255 / 16), (1, 3.5, 3.5), order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(datasets.enlarged(images), expected, rtol=0, atol=0.5 + 1e-9)


def test_images_are_padded_before_they_are_normalised() -> None:
    images = np.full((2, 28, 28), 255, np.uint8)
    found = datasets.normalised(images, mean=0.1307, deviation=0.3081)
    assert form(found) == "float32 (2, 1, 32, 32)"
    np.testing.assert_allclose(found[:, 0, :2], -0.1307 / 0.3081, rtol=1e-6)
    np.testing.assert_allclose(found[:, 0, 2:-2, 2:-2], (1 - 0.1307) / 0.3081, rtol=1e-6)


@pytest.mark.parametrize("pattern", ["small/{}", "small/{}.gz", "{}", "{}.gz"])
@pytest.mark.parametrize("spelling", ["-idx", ".idx"])
def test_files_are_found_in_the_users_folder(pattern: str, spelling: str, tmp_path: Path) -> None:
    write_files(tmp_path, pattern, spelling)
    arrays = datasets.load(SMALL, data_dir=tmp_path)
    raw = np.frombuffer(CONTENTS["train-images-idx3-ubyte"], np.uint8, offset=16).reshape(6, 28, 28)
    np.testing.assert_allclose(arrays["train_x"][:, 0, 2:-2, 2:-2], (raw / 255 - 0.1307) / 0.3081, atol=1e-6)
    assert arrays["test_y"].tolist() == list(CONTENTS["t10k-labels-idx1-ubyte"][8:])
    assert form(arrays["test_y"]) == "int32 (3,)"


def test_the_variable_names_the_folder_and_the_argument_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path / "files")
    monkeypatch.setenv("EVENBENCH_DATA", str(tmp_path / "files"))
    assert len(datasets.load(SMALL)["train_x"]) == 6
    with pytest.raises(DataError, match="elsewhere does not exist"):
        datasets.load(SMALL, data_dir=tmp_path / "elsewhere")


def test_a_folder_without_the_files_is_refused_and_nothing_is_downloaded(
    tmp_path: Path, fresh_home: Path, address: str
) -> None:
    write_files(tmp_path / "half")
    (tmp_path / "half" / "t10k-labels-idx1-ubyte").unlink()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    sentences = {
        "half": "has no t10k-labels-idx1-ubyte of small: expected are train-images-idx3-ubyte[.gz],",
        "empty": "is empty: expected are train-images-idx3-ubyte[.gz],",
        "file": "is a file, not a folder: expected are",
        "missing": "does not exist: expected are",
    }
    for folder, sentence in sentences.items():
        with pytest.raises(DataError) as caught:
            datasets.load(SMALL, data_dir=tmp_path / folder, mirrors=[f"{address}/good/"])
        assert f"the data folder {tmp_path / folder} {sentence}" in str(caught.value)
    assert files_below(fresh_home) == []


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_of_another_data_set_is_refused_by_name(suffix: str, tmp_path: Path) -> None:
    write_files(tmp_path, "{}" + suffix)
    content = CONTENTS["train-labels-idx1-ubyte"][:-1] + b"\xff"
    path = tmp_path / f"train-labels-idx1-ubyte{suffix}"
    path.write_bytes(compressed(content) if suffix else content)
    with pytest.raises(DataError) as caught:
        datasets.load(SMALL, data_dir=tmp_path)
    assert str(caught.value).startswith(f"{path} holds other values than expected")
    assert str(caught.value).endswith(": replace it with train-labels-idx1-ubyte of small")


def test_files_are_downloaded_once_when_no_folder_is_named(fresh_home: Path, address: str) -> None:
    first = datasets.load(SMALL, mirrors=[f"{address}/good/"])
    again = datasets.load(SMALL, mirrors=[refused_address()])
    np.testing.assert_array_equal(first["train_x"], again["train_x"])
    assert files_below(fresh_home) == sorted(f"{name}.gz" for name in CONTENTS)


@pytest.mark.parametrize("bad", ["absent", "other", "half", "refused"])
def test_the_second_mirror_serves_where_the_first_fails(bad: str, fresh_home: Path, address: str) -> None:
    first = refused_address() if bad == "refused" else f"{address}/{bad}/"
    assert len(datasets.load(SMALL, mirrors=[first, f"{address}/good"])["train_x"]) == 6
    assert files_below(fresh_home) == sorted(f"{name}.gz" for name in CONTENTS)


@pytest.mark.alone("the good mirror, too, has a tenth of a second")
def test_the_second_mirror_serves_where_the_first_is_silent(fresh_home: Path, address: str) -> None:
    file = SMALL.files["train_y"]
    path = files.fetch(
        f"{file.name}.gz",
        sha256=file.gz_sha256,
        mirrors=[f"{address}/mute/", f"{address}/good/"],
        folder=fresh_home,
        remedy="",
        timeout_s=(5, 0.1),
    )
    assert gzip.decompress(path.read_bytes()) == CONTENTS[file.name]


def test_when_every_mirror_fails_the_error_lists_them_and_leaves_nothing(fresh_home: Path, address: str) -> None:
    refused = refused_address()
    mirrors = [f"{address}/absent/", f"{address}/other/", f"{address}/half/", refused, "ftp//nonsense"]
    with pytest.raises(DataError) as caught:
        datasets.load(SMALL, mirrors=mirrors)
    file = "train-images-idx3-ubyte.gz"
    for reason in (
        f"cannot download {file}, tried were {address}/absent/{file} (404 Not Found)",
        f"{address}/other/{file} (what came has another checksum)",
        f"{address}/half/{file} (the connection broke off)",
        f"{refused}{file} (no connection)",
        "put the four files of small into a folder and name it with --data-dir or EVENBENCH_DATA",
    ):
        assert reason in str(caught.value)
    assert files_below(fresh_home) == []


def test_a_cached_download_that_was_damaged_is_fetched_again(fresh_home: Path, address: str) -> None:
    datasets.load(SMALL, mirrors=[f"{address}/good/"])
    next(fresh_home.rglob("train-labels*")).write_bytes(b"damaged")
    assert len(datasets.load(SMALL, mirrors=[f"{address}/good/"])["train_y"]) == 6


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(
    fresh_home: Path, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets.load(SMALL, mirrors=[f"{address}/absent/", f"{address}/good/"])
    assert capsys.readouterr() == ("", "")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("EVENBENCH_HOME", str(fresh_home / "second"))
    datasets.load(SMALL, mirrors=[f"{address}/absent/", f"{address}/good/"])
    assert "t10k-labels-idx1-ubyte.gz" in terminal.getvalue()


@pytest.mark.parametrize("dataset", REAL, ids=lambda dataset: dataset.name)
def test_the_original_files_are_accepted_and_come_out_normalised(dataset: IdxImages) -> None:
    if not os.environ.get("EVENBENCH_DATA"):
        pytest.skip("EVENBENCH_DATA names no folder with the original files")
    arrays = datasets.load(dataset)
    assert form(arrays["train_x"]) == "float32 (60000, 1, 32, 32)"
    assert form(arrays["test_x"]) == "float32 (10000, 1, 32, 32)"
    np.testing.assert_array_equal(np.unique(arrays["test_y"]), np.arange(10))
    inner = arrays["train_x"][:, :, 2:-2, 2:-2].astype(np.float64)
    assert abs(inner.mean()) < 1e-3
    assert abs(inner.std() - 1) < 1e-3
