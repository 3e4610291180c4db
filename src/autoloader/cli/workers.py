"""``worker``."""

from __future__ import annotations

import logging
import os
import sys
from datetime import timedelta

import click

from autoloader.cli import COULD_NOT_RUN
from autoloader.cli.session import session
from autoloader.cli.signals import stop_on_signals


@click.command()
@click.option(
    "--concurrency",
    type=click.IntRange(1, 16),
    default=2,
    show_default=True,
    help="Runs worked on at once. Each takes the memory and the threads that the settings allow one load.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="After SIGTERM or Ctrl-C: how long to finish or put back what is in hand.",
)
def worker(concurrency: int, grace: float) -> None:
    """Work on the runs that wait in the queue until stopped by SIGTERM or Ctrl-C.

    Any number of workers, on any number of machines, share the work. Exit code 3: something in hand did not end in
    time; another worker recovers it.
    """
    with session() as runtime:
        with stop_on_signals() as stopping:
            click.echo(f"Working on queued runs, {concurrency} at once. Ctrl-C stops it cleanly.", err=True)
            left = runtime.work(concurrency=concurrency, stopping=stopping, grace=timedelta(seconds=grace))
        if not left:
            return
    click.echo(f"{left} of the threads did not end in time; what they had in hand is recovered by others.", err=True)
    logging.shutdown()
    sys.stdout.flush()
    # A thread that waits for a store or the catalog would keep the interpreter from ending.
    os._exit(COULD_NOT_RUN)
