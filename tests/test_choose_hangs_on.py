"""What a choice hangs on: another build, one criterion less, and mistakes that a framework repairs."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace
from test_choose import chosen, on_terminal, runs, said, wanted

from harness.mistakes import BLUNDERS
from harness.record import Mistake, Record
from reports.choose.words import messages, verdict

REPAIRABLE = tuple(blunder.name for blunder in BLUNDERS if blunder.convertible)
CPU, CUDA = 961_000_000, 5_800_000_000


def repaired(name: str) -> Mistake:
    return Mistake(name=name, mode="eager", loss=2.3, right_loss=2.3)


def of(name: str, *, named: bool) -> Mistake:
    return replace(said(named=named), name=name)


def with_mistakes(records: Iterable[Record], *mistakes: Mistake) -> list[Record]:
    return [replace(record, mistakes=mistakes) for record in records]


def test_another_build_that_tips_the_answer_is_in_the_headline_with_its_size() -> None:
    study = [*runs("torch", install_bytes=CPU), *runs("tensorflow", install_bytes=2_000_000_000)]
    found = chosen(study, wanted(install_size=1))
    assert (found.verdict, found.leader) == ("winner", "torch eager")
    (cuda,) = (one for one in found.otherwise if one.build)
    assert (cuda.install_bytes, cuda.verdict, cuda.leader, cuda.changes) == (CUDA, "winner", "tensorflow eager", True)
    assert "but that depends on: PyTorch with CUDA" in verdict(found)
    text = " ".join(on_terminal(found).split())
    assert "With PyTorch with CUDA, as PyPI has it for Linux (5,800 MB): tensorflow eager" in text
    measured = chosen([*runs("torch", install_bytes=CUDA), *study[3:]], wanted(install_size=1))
    assert [one.build for one in measured.otherwise if one.build] == ["PyTorch for the CPU"]


def test_a_build_that_changes_nothing_is_not_in_the_headline() -> None:
    study = [*runs("torch", install_bytes=CPU), *runs("tensorflow", install_bytes=20_000_000_000)]
    found = chosen(study, wanted(install_size=1))
    assert [one.changes for one in found.otherwise] == [False]
    assert "depends on" not in verdict(found)


def test_a_criterion_without_which_the_answer_is_another_is_in_the_headline() -> None:
    study = [*runs("torch", speed=3.0), *runs("mindspore", memory=150_000_000)]
    found = chosen(study, wanted(throughput=3, host_memory=1))
    assert found.leader == "torch eager"
    assert {one.criterion: (one.leader, one.changes) for one in found.otherwise} == {
        "throughput": ("mindspore eager", True),
        "host_memory": ("torch eager", False),
    }
    assert verdict(found).endswith("but that depends on: throughput.")
    assert "- Without throughput: mindspore eager" in on_terminal(found)


def test_a_repaired_mistake_counts_neither_for_nor_against_and_shares_are_over_equal_numbers() -> None:
    harmful = (of("input size", named=True), of("label range", named=True), of("NaN input", named=False))
    asked = with_mistakes(runs("torch"), *harmful, *(of(name, named=True) for name in REPAIRABLE))
    mending = with_mistakes(runs("tensorflow"), *harmful, *map(repaired, REPAIRABLE))
    found = chosen([*asked, *mending], wanted(clear_messages=1, throughput=0.001))
    assert {item.label: item.raw["clear_messages"] for item in found.candidates} == {
        "torch eager": 2 / 3,
        "tensorflow eager": 2 / 3,
    }
    assert found.messages.counted == ("input size", "label range", "NaN input")
    assert found.messages.repaired == dict.fromkeys(REPAIRABLE, ("tensorflow",))
    sentence = messages(found)
    assert sentence is not None
    assert "over the 3 mistakes that no candidate repairs" in sentence
    assert "float labels (tensorflow)" in sentence


def test_where_each_mistake_is_repaired_by_somebody_messages_tell_nothing() -> None:
    study = [
        *with_mistakes(runs("torch"), *(of(name, named=True) for name in REPAIRABLE)),
        *with_mistakes(runs("tensorflow"), *map(repaired, REPAIRABLE)),
    ]
    found = chosen(study, wanted(clear_messages=1, throughput=1))
    assert found.why_dropped == {"clear_messages": "each mistake is taken as it was meant by a candidate"}


def test_what_no_harness_can_measure_is_named() -> None:
    kinds: list[Any] = [[*runs("torch"), *runs("mindspore", speed=2.0)], runs("torch")]
    for study in kinds:
        text = " ".join(on_terminal(chosen(study, wanted(throughput=1))).split())
        assert "Not measured, for no harness can: books and courses, documentation in" in text
