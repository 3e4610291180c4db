"""API tokens: made at random, shown once, kept as their SHA-256.

A token has 256 bits of chance, so that its hash needs neither salt nor a slow function, and can be found by an index.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from autoloader.errors import NameTaken, NotKnown
from autoloader.ledger import records
from autoloader.ledger.statement import named
from autoloader.model import Token

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from autoloader.model import Scope

PREFIX = "al_"
"""Every token begins so, that scanners for leaked secrets can know it."""

_BYTES = 32
_COLUMNS = records.columns(Token, "t")

_CREATE = named(
    "tokens.create",
    "Saves a token, unless the tenant has one of that name.",
    f"""INSERT INTO tokens AS t (tenant_id, name, scope, token_hash) VALUES (:tenant_id, :name, :scope, :token_hash)
        ON CONFLICT (tenant_id, name) WHERE revoked_at IS NULL DO NOTHING RETURNING {_COLUMNS}""",
)
_FIND = named(
    "tokens.find",
    "The token with this hash, unless it is revoked.",
    f"""SELECT {_COLUMNS}, (t.last_used_at < now() - interval '1 minute') IS NOT FALSE AS unnoted
    FROM tokens t WHERE t.token_hash = :token_hash AND t.revoked_at IS NULL""",
)
_USED = named(
    "tokens.used",
    "Notes that a token was used, once a minute; whoever finds it locked leaves that to the other.",
    """UPDATE tokens SET last_used_at = now() WHERE id = (
           SELECT id FROM tokens
           WHERE id = :id AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
           FOR UPDATE SKIP LOCKED)""",
)
_ANY = named("tokens.any", "Whether a token was ever made, revoked ones too.", "SELECT EXISTS (SELECT FROM tokens)")
_LIST = named(
    "tokens.list",
    "Every token of every tenant, the newest last.",
    f"SELECT {_COLUMNS} FROM tokens t ORDER BY t.id",
)
_REVOKE = named(
    "tokens.revoke",
    "Revokes the token of a tenant by its name.",
    f"""UPDATE tokens AS t SET revoked_at = now()
        WHERE t.tenant_id = :tenant_id AND t.name = :name AND t.revoked_at IS NULL RETURNING {_COLUMNS}""",
)


def create(conn: Connection, tenant_id: str, name: str, scope: Scope) -> tuple[Token, str]:
    """Make a token.

    Returns:
        What the ledger knows of it, and the token itself: the only time that anyone sees it.

    Raises:
        NameTaken: the tenant has a token of that name which is not revoked.
    """
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    values = {"tenant_id": tenant_id, "name": name, "scope": scope, "token_hash": _hashed(secret)}
    row = conn.execute(_CREATE, values).mappings().one_or_none()
    if row is None:
        raise NameTaken(
            f"a token named {name!r} is there already: choose another name, or revoke that one", field="name"
        )
    return records.token(row), secret


def find(conn: Connection, secret: str) -> Token | None:
    """The token that this text is, unless it is unknown or revoked; notes that it was used."""
    row = conn.execute(_FIND, {"token_hash": _hashed(secret)}).mappings().one_or_none()
    if row is None:
        return None
    if row["unnoted"]:
        conn.execute(_USED, {"id": row["id"]})
    return records.token(row)


def any_made(conn: Connection) -> bool:
    """Whether a token was ever made. Revoking the last one does not open the service again."""
    return bool(conn.scalar(_ANY))


def list_all(conn: Connection) -> list[Token]:
    """Every token of every tenant, revoked ones too, the newest last."""
    return [records.token(row) for row in conn.execute(_LIST).mappings()]


def revoke(conn: Connection, tenant_id: str, name: str) -> Token:
    """End a token: from now on it opens nothing.

    Raises:
        NotKnown: the tenant has no such token, or it is revoked already.
    """
    row = conn.execute(_REVOKE, {"tenant_id": tenant_id, "name": name}).mappings().one_or_none()
    if row is None:
        raise NotKnown(
            f"tenant {tenant_id!r} has no token named {name!r} that works: see `autoloader token list`", field="name"
        )
    return records.token(row)


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
