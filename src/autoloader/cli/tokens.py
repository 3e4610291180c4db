"""``token``: who may use the service."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from autoloader.cli.output import json_option, write_json, write_table
from autoloader.cli.session import session
from autoloader.model import DEFAULT_TENANT, NAME, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click import Context, Parameter
    from sqlalchemy import Connection

LONGEST = 128


def _name(_context: Context, _parameter: Parameter, value: str) -> str:
    if len(value) > LONGEST or re.fullmatch(NAME, value) is None:
        raise click.BadParameter(f"1 to {LONGEST} letters, digits, '_', '-' or '.'; the first a letter or a digit")
    return value


@contextmanager
def _ledger() -> Iterator[Connection]:
    from autoloader.ledger.database import transaction

    with session() as runtime, transaction(runtime.database) as connection:
        yield connection


tenant_option = click.option(
    "--tenant", default=DEFAULT_TENANT, show_default=True, callback=_name, help="Whose ingestions it is about."
)


@click.group()
def token() -> None:
    """Manage the tokens that open the HTTP service.

    As long as none was ever made, the service answers everyone who reaches it, and listens on this machine only.
    """


@token.command()
@click.argument("name", callback=_name)
@click.option(
    "--scope",
    type=click.Choice([str(scope) for scope in Scope]),
    required=True,
    help="read: look. operate: also run, cancel, retry, pause, preview. admin: also create, edit, delete.",
)
@tenant_option
@json_option
def create(name: str, scope: str, tenant: str, *, as_json: bool) -> None:
    """Make a token called NAME and show it, this once.

    For example: autoloader token create dashboard --scope read
    """
    from autoloader.ledger import tokens

    with _ledger() as connection:
        made, secret = tokens.create(connection, tenant, name, Scope(scope))
    if as_json:
        write_json({"token": secret, "name": made.name, "scope": made.scope, "tenant_id": made.tenant_id})
        return
    click.echo(secret)
    click.echo(
        f"This is the token {name!r} ({scope}, tenant {tenant}). It is not shown again. "
        "Send it as `Authorization: Bearer …`.",
        err=True,
    )


@token.command("list")
@json_option
def list_all(*, as_json: bool) -> None:
    """List the tokens of all tenants, without the tokens themselves."""
    from autoloader.ledger import tokens

    with _ledger() as connection:
        found = tokens.list_all(connection)
    if as_json:
        write_json(found)
        return
    write_table(
        ["NAME", "SCOPE", "TENANT", "CREATED", "LAST USED", "REVOKED"],
        [[t.name, t.scope, t.tenant_id, t.created_at, t.last_used_at, t.revoked_at] for t in found],
        empty="No token yet: the service is open, on this machine only. Make one with `autoloader token create`.",
    )


@token.command()
@click.argument("name")
@tenant_option
def revoke(name: str, tenant: str) -> None:
    """Make the token NAME worthless, from now on and for good."""
    from autoloader.ledger import tokens

    with _ledger() as connection:
        tokens.revoke(connection, tenant, name)
    click.echo(f"Revoked {name}.")
