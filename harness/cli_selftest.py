"""The command `evenbench selftest`: does the harness itself measure what is there?"""

from typing import TYPE_CHECKING

import click

from harness.cli_options import json_option

if TYPE_CHECKING:
    from harness.selftest import Selftest


@click.command()
@json_option
def selftest(as_json: bool) -> int:
    """Measure fake backends whose figures are known, and catch those that lie.

    Throughput must come out within 1 %, memory, accuracy, losses and every kind of failure as they are. Ends with 1 if
    anything deviates. What a busy machine spoils is taken again, and called too noisy if it stays so.
    """
    import msgspec
    from rich.console import Console

    from harness.selftest import conduct

    talk = Console(stderr=True)
    with talk.status("self-test ...") as status:
        found = conduct(lambda name: status.update(f"self-test: {name} ..."))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        _print(found)
    return 0 if found.passed else 1


def _print(found: "Selftest") -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"DEVIATES": "bold red", "too noisy": "yellow"}
    table = Table("case", "what", "expected", "measured", "verdict", box=SIMPLE, pad_edge=False)
    table.columns[-1].no_wrap = True
    last = ""
    for one in found.findings:
        cells = ("" if one.case == last else one.case, one.what, one.expected, one.measured)
        table.add_row(*map(Text, cells), Text(one.verdict, style=styles.get(one.verdict, "green")))
        last = one.case
    console = Console()
    console.print(table)
    deviating = sum(one.verdict == "DEVIATES" for one in found.findings)
    count = len(found.findings)
    if deviating:
        console.print(f"{deviating} of {count} findings deviate: do not believe this installation's numbers.")
    elif found.noisy:
        noisy = sum(one.verdict == "too noisy" for one in found.findings)
        console.print(f"{noisy} of {count} findings could not be judged, the machine was too busy; no other deviates.")
    else:
        console.print(f"All {count} findings are as known, in {found.seconds:.0f} s.")
