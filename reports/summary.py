"""Runs become rows: one per backend, device, mode and profile, beside those that computed the very same thing.

Two rules. A row enters the ranking only if every run that its numbers come from passed parity. Runs of different
machines, task definitions or data are never pooled, even inside one study. A spread is the smallest and the largest of
the processes; places go by the verdicts of `reports/verdicts.py`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec
import pandas as pd
from msgspec import Struct

from harness.record import Status
from reports import statistics, verdicts
from reports.figures import MOST_DIFFERENT
from reports.frame import COMPLETED
from reports.settled import Outcome
from reports.verdicts import Comparison, Side

CELL = ("task", "preset", "dataset", "device")
"""What a user asked for: the heading of a table."""
SPLITS = ("task_version", "task_fingerprint", "dataset_fingerprint", "machine")
"""What must be equal besides, or the runs stand in tables of their own."""
ROW = ("backend", "mode", "profile", "device_name", "framework_version", "versions")
"""What makes a row. A run that died too early to tell the last three is counted in with the only known one."""
METRICS = ("accuracy", "mean_squared_error")


class Spread(Struct, frozen=True, kw_only=True):
    """A number over several processes."""

    median: float
    low: float
    high: float
    runs: int

    def relative(self) -> float:
        """Return the distance from the smallest to the largest over the median."""
        return (self.high - self.low) / self.median


class Quality(Struct, frozen=True, kw_only=True):
    """The test quality of one completed run."""

    seed: int | None
    repeat: int | None
    value: float


class Row(Struct, frozen=True, kw_only=True):
    """One backend in one mode and profile. Numbers are medians over its completed runs; null where there is none."""

    backend: str
    mode: str
    profile: str
    device_name: str
    framework_version: str
    run_ids: tuple[str, ...]
    runs: int
    ok_runs: int
    status: str
    """The endings, counted: "2 ok, 1 timeout"."""
    reasons: tuple[str, ...]
    """The distinct reasons of the endings, each once."""
    throughput_examples_per_s: Spread | None
    time_to_first_step_s: float | None
    epoch_s: float | None
    host_peak_bytes: float | None
    device_peak_bytes: float | None
    metric: str
    """Which metric `quality` holds; empty if there is none."""
    quality: tuple[Quality, ...]
    """In the order of seed and repeat."""
    quality_mean: float | None
    quality_min: float | None
    quality_max: float | None
    parity: str
    parity_error_over_tolerance: float | None
    comparable: bool
    why_not_comparable: tuple[str, ...]
    steady_state: str
    """The outcomes of its measured runs, counted: "2 settled, 1 never settled"."""
    discarded_blocks: int
    disturbed_blocks: int
    recorded_blocks: int
    """All steady blocks of the measured runs."""
    seconds_per_example: tuple[float, ...]
    """Of every measured run its median seconds per step over the batch size: what verdicts compare."""
    inference: dict[str, tuple[float, ...]]
    """By measure of inference, of every run that has it: `latency`, seconds of the median call with one example, and
    `inference`, seconds per example at the task's batch size. Empty where outputs differed from the evaluation's."""
    accuracy_per_seed: dict[int, float]
    """By seed, the mean over its runs, which are not independent."""
    accuracy_low: float | None
    accuracy_high: float | None
    """Ends of the 95 % interval of their mean, from two seeds on, cut at 0 and 1."""
    rank: int | None = None
    """Place among the comparable rows: 1 if it is not shown to be slower than the fastest, else one more than the rows
    that are shown to be faster."""
    shares_place: bool = False
    """Another row has the same place: no order of the two is shown."""
    times_slower: float | None = None
    """Seconds of this row over those of the fastest, geometric means over the processes."""
    to_fastest: Comparison | None = None
    """This row against the fastest one, null for that one itself."""


class Group(Struct, frozen=True, kw_only=True):
    """The rows that computed the same task on the same data, kind of device and machine."""

    task: str
    preset: str
    dataset: str
    device: str
    task_version: int | None
    task_fingerprint: str
    dataset_fingerprint: str
    machine: str
    rows: tuple[Row, ...]
    baselines: dict[str, tuple[float, ...]] = {}
    """What simple methods reach on the same data: more than one number where the runs do not agree."""
    comparisons: tuple[Comparison, ...] = ()
    """Every pair of rows once."""
    split_by: tuple[str, ...] = ()
    """In what this group differs from another one of the same task, preset, data set and device."""


def machine_names(frame: pd.DataFrame) -> "pd.Series[str]":
    """Return for every run the machine it ran on, in words; equal words are taken for an equal machine."""
    facts = frame[["cpu", "cores", "cores_used", "memory_bytes", "kernel"]]
    names = [
        f"{cpu}, {used} of {cores} processors used, {memory / 1e9:.0f} GB, {kernel}"
        for cpu, cores, used, memory, kernel in facts.to_numpy(dtype=object).tolist()
    ]
    return pd.Series(names, index=frame.index, dtype="str")


def summarize(frame: pd.DataFrame) -> tuple[Group, ...]:
    """Return the groups of a frame in the order of their first run."""
    runs = frame.assign(machine=machine_names(frame))
    groups = [_group(part) for _, part in runs.groupby(list(CELL + SPLITS), sort=False, dropna=False)]
    compared = verdicts.compare([[_side(row) for row in group.rows] for group in groups])
    groups = [_ranked(group, found) for group, found in zip(groups, compared, strict=True)]
    return tuple(_marked(group, groups) for group in groups)


def _marked(group: Group, groups: Iterable[Group]) -> Group:
    """Note in what a group differs from those that it might be taken for."""
    twins = [g for g in groups if all(getattr(g, name) == getattr(group, name) for name in CELL)]
    differing = tuple(name for name in SPLITS if len({getattr(g, name) for g in twins}) > 1)
    return msgspec.structs.replace(group, split_by=differing)


def _group(runs: pd.DataFrame) -> Group:
    known = _with_late_facts(runs)
    rows = [_row(part) for _, part in known.groupby(list(ROW), sort=False, dropna=False)]
    first = runs.iloc[0]
    return Group(
        **{name: first[name] for name in CELL},
        task_version=_whole(first["task_version"]),
        task_fingerprint=first["task_fingerprint"],
        dataset_fingerprint=first["dataset_fingerprint"],
        machine=first["machine"],
        rows=_ordered(rows),
        baselines=_baselines(runs["baselines"]),
    )


def _with_late_facts(runs: pd.DataFrame) -> pd.DataFrame:
    """Fill in what a run that ended early could not tell, where its companions leave no doubt."""
    found = runs.copy()
    for _, part in runs.groupby(["backend", "mode", "profile"], sort=False):
        for name in ("device_name", "framework_version", "versions"):
            known = {value for value in part[name] if value}
            if len(known) == 1:
                found.loc[part.index, name] = known.pop()
    return found


def _row(runs: pd.DataFrame) -> Row:
    completed = runs[runs["status"].isin(COMPLETED)]
    measured = completed[completed["throughput_examples_per_s"].notna()]
    judged = measured if len(measured) else runs
    metric, quality = _quality(completed)
    values = [item.value for item in quality]
    first = runs.iloc[0]
    comparable = len(measured) > 0 and bool(measured["comparable"].all())
    accuracies = _per_seed(quality) if metric == "accuracy" else {}
    interval = statistics.mean_interval(list(accuracies.values())) if len(accuracies) >= statistics.FEWEST else None
    left_out = measured[["discarded_blocks", "disturbed_blocks"]].sum()
    return Row(
        **{name: first[name] for name in ROW if name != "versions"},
        run_ids=tuple(runs["run_id"]),
        runs=len(runs),
        ok_runs=int((runs["status"] == "ok").sum()),
        status=_counted(runs["status"], get_args(Status)),
        reasons=_distinct(runs["reason"]),
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
        parity=_verdict(judged["parity"]),
        parity_error_over_tolerance=_number(judged["parity_error_over_tolerance"].max()),
        comparable=comparable,
        why_not_comparable=() if comparable else _distinct(judged["why_not_comparable"]),
        steady_state=_counted(measured["steady_state"], get_args(Outcome)),
        discarded_blocks=int(left_out["discarded_blocks"]),
        disturbed_blocks=int(left_out["disturbed_blocks"]),
        recorded_blocks=int(measured["recorded_blocks"].sum()),
        seconds_per_example=tuple((measured["median_step_s"] / measured["batch_size"]).astype(float)),
        inference=_inference(measured),
        accuracy_per_seed=accuracies,
        accuracy_low=max(0.0, interval.low) if interval else None,
        accuracy_high=min(1.0, interval.high) if interval else None,
    )


def _ordered(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the comparable rows, fastest first, then the others.

    The fastest is sought among the rows of at least two processes, where there are any: against one process nothing
    could be shown of any row.
    """
    others = sorted((row for row in rows if not row.comparable), key=lambda row: (row.backend, row.mode, row.profile))
    return (*sorted((row for row in rows if row.comparable), key=_by_speed), *others)


def _by_speed(row: Row) -> tuple[bool, float]:
    logs = statistics.logarithms(row.seconds_per_example)
    return len(logs) < statistics.FEWEST, sum(logs) / len(logs)


def _side(row: Row) -> Side:
    return Side(
        comparable=row.comparable,
        seconds=row.seconds_per_example,
        accuracies=row.accuracy_per_seed,
        inference=row.inference,
    )


def _inference(runs: pd.DataFrame) -> dict[str, tuple[float, ...]]:
    if (runs["inference_difference"] > MOST_DIFFERENT).any():
        return {}
    rates = runs["inference_examples_per_s"].dropna()
    found = {"latency": tuple(runs["latency_median_s"].dropna()), "inference": tuple(1 / rates)}
    return {measure: values for measure, values in found.items() if values}


def _ranked(group: Group, comparisons: tuple[Comparison, ...]) -> Group:
    """Return the group with its verdicts, its rows by their places."""
    found = {(item.a, item.b): item for item in comparisons}
    found |= {(item.b, item.a): item.reversed() for item in comparisons}
    ranks = {place: _rank(place, found) for place, row in enumerate(group.rows) if row.comparable}
    order = sorted(range(len(group.rows)), key=lambda place: ranks.get(place, len(group.rows)))
    place_of = {old: new for new, old in enumerate(order)}

    def moved(item: Comparison) -> Comparison:
        a, b = place_of[item.a], place_of[item.b]
        return msgspec.structs.replace(item, a=a, b=b) if a < b else moved(item.reversed())

    rows = []
    for old in order:
        row, against = group.rows[old], found.get((old, 0))
        if old in ranks:
            row = msgspec.structs.replace(
                row,
                rank=ranks[old],
                shares_place=list(ranks.values()).count(ranks[old]) > 1,
                times_slower=against.ratio if against else 1.0,
                to_fastest=against and msgspec.structs.replace(against, a=place_of[old], b=place_of[0]),
            )
        rows.append(row)
    pairs = sorted(map(moved, comparisons), key=lambda item: (item.a, item.b))
    return msgspec.structs.replace(group, rows=tuple(rows), comparisons=tuple(pairs))


def _rank(place: int, found: Mapping[tuple[int, int], Comparison]) -> int:
    """Return the rank of a comparable row, given each row against each; the fastest one is row 0."""
    if place == 0 or found[place, 0].verdict != "slower":
        return 1
    return 1 + sum(item.verdict == "slower" for (a, _), item in found.items() if a == place)


def _quality(completed: pd.DataFrame) -> tuple[str, tuple[Quality, ...]]:
    """Return the metric that the runs have, and its values; `accuracy` goes before others."""
    runs = completed.sort_values(["seed", "repeat"])
    for metric in METRICS:
        found = runs[runs[metric].notna()]
        if len(found):
            values = zip(found["seed"], found["repeat"], found[metric], strict=True)
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
    for fact in facts:
        for name, value in json.loads(fact or "{}").items():
            found.setdefault(name, {})[value] = None
    return {name: tuple(values) for name, values in found.items()}


def _spread(values: "pd.Series[float]") -> Spread | None:
    if not len(values):
        return None
    return Spread(median=float(values.median()), low=float(values.min()), high=float(values.max()), runs=len(values))


def _counted(values: Iterable[str], order: Iterable[str]) -> str:
    """Return each value with how often it came, in a given order."""
    found = list(values)
    return ", ".join(f"{found.count(name)} {name}" for name in order if name in found)


def _verdict(values: Iterable[str]) -> str:
    """Return the parity verdict that all runs share, or how often each came."""
    found = list(values)
    return found[0] if len(set(found)) == 1 else _counted(found, ("pass", "fail", "not checked"))


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _median(values: "pd.Series[Any]") -> float | None:
    return _number(values.median()) if values.notna().any() else None


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _whole(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)
