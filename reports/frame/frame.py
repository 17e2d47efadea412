"""Records become one tidy pandas frame: one row per run, for the process is the independent sample.

Nothing is pooled or judged here; every number is a record's own or follows from one record alone. What is missing is
NaN, never zero, and a column has its type even where all of it is missing.
"""

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from harness.record import Record
from harness.records import studies
from reports.frame.columns import COLUMNS, DTYPES, EVALUATIONS, FRAME, LOSSES, SAMPLES, STAGES, Column
from reports.frame.row import Row, RowOf, Values, fitter, stage_row

__all__ = ["COLUMNS", "evaluations", "frame", "load_frame", "losses", "samples", "stages"]

STUDY = "study"
"""Column that only a frame of several studies needs."""

Frame = pd.DataFrame
"""The type of what `reports.load` returns, for a module that must not import pandas."""


def load_frame(study: str | Path | Iterable[str | Path], *more: str | Path) -> pd.DataFrame:
    """Return the frame of one study, or of several ones below each other with the column `study` in front.

    Damaged records are left out with a warning, and listed in `frame.attrs["damaged"]`.

    Args:
        study: a study's folder, or its name under `results/`, or a list of such.
        more: other studies.

    Raises:
        UsageError: there is no such study.
    """
    wanted = (*([study] if isinstance(study, str | Path) else study), *more)
    every = [studies.load(studies.find(one, Path("results"))) for one in wanted]
    damaged = [found for loaded in every for found in loaded.damaged]
    for one in damaged:
        warnings.warn(f"{one.path} was left out: {one.reason}", stacklevel=2)
    frames = [frame(loaded.records) for loaded in every]
    if len(every) > 1:
        for loaded, found in zip(every, frames, strict=True):
            if STUDY not in found.columns:
                found.insert(0, STUDY, pd.Series(loaded.name, index=found.index, dtype=DTYPES["text"]))
    together = pd.concat(frames, ignore_index=True) if len(every) > 1 else frames[0]
    together.attrs["damaged"] = [{"path": one.path, "reason": one.reason} for one in damaged]
    return together


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per record, with the columns of `COLUMNS` in their order."""
    return assembled(FRAME, map(RowOf(), records))


def samples(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per timed block; of a task of stages, those of the last one that was at work."""
    rows = [
        {"run_id": record.spec.run_id, "block": number, "kind": block.kind, "steps": block.steps}
        | {"seconds": block.seconds, "cpu_seconds": block.cpu_seconds}
        for record in records
        for number, block in enumerate(record.measured.blocks)
    ]
    return table(SAMPLES, rows)


def losses(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per recorded training loss."""
    rows = [
        {"run_id": record.spec.run_id, "steps": steps, "loss": loss}
        for record in records
        for steps, loss in zip(record.measured.loss_steps, record.measured.losses, strict=False)
    ]
    return table(LOSSES, rows)


def evaluations(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per evaluation and metric."""
    rows = [
        {"run_id": record.spec.run_id, "steps": evaluation.steps, "train_seconds": evaluation.train_seconds}
        | {"metric": metric, "value": value, "validation": evaluation.validation.get(metric)}
        for record in records
        for evaluation in record.measured.evaluations
        for metric, value in evaluation.quality.items()
    ]
    return table(EVALUATIONS, rows)


def stages(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row per stage of a Boltzmann machine, per judgement of it and per net that was trained after it."""
    rows = [
        {"run_id": record.spec.run_id, "number": number} | stage_row(stage, record)
        for record in records
        for number, stage in enumerate(record.measured.stages)
    ]
    return table(STAGES, rows)


def table(columns: Mapping[str, Column], rows: Iterable[Row]) -> pd.DataFrame:
    """Return a frame of exactly these columns and their types, from rows that may hold None."""
    return assembled(columns, map(fitter(columns), rows))


def assembled(columns: Mapping[str, Column], rows: Iterable[Values]) -> pd.DataFrame:
    """Return a frame of exactly these columns and their types, from the values of its rows."""
    found = tuple(zip(*rows, strict=True)) or ((),) * len(columns)
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=DTYPES[column.kind])
            for (name, column), values in zip(columns.items(), found, strict=True)
        }
    )
