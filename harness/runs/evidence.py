"""A worker's evidence, put beside its record by the parent, which alone can turn numbers into words and characters."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from harness.data import texts
from harness.data.prepare import ALPHABET, CLASSES, WORDS, Prepared
from harness.language import Sentence, Words, told
from harness.records import evidence
from harness.records.evidence import LONGEST_TEXT, Answers, Evidence, Example, Written
from harness.whole_files import UNREADABLE, UNREADABLE_ARRAYS, write_whole


def keep(out: Path, folder: Path, run_id: str, *, data: Prepared, started_at: str, ending: Words = "") -> None:
    """Put a completed run's evidence into the study's folder, or why there is none.

    What lies there of a run without a record is that of an attempt whose record was never written, and is replaced.

    Args:
        out: the folder of the worker's answer.
        folder: the study's.
        run_id: the run.
        data: what it was trained and tested on.
        started_at: as it will stand in the record.
        ending: how the worker ended, if it did so after its result, while it made its evidence.
    """
    found = (
        Evidence(**told(Sentence("while it was made, {reason}", reason=ending)))
        if ending
        else read(out / evidence.FILE)
    )
    if found is None:
        return
    try:
        if found.answers is not None:
            found = replace(found, answers=with_words(found.answers, data))
        if found.written is not None:
            found = replace(found, written=with_characters(found.written, data))
    except UNREADABLE_ARRAYS as error:
        found = Evidence(**told(Sentence("the words of the texts cannot be found ({error})", error=error)))
    with suppress(OSError):  # the record is written into the same folder next, and that failure is told
        write(evidence.path(folder, run_id), replace(found, started_at=started_at))


def read(path: Path) -> Evidence | None:
    """Return a worker's evidence, None if it left none."""
    try:
        return evidence.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        return Evidence(**told(Sentence("the worker's file does not hold together: {error}", error=error)))


def write(path: Path, found: Evidence) -> None:
    """Write so that a reader sees the whole file or none; beside a record that has some, nothing is changed."""
    if path.exists() and path.parent.with_suffix(".json").exists():
        return
    path.parent.mkdir(exist_ok=True)
    write_whole(path, evidence.encode(found))


def with_words(answers: Answers, data: Prepared) -> Answers:
    """Return the same answers with the texts of their examples and the names of the classes, where the data are texts.

    Raises:
        UNREADABLE_ARRAYS: the cached files are damaged, or do not fit each other.
    """
    folder = Path(data.arrays["test_x"]).parent
    if not (folder / WORDS).is_file():
        return answers
    words = json.loads((folder / WORDS).read_text("utf-8"))
    rows = np.load(data.arrays["test_x"], mmap_mode="r", allow_pickle=False)

    def told(example: Example) -> Example:
        return replace(example, text=last_words(texts.decode(rows[example.index].tolist(), words)))

    return replace(
        answers,
        names=tuple(json.loads((folder / CLASSES).read_text("utf-8"))),
        wrong=tuple(map(told, answers.wrong)),
        right=tuple(map(told, answers.right)),
    )


def with_characters(written: Written, data: Prepared) -> Written:
    """Return the same lines as texts.

    Raises:
        UNREADABLE_ARRAYS: the cached file is damaged.
    """
    alphabet = json.loads(Path(data.arrays["test_x"]).with_name(ALPHABET).read_text("utf-8"))

    def text(numbers: tuple[int, ...]) -> str:
        # a net may have more outputs than there are characters
        return "".join(alphabet[number] if number < len(alphabet) else texts.BOX for number in numbers)

    return replace(
        written,
        given_text=text(written.given),
        lines=tuple(replace(line, text=text(line.numbers)) for line in written.lines),
    )


def last_words(words: list[str]) -> str:
    """Return words parted by blanks, the first ones left out where there is no room for all."""
    whole = " ".join(words)
    return whole if len(whole) <= LONGEST_TEXT else f"… {whole[2 - LONGEST_TEXT :]}"
