"""``serve``."""

from __future__ import annotations

import click

from autoloader.cli.session import session
from autoloader.cli.signals import stop_on_signals

PORT = 8080


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: any free one.")
def serve(*, host: str, port: int) -> None:
    """Serve the HTTP API and stay in the foreground; Ctrl-C or SIGTERM stops it cleanly.

    Runs are queued; `autoloader worker` does them. Without a token it listens on this machine only.
    """
    from autoloader.api.serving import is_open, leave_out_of_garbage_collection, serving

    with session() as runtime, stop_on_signals() as stopping, serving(runtime, host, port) as address:
        leave_out_of_garbage_collection()
        if is_open(runtime):
            warn_open()
        click.echo(f"Serving {address}/api/v1", err=True)
        stopping.wait()


def warn_open() -> None:
    """Say loudly that anyone on this machine may do anything."""
    click.secho(
        "WARNING: no token was made yet, so anyone on this machine may do anything here. "
        "Make one: autoloader token create NAME --scope admin",
        fg="yellow",
        bold=True,
        err=True,
    )
