"""The command `evenbench selftest`: does the harness itself measure what is there?"""

from typing import TYPE_CHECKING

import click

from harness.cli.options import json_option, print_json
from harness.language import _, noop

if TYPE_CHECKING:
    from harness.runs.selftest import Selftest


@click.command()
@json_option
def selftest(as_json: bool) -> int:
    """Measure fake backends whose figures are known, and catch those that lie.

    Throughput must come out within 1 %, memory, accuracy, losses and every kind of failure as they are. Ends with 1 if
    anything deviates. What a busy machine spoils is taken again, and called too noisy if it stays so.
    """
    from rich.console import Console

    from harness.runs.selftest import conduct

    talk = Console(stderr=True)
    with talk.status(_("self-test ...")) as status:
        found = conduct(lambda name: status.update(_("self-test: {case} ...").format(case=_(name))))
    if as_json:
        print_json(found)
    else:
        _print(found)
    return 0 if found.passed else 1


def _print(found: "Selftest") -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from reports.words.wide_text import Words

    styles = {noop("DEVIATES"): "bold red", noop("too noisy"): "yellow"}
    headings = (_("case"), _("what"), _("expected"), _("measured"), _("verdict"))
    table = Table(*headings, box=SIMPLE, pad_edge=False)
    table.columns[-1].no_wrap = True
    last = ""
    for one in found.findings:
        cells = ("" if one.case == last else _(one.case), _(one.what), _(one.expected), _(one.measured))
        table.add_row(*map(Words, cells), Text(_(one.verdict), style=styles.get(one.verdict, "green")))
        last = one.case
    console = Console()
    console.print(table)
    deviating = sum(one.verdict == "DEVIATES" for one in found.findings)
    count = len(found.findings)
    if deviating:
        sentence = _("{deviating} of {count} findings deviate: do not believe this installation's numbers.")
    elif found.noisy:
        sentence = _("{noisy} of {count} findings could not be judged, the machine was too busy; no other deviates.")
    else:
        sentence = _("All {count} findings are as known, in {seconds:.0f} s.")
    noisy = sum(one.verdict == "too noisy" for one in found.findings)
    console.print(sentence.format(deviating=deviating, noisy=noisy, count=count, seconds=found.seconds))
