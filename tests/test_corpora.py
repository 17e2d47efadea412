"""The real corpora: found, checked or downloaded; archives are not believed; no text lies on both sides of a split.

The downloads come from a server in this process; the original files are read where EVENBENCH_DATA has them.
"""

import gzip
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.data import corpora, datasets, imdb
from harness.data import texts as splits
from harness.data.corpora import TABLE, CorpusFile, RealCorpus
from harness.data.texts import Corpus
from harness.errors import DataError

SENTENCES = {
    "neg": "".join(f"bad film number {number} \n" for number in range(10)),
    "pos": "".join(f"good film number {number} \n" for number in range(20)),
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def digest_of_words(corpus: Corpus) -> str:
    lines = (
        " ".join(splits.tokens(one, corpus.language)) for split in ("train", "test") for one in corpus.texts[split]
    )
    return sha256("".join(f"{line}\n" for line in lines).encode())


SMALL: RealCorpus = msgspec.structs.replace(
    TABLE["rt-polarity"],
    name="small",
    subfolders=("small", "other-name"),
    source="from nowhere",
    files={
        key: CorpusFile(
            names=(f"small.{key}",), sha256=sha256(content.encode()), download_sha256=sha256(content.encode())
        )
        for key, content in SENTENCES.items()
    },
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the small corpus."""
    write(tmp_path / "mirror")
    monkeypatch.delenv("EVENBENCH_DATA", raising=False)
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "mirror"))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def write(folder: Path, *, compressed: bool = False) -> None:
    folder.mkdir(parents=True)
    for key, content in SENTENCES.items():
        if compressed:
            (folder / f"small.{key}.gz").write_bytes(gzip.compress(content.encode(), mtime=0))
        else:
            (folder / f"small.{key}").write_bytes(content.encode())


@pytest.mark.parametrize("place", [".", "small", "other-name"])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_corpus_is_found_in_the_users_folder(place: str, compressed: bool, tmp_path: Path) -> None:
    write(tmp_path / "data" / place, compressed=compressed)
    found = corpora.load(SMALL, data_dir=tmp_path / "data")
    assert {split: np.bincount(labels).tolist() for split, labels in found.labels.items()} == {
        "train": [8, 16],
        "test": [2, 4],
    }
    for split, texts in found.texts.items():
        assert [text.startswith("good") for text in texts] == found.labels[split].astype(bool).tolist()


def test_a_missing_file_is_named_with_where_it_belongs(tmp_path: Path) -> None:
    write(tmp_path / "data")
    (tmp_path / "data" / "small.neg").unlink()
    with pytest.raises(DataError) as caught:
        corpora.load(SMALL, data_dir=tmp_path / "data")
    assert str(caught.value) == (
        f"the data folder {tmp_path / 'data'} has no small.neg of small: expected are small.neg, small.pos (from "
        "nowhere), there or in its folder small or other-name"
    )


def test_another_text_is_refused_with_both_digests(tmp_path: Path) -> None:
    write(tmp_path / "data")
    (tmp_path / "data" / "small.pos").write_text("other\n")
    with pytest.raises(DataError, match=f"small.pos holds another text .* is {sha256(b'other' + bytes([10]))} instead"):
        corpora.load(SMALL, data_dir=tmp_path / "data")


def test_a_damaged_compressed_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "data", compressed=True)
    path = tmp_path / "data" / "small.pos.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="small.pos.gz is a damaged gzip file"):
        corpora.load(SMALL, data_dir=tmp_path / "data")


def test_a_corpus_is_downloaded_once(mirror: str, tmp_path: Path) -> None:
    first = corpora.load(SMALL, data_dir=None, mirrors=[mirror])
    (tmp_path / "mirror" / "small.pos").unlink()
    assert corpora.load(SMALL, data_dir=None, mirrors=[mirror]).texts == first.texts


@pytest.mark.usefixtures("mirror")
def test_what_cannot_be_downloaded_says_which_files_to_put_where() -> None:
    with pytest.raises(DataError, match=r"cannot be downloaded file by file: put amazon_cells.*imdb.*yelp.*--data-dir"):
        corpora.load(TABLE["uci-sentences"], data_dir=None)


def test_a_mirror_with_other_bytes_is_not_believed(mirror: str, tmp_path: Path) -> None:
    (tmp_path / "mirror" / "small.neg").write_text("other")
    with pytest.raises(DataError, match=r"what came has another checksum.*put small.neg, small.pos"):
        corpora.load(SMALL, data_dir=None, mirrors=[mirror])


def test_equal_texts_stay_on_one_side() -> None:
    texts = [f"Text {number}!" for number in range(50)] * 2 + [f"text  {number}" for number in range(50)]
    labels = np.array([0, 1] * 75, np.int32)
    found = splits.split(texts, labels, language="en", classes=("a", "b"))
    train, test = ({splits.same(text) for text in found.texts[split]} for split in ("train", "test"))
    assert (len(train), len(test)) == (40, 10)
    assert not train & test
    assert len(found.texts["test"]) == 30


Member = tuple[str, bytes]


def archive(path: Path, members: list[Member], *odd: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in odd:
            tar.addfile(info)
    return path


REVIEWS: list[Member] = [
    ("aclImdb/train/neg/10_1.txt", b"tenth"),
    ("aclImdb/train/neg/9_2.txt", b"ninth"),
    ("aclImdb/train/pos/0_9.txt", "très bon".encode()),
    ("aclImdb/test/neg/0_4.txt", b"bad"),
    ("aclImdb/test/pos/0_7.txt", b"good"),
]


def test_an_archive_gives_its_reviews_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    others = [("aclImdb/README", b"x"), ("aclImdb/train/unsup/0_0.txt", b"x"), ("aclImdb/train/pos/urls_pos.txt", b"x")]
    outside = [("/aclImdb/train/pos/1_9.txt", b"x"), ("../aclImdb/train/pos/1_9.txt", b"x"), ("../../evil", b"x")]
    path = archive(tmp_path / "a.tar.gz", [*outside, *others, *reversed(REVIEWS)])
    assert imdb.read(path, sha256=None, remedy="") == {
        ("train", "neg"): ["ninth", "tenth"],
        ("train", "pos"): ["très bon"],
        ("test", "neg"): ["bad"],
        ("test", "pos"): ["good"],
    }
    assert [found.name for found in tmp_path.rglob("*")] == ["a.tar.gz"], "something was unpacked"


def test_the_digest_is_of_the_reviews_and_not_of_the_archive(tmp_path: Path) -> None:
    members = {tuple(name[8:-4].replace("_", "/").split("/")): content for name, content in REVIEWS}
    path = archive(tmp_path / "a.tar.gz", [*reversed(REVIEWS), ("aclImdb/train/unsup/0_0.txt", b"x")])
    imdb.read(path, sha256=imdb.digest(members), remedy="")
    changed = archive(tmp_path / "b.tar.gz", [*REVIEWS[1:], (REVIEWS[0][0], b"other")])
    with pytest.raises(DataError, match="b.tar.gz holds 5 reviews .* that are not the known 50,000.*: do this"):
        imdb.read(changed, sha256=imdb.digest(members), remedy="do this")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_link_in_the_place_of_a_review_is_refused(kind: bytes, tmp_path: Path) -> None:
    info = tarfile.TarInfo("aclImdb/train/pos/1_9.txt")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(DataError, match="holds aclImdb/train/pos/1_9.txt, which is a link or a device and no file"):
        imdb.read(archive(tmp_path / "a.tar.gz", REVIEWS, info), sha256=None, remedy="")


def test_a_review_that_comes_twice_or_is_far_too_long_is_refused(tmp_path: Path) -> None:
    twice = archive(tmp_path / "a.tar.gz", [*REVIEWS, REVIEWS[0]])
    with pytest.raises(DataError, match=r"holds the review aclImdb/train/neg/10_1.txt twice"):
        imdb.read(twice, sha256=None, remedy="")
    long = archive(tmp_path / "b.tar.gz", [("aclImdb/train/pos/1_9.txt", bytes(100_000))])
    with pytest.raises(DataError, match=r"aclImdb/train/pos/1_9.txt of 100,000 bytes"):
        imdb.read(long, sha256=None, remedy="")


def test_a_damaged_or_missing_archive_is_one_sentence(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [(name, random.bytes(9000)) for name, _ in REVIEWS]
    path = archive(tmp_path / "a.tar.gz", noise)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DataError, match="a.tar.gz is a damaged archive .*: get it again"):
        imdb.read(path, sha256=None, remedy="get it again")
    path.write_bytes(b"no archive at all")
    with pytest.raises(DataError, match="a.tar.gz is a damaged archive .*: get it again"):
        imdb.read(path, sha256=None, remedy="get it again")
    with pytest.raises(DataError, match="b.tar.gz cannot be read"):
        imdb.read(tmp_path / "b.tar.gz", sha256=None, remedy="")


SIZES = {
    "imdb": ([12500, 12500], [12500, 12500]),
    "chnsenticorp": ([1954, 4258], [489, 1064]),
    "rt-polarity": ([4264, 4265], [1067, 1066]),
    "uci-sentences": ([1198, 1200], [302, 300]),
}
BEGINNINGS = {
    "chnsenticorp": '距离川沙公路较近,但是公交指示不对,如果是"蔡陆线"的话',
    "rt-polarity": "the rock is destined to be the 21st century's new",
    "uci-sentences": "So there is no way for me to plug it in here",
    "imdb": "Bromwell High is a cartoon comedy.",
}


@pytest.fixture(scope="module")
def originals() -> dict[str, Corpus]:
    if not os.environ.get("EVENBENCH_DATA"):
        pytest.skip("EVENBENCH_DATA names no folder with the original files")
    return {name: corpora.load(corpus, data_dir=None) for name, corpus in TABLE.items()}


@pytest.mark.parametrize("name", TABLE)
def test_the_original_files_are_accepted_and_split(name: str, originals: dict[str, Corpus]) -> None:
    found = originals[name]
    counts = tuple(np.bincount(found.labels[split]).tolist() for split in ("train", "test"))
    assert counts == SIZES[name]
    assert set(found.labels["train"][:20]) == {0, 1}, "the classes are not mixed"
    texts = [*found.texts["train"], *found.texts["test"]]
    assert all(text.strip() for text in texts)
    labels = np.concatenate([found.labels["train"], found.labels["test"]])
    first = next(label for text, label in zip(texts, labels, strict=True) if text.startswith(BEGINNINGS[name]))
    assert first == (name != "uci-sentences")


WORDS = {
    "imdb": "bccd48b47acbb363c4167f9d4d559686f48deabe7ac1f41319b3b83f14024f94",
    "chnsenticorp": "e5ec5d6bdad1a93f8ef3b55ac15bc2f116c67ef1bc90569b9f8ea624ea277b44",
    "rt-polarity": "1534d4f9d0f06baa2f67ca53bee826d7756705444228f41ffa5974af448eece8",
    "uci-sentences": "6f35ae5d3284ab6332512a43bb6274fc9175bdac56b176f7f8b49d7954b6d94a",
}
"""Of all words of version 1; other words need another `TOKENISER_VERSION`."""


@pytest.mark.parametrize("name", TABLE)
def test_the_original_texts_are_cut_into_the_words_of_their_version(name: str, originals: dict[str, Corpus]) -> None:
    assert splits.TOKENISER_VERSION == 1
    assert digest_of_words(originals[name]) == WORDS[name]


@pytest.mark.parametrize("name", [name for name in TABLE if name != "imdb"])
def test_no_original_text_lies_on_both_sides(name: str, originals: dict[str, Corpus]) -> None:
    train, test = ({splits.same(text) for text in originals[name].texts[split]} for split in ("train", "test"))
    assert not train & test


def test_the_table_of_corpora_is_part_of_the_data_sets() -> None:
    assert set(TABLE) <= set(datasets.names())
    found = {datasets.fingerprint(datasets.named(name)) for name in datasets.names()}
    assert len(found) == len(datasets.names())
