"""A foreign busy process beside a worker, from end to end: it is noticed, and no number is reported that it spoiled."""

import sys
from pathlib import Path

import pytest
from fakes import entries
from test_noise import busy

import backends
from harness.data.prepare import prepare
from harness.environments import machine
from harness.environments.interpreters import Interpreter
from harness.environments.machine import available_cores
from harness.measure.noise import disturbances
from harness.record import ParityVerdict, Record
from harness.registry import task
from harness.runs.execute import Ready, Setting, execute
from harness.runs.plan import Wish, plan
from harness.spec import Choice
from reports.frame.frame import frame


def run(folder: Path, repeat: int) -> Record:
    """Train XOR on the reference and measure it."""
    xor = task("xor")
    choice = Choice(backend="well", device="cpu", mode="eager")
    spec = plan(Wish(tasks=(xor,), choices=(choice,), preset="quick", repeats=repeat + 1, noise_budget_s=1.0))[-1]
    ready = Ready(
        spec=spec,
        task=xor,
        data=prepare(xor, xor.preset("quick"), dataset="xor", seed=repeat, data_dir=None),
        interpreter=Interpreter(python=sys.executable, source="current", reason="a test"),
        parity=ParityVerdict(passed=True),
    )
    return execute(ready, Setting(machine=machine.machine(), git_revision=None, cores=available_cores()), folder)


@pytest.mark.alone("makes every processor busy")
def test_a_foreign_busy_process_is_noticed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "TABLE", backends.TABLE | entries())
    alone = run(tmp_path, 0)
    with busy(len(available_cores())):
        beside = run(tmp_path, 1)
    assert alone.outcome.status == beside.outcome.status == "ok"
    steady = [block for block in beside.measured.blocks if block.kind == "steady"]
    noticed = [block for block in steady if "other processes" in disturbances(block, len(beside.affinity))]
    assert len(noticed) > 0.9 * len(steady)
    rows = frame([alone, beside]).to_dict("records")
    assert not rows[1]["comparable"]
    assert "too noisy to say" in rows[1]["why_not_comparable"]
    assert "other processes" in rows[1]["why_not_comparable"]
    quiet = rows[0]["throughput_examples_per_s"]  # the machine may have been busy without us: then it says so too
    assert rows[0]["comparable"] or "too noisy to say" in rows[0]["why_not_comparable"]
    assert quiet > 0
