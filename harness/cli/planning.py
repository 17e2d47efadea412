"""What `evenbench run` is to do: the plan of a new study by the options, or what one that was begun lacks."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from msgspec.structs import replace

from harness.cli.choices import (
    find_choices,
    find_interpreters,
    find_tasks,
    find_tuned,
    folder,
    parse_bytes,
    parse_seeds,
)
from harness.cli.clusters import RAY, Where, choices_on_nodes
from harness.cli.devices import those_with_a_device
from harness.cli.quantities import parse_seconds, parse_share
from harness.data import datasets
from harness.data.text_files import TextFile
from harness.environments import machine
from harness.environments.interpreters import Interpreter
from harness.errors import UsageError
from harness.language import _
from harness.measure import conditions
from harness.record import Record
from harness.records.store import Store
from harness.runs.conductor import Plan
from harness.runs.plan import Wish, found_again, left_of, study_of
from harness.runs.profiles import check_name as check_profile
from harness.spec import Choice, Design, DeviceKind, RunSpec, base_preset
from harness.whole_files import shown_path

LEAST_BUDGET_S, BUDGET_OF_A_ROW_S = 900.0, 300.0


def planned(asked: dict[str, Any]) -> Plan:
    """Return the plan that the options ask for; without interpreters where nodes of a cluster find their own."""
    on_nodes = asked["executor"] == RAY
    tasks = find_tasks(asked["tasks"])
    found: Mapping[tuple[str, DeviceKind], Interpreter] = {}
    if not on_nodes:
        choices, named = find_choices(asked["backends"], asked["devices"], asked["modes"], warn=warn)
        found = find_interpreters(choices, asked["pythons"], named=named, warn=warn)
    else:
        choices = choices_on_nodes(asked, warn)
    files = chosen_file(asked)
    if asked["preset"] != base_preset(asked["preset"]):
        sentence = _(
            "{preset} is a variant of {base}, and is never compared with it; it has a target only by --set target"
        )
        warn(sentence.format(preset=asked["preset"], base=base_preset(asked["preset"])))
    for task in tasks:
        task.preset(asked["preset"])  # a wrong name is said before frameworks are asked for their devices
    runnable = choices if on_nodes else those_with_a_device(choices, found, asked["devices"], warn=warn)
    profiles = check_profile(asked["profile"])
    design = _design(asked, runnable)
    wish = Wish(
        tasks=tasks,
        choices=runnable,
        preset=asked["preset"],
        repeats=asked["repeats"],
        seeds=parse_seeds(asked["seeds"]),
        dataset=next(iter(files), asked["dataset"]),
        dataset_is_file=bool(files),
        timeout_s=asked["timeout_s"],
        memory_limit_bytes=parse_bytes(asked["memory_limit"]),
        noise_budget_s=asked["noise_budget_s"],
        design=design,
        budget_s=_budget(asked, design, rows=len(runnable) * len(profiles)),
        live=asked["live"],
        controls=_controls(asked, design),
        profiles=profiles,
        tuned=find_tuned(tasks, runnable, asked["preset"], found) if "tuned" in profiles else {},
    )
    return Plan(
        study=study_of(wish, name=asked["study"], command=tuple(map(shown_path, sys.argv[1:])), files=files.values()),
        interpreters=found,
        data_dir=folder(asked["data_dir"]),
        with_parity=not asked["no_parity"],
        open_rows=_open_rows if design.until_decided else None,
        with_mistakes=not asked["no_mistakes"] and base_preset(asked["preset"]) != "smoke",
        files=files,
    )


def resumed(store: Store, asked: dict[str, Any], where: Where | None) -> tuple[Plan, tuple[RunSpec, ...]]:
    """Return the plan to finish a study from the disk, and the runs that it lacks."""
    study = store.study()
    if asked["budget"] is not None:
        study = replace(study, budget_s=parse_seconds("--budget", asked["budget"]))
    if asked["live"] is not None:
        study = replace(study, live=asked["live"])
    left = left_of(study, store)
    choices = tuple(dict.fromkeys(spec.choice for spec in left))
    here = bool(left) and where is None
    if here:
        _warn_of_other_conditions(store)
    plan = Plan(
        study=study,
        interpreters=find_interpreters(choices, asked["pythons"], named=True, warn=warn) if here else {},
        data_dir=folder(asked["data_dir"]),
        with_parity=not asked["no_parity"],
        open_rows=_open_rows if any(spec.design.until_decided for spec in left) else None,
        with_mistakes=not asked["no_mistakes"] and any(base_preset(spec.preset) != "smoke" for spec in left),
        files={file.name: found_again(file) for file in study.files if file.name in {spec.dataset for spec in left}},
    )
    return plan, left


def _design(asked: dict[str, Any], choices: tuple[Choice, ...]) -> Design:
    """Return how the rows are to be compared: by default a quick study ends when all is decided, others are counted."""
    base = base_preset(asked["preset"])
    counted = asked["repeats"] is not None or bool(asked["seeds"])
    if counted and asked["until"] == "decided":
        raise UsageError("--until decided counts its rounds itself: leave out --repeats and --seed, or --until")
    decided = asked["until"] == "decided" or (asked["until"] is None and base == "quick" and not counted)
    decided = decided and asked["turns"] is not False and len(choices) * len(check_profile(asked["profile"])) > 1
    turns = decided or (asked["turns"] if asked["turns"] is not None else base != "smoke")
    if asked["until"] == "decided" and not decided:
        raise UsageError("--until decided needs two rows or more that take turns: name a second backend or mode")
    return Design(turns=turns, until_decided=decided, within=parse_share("--within", asked["within"], most=1.0))


def _budget(asked: dict[str, Any], design: Design, *, rows: int) -> float | None:
    """Return the seconds after which no round is begun: a round of more rows takes longer."""
    if asked["budget"] is not None:
        return parse_seconds("--budget", asked["budget"])
    return max(LEAST_BUDGET_S, rows * BUDGET_OF_A_ROW_S) if design.until_decided else None


def _controls(asked: dict[str, Any], design: Design) -> bool:
    if asked["controls"] and not design.turns:
        raise UsageError("--controls are measured in turns with their row: leave out --alone")
    return design.turns and (base_preset(asked["preset"]) == "full" if asked["controls"] is None else asked["controls"])


def _open_rows(records: Sequence[Record]) -> Callable[[RunSpec], bool]:
    """Return what says of a run whether a pair of its row is still to be decided."""
    from reports.statistics.decided import open_rows

    return open_rows(records)


def chosen_file(asked: dict[str, Any]) -> dict[str, TextFile]:
    """Return the user's file of texts by the name of its data set, if `--dataset` is a path."""
    columns = {name: asked[name] for name in ("text_column", "label_column", "encoding")}
    if asked["dataset"] is None:
        if any(value is not None for value in columns.values()):
            raise UsageError("--text-column, --label-column and --encoding belong to a file: name it with --dataset")
        return {}
    found = datasets.chosen(asked["dataset"], **columns)
    return {found.name: found} if isinstance(found, TextFile) else {}


def _warn_of_other_conditions(store: Store) -> None:
    """Say what is not as it was when the study's runs so far were made: what is run now has rows of its own."""
    now = conditions.here(machine.machine(), machine.available_cores(), conditions.shell_settings())
    held = [conditions.of(record) for record in store.records()[0] if record.measured.settings]
    others = {item for before in held for item in conditions.differing(before, now).items()}
    if others:
        shown = (f"{name.removeprefix(conditions.SHELL)}: {a or '-'} -> {b or '-'}" for name, (a, b) in sorted(others))
        sentence = _(
            "the runs of this study so far were made under other conditions, and are not pooled with those that follow "
            "({differences}); to pool them, go on as it was begun"
        )
        warn(sentence.format(differences="; ".join(shown)))


def warn(text: str) -> None:
    """Say something beside the data on stdout."""
    click.echo(text, err=True)
