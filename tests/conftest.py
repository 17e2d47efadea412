"""What many tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the session's caches in a folder of its own: EVENBENCH_HOME."""
    folder = tmp_path_factory.mktemp("evenbench-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENBENCH_HOME", str(folder))
        yield folder
