"""What the tasks do to a choice, in sentences: which ones count, and what would come out without one of them."""

from harness.language import _, ngettext
from reports.choose.choice import Choice, Without
from reports.choose.known import task_of
from reports.words import text


def counted(choice: Choice) -> str:
    """Return on how many tasks it was measured, and how their tables count."""
    count, cells = len(set(map(task_of, choice.tasks))), len(choice.tasks)
    if count == cells:
        return ngettext("Measured on {count} task.", "Measured on {count} tasks, means over them.", count).format(
            count=count
        )
    return ngettext(
        "Measured on {count} task in {tables} tables of the report (presets, data sets, devices, machines, sources), "
        "which share its weight.",
        "Measured on {count} tasks, means over them; of {tables} tables of the report (presets, data sets, devices, "
        "machines, sources) those of one task share its weight.",
        count,
    ).format(count=count, tables=cells)


def weights(choice: Choice) -> list[str]:
    """Return what the needs say of tasks, nothing where all count alike."""
    lines = []
    if choice.tasks_left_out:
        lines.append(_("Tasks that the needs leave out: {tasks}.").format(tasks=text.names(choice.tasks_left_out)))
    weight = {name: choice.needs.weight_of_task(name) for name in map(task_of, choice.tasks)}
    if len(set(weight.values())) > 1:
        tasks = text.names(f"{name} {value:g}" for name, value in weight.items())
        lines.append(_("Weights of the tasks: {tasks}.").format(tasks=tasks))
    return lines


def without(choice: Choice) -> list[str]:
    """Return which tasks decide by themselves, and what comes out without each; one sentence where none does."""
    if not choice.without:
        return []
    if lines := [_without(one) for one in choice.without if one.changes]:
        return lines
    return [_("Leaving out any one task changes neither who leads nor whether it is a tie.")]


def _without(found: Without) -> str:
    fields = {"task": found.task, "leader": found.leader, "chance": text.chance(found.probability_best)}
    if found.verdict == "winner":
        return _("Without {task}: {leader}, {chance}.").format(**fields)
    if found.verdict == "tie":
        return _("Without {task}: a tie between {names}, with {chance} for {leader}.").format(
            names=_(" and ").join(found.tied), **fields
        )
    if found.verdict == "only one":
        return _("Without {task}: only {leader} is left, and nothing is compared.").format(**fields)
    return _("Without {task}: nothing can be chosen.").format(**fields)
