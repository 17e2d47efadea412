"""The frame: every number follows from its record, what is missing is missing, and every column is explained."""

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from records_factory import (
    FAIL,
    UNCHECKED,
    block,
    damage,
    died,
    machine_record,
    measured,
    of_task,
    record,
    stages,
    trained_stage,
    write_study,
)

import harness
import reports
from harness import registry
from harness.boltzmann import Joint, Rbm, Stage, WakeSleep, initial_state, statistics_names
from harness.contract import Trap
from harness.errors import UsageError
from harness.language import Sentence
from harness.measure import quality
from harness.record import Block, Evaluation, Measured, Memory, ParityVerdict, Record
from harness.records.steady import read
from reports.frame import frame as frames
from reports.frame.columns import COLUMNS, DTYPES, EVALUATIONS, FRAME, LOSSES, SAMPLES, STAGES, VERDICTS, Column
from reports.frame.frame import evaluations, frame, load_frame, losses, samples

JOINT = Joint(name="j", epochs=1, learning_rate=0.1, weight_decay=0.0, visible=4, hidden1=3, hidden2=2, chains=2)
RBM = Rbm(name="r", epochs=1, learning_rate=0.1, weight_decay=0.0, visible=4, hidden=3)
UP_DOWN = WakeSleep(name="w", epochs=1, learning_rate=0.1, weight_decay=0.0, visible=4, hidden1=3, hidden2=2)
GOLDEN = sorted((Path(__file__).parent / "records").glob("schema-*.json"))


def only(found: pd.DataFrame) -> "pd.Series[Any]":
    assert len(found) == 1
    return found.iloc[0]


def test_throughput_is_examples_over_seconds_of_the_steady_blocks_alone() -> None:
    row = only(frame([record(found=measured(0.01))]))
    assert row["throughput_examples_per_s"] == pytest.approx(64 * 30 / 0.3)
    assert row["step_s"] == pytest.approx(0.01)
    assert row["epoch_s"] == pytest.approx(22 * 0.01)
    assert row["steady_blocks"] == 3
    assert row["steady_s"] == pytest.approx(0.3)
    assert row["cpu_per_wall"] == pytest.approx(1.5)
    assert row["block_spread"] == pytest.approx(0.1)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(1, 10_000), st.floats(1e-3, 1e3)), min_size=1, max_size=20),
    st.integers(1, 4096),
)
def test_throughput_is_never_a_mean_of_ratios(blocks: list[tuple[int, float]], batch: int) -> None:
    steady = tuple(block("steady", steps, seconds) for steps, seconds in blocks)
    row = only(frame([record(found=measured(blocks=(block("first", 1, 9.0), *steady), batch_size=batch))]))
    kept = read(steady, 4).blocks
    steps, seconds = sum(item.steps for item in kept), sum(item.seconds for item in kept)
    assert math.isclose(row["throughput_examples_per_s"], batch * steps / seconds, rel_tol=1e-12)
    rates = [batch * item.steps / item.seconds for item in kept]
    assert min(rates) * (1 - 1e-9) <= row["throughput_examples_per_s"] <= max(rates) * (1 + 1e-9)


def test_phases_quality_memory_and_environment_come_from_the_record() -> None:
    harmful = (Trap(name="tf32", sentence="switch it off"), Trap(name="small", sentence="no harm", harmful=False))
    row = only(frame([record(seed=7, found=measured(traps=harmful, versions={"torch": "2.13.0", "numpy": "2"}))]))
    assert row["time_to_first_step_s"] == 1.0 + 0.25 + 0.125 + 0.5
    assert (row["train_s"], row["evaluate_s"], row["total_s"]) == (1.5, 0.0625, 4.0)
    assert (row["accuracy"], row["final_loss"], row["steps"]) == (0.9, 0.125, 110)
    assert math.isnan(row["mean_squared_error"])
    assert (row["host_peak_bytes"], row["import_bytes"]) == (300_000_000, 200_000_000)
    assert row["device_peak_bytes"] is pd.NA
    assert (row["seed"], row["cores"], row["cores_used"], row["framework_version"]) == (7, 4, 4, "2.13.0")
    assert msgspec.json.decode(row["versions"]) == {"torch": "2.13.0", "numpy": "2"}
    assert msgspec.json.decode(row["harmful_traps"]) == {"tf32": "switch it off"}
    assert row["target"] == "accuracy at least 0.9"
    assert row["comparable"]
    assert row["why_not_comparable"] == ""


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (record(parity=FAIL), "parity failed: differs from the reference in gradients"),
        (record(parity=UNCHECKED), "parity was not checked"),
        (record(parity=replace(UNCHECKED, reason="a trial")), "parity was not checked: a trial"),
        (record(status="diverged"), "the run ended as diverged"),
        (record(found=measured(blocks=())), "no steady block"),
        (record(found=measured(batch_size=0)), "the batch size is not known"),
        (died(parity=UNCHECKED), "parity was not checked (--no-parity); the run ended as crashed; no steady block"),
    ],
)
def test_a_run_is_comparable_only_with_parity_an_end_and_steady_blocks(item: Record, why: str) -> None:
    row = only(frame([item]))
    assert not row["comparable"]
    assert why in row["why_not_comparable"]


SAID_ONCE = ("parity was not checked", "parity failed")


@pytest.mark.parametrize("passed", [None, False])
@pytest.mark.parametrize("reason", ["", *SAID_ONCE, *(f"{said} (--no-parity)" for said in SAID_ONCE)])
def test_what_happened_is_not_said_twice(passed: bool | None, reason: str) -> None:
    for said in (None, Sentence("{words}", words=reason) if reason else None):
        row = only(frame([record(parity=ParityVerdict(passed=passed, reason=reason, said=said))]))
        assert all(row["why_not_comparable"].count(words) <= 1 for words in SAID_ONCE)


def test_a_missed_target_is_still_comparable() -> None:
    assert only(frame([record(status="missed_target", reason="accuracy 0.8")]))["comparable"]


PARTIAL = [
    [],
    [died()],
    [died(), record()],
    [record(found=measured(loss_steps=(1,), losses=(None,), quality={"accuracy": None}, evaluations=()))],
    [record(found=measured(examples={}, blocks=(block("steady", 1, 0.0), block("steady", 0, 1.0))))],
    [died(reason="x" * 1_000_000)],
    [record(found=measured(memory=Memory(host_peak_bytes=10**18 * 100)))],
]


@pytest.mark.parametrize("records", PARTIAL)
def test_every_column_has_its_type_whatever_is_missing(records: list[Record]) -> None:
    found = frame(records)
    assert list(found.columns) == list(COLUMNS)
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {n: DTYPES[c.kind] for n, c in FRAME.items()}
    assert len(found) == len(records)


def test_what_was_not_measured_is_missing_and_not_zero() -> None:
    row = only(frame([died()]))
    for name in ("throughput_examples_per_s", "accuracy", "host_peak_bytes", "time_to_first_step_s", "batch_size"):
        assert pd.isna(row[name]), name
    assert row["steps"] == 0
    assert row["framework_version"] == ""


@pytest.mark.parametrize("columns", [FRAME, SAMPLES, LOSSES, EVALUATIONS, STAGES, VERDICTS])
def test_every_column_is_explained_in_one_sentence(columns: dict[str, Column]) -> None:
    for _, meaning in columns.values():
        assert meaning.endswith((".", "?"))
        assert len(meaning) > 10


def test_the_other_frames_hold_a_row_per_block_loss_and_evaluation() -> None:
    items = [record(), died(repeat=1)]
    assert list(samples(items)["kind"]) == ["first", "calibration", "steady", "steady", "steady", "short"]
    assert list(losses(items)["loss"]) == [2.0, 1.0, 0.5, 0.25, 0.125]
    assert evaluations(items)[["steps", "metric", "value"]].to_numpy().tolist() == [[110, "accuracy", 0.9]]
    assert [len(f([])) for f in (samples, losses, evaluations)] == [0, 0, 0]
    lost = Evaluation(steps=1, train_seconds=0.1, quality={"mean_squared_error": None})
    assert evaluations([record(found=measured(evaluations=(lost,)))])["value"].isna().all()


def test_a_study_is_loaded_by_its_folder_or_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_study(tmp_path / "results" / "s", [record(), died(repeat=1)])
    monkeypatch.chdir(tmp_path)
    for study in (folder, str(folder), "s", Path("results/s")):
        pd.testing.assert_frame_equal(load_frame(study), frame([record(), died(repeat=1)]), check_like=False)
    with pytest.raises(UsageError, match="no study 'other': studies in results are s"):
        load_frame("other")


def test_a_notebook_gets_the_same_frame_from_harness_load(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [record()])
    pd.testing.assert_frame_equal(reports.load(folder), load_frame(folder))
    with pytest.warns(FutureWarning, match="reports.load"):
        assert harness.load is reports.load


def test_a_damaged_record_is_warned_of_and_the_rest_is_loaded(tmp_path: Path) -> None:
    path = damage(write_study(tmp_path / "s", [record()]))
    with pytest.warns(UserWarning, match=r"broken\.json was left out: Input data was truncated"):
        found = load_frame(tmp_path / "s")
    assert len(found) == 1
    assert found.attrs["damaged"][0]["path"] == str(path)


KEPT: dict[str, tuple[float, dict[str, Any]]] = {
    "schema-1": (6400.0, {"accuracy": 0.9, "parity": "pass", "comparable": True, "baselines": ""}),
    "schema-2": (93.7296, {"accuracy": 0.12222222222222222, "parity": "not checked", "comparable": False}),
    "schema-3": (169.4776, {"disturbed_blocks": 1, "comparable": True, "twin": "bit-identical"}),
    "schema-4": (
        10780.4997,
        {"disturbed_blocks": 1, "comparable": True, "parity_error_over_tolerance": 0.007578762134979175},
    ),
    "schema-5": (
        10780.4997,
        {"reason": "accuracy 0.8693, the target is 1.0", "status": "missed_target", "comparable": True},
    ),
    "schema-6": (
        837.0299,
        {
            "planned_in_turns": True,
            "until_decided": False,
            "round": "xor.torch.cpu.eager.smoke.xor.s0.r0",
            "comparable": True,
        },
    ),
}
"""What the golden record of each schema says: examples/s, and other columns."""


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_record_of_every_schema_can_still_be_read_and_shown(path: Path) -> None:
    row = only(frame([msgspec.json.decode(path.read_bytes(), type=Record)]))
    speed, expected = KEPT[path.stem]
    assert row["throughput_examples_per_s"] == pytest.approx(speed, rel=1e-4)
    assert {name: row[name] for name in expected} == expected


def by_stage(item: Record) -> dict[str, dict[str, Any]]:
    """Return the rows of one record's stages, by name."""
    return {row["stage"]: {str(name): row[name] for name in row} for row in frames.stages([item]).to_dict("records")}


def test_the_stages_of_a_kept_record_can_still_be_read() -> None:
    path = Path(__file__).parent / "records" / "schema-2.json"
    found = by_stage(msgspec.json.decode(path.read_bytes(), type=Record))
    assert list(found)[:6] == ["bottom", "bottom, trained", "top", "top, trained", "joint, composed", "joint"]
    assert list(found)[6:] == ["joint, trained", "linear probe", "fine-tuned", "random start"]
    assert found["joint"]["reconstruction_error"] == pytest.approx(129.152, rel=1e-4)
    assert found["joint, composed"]["mean_field_iterations"] == 14
    assert "no temperatures" in found["joint, composed"]["remarks"]


def test_a_stage_has_the_speed_of_its_own_steady_blocks_and_what_its_last_epoch_said() -> None:
    item = machine_record(parts=stages(0.01))
    found = by_stage(item)
    speeds = {name: row["examples_per_s"] for name, row in found.items() if not math.isnan(row["examples_per_s"])}
    nets = [name for name in found if name.startswith(("linear", "fine", "random"))]
    assert len(nets) == 5
    assert speeds == pytest.approx({"bottom": 10_000, "top": 5_000, "joint": 2_500} | dict.fromkeys(nets, 20_000))
    joint = found["joint"]
    assert (joint["kind"], joint["number"], joint["updates"], joint["first_step_s"]) == ("machine", 4, 20, 0.5)
    assert joint["train_s"] == pytest.approx(1.9)
    assert [joint[name] for name in statistics_names(JOINT)] == [10.01, 1e-4, 0.1, 0.25, 0.35]
    composed = found["joint, composed"]
    assert (composed["kind"], composed["bound"], composed["bound_is_reliable"]) == ("figures", -130.25, 1)
    assert (found["fine-tuned"]["kind"], found["fine-tuned"]["accuracy"]) == ("net", 0.9)
    assert only(frame([item]))["throughput_examples_per_s"] == pytest.approx(2_500)


def test_what_a_stage_did_not_measure_is_missing_and_not_zero() -> None:
    found = by_stage(machine_record(parts=stages(bound=None, why_unreliable="it diverged")))
    judged = found["joint, trained"]
    for name in ("examples_per_s", "first_step_s", "train_s", "reconstruction_error", "accuracy", "bound"):
        assert pd.isna(judged[name]), name
    assert judged["bound_is_reliable"] == 0
    assert msgspec.json.decode(judged["remarks"]) == {"bound": "it diverged"}
    assert pd.isna(found["fine-tuned"]["bound_is_reliable"])


@pytest.mark.parametrize(
    "records", [[], [record()], [died()], [machine_record(), machine_record(parts=(trained_stage("other"),))]]
)
def test_every_column_of_the_stages_has_its_type(records: list[Record]) -> None:
    found = frames.stages(records)
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {n: DTYPES[c.kind] for n, c in STAGES.items()}
    assert len(found) == sum(len(item.measured.stages) for item in records)


@pytest.mark.parametrize("stage", [JOINT, RBM, UP_DOWN])
def test_whatever_is_reported_of_a_machine_has_a_column(stage: Stage) -> None:
    state = initial_state(stage, 2, seed=0)
    x = np.full((3, 4), 0.5, np.float32)
    found, _ = quality.of(stage, state, test=x, temperatures=3, runs=4, seed=0)
    assert {*statistics_names(stage), *found} <= set(STAGES)


def test_the_speed_of_a_machine_that_ended_in_an_earlier_stage_is_not_that_of_its_last() -> None:
    blocks = (block("first", 1, 0.5), block("steady", 10, 0.1))
    unfinished = of_task(registry.task("dbm-mnist"), died(status="timeout", preset="full"))
    half = replace(unfinished, measured=measured(blocks=blocks, stages=stages()[:2]))
    row = only(frame([half]))
    assert pd.isna(row["throughput_examples_per_s"])
    assert pd.isna(row["epoch_s"])
    assert list(frames.stages([half])["stage"]) == ["bottom", "bottom, trained"]


def test_an_epoch_has_no_steps_for_the_examples_held_out_for_validation() -> None:
    task = registry.task("lstm-text")
    name, stopping = next((n, p.early_stopping) for n, p in task.presets.items() if p.early_stopping)
    assert stopping.share == 0.1
    item = of_task(task, record(preset=name, found=measured(0.01, examples={"train": 1440})))
    assert only(frame([item]))["epoch_s"] == pytest.approx((1440 - 144) // 64 * 0.01)


def test_validation_stands_beside_the_test_quality_and_early_stopping_in_the_frame() -> None:
    first = Evaluation(steps=11, train_seconds=0.1, quality={"accuracy": 0.7}, validation={"accuracy": 0.75})
    last = Evaluation(steps=22, train_seconds=0.2, quality={"accuracy": 0.8})
    item = record(found=measured(evaluations=(first, last), stopped_early=True), baselines={"bag": 0.5})
    found = evaluations([item])
    assert found["value"].tolist() == [0.7, 0.8]
    assert found["validation"].fillna(-1).tolist() == [0.75, -1]
    assert only(frame([item]))["stopped_early"]
    assert not only(frame([record()]))["stopped_early"]
    assert msgspec.json.decode(only(frame([item]))["baselines"]) == {"bag": 0.5}


def test_there_is_a_golden_record_for_the_schema_of_today() -> None:
    assert f"schema-{harness.record.SCHEMA}" in {path.stem for path in GOLDEN}


def test_infinite_and_unknown_numbers_do_not_reach_the_frame() -> None:
    strange = replace(
        Measured(), blocks=(Block(kind="steady", steps=1, seconds=5e-324, cpu_seconds=1.0),), batch_size=9
    )
    assert pd.isna(only(frame([record(found=strange)]))["throughput_examples_per_s"])
