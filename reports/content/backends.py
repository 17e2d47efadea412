"""What is said of the backends of a study: versions, settings, those of tuned profiles, and traps."""

import json

import pandas as pd

from harness.knobs import label
from harness.language import _
from reports.words import text


def lines(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return lines of versions, settings and traps, each with whom it belongs to."""
    found = []
    for backend, runs in frame.groupby("backend", sort=False):
        found += [
            _("{backend} versions: {facts}").format(backend=backend, facts=_facts(value))
            for value in runs["versions"].unique()
            if value
        ]
        known = runs[runs["settings"] != ""]
        places = known["device"] + " " + known["mode"] + known["profile"].map(lambda p: "" if p == "stock" else f" {p}")
        for value, of_value in places.groupby(known["settings"], sort=False):
            found.append(
                _("{backend} settings ({places}): {facts}").format(
                    backend=backend, places=text.names(dict.fromkeys(of_value)), facts=_facts(str(value))
                )
            )
        found += _tuned(str(backend), runs[runs["profile"] != "stock"])
        for column, said in (
            ("harmful_traps", _("{backend} TRAP, the numbers are spoiled: {sentence}")),
            ("traps", _("{backend} note: {sentence}")),
        ):
            traps = [sentence for value in runs[column].unique() if value for sentence in json.loads(value).values()]
            found += [said.format(backend=backend, sentence=text.quoted(trap)) for trap in dict.fromkeys(traps)]
    return tuple(found)


def _tuned(backend: str, runs: pd.DataFrame) -> list[str]:
    """Return a line on what the profile of each task, device and mode has set."""
    found = []
    for cell, of_cell in runs.groupby(["task", "device", "mode"], sort=False):
        for value in dict.fromkeys(of_cell["tuned_settings"]):
            shown = label(json.loads(value)) if value else _("none, for nothing was faster than stock when tuned")
            found.append(
                _("{backend} tuned settings ({places}): {facts}").format(
                    backend=backend, places=" ".join(map(str, cell)), facts=shown
                )
            )
    return found


def _facts(value: str) -> str:
    facts = json.loads(value).items()
    return text.names(f"{name} {text.quoted(fact) if ' ' in fact else _(fact)}" for name, fact in facts)
