"""``db``: the ledger's database."""

from __future__ import annotations

import click

from autoloader.cli.session import connect, start
from autoloader.ledger.database import upgrade as upgrade_ledger


@click.group()
def db() -> None:
    """Manage the ledger's database."""


@db.command()
def upgrade() -> None:
    """Bring the schema of the ledger up to this version of the program. Safe to repeat, and from many machines."""
    upgrade_ledger(connect(start()).database_url)
    click.echo("The ledger is up to date.")
