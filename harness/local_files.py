"""Find the files of a data set in the user's folder; what is not there is an error, and nothing takes its place."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from harness.errors import DataError
from harness.language import noop

VARIABLE = "EVENBENCH_DATA"


class Wanted(Struct, frozen=True, kw_only=True):
    """One file of a data set: its name in sentences, and the names under which it may lie in the folder."""

    name: str
    spellings: tuple[str, ...]


def find(
    dataset: str, wanted: Mapping[str, Wanted], data_dir: Path | None, *, subfolders: Sequence[str], expected: str
) -> dict[str, Path] | None:
    """Return the paths of the wanted files, or None if the user names no folder.

    Args:
        dataset: the name of the data set, for the error's text.
        wanted: the files, under keys that the answer has too.
        data_dir: the user's folder; without it the one that EVENBENCH_DATA names.
        subfolders: where in the folder the files may lie, before the folder itself is searched.
        expected: the names of all files, for the error's text.

    Raises:
        DataError: the folder or a file is missing.
    """
    folder = data_dir or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if folder is None:
        return None
    hint = f"expected are {expected}, there or in its folder {' or '.join(subfolders)}"
    try:
        folder = folder.expanduser().absolute()
        if not folder.is_dir():
            what = noop("is a file, not a folder") if folder.exists() else noop("does not exist")
            raise DataError("the data folder {folder} {what}: {hint}", folder=folder, what=what, hint=hint)
        if not any(folder.iterdir()):
            raise DataError("the data folder {folder} is empty: {hint}", folder=folder, hint=hint)
        places = [*(folder / subfolder for subfolder in subfolders), folder]
        found = {key: _first(places, file.spellings) for key, file in wanted.items()}
    except (OSError, RuntimeError) as error:
        raise DataError(
            "the data folder {folder} cannot be read ({error}): {hint}", folder=folder, error=error, hint=hint
        ) from error
    missing = ", ".join(wanted[key].name for key, path in found.items() if path is None)
    if missing:
        raise DataError(
            "the data folder {folder} has no {missing} of {dataset}: {hint}",
            folder=folder,
            missing=missing,
            dataset=dataset,
            hint=hint,
        )
    return {key: path for key, path in found.items() if path is not None}


def _first(places: Sequence[Path], spellings: Sequence[str]) -> Path | None:
    candidates = (place / spelling for place in places for spelling in spellings)
    return next((path for path in candidates if path.is_file()), None)
