"""For the CI of those who write plug-ins: `pytest --pyargs harness.runs.conformance` tests all that are installed.

EVENBENCH_CONFORMANCE names the backends and tasks to test, by commas; without it, all plug-ins are. One that is left
out fails with the sentence that says why.
"""

import os

import pytest

from harness import registry
from harness.environments import interpreters
from harness.errors import EvenbenchError
from harness.registry.plugins import Plugin
from harness.runs.conformance import check
from harness.runs.conformance.tasks import check_task
from harness.spec import Mode
from harness.worker.jobs import Finding

NAMED = tuple(filter(None, os.environ.get("EVENBENCH_CONFORMANCE", "").split(",")))
PLUGINS = tuple(plugin for plugin in registry.installed_plugins() if not NAMED or plugin.name in NAMED)
GOOD = {plugin.name: plugin.kind for plugin in PLUGINS if plugin.problem is None}
CELLS = [(n, mode) for n, kind in GOOD.items() if kind == "backend" for mode in registry.entry(n).modes]


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_the_plugin_is_taken(plugin: Plugin) -> None:
    """Fail with what leaves it out."""
    if plugin.problem is not None:
        pytest.fail(str(plugin.problem), pytrace=False)


@pytest.mark.parametrize(("name", "mode"), CELLS)
def test_the_backend_keeps_the_contract(name: str, mode: Mode) -> None:
    """Fail with everything that is wrong, first things first."""
    try:
        _judge(check(name, mode, interpreters.find(name, {})))
    except EvenbenchError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.mark.parametrize("name", [name for name, kind in GOOD.items() if kind == "task"])
def test_the_task_is_whole(name: str) -> None:
    """Fail with everything that is wrong, first things first."""
    _judge(check_task(name))


def _judge(found: tuple[Finding, ...]) -> None:
    if wrong := [f"{one.check}: {one.words}" for one in found if one.state == "wrong"]:
        pytest.fail("\n".join(wrong), pytrace=False)
