"""Runs become rows: one per backend, device, mode and profile, beside those that computed the very same thing.

Two rules. A row enters the ranking only if every run that its numbers come from passed parity. Runs of different
machines, task definitions or data are never pooled, even inside one study. Nothing here is a statistical verdict: a
spread is the smallest and the largest of the processes.
"""

import json
from collections.abc import Iterable
from typing import Any, get_args

import msgspec
import pandas as pd
from msgspec import Struct

from harness.record import Status
from reports.frame import COMPLETED

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
    rank: int | None = None
    """Place by median throughput among the comparable rows; all that overlap with the fastest have place 1."""
    overlaps_fastest: bool = False
    """Its range of throughput and that of another row of place 1 overlap: neither is shown to be the faster."""
    times_slower: float | None = None
    """The fastest row's median throughput over this one's."""


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
        rows=_ranked(rows),
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
    )


def _ranked(rows: list[Row]) -> tuple[Row, ...]:
    """Return the comparable rows, fastest first and with their ranks, then the others."""
    speeds = [(row.throughput_examples_per_s, row) for row in rows if row.comparable]
    order = sorted(((s, row) for s, row in speeds if s is not None), key=lambda pair: pair[0].median, reverse=True)
    others = sorted((row for row in rows if not row.comparable), key=lambda row: (row.backend, row.mode, row.profile))
    if not order:
        return tuple(others)
    fastest = order[0][0]
    tied = [spread.high >= fastest.low for spread, _ in order]
    ranked = []
    for place, ((spread, row), overlaps) in enumerate(zip(order, tied, strict=True), start=1):
        ranked.append(
            msgspec.structs.replace(
                row,
                rank=1 if overlaps else place,
                overlaps_fastest=overlaps and sum(tied) > 1,
                times_slower=fastest.median / spread.median,
            )
        )
    return (*ranked, *others)


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
