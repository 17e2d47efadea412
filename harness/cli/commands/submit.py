"""The command `evenbench submit`: hand a study in to a teacher who collects."""

import getpass
import os
import re
from pathlib import Path

import click

from harness.cli.options import filled, results_option
from harness.errors import EnvironmentFailure, UsageError
from harness.language import _
from harness.records import studies
from harness.records.bundles import pack

TOKEN = "EVENBENCH_TOKEN"
TIMEOUT_S = (10.0, 60.0)


@click.command()
@click.argument("study", required=False)
@click.option("--to", "address", required=True, metavar="URL", callback=filled, help="Where the teacher collects.")
@click.option("--token", callback=filled, help=f"The word that the teacher gave out; else {TOKEN}.")
@click.option("--as", "sender", metavar="NAME", callback=filled, help="Your name there.  [default: your login]")
@results_option
def submit(study: str | None, address: str, token: str | None, sender: str | None, results: Path) -> None:
    """Hand STUDY in (without it: the newest one): its plan and records, no evidence and no pictures."""
    import requests

    secret = token or os.environ.get(TOKEN, "")
    if not secret:
        raise UsageError("a token is needed, which the teacher gives out: --token or {variable}", variable=TOKEN)
    if not re.match(r"https?://[^/]+", address):
        raise UsageError("--to is an address such as http://10.0.0.5:8737/, but this is {address!r}", address=address)
    folder = studies.newest(results) if study is None else studies.find(study, results)
    content = pack(folder, sender or _login())
    try:
        answer = requests.post(
            f"{address.rstrip('/')}/collect",
            data=content,
            headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )
        told = answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else {}
    except (requests.RequestException, ValueError) as error:
        raise EnvironmentFailure(
            "nobody collects at {address} ({kind}): is the address right, and does `evenbench serve --collect` run "
            "there?",
            address=address,
            kind=type(error).__name__,
        ) from error
    if answer.status_code not in (200, 201) or "study" not in told:
        reason = told.get("error") or f"{answer.status_code} {answer.reason}"
        raise EnvironmentFailure("{address} did not take the study: {reason}", address=address, reason=reason)
    sentence = _("handed in before, as {name}") if told.get("was_there") else _("handed in as {name}")
    click.echo(sentence.format(name=told["study"]))


def _login() -> str:
    try:
        return re.sub(r"\W", "-", getpass.getuser()) or "student"
    except (KeyError, OSError):
        return "student"
