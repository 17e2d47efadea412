"""What people type wrongly, or in their own words, and what comes: a table, each row a call, its exit code, its words.

The first thirty were graded in a review of how people meet the tool; the others go with them. A call of `run` is made
dry, with this Python in the place of every framework's.
"""

import re
import shlex
import sys
from pathlib import Path

import pytest
from records_factory import record, write_study
from test_bad_input import told

from harness import registry

GRADED = (
    # did well, and go on doing so
    ("run xor --backend theano", 2, ("unknown backend 'theano': known are torch, tensorflow, mindspore",)),
    ("run xor --preset fast", 2, ("unknown preset of xor 'fast': known are smoke, quick, full",)),
    ("run xor --seeds 3", 2, ("No such option '--seeds'", "Did you mean '--seed'?")),
    ("run xor --seed 1..3", 2, ("--seed takes numbers from 0", "'1..3'")),
    ("run lstm --dataset nosuch.csv", 2, ("nosuch.csv",)),
    ("report nosuch", 2, ("there is no study 'nosuch': studies in", "first, later")),
    ("bare run xor", 1, ("run `evenbench env create`",)),
    ("env create torch --installer conda", 2, ("conda", "known are auto, uv, pip")),
    ("run lenet --preset full --data-dir /nope", 2, ("/nope",)),
    ("bare run xor --python torch=/nonexistent", 2, ("/nonexistent", "does not exist: name a Python interpreter")),
    # half well
    ("run xor --backend numpy --device cuda", 1, ("no chosen backend can use gpu here: numpy: ", "evenbench doctor")),
    ("run mnist --repeats 1", 0, ("lenet-mnist.torch.cpu.eager.quick.digits.s0.r0",)),
    ("run --task LeNet --repeats 1", 0, ("lenet-mnist.torch.cpu.eager.quick.digits.s0.r0",)),
    ("run --task lstm --repeats 1", 0, ("lstm-text.torch.cpu.eager.quick.reviews-en.s0.r0",)),
    ("run xor --mode compile", 0, ("xor.torch.cpu.graph.quick", "tensorflow has no compile mode")),
    ("run xor --backend pytroch", 2, ("unknown backend 'pytroch'", "did you mean pytorch?")),
    ("report later/report.html", 0, ("lenet-mnist",)),
    ("show 7", 0, ("lenet-mnist.mindspore.cpu.eager.quick.digits.s2.r2",)),
    ("run --tasks xor", 2, ("No such option '--tasks'", "Did you mean '--task'?")),
    # badly
    ("run xor --backend PyTorch tf --repeats 1", 0, ("xor.torch.cpu.eager", "xor.tensorflow.cpu.graph")),
    ("run --task lenet-mnist, xor --repeats 1 --backend torch", 0, ("lenet-mnist.torch", "xor.torch", "2 of 2 runs")),
    ("run lenet-mnist --repeats 1", 0, ("lenet-mnist.torch", "runs would run")),
    ("run xor --epochs 3", 2, ("No such option '--epochs'", "--set epochs=VALUE")),
    ("run xor --batch-size 32", 2, ("No such option '--batch-size'", "--set batch_size=VALUE")),
    ("report", 0, ("lenet-mnist", "later")),
    ("choose", 0, ("needs course", "needs team", "--for course", "single weight", "Not measured")),
    ("reprot later", 2, ("No such command 'reprot': did you mean 'report'?",)),
    ("merge first later", 2, ("the new study's name is missing", "evenbench merge first-and-others first later")),
    ("run xor --memory-limit 4 --repeats 1", 2, ("4 is 4 bytes", "64 MB", "write 4GB")),
    ("run xor --lang zh --repeats 1 --backend torch", 0, ("xor.torch.cpu.eager", "次运行")),
)
OWN = (
    ("run --backend all --task all --repeats 1", 0, ("dbm-mnist.torch", "lenet-selu.mindspore", "runs would run")),
    ("run xor --backend torch,tf --backend MS --repeats 1", 0, ("3 of 3 runs would run",)),
    ("run xor --backend 'torch tensorflow' --repeats 1", 0, ("2 of 2 runs would run",)),
    ("run xor torch tf --repeats 1", 0, ("xor.torch", "xor.tensorflow", "2 of 2 runs would run")),
    ("run xor --backend tf --mode JIT --repeats 1", 0, ("xor.tensorflow.cpu.xla",)),
    ("run xor --backend mindspore --mode pynative --repeats 1", 0, ("xor.mindspore.cpu.eager",)),
    ("run xor --backend torch@2.12.0 --mode eager graph --device CPU", 1, ("evenbench env create torch@2.12.0",)),
    ("run xor --backend torch --seed 0 1 4-5", 0, ("xor.torch.cpu.eager.quick.xor.s5.r0", "4 of 4 runs")),
    ("run leaky-relu --backend torch --repeats 1", 0, ("lenet-leaky_relu.torch",)),
    ("run lenett", 2, ("'lenett' is no task, backend, device or mode", "did you mean lenet?")),
    ("run xor pytroch", 2, ("did you mean pytorch?",)),
    ("run xor --device cudda", 2, ("unknown device 'cudda': known are cpu, gpu, npu, all; did you mean cuda?",)),
    ("run xor --mode egaer", 2, ("unknown mode 'egaer'", "did you mean eager?")),
    ("run xor --preset quik", 2, ("did you mean quick?",)),
    ("run lenet --dataset minst", 2, ("did you mean mnist?",)),
    ("run xor 5", 2, ("'5' is no task, backend, device or mode",)),
    ("run xor --lr 0.1", 2, ("--set learning_rate=VALUE",)),
    ("run xor --set", 2, ("--set",)),
    ("run xor --set batch_size", 2, ("--set takes KEY=VALUE, such as batch_size=32, but got 'batch_size'",)),
    ("run xor --set bachsize=3", 2, ("unknown key of --set 'bachsize': known are batch_size", "mean batch_size?")),
    ("run xor --set epochs=two", 2, ("--set epochs takes a whole number from 1 to 1,000,000, but got 'two'",)),
    ("run xor --set epochs=0", 2, ("--set epochs takes a whole number from 1",)),
    ("run xor --set learning_rate=0", 2, ("--set learning_rate takes a number above 0, up to 1,000, but got '0'",)),
    ("run lenet --set optimizer=adam", 2, ("--set optimizer=adam needs a learning rate of its own",)),
    ("run lenet --set optimizer=adma", 2, ("unknown optimizer 'adma'", "did you mean adam?")),
    ("run lenet --set beta1=0.8", 2, ("--set beta1 does not fit lenet-mnist quick: the optimizer momentum has",)),
    ("run lenet --set epochs=2 --set epochs=3", 2, ("--set gives epochs two values: 2 and 3",)),
    ("lenet", 2, ("No such command 'lenet': it is a task, which `evenbench run lenet` runs.",)),
    ("frobnicate", 2, ("No such command 'frobnicate': the commands are run, tune, report",)),
    ("report latr", 2, ("there is no study 'latr'", "did you mean later?")),
    ("compare", 0, ("A: first, B: later",)),
    ("compare later", 0, ("A: first, B: later",)),
    ("compare first later third", 2, ("two studies are compared, but got 3",)),
    ("show", 0, ("   7  ok  lenet-mnist.mindspore", "shows all of one")),
    ("show later/lenet-mnist.torch.cpu.eager.quick.digits.s0.r0.json", 0, ("lenet-mnist.torch", "s0.r0")),
    ("show mindspore r2", 0, ("lenet-mnist.mindspore.cpu.eager.quick.digits.s2.r2",)),
    ("choose --for cours", 2, ("cours", "course")),
    ("merge first", 2, ("STUDY",)),
    ("env crate torch", 2, ("crate",)),
    ("env create trch", 2, ("unknown backend 'trch'", "did you mean torch?")),
    ("--lang zhh list", 2, ("unknown language 'zhh': known are en, zh; did you mean zh?",)),
)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Make a results folder with two studies, `later` the newer one, and go there."""
    monkeypatch.setenv("EVENBENCH_RESULTS", str(tmp_path))
    monkeypatch.delenv("EVENBENCH_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path / "first", [record("torch", repeat=number) for number in range(3)])
    both = [record(backend, repeat=number) for backend in ("torch", "mindspore") for number in range(4)]
    write_study(tmp_path / "later", both)
    plan = tmp_path / "first" / "study.json"
    plan.write_text(plan.read_text().replace("2026-11-21T", "2026-11-20T"))
    (tmp_path / "later" / "report.html").write_text("<html></html>")
    return tmp_path


@pytest.mark.parametrize(("words", "code", "said"), [*GRADED, *OWN], ids=[row[0] for row in (*GRADED, *OWN)])
def test_what_people_type_ends_well_or_says_what_to_type(
    results: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    code: int,
    said: tuple[str, ...],
) -> None:
    asked = shlex.split(words)
    if asked[0] == "run":
        own = [f"--python={name}={sys.executable}" for name in registry.framework_names()]
        asked[1:1] = ["--dry-run", *own]
    elif asked[0] == "bare":
        asked = ["run", "--dry-run", *asked[2:]]
    came, text = told(asked, capsys, monkeypatch, everything=True)
    assert came == code, text
    assert "Traceback" not in text
    for part in said:
        assert part in text or part in re.sub(r"\s+", " ", text), text


def test_there_are_thirty_graded_and_thirty_more() -> None:
    assert len(GRADED) == 30
    assert len(OWN) >= 30
    assert len({row[0] for row in (*GRADED, *OWN)}) == len(GRADED) + len(OWN)
