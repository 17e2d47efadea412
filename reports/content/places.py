"""The groups of a report under the shortest names that tell them apart, with what is shown of their rows."""

from collections.abc import Sequence

from msgspec import Struct

from reports.statistics.rows import CELL, Group, Row


class Found(Struct, frozen=True, kw_only=True):
    """A group with its names."""

    study: str
    """Empty where there is only one."""
    place: str
    """The shortest name that no other group has."""
    group: Group

    def comparable(self) -> list[Row]:
        """Return the comparable rows, fastest first."""
        return [row for row in self.group.rows if row.comparable]

    def ties(self) -> list[Row]:
        """Return the rows beside the fastest one that share its place."""
        return [row for row in self.comparable() if row.rank == 1 and row.to_fastest]

    def slower(self) -> list[Row]:
        """Return the rows that are shown to be slower than the fastest one."""
        return [row for row in self.comparable() if row.rank is not None and row.rank > 1]

    def fastest(self) -> str:
        """Return the label of the row that the others are compared with; there must be a comparable one."""
        return next(row.label for row in self.comparable() if not row.to_fastest)

    def can_show(self) -> bool:
        """Return whether any two rows have the processes that a verdict needs."""
        return any(item.p is not None for item in self.group.comparisons)


def named(studies: Sequence[tuple[str, Sequence[Group]]]) -> list[Found]:
    """Return the groups of some studies, each study with its name, under names that tell them apart."""
    every = [(name if len(studies) > 1 else "", group) for name, groups in studies for group in groups]
    return [Found(study=name, place=_place(name, group, every), group=group) for name, group in every]


def _place(study: str, group: Group, every: Sequence[tuple[str, Group]]) -> str:
    """Return the task, and in brackets whatever tells this group from others of the same task."""
    twins = [(name, other) for name, other in every if other.task == group.task]
    facts = [
        str(getattr(group, name)) for name in CELL[1:] if len({getattr(other, name) for _study, other in twins}) > 1
    ]
    facts += [str(getattr(group, name)) for name in group.split_by]
    facts += [study] if len({name for name, _group in twins}) > 1 else []
    return f"{group.task} ({', '.join(facts)})" if facts else group.task
