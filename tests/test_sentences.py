"""What is said stays data until somebody reads it: all of it is in the catalogue, survives a record, and is said."""

import ast
import math
import string
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace
from records_factory import PASS, died, measured, record, write_study
from test_catalogue import english, saved, shown
from test_doctor import QUIET, SOUND

from backends.numpy.adapter import backend as numpy_backend
from harness import language, registry
from harness.cli.translations import ERRORS, FOLDERS
from harness.environments import interpreters, managed
from harness.environments.installation import installation
from harness.environments.interpreters import Interpreter
from harness.errors import EvenbenchError, UsageError
from harness.language import Sentence, Words, apart, finished, joined, noop, plain, said, told
from harness.measure.clock import Diverged
from harness.measure.honesty import doubts
from harness.parity import hints
from harness.parity.levels import LEVELS, Level, Parity
from harness.record import SCHEMA, Energy, Honesty, Memory, Outcome, Record, StageMeasured
from harness.runs import doctor
from harness.runs.launch import Ended, ending
from harness.runs.parity import record_verdict
from harness.runs.profiles import Trial
from harness.runs.tune import Search
from reports.frame.reader import read_study
from reports.words import record_words, sentences, text

ROOT = Path(__file__).parent.parent
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
WORDS = ("reason", "why_not", "failure", "hint", "remark", "verdict", "problem", "sentence")
"""Arguments that hold what is said."""
LANGUAGE = ROOT / "harness" / "language.py"
RAISED = ERRORS[:-1]


def name_of(node: ast.expr) -> str:
    return getattr(node, "id", getattr(node, "attr", ""))


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def made() -> dict[str, Sentence]:
    """Return a sentence of every message in the code, with fields that fit it."""
    found = {}
    for path in FILES:
        for call in calls(path):
            message = literal(call.args[0]) if call.args else None
            if message is not None and name_of(call.func) in ("Sentence", *RAISED):
                found[message] = Sentence(message, **dict(fields_of(message)))
    return found


def fields_of(message: str) -> Iterator[tuple[str, object]]:
    for _text, name, form, _how in string.Formatter().parse(message):
        if name is not None:
            yield name.partition(".")[0], 2.5 if form and form[-1] in "efg%" else 2


MADE = made()


@pytest.mark.parametrize(
    "path", [path for path in FILES if path != LANGUAGE], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_sentence_is_made_of_a_message_that_the_catalogue_can_find(path: Path) -> None:
    wrong = [
        f"line {call.lineno}: {ast.unparse(call)[:80]}"
        for call in calls(path)
        if name_of(call.func) == "Sentence" and not (call.args and literal(call.args[0]))
    ]
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_said_in_a_text_that_is_already_put_together(path: Path) -> None:
    """An f-string has lost its fields, and a bare literal is in no catalogue."""
    wrong = [
        f"line {word.value.lineno}: {word.arg}={ast.unparse(word.value)[:80]}"
        for call in calls(path)
        for word in call.keywords
        if word.arg in WORDS
        and (isinstance(word.value, ast.JoinedStr) or (literal(word.value) or "") not in ("", *language_words()))
        and not (path.is_relative_to(ROOT / "harness" / "worker") and name_of(call.func) == "Evidence")
    ]
    assert not wrong


def language_words() -> set[str]:
    return {str(message.id) for message in saved("zh")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_fields_of_an_error_stand_beside_its_sentence(path: Path) -> None:
    wrong = [
        f"line {call.lineno}: {ast.unparse(call)[:80]}"
        for call in calls(path)
        if name_of(call.func) in RAISED
        and call.args
        and (
            isinstance(call.args[0], ast.JoinedStr)
            or name_of(getattr(call.args[0], "func", ast.Name(""))) in ("format", "_")
        )
    ]
    assert not wrong


@pytest.mark.parametrize("message", MADE)
def test_every_message_is_said_in_chinese_after_it_went_through_json(message: str) -> None:
    again = msgspec.json.decode(msgspec.json.encode(MADE[message]), type=Sentence)
    assert str(again) == str(MADE[message])
    with language.use("zh"):
        assert not list(english(said(again))), said(again)
        assert said(again) != str(again) or not any(c.isalpha() for c in "".join(plain_parts(message)))


def plain_parts(message: str) -> list[str]:
    return [part for part, *_field in string.Formatter().parse(message)]


def heard() -> Iterator[tuple[str, Words]]:
    """Yield what doctor, parity, launch, honesty, tune, interpreters and environments say, each under who says it."""
    poor = replace(
        QUIET, python="3.13.1", load_1min=9.0, memory_free_bytes=1, disk_free_bytes=1,
        not_passed_on=("ONEDNN_DEFAULT_FPMATH_MODE",), strangers=("tasks",),
    )  # fmt: skip
    bad = replace(SOUND, matmul_error=math.nan, flushes_denormals=False, settings={"threads": "7"})
    for trap in (*doctor.machine_traps(poor), *doctor.backend_traps(bad, 2)):
        yield f"doctor {trap.name}", trap.said or trap.sentence
    for level in LEVELS:
        for error in (None, 0.5):
            for hint in (hints.WHERE_TO_LOOK[level], ""):
                at = Level(error=error, tolerance=1e-4, passed=False, where="dense1.weight")
                verdict = Parity(
                    task="xor", backend="torch", device="cpu", mode="eager", passed=False, levels={level: at}, hint=hint
                )
                yield f"parity {level}", verdict.summary()
    for how in (
        {"returncode": None, "interrupted": True}, {"returncode": None}, {"returncode": -9}, {"returncode": 3},
        {"returncode": -9, "kernel_killed_for_memory": True},
    ):  # fmt: skip
        facts: dict[str, Any] = {
            "result": None,
            "interrupted": False,
            "stderr_tail": "",
            "kernel_killed_for_memory": False,
        }
        outcome = ending(Ended(**(facts | how)), 2.0)
        yield f"launch {outcome.status}", outcome.said or outcome.reason
    lazy = Honesty(unfinished_share=0.9, train_fresh_over_seen=3.0, predict_fresh_over_seen=4.0)
    yield from (("honesty", doubt) for doubt in doubts(lazy, "eager"))
    for doubtful in (doubts(Honesty(compiled={}), "graph"), doubts(Honesty(compiled={"graph": 1}), "eager")):
        yield from (("honesty", doubt) for doubt in doubtful)
    yield "clock", Diverged(3, math.nan).said
    for device in ("cpu", "gpu"):
        for mode in ("eager", "graph"):
            if (why := numpy_backend().why_not(registry.task("xor"), device, mode)) is not None:
                yield "numpy", why
    yield "python", managed.why_not_python((3, 14)) or ""


def searches() -> Iterator[Words]:
    """Yield what tune says of searches that come to nothing, and of one that finds something."""

    class Bench:
        def __init__(self, rates: dict[str, float], passed: bool = True) -> None:
            self.rates, self.passed = rates, passed

        def measure(self, settings: dict[str, str]) -> Trial:
            rate = self.rates.get(",".join(settings.values()), 0.0)
            if not rate:
                return Trial(
                    settings=settings,
                    why_not=Sentence("{kind}: {reason}", kind="crashed", reason="it wrote nothing to stderr"),
                )
            return Trial(settings=settings, examples_per_s=rate)

        def prove(self, settings: dict[str, str]) -> tuple[bool, Words]:
            return self.passed, "pass" if self.passed else noop("parity failed")

    told: list[Words] = []
    for rates, space in (
        ({}, {"A": ("1",)}), ({"": 9.0}, {}), ({"": 9.0}, {"A": ("1",)}), ({"": 9.0, "1": 12.0}, {"A": ("1",)}),
    ):  # fmt: skip
        yield Search(Bench(rates), space, budget_s=5.0, tell=told.append).run()[1]
    yield Search(Bench({"": 9.0, "1": 12.0}, passed=False), {"A": ("1",)}, budget_s=5.0, tell=told.append).run()[1]
    yield from told


HEARD = [*heard(), *(("tune", words) for words in searches())]


@pytest.mark.parametrize(("who", "words"), HEARD, ids=[f"{who}-{number}" for number, (who, _) in enumerate(HEARD)])
def test_what_is_said_is_said_in_chinese(who: str, words: Words) -> None:
    with language.use("zh"):
        found = said(words)
    assert not list(english(found)), found
    assert any(ord(c) > 0x2E80 for c in found), found


def test_an_environment_that_cannot_be_used_is_explained_in_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENBENCH_HOME", str(tmp_path))
    absent = managed.look("torch").problem
    (tmp_path / "environments" / "torch").mkdir(parents=True)
    unfinished = managed.look("torch").problem
    assert absent is not None
    assert unfinished is not None
    assert str(absent) == "there is no managed environment torch: run `evenbench env create torch`"
    with language.use("zh"):
        assert said(absent) == "没有受管环境 torch：请运行 `evenbench env create torch`"
        assert "尚未建成" in said(unfinished)
        with pytest.raises(EvenbenchError) as caught:
            interpreters.find("torch", {})
        assert said(caught.value) == said(unfinished)


def test_a_record_keeps_the_message_and_fields_beside_the_finished_reason() -> None:
    ended = ending(
        Ended(result=None, returncode=3, interrupted=False, stderr_tail="Oops", kernel_killed_for_memory=False), 2
    )
    item = replace(record("torch"), outcome=ended)
    again = msgspec.json.decode(msgspec.json.encode(item), type=Record)
    assert again.schema == SCHEMA >= 5
    assert again.outcome.reason == "the worker ended with exit code 3: Oops"
    assert again.outcome.said == Sentence("the worker ended with exit code {code}: {reason}", code=3, reason="Oops")


def structs(kind: Any, seen: set[Any]) -> None:
    """Gather the Structs that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, Struct) and kind not in seen:
        seen.add(kind)
        for part in typing.get_type_hints(kind).values():
            structs(part, seen)
    for part in get_args(kind):
        structs(part, seen)


def test_every_sentence_of_a_record_is_noted() -> None:
    seen: set[Any] = set()
    structs(Record, seen)
    speaking = {kind.__name__ for kind in seen if "said" in kind.__struct_fields__}
    assert speaking == {
        "Outcome", "ParityVerdict", "Memory", "Energy", "StageMeasured", "Ceiling", "Installation", "Mistake", "Trap",
    }  # fmt: skip
    why = {"x": Sentence("NVML answered: {error}", error="no")}
    item = record(
        "torch",
        found=measured(
            memory=Memory(reasons=finished(why), said=apart(why)),
            energy=Energy(reasons=finished(why), said=apart(why)),
            stages=(StageMeasured(name="s", remarks=finished(why), said=apart(why)),),
        ),
    )
    assert [sentence for _text, sentence in sentences.sentences_of(item) if sentence] == [why["x"]] * 3


def doubtful(folder: Path) -> Path:
    """Write a study of which every record says something with numbers in it."""
    failed = Parity(
        task="lenet-mnist", backend="torch", device="cpu", mode="eager", passed=False,
        levels={"forward": Level(error=0.5, tolerance=1e-4, passed=False)}, first_layer="conv1",
        hint=hints.WHERE_TO_LOOK["forward"],
    )  # fmt: skip
    kernel = Ended(result=None, returncode=-11, interrupted=False, stderr_tail="", kernel_killed_for_memory=False)
    outcome = ending(kernel, 9)
    lazy = Honesty(unfinished_share=0.9)
    interpreter = Interpreter(
        python="/nowhere/bin/python",
        source="--python",
        reason=Sentence("named by --python {backend}={path}", backend="a", path="b"),
    )
    found = [record("torch", repeat=i, parity=record_verdict(failed)) for i in range(2)]
    found += [record("tensorflow", repeat=i, parity=PASS, found=measured(honesty=lazy)) for i in range(2)]
    found += [replace(died("mindspore"), outcome=outcome)]
    found = [replace(one, installation=installation("torch", interpreter)) for one in found]
    return write_study(folder, found)


@pytest.mark.parametrize("many", [1, 1000], ids=["in processes", "in this one"])
def test_a_frame_holds_english_and_is_said_in_chinese(many: int, tmp_path: Path) -> None:
    _loaded, runs = read_study(doubtful(tmp_path / "s"), many=many)
    why = [*runs["why_not_comparable"], *runs["reason"], *runs["install_reason"], *runs["parity_reason"]]
    assert any("differs from the reference in forward at conv1 (5.0e-01, allowed 1e-04). Look at" in one for one in why)
    with language.use("zh"):
        left = [one for one in map(text.quoted, why) if list(english(one))]
    assert not left


@pytest.mark.parametrize("form", ["terminal", "md"])
def test_a_report_of_doubts_is_chinese(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shown(doubtful(tmp_path / "s"), "zh", form, monkeypatch)
    rows = {"mindspore", "tensorflow", "torch", "eager", "graph"}
    left = [words for words in english(found) if not set(words.split()) <= rows]  # the head of the answer's table
    assert not [words for words in left if "denormals are not" not in words]


@pytest.mark.parametrize(
    "strange",
    [
        Sentence("{x.__class__}", x="y"),
        Sentence("a message of another {release}", release="release"),
        Sentence("the worker ended with exit code {code}: {reason}", code=3),
        Sentence("memory ran out: {reason}", reason=Sentence("{x:>9}", x="y")),
    ],
)
def test_what_a_strange_record_says_is_quoted_as_it_stands(strange: Sentence) -> None:
    item = replace(record("torch"), outcome=Outcome(status="crashed", reason="as it stands", said=strange))
    sentences.note_record(item)
    with language.use("zh"):
        assert record_words.said("as it stands", lambda words: f"<{words}>") == "<as it stands>"


def test_the_patterns_of_old_records_do_not_grow() -> None:
    names = {"{count} labels", "epoch {number}"}  # parts of the names of stages, which are no sentences
    assert len(set(record_words.SENTENCES) - names) <= 34


def test_a_sentence_is_a_string_in_english_and_keeps_what_json_can_hold() -> None:
    inner = UsageError("unknown {kind} {name!r}: known are {known}", kind="task", name="x", known="a")
    whole = joined(("it is so", Sentence("{error}: {value:.1f}, {flag}", error=inner, value=math.nan, flag=True)))
    assert str(whole) == "it is so; unknown task 'x': known are a: nan, True"
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Sentence) == whole
    assert str(joined(())) == ""
    assert told("x") == {"reason": "x", "said": None}
    assert plain(Outcome(status="ok", **told(whole)))["reason"] == str(whole)
    assert "said" not in plain(Outcome(status="ok"))
