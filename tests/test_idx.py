"""IDX files: what is whole is read as it is, what is not is refused in one sentence that names the file."""

import gzip
import hashlib
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from harness.data import mnist
from harness.errors import DataError

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def encoded(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@given(
    array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)),
    compressed=st.booleans(),
)
def test_what_was_written_is_read_whatever_the_file_is_called(
    array: NDArray[np.uint8], compressed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("idx") / ("named-plain" if compressed else "named-compressed.gz")
    content = encoded(array)
    path.write_bytes(gzip.compress(content) if compressed else content)
    found = mnist.read(path, shape=array.shape, sha256=hashlib.sha256(content).hexdigest())
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)


@given(content=st.binary(max_size=64), compressed=st.booleans())
def test_arbitrary_bytes_are_read_or_refused_but_never_crash(
    content: bytes, compressed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("idx") / "anything"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with suppress(DataError):
        assert encoded(mnist.read(path)) == content


DAMAGED = {
    "empty": (b"", "is not an IDX file, it begins with nothing"),
    "wrong magic": (b"PK\x03\x04rest", "is not an IDX file, it begins with 50 4b 03 04"),
    "no axes": (b"\0\0\x08\0", "is not an IDX file"),
    "floats": (b"\0\0\x0d\x01" + bytes(8), "IDX type 0x0d instead of unsigned bytes"),
    "short header": (encoded(IMAGES)[:10], "ends inside its header, which promises 3 axes"),
    "too short": (encoded(IMAGES)[:-1], "promises 24 values of shape (2, 3, 4) but holds only 23"),
    "too long": (encoded(IMAGES) + b"\0", "promises 24 values of shape (2, 3, 4) but holds more"),
    "a promise of 2**96": (b"\0\0\x08\x03" + b"\xff" * 12 + b"few", "but holds only 3"),
    "truncated gzip": (gzip.compress(encoded(IMAGES))[:-9], "is a damaged gzip file"),
    "only gzip's magic": (b"\x1f\x8b", "is a damaged gzip file"),
    "gzip with a wrong CRC": (gzip.compress(encoded(IMAGES))[:-8] + bytes(8), "is a damaged gzip file (CRC check"),
    "gzip with a broken body": (gzip.compress(bytes(50))[:10] + b"\xff" * 20, "is a damaged gzip file"),
    "gzip and garbage": (gzip.compress(encoded(IMAGES)) + b"garbage", "is a damaged gzip file"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_by_name_with_what_to_do(name: str, tmp_path: Path) -> None:
    content, sentence = DAMAGED[name]
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        mnist.read(path, remedy="ask for another")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(": ask for another")


def test_another_shape_than_expected_is_refused_with_both(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(encoded(IMAGES))
    with pytest.raises(DataError, match=r"shape \(2, 3, 4\) instead of \(2, 4, 3\)"):
        mnist.read(path, shape=(2, 4, 3))


def test_another_checksum_than_expected_is_refused_with_both(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(encoded(IMAGES))
    with pytest.raises(DataError, match=f"SHA-256 is {hashlib.sha256(encoded(IMAGES)).hexdigest()} instead of 00"):
        mnist.read(path, sha256="00")


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere cannot be read .No such file"):
        mnist.read(tmp_path / "nowhere")
    with pytest.raises(DataError, match="cannot be read .Is a directory"):
        mnist.read(tmp_path)
