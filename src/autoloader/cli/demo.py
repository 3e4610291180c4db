"""``demo``: the whole job on the embedded stack, in a home of its own, by the commands a user would type."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from autoloader.cli import cli
from autoloader.cli.output import console, write_table
from autoloader.cli.session import connect, start
from autoloader.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from autoloader.settings import Connections

FILES = 300
EVENTS = 100
BROKEN = 137
CHANGED = 42
BUCKET = "landing"
SOURCE = f"s3://{BUCKET}/events/"
DAY = datetime(2026, 11, 24, tzinfo=UTC)


@click.command()
@click.option("--keep", is_flag=True, help="Leave the demo's stack running, to look around in it.")
def demo(*, keep: bool) -> None:
    """See the whole job on real data: create, preview, run, a broken file, a changed file, nothing to do."""
    from autoloader.stack import Stack

    began = time.monotonic()
    home = start().home_dir / "demo"
    os.environ |= {"AUTOLOADER_HOME": str(home), "PYICEBERG_HOME": str(home)}
    for name in ("AUTOLOADER_DATABASE_URL", "AUTOLOADER_CONFIG", "AUTOLOADER_URL"):
        os.environ.pop(name, None)
    stack = Stack(home)
    stack.stop()
    shutil.rmtree(home, ignore_errors=True)
    try:
        _story(home)
    finally:
        if not keep:
            stack.stop()
    _say(f"That was the whole job, in {time.monotonic() - began:.0f} seconds. Look around in what it left:")
    click.echo(f"  export AUTOLOADER_HOME={shlex.quote(str(home))}")
    click.echo(
        "  autoloader list · autoloader runs · autoloader files events · autoloader show events · autoloader down"
    )


def _story(home: Path) -> None:
    _say(f"An object store, an Iceberg catalog and PostgreSQL start on this machine, in {home}.")
    connections = connect(start())
    store = _client(connections)
    for number in range(FILES):
        store.put_object(Bucket=BUCKET, Key=_key(number), Body=_body(number))
    _say(f"{FILES} files of events have arrived in {SOURCE}. One of them is broken. Tell the tool what to load:")
    _type(f"create events --source {SOURCE} --pattern '*.json' --format json --table lake.raw.events --max-retries 0")
    _say("Look before you load. This lists the bucket and reads a sample; it writes nothing.")
    _type("preview events")
    _say("Load everything that is new.")
    _type("run events", expect=1)
    _say("The good files are in the table, in one snapshot. DuckDB counts what is there:")
    _count(
        connections,
        "SELECT kind, count(*) AS events, round(sum(amount), 2) AS amount FROM events GROUP BY kind ORDER BY kind",
    )
    _say("The broken one kept nobody else from loading, and the ledger says why it is not in:")
    _type("files events --status FAILED")
    _say(
        f"Now file {CHANGED} arrives again with other content: half its events. Only it is loaded, and its old rows go."
    )
    rows = f"SELECT count(*) AS rows_of_the_file FROM events WHERE _source_file = 's3://{BUCKET}/{_key(CHANGED)}'"
    _count(connections, rows)
    store.put_object(Bucket=BUCKET, Key=_key(CHANGED), Body=_body(CHANGED, events=EVENTS // 2))
    _type("run events")
    _count(connections, rows)
    _say("The ledger knows its whole story:")
    _type(f"explain s3://{BUCKET}/{_key(CHANGED)}")
    _say("And a third run has nothing to do:")
    _type("run events")


def _say(text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]", soft_wrap=True)


def _type(command: str, *, expect: int = 0) -> None:
    """Run a command as a user would, and stop the demo if it does not end as the story says."""
    console.print(f"[cyan]$ autoloader {command}[/cyan]", soft_wrap=True, markup=True)
    code = cli.main(shlex.split(command), prog_name="autoloader", standalone_mode=False)
    if (code or 0) != expect:
        raise StackError(f"the demo expected exit code {expect} of `autoloader {command}` and got {code}")


def _count(connections: Connections, query: str) -> None:
    import duckdb

    from autoloader.lake.catalogs import open_catalog

    events = open_catalog("lake", connections.catalogs).load_table("raw.events").scan().to_arrow()
    console.print(f"[cyan]D {query}[/cyan]", soft_wrap=True)
    with duckdb.connect() as database:
        database.register("events", events)
        answer = database.execute(query)
        columns = [column[0] for column in answer.description or ()]
        write_table(columns, answer.fetchall(), empty="no row")


def _client(connections: Connections) -> S3Client:
    import boto3
    from botocore.config import Config

    client: S3Client = boto3.client(
        "s3",
        endpoint_url=connections.s3_endpoint_url,
        aws_access_key_id=connections.s3_access_key_id,
        aws_secret_access_key=connections.s3_secret_access_key,
        region_name=connections.s3_region,
        config=Config(s3={"addressing_style": "path"}),
    )
    return client


def _key(number: int) -> str:
    return f"events/{DAY:%Y-%m-%d}/part-{number:04}.json"


def _body(number: int, events: int = EVENTS) -> bytes:
    """One file of events; the broken one ends in the middle of a record, as after an upload that was cut."""
    text = "".join(json.dumps(event) + "\n" for event in _events(number, events))
    return text[: len(text) // 2 - 30].encode() if number == BROKEN else text.encode()


def _events(number: int, count: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(number)  # noqa: S311  the same events at every demo
    for position in range(count):
        at = DAY + timedelta(seconds=86_400 * (number * EVENTS + position) / (FILES * EVENTS))
        kind = chance.choices(["view", "click", "purchase"], [80, 15, 5])[0]
        yield {
            "id": number * EVENTS + position,
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "user": f"user-{chance.randrange(5_000):04}",
            "kind": kind,
            "amount": round(chance.uniform(1, 200), 2) if kind == "purchase" else None,
            "page": {"path": f"/products/{chance.randrange(900)}", "referrer": chance.choice(["search", "mail", None])},
        }
