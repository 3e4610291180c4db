"""``db``: the ledger's database."""

from __future__ import annotations

import click

from autoloader.cli.output import counted
from autoloader.cli.session import connect, session, start
from autoloader.vault import new_key


@click.group()
def db() -> None:
    """Manage the ledger's database."""


@db.command()
def upgrade() -> None:
    """Bring the schema of the ledger up to this version of the program. Safe to repeat, and from many machines."""
    from autoloader.ledger.database import upgrade as upgrade_ledger

    upgrade_ledger(connect(start()).database_url)
    click.echo("The ledger is up to date.")


@db.command("new-key")
def show_new_key() -> None:
    """Print a new key, made at random, for AUTOLOADER_SECRET_KEY."""
    click.echo(new_key())


@db.command("rotate-key")
def rotate_key() -> None:
    """Seal every stored credential anew, under a new key.

    With the key file of the home folder, the new key is made and put there. With AUTOLOADER_SECRET_KEY, put the new key
    in front of the old ones first (`new,old`), on every machine; when this has run, the old ones can go.
    """
    with session() as runtime:
        count = runtime.rotate_key()
    click.echo(f"The credentials of {counted(count, 'ingestion')} are sealed under the first key.")
