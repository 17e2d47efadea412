"""Whom the tasks of a study can compare: two candidates meet where both were measured on the same task and table."""

from collections.abc import Sequence

from msgspec.structs import replace

from harness.language import _
from reports.choose.candidates import Field
from reports.choose.criteria import CRITERIA, Criterion
from reports.choose.known import WHOLE, Candidate, task_of
from reports.choose.needs import Needs
from reports.words import text


def counted(found: Field, needs: Needs) -> tuple[str, ...]:
    """Return the cells of the tasks that have a weight."""
    return tuple(cell for cell in found.tasks if needs.weight_of_task(task_of(cell)) > 0)


def left_out(found: Field, needs: Needs) -> tuple[str, ...]:
    """Return the tasks of the study that have none."""
    names = dict.fromkeys(map(task_of, found.tasks))
    return tuple(name for name in names if not needs.weight_of_task(name) > 0)


def both_measured(criterion: Criterion, a: Candidate, b: Candidate, cells: Sequence[str]) -> tuple[str, ...]:
    """Return the cells in which something is known of both by a criterion."""
    first, second = a.readings[criterion.name], b.readings[criterion.name]
    return tuple(
        cell
        for cell in (cells if criterion.per_task else (WHOLE,))
        if (first[cell].values or second[cell].values)
        and all(one.values or one.failed for one in (first[cell], second[cell]))
    )


def meet(a: Candidate, b: Candidate, cells: Sequence[str], needs: Needs) -> bool:
    """Return whether a task compares two candidates; always where no criterion of tasks has a weight."""
    weight = needs.weight_of()
    asked = [criterion for criterion in CRITERIA if criterion.per_task and weight[criterion.name] > 0]
    return not asked or any(both_measured(criterion, a, b, cells) for criterion in asked)


def without_strangers(found: Field, needs: Needs) -> Field:
    """Exclude who meets no candidate of another backend, where others do meet.

    Where nobody meets anybody the criteria of tasks are left out for all alike.
    """
    cells = counted(found, needs)
    every = found.candidates
    rest = tuple(
        one for one in every if any(other.backend != one.backend and meet(one, other, cells, needs) for other in every)
    )
    if not rest:
        return found
    reason = _("it shares no measured task with {others}").format(others=text.names(one.label for one in rest))
    known = {one.label for one in rest}
    strangers = tuple((one.label, reason) for one in every if one.label not in known)
    return replace(found, candidates=rest, excluded=(*found.excluded, *strangers))
