"""The choice: planted winners are found, planted ties are called ties, and a weight flips it exactly where it said."""

import io
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from records_factory import FAIL, MACHINE, UNCHECKED, block, died, measured, record, write_study
from rich.cells import cell_len
from rich.console import Console

from harness import language, registry
from harness.cli.commands.choose import choose as choose_command
from harness.errors import UsageError
from harness.record import Evaluation, Installation, Memory, Mistake, Phases, Record
from harness.records.studies import Loaded
from reports.choose import decided, needs, task_words, words
from reports.choose.choice import SURE, Choice
from reports.choose.choose import _verdict, choose
from reports.choose.criteria import CRITERIA
from reports.choose.draws import ONE_PROCESS_RATIO
from reports.choose.needs import Limits, Needs, Weights
from reports.formats import choice_terminal
from reports.page.exhibits import choice as choice_exhibits
from reports.statistics.study import StudyRead

JITTER = (0.97, 1.0, 1.03)
"""Three processes of a row differ by so much."""


def runs(
    backend: str,
    *,
    speed: float = 1.0,
    memory: int = 300_000_000,
    accuracy: float = 0.9,
    start_up: float = 1.0,
    **more: Any,
) -> list[Record]:
    """Return three runs of a row, `speed` times as fast as the plain one."""
    size, lines, clear = (more.pop(name, None) for name in ("install_bytes", "lines", "clear"))
    found = [
        record(
            backend,
            repeat=repeat,
            found=measured(
                0.01 * jitter / speed,
                accuracy,
                versions={backend: "1.2.3"},
                phases=Phases(import_s=start_up * jitter, build_s=0.2 * jitter, load_s=0.1, first_step_s=0.5 * jitter),
                memory=Memory(host_peak_bytes=int(memory * jitter)),
                evaluations=(
                    Evaluation(steps=110, train_seconds=1.5 * jitter / speed, quality={"accuracy": accuracy}),
                ),
            ),
            **more,
        )
        for repeat, jitter in enumerate(JITTER)
    ]
    installed = Installation(install_s=60.0 if size else None, bytes=size, packages=9, adapter_lines=lines)
    mistakes = () if clear is None else tuple(said(named=number < clear) for number in range(4))
    return [replace(item, installation=installed, mistakes=mistakes) for item in found]


def said(*, named: bool) -> Mistake:
    return Mistake(
        name="input size", mode="eager", error_type="E", names_expected=named, names_given=named, seconds=0.1
    )


def wanted(*limits: Limits, worthless_at: float = 10.0, **weight: float) -> Needs:
    [limit] = limits or (Limits(),)
    return Needs(name="test", weights=Weights(**weight), limits=limit, worthless_at=worthless_at)


def loaded(records: Sequence[Record]) -> StudyRead:
    return StudyRead.of_loaded(Loaded(folder=Path("study"), plan=None, records=list(records), damaged=[]))


def chosen(records: Sequence[Record], asked: Needs) -> Choice:
    return choose(loaded(records), asked)


def on_terminal(choice: Choice) -> str:
    stream = io.StringIO()
    choice_terminal.show(choice, Console(file=stream, width=80, color_system=None), explain=True)
    return stream.getvalue()


ALL = dict.fromkeys(Weights.__struct_fields__, 1.0)


def test_a_planted_winner_is_found_by_every_criterion() -> None:
    plain = runs("torch", install_bytes=10**9, lines=500, clear=1)
    for name, better in {
        "throughput": runs("mindspore", speed=1.5),
        "time_to_accuracy": runs("mindspore", speed=1.5),
        "start_up": runs("mindspore", start_up=0.5),
        "host_memory": runs("mindspore", memory=200_000_000),
        "quality": runs("mindspore", accuracy=0.93),
        "install_size": runs("mindspore", install_bytes=5 * 10**8),
        "adapter_code": runs("mindspore", lines=300),
        "clear_messages": runs("mindspore", clear=3),
    }.items():
        found = chosen([*plain, *better], wanted(**{name: 1.0}))
        assert (found.verdict, found.leader) == ("winner", "mindspore eager"), name
        assert (found.best()[0].probability_best or 0) >= SURE
        assert found.deciding is not None
        assert found.deciding.criterion == name
        assert found.deciding.changes_the_order


def test_an_explanation_ends_with_the_decision() -> None:
    found = chosen([*runs("torch"), *runs("mindspore", speed=0.1)], wanted(throughput=1))
    paragraphs = on_terminal(found).strip().split("\n\n")
    assert " ".join(paragraphs[-1].split()) == words.verdict(found)
    assert " ".join(on_terminal(found).split()).startswith(words.verdict(found))


def test_equal_measurements_are_a_tie_of_exactly_one_half() -> None:
    found = chosen([*runs("torch", install_bytes=7), *runs("mindspore", install_bytes=7)], wanted(install_size=1))
    assert (found.verdict, set(found.tied)) == ("tie", {"torch eager", "mindspore eager"})
    assert [item.probability_best for item in found.best()] == [0.5, 0.5]
    assert (found.deciding, found.moves) == (None, ())
    assert "A tie between" in words.verdict(found)


def test_speeds_that_overlap_are_a_tie_and_a_third_that_is_far_behind_is_none_of_it() -> None:
    study = [*runs("torch"), *runs("mindspore", speed=1.02), *runs("tensorflow", speed=0.5)]
    found = chosen(study, wanted(throughput=1))
    assert (found.verdict, set(found.tied)) == ("tie", {"torch eager", "mindspore eager"})
    assert found.leader == "mindspore eager"
    ties = {frozenset((pair.a, pair.b)) for pair in found.pairs if pair.tie}
    assert ties == {frozenset(("torch eager", "mindspore eager"))}
    assert len(found.pairs) == 3
    text = on_terminal(found)
    assert "A tie between" in text
    assert "is the best choice" not in text


def test_the_tie_is_the_leader_and_as_many_as_it_takes_to_be_sure() -> None:
    assert _verdict([("a", 0.96), ("b", 0.04)]) == ("winner", ())
    assert _verdict([("a", 0.5), ("b", 0.02), ("c", 0.48)]) == ("tie", ("a", "c"))
    assert _verdict([("a", 0.4), ("b", 0.3), ("c", 0.3)]) == ("tie", ("a", "b", "c"))
    assert _verdict([("a", 0.03), ("b", 0.97)]) == ("tie", ("a", "b")), "mostly better, but worse on the whole"


def test_the_choice_flips_exactly_where_it_said() -> None:
    study = [*runs("torch", speed=2), *runs("mindspore", memory=150_000_000), *runs("tensorflow", accuracy=0.93)]
    start = {"throughput": 3.0, "host_memory": 2.0, "quality": 1.0}
    found = chosen(study, wanted(**start))
    assert len(found.moves) >= 3
    for move in found.moves:
        towards = 1 if move.then > move.weight else -1
        just = 1e-6 * towards
        assert chosen(study, wanted(**start | {move.criterion: move.then - just})).leader == found.leader
        assert chosen(study, wanted(**start | {move.criterion: move.then + just})).leader == move.winner
    assert [abs(m.share_then - m.share) for m in found.moves] == sorted(
        abs(m.share_then - m.share) for m in found.moves
    )


TABLES = st.integers(2, 5).flatmap(
    lambda criteria: st.tuples(
        st.lists(st.lists(st.integers(0, 20), min_size=criteria, max_size=criteria), min_size=2, max_size=5),
        st.lists(st.integers(1, 9), min_size=criteria, max_size=criteria),
    )
)


@given(TABLES)
def test_no_change_of_a_weight_nearer_than_the_one_that_is_said_changes_the_leader(
    table: tuple[list[list[int]], list[int]],
) -> None:
    values, weight = np.array(table[0]) / 20, [float(value) for value in table[1]]
    scores = decided.scores(values, weight)
    leader = int(scores.argmax())
    if np.sum(scores >= scores.max() - 1e-9) > 1:
        return  # nobody leads
    flips = decided.flips(values, weight)
    for flip in flips:
        beyond = list(weight)
        beyond[flip.criterion] = flip.then + 1e-7 * (1 if flip.then > flip.weight else -1)
        after = decided.scores(values, beyond)
        assert after[flip.winner] > after[leader]
        assert after[flip.winner] >= after.max() - 1e-6
    for k in range(len(weight)):
        ends = [flip.then for flip in flips if flip.criterion == k]
        low = max((end for end in ends if end < weight[k]), default=0.0)
        high = min((end for end in ends if end > weight[k]), default=1000.0)
        for share in (0.001, 0.25, 0.5, 0.75, 0.999):
            between = list(weight)
            between[k] = low + share * (high - low)
            now = decided.scores(values, between)
            assert now[leader] >= now.max() - 1e-9


def test_the_same_study_gives_the_same_choice_in_whatever_order_its_records_come() -> None:
    study = [*runs("torch"), *runs("mindspore", speed=1.1), *runs("tensorflow", accuracy=0.92)]
    mixed = list(study)
    random.Random(1).shuffle(mixed)
    first, again, other = (chosen(items, wanted(**ALL)) for items in (study, study, mixed))
    assert first == again
    assert [(item.label, item.probability_best) for item in first.best()] == [
        (item.label, item.probability_best) for item in other.best()
    ]


def test_a_third_candidate_does_not_change_what_two_differ_by() -> None:
    pair = [*runs("torch"), *runs("mindspore", speed=1.1)]
    asked = wanted(throughput=1, host_memory=1, worthless_at=100)
    alone, beside = chosen(pair, asked), chosen([*pair, *runs("tensorflow", speed=3)], asked)
    score = {item.label: item.score for item in alone.best()}
    now = {item.label: item.score for item in beside.best()}
    assert beside.leader == "tensorflow eager"
    before = score["mindspore eager"] - score["torch eager"]
    assert now["mindspore eager"] - now["torch eager"] == pytest.approx(before, abs=1e-4)


def test_a_value_is_the_logarithm_of_the_ratio_to_the_best() -> None:
    study = [
        *runs("torch", install_bytes=100),
        *runs("mindspore", install_bytes=200),
        *runs("tensorflow", install_bytes=5000),
    ]
    found = chosen(study, wanted(install_size=1))
    values = {item.backend: item.values["install_size"] for item in found.best()}
    assert values == pytest.approx({"torch": 1.0, "mindspore": 1 - np.log10(2), "tensorflow": 0.0})
    assert [item.raw["install_size"] for item in found.best()] == pytest.approx([1e-4, 2e-4, 5e-3])


def test_a_probability_is_that_of_the_t_distribution() -> None:
    """Two rows of three processes with one criterion: the share of draws is the tail of two independent t's."""
    found = chosen([*runs("torch"), *runs("mindspore", speed=1.02)], wanted(start_up=0, throughput=1))
    logs = np.log(JITTER)
    error = logs.std(ddof=1) / np.sqrt(3)
    sides = np.random.default_rng(5).standard_t(2, (2, 400_000)) * error
    expected = np.mean(sides[0] - sides[1] < np.log(1.02))
    assert found.best()[0].probability_best == pytest.approx(expected, abs=0.015)


def test_one_process_counts_as_very_uncertain_and_is_said() -> None:
    study = [runs("torch")[0], runs("mindspore", speed=1.3)[0]]
    found = chosen(study, wanted(throughput=1))
    assert found.verdict == "tie"
    assert found.best()[0].one_process == (
        "throughput",
        "time_to_accuracy",
        "start_up",
        "host_memory",
        "quality",
    )
    assert any("one process alone" in line for line in words.remarks(found))
    sure = chosen([runs("torch")[0], runs("mindspore", speed=ONE_PROCESS_RATIO**3)[0]], wanted(throughput=1))
    assert sure.verdict == "winner"


def test_what_is_not_measured_is_unknown_and_not_zero() -> None:
    study = [*runs("torch", install_bytes=100), *runs("mindspore", install_bytes=1000), *runs("tensorflow")]
    found = {item.backend: item for item in chosen(study, wanted(install_size=1)).best()}
    assert found["tensorflow"].score == pytest.approx(0.5, abs=0.02)
    assert (found["tensorflow"].score_low, found["tensorflow"].score_high) == pytest.approx((0.025, 0.975), abs=0.02)
    assert found["tensorflow"].raw["install_size"] is None
    lines = words.remarks(chosen(study, wanted(install_size=1)))
    assert lines == ["tensorflow eager, install size: not known (it was not measured), any value counts as likely."]


def test_a_criterion_that_nobody_was_measured_by_is_left_out_and_said() -> None:
    found = chosen([*runs("torch"), *runs("mindspore")], wanted(throughput=1, clear_messages=9))
    assert found.dropped == ("clear_messages",)
    assert any("clear error messages" in line for line in words.remarks(found))
    nothing = chosen([*runs("torch"), *runs("mindspore")], wanted(clear_messages=9))
    assert nothing.verdict == "none"
    assert "no criterion that has a weight tells the candidates apart" in words.verdict(nothing)
    assert nothing.why_dropped == {"clear_messages": "it was not measured"}


def test_a_task_on_which_all_runs_failed_is_the_worst_and_one_that_was_too_noisy_is_unknown() -> None:
    other: dict[str, Any] = {"dataset": "mnist"}
    study = [*runs("torch"), *runs("mindspore"), *runs("tensorflow"), *runs("torch", **other)]
    study += [died("mindspore", status="out_of_memory", reason="memory ran out", repeat=i, **other) for i in range(2)]
    study += [replace(item, parity=UNCHECKED) for item in runs("tensorflow", **other)]
    found = {item.backend: item for item in chosen(study, wanted(host_memory=1)).best()}
    assert found["mindspore"].values["host_memory"] == pytest.approx(0.5, abs=0.05)
    [(_, task, why)] = [r for r in found["mindspore"].remarks if r[0] == "host_memory"]
    assert "mnist" in task
    assert "all runs failed: 2 out_of_memory" in why
    assert found["tensorflow"].values["host_memory"] > found["mindspore"].values["host_memory"]
    assert any(
        "not known (parity was not checked" in line for line in words.remarks(chosen(study, wanted(host_memory=1)))
    )


def test_a_target_that_was_missed_is_worth_nothing() -> None:
    late = [
        replace(
            item,
            measured=replace(
                item.measured, evaluations=(replace(item.measured.evaluations[0], quality={"accuracy": 0.5}),)
            ),
        )
        for item in runs("mindspore")
    ]
    found = {item.backend: item for item in chosen([*runs("torch"), *late], wanted(time_to_accuracy=1)).best()}
    assert found["mindspore"].values["time_to_accuracy"] == 0
    assert found["torch"].values["time_to_accuracy"] == 1
    some = [*runs("torch"), *late[:1], *runs("mindspore")[1:]]
    part = {item.backend: item for item in chosen(some, wanted(time_to_accuracy=1)).best()}
    assert part["mindspore"].values["time_to_accuracy"] == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize(
    ("records", "limits", "reason"),
    [
        (lambda: runs("mindspore", parity=FAIL), {}, "it does not compute lenet-mnist: parity failed: differs"),
        (lambda: runs("mindspore", parity=UNCHECKED), {}, "none of its runs is comparable: parity was not checked"),
        (lambda: runs("numpy"), {}, "it is the reference"),
        (lambda: [died("mindspore", status="timeout", reason="too long")], {}, "none of its runs is comparable: "),
        (lambda: runs("mindspore", device="npu"), {"device": "cpu"}, "no run of it was made on cpu"),
        (lambda: runs("mindspore", memory=9 * 10**9), {"memory": "8 GB"}, "it took 9,270 MB on lenet-mnist, where"),
        (lambda: runs("mindspore", accuracy=0.5), {"quality_at_least": 0.8}, "on lenet-mnist is 0.5000 over 3"),
        (lambda: runs("mindspore", accuracy=0.5), {"quality_at_least": {"lenet-mnist": 0.8}}, "where 0.8 is asked for"),
        (lambda: runs("mindspore", install_bytes=3 * 10**9), {"install_at_most": 2e9}, "takes 3,000 MB, where 2,000"),
        (lambda: runs("mindspore", install_bytes=4567), {"install_at_most": "1 kB"}, "takes 4.57 kB, where 1.00 kB"),
        (lambda: runs("mindspore", install_bytes=25), {"install_at_most": 12}, "takes 25 B, where 12 B are"),
        (lambda: runs("mindspore", install_bytes=2_000_000_100), {"install_at_most": 2e9}, "2,000.0001 MB, where 2,0"),
        (lambda: runs("mindspore"), {"install_at_most": "2 GB"}, "its install size was not measured"),
        (lambda: runs("mindspore", install_bytes=1), {"install_minutes_at_most": 0.5}, "took 1.0 minutes, where 0.5"),
    ],
)  # fmt: skip
def test_who_is_excluded_is_named_with_the_reason(records: Any, limits: dict[str, Any], reason: str) -> None:
    others = [*runs("torch", install_bytes=10), *runs("tensorflow", speed=2, install_bytes=10)]
    if "install_minutes_at_most" in limits:
        others = [replace(item, installation=replace(item.installation, install_s=5.0)) for item in others]
    excluded = records()
    found = chosen([*others, *excluded], wanted(Limits(**limits), throughput=1))
    label = f"{excluded[0].spec.backend} eager"
    assert [name for name, _ in found.excluded] == [label]
    assert reason in found.excluded[0][1]
    assert [item.backend for item in found.best()] == ["tensorflow", "torch"]
    assert f"{label} is excluded: " in " ".join(on_terminal(found).split())


def test_a_limit_is_met_by_who_just_meets_it() -> None:
    exact = Limits(memory=309_000_000, quality_at_least=0.9, install_at_most=10, install_minutes_at_most=1)
    assert chosen([*runs("torch", install_bytes=10)], wanted(exact, throughput=1)).excluded == ()


@pytest.mark.parametrize("study", [[], runs("torch", parity=FAIL), runs("numpy"), [died("torch")]], ids=str)
def test_a_study_in_which_nothing_is_comparable_says_so(study: list[Record]) -> None:
    found = chosen(study, wanted(**ALL))
    assert (found.verdict, found.leader, found.candidates, found.dropped) == ("none", None, (), ())
    assert words.verdict(found).startswith("Nothing in this study can be chosen: no row of it is comparable")
    assert len(found.excluded) == bool(study)
    assert choice_exhibits.exhibits(loaded(study)) == ()


def test_the_only_candidate_is_not_called_the_best() -> None:
    slow = runs("mindspore", memory=9 * 10**9)
    only, both = wanted(throughput=1), wanted(Limits(memory="8 GB"), throughput=1)
    unmeasured = wanted(device_available=1)
    for study, asked in ((runs("torch"), only), ([*runs("torch"), *slow], both), (runs("torch"), unmeasured)):
        found = chosen(study, asked)
        assert (found.verdict, found.leader) == ("only one", "torch eager")
        assert [(item.stands_for_backend, item.probability_best) for item in found.candidates] == [(True, None)]
        text = on_terminal(found)
        assert text.startswith("Only torch eager is left: nothing was compared.")
        assert "throughput, examples/s" in text
        assert not re.search("is the best with|score|draws", text)


def test_modes_of_the_only_backend_are_compared_with_each_other_alone() -> None:
    found = chosen([*runs("torch"), *runs("torch", mode="graph", speed=1.5)], wanted(throughput=1))
    assert words.verdict(found) == (
        "Only torch is left: no other backend was compared with it. Of its modes and profiles, torch graph has the "
        "highest score."
    )
    assert [item.probability_best for item in found.candidates] == [None, None]
    assert "99.9" not in on_terminal(found)


def test_the_page_says_of_the_only_candidate_that_nothing_was_compared() -> None:
    study = runs("torch")
    for chosen_language, said in (
        ("en", "Only torch eager is left: nothing was compared."),
        ("zh", "没有比较任何对象"),
    ):
        with language.use(chosen_language):
            [exhibit] = choice_exhibits.exhibits(loaded(study))
        assert said in exhibit.note
        assert exhibit.grid is not None
        assert [[cell.shown for cell in row[2:]] for row in exhibit.grid.rows] == [["—"] * 4] * len(needs.shipped())


@pytest.mark.parametrize("study", [
    [*runs("torch"), *runs("mindspore")],
    [*runs("torch"), died("torch", device="gpu", status="unsupported", reason="no CUDA"), *runs("mindspore")],
    [*runs("torch"), *runs("mindspore"), *runs("tensorflow", device="gpu", memory=9 * 10**9)],
], ids=["not run", "failed", "excluded"])  # fmt: skip
def test_a_wanted_device_that_no_candidate_has_decides_nothing(study: list[Record]) -> None:
    asked = replace(wanted(Limits(memory="8 GB"), device_available=1), wanted_devices=("gpu", "npu"))
    found = chosen(study, asked)
    assert (found.verdict, found.tied, found.dropped) == ("none", (), ("device_available",))
    text = " ".join(on_terminal(found).split())
    assert "no criterion that has a weight tells the candidates apart" in text
    assert "no candidate has a run that ended ok on gpu or npu: run the study there" in text
    beside = chosen(study, replace(asked, weights=Weights(device_available=9, throughput=1)))
    assert [(used.name, used.share) for used in beside.criteria if used.weight] == [("throughput", 1.0)]


def test_of_one_device_alone_the_coverage_of_devices_says_nothing_and_its_weight_does_not_count() -> None:
    study = [*runs("torch"), *runs("mindspore", speed=2)]
    found = chosen(study, wanted(device_coverage=3, throughput=1))
    assert found.why_dropped == {"device_coverage": "only cpu was measured in this study"}
    assert found.best()[-1].score == chosen(study, wanted(throughput=1)).best()[-1].score
    text = " ".join(on_terminal(found).split())
    assert "the weight does not count: device coverage (only cpu was measured in this study)." in text
    assert "Weights that do not count, for the criterion tells nobody apart here: device coverage 3." in text


def test_a_task_counts_once_however_many_tables_it_has() -> None:
    """LeNet on two data sets and of two sources, where one is twice as fast; the LSTM, where the other one is."""
    lenet: tuple[dict[str, Any], ...] = ({}, {"dataset": "mnist"}, {"source": "other"})
    study = [item for more in lenet for item in (*runs("torch", speed=2, **more), *runs("mindspore", **more))]
    other = [*runs("torch"), *runs("mindspore", speed=2)]
    study += [replace(item, spec=replace(item.spec, task="lstm-text")) for item in other]
    found = chosen(study, wanted(throughput=1))
    assert set(found.tasks) == {"lenet-mnist digits", "lenet-mnist mnist", "lenet-mnist digits other", "lstm-text"}
    first, second = found.best()
    assert found.verdict == "tie"
    assert first.score == pytest.approx(second.score, abs=0.01)
    assert first.raw["throughput"] == pytest.approx(second.raw["throughput"])
    text = " ".join(on_terminal(found).split())
    assert "Measured on 2 tasks, means over them; of 4 tables of the report" in text
    lenet_alone = [item for item in study if item.spec.task == "lenet-mnist"]
    assert "Measured on 1 task in 3 tables" in " ".join(on_terminal(chosen(lenet_alone, wanted(throughput=1))).split())


def of_task(name: str, records: Sequence[Record]) -> list[Record]:
    return [replace(item, spec=replace(item.spec, task=name)) for item in records]


def test_a_task_counts_by_its_weight_and_one_of_weight_0_is_left_out() -> None:
    """TensorFlow is twice as fast on XOR, PyTorch on the LSTM."""
    study = of_task("xor", [*runs("torch"), *runs("tensorflow", speed=2)])
    study += of_task("lstm-text", [*runs("torch", speed=2), *runs("tensorflow")])
    asked = wanted(throughput=1)
    alike = chosen(study, asked)
    assert alike.verdict == "tie"
    weighted = chosen(study, replace(asked, tasks={"xor": 3.0}))
    assert (weighted.verdict, weighted.leader) == ("winner", "tensorflow eager")
    assert weighted.best()[1].score == pytest.approx(1 - 0.75 * np.log10(2), abs=0.01)
    assert weighted.best()[0].raw["throughput"] == pytest.approx(6400 * 2**0.75, rel=0.01)
    assert "Weights of the tasks: xor 3, lstm-text 1." in " ".join(on_terminal(weighted).split())
    alone = chosen(study, replace(asked, tasks={"xor": 0.0}))
    lstm = [item for item in study if item.spec.task == "lstm-text"]
    assert [item.score for item in alone.best()] == [item.score for item in chosen(lstm, asked).best()]
    assert (alone.leader, alone.tasks, alone.tasks_left_out) == ("torch eager", ("lstm-text",), ("xor",))
    text = " ".join(on_terminal(alone).split())
    assert "Tasks that the needs leave out: xor." in text
    assert "means over lstm-text" in text


def test_a_task_of_weight_0_is_under_parity_and_limits_all_the_same() -> None:
    study = [*runs("torch"), *runs("tensorflow")]
    study += of_task("xor", [*runs("torch", parity=FAIL), *runs("tensorflow", memory=9 * 10**9)])
    found = chosen(study, replace(wanted(Limits(memory="8 GB"), throughput=1), tasks={"xor": 0.0}))
    assert {label for label, _ in found.excluded} == {"torch eager", "tensorflow eager"}


def test_a_study_of_left_out_tasks_alone_chooses_nobody() -> None:
    study = of_task("xor", [*runs("torch", install_bytes=1), *runs("tensorflow", install_bytes=9)])
    found = chosen(study, needs.read("team"))
    assert (found.verdict, found.tasks, found.tasks_left_out) == ("none", (), ("xor",))
    assert words.verdict(found) == "Nothing can be chosen: the needs leave out all tasks of this study."


def test_the_tasks_that_decide_by_themselves_are_named_with_what_comes_out_without_them() -> None:
    study = of_task("xor", [*runs("torch"), *runs("tensorflow", speed=2)])
    study += of_task("lstm-text", [*runs("torch", speed=2), *runs("tensorflow")])
    study += of_task("dbm-mnist", [*runs("torch", speed=2.02), *runs("tensorflow", speed=2)])
    found = chosen(study, wanted(throughput=1))
    assert found.verdict == "tie"
    for one in found.without:
        asked = replace(wanted(throughput=1), tasks={one.task: 0.0})
        other = chosen(study, asked)
        assert (one.verdict, one.leader, one.tied) == (other.verdict, other.leader, other.tied)
        assert one.probability_best == other.best()[0].probability_best
        assert one.changes == ((other.verdict, other.leader) != (found.verdict, found.leader))
    assert [(one.task, one.verdict) for one in found.without] == [
        ("xor", "winner"),
        ("lstm-text", "winner"),
        ("dbm-mnist", "tie"),
    ]
    text = " ".join(on_terminal(found).split())
    assert re.search(r"Without xor: torch eager, (above )?9\d\.\d %\. Without lstm-text: tensorflow eager, ", text)
    in_json = json.loads(msgspec.json.encode(found))["without"]
    assert [one["task"] for one in in_json] == ["xor", "lstm-text", "dbm-mnist"]


def test_where_no_task_decides_by_itself_one_sentence_says_so_and_of_one_task_nothing() -> None:
    study = [*runs("torch", speed=2), *runs("tensorflow")]
    assert task_words.without(chosen(study, wanted(throughput=1))) == []
    study += of_task("xor", study)
    found = chosen(study, wanted(throughput=1))
    said = "Leaving out any one task changes neither who leads nor whether it is a tie."
    assert task_words.without(found) == [said]
    assert said in " ".join(on_terminal(found).split())


@pytest.mark.parametrize(
    ("spoken", "said"),
    [("en", "Without xor: torch eager, 99.8 %."), ("zh", "去掉 xor：torch eager，99.8%。")],
)
def test_the_page_says_what_a_task_decides_and_which_build_was_measured(spoken: str, said: str) -> None:
    more = {"install_bytes": 10**9, "lines": 500, "clear": 2}
    study = of_task("xor", [*runs("torch", **more), *runs("tensorflow", speed=9, **more)])
    study += [*runs("torch", speed=2, **more), *runs("tensorflow", **more)]
    with language.use(spoken):
        [exhibit] = choice_exhibits.exhibits(loaded(study))
    assert said in exhibit.note
    assert "torch 1.2.3" in exhibit.note


def test_start_up_is_all_that_comes_before_the_second_step() -> None:
    def phases(backend: str, import_s: float, build_s: float | None, first_step_s: float) -> list[Record]:
        found = Phases(import_s=import_s, build_s=build_s, load_s=9.0, first_step_s=first_step_s)
        return [replace(item, measured=replace(item.measured, phases=found)) for item in runs(backend)]

    study = [*phases("torch", 0.9, 1.0, 0.01), *phases("tensorflow", 1.8, 0.1, 0.2), *phases("mindspore", 1, None, 0.5)]
    found = {item.backend: item for item in chosen(study, wanted(start_up=1, throughput=1)).best()}
    assert found["torch"].raw["start_up"] == pytest.approx(1.91)
    assert found["tensorflow"].raw["start_up"] == pytest.approx(2.1)
    assert found["mindspore"].raw["start_up"] is None, "of a sum with an unknown part nothing is known"
    assert ("start_up", "lenet-mnist", "it was not measured") in found["mindspore"].remarks


def test_beside_the_install_size_stands_which_build_was_measured() -> None:
    study = [*runs("torch", install_bytes=10**9), *runs("mindspore", install_bytes=2 * 10**9)]
    built = {"torch": "2.13.0+cpu", "mindspore": "2.10.0"}
    study = [
        replace(
            item, measured=replace(item.measured, versions={item.spec.backend: built[item.spec.backend], "numpy": "2"})
        )
        for item in study
    ]
    found = chosen(study, wanted(install_size=1))
    assert [item.builds for item in found.best()] == [("torch 2.13.0+cpu",), ("mindspore 2.10.0",)]
    lines = on_terminal(found).splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("install size, MB"))
    assert re.fullmatch(r"build of that size +torch 2\.13\.0\+cpu +mindspore 2\.10\.0 *", lines[place + 1])
    assert words.builds(found) == (
        "Install size is that of torch 2.13.0+cpu, mindspore 2.10.0; another build of the same release may have "
        "another size."
    )
    assert words.builds(chosen(study, wanted(throughput=1))) is None


def test_who_shares_no_measured_task_with_anybody_is_excluded_where_others_do() -> None:
    size: dict[str, Any] = {"install_bytes": 10**9}
    study = [*runs("torch", source="a", **size), *runs("tensorflow", source="a", **size)]
    study += [*runs("mindspore", source="b", **size), *runs("mindspore", source="b", mode="graph", **size)]
    found = chosen(study, wanted(throughput=1, install_size=1))
    reason = "it shares no measured task with torch eager, tensorflow eager"
    assert found.excluded == (("mindspore eager", reason), ("mindspore graph", reason))
    assert {item.backend for item in found.best()} == {"torch", "tensorflow"}
    by_size = chosen(study, wanted(install_size=1))
    assert by_size.excluded == (), "what is asked for was measured without a task"
    assert all(pair.meet_on_a_task for pair in by_size.pairs)


def test_two_that_share_no_measured_task_are_called_not_comparable_and_decided_by_what_both_have() -> None:
    study = [*runs("torch", source="a", speed=4, install_bytes=10**9), *runs("tensorflow", source="a")]
    study += [*runs("mindspore", source="b", speed=4, install_bytes=2 * 10**9), *runs("tensorflow", source="b")]
    found = chosen(study, wanted(throughput=9, install_size=1))
    assert [item.label for item in found.best()[:2]] == ["torch eager", "mindspore eager"]
    assert found.deciding is not None
    assert found.deciding.criterion == "install_size"
    assert found.deciding.leader == pytest.approx(1000)
    text = " ".join(on_terminal(found).split())
    assert "torch eager shares no measured task with mindspore eager: by tasks the two cannot be compared." in text
    assert "torch eager and mindspore eager: a tie" not in text
    assert "against —" not in text
    alone = chosen(study, wanted(throughput=1))
    assert alone.deciding is None


def test_a_number_that_decides_is_that_of_the_tables_in_which_both_were_measured() -> None:
    study = [*runs("torch", speed=4), *runs("mindspore")]
    study += of_task("xor", [*runs("torch", speed=100), *runs("tensorflow", speed=100)])
    found = chosen(study, wanted(throughput=1)).deciding
    assert found is not None
    pair = {item.backend: item for item in chosen(study, wanted(throughput=1)).best()}
    assert found.leader is not None
    assert pair["torch"].raw["throughput"] != pytest.approx(found.leader)


def test_runs_of_two_sources_are_not_compared_with_each_other() -> None:
    """On equal words of the machine, too: what one source alone measured tells nobody apart."""
    study = [*runs("torch", source="a"), *runs("mindspore", source="b", speed=3)]
    found = chosen(study, wanted(throughput=1, start_up=1))
    assert found.tasks == ("lenet-mnist a", "lenet-mnist b")
    assert (found.verdict, found.candidates) == ("none", ())
    assert set(found.why_dropped.values()) == {"no two candidates were measured by it under the same conditions"}
    both = [*study, *runs("torch", source="b")]
    beside = chosen(both, wanted(throughput=1))
    assert beside.leader == "mindspore eager"
    assert [used.tasks for used in beside.criteria if used.name == "throughput"] == [("lenet-mnist b",)]
    assert "(1 of 2 tables)" in " ".join(on_terminal(beside).split())


def test_tables_of_one_task_are_named_by_what_tells_them_apart() -> None:
    faster = replace(MACHINE, cpu="Other CPU")
    found = chosen([*runs("torch"), *runs("torch", machine=faster), *runs("torch", device="gpu")], wanted(throughput=1))
    assert [name.split()[:3] for name in found.tasks] == [
        ["lenet-mnist", "cpu", "Test"], ["lenet-mnist", "cpu", "Other"], ["lenet-mnist", "gpu", "Test"],
    ]  # fmt: skip


def test_modes_of_one_backend_do_not_compete_and_the_better_one_stands_for_it() -> None:
    study = [*runs("torch"), *runs("torch", mode="graph", speed=1.01), *runs("mindspore", speed=0.5)]
    found = chosen(study, wanted(throughput=1))
    assert [item.label for item in found.best()] == ["torch graph", "mindspore eager"]
    assert found.verdict == "winner", "its own other mode does not make it a tie"
    assert [item.label for item in found.candidates] == ["torch graph", "torch eager", "mindspore eager"]
    assert "torch eager: score" in " ".join(words.others(found))


def test_only_devices_on_which_runs_ended_well_count() -> None:
    study = [*runs("torch"), *runs("torch", device="gpu"), *runs("mindspore")]
    study += [died("mindspore", device="gpu", status="unsupported", reason="no CUDA")]
    asked = replace(wanted(device_coverage=1, device_available=1), wanted_devices=("gpu", "npu"))
    found = {item.backend: item for item in chosen(study, asked).best()}
    assert {name: item.raw["device_coverage"] for name, item in found.items()} == {"torch": 1.0, "mindspore": 0.5}
    assert {name: item.raw["device_available"] for name, item in found.items()} == {"torch": 0.5, "mindspore": 0.0}
    on_gpu = chosen(study, replace(asked, limits=Limits(device="gpu")))
    assert on_gpu.leader == "torch eager"
    assert on_gpu.verdict == "only one"


def test_what_a_seed_does_to_all_alike_is_no_uncertainty() -> None:
    """Accuracies of 0.80, 0.90 and 0.95 by seed, and always 0.02 more: the seeds' spread is not the difference's."""

    def seeded(backend: str, more: float) -> list[Record]:
        return [
            record(backend, repeat=i, found=measured(0.01, value + more, versions={backend: "1"}))
            for i, value in enumerate((0.80, 0.90, 0.95))
        ]

    found = chosen([*seeded("torch", 0.0), *seeded("mindspore", 0.02)], wanted(quality=1))
    assert (found.verdict, found.leader) == ("winner", "mindspore eager")
    other_seeds = [replace(item, spec=replace(item.spec, seed=item.spec.seed + 10)) for item in seeded("torch", 0.0)]
    assert chosen([*other_seeds, *seeded("mindspore", 0.02)], wanted(quality=1)).verdict == "tie"


def test_the_measurement_that_decides_is_the_one_that_turns_the_order_when_put_equal() -> None:
    study = [*runs("torch", speed=2, start_up=1.5), *runs("mindspore")]
    found = chosen(study, wanted(throughput=1, start_up=1))
    assert found.leader == "torch eager"
    assert found.deciding is not None
    assert (found.deciding.criterion, found.deciding.changes_the_order) == ("throughput", True)
    equal = chosen([*runs("torch", start_up=1.5), *runs("mindspore")], wanted(throughput=1, start_up=1))
    assert equal.leader == "mindspore eager"
    both = chosen([*runs("torch", speed=2, start_up=0.5), *runs("mindspore")], wanted(throughput=1, start_up=1))
    assert both.deciding is not None
    assert not both.deciding.changes_the_order


def test_contributions_add_up_to_the_score() -> None:
    study = [*runs("torch", install_bytes=5, lines=9, clear=2), *runs("mindspore", speed=2, install_bytes=7)]
    found = chosen(study, wanted(**ALL))
    for item in found.candidates:
        assert sum(used.share * item.values[used.name] for used in found.criteria) == pytest.approx(item.score)


NO_TASK = "[tasks]\n" + "".join(f"{name} = 0\n" for name in registry.task_names())
GOOD = 'name = "mine"\n\n[weights]\nquality = 1\nstart_up = 2.5\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "speed = 3\n", "needs.toml, line 6, weights.speed: there is no such field; known are device_"),
        (GOOD + "[limits]\nram = 3\n", "line 7, limits.ram: there is no such field; known are parity, device"),
        ("colour = 1\n" + GOOD, "needs.toml, line 1, colour: there is no such field; known are name, weights, "),
        (GOOD + "throughput = -1\n", "line 6, weights.throughput: a weight is a number from 0 to 1,000,000, not -1"),
        (GOOD + "throughput = nan\n", "line 6, weights.throughput: a weight is a number from 0 to 1,000,000, not nan"),
        (GOOD + "throughput = inf\n", "line 6, weights.throughput: a weight is a number from 0 to 1,000,000, not inf"),
        (GOOD + "throughput = 1e308\n", "a weight is a number from 0 to 1,000,000, not 1e+308"),
        (GOOD + 'throughput = "much"\n', "line 6, weights.throughput: Expected `float`, got `str`"),
        ('name = "x"\n[weights]\nquality = 0\n', "line 2, weights: at least one weight must be above 0"),
        ('name = "x"\n', "needs.toml: the table [weights] is missing; add it with a criterion, as in throughput = 1"),
        (GOOD.partition("\n")[2], 'needs.toml: name is missing; give the needs one on the first line, as in name = "l'),
        (GOOD + "[tasks]\nxorr = 1\n", "line 7, tasks.xorr: there is no such task; known are xor, lenet-mnist, "),
        (GOOD + "[tasks]\nxor = -1\n", "line 7, tasks.xor: a weight is a number from 0 to 1,000,000, not -1"),
        (GOOD + "[tasks]\nlstm-text = nan\n", "line 7, tasks.lstm-text: a weight is a number from 0 to 1,000,000, n"),
        (GOOD + '[tasks]\nxor = "much"\n', "line 6, tasks: Expected `float`, got `str`"),
        (GOOD + NO_TASK, "line 6, tasks: at least one task must have a weight above 0"),
        (GOOD + "[limits]\nparity = false\n", "line 7, limits.parity: it cannot be switched off"),
        (GOOD + '[limits]\nmemory = "8 apples"\n', 'line 7, limits.memory: it is a number of bytes or a text such'),
        (GOOD + "[limits]\nmemory = -1\n", "line 7, limits.memory: it is a number of bytes"),
        (GOOD + "[limits]\nquality_at_least = 98\n", "line 7, limits.quality_at_least: it is an accuracy from 0 "),
        (GOOD + "[limits]\nquality_at_least = nan\n", "an accuracy from 0 to 1, not nan"),
        (GOOD + '[limits]\ndevice = "tpu"\n', "line 7, limits.device: Invalid enum value 'tpu'"),
        (GOOD + "[limits]\ninstall_minutes_at_most = 0\n", "line 7, limits.install_minutes_at_most: it is a num"),
        ("worthless_at = 1\n" + GOOD, "line 1, worthless_at: it is a ratio above 1, not 1"),
        ("quality_span = 0\n" + GOOD, "line 1, quality_span: it is a difference of accuracies"),
        (GOOD + "[limits\n", "needs.toml is not TOML: "),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_of_needs_is_one_sentence_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "needs.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        needs.read(str(file))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_needs_that_are_nowhere_are_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--for expects course, team or the path of a TOML file; there is no 'cuorse'"):
        needs.read("cuorse")
    for folder in ("/", str(tmp_path)):
        with pytest.raises(UsageError, match=f"or the path of a TOML file; '{folder}' is a folder"):
            needs.read(folder)
    (tmp_path / "needs.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        needs.read(str(tmp_path / "needs.toml"))


@pytest.mark.parametrize("name", needs.shipped())
def test_the_needs_that_come_along_say_of_every_weight_why(name: str) -> None:
    found = needs.read(name)
    assert found.name == name
    text = (needs.FOLDER / f"{name}.toml").read_text()
    lines = [line for line in text.partition("[weights]")[2].splitlines() if "=" in line]
    assert all("#" in line for line in lines)
    assert sum(weight > 0 for weight in found.weight_of().values()) > 5


def test_every_criterion_has_a_weight_and_every_weight_a_criterion() -> None:
    assert [criterion.name for criterion in CRITERIA] == list(Weights.__struct_fields__)


def test_a_file_of_needs_may_give_sizes_in_words_and_limits_by_task() -> None:
    text = GOOD + '[limits]\nmemory = "8 GiB"\nquality_at_least = {lenet-mnist = 0.97}\ndevice = "gpu"\n'
    limits = needs.parse(text, "f").limits
    assert needs.size(limits.memory or 0) == 8 * 2**30
    assert limits.quality_at_least == {"lenet-mnist": 0.97}
    assert needs.size("2 GB") == needs.size("2000MB") == 2e9


def test_the_command_prints_good_80_columns_and_the_json_holds_every_number(tmp_path: Path) -> None:
    study = [*runs("torch", install_bytes=10**9, lines=500, clear=3), *runs("mindspore", speed=1.4, clear=1)]
    folder = write_study(tmp_path / "s", study)
    done = CliRunner().invoke(choose_command, [str(folder), "--for", "course", "--explain"], catch_exceptions=False)
    assert done.exit_code == 0
    assert max(cell_len(line) for line in done.output.splitlines()) <= 80
    as_json = CliRunner().invoke(choose_command, [str(folder), "--for", "course", "--json"], catch_exceptions=False)
    found = json.loads(as_json.output)
    assert msgspec.convert(found, Choice) == choose(loaded_from(folder), needs.read("course"))
    for item in found["candidates"]:
        assert f"{item['score']:.3f}" in done.output
    for name, value in found["candidates"][0]["raw"].items():
        assert words.raw(name, value) in done.output
    assert words.deciding(choose(loaded_from(folder), needs.read("course"))) is not None


def test_the_command_makes_the_frame_once_and_reads_without_curves_all_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = [*runs("torch", lines=500, clear=3), *runs("mindspore", speed=1.4, clear=1)]
    folder = write_study(tmp_path / "s", study)
    expected = choose(loaded_from(folder), needs.read("team"))
    assert "time_to_accuracy" in {used.name for used in expected.criteria}

    def refused(*_: object) -> None:
        raise AssertionError("the frame is there already")

    monkeypatch.setattr("reports.frame.frame.frame", refused)
    done = CliRunner().invoke(choose_command, [str(folder), "--for", "team", "--json"], catch_exceptions=False)
    assert msgspec.json.decode(done.output, type=Choice) == expected


def loaded_from(folder: Path) -> StudyRead:
    from harness.records import studies

    return StudyRead.of_loaded(studies.load(folder))


def test_a_study_that_is_not_there_and_needs_that_are_wrong_are_usage_errors(tmp_path: Path) -> None:
    for args in (["nowhere", "--for", "course"], [str(write_study(tmp_path / "s", [record()])), "--for", "nobody"]):
        with pytest.raises(UsageError):
            CliRunner().invoke(choose_command, [*args, "--results", str(tmp_path)], catch_exceptions=False)


@pytest.mark.parametrize("json_too", [(), ("--json",)], ids=["text", "json"])
def test_the_command_ends_with_1_where_nothing_can_be_chosen(json_too: tuple[str, ...], tmp_path: Path) -> None:
    folder = str(write_study(tmp_path / "s", [*runs("torch"), *runs("mindspore")]))
    (tmp_path / "needs.toml").write_text(GOOD + '[limits]\nmemory = "1 MB"\n')
    for asked, code in (("course", 0), (str(tmp_path / "needs.toml"), 1)):
        arguments = [folder, "--for", asked, *json_too]
        done = CliRunner().invoke(choose_command, arguments, catch_exceptions=False, standalone_mode=False)
        assert done.return_value == code
        if json_too:
            assert (json.loads(done.output)["verdict"] == "none") == bool(code)


def test_strange_strings_in_records_do_not_reach_the_terminal() -> None:
    hostile = "\x1b[31mred [bold]loud[/bold]\x07"
    study = [*runs("torch", profile=hostile), *runs("mindspore", parity=replace(FAIL, reason=hostile))]
    text = on_terminal(chosen(study, wanted(throughput=1)))
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    assert "[bold]loud[/bold]" in text


def test_extreme_numbers_break_nothing() -> None:
    blocks = (block("first", 1, 0.5), block("steady", 10, 1e-300), block("steady", 10, 1e300))
    odd = [
        record("mindspore", repeat=i, found=measured(0.01, 0.9, versions={"mindspore": "1"}, blocks=blocks))
        for i in range(2)
    ]
    found = chosen([*runs("torch"), *odd], wanted(**ALL))
    assert all(0 <= item.score <= 1 for item in found.candidates)
    assert json.loads(msgspec.json.encode(found))


def test_the_page_gets_a_row_for_every_needs_and_candidate() -> None:
    study = [*runs("torch"), *runs("mindspore", speed=2)]
    [exhibit] = choice_exhibits.exhibits(loaded(study))
    assert exhibit.grid is not None
    assert len(exhibit.grid.rows) == 2 * len(needs.shipped())
    assert all(len(row) == len(exhibit.grid.headers) for row in exhibit.grid.rows)
