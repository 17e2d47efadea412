"""The tables of tasks and backends are complete, and every task in them can be computed in each of its presets."""

import ast
from pathlib import Path

import click
import pytest

from harness import registry
from harness.cli.choices import find_tasks
from harness.cli.commands.run import run
from harness.data import datasets
from harness.errors import UsageError
from harness.model import initial_weights, named_layers, parameter_shapes
from harness.runs.plan import Wish, plan
from harness.spec import Boltzmann, Choice, fingerprint

GROUPS = registry.task_groups()
EVERY_PRESET = [(name, preset) for name in registry.task_names() for preset in registry.task(name).presets]


def test_every_group_holds_known_tasks_and_has_a_name_of_its_own() -> None:
    for group, names in GROUPS.items():
        assert names
        assert len(set(names)) == len(names)
        assert set(names) <= set(registry.task_names())
        assert group not in registry.task_names()


def test_every_task_is_in_a_group_or_asked_for_by_its_name_alone() -> None:
    grouped = {name for names in GROUPS.values() for name in names}
    assert set(registry.task_names()) - grouped == {"cosine"}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_stands_for_its_tasks(group: str) -> None:
    assert tuple(task.name for task in find_tasks([group])) == GROUPS[group]


def test_groups_and_tasks_can_be_named_together_and_nothing_comes_twice() -> None:
    assert registry.expanded(["xor", "main", "text"]) == tuple(dict.fromkeys(("xor", *GROUPS["main"], *GROUPS["text"])))


def test_without_a_name_the_main_tasks_are_run() -> None:
    assert tuple(task.name for task in find_tasks([])) == GROUPS["main"]
    (option,) = [p for p in run.params if isinstance(p, click.Option) and "--task" in p.opts]
    assert "[default: main]" in str(option.help)


def test_an_unknown_name_is_refused_with_tasks_and_groups() -> None:
    with pytest.raises(UsageError, match="unknown task 'optimiser': known are xor, .*, main, text, boltzmann, optim"):
        find_tasks(["optimiser"])


def test_a_task_is_called_what_its_table_calls_it() -> None:
    assert [registry.task(name).name for name in registry.task_names()] == list(registry.task_names())
    fingerprints = {fingerprint(registry.task(name)) for name in registry.task_names()}
    assert len(fingerprints) == len(registry.task_names()), "two names for one task"


@pytest.mark.parametrize(("name", "preset"), EVERY_PRESET)
def test_every_preset_has_a_model_and_data_that_fit(name: str, preset: str) -> None:
    task = registry.task(name).at(preset)
    chosen = task.preset(preset)
    assert named_layers(task)
    weights = initial_weights(task, 0) if preset == "smoke" else {}
    assert {n: w.shape for n, w in weights.items()} in ({}, parameter_shapes(task))
    assert chosen.dataset in task.datasets
    assert set(task.datasets) <= set(datasets.names())
    if chosen.boltzmann is not None:
        _check_machine(chosen.boltzmann)


def _check_machine(machine: Boltzmann) -> None:
    names = [stage.name for stage in machine.stages]
    assert len(set(names)) == len(names), "checkpoints and drawn states go by the stage's name"
    assert not any("/" in name for name in names)
    assert all(stage.epochs > 0 for stage in machine.stages)


@pytest.mark.parametrize("name", registry.task_names())
def test_every_task_has_a_smoke_and_a_quick_preset_on_embedded_data(name: str) -> None:
    task = registry.task(name)
    for preset in ("smoke", "quick"):
        assert isinstance(datasets.named(task.preset(preset).dataset), datasets.Embedded)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("preset", ["smoke", "quick", "full"])
def test_a_whole_group_can_be_planned(group: str, preset: str) -> None:
    choice = Choice(backend="torch", device="cpu", mode="eager")
    specs = plan(Wish(tasks=find_tasks([group]), choices=(choice,), preset=preset, repeats=1))
    assert {spec.task for spec in specs} == set(GROUPS[group])
    assert len({spec.run_id for spec in specs}) == len(specs)


@pytest.mark.parametrize("name", registry.backend_names())
def test_an_import_string_leads_to_a_function_that_is_there(name: str) -> None:
    module, _, function = registry.entry(name).adapter.partition(":")
    source = Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py").read_text("utf-8")
    assert function in {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    entry = registry.entry(name)
    assert entry.default_mode in entry.modes
