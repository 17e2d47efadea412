"""The sentences of the records that were read, by their English text: what a frame holds as text is said from here.

A column of a frame is English, as the exports are; which message it was made of, and with what, is noted beside when
the record is read. Of an old record there is nothing to note, and `record_words` takes its text apart.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar

from harness import language
from harness.language import Sentence, Words, is_translated
from harness.record import Record

_noted: ContextVar[dict[str, Sentence]] = ContextVar("noted")


def noted() -> dict[str, Sentence]:
    """Return the sentences that were noted in this context, by their text."""
    if (found := _noted.get(None)) is None:
        _noted.set(found := {})
    return found


def note(words: Words) -> str:
    """Return the English text of what this program itself says, and note what it was made of."""
    if isinstance(words, Sentence):
        noted()[str(words)] = words
    return str(words)


def note_record(record: Record) -> None:
    """Note what the sentences of a record were made of, under the text that it gives them."""
    noted().update((text, sentence) for text, sentence in sentences_of(record) if sentence is not None)


def sentences_of(record: Record) -> Iterator[tuple[str, Sentence | None]]:
    """Yield every sentence of a record: its text, and what that was made of, where the record has it."""
    measured = record.measured
    yield record.outcome.reason, record.outcome.said
    yield record.parity.reason, record.parity.said
    yield record.installation.reason, record.installation.said
    for ceiling in record.ceilings:
        yield ceiling.reason, ceiling.said
    for mistake in record.mistakes:
        yield mistake.reason, mistake.said
    for trap in measured.traps:
        yield trap.sentence, trap.said
    for some in (measured.memory, measured.energy):
        yield from _each(some.reasons, some.said)
    for stage in measured.stages:
        yield from _each(stage.remarks, stage.said)


def _each(texts: Mapping[str, str], said: Mapping[str, Sentence]) -> Iterator[tuple[str, Sentence | None]]:
    return ((text, said.get(name)) for name, text in texts.items())


def said(sentence: Sentence, look_up: Callable[[Words], str]) -> str | None:
    """Return a noted sentence in the language in use, or None if it is none of ours: a record may hold anything.

    Args:
        sentence: as it was noted.
        look_up: says the text that it quotes.
    """

    def inner(words: Words) -> str:
        if isinstance(words, str):
            return look_up(words)
        if not is_translated(words.message):
            raise LookupError(words.message)
        return language.said(words, inner)

    try:
        return inner(sentence)
    except (LookupError, ValueError, TypeError, AttributeError):
        return None
