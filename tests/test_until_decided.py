"""A study that ends when its pairs are decided: errors stay below 5 %, rows leave, a budget holds, controls check."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import entries
from msgspec.structs import replace
from records_factory import block, measured, of_task, record, write_study
from test_failing_well import HERE_INTERPRETER

import backends
from harness import registry
from harness.environments.machine import available_cores, machine
from harness.errors import UsageError
from harness.record import Noise, Record
from harness.records.store import Store, Study
from harness.records.studies import load
from harness.runs import turns
from harness.runs.conductor import Conductor, Plan
from harness.runs.execute import Setting
from harness.runs.executors.executor import Nobody
from harness.runs.plan import MOST_LOOKED_AT, QUALITY_ROUNDS, Wish, plan
from harness.spec import CONTROLS, Choice, Design, RunSpec
from reports.content.answer_words import sentences
from reports.content.content import content
from reports.content.places import named
from reports.content.standing import standing
from reports.content.verdicts import lines
from reports.frame.frame import frame
from reports.statistics import looks, methods
from reports.statistics.decided import open_rows
from reports.statistics.rows import Group
from reports.statistics.sessions import Session, sessions
from reports.statistics.study import StudyRead
from reports.statistics.summary import summarize

DECIDED = Design(turns=True, until_decided=True)
NAMES = ("torch", "tensorflow", "mindspore")
FEW_TURNS = 4
"""Where it matters which rounds are made, not how well they measure."""
ROWS = ("torch", "torch.twin", "torch.planted", "tensorflow")


def run(row: str, repeat: int, step_s: float, design: Design = DECIDED, rows: Sequence[str] = ROWS) -> Record:
    """Return a record of a run that took turns; `row` is a backend, with the profile of a control behind a dot."""
    backend, _, profile = row.partition(".")
    turns = tuple(replace(block("steady", 10, 10 * step_s), turn=number) for number in range(24))
    ids = tuple(record("x", repeat=repeat, profile=name).spec.run_id for name in rows)
    made = record(
        backend,
        repeat=repeat,
        found=measured(blocks=turns, versions={backend: "1"}),
        design=design,
        profile=profile or "stock",
    )
    return replace(made, live_with=ids)


def study(rounds: int, design: Design = DECIDED, **steps: Callable[[int], float]) -> Group:
    """Return the group of a study of so many rounds; each row's seconds per step are a function of the round."""
    rows = {name.replace("_", "."): step for name, step in steps.items()}
    runs = [run(row, r, step(r), design, tuple(rows)) for r in range(rounds) for row, step in rows.items()]
    (group,) = summarize(frame(runs))
    return group


def wobble(r: int, size: float) -> float:
    """Return a factor around 1, another one every round."""
    return 1 + size * ((r * 7) % 5 - 2) / 2


def test_the_plan_knows_the_looks() -> None:
    assert max(looks.LOOKS) == MOST_LOOKED_AT
    assert min(looks.LOOKS) == QUALITY_ROUNDS


@pytest.mark.parametrize(("apart", "allowed"), [(0.0, 0.05), (1.5, 0.05)])
def test_at_most_one_study_in_twenty_names_a_difference_that_is_none(apart: float, allowed: float) -> None:
    """Twelve pairs: four tasks of three rows, of which one may differ; rows leave; a tenth of the rounds is wild."""
    random = np.random.default_rng(1)
    studies, wrong = 400, 0
    for _ in range(studies):
        wild = 1 + 4 * (random.random((4, 10)) < 0.1)
        rows = random.normal(0, 0.03, (4, 10, 3)) * wild[..., None]
        rows[..., 2] += apart
        pairs = [(task, a, b) for task in range(4) for a, b in ((0, 1), (0, 2), (1, 2))]
        left, q, named = set(pairs), dict.fromkeys(pairs, 1.0), False
        for n in looks.LOOKS:
            for pair in left:
                task, a, b = pair
                seen = looks.look([float(d) for d in (rows[task, :n, a] - rows[task, :n, b])])
                assert seen is not None
                q[pair] = seen.q
            shown = [pair for pair, p in zip(pairs, methods.holm([q[p] for p in pairs]), strict=True) if p < 0.05]
            named |= any(apart == 0 or 2 not in pair[1:] for pair in shown)
            left -= set(shown)
        wrong += named
    error = math.sqrt(allowed * (1 - allowed) / studies)
    assert wrong / studies <= allowed + 2 * error


def test_the_interval_covers_at_whatever_look_it_is_read() -> None:
    random = np.random.default_rng(2)
    studies, missed = 1000, 0
    for _ in range(studies):
        found = random.normal(0.1, 0.04, 10).tolist()
        seen = [looks.look(found[:n]) for n in looks.LOOKS]
        stopped = next((one for one in seen if one and (one.q < 0.05 or one.equal)), seen[-1])
        assert stopped is not None
        missed += not stopped.found.low <= 0.1 <= stopped.found.high
    assert missed / studies <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)


def test_before_the_first_look_nothing_is_said_and_the_pair_counts_among_all() -> None:
    group = study(2, torch=lambda r: 0.01, tensorflow=lambda r: 0.03)
    (found,) = group.comparisons
    assert (found.verdict, found.rounds, found.low) == ("no difference shown", 2, None)
    assert "first look" in found.why


def test_a_large_difference_is_shown_at_the_first_look_and_the_row_leaves() -> None:
    rows = {"torch": 0.01, "mindspore": 0.1}
    runs = [run(row, r, s * wobble(r, 0.01 * s), rows=tuple(rows)) for r in range(3) for row, s in rows.items()]
    is_open = open_rows(runs)
    assert not any(is_open(one.spec) for one in runs)
    assert is_open(replace(runs[0].spec, backend="not known yet"))


def test_a_row_stays_as_long_as_one_of_its_pairs_is_open() -> None:
    steps = {"torch": 0.01, "tensorflow": 0.0104, "mindspore": 0.1}
    runs = [
        run(row, r, s * (wobble(r, 0.1) if row == "tensorflow" else wobble(r, 0.001)), rows=NAMES)
        for r in range(3)
        for row, s in steps.items()
    ]
    is_open = open_rows(runs)
    found = {one.spec.backend: is_open(one.spec) for one in runs}
    assert found == {"torch": True, "tensorflow": True, "mindspore": False}


def test_controls_that_have_not_come_out_keep_their_row_and_each_other() -> None:
    steps = {"torch": 0.01, "torch.twin": 0.0103, "torch.planted": 0.011, "tensorflow": 0.1}
    runs = [
        run(row, r, s * wobble(r, 0.1 if row == "torch.twin" else 0.0001)) for r in range(3) for row, s in steps.items()
    ]
    is_open = open_rows(runs)
    found = {(one.spec.backend, one.spec.profile): is_open(one.spec) for one in runs}
    assert found == {
        ("torch", "stock"): True,
        ("torch", "twin"): True,
        ("torch", "planted"): True,
        ("tensorflow", "stock"): False,
    }


def test_looks_are_fewer_than_rounds() -> None:
    """After four rounds the third is the last that was looked at."""
    group = study(4, torch=lambda r: 0.01, tensorflow=lambda r: 0.01 * (1.5 if r == 3 else 1.2) * wobble(r, 0.01))
    (found,) = group.comparisons
    assert found.rounds == 3
    assert found.ratio == pytest.approx(1 / 1.2, abs=0.02)


def test_rows_are_equal_within_the_margin_that_was_asked_for() -> None:
    near = {"torch": lambda r: 0.01, "tensorflow": lambda r: 0.0107 * wobble(r, 0.001)}
    assert study(3, Design(turns=True, within=0.05), **near).comparisons[0].verdict == "faster"
    jumping = {"torch": lambda r: 0.01, "tensorflow": lambda r: 0.01 * wobble(r, 0.05)}
    assert study(3, Design(turns=True, within=0.05), **jumping).comparisons[0].verdict == "no difference shown"
    group = study(3, Design(turns=True, within=0.3), **jumping)
    assert group.comparisons[0].verdict == "equal"


def test_controls_that_come_out_let_verdicts_stand() -> None:
    group = study(
        5,
        Design(turns=True),
        torch=lambda r: 0.01,
        torch_twin=lambda r: 0.01 * wobble(r, 0.002),
        torch_planted=lambda r: 0.011 * wobble(r, 0.002),
        tensorflow=lambda r: 0.0105 * wobble(r, 0.001),
    )
    assert [row.label for row in group.rows] == ["torch eager", "tensorflow eager"]
    assert [(one.row.profile, one.holds) for one in group.controls] == [("twin", True), ("planted", True)]
    assert group.comparisons[0].verdict == "faster"
    assert any("a twin of torch eager with 10 % more work came out at 1.1" in line for line in lines(group, 3))


@pytest.mark.parametrize(
    ("twin", "other", "verdict"),
    [
        (lambda r: wobble(r, 0.2), 1.05, "no difference shown"),  # cannot see that the twin is one
        (lambda r: wobble(r, 0.2), 1.5, "faster"),  # what lies beyond the plant as a whole stays
        (lambda r: 1.3 * wobble(r, 0.001), 1.5, "no difference shown"),  # finds a difference where there is none
    ],
)
def test_controls_that_do_not_come_out_take_verdicts_back(
    twin: Callable[[int], float], other: float, verdict: str
) -> None:
    group = study(
        5,
        Design(turns=True),
        torch=lambda r: 0.01,
        torch_twin=lambda r: 0.01 * twin(r),
        torch_planted=lambda r: 0.011 * wobble(r, 0.002),
        tensorflow=lambda r: 0.01 * other * wobble(r, 0.001),
    )
    (found,) = group.comparisons
    assert found.verdict == verdict
    assert ("too noisy" in found.why) == (verdict == "no difference shown")
    told = " ".join(sentences(named([("s", [group])])))
    assert ("its controls did not come out as they are known to." in told) == (verdict == "no difference shown")


def test_rows_that_memory_kept_apart_are_paired_by_round() -> None:
    host = (1.0, 3.0, 1.5)
    runs = [
        replace(run(name, r, step * slow * wobble(r, 0.002), Design(turns=True)), live_with=())
        for r, slow in enumerate(host)
        for name, step in (("torch", 0.01), ("tensorflow", 0.0111))
    ]
    (group,) = summarize(frame(runs))
    (found,) = group.comparisons
    assert (found.rounds, found.neighbours, found.verdict) == (3, True, "faster")
    assert any("did not fit into the memory together" in line for line in lines(group, 1))


def test_a_round_alone_that_was_disturbed_leaves_a_row_its_rounds_in_turns() -> None:
    others = Noise(foreign_cpu_seconds=10.0)
    runs = [
        run(name, r, step * wobble(r, 0.002))
        for r in range(4)
        for name, step in (("torch", 0.01), ("tensorflow", 0.0111))
    ]
    spoilt = tuple(replace(block("steady", 10, 0.3), noise=others) for _ in range(10))
    alone = replace(runs[-1], live_with=(), measured=measured(blocks=spoilt, versions={"tensorflow": "1"}))
    (group,) = summarize(frame([*runs[:-1], alone]))
    (found,) = group.comparisons
    assert (found.rounds, found.verdict) == (3, "faster")
    assert [row.disturbed_blocks for row in group.rows] == [0, 10]
    assert group.rows[1].steady_state["too noisy to say"] == 1
    (group,) = summarize(frame([runs[0], alone]))
    assert [row.is_disturbed for row in group.rows] == [False, True]


def wish(**more: object) -> Wish:
    choices = tuple(Choice(backend=name, device="cpu", mode="eager") for name in ("well", "tunable"))
    facts = {"tasks": (registry.task("xor"),), "choices": choices, "preset": "smoke", "noise_budget_s": 0.0}
    return Wish(**(facts | {"design": DECIDED} | more))  # type: ignore[arg-type]


def test_later_rounds_measure_speed_alone() -> None:
    specs = plan(wish())
    assert len(specs) == 2 * MOST_LOOKED_AT
    assert [spec.speed_only for spec in specs] == [spec.repeat >= QUALITY_ROUNDS for spec in specs]
    assert not any(spec.speed_only for spec in plan(wish(design=Design(turns=True))))


def test_controls_stand_beside_the_first_row() -> None:
    specs = plan(wish(controls=True, repeats=1))
    assert sorted((spec.backend, spec.profile) for spec in specs) == [
        ("tunable", "stock"),
        ("well", "planted"),
        ("well", "stock"),
        ("well", "twin"),
    ]


@pytest.mark.parametrize("within", [0.0, 1.0, 2.0])
def test_a_margin_that_is_none_is_refused(within: float) -> None:
    with pytest.raises(UsageError, match="--within is a share"):
        plan(wish(design=Design(within=within)))


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch, home: Path) -> Setting:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())
    for word in turns.MEASURES:
        monkeypatch.setitem(turns.MEASURES, word, FEW_TURNS)
    return Setting(machine=machine(), git_revision=None, cores=available_cores())


def conducted(
    folder: Path,
    setting: Setting,
    is_open: Callable[[int, RunSpec], bool],
    listener: Nobody | None = None,
    **more: object,
) -> list[Record]:
    """Conduct a study of fakes in which a row is open as long as `is_open` of the rounds done and a run says."""
    specs = plan(wish(repeats=5, controls=more.pop("controls", False)))
    made = Study(name="s", created_at="2026-11-26T00:00:00+00:00", command=(), specs=specs, **more)  # type: ignore[arg-type]
    store = Store(folder / "s")
    if not store.exists():
        store.create(made)
    asked = Plan(
        study=made,
        interpreters={(spec.backend, spec.device): HERE_INTERPRETER for spec in specs},
        data_dir=None,
        with_parity=False,
        with_ceilings=False,
        open_rows=lambda records: lambda spec: is_open(1 + max(one.spec.repeat for one in records), spec),
    )
    Conductor(asked, store.missing(specs), store=store, setting=setting, listener=listener or Nobody()).run()
    found, _ = store.records()
    return found


def rounds_of(records: Sequence[Record]) -> dict[str, int]:
    return {name: sum(one.spec.backend == name for one in records) for name in ("well", "tunable")}


def test_rows_leave_and_the_study_ends(tmp_path: Path, setting: Setting) -> None:
    found = conducted(tmp_path, setting, lambda rounds, spec: rounds < 4)
    assert rounds_of(found) == {"well": 4, "tunable": 4}
    fast = [one for one in found if one.spec.speed_only]
    assert len(fast) == 2
    assert all(one.outcome.status == "ok" and not one.measured.quality for one in fast)
    assert all(len([b for b in one.measured.blocks if b.turn is not None]) == FEW_TURNS for one in found)
    again = conducted(tmp_path, setting, lambda rounds, spec: rounds < 4)
    assert [one.spec.run_id for one in again] == [one.spec.run_id for one in found]
    assert load(tmp_path / "s").missing() == ()


def test_after_its_budget_no_round_is_begun_but_the_first(tmp_path: Path, setting: Setting) -> None:
    found = conducted(tmp_path, setting, lambda rounds, spec: True, budget_s=0.001)
    assert rounds_of(found) == {"well": 1, "tunable": 1}


def test_where_the_budget_does_not_hold_the_rounds_of_quality_and_more_the_later_ones_are_for_speed(
    tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock on which every round takes 100 s: 400 s hold three of training and two at half their time."""

    class Clock:
        now = 0.0

        def __init__(self) -> None:
            self.start = Clock.now

        def seconds(self) -> float:
            return Clock.now - self.start

    class Ticks(Nobody):
        def ranked(self, records: Sequence[Record], ended: RunSpec) -> None: ...

        def started(self, spec: RunSpec) -> None:
            Clock.now += 50.0

    monkeypatch.setattr("harness.runs.conductor.Stopwatch", Clock)
    for budget_s, trained in ((410.0, 3), (390.0, 1)):
        Clock.now = 0.0
        found = conducted(tmp_path / str(budget_s), setting, lambda rounds, spec: True, Ticks(), budget_s=budget_s)
        assert sum(not one.spec.speed_only for one in found) == 2 * trained
        assert max(one.spec.repeat for one in found) == int(budget_s // 100) - 1


def test_a_study_that_was_stopped_and_gone_on_with_makes_the_same_runs(tmp_path: Path, setting: Setting) -> None:
    class Stops(Nobody):
        count = 0

        def started(self, spec: RunSpec) -> None:
            self.count += 1
            if self.count == 4:
                raise KeyboardInterrupt

    def is_open(rounds: int, spec: RunSpec) -> bool:
        return rounds < 4

    assert "interrupted" in {one.outcome.status for one in conducted(tmp_path / "a", setting, is_open, Stops())}
    stopped = conducted(tmp_path / "a", setting, is_open)
    whole = conducted(tmp_path / "b", setting, is_open)
    assert sorted(one.spec.run_id for one in stopped) == sorted(one.spec.run_id for one in whole)


def test_what_does_not_fit_together_is_measured_one_after_the_other(tmp_path: Path, setting: Setting) -> None:
    found = conducted(tmp_path, setting, lambda rounds, spec: rounds < 3, live=1)
    assert rounds_of(found) == {"well": 3, "tunable": 3}
    assert {one.live_with for one in found} == {()}


def test_a_planted_row_does_a_tenth_more_than_it_says_in_blocks_as_long_as_the_rows(
    tmp_path: Path, setting: Setting
) -> None:
    found = conducted(tmp_path, setting, lambda rounds, spec: False, controls=True)
    told = {one.spec.profile: {b.steps for b in one.measured.blocks if b.turn is not None} for one in found}
    assert told["planted"]
    assert all(steps % 10 == 0 for of in told.values() for steps in of)
    assert told["stock"] == told["twin"] == told["planted"]


def test_while_it_runs_every_task_has_a_line_of_how_its_rows_stand() -> None:
    steps = {"torch": 0.01, "tensorflow": 0.03}
    for rounds, end in ((1, "tensorflow eager 3.00× of its time"), (3, "tensorflow eager 3.00× of its time (slower)")):
        runs = [run(row, r, s * wobble(r, 0.001), rows=tuple(steps)) for r in range(rounds) for row, s in steps.items()]
        (line,) = standing(runs, runs[0].spec)
        assert line.startswith(f"lenet-mnist, after {rounds} round")
        assert "torch eager fastest" in line
        assert line.endswith(end)
    alone = run("torch", 0, 0.01)
    assert list(standing([alone], alone.spec)) == []


def test_while_it_runs_a_task_is_judged_among_all_tasks_of_the_study() -> None:
    """As at its end: what is shown of a task alone may not be shown of one task of several."""
    steps: dict[str, Callable[[int], float]]
    steps = {"torch": lambda r: 0.01, "tensorflow": lambda r: 0.0112 * (1 + 0.0115 * (r % 3 - 1))}
    runs = [run(row, r, step(r), rows=tuple(steps)) for r in range(3) for row, step in steps.items()]
    others = [of_task(registry.task("xor"), one) for one in runs[:2]]
    (alone,) = standing(runs, runs[0].spec)
    (among,) = standing([*runs, *others], runs[0].spec)
    assert "(slower)" in alone
    assert among == alone.replace(" (slower)", "")


def test_controls_measure_speed_alone_in_every_round() -> None:
    assert {spec.speed_only for spec in plan(wish(controls=True)) if spec.profile in CONTROLS} == {True}


@pytest.mark.parametrize("short", [True, False])
def test_a_report_says_where_the_budget_was_too_short_to_train(short: bool, tmp_path: Path) -> None:
    runs = [run(row, r, 0.01, rows=("torch", "tensorflow")) for r in range(2) for row in ("torch", "tensorflow")]
    if short:
        runs = [replace(one, spec=replace(one.spec, speed_only=one.spec.repeat > 0)) for one in runs]
    said = content(StudyRead.of(write_study(tmp_path / "s", runs))).lead
    assert any("did not hold three rounds of training" in line for line in said) == short


def sessions_of(*steps: float) -> tuple[Session, ...]:
    """Return what studies say of TensorFlow against PyTorch, whose steps were so long in each."""

    def one(slow: float) -> Group:
        return study(5, torch=lambda r: 0.01, tensorflow=lambda r: slow * wobble(r, 0.01))

    return sessions([[one(slow)] for slow in steps])


def test_what_moves_from_study_to_study_is_told_apart_from_rounds() -> None:
    (moved,) = sessions_of(0.012, 0.0144)
    assert (moved.a, moved.b) == ("tensorflow eager", "torch eager")
    assert moved.ratios == pytest.approx((1.2, 1.44), rel=0.02)
    assert moved.sd_log == pytest.approx(math.log(1.2) / math.sqrt(2), rel=0.1)
    (still,) = sessions_of(0.012, 0.012)
    assert still.sd_log < 0.01
    assert sessions_of(0.012) == ()


def test_before_the_first_look_nothing_is_shown_and_it_is_said() -> None:
    group = study(2, torch=lambda r: 0.01, tensorflow=lambda r: 0.02 * wobble(r, 0.01))
    assert "Nothing is shown before 3 rounds are made: the budget was spent before." in sentences(
        named([("s", [group])])
    )
