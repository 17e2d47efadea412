"""The real corpora of reviews: which files they are in, and how these become labelled texts in two splits.

IMDB has a split of its own. From the others a fifth of each class is held out (`harness/data/texts.py`).
"""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from harness.data import imdb
from harness.data.files import VARIABLE, Wanted, fetch, find
from harness.data.texts import Corpus, Language, split
from harness.environments.home import cache_folder
from harness.errors import DataError

CLASSES = ("negative", "positive")


class CorpusFile(Struct, frozen=True, kw_only=True):
    """One file of a corpus.

    Its names, the mirrors' one first, and the SHA-256 of what is read from it: of its uncompressed bytes, or of an
    archive's reviews.
    """

    names: tuple[str, ...]
    sha256: str
    download_sha256: str = ""
    """Of the file as it is on the mirrors, if there are any."""


class RealCorpus(Struct, frozen=True, kw_only=True):
    """A data set of texts that lies in files: `read` makes the corpus of their checked paths."""

    name: str
    summary: str
    language: Language
    subfolders: tuple[str, ...]
    files: dict[str, CorpusFile]
    read: "Callable[[RealCorpus, Mapping[str, Path]], Corpus]"
    mirrors: tuple[str, ...] = ()
    source: str
    """Where its files can be had, for errors."""

    @property
    def remedy(self) -> str:
        """What the user can do where a file is missing or another one; the end of an error's sentence."""
        files = ", ".join(file.names[0] for file in self.files.values())
        return f"put {files} ({self.source}) into a folder and name it with --data-dir or {VARIABLE}"


def load(corpus: RealCorpus, *, data_dir: Path | None, mirrors: Sequence[str] | None = None) -> Corpus:
    """Return the texts of a corpus from the user's folder, else from a download.

    Raises:
        DataError: a file is missing, damaged, not the one it should be, or cannot be downloaded.
    """
    paths = local(corpus, data_dir) or _downloaded(corpus, corpus.mirrors if mirrors is None else mirrors)
    return corpus.read(corpus, paths)


def local(corpus: RealCorpus, data_dir: Path | None) -> dict[str, Path] | None:
    """Return the paths of a corpus's files in the user's folder, or None if the user names no folder.

    Raises:
        DataError: the folder or a file is missing; nothing is downloaded in its place.
    """
    wanted = {
        key: Wanted(name=" or ".join(file.names), spellings=_spellings(file)) for key, file in corpus.files.items()
    }
    expected = ", ".join(file.name for file in wanted.values())
    return find(corpus.name, wanted, data_dir, subfolders=corpus.subfolders, expected=f"{expected} ({corpus.source})")


def _spellings(file: CorpusFile) -> tuple[str, ...]:
    return file.names + tuple(f"{name}.gz" for name in file.names if not name.endswith(".gz"))


def _downloaded(corpus: RealCorpus, mirrors: Sequence[str]) -> dict[str, Path]:
    if not mirrors:
        raise DataError(
            "the data set {name} cannot be downloaded file by file: {remedy}", name=corpus.name, remedy=corpus.remedy
        )
    folder = cache_folder() / "downloads" / corpus.name
    return {
        key: fetch(file.names[0], sha256=file.download_sha256, mirrors=mirrors, folder=folder, remedy=corpus.remedy)
        for key, file in corpus.files.items()
    }


def _lines(corpus: RealCorpus, key: str, path: Path) -> str:
    """Return the text of a file, checked; its lines end with a line feed, and with nothing else."""
    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            "{path} is a damaged gzip file ({error}): {remedy}", path=path, error=error, remedy=corpus.remedy
        ) from error
    except OSError as error:
        raise DataError(
            "{path} cannot be read ({strerror}): {remedy}",
            path=path,
            strerror=error.strerror or error,
            remedy=corpus.remedy,
        ) from error
    found, expected = hashlib.sha256(content).hexdigest(), corpus.files[key].sha256
    if found != expected:
        raise DataError(
            "{path} holds another text than expected, its uncompressed SHA-256 is {found} instead of "
            "{expected}: {remedy}",
            path=path,
            found=found,
            expected=expected,
            remedy=corpus.remedy,
        )
    return content.decode("utf-8")


def _split(corpus: RealCorpus, examples: Sequence[tuple[str, int]]) -> Corpus:
    labels = np.array([label for _, label in examples], np.int32)
    return split([text for text, _ in examples], labels, language=corpus.language, classes=CLASSES)


def _read_imdb(corpus: RealCorpus, paths: Mapping[str, Path]) -> Corpus:
    reviews = imdb.read(paths["archive"], sha256=corpus.files["archive"].sha256, remedy=corpus.remedy)
    # RandomState, not default_rng: only the old generator promises the same numbers from every version of NumPy.
    random = np.random.RandomState(0)
    texts, labels = {}, {}
    for part in ("train", "test"):
        unordered = [(text, label) for label, name in enumerate(imdb.CLASSES) for text in reviews.pop((part, name))]
        examples = [unordered[index] for index in random.permutation(len(unordered))]
        texts[part] = [text for text, _ in examples]
        labels[part] = np.array([label for _, label in examples], np.int32)
    return Corpus(language=corpus.language, classes=CLASSES, texts=texts, labels=labels)


def _read_chnsenticorp(corpus: RealCorpus, paths: Mapping[str, Path]) -> Corpus:
    # `newline=""`, so that line feeds within a review stay as they are.
    rows = csv.DictReader(io.StringIO(_lines(corpus, "reviews", paths["reviews"]), newline=""))
    return _split(corpus, [(row["review"], int(row["label"])) for row in rows if row["review"]])  # one is empty


def _read_rt_polarity(corpus: RealCorpus, paths: Mapping[str, Path]) -> Corpus:
    examples = []
    for label, key in enumerate(("neg", "pos")):
        lines = _lines(corpus, key, paths[key]).removesuffix("\n").split("\n")
        examples += [(line.strip(), label) for line in lines]
    return _split(corpus, examples)


def _read_uci_sentences(corpus: RealCorpus, paths: Mapping[str, Path]) -> Corpus:
    examples = []
    for key, path in paths.items():
        for line in _lines(corpus, key, path).removesuffix("\n").split("\n"):  # one text holds U+0085, no line's end
            text, _, label = line.rpartition("\t")
            examples.append((text.strip(), int(label)))
    return _split(corpus, examples)


TABLE: dict[str, RealCorpus] = {
    "imdb": RealCorpus(
        name="imdb",
        summary="50,000 film reviews in English (Maas et al. 2011; for research, please cite)",
        language="en",
        subfolders=("imdb",),
        files={
            "archive": CorpusFile(
                names=("aclImdb_v1.tar.gz", "aclImdb_labelled.tar.gz"),
                sha256="f88a2dfc4f673e3d6323392fef052862d6b1c16d62502e6a50c3868809879f04",
                download_sha256="c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
            )
        },
        read=_read_imdb,
        mirrors=("https://ai.stanford.edu/~amaas/data/sentiment/",),
        source="https://ai.stanford.edu/~amaas/data/sentiment/",
    ),
    "chnsenticorp": RealCorpus(
        name="chnsenticorp",
        summary="7,765 hotel reviews in Chinese, two thirds positive (Songbo Tan; no licence stated)",
        language="zh",
        subfolders=("chnsenticorp", "ChnSentiCorp_htl_all"),
        files={
            "reviews": CorpusFile(
                names=("ChnSentiCorp_htl_all.csv",),
                sha256="1d414b9c65caf3a836abdb4efded621968502ad3338e1a9d885ae131c86083f0",
                download_sha256="1d414b9c65caf3a836abdb4efded621968502ad3338e1a9d885ae131c86083f0",
            )
        },
        read=_read_chnsenticorp,
        mirrors=(
            "https://raw.githubusercontent.com/SophonPlus/ChineseNlpCorpus/master/datasets/ChnSentiCorp_htl_all/",
        ),
        source="https://github.com/SophonPlus/ChineseNlpCorpus",
    ),
    "rt-polarity": RealCorpus(
        name="rt-polarity",
        summary="10,662 sentences about films in English (Pang and Lee 2005; please cite)",
        language="en",
        subfolders=("rt-polarity", "rt-polaritydata"),
        files={
            "neg": CorpusFile(
                names=("rt-polarity.neg",),
                sha256="2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd",
                download_sha256="2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd",
            ),
            "pos": CorpusFile(
                names=("rt-polarity.pos",),
                sha256="4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58",
                download_sha256="4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58",
            ),
        },
        read=_read_rt_polarity,
        mirrors=(
            "https://raw.githubusercontent.com/dennybritz/cnn-text-classification-tf/master/data/rt-polaritydata/",
        ),
        source="in UTF-8, as in https://github.com/dennybritz/cnn-text-classification-tf",
    ),
    "uci-sentences": RealCorpus(
        name="uci-sentences",
        summary="3,000 sentences about goods, films and restaurants in English (Kotzias et al. 2015; please cite)",
        language="en",
        subfolders=("uci-sentences", "uci-sentiment-sentences", "sentiment labelled sentences"),
        files={
            "amazon": CorpusFile(
                names=("amazon_cells_labelled.txt",),
                sha256="47003fc0a0d4840b00e96e715b6189bad09e7443a3da41c4cbe12ffc79f86ae3",
            ),
            "imdb": CorpusFile(
                names=("imdb_labelled.txt",), sha256="aef2e49e3da25714d61175e3a6e68eeef74a20a2f914318dc3be9947ea86512d"
            ),
            "yelp": CorpusFile(
                names=("yelp_labelled.txt",), sha256="c76468b7b5c6e56a0804d728345c5f84aa2142ddb214420f61cc9cfd4c00d2ea"
            ),
        },
        read=_read_uci_sentences,
        source="Sentiment Labelled Sentences of https://archive.ics.uci.edu",
    ),
}
"""Names to corpora, in the order in which they are listed."""
