"""A user's file of texts as a study remembers it: by path and columns, so that `--resume` reads the same again."""

from pathlib import Path

from harness.errors import DataError
from harness.store import ChosenFile
from harness.text_files import TextFile


def remembered(file: TextFile) -> ChosenFile:
    """Return what a study has to keep of a file.

    Raises:
        DataError: the file cannot be read.
    """
    return ChosenFile(
        name=file.name,
        path=str(file.path),
        text_column=file.text_column,
        label_column=file.label_column,
        encoding=file.encoding,
    )


def found_again(chosen: ChosenFile) -> TextFile:
    """Return the data set that a study was planned with.

    Raises:
        DataError: the file is gone, cannot be read, or has changed.
    """
    file = TextFile(
        path=Path(chosen.path),
        text_column=chosen.text_column,
        label_column=chosen.label_column,
        encoding=chosen.encoding,
    )
    if file.name != chosen.name:
        raise DataError(
            "{path} has changed since this study was planned with it: put the old file back, or start a new study",
            path=chosen.path,
        )
    return file
