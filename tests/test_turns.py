"""A round in turns: balanced orders, all rows in every turn, stopped in between; one that dies takes nobody along."""

import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from fakes import HERE, entries
from msgspec.structs import replace
from records_factory import PASS, block, measured, record

import backends
from harness import registry
from harness.data.prepare import prepare
from harness.environments.machine import available_cores, machine
from harness.record import Noise, Record
from harness.records.steady import read
from harness.records.store import Store
from harness.runs.conductor import rounds
from harness.runs.execute import Ready, Setting
from harness.runs.executors.bench import COMMAND_LINE
from harness.runs.plan import Wish, plan
from harness.runs.turns import MEASURES, Live, round_of, take_turns, williams
from harness.spec import Choice
from harness.worker.turns import READY
from reports.content.verdicts import lines
from reports.frame.frame import frame
from reports.statistics.summary import summarize

ROOT = Path(HERE).parent


def readies(*names: str, timeout_s: float = 60.0) -> list[Ready]:
    """Return smoke runs of XOR on some fakes, one repeat."""
    task = registry.task("xor")
    choices = tuple(Choice(backend=name, device="cpu", mode="eager") for name in names)
    specs = plan(Wish(tasks=(task,), choices=choices, preset="smoke", repeats=1, noise_budget_s=0, timeout_s=timeout_s))
    data = prepare(task, task.preset("smoke"), dataset="xor", seed=0, data_dir=None)
    return [Ready(spec=spec, task=task.at("smoke"), data=data, interpreter=COMMAND_LINE, parity=PASS) for spec in specs]


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch, home: Path) -> Setting:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())
    return Setting(machine=machine(), git_revision=None, cores=available_cores())


def done(folder: Path, setting: Setting, *names: str, **more: Any) -> dict[str, Record]:
    found = round_of(readies(*names, **more), setting, folder, started=lambda ready: None)
    return {one.spec.backend: one for one in found}


@pytest.mark.parametrize("rows", [2, 3, 4, 5, 8])
def test_in_the_orders_each_row_is_equally_often_at_each_place_and_behind_each_other(rows: int) -> None:
    orders = williams(rows, seed=1)
    assert all(sorted(order) == list(range(rows)) for order in orders)
    places = Counter((place, row) for order in orders for place, row in enumerate(order))
    behind = Counter(pair for order in orders for pair in pairwise(order))
    assert len(set(places.values())) == len(set(behind.values())) == 1
    assert len(behind) == rows * (rows - 1)
    assert all(wanted % len(williams(n, 0)) == 0 for wanted in MEASURES.values() for n in (2, 3))


def test_all_rows_of_a_round_have_a_block_in_every_turn(tmp_path: Path, setting: Setting) -> None:
    found = done(tmp_path, setting, "well", "keeps", "tunable")
    assert {one.outcome.status for one in found.values()} == {"ok"}
    ids = {one.spec.run_id for one in found.values()}
    assert all(set(one.live_with) == ids for one in found.values())
    turns = [
        [b.turn for b in blocks if b.turn is not None]
        for one in found.values()
        for blocks in (one.measured.blocks, *(inference.blocks for inference in one.measured.inference))
    ]
    assert turns[:3] == turns[3:6] == turns[6:]
    assert [len(numbers) for numbers in turns[:3]] == list(MEASURES.values())


def test_a_worker_that_is_not_at_its_turn_is_stopped_with_all_its_threads(tmp_path: Path, setting: Setting) -> None:
    with ExitStack() as stack:
        (ready,) = readies("well")
        live = Live(ready, setting, tmp_path, stack)
        assert live.hear() == READY
        assert live.worker.process is not None
        process = psutil.Process(live.worker.process.pid)
        before = process.cpu_times()
        assert process.status() == psutil.STATUS_STOPPED
        assert live.ask("train 0") in ("good", "disturbed")
        assert process.status() == psutil.STATUS_STOPPED
        assert process.cpu_times() != before
        live.finish()
        assert live.record(()).outcome.status == "ok"


def test_a_worker_that_dies_in_its_turn_is_a_record_and_the_others_go_on(tmp_path: Path, setting: Setting) -> None:
    found = done(tmp_path, setting, "well", "aborts_late", "tunable")
    assert (found["aborts_late"].outcome.status, found["aborts_late"].outcome.signal) == ("crashed", "SIGABRT")
    assert found["aborts_late"].live_with == ()
    for name in ("well", "tunable"):
        assert found[name].outcome.status == "ok"
        assert {run.split(".")[1] for run in found[name].live_with} == {"well", "tunable"}


def test_a_worker_that_dies_before_the_turns_leaves_the_others_theirs(tmp_path: Path, setting: Setting) -> None:
    found = done(tmp_path, setting, "well", "aborts", "tunable")
    assert {name: one.outcome.status for name, one in found.items()} == {
        "well": "ok",
        "aborts": "crashed",
        "tunable": "ok",
    }
    assert len(found["well"].live_with) == 2


def test_the_last_one_alive_is_timed_to_its_end_alone(tmp_path: Path, setting: Setting) -> None:
    for other in ("aborts", "aborts_late"):
        found = done(tmp_path / other, setting, "well", other)["well"]
        assert found.outcome.status == "ok"
        assert found.live_with == ()
        assert len([one for one in found.measured.blocks if one.turn is not None]) == MEASURES["train"]
        assert len(frame([found])["throughput_examples_per_s"].dropna()) == 1


def test_a_disturbed_turn_is_made_again_in_its_own_order_while_there_is_budget() -> None:
    class Scripted:
        """Answers as a worker that was disturbed at its first turn of every measure."""

        alive = True
        heard: list[tuple[int, str]] = []
        ready = readies("well")[0]

        def __init__(self, place: int, *, budget_s: float) -> None:
            self.place = place
            self.ready = replace(self.ready, spec=replace(self.ready.spec, noise_budget_s=budget_s))

        def ask(self, words: str) -> str:
            self.heard.append((self.place, words))
            return "disturbed" if words.endswith(" 0") and self.place == 1 else "good"

    for budget_s, again in ((5.0, 1), (0.0, 0)):
        Scripted.heard = []
        take_turns([Scripted(place, budget_s=budget_s) for place in range(3)], seed=1)  # type: ignore[misc]
        orders = [tuple(p for p, _ in Scripted.heard[i : i + 3]) for i in range(0, len(Scripted.heard), 3)]
        assert len(orders) == sum(MEASURES.values()) + again
        assert (orders[0] == orders[1]) == bool(again)
        good = orders[again : again + 24]
        assert set(Counter(good).values()) == {4}


def test_a_round_for_speed_alone_makes_a_third_as_many_turns_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Second:
        def seconds(self) -> float:
            return 1.0

    class Disturbed:
        alive = True

        def __init__(self, speed_only: bool) -> None:
            ready = readies("well")[0]
            self.ready = replace(ready, spec=replace(ready.spec, noise_budget_s=15.0, speed_only=speed_only))
            self.turns = 0

        def ask(self, _words: str) -> str:
            self.turns += 1
            return "disturbed"

    monkeypatch.setattr("harness.runs.turns.Stopwatch", Second)
    for speed_only, again in ((False, 30), (True, 10)):
        rows = [Disturbed(speed_only) for _ in range(2)]
        take_turns(rows, seed=1)  # type: ignore[arg-type]
        assert [row.turns - sum(MEASURES.values()) for row in rows] == [again - 1] * 2


def test_a_worker_that_hangs_in_its_turn_is_ended_at_its_limit_in_which_waiting_is_not_counted(
    tmp_path: Path, setting: Setting
) -> None:
    found = done(tmp_path, setting, "well", "hangs_late", timeout_s=12.0)
    assert {name: one.outcome.status for name, one in found.items()} == {"well": "ok", "hangs_late": "timeout"}


def test_a_user_who_stops_a_round_leaves_an_interrupted_record_of_each(
    tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.runs.turns.take_turns", stop)
    found = done(tmp_path, setting, "well", "tunable")
    assert {one.outcome.status for one in found.values()} == {"interrupted"}


def test_the_rows_of_a_task_are_neighbours_in_every_round() -> None:
    tasks = tuple(map(registry.task, ("xor", "lenet-mnist", "lstm-text")))
    choices = tuple(Choice(backend=name, device="cpu", mode="eager") for name in ("torch", "tensorflow", "mindspore"))
    specs = plan(Wish(tasks=tasks, choices=choices, preset="smoke", repeats=4))
    found = list(rounds(specs))
    assert [len(together) for together in found] == [3] * 12
    assert len({tuple(spec.backend for spec in together) for together in found}) > 1
    assert len({tuple(spec.task for spec, *_ in found[i : i + 3]) for i in range(0, 12, 3)}) > 1


def in_turns(backend: str, repeat: int, step_s: float, noise: Noise | None = None) -> Record:
    """Return a record of a run that took turns with that of the other backend of its round."""
    turns = tuple(
        replace(block("steady", 10, 10 * step_s * (1 + 0.1 * (number % 5))), turn=number, noise=noise)
        for number in range(24)
    )
    alone = block("steady", 10, 99.0)
    ids = tuple(record(name, repeat=repeat).spec.run_id for name in ("torch", "tensorflow"))
    return replace(record(backend, repeat=repeat, found=measured(blocks=(alone, *turns))), live_with=ids)


def test_what_the_host_does_to_all_rows_alike_cancels_out() -> None:
    """The host is three times as slow in one round, where unpaired processes would show nothing."""
    host = (1.0, 3.0, 1.5)
    runs = [in_turns("torch", repeat, 0.01 * slow) for repeat, slow in enumerate(host)]
    runs += [in_turns("tensorflow", repeat, 0.0111 * slow) for repeat, slow in enumerate(host)]
    (group,) = summarize(frame(runs))
    (found,) = group.comparisons
    assert (found.rounds, found.verdict) == (3, "faster")
    assert found.ratio == pytest.approx(1 / 1.11)


def test_blocks_of_turns_are_read_and_no_others() -> None:
    run = in_turns("torch", 0, 0.01)
    assert {one.turn for one in read(run.measured.blocks, 4).blocks} <= set(range(24))


def test_a_machine_with_a_busy_neighbour_is_not_too_noisy_for_rows_that_took_turns() -> None:
    busy = Noise(foreign_cpu_seconds=10.0)
    runs = [in_turns(name, repeat, 0.01, busy) for name in ("torch", "tensorflow") for repeat in range(3)]
    (group,) = summarize(frame(runs))
    assert all(row.comparable for row in group.rows)
    assert (group.comparisons[0].rounds, group.comparisons[0].verdict) == (3, "equal")


def test_the_report_says_how_far_rounds_lie_apart_and_what_an_open_pair_would_need() -> None:
    runs = [in_turns("torch", repeat, 0.01) for repeat in range(3)]
    runs += [in_turns("tensorflow", repeat, 0.01 * slow) for repeat, slow in enumerate((1.0, 1.3, 0.9))]
    (group,) = summarize(frame(runs))
    assert group.comparisons[0].verdict == "no difference shown"
    said = list(lines(group, 1))
    assert any(
        "over 3 rounds; the ratios of the rounds spread by 18.9 % to 18.9 %, those of" in line for line in said
    ), said
    assert any(
        line.startswith("torch eager and tensorflow eager: a difference of 10 % would need 33 rounds") for line in said
    )


def test_the_command_measures_in_turns(tmp_path: Path, home: Path) -> None:
    words = ("run", "--turns", "--task", "xor", "--backend", "well,tunable", "--preset", "smoke", "--repeats", "2")
    where = ("--results", str(tmp_path), "--study", "s", "--no-parity", "--noise-budget", "0")
    command = [sys.executable, str(ROOT / "tests" / "cli_with_fakes.py"), *words, *where]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found, damaged = Store(tmp_path / "s").records()
    assert not damaged
    assert {len(one.live_with) for one in found} == {2}
    assert {one.live_with for one in found if one.spec.repeat == 0} != {
        one.live_with for one in found if one.spec.repeat == 1
    }
