"""Requests that may be sent again: with an Idempotency-Key, what they make is made once."""

import hashlib
import json
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection

from autoloader.access import Caller
from autoloader.ledger import idempotency

Made = TypeVar("Made")


def once(
    conn: Connection,
    caller: Caller,
    key: str | None,
    request: str,
    *,
    make: Callable[[], Made],
    again: Callable[[int], Made],
    id_of: Callable[[Made], int],
) -> Made:
    """Make something, or find what the same request made before.

    Args:
        conn: the transaction in which it is made.
        key: the client's; None: it is made whatever was made before.
        request: all that the client asked for, as ``asked`` tells it.
        again: finds what was made, by its id.

    Raises:
        KeyReused: the key was used for another request.
        NotKnown: what was made is gone by now.
    """
    if key is None:
        return make()
    before = idempotency.claim(conn, caller.tenant_id, key, request)
    if before is not None:
        return again(before)
    made = make()
    idempotency.made(conn, caller.tenant_id, key, id_of(made))
    return made


def asked(operation: str, body: BaseModel | None = None) -> str:
    """A hash that tells this request from every other one; secrets in a body cannot be told from it."""
    text = json.dumps([operation, None if body is None else body.model_dump(mode="json")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
