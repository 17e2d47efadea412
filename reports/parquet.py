"""The frames for other programs as Parquet: the columns' own types, and what the file is in its metadata.

pandas keeps a frame's `attrs` in the file and gives them back; other readers find them as JSON under `PANDAS_ATTRS`.
"""

import io
from collections.abc import Mapping

import pandas as pd

from harness import __version__
from reports.columns import Column


def to_parquet(frame: pd.DataFrame, columns: Mapping[str, Column], *, study: str) -> bytes:
    """Return a frame as a Parquet file.

    Args:
        frame: with these columns.
        columns: their meanings go into the file.
        study: the study's name, which goes into the file too.
    """
    found = frame.copy(deep=False)
    meanings = {name: column.meaning for name, column in columns.items()}
    found.attrs = {"study": study, "evenbench": __version__, "columns": meanings}
    file = io.BytesIO()
    found.to_parquet(file, index=False)
    return file.getvalue()
