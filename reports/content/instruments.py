"""What the instruments say of a group, as tables of figures with the backends side by side, and in single sentences.

Inference, roofline, energy, equal seeds and the order of the runs. Figures are medians over the completed runs of a
row; a table stands there only if a run has measured something for it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from harness.language import _, noop
from reports.content.side_by_side import Side
from reports.content.stages import FIGURE
from reports.frame.instruments import MOST_DIFFERENT
from reports.statistics.methods import FEWEST
from reports.statistics.rows import Group
from reports.words import text
from reports.words.table import Table

IDENTICAL = noop("bit-identical")
NO_TWINS = noop("Determinism: no equal seeds in this study; `--seed 0 --repeats 2` shows it.")
INFERENCE, ROOFLINE, ENERGY, TWINS = noop("Inference"), noop("Roofline"), noop("Energy"), noop("Equal seeds")
ORDER = noop("Order of the runs (place in the study)")
MOST_ROUNDS = 12


Cell = Callable[[Side], str]


def tables(found: Sequence[Side], runs: pd.DataFrame, group: Group) -> tuple[Table, ...]:
    """Return all tables of a group that have something to say; `runs` are those of the whole study."""
    medians = _("{what} (medians over the runs)")
    made = (
        _table(medians.format(what=_(INFERENCE)), found, _inference(found, group)),
        _table(medians.format(what=_(ROOFLINE)), found, _roofline(found)),
        _table(medians.format(what=_(ENERGY)), found, {_("J per 1,000 examples"): _joules}),
        _table(_("{what} (beside the first run with the same seed)").format(what=_(TWINS)), found, _twins(found)),
        _order(found, runs),
    )
    return tuple(table for table in made if table is not None)


def remarks(found: Sequence[Side]) -> tuple[str, ...]:
    """Return what is said in sentences: missing figures with their reasons, and determinism where nothing showed it."""
    lines = _reasons(found, "ceiling_reason", noop("own product and copy"))
    lines += _reasons(found, "energy_reason", noop("energy"))
    if not any(side.words("twin") for side in found) and any(side.row.runs > 1 for side in found):
        lines.append(_(NO_TWINS))
    disturbed = {side.label: side.runs["inference_disturbed_blocks"].fillna(0).sum() for side in found}
    for side in found:
        difference = side.runs["inference_difference"].max()
        if difference > MOST_DIFFERENT:  # not so where it is missing
            lines.append(
                _(
                    "{row}: its outputs in other batch sizes differ from the evaluation's by {difference:.1e} of "
                    "their largest magnitude (at most {most:g} is expected): its inference is not comparable."
                ).format(row=side.label, difference=difference, most=MOST_DIFFERENT)
            )
    for label, blocks in disturbed.items():
        if blocks:
            sentence = _("{row}: blocks of forward passes that others disturbed, not read: {count}.")
            lines.append(sentence.format(row=label, count=int(blocks)))
    return tuple(lines)


def _reasons(found: Sequence[Side], column: str, what: str) -> list[str]:
    """Return one line per reason, with the rows that it holds for."""
    places: dict[str, list[str]] = {}
    for side in found:
        for reason in side.words(column):
            places.setdefault(reason, []).append(side.label)
    lines = []
    for reason, labels in places.items():
        sentence = _("{what}: {reason}.") if len(labels) == len(found) else _("{what} ({rows}): {reason}.")
        lines.append(sentence.format(what=_(what), rows=text.names(labels), reason=text.quoted(reason)))
    return lines


def _table(title: str, found: Sequence[Side], figures: dict[str, Cell]) -> Table | None:
    """Return a table of the figures that at least one side has, or None if there is none."""
    rows = [(name, *(cell(side) for side in found)) for name, cell in figures.items()]
    rows = [row for row in rows if set(row[1:]) != {text.NOTHING}]
    headers = (_(FIGURE), *(side.label for side in found))
    return Table(title=title, headers=headers, rows=tuple(rows)) if rows else None


def _inference(found: Sequence[Side], group: Group) -> dict[str, Cell]:
    sizes = dict.fromkeys(size for side in found for size in side.runs["inference_batch_size"].dropna())
    batch = text.either(str(int(size)) for size in sizes)
    rate = _("examples/s at batch {sizes}").format(sizes=batch) if sizes else _("examples/s")
    return {
        _("latency of one example, ms: median"): lambda side: text.milliseconds(side.median("latency_median_s")),
        _("× slower than the quickest"): _against_best(found, group, "latency"),
        _("95th percentile"): lambda side: text.milliseconds(side.median("latency_p95_s")),
        _("99th percentile"): lambda side: text.milliseconds(side.median("latency_p99_s")),
        _("first call"): lambda side: text.milliseconds(side.median("latency_first_call_s")),
        rate: lambda side: text.rate(side.median("inference_examples_per_s")),
        _("× slower than the fastest"): _against_best(found, group, "inference"),
    }


def _against_best(found: Sequence[Side], group: Group, measure: str) -> Cell:
    """Return the cell of a row's ratio to the best row by a measure of inference, and what is shown of it."""
    known = {
        place: float(np.mean(np.log(row.inference[measure])))
        for place, row in enumerate(group.rows)
        if row.comparable and len(row.inference.get(measure, ())) >= FEWEST
    }
    best = min(known, key=known.__getitem__, default=None)
    pairs = {(item.a, item.b): item for item in group.comparisons}
    pairs |= {(item.b, item.a): item.reversed() for item in group.comparisons}

    def cell(side: Side) -> str:
        place = next(i for i, other in enumerate(found) if other is side)
        if place == best:
            return text.ratio(1.0)
        shown = pairs[place, best].inference.get(measure) if best is not None and (place, best) in pairs else None
        return f"{text.ratio(shown.ratio, shown.low, shown.high)} {_(shown.verdict)}" if shown else text.NOTHING

    return cell


def _roofline(found: Sequence[Side]) -> dict[str, Cell]:
    if all(side.median("best_matmul_flops_per_s") is None for side in found):
        return {}
    best = text.either(dict.fromkeys(word for side in found for word in side.words("best_matmul_library")))
    return {
        _("GFLOP per step"): _giga("flops_per_step"),
        _("GFLOP/s reached"): _giga("flops_per_s"),
        _("GFLOP/s of its own product"): _giga("matmul_flops_per_s"),
        _("share of that"): _percent("share_of_own_matmul"),
        _("share of the best product ({library})").format(library=best): _percent("share_of_best_matmul"),
        _("roofline bound, GFLOP/s"): _giga("roofline_flops_per_s"),
        _("share of the bound"): _percent("share_of_roofline"),
    }


def _twins(found: Sequence[Side]) -> dict[str, Cell]:
    if not any(side.words("twin") for side in found):
        return {}
    return {
        _("losses and parameters"): _verdict,
        _("largest difference of losses"): lambda side: _largest(side, "twin_loss_difference"),
        _("largest difference of parameters"): lambda side: _largest(side, "twin_parameter_difference"),
    }


def _verdict(side: Side) -> str:
    """Return "bit-identical", or how many of the pairs differ."""
    pairs = side.runs[side.runs["twin"] != ""]
    if not len(pairs):
        return text.NOTHING
    differing = int((pairs["twin"] != IDENTICAL).sum())
    if not differing:
        return _(IDENTICAL)
    if len(pairs) == 1:
        return _("differ")
    return _("{count} of {pairs} differ").format(count=differing, pairs=len(pairs))


def _largest(side: Side, figure: str) -> str:
    """Return the largest difference over all pairs; none where all are identical."""
    if not (side.runs["twin"] == "differs").any():
        return text.NOTHING
    found = side.runs[figure].dropna()
    return text.number(float(found.max()), 2) if len(found) else text.NOTHING


def _order(found: Sequence[Side], runs: pd.DataFrame) -> Table | None:
    """Return the place of every run in the study, round by round; none where the starts do not tell them apart."""
    alike = runs["source"].isin({source for side in found for source in side.runs["source"]})
    begun = runs.loc[alike & (runs["started_at"] != ""), ["run_id", "started_at"]]
    if len(begun) < 2 or begun["started_at"].nunique() < 2:
        return None
    order = begun.sort_values("started_at", kind="stable")["run_id"]
    place = {str(run_id): number for number, run_id in enumerate(order, start=1)}
    of_side = [_by_round(side) for side in found]
    rounds = sorted({of_round for by_round in of_side for of_round in by_round})
    if len(found) < 2 and len(rounds) < 2:
        return None
    rows = []
    for repeat, seed in rounds[:MOST_ROUNDS]:
        cells = []
        for by_round in of_side:
            numbers = [str(place[run_id]) for run_id in by_round.get((repeat, seed), ()) if run_id in place]
            cells.append(" ".join(numbers) or text.NOTHING)
        rows.append((_("round {number}, seed {seed}").format(number=repeat + 1, seed=seed), *cells))
    more = len(rounds) - MOST_ROUNDS
    title = _(ORDER)
    if more > 0:
        title = _("Order of the runs (place in the study); {count} more rounds stand in the CSV").format(count=more)
    return Table(title=title, headers=(_(FIGURE), *(side.label for side in found)), rows=tuple(rows))


def _by_round(side: Side) -> dict[tuple[int, int], list[str]]:
    """Return the ids of the runs of each repeat and seed."""
    known = side.runs[["repeat", "seed", "run_id"]].dropna()
    found: dict[tuple[int, int], list[str]] = {}
    for repeat, seed, run_id in zip(known["repeat"], known["seed"], known["run_id"], strict=True):
        found.setdefault((int(repeat), int(seed)), []).append(str(run_id))
    return found


def _joules(side: Side) -> str:
    return text.number(side.median("joules_per_1000_examples"))


def _giga(figure: str) -> Cell:
    def cell(side: Side) -> str:
        value = side.median(figure)
        return text.number(None if value is None else value / 1e9)

    return cell


def _percent(figure: str) -> Cell:
    def cell(side: Side) -> str:
        value = side.median(figure)
        return text.NOTHING if value is None else f"{text.number(100 * value)} %"

    return cell
