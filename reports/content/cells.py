"""A row of the comparison in cells, each by the name of what stands in it: once for all tables that show rows."""

from harness.language import _, noop
from harness.records.steady import TOO_NOISY
from reports.statistics.rows import Row
from reports.words import text
from reports.words.table import Cell, number, several, words

FASTEST, NOT_COMPARABLE, ALONE = noop("fastest"), noop("not comparable"), noop("no other row")
ONE_RUN = noop("one run")
MORE_REASONS = noop("and {count} other reasons")


def cells(row: Row) -> dict[str, Cell]:
    """Return everything that a table may show of a row."""
    speed, found = row.throughput_examples_per_s, row.to_fastest
    ends = (found.low, found.high) if found else (None, None)
    rate = speed.median if speed else None
    return {
        "rank": rank(row),
        "row": words(row.label),
        "rate": number(rate, text.rate(rate)),
        **_spread(row),
        "slower": number(row.times_slower, text.ratio(row.times_slower, *ends)),
        "ratio": number(row.times_slower, text.ratio(row.times_slower)),
        "verdict": words(_(verdict(row))),
        "first": number(row.time_to_first_step_s, text.seconds(row.time_to_first_step_s)),
        "epoch": number(row.epoch_s, text.seconds(row.epoch_s)),
        "qualities": several(
            [item.value for item in row.quality], [text.quality(item.value, row.metric) for item in row.quality]
        ),
        "quality": number(row.quality_mean, text.quality(row.quality_mean, row.metric)),
        "memory": number(row.host_peak_bytes, text.megabytes(row.host_peak_bytes)),
        "device": number(row.device_peak_bytes, text.megabytes(row.device_peak_bytes)),
        "processes": number(len(row.seconds_per_example), str(len(row.seconds_per_example))),
        "parity": words(text.shared(row.parity)),
        "status": words(text.counted(row.status)),
        "reason": words(text.clauses((*first(why_not(row)), *first(row.reasons)))),
    }


def rank(row: Row) -> Cell:
    """Return the place of a row; none where there is no other one, for then it is faster than nobody."""
    if row.rank is None or row.alone:
        return number(None)
    return number(row.rank, f"≈ {row.rank}" if row.shares_place else str(row.rank))


def verdict(row: Row) -> str:
    """Return what is shown of a row's speed, in English; whoever shows it looks it up."""
    if row.to_fastest:
        return row.to_fastest.verdict
    if row.rank is None:
        return NOT_COMPARABLE
    if row.alone:
        return ALONE
    return "no difference shown" if row.shares_place else FASTEST


def _spread(row: Row) -> dict[str, Cell]:
    """Return the cells of how far the processes lie apart."""
    speed = row.throughput_examples_per_s
    if speed is None or speed.runs == 1:
        said = words(_(ONE_RUN) if speed else "")
        return {"range": said, "spread": said}
    return {
        "range": number(speed.low, f"{text.rate(speed.low)}–{text.rate(speed.high)}"),
        "spread": number(speed.relative(), text.percent(speed.relative())),
    }


def why_not(row: Row) -> tuple[str, ...]:
    """Return why a row is not comparable, unless the way in which its runs ended says it all."""
    says_it_all = row.passed_parity and row.reasons and TOO_NOISY not in row.steady_state
    return () if says_it_all else row.why_not_comparable


def first(reasons: tuple[str, ...], most: int = 3) -> tuple[str, ...]:
    """Return the first reasons, as they are read."""
    return text.first(tuple(map(text.quoted, reasons)), most, MORE_REASONS)
