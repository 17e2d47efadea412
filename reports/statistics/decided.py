"""What of a study is still open, given its records: a row leaves when each of its pairs is decided."""

from collections.abc import Callable, Iterable, Sequence

from harness.record import Record
from harness.spec import CONTROLS, RunSpec
from reports.statistics.methods import EQUAL
from reports.statistics.rows import Group, Row
from reports.statistics.verdicts import Comparison

DECIDED = ("faster", "slower", EQUAL, "not comparable")
STOCK = "stock"
Key = tuple[str, ...]


def open_rows(records: Sequence[Record]) -> Callable[[RunSpec], bool]:
    """Return what says of a run whether its row has a pair that is not decided; a row that is not known yet is open.

    Controls and the row that they belong to stay until all of them have come out as they are known to.
    """
    from reports.frame.frame import frame
    from reports.statistics.summary import summarize

    state: dict[Key, bool] = {}
    for group in summarize(frame(list(records))):
        for place, row in enumerate(group.rows):
            state[_key_of_row(group, row)] = state.get(_key_of_row(group, row), False) or _is_open(
                place, group.comparisons
            )
        for profile in (STOCK, *CONTROLS):  # a control is nothing without its row, nor without the other control
            for control in group.controls:
                key = (*_key_of_row(group, control.row)[:-1], profile)
                state[key] = state.get(key, False) or not control.holds
    return lambda spec: state.get(_key(spec), True)


def _is_open(place: int, comparisons: Iterable[Comparison]) -> bool:
    return any(place in (item.a, item.b) and item.verdict not in DECIDED for item in comparisons)


def _key(spec: RunSpec) -> Key:
    return spec.task, spec.preset, spec.dataset, spec.device, spec.backend, spec.mode, spec.profile


def _key_of_row(group: Group, row: Row) -> Key:
    return group.task, group.preset, group.dataset, group.device, row.backend, row.mode, row.profile
