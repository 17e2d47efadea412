"""A comparison as JSON for other programs: what changed, one object per row, what failed. What is missing is null."""

from typing import Any

import msgspec

from reports.compare.pairing import KEY, StudyRow
from reports.compare.studies import Compared, ComparedRow, key_of

SPEED = ("ratio", "low", "high", "p_holm", "verdict")
ACCURACY = ("difference", "low", "high", "p_holm", "p_equivalence", "test", "verdict")
SIDE = ("framework_version", "device_name", "runs", "ok_runs", "parity", "comparable", "quality_mean")
GROUP = ("task_version", "task_fingerprint", "dataset_fingerprint", "source", "machine")


def to_json(found: Compared) -> str:
    """Return the whole comparison; `failed`: something got worse, or nothing could be shown, as `why_nothing` says."""
    told = {
        "a": {"study": found.a, "created_at": found.created_a, "machines": found.machines_a},
        "b": {"study": found.b, "created_at": found.created_b, "machines": found.machines_b},
        "different_machines": found.is_on_other_machines(),
        "changes": found.changes,
        "fail_on_slower": found.limit,
        "failed": found.exit_code() != 0,
        "exit_code": found.exit_code(),
        "why_nothing": found.why_nothing_shown(),
        "rows": [_line(line) for line in found.lines],
        "only_in_a": [_place(place) for place in found.only_a],
        "only_in_b": [_place(place) for place in found.only_b],
        "not_paired": [dict(zip(KEY, key, strict=True)) | {"a": a, "b": b} for key, a, b in found.unclear],
        "damaged": [{"study": study, "path": path, "reason": reason} for study, path, reason in found.damaged],
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n"


def _line(line: ComparedRow) -> dict[str, Any]:
    item = line.found
    measures = {"training": {name: getattr(item, name) for name in SPEED} | {"could_have_shown": item.smallest_ratio}}
    for measure, shown in item.inference.items():
        measures[measure] = {name: getattr(shown, name) for name in SPEED}
    for measure, tested in line.tested.items():
        measures[measure]["limit"] = tested
    return key_of(line) | {
        "compared": line.is_compared(),
        "refused": line.refused,
        "why": item.why,
        "a": _side(line.a),
        "b": _side(line.b),
        "measures": measures,
        "accuracy": {name: getattr(item, f"accuracy_{name}") for name in ACCURACY},
        "host_memory_ratio": _ratio(line, "host_peak_bytes"),
        "device_memory_ratio": _ratio(line, "device_peak_bytes"),
        "worse": line.worse,
    }


def _side(place: StudyRow) -> dict[str, Any]:
    speed = place.row.throughput_examples_per_s
    facts = {name: getattr(place.row, name) for name in ("backend", *SIDE)}
    facts |= {name: getattr(place.group, name) for name in GROUP}
    return facts | {
        "endings": place.row.status,
        "processes": len(place.row.seconds_per_example),
        "examples_per_s": speed.median if speed else None,
        "host_peak_bytes": place.row.host_peak_bytes,
        "device_peak_bytes": place.row.device_peak_bytes,
    }


def _place(place: StudyRow) -> dict[str, Any]:
    return dict(zip(KEY, place.key(), strict=True)) | {"source": place.group.source, "machine": place.group.machine}


def _ratio(line: ComparedRow, column: str) -> float | None:
    a, b = getattr(line.a.row, column), getattr(line.b.row, column)
    return b / a if a and b and not line.refused else None
