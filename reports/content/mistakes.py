"""What the frameworks said of students' mistakes, in words: once for the terminal, the page and `choose`."""

import re
from collections.abc import Mapping, Sequence

from harness.language import _, ngettext, noop
from harness.mistakes import NAMES, Ending, blunder, clarity, ending
from harness.record import Mistake
from reports.words import record_words, text
from reports.words.table import Table, grid, words

ENDINGS: dict[Ending, str] = {
    "named": noop("named"),
    "unclear": noop("unclear"),
    "silent": noop("silent"),
    "as meant": noop("as meant"),
    "died": noop("died"),
    "not observed": noop("not observed"),
}


def overview(found: Mapping[str, Sequence[Mistake]]) -> Table:
    """Return a table of mistakes by frameworks: what became of each.

    Args:
        found: by the name of the framework, what was made of it.
    """
    each = {name: {title(one): ending_word(one) for one in made} for name, made in found.items()}
    titles = dict.fromkeys(heading for made in each.values() for heading in made)
    rows = [(words(heading), *(words(made.get(heading, text.NOTHING)) for made in each.values())) for heading in titles]
    return grid((_("mistake"), *found), rows)


def title(mistake: Mistake) -> str:
    """Return a mistake's heading; that of another release's mistake is its name."""
    return _(blunder(mistake.name).title) if mistake.name in NAMES else mistake.name


def ending_word(mistake: Mistake) -> str:
    """Return what became of a mistake, in a word."""
    return _(ENDINGS[ending(mistake)]) if mistake.name in NAMES else text.NOTHING


def said(mistake: Mistake) -> str:
    """Return what was said, or in a sentence that nothing was, and how many processes the mistake ended before."""
    if mistake.deaths and not mistake.died:
        sentence = ngettext(
            "{said} (in the second process; it ended the first)", "{said} (in process {last}; it ended {count})",
            mistake.deaths,
        )  # fmt: skip
        return sentence.format(said=_said(mistake), last=mistake.deaths + 1, count=mistake.deaths)
    return _said(mistake)


def _said(mistake: Mistake) -> str:
    if mistake.reason:
        return record_words.said(mistake.reason, made_of=mistake.said)
    if mistake.error_type is not None:
        return f"{mistake.error_type}: {_bare(mistake.message)}"
    if mistake.message:
        return _bare(mistake.message)
    if mistake.loss is None:
        return _("nothing; the loss became NaN or infinite")
    loss, right = text.number(mistake.loss, 4), text.number(mistake.right_loss, 4)
    if ending(mistake) == "as meant":
        return _("nothing; the loss is {right}, that of the right input").format(right=right)
    return _("nothing; the loss became {loss} instead of {right}").format(loss=loss, right=right)


def _bare(message: str) -> str:
    """Return a message without the sequences that colour it and without long rules; the record holds them."""
    return re.sub(r"([-=_*]){5,}", r"\1\1\1", re.sub(r"\x1b\[[0-9;]*m", "", message))


def clear_messages(name: str, made: Sequence[Mistake]) -> str:
    """Return the sentence on the clarity of a backend's messages."""
    share = clarity(made)
    if share is None:
        return _("{backend}: no mistake was observed that did harm").format(backend=name)
    judged = sum(one.name in NAMES and ending(one) not in ("as meant", "not observed") for one in made)
    return _("{backend}: {named} of {judged} mistakes that did harm were named").format(
        backend=name, named=round(share * judged), judged=judged
    )
