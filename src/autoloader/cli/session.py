"""What a command needs first: settings, the parts (the embedded stack or the user's own), a runtime."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import click

from autoloader.logs import configure_logs
from autoloader.runtime import Runtime
from autoloader.settings import Settings, external_connections, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from autoloader.settings import Connections


@contextmanager
def session() -> Iterator[Runtime]:
    """A runtime on the parts that the settings name; the embedded stack is started if it is meant and does not run."""
    settings = start()
    with Runtime(settings, connect(settings)) as runtime:
        runtime.require_current_ledger()
        yield runtime


def start() -> Settings:
    """Read the settings and set up logging."""
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    return settings


def connect(settings: Settings) -> Connections:
    """Where the parts are; starts the embedded stack, its ledger up to date, unless the user has parts of their own."""
    if settings.database_url is not None:
        return external_connections(settings)
    # Imported late: people with parts of their own never need the stack.
    from autoloader.ledger.database import upgrade  # noqa: PLC0415
    from autoloader.stack import Stack  # noqa: PLC0415

    stack = Stack(settings.home_dir)
    running = stack.connections()
    if running is None:
        click.echo(f"Starting the embedded stack in {settings.home_dir} (stop it with `autoloader down`) …", err=True)
        running = stack.start()
        upgrade(running.database_url)
    return running


@contextmanager
def stop_on_signals() -> Iterator[Event]:
    """An event that Ctrl-C or SIGTERM sets, so that the work can stop cleanly; a second one stops at once."""
    stopping = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        click.echo("Stopping cleanly; once more stops at once.", err=True)
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
