"""The baseline that every model of texts has to beat: count words, whatever their order, and fit a line.

Each text becomes the counts of its dictionary's numbers, weighted by tf-idf, and logistic regression finds one weight
per word (scikit-learn's). On small real corpora this is as good as an LSTM; where order decides, it must fail.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.data.texts import PADDING
from harness.whole_files import UNREADABLE, write_whole

INVERSE_PENALTY = 3.0
"""scikit-learn's C."""

Source = str | Path | NDArray[np.int32]


def accuracy(arrays: Mapping[str, Source]) -> float:
    """Return the share of the test texts whose class is found; the same number every time.

    Args:
        arrays: `train_x`, `train_y`, `test_x` and `test_y` as a run has them: rows of numbers padded with 0 and their
            classes, or the .npy files that hold them.
    """
    from sklearn.feature_extraction.text import TfidfTransformer  # type: ignore[import-untyped, unused-ignore]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped, unused-ignore]
    from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped, unused-ignore]

    values = {name: _loaded(source) for name, source in arrays.items()}
    vocabulary = 1 + max(int(values["train_x"].max(initial=0)), int(values["test_x"].max(initial=0)))
    model = make_pipeline(
        TfidfTransformer(sublinear_tf=True), LogisticRegression(C=INVERSE_PENALTY, solver="lbfgs", max_iter=1000)
    )
    model.fit(counts(values["train_x"], vocabulary), values["train_y"])
    return float(model.score(counts(values["test_x"], vocabulary), values["test_y"]))


def remembered(arrays: Mapping[str, str]) -> float:
    """Return the accuracy on prepared arrays, computed once and kept in a file beside them."""
    file = Path(arrays["train_x"]).with_name("bag_of_words.json")
    with suppress(*UNREADABLE):
        return msgspec.json.decode(file.read_bytes(), type=float)
    found = accuracy(arrays)
    write_whole(file, msgspec.json.encode(found))
    return found


def counts(rows: NDArray[np.int32], vocabulary: int) -> Any:
    """Return how often each number stands in each row, (N, V), as SciPy's sparse matrix; the padding is not counted."""
    from scipy.sparse import csr_array  # type: ignore[import-untyped, unused-ignore]

    texts, places = np.nonzero(rows != PADDING)
    found = csr_array((np.ones(len(texts)), (texts, rows[texts, places])), shape=(len(rows), vocabulary))
    found.sum_duplicates()
    return found


def _loaded(source: Source) -> NDArray[np.int32]:
    if isinstance(source, str | Path):
        return np.asarray(np.load(source, allow_pickle=False))
    return source
