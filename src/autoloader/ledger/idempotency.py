"""Requests that a client may send again after an answer was lost: what a key did, it does once.

The key is claimed in the transaction that does the work. Whoever sends it again at the same moment waits at the unique
index until that transaction has ended, and then finds what came of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.errors import KeyReused
from autoloader.ledger.statement import named

if TYPE_CHECKING:
    from sqlalchemy import Connection

_FORGET = named(
    "idempotency.forget",
    "Removes keys of more than a day ago, a few with each new one; those that others remove are passed over.",
    """DELETE FROM idempotency_keys k USING (
        SELECT tenant_id, key FROM idempotency_keys WHERE created_at < now() - interval '24 hours'
        ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED) old
    WHERE k.tenant_id = old.tenant_id AND k.key = old.key""",
)
_CLAIM = named(
    "idempotency.claim",
    "Claims a key for the work of this transaction, unless it was used.",
    """INSERT INTO idempotency_keys (tenant_id, key, fingerprint) VALUES (:tenant_id, :key, :fingerprint)
    ON CONFLICT DO NOTHING""",
)
_FIND = named(
    "idempotency.find",
    "What a key was used for, and what came of it.",
    "SELECT fingerprint, made_id FROM idempotency_keys WHERE tenant_id = :tenant_id AND key = :key",
)
_MADE = named(
    "idempotency.made",
    "Notes what came of the work that a key was claimed for.",
    "UPDATE idempotency_keys SET made_id = :made_id WHERE tenant_id = :tenant_id AND key = :key",
)


def claim(conn: Connection, tenant_id: str, key: str, fingerprint: str) -> int | None:
    """Claim a key for the work of this transaction.

    Args:
        fingerprint: tells one request from another: a hash of all that the client asked for.

    Returns:
        None: the work is to be done. Otherwise it was done before, and this is the id of what it made.

    Raises:
        KeyReused: the key was used for another request.
    """
    conn.execute(_FORGET)
    values = {"tenant_id": tenant_id, "key": key}
    if conn.execute(_CLAIM, values | {"fingerprint": fingerprint}).rowcount == 1:
        return None
    found = conn.execute(_FIND, values).one()
    if found.fingerprint != fingerprint:
        raise KeyReused(
            "this Idempotency-Key was used for another request: use a new key for each thing to be done",
            field="Idempotency-Key",
        )
    made_id: int = found.made_id
    return made_id


def made(conn: Connection, tenant_id: str, key: str, made_id: int) -> None:
    """Note the id of what the work made, for whoever sends the key again."""
    conn.execute(_MADE, {"tenant_id": tenant_id, "key": key, "made_id": made_id})
