"""The documents say what is true: their code runs, their links lead somewhere, their tables are complete."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.numpy.adapter import backend
from harness import layers, optimizers, registry, spec
from harness.parity import levels
from harness.spec import Task

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("name", [*registry.task_names(), *registry.backend_names()])
def test_every_task_and_backend_stands_in_the_readme(name: str) -> None:
    """A task that is one of a series may stand there under the name of the series, `optimizers`."""
    names = {name, "optimizers"} if name in registry.task_groups()["optimizers"] else {name}
    page = (ROOT / "README.md").read_text()
    assert any(f"`{one}`" in page for one in names)


def test_the_readmes_example_is_a_task_that_learns() -> None:
    block = next(b for b in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S) if "Task(" in b)
    names: dict[str, Any] = {**vars(layers), **vars(optimizers), **vars(spec)}
    exec(block, names)
    task = names["task"]()
    assert isinstance(task, Task)
    inputs = levels.inputs(task)
    weights = {n.removeprefix("weights/"): w for n, w in inputs.items() if n.startswith("weights/")}
    preset = task.preset("quick")
    program = backend().build(task, preset.optimizer, device="cpu", mode="eager", weights=weights, seed=0)
    program.load({name: inputs[name] for name in ("train_x", "train_y", "test_x", "test_y")})
    program.train(np.tile(inputs["order"][:1], (20, 1)))
    assert program.losses()[-1] < program.losses()[0]
