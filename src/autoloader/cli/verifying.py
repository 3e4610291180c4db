"""``verify``."""

from __future__ import annotations

import click

from autoloader.cli.output import json_option, write_json
from autoloader.cli.session import session
from autoloader.ledger import ingestions
from autoloader.ledger.database import transaction
from autoloader.model import DEFAULT_TENANT, Difference


@click.command()
@click.argument("name")
@json_option
@click.pass_context
def verify(ctx: click.Context, name: str, *, as_json: bool) -> None:
    """Compare what the bucket, the ledger and the table of NAME say about its files; nothing is changed.

    Exit code 1: something differs; 3: it could not be told.
    """
    found: list[Difference] = []
    with session() as runtime:
        with transaction(runtime.database) as connection:
            ingestion = ingestions.by_name(connection, DEFAULT_TENANT, name)
        report = runtime.verify(ingestion, tell=found.append)
    if as_json:
        write_json({"report": report, "differences": found})
    ctx.exit(0 if report.is_clean else 1)
