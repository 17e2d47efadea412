"""What many tests share, and how they are shared out where two processes run them side by side.

`make test` runs first those that are not marked `alone`, in two processes. Each is bound to processors of its own: else
the threads of two frameworks wait for one another. The tests of a module stay in one process, in their order, so that
what they share is made once. The marked ones follow in a single process that has all processors.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from harness import registry
from harness.environments import interpreters
from harness.environments.machine import available_cores
from harness.errors import EvenbenchError
from harness.runs.executors.bench import Bench

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NOT_IN_TESTS = ("quic", "gpu", "background-networking", "component-update", "sync")
"""What the browser is started without."""
settings.register_profile("beside others", deadline=None)
settings.load_profile("beside others")
FOUND: pytest.StashKey[dict[str, str | EvenbenchError]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Find the frameworks' interpreters before any test moves EVENBENCH_HOME; tests disturb each other by design."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):  # ignored under `nohup` and in a shell's background
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if (worker := os.environ.get("PYTEST_XDIST_WORKER")) is not None:
        keep_to_own_processors(int(worker.removeprefix("gw")), int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ["EVENBENCH_NOISE_BUDGET"] = "0"
    os.environ["EVENBENCH_PLUGINS"] = "none"  # whatever else is installed where the tests run
    os.environ["EVENBENCH_LANG"] = "en"  # whatever the locale of who runs the tests
    found: dict[str, str | EvenbenchError] = {}
    for name in registry.backend_names():
        try:
            found[name] = interpreters.find(name, {}).python
        except EvenbenchError as error:
            found[name] = error
    config.stash[FOUND] = found


def keep_to_own_processors(worker: int, workers: int) -> None:
    """Bind this process, and what it starts, to its share of the processors, where there is one for each."""
    own = available_cores()[worker::workers]
    if own and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, own)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that start frameworks, which take longest: at the end both processes should have work."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        first = {item.path for item in items if starts_a_framework(item)}
        items.sort(key=lambda item: item.path not in first)


def starts_a_framework(item: pytest.Item) -> bool:
    """Return whether a test asks for the interpreter of a framework."""
    return "python_of" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def python_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Return a function from a backend's name to its interpreter; a test fails, not skips, where there is none."""

    def find(name: str) -> str:
        python = request.config.stash[FOUND][name]
        if isinstance(python, EvenbenchError):
            pytest.fail(str(python), pytrace=False)
        return python

    return find


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the session's caches in a folder of its own: EVENBENCH_HOME."""
    folder = tmp_path_factory.mktemp("evenbench-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENBENCH_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def no_ceilings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a study do without the limits of the machine, which take seconds for every backend and have own tests."""
    if request.module.__name__ != "test_ceilings":
        monkeypatch.setattr(Bench, "measure_ceilings", lambda self, specs: None)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Start the system's Chromium; without one the tests are skipped, but fail where CI says that it tests."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        missing = "there is no chromium on PATH: install Debian's package chromium"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in NOT_IN_TESTS)]
        found = playwright.chromium.launch(executable_path=chromium, args=options)
        yield found
        found.close()
