"""The data sets that tasks name: where their bytes come from, and how it is known that they are the right ones.

In which form a model gets them is said in `harness/forms.py`.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from harness import corpora, downloads, forms, idx, images, local_files, points, review_grammars, reviews
from harness.corpora import RealCorpus
from harness.errors import DataError, UsageError, unknown_name
from harness.forms import Arrays, Material
from harness.home import cache_folder
from harness.images import Images
from harness.images import enlarged as enlarged
from harness.images import normalised as normalised
from harness.language import noop
from harness.text import Language, tokeniser
from harness.text_files import TextFile

VARIABLE = local_files.VARIABLE
PIPELINE_VERSION = 1
"""Raised when the same raw bytes become other arrays."""
PATH_ENDINGS = (".csv", ".tsv", ".txt", ".gz")


class IdxFile(Struct, frozen=True, kw_only=True):
    """One IDX file: its name without `.gz`, its shape, and the SHA-256 of its bytes plain and compressed."""

    name: str
    shape: tuple[int, ...]
    sha256: str
    gz_sha256: str


class Embedded(Struct, frozen=True, kw_only=True):
    """A data set that needs no files: `make` makes it, and `content` names what it is made from."""

    name: str
    summary: str
    content: str
    make: Callable[[], Material]
    language: Language | None = None
    """Of its texts, if it holds texts."""


class IdxImages(Struct, frozen=True, kw_only=True):
    """Images and labels in four IDX files, under the names of the arrays that they become."""

    name: str
    summary: str
    mean: float
    deviation: float
    files: dict[str, IdxFile]
    mirrors: tuple[str, ...]


Dataset = Embedded | IdxImages | RealCorpus | TextFile


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
        path = Path(choice).expanduser().absolute()
        if not path.is_file():
            what = noop("is a folder") if path.is_dir() else noop("does not exist")
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
        case RealCorpus():
            content = [tokeniser(dataset.language), *((key, file.sha256) for key, file in dataset.files.items())]
        case TextFile():
            columns = (dataset.text_column, dataset.label_column, dataset.encoding)
            content = [tokeniser("zh"), dataset.sha256, *columns]  # the language is known by the texts only
    return hashlib.sha256(msgspec.json.encode([PIPELINE_VERSION, dataset.name, *content])).hexdigest()[:12]


def check_folder(dataset: Dataset, data_dir: Path | None) -> None:
    """Refuse a folder of the user's that lacks the data set's files, whether or not they are needed.

    Raises:
        DataError: the folder or a file is missing.
    """
    if isinstance(dataset, IdxImages):
        local_images(dataset, data_dir)
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
    paths = local_images(dataset, data_dir) or _downloaded(dataset, dataset.mirrors if mirrors is None else mirrors)
    arrays: Arrays = {}
    for array, file in dataset.files.items():
        remedy = f"replace it with {file.name} of {dataset.name}"
        arrays[array] = idx.read(paths[array], shape=file.shape, sha256=file.sha256, remedy=remedy)
    return Images(arrays=arrays, mean=dataset.mean, deviation=dataset.deviation)


def load(dataset: Dataset, *, data_dir: Path | None = None, mirrors: Sequence[str] | None = None) -> Arrays:
    """Return `train_x`, `train_y`, `test_x` and `test_y` in the plain form; see `material` for the arguments.

    Raises:
        UsageError: the data set holds texts, which have no form without a dictionary.
        DataError: a file is missing, damaged, not the one it should be, or cannot be downloaded.
    """
    return forms.arrays(material(dataset, data_dir=data_dir, mirrors=mirrors), forms.Plain(), dataset=dataset.name)


def local_images(dataset: IdxImages, data_dir: Path | None) -> dict[str, Path] | None:
    """Return the paths of a data set's files in the user's folder, or None if the user names no folder.

    They are `<folder>/<data set>/<file>` or `<folder>/<file>`, with `.gz` or without; `train-images.idx3-ubyte` is
    taken for `train-images-idx3-ubyte`, as some archives spell it.

    Raises:
        DataError: the folder or a file is missing; nothing is downloaded in its place.
    """
    wanted = {
        array: local_files.Wanted(
            name=file.name,
            spellings=tuple(s + end for s in (file.name, file.name.replace("-idx", ".idx")) for end in ("", ".gz")),
        )
        for array, file in dataset.files.items()
    }
    expected = ", ".join(f"{file.name}[.gz]" for file in dataset.files.values())
    return local_files.find(dataset.name, wanted, data_dir, subfolders=(dataset.name,), expected=expected)


def _downloaded(dataset: IdxImages, mirrors: Sequence[str]) -> dict[str, Path]:
    folder = cache_folder() / "downloads" / dataset.name
    remedy = f"put the four files of {dataset.name} into a folder and name it with --data-dir or {VARIABLE}"
    return {
        array: downloads.fetch(f"{file.name}.gz", sha256=file.gz_sha256, mirrors=mirrors, folder=folder, remedy=remedy)
        for array, file in dataset.files.items()
    }


def _idx_files(*, plain: tuple[str, ...], compressed: tuple[str, ...]) -> dict[str, IdxFile]:
    forms: dict[str, tuple[str, tuple[int, ...]]] = {
        "train_x": ("train-images-idx3-ubyte", (60_000, 28, 28)),
        "train_y": ("train-labels-idx1-ubyte", (60_000,)),
        "test_x": ("t10k-images-idx3-ubyte", (10_000, 28, 28)),
        "test_y": ("t10k-labels-idx1-ubyte", (10_000,)),
    }
    return {
        array: IdxFile(name=name, shape=shape, sha256=sha256, gz_sha256=gz_sha256)
        for (array, (name, shape)), sha256, gz_sha256 in zip(forms.items(), plain, compressed, strict=True)
    }


TABLE: dict[str, Dataset] = {
    "xor": Embedded(
        name="xor", summary="the four points of the exclusive or", content="4 points", make=points.xor_points
    ),
    "digits": Embedded(
        name="digits",
        summary="scikit-learn's 1,797 handwritten digits, 8x8 enlarged to 28x28 (Alpaydin and Kaynak 1998)",
        content=images.DIGITS_SHA256,
        make=images.digits,
    ),
    "mnist": IdxImages(
        name="mnist",
        summary="70,000 handwritten digits, 28x28 (LeCun, Bottou, Bengio and Haffner 1998; CC BY-SA 3.0)",
        mean=0.1307,
        deviation=0.3081,
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        files=_idx_files(
            plain=(
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            compressed=(
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
    ),
    "fashion-mnist": IdxImages(
        name="fashion-mnist",
        summary="70,000 pieces of clothing in the form of MNIST (Xiao, Rasul and Vollgraf 2017; MIT)",
        mean=0.2860,
        deviation=0.3530,
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        files=_idx_files(
            plain=(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            compressed=(
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
    ),
    "cosine": Embedded(
        name="cosine",
        summary="50 noisy points of the cosine in [0, 5)",
        content="50 points of RandomState(0), noise 0.1",
        make=points.cosine_points,
    ),
    "reviews-en": Embedded(
        name="reviews-en",
        summary="5,000 made-up reviews in English in which the order of words decides",
        content=reviews.SHA256["en"],
        language="en",
        make=lambda: reviews.corpus(review_grammars.ENGLISH),
    ),
    "reviews-zh": Embedded(
        name="reviews-zh",
        summary="5,000 made-up reviews in Chinese in which the order of words decides",
        content=reviews.SHA256["zh"],
        language="zh",
        make=lambda: reviews.corpus(review_grammars.CHINESE),
    ),
    **corpora.TABLE,
}
"""Names to data sets; to add one, write its entry."""
