"""``up``, ``down``, ``status`` and ``env``."""

from __future__ import annotations

import shlex
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

import click

from autoloader.cli.output import json_option, write_json, write_table
from autoloader.cli.serve import PORT, warn_open
from autoloader.cli.session import start
from autoloader.cli.signals import stop_on_signals
from autoloader.errors import StackError, UsageError, WrongState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from autoloader.runtime import Runtime
    from autoloader.settings import Connections, Settings
    from autoloader.stack import Stack

NOT_RUNNING = 1
GRACE = timedelta(seconds=30)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address the HTTP API listens on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Its port. Default: 8080, or a free one if that is taken.")
@click.option("--concurrency", type=click.IntRange(1, 16), default=2, show_default=True, help="Runs worked on at once.")
@click.option("--spark", is_flag=True, help="Start a Spark Connect server, too, for ingestions with engine spark.")
def up(*, host: str, port: int | None, concurrency: int, spark: bool) -> None:
    """Start the whole service on this machine and stay in the foreground; Ctrl-C stops it cleanly.

    That is the embedded stack, the HTTP API and a worker.
    """
    from autoloader.api.serving import is_open
    from autoloader.ledger.database import upgrade
    from autoloader.runtime import Runtime

    stack, settings = _stack(spark=spark)
    with stop_on_signals() as stopping:
        try:
            connections = stack.start(report=lambda line: click.echo(line, err=True))
            upgrade(connections.database_url)
            with Runtime(settings, connections) as runtime, _api(runtime, host, port) as address:
                if is_open(runtime):
                    warn_open()
                with _working(runtime, concurrency, stopping):
                    _show_addresses(stack)
                    click.echo(
                        f"Up, serving {address}/api/v1. Ctrl-C stops it; in another terminal: autoloader create …"
                    )
                    stack.watch(stopping)
        finally:
            stack.stop()


@contextmanager
def _api(runtime: Runtime, host: str, port: int | None) -> Iterator[str]:
    from autoloader.api.serving import leave_out_of_garbage_collection, serving

    with ExitStack() as open_now:
        try:
            address = open_now.enter_context(serving(runtime, host, PORT if port is None else port))
        except UsageError:
            if port is not None:
                raise
            address = open_now.enter_context(serving(runtime, host, 0))
        leave_out_of_garbage_collection()
        yield address


@contextmanager
def _working(runtime: Runtime, concurrency: int, stopping: Event) -> Iterator[None]:
    """A worker beside the block; when the block ends, what is in hand is finished or put back."""
    work = partial(runtime.work, concurrency=concurrency, stopping=stopping, grace=GRACE)
    thread = Thread(target=work, name="work")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@click.command()
def down() -> None:
    """Stop the embedded stack; its data stays."""
    stack, settings = _stack()
    click.echo("Stopped; the data stays." if stack.stop() else f"Nothing runs in {settings.home_dir}.")


@click.command()
@json_option
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> None:
    """Show which parts of the embedded stack run, and where. Exit code 1 when one does not."""
    stack, _ = _stack()
    parts = stack.status()
    if as_json:
        write_json(
            [{"name": p.name, "state": p.state, "pid": p.pid, "address": p.address, "log": str(p.log)} for p in parts]
        )
    else:
        _show_addresses(stack)
    ctx.exit(0 if all(part.state == "running" for part in parts) else NOT_RUNNING)


@click.command()
def env() -> None:
    """Print export lines that point aws, DuckDB, PyIceberg or Spark at the running stack.

    Use it so: eval "$(autoloader env)"
    """
    stack, _ = _stack()
    connections = stack.connections()
    if connections is None:
        raise StackError("the embedded stack does not run: start it with `autoloader up`")
    for name, value in _exports(connections).items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _stack(*, spark: bool = False) -> tuple[Stack, Settings]:
    from autoloader.stack import Stack
    from autoloader.stack.spark import SparkInstall

    settings = start()
    if settings.database_url is not None:
        raise WrongState(
            "AUTOLOADER_DATABASE_URL is set, so your own parts are used and there is no embedded stack; unset it first"
        )
    memory, threads = settings.spark_memory, settings.threads
    install = SparkInstall(folder=settings.spark_dir.expanduser(), memory=memory, threads=threads)
    return Stack(settings.home_dir, install if spark else None), settings


def _show_addresses(stack: Stack) -> None:
    rows = [[part.name, part.state, part.pid, part.address, str(part.log)] for part in stack.status()]
    write_table(["PART", "STATE", "PID", "ADDRESS", "LOG"], rows, empty="No part is known.")


def _exports(connections: Connections) -> dict[str, str]:
    exports = {
        "AWS_ENDPOINT_URL_S3": connections.s3_endpoint_url or "",
        "AWS_ACCESS_KEY_ID": connections.s3_access_key_id or "",
        "AWS_SECRET_ACCESS_KEY": connections.s3_secret_access_key or "",
        "AWS_REGION": connections.s3_region or "",
        "AWS_DEFAULT_REGION": connections.s3_region or "",
        "DATABASE_URL": connections.database_url.replace("postgresql+psycopg://", "postgresql://"),
    }
    if connections.spark_connect_url is not None:
        exports["SPARK_REMOTE"] = f"{connections.spark_connect_url}/;token={connections.spark_connect_token}"
    for catalog, properties in connections.catalogs.items():
        for name, value in properties.items():
            variable = name.replace(".", "__").replace("-", "_").upper()
            exports[f"PYICEBERG_CATALOG__{catalog.upper()}__{variable}"] = value
    return exports
