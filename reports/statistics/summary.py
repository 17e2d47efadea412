"""Runs become rows: one per backend, device, mode and profile, beside those that computed the very same thing.

Two rules. A row enters the ranking only if every run that its numbers come from passed parity. Runs of different
machines, task definitions or data are never pooled, even inside one study. A spread is the smallest and the largest of
the processes; places go by the verdicts of `reports/statistics/verdicts.py`.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import msgspec
import pandas as pd

from harness.language import noop
from harness.measure.conditions import SHELL, differing
from harness.record import COMPLETED, Status
from harness.records.steady import TOO_NOISY, Outcome
from harness.spec import CONTROLS
from reports.frame.instruments import MOST_DIFFERENT
from reports.statistics import methods
from reports.statistics.looks import Turn
from reports.statistics.ranking import ordered, ranked
from reports.statistics.rows import CELL, SPLITS, Group, Quality, Row, Spread

LATE = ("device_name", "framework_version", "versions", "conditions")
ROW = ("backend", "mode", "profile", *LATE)
"""What makes a row. A run that died too early to tell the last four is counted in with the only known one."""
METRICS = ("accuracy", "mean_squared_error")
READ = (
    *CELL, *SPLITS, *ROW, *METRICS, "run_id", "seed", "repeat", "status", "reason", "parity",
    "parity_error_over_tolerance", "comparable", "why_not_comparable", "throughput_examples_per_s", "median_step_s",
    "round", "turns", "planned_in_turns", "until_decided", "within", "total_s",
    "batch_size", "time_to_first_step_s", "epoch_s", "host_peak_bytes", "device_peak_bytes", "steady_state",
    "discarded_blocks", "disturbed_blocks", "recorded_blocks", "inference_difference", "inference_examples_per_s",
    "latency_median_s", "baselines",
)  # fmt: skip
"""The columns that rows are made from: every group and row takes its part of them, and of the others it would too."""
MACHINE = noop("{cpu}, {used} of {cores} processors used, {memory:.0f} GB, {kernel}")


def machine_names(frame: pd.DataFrame, said: str = MACHINE) -> "pd.Series[str]":
    """Return for every run the machine it ran on, in words; equal words are taken for an equal machine."""
    facts = frame[["cpu", "cores", "cores_used", "memory_bytes", "kernel"]]
    names = [
        said.format(cpu=cpu, used=used, cores=cores, memory=memory / 1e9, kernel=kernel)
        for cpu, cores, used, memory, kernel in facts.to_numpy(dtype=object).tolist()
    ]
    return pd.Series(names, index=frame.index, dtype="str")


def summarize(frame: pd.DataFrame) -> tuple[Group, ...]:
    """Return the groups of a frame in the order of their first run."""
    runs = frame.assign(machine=machine_names(frame))[list(READ)]
    groups = [_group(part) for _, part in runs.groupby(list(CELL + SPLITS), sort=False, dropna=False)]
    groups = ranked(groups)
    return tuple(_marked(group, groups) for group in groups)


def _marked(group: Group, groups: Iterable[Group]) -> Group:
    """Note in what a group differs from those that it might be taken for."""
    twins = [g for g in groups if all(getattr(g, name) == getattr(group, name) for name in CELL)]
    differing = tuple(name for name in SPLITS if len({getattr(g, name) for g in twins}) > 1)
    return msgspec.structs.replace(group, split_by=differing)


def _group(runs: pd.DataFrame) -> Group:
    known = _with_late_facts(runs)
    found = [_row(part) for _, part in known.groupby(list(ROW), sort=False, dropna=False)]
    rows = [row for row in found if row.profile not in CONTROLS]
    first = runs.iloc[0]
    return Group(
        **{name: first[name] for name in CELL},
        task_version=_whole(first["task_version"]),
        task_fingerprint=first["task_fingerprint"],
        dataset_fingerprint=first["dataset_fingerprint"],
        source=first["source"],
        machine=first["machine"],
        rows=_labelled(ordered(rows)),
        beside=tuple(row for row in found if row.profile in CONTROLS),
        baselines=_baselines(runs["baselines"].tolist()),
    )


def _with_late_facts(runs: pd.DataFrame) -> pd.DataFrame:
    """Fill in what a run that ended early could not tell, where its companions leave no doubt."""
    found = runs.copy()
    for _, part in runs.groupby(["backend", "mode", "profile"], sort=False):
        for name in LATE:
            known = {value for value in part[name].unique() if value}
            if len(known) == 1:
                found.loc[part.index, name] = known.pop()
    return found


def _row(runs: pd.DataFrame) -> Row:
    completed = runs[runs["status"].isin(COMPLETED)]
    timed = completed[completed["throughput_examples_per_s"].notna()]
    measured = _without_spoilt(timed)
    # A row's parity and reasons are those of the runs that its numbers come from; one without numbers has all to tell.
    judged = measured if len(measured) else runs
    metric, quality = _quality(completed)
    values = [item.value for item in quality]
    first = runs.iloc[0]
    comparable = len(measured) > 0 and bool(measured["comparable"].all())
    accuracies = _per_seed(quality) if metric == "accuracy" else {}
    interval = _interval(list(accuracies.values()))
    left_out = timed[["discarded_blocks", "disturbed_blocks"]].sum()
    return Row(
        **{name: first[name] for name in ROW if name not in ("versions", "conditions")},
        conditions=json.loads(first["conditions"] or "{}"),
        run_ids=tuple(runs["run_id"].tolist()),
        runs=len(runs),
        ok_runs=int((runs["status"] == "ok").sum()),
        status=_counted(runs["status"].tolist(), get_args(Status)),
        reasons=_distinct(runs["reason"].tolist()),
        throughput_examples_per_s=_spread(measured["throughput_examples_per_s"]),
        time_to_first_step_s=_median(completed["time_to_first_step_s"]),
        epoch_s=_median(completed["epoch_s"]),
        host_peak_bytes=_median(completed["host_peak_bytes"]),
        device_peak_bytes=_median(completed["device_peak_bytes"]),
        metric=metric,
        quality=quality,
        quality_mean=sum(values) / len(values) if values else None,
        quality_min=min(values, default=None),
        quality_max=max(values, default=None),
        parity=_counted(judged["parity"].tolist(), ("pass", "fail", "not checked")),
        parity_error_over_tolerance=_number(judged["parity_error_over_tolerance"].max()),
        comparable=comparable,
        why_not_comparable=() if comparable else _distinct(judged["why_not_comparable"].tolist()),
        steady_state=_counted(timed["steady_state"].tolist(), get_args(Outcome)),
        discarded_blocks=int(left_out["discarded_blocks"]),
        disturbed_blocks=int(left_out["disturbed_blocks"]),
        recorded_blocks=int(timed["recorded_blocks"].sum()),
        seconds_per_example=tuple((measured["median_step_s"] / measured["batch_size"]).astype(float)),
        turns=_turns(measured),
        until_decided=len(measured) > 0 and bool(measured["until_decided"].all()),
        within=float(runs["within"].iloc[-1]),
        by_round=_by_round(measured),
        round_s=_number(measured["total_s"].iloc[-1]) if len(measured) else None,
        inference=_inference(measured),
        accuracy_per_seed=accuracies,
        accuracy_low=max(0.0, interval.low) if interval else None,
        accuracy_high=min(1.0, interval.high) if interval else None,
    )


def _without_spoilt(timed: pd.DataFrame) -> pd.DataFrame:
    """Leave out rounds that were planned in turns, came to be alone and were disturbed: the row has its other rounds.

    Where it has none, all stay, and the row is not comparable.
    """
    alone = timed["planned_in_turns"] & (timed["round"] == "") & (timed["steady_state"] == TOO_NOISY)
    return timed if alone.all() else timed[~alone.astype(bool)]


def _labelled(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Give every row its name: backend, mode and profile, and where others have the same, what tells it from them."""
    names = [f"{row.backend} {row.mode}{'' if row.profile == 'stock' else f' ({row.profile})'}" for row in rows]
    alike = {name: [row for row, other in zip(rows, names, strict=True) if other == name] for name in names}
    labels = [
        name if len(alike[name]) == 1 else " ".join(filter(None, (name, *_apart(row, alike[name]))))
        for name, row in zip(names, rows, strict=True)
    ]
    return tuple(msgspec.structs.replace(row, label=label) for label, row in zip(labels, rows, strict=True))


def _apart(row: Row, alike: Sequence[Row]) -> tuple[str, ...]:
    """Return what tells a row from others of the same name: version and device, and conditions that differ."""
    others = dict.fromkeys(
        name for other in alike for name in differing(row.conditions, other.conditions) if other.conditions
    )
    shown = (f"{name.removeprefix(SHELL)}={row.conditions.get(name, '')}" for name in others)
    return (row.framework_version, row.device_name, *shown)


def _interval(accuracies: list[float]) -> methods.Interval | None:
    """Return the interval of a mean; none where the seeds show no spread, which tells nothing of another seed."""
    if len(accuracies) < methods.FEWEST or len(set(accuracies)) == 1:
        return None
    return methods.mean_interval(accuracies)


def _by_round(runs: pd.DataFrame) -> dict[str, float]:
    planned = runs[runs["planned_in_turns"]]
    names = [f"{seed} {repeat}" for seed, repeat in zip(planned["seed"], planned["repeat"], strict=True)]
    return dict(zip(names, (planned["median_step_s"] / planned["batch_size"]).astype(float), strict=True))


def _turns(runs: pd.DataFrame) -> dict[str, dict[str, dict[int, Turn]]]:
    found: dict[str, dict[str, dict[int, Turn]]] = {}
    for name, told in zip(runs["round"].tolist(), runs["turns"].tolist(), strict=True):
        for measure, blocks in json.loads(told or "{}").items():
            turns = {
                int(number): Turn(math.log(seconds), bool(flag), probe)
                for number, (seconds, flag, probe) in blocks.items()
            }
            found.setdefault(measure, {})[name] = turns
    return found


def _inference(runs: pd.DataFrame) -> dict[str, tuple[float, ...]]:
    if (runs["inference_difference"] > MOST_DIFFERENT).any():
        return {}
    rates = runs["inference_examples_per_s"].dropna()
    found = {"latency": tuple(runs["latency_median_s"].dropna()), "inference": tuple(1 / rates)}
    return {measure: values for measure, values in found.items() if values}


def _quality(completed: pd.DataFrame) -> tuple[str, tuple[Quality, ...]]:
    """Return the metric that the runs have, and its values; `accuracy` goes before others."""
    runs = completed.sort_values(["seed", "repeat"])
    for metric in METRICS:
        found = runs[runs[metric].notna()]
        if len(found):
            values = zip(*(found[name].tolist() for name in ("seed", "repeat", metric)), strict=True)
            return metric, tuple(
                Quality(seed=_whole(seed), repeat=_whole(repeat), value=float(value)) for seed, repeat, value in values
            )
    return "", ()


def _per_seed(quality: Iterable[Quality]) -> dict[int, float]:
    """Return one value per known seed, for runs of the same seed are not independent."""
    by_seed: dict[int, list[float]] = {}
    for item in quality:
        if item.seed is not None:
            by_seed.setdefault(item.seed, []).append(item.value)
    return {seed: sum(values) / len(values) for seed, values in by_seed.items()}


def _baselines(facts: Iterable[str]) -> dict[str, tuple[float, ...]]:
    """Return each baseline's distinct values, in the order of the runs."""
    found: dict[str, dict[float, None]] = {}
    for fact in dict.fromkeys(facts):
        for name, value in json.loads(fact or "{}").items():
            found.setdefault(name, {})[value] = None
    return {name: tuple(values) for name, values in found.items()}


def _spread(values: "pd.Series[float]") -> Spread | None:
    if not len(values):
        return None
    return Spread(median=float(values.median()), low=float(values.min()), high=float(values.max()), runs=len(values))


def _counted(values: Iterable[str], order: Iterable[str]) -> dict[str, int]:
    """Return how often each value came, in a given order."""
    found = Counter(values)
    return {name: found[name] for name in order if name in found}


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _median(values: "pd.Series[Any]") -> float | None:
    return _number(values.median()) if values.notna().any() else None


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _whole(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)
