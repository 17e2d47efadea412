"""The data sets that tasks name: where their bytes come from, and how it is known that they are the right ones.

In which form a model gets them is said in `harness/data/forms.py`.
"""

import hashlib
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from harness.data import cifar, corpora, files, forms, images, made_up, mnist
from harness.data.cifar import CifarImages
from harness.data.corpora import RealCorpus
from harness.data.forms import Arrays, Material
from harness.data.images import enlarged as enlarged
from harness.data.images import normalised as normalised
from harness.data.mnist import IdxFile as IdxFile
from harness.data.mnist import IdxImages as IdxImages
from harness.data.text_files import TextFile
from harness.data.texts import Language, tokeniser, tokeniser_of_any
from harness.errors import DataError, UsageError, unknown_name
from harness.language import noop
from harness.whole_files import given_path

VARIABLE = files.VARIABLE
PIPELINE_VERSION = 1
"""Raised when the same raw bytes become other arrays."""
PATH_ENDINGS = (".csv", ".tsv", ".txt", ".gz", ".zip", ".xls", ".xlsx", ".ods", ".json", ".jsonl", ".parquet", ".html")
"""What ends in one of these is a path; not all of them can be read, but the reason is another than an unknown name."""


class Embedded(Struct, frozen=True, kw_only=True):
    """A data set that needs no files: `make` makes it, and `content` names what it is made from."""

    name: str
    summary: str
    content: str
    make: Callable[[], Material]
    language: Language | None = None
    """Of its texts, if it holds texts."""


Dataset = Embedded | IdxImages | CifarImages | RealCorpus | TextFile


def names() -> tuple[str, ...]:
    """Return the names of all data sets in the order of their table."""
    return tuple(TABLE)


def named(name: str) -> Dataset:
    """Return the data set of that name.

    Raises:
        UsageError: no table holds the name.
    """
    if name not in TABLE:
        raise unknown_name("data set", name, names())
    return TABLE[name]


def chosen(
    choice: str,
    *,
    text_column: str | int | None = None,
    label_column: str | int | None = None,
    encoding: str | None = None,
) -> Dataset:
    """Return the data set that the user means by a name of the table or by the path of a file of labelled texts.

    Args:
        choice: the name or the path; what holds a separator of paths, or ends as such files do, is a path.
        text_column: the file's column of texts, by name or number from 1.
        label_column: the file's column of labels.
        encoding: the file's encoding, if it is not UTF-8.

    Raises:
        UsageError: there is neither such a name nor such a file, or columns are named for no file.
        DataError: the file cannot be read.
    """
    if choice not in TABLE and (any(mark in choice for mark in "/\\") or choice.lower().endswith(PATH_ENDINGS)):
        path = given_path(choice, "--dataset").absolute()
        if what := _why_no_file(path):
            raise DataError(
                "the file {path} {what}: name a file of labelled texts, or one of {names}",
                path=path,
                what=what,
                names=", ".join(names()),
            )
        return TextFile(path=path, text_column=text_column, label_column=label_column, encoding=encoding)
    found = named(choice)
    if (text_column, label_column, encoding) != (None, None, None):
        raise UsageError(
            "the data set {choice} has no columns or encoding to choose: these belong to a file's path", choice=choice
        )
    return found


def _why_no_file(path: Path) -> str | None:
    """Return why there is no file, or None if there is one; whether it can be read is found out by reading it."""
    try:
        return noop("is a folder") if stat.S_ISDIR(path.stat().st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return noop("does not exist")
    except OSError:
        return None


def fingerprint(dataset: Dataset) -> str:
    """Return 12 hexadecimal digits that change when the arrays change; known before anything is read.

    A user's file is the exception: it is read, for its content is all that is known of it.
    """
    content: list[object]
    match dataset:
        case Embedded():
            content = [dataset.content, *([tokeniser(dataset.language)] if dataset.language else [])]
        case IdxImages():
            content = [dataset.mean, dataset.deviation, *((n, f.shape, f.sha256) for n, f in dataset.files.items())]
        case CifarImages():
            content = [dataset.mean, dataset.deviation, dataset.sha256]
        case RealCorpus():
            content = [tokeniser(dataset.language), *((key, file.sha256) for key, file in dataset.files.items())]
        case TextFile():
            columns = (dataset.text_column, dataset.label_column, dataset.encoding)
            content = [tokeniser_of_any(), dataset.sha256, *columns]  # the language is known by the texts only
    return hashlib.sha256(msgspec.json.encode([PIPELINE_VERSION, dataset.name, *content])).hexdigest()[:12]


def check_folder(dataset: Dataset, data_dir: Path | None) -> None:
    """Refuse a folder of the user's that lacks the data set's files, whether or not they are needed.

    Raises:
        DataError: the folder or a file is missing.
    """
    if isinstance(dataset, IdxImages):
        mnist.local(dataset, data_dir)
    elif isinstance(dataset, CifarImages):
        cifar.local(dataset, data_dir)
    elif isinstance(dataset, RealCorpus):
        corpora.local(dataset, data_dir)


def material(dataset: Dataset, *, data_dir: Path | None = None, mirrors: Sequence[str] | None = None) -> Material:
    """Return what a data set is made of, checked byte for byte.

    Args:
        dataset: the data set.
        data_dir: the user's folder of files; without it EVENBENCH_DATA, without that a download.
        mirrors: addresses to download from, in place of the data set's own.

    Raises:
        DataError: a file is missing, damaged, not the one it should be, or cannot be downloaded.
    """
    match dataset:
        case Embedded():
            return dataset.make()
        case RealCorpus():
            return corpora.load(dataset, data_dir=data_dir, mirrors=mirrors)
        case TextFile():
            return dataset.corpus()
        case IdxImages():
            return mnist.load(dataset, data_dir=data_dir, mirrors=mirrors)
        case CifarImages():
            return cifar.load(dataset, data_dir=data_dir, mirrors=mirrors)


def load(dataset: Dataset, *, data_dir: Path | None = None, mirrors: Sequence[str] | None = None) -> Arrays:
    """Return `train_x`, `train_y`, `test_x` and `test_y` in the plain form; see `material` for the arguments.

    Raises:
        UsageError: the data set holds texts, which have no form without a dictionary.
        DataError: a file is missing, damaged, not the one it should be, or cannot be downloaded.
    """
    return forms.arrays(material(dataset, data_dir=data_dir, mirrors=mirrors), forms.Plain(), dataset=dataset.name)


TABLE: dict[str, Dataset] = {
    "xor": Embedded(
        name="xor", summary="the four points of the exclusive or", content="4 points", make=made_up.xor_points
    ),
    "digits": Embedded(
        name="digits",
        summary="scikit-learn's 1,797 handwritten digits, 8x8 enlarged to 28x28 (Alpaydin and Kaynak 1998)",
        content=images.DIGITS_SHA256,
        make=images.digits,
    ),
    **mnist.TABLE,
    **cifar.TABLE,
    "cosine": Embedded(
        name="cosine",
        summary="50 noisy points of the cosine in [0, 5)",
        content="50 points of RandomState(0), noise 0.1",
        make=made_up.cosine_points,
    ),
    "reviews-en": Embedded(
        name="reviews-en",
        summary="5,000 made-up reviews in English in which the order of words decides",
        content=made_up.SHA256["en"],
        language="en",
        make=lambda: made_up.corpus(made_up.ENGLISH),
    ),
    "reviews-zh": Embedded(
        name="reviews-zh",
        summary="5,000 made-up reviews in Chinese in which the order of words decides",
        content=made_up.SHA256["zh"],
        language="zh",
        make=lambda: made_up.corpus(made_up.CHINESE),
    ),
    **corpora.TABLE,
}
"""Names to data sets; to add one, write its entry."""
