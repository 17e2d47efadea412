"""The command `evenbench serve`: a local, read-only web page over all studies."""

import errno
import os
import socket
from pathlib import Path

import click

from harness.cli.options import filled, results_option
from harness.errors import EnvironmentFailure, UsageError
from harness.language import _
from harness.records.bundles import LARGEST
from harness.records.next_command import next_command
from harness.whole_files import given_path

SHORTEST_TOKEN = 8


@click.command()
@click.argument("folder", metavar="RESULTS", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, callback=filled, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8737, show_default=True, help="Port; 0: any free one.")
@click.option(
    "--collect", "token", metavar="TOKEN", callback=filled, help="Take studies that `evenbench submit` hands in."
)
@results_option
def serve(folder: str | None, host: str, port: int, token: str | None, results: Path) -> None:
    """Show all studies in RESULTS (without it: the folder of --results) on a local web page.

    The page can be read only, unless a class hands its studies in. Ctrl-C ends it.
    """
    from waitress.server import create_server

    from reports.formats.serve import LOOPBACK, create_app

    here = results if folder is None else given_path(folder, "RESULTS")
    if os.path.isfile(here):
        raise UsageError("{folder} is a file: name the folder that holds the studies", folder=here)
    if not os.path.isdir(here):  # not Path.is_dir, which raises where the folder may not be entered
        raise UsageError(
            "there is no folder {folder}: `{command}` makes studies in it",
            folder=here,
            command=next_command("run", results=here),
        )
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise UsageError(
            "--collect takes a token of at least {least} characters that is hard to guess", least=SHORTEST_TOKEN
        )
    with _bound(host, port) as bound:
        largest = LARGEST if token else 1
        app = create_app(here, host, token=token)
        server = create_server(app, sockets=[bound], threads=4, ident=None, max_request_body_size=largest)
        if host not in LOOPBACK:
            click.echo(_("warning: anyone who reaches this machine over the network can read these studies"), err=True)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{bound.getsockname()[1]}/"
        if token:
            click.echo(
                _("a class hands in by: evenbench submit --to {address} --token ...").format(address=address), err=True
            )
        click.echo(_("studies of {folder} at {address}  (Ctrl-C ends)").format(folder=here, address=address), err=True)
        try:
            server.run()
        except KeyboardInterrupt:
            click.echo("", err=True)
        finally:
            server.close()


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens, or raise what is wrong with the address."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise EnvironmentFailure(
                "port {port} of {host} is in use: choose another one with --port", port=port, host=host
            ) from error
        raise EnvironmentFailure(
            "cannot listen on port {port} of {host}: {reason}", port=port, host=host, reason=error.strerror
        ) from error
