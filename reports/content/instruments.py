"""What the instruments say of a group, as tables of figures with the backends side by side, and in single sentences.

Quality at every place, inference, roofline, energy, equal seeds and the order of the runs. Figures are medians over the
completed runs of a row; a table stands there only if a run has measured something for it.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from harness.language import _, noop
from reports.content.stages import FIGURE
from reports.frame.instruments import MOST_DIFFERENT
from reports.statistics.methods import FEWEST
from reports.statistics.row_runs import RowRuns
from reports.statistics.rows import Group
from reports.words import text
from reports.words.table import Cell, Table, number, several, words

IDENTICAL = noop("bit-identical")
NO_TWINS = noop("Determinism: no equal seeds in this study; `--seed 0 --repeats 2` shows it.")
PLACES = noop("Quality at every place")
INFERENCE, ROOFLINE, ENERGY, TWINS = noop("Inference"), noop("Roofline"), noop("Energy"), noop("Equal seeds")
ORDER = noop("Order of the runs (place in the study)")
MOST_ROUNDS = 12


Figure = Callable[[RowRuns], Cell]
"""Makes the cell of a row."""


def tables(found: Sequence[RowRuns], group: Group) -> tuple[Table, ...]:
    """Return all tables of a group that have something to say."""
    medians = _("{what} (medians over the runs)")
    at_places: dict[str, Figure] = {
        _("mean intersection over union"): _median("mean_iou", text.number),
        _("bits per place"): _median("bits_per_place", text.number),
    }
    made = (
        _table(medians.format(what=_(PLACES)), found, at_places),
        _table(medians.format(what=_(INFERENCE)), found, _inference(found, group)),
        _table(medians.format(what=_(ROOFLINE)), found, _roofline(found)),
        _table(
            medians.format(what=_(ENERGY)),
            found,
            {_("J per 1,000 examples"): _median("joules_per_1000_examples", text.number)},
        ),
        _table(_("{what} (beside the first run with the same seed)").format(what=_(TWINS)), found, _twins(found)),
        _order(found, found[0].frame.frame),
    )
    return tuple(table for table in made if table is not None)


def remarks(found: Sequence[RowRuns]) -> tuple[str, ...]:
    """Return what is said in sentences: missing figures with their reasons, and determinism where nothing showed it."""
    lines = _reasons(found, "ceiling_reason", noop("own product and copy"))
    lines += _reasons(found, "energy_reason", noop("energy"))
    if not any(side.texts("twin") for side in found) and any(side.row.runs > 1 for side in found):
        lines.append(_(NO_TWINS))
    disturbed = {side.label: side.column("inference_disturbed_blocks").fillna(0).sum() for side in found}
    for side in found:
        difference = side.column("inference_difference").max()
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


def _reasons(found: Sequence[RowRuns], column: str, what: str) -> list[str]:
    """Return one line per reason, with the rows that it holds for."""
    places: dict[str, list[str]] = {}
    for side in found:
        for reason in side.texts(column):
            places.setdefault(reason, []).append(side.label)
    lines = []
    for reason, labels in places.items():
        sentence = _("{what}: {reason}.") if len(labels) == len(found) else _("{what} ({rows}): {reason}.")
        lines.append(sentence.format(what=_(what), rows=text.names(labels), reason=text.quoted(reason)))
    return lines


def _table(title: str, found: Sequence[RowRuns], figures: dict[str, Figure]) -> Table | None:
    """Return a table of the figures that at least one side has, or None if there is none."""
    rows = [(words(name), *(figure(side) for side in found)) for name, figure in figures.items()]
    rows = [row for row in rows if any(cell.shown != text.NOTHING for cell in row[1:])]
    return Table(title=title, headers=(_(FIGURE), *(side.label for side in found)), rows=tuple(rows)) if rows else None


def _inference(found: Sequence[RowRuns], group: Group) -> dict[str, Figure]:
    sizes = dict.fromkeys(size for side in found for size in side.column("inference_batch_size").dropna())
    batch = text.either(str(int(size)) for size in sizes)
    rate = _("examples/s at batch {sizes}").format(sizes=batch) if sizes else _("examples/s")
    return {
        _("latency of one example, ms: median"): _median("latency_median_s", text.milliseconds),
        _("× slower than the quickest"): _against_best(found, group, "latency"),
        _("95th percentile"): _median("latency_p95_s", text.milliseconds),
        _("99th percentile"): _median("latency_p99_s", text.milliseconds),
        _("first call"): _median("latency_first_call_s", text.milliseconds),
        rate: _median("inference_examples_per_s", text.rate),
        _("× slower than the fastest"): _against_best(found, group, "inference"),
    }


def _against_best(found: Sequence[RowRuns], group: Group, measure: str) -> Figure:
    """Return the cell of a row's ratio to the best row by a measure of inference, and what is shown of it."""
    known = {
        place: float(np.mean(np.log(row.inference[measure])))
        for place, row in enumerate(group.rows)
        if row.comparable and len(row.inference.get(measure, ())) >= FEWEST
    }
    best = min(known, key=known.__getitem__, default=None)
    pairs = {(item.a, item.b): item for item in group.comparisons}
    pairs |= {(item.b, item.a): item.reversed() for item in group.comparisons}

    def cell(side: RowRuns) -> Cell:
        place = next(i for i, other in enumerate(found) if other is side)
        if place == best:
            return number(1.0, text.ratio(1.0))
        shown = pairs[place, best].inference.get(measure) if best is not None and (place, best) in pairs else None
        if not shown:
            return number(None)
        return words(f"{text.ratio(shown.ratio, shown.low, shown.high)} {_(shown.verdict)}")

    return cell


def _roofline(found: Sequence[RowRuns]) -> dict[str, Figure]:
    if all(side.median("best_matmul_flops_per_s") is None for side in found):
        return {}
    best = text.either(dict.fromkeys(word for side in found for word in side.texts("best_matmul_library")))
    return {
        _("GFLOP per step"): _giga("flops_per_step"),
        _("GFLOP/s reached"): _giga("flops_per_s"),
        _("GFLOP/s of its own product"): _giga("matmul_flops_per_s"),
        _("share of that"): _percent("share_of_own_matmul"),
        _("share of the best product ({library})").format(library=best): _percent("share_of_best_matmul"),
        _("roofline bound, GFLOP/s"): _giga("roofline_flops_per_s"),
        _("share of the bound"): _percent("share_of_roofline"),
    }


def _twins(found: Sequence[RowRuns]) -> dict[str, Figure]:
    if not any(side.texts("twin") for side in found):
        return {}
    return {
        _("losses and parameters"): _verdict,
        _("largest difference of losses"): lambda side: _largest(side, "twin_loss_difference"),
        _("largest difference of parameters"): lambda side: _largest(side, "twin_parameter_difference"),
    }


def _verdict(side: RowRuns) -> Cell:
    """Return "bit-identical", or how many of the pairs differ."""
    twins = [twin for twin in side.column("twin") if twin != ""]
    differing = sum(twin != IDENTICAL for twin in twins)
    if not twins:
        return number(None)
    if not differing:
        return words(_(IDENTICAL))
    if len(twins) == 1:
        return words(_("differ"))
    return words(_("{count} of {pairs} differ").format(count=differing, pairs=len(twins)))


def _largest(side: RowRuns, figure: str) -> Cell:
    """Return the largest difference over all pairs; none where all are identical."""
    found = side.column(figure).dropna()
    value = float(found.max()) if len(found) and "differs" in side.texts("twin") else None
    return number(value, text.number(value, 2))


def _order(found: Sequence[RowRuns], runs: pd.DataFrame) -> Table | None:
    """Return the place of every run in the study, round by round; none where the starts do not tell them apart."""
    alike = runs["source"].isin({source for side in found for source in side.column("source")})
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
        row = [words(_("round {number}, seed {seed}").format(number=repeat + 1, seed=seed))]
        for by_round in of_side:
            places = [place[run_id] for run_id in by_round.get((repeat, seed), ()) if run_id in place]
            row.append(several(places, map(str, places)))
        rows.append(tuple(row))
    more = len(rounds) - MOST_ROUNDS
    title = _(ORDER)
    if more > 0:
        title = _("Order of the runs (place in the study); {count} more rounds stand in the CSV").format(count=more)
    return Table(title=title, headers=(_(FIGURE), *(side.label for side in found)), rows=tuple(rows))


def _by_round(side: RowRuns) -> dict[tuple[int, int], list[str]]:
    """Return the ids of the runs of each repeat and seed."""
    known = side.frame.frame[["repeat", "seed", "run_id"]].iloc[side.places].dropna()
    found: dict[tuple[int, int], list[str]] = {}
    for repeat, seed, run_id in zip(known["repeat"], known["seed"], known["run_id"], strict=True):
        found.setdefault((int(repeat), int(seed)), []).append(str(run_id))
    return found


def _median(figure: str, shown: Callable[[float | None], str]) -> Figure:
    def cell(side: RowRuns) -> Cell:
        value = side.median(figure)
        return number(value, shown(value))

    return cell


def _giga(figure: str) -> Figure:
    return _median(figure, lambda value: text.number(None if value is None else value / 1e9))


def _percent(figure: str) -> Figure:
    return _median(figure, lambda value: text.NOTHING if value is None else text.in_percent(text.number(100 * value)))
