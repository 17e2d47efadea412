"""On what the study ran, and how to run it again: the machine, every version, and the commands."""

import json
import shlex
from collections.abc import Sequence

import pandas as pd

from harness.language import _
from harness.records.studies import Loaded
from harness.spec import RunSpec
from reports.page.exhibit import Exhibit
from reports.page.lines import name
from reports.statistics.study import StudyRead
from reports.words import text
from reports.words.table import Cell, grid, words

MOST_COMMANDS = 50
MOST_FACTS = 400
ELSEWHERE = ("--study", "--results")
"""Options that say only where the records are kept; a study is never written over."""


def exhibits(study: StudyRead) -> tuple[Exhibit, ...]:
    """Return the table of the machine and the versions and that of the commands, each where there is one."""
    return (*_machine(study.runs), *_commands(study.loaded))


def _machine(runs: pd.DataFrame) -> tuple[Exhibit, ...]:
    if not len(runs):
        return ()
    facts = dict.fromkeys((*_hardware(runs), *_software(runs)))
    rows = [(name(whose), words(text.quoted(what)), words(text.quoted(value))) for whose, what, value in facts]
    more = len(rows) - MOST_FACTS
    return (
        Exhibit(
            name="machine",
            title=_("The machine and every version"),
            note=_("{count} more facts stand in the CSV.").format(count=more) if more > 0 else "",
            grid=grid((_("of"), _("what"), _("value")), rows[:MOST_FACTS]),
        ),
    )


def _hardware(runs: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return the facts of every machine; they are what tells machines apart."""
    columns = ["cpu", "cores", "cores_used", "memory_bytes", "kernel"]
    found = []
    machines = runs[columns].drop_duplicates()
    for number, (cpu, cores, used, memory, kernel) in enumerate(machines.itertuples(index=False, name=None), start=1):
        whose = _("machine {number}").format(number=number) if len(machines) > 1 else _("machine")
        found += [
            (whose, _("processor"), str(cpu)),
            (whose, _("processors"), _("{used} of {cores} used").format(used=used, cores=cores)),
            (whose, _("memory"), f"{memory / 1e9:.1f} GB"),
            (whose, _("system"), str(kernel)),
        ]
    return found


def _software(runs: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return the versions, settings and traps of every backend, and the code that measured."""
    found = [("Evenbench", _("version"), str(version)) for version in dict.fromkeys(runs["evenbench"])]
    found += [("Evenbench", _("revision"), str(value)) for value in dict.fromkeys(runs["git_revision"]) if value]
    for backend, of_backend in runs.groupby("backend", sort=True):
        found += [(str(backend), "python", str(value)) for value in dict.fromkeys(of_backend["python"]) if value]
        for column in ("versions", "settings", "tuned_settings", "harmful_traps", "traps"):
            for facts in dict.fromkeys(of_backend[column]):
                found += [(str(backend), str(what), str(value)) for what, value in json.loads(facts or "{}").items()]
    return found


def _commands(loaded: Loaded) -> tuple[Exhibit, ...]:
    rows: list[tuple[Cell, Cell]] = []
    if loaded.plan is not None:
        rows.append((words(_("the whole study")), name(command(loaded.plan.command))))
    failed = [record for record in loaded.records if record.outcome.status != "ok"]
    again = {repeat(record.spec): record for record in failed}
    for line, record in list(again.items())[:MOST_COMMANDS]:
        rows.append((name(record.spec.run_id), name(line)))
    if not rows:
        return ()
    sentence = _(
        "Where the records go is left to whoever repeats it: --study and --results are left out. Variables of the "
        "shell and the choice of processors are no part of a command: what was in force stands among the settings "
        "above."
    )
    if len(again) > MOST_COMMANDS:
        sentence = f"{sentence} {_('Of the failed runs the first {count} are listed.').format(count=MOST_COMMANDS)}"
    return (
        Exhibit(
            name="commands",
            title=_("Run it again"),
            note=sentence,
            grid=grid((_("what"), _("command")), rows),
        ),
    )


def command(words_of_it: Sequence[str]) -> str:
    """Return the command line of a study, without where it was kept."""
    kept = []
    left = iter(words_of_it)
    for word in left:
        if word in ELSEWHERE:
            next(left, None)
        elif not word.startswith(tuple(f"{option}=" for option in ELSEWHERE)):
            kept.append(word)
    return shlex.join(("evenbench", *kept))


def repeat(spec: RunSpec) -> str:
    """Return the command line that runs one run again."""
    options = {
        "--task": spec.task,
        "--backend": spec.backend,
        "--device": spec.device,
        "--mode": spec.mode,
        "--preset": spec.preset,
        "--dataset": spec.dataset,
        "--seed": str(spec.seed),
        "--profile": spec.profile,
    }
    usual = {"--device": "cpu", "--profile": "stock"}
    kept = [word for name, value in options.items() if usual.get(name) != value for word in (name, value)]
    return shlex.join(("evenbench", "run", *kept, "--repeats", "1"))
