"""What a command needs first: settings, and whoever does it: a service, or this process with parts of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from autoloader.cli import Target
from autoloader.errors import UsageError
from autoloader.vault import REFERENCE, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoloader.control import Control
    from autoloader.runtime import Runtime
    from autoloader.settings import Connections, Settings


@contextmanager
def control() -> Iterator[Control]:
    """Whoever does what is typed: the service that ``--url`` or the settings name, or this process itself."""
    settings = start()
    target = click.get_current_context().find_object(Target) or Target()
    url = target.url or settings.url
    if not url:
        if target.token:
            raise UsageError("--token is for a service: name it with --url or AUTOLOADER_URL", field="--token")
        from autoloader.control.direct import Direct

        with session() as runtime:
            yield Direct(runtime)
        return
    from autoloader.control.remote import Remote
    from autoloader.control.wire import Wire

    with Wire(url, _token(target, settings)) as wire:
        yield Remote(wire)


def _token(target: Target, settings: Settings) -> str | None:
    if target.token is None:
        return settings.token.get_secret_value().strip() or None if settings.token else None
    if REFERENCE.fullmatch(target.token) is None:
        raise UsageError(
            "--token would be seen in the list of processes: write env:NAME or file:/path, or set AUTOLOADER_TOKEN",
            field="--token",
        )
    value = value_of(target.token)
    if not value:
        raise UsageError(f"--token: {target.token} is not set, cannot be read or is empty", field="--token")
    return value


@contextmanager
def session() -> Iterator[Runtime]:
    """A runtime on the parts that the settings name; the embedded stack is started if it is meant and does not run."""
    from autoloader.runtime import Runtime

    settings = start()
    with Runtime(settings, connect(settings)) as runtime:
        runtime.require_current_ledger()
        yield runtime


def start() -> Settings:
    """Read the settings and set up logging."""
    from autoloader.logs import configure_logs
    from autoloader.settings import load_settings

    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    return settings


def connect(settings: Settings) -> Connections:
    """Where the parts are; starts the embedded stack, its ledger up to date, unless the user has parts of their own."""
    if settings.database_url is not None:
        from autoloader.settings import external_connections

        return external_connections(settings)
    from autoloader.ledger.database import upgrade
    from autoloader.stack import Stack

    stack = Stack(settings.home_dir)
    running = stack.connections()
    if running is None:
        click.echo(f"Starting the embedded stack in {settings.home_dir} (stop it with `autoloader down`) …", err=True)
        running = stack.start()
        upgrade(running.database_url)
    return running
