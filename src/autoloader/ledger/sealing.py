"""The sealed secrets of all ingestions under another key, in one transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from autoloader.ledger.statement import named

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

_SEALED = named(
    "sealing.sealed",
    "Locks the ingestions that hold a sealed secret.",
    """SELECT id, source_credentials, spark_connect_token FROM ingestions
       WHERE source_credentials::text LIKE '%"enc:%' OR spark_connect_token LIKE 'enc:%' ORDER BY id FOR UPDATE""",
)
_RESEAL = named(
    "sealing.reseal",
    "Puts the same secrets under another key; to people nothing has changed, so version and time stay.",
    """UPDATE ingestions SET source_credentials = CAST(:source_credentials AS jsonb), spark_connect_token = :token
       WHERE id = :id""",
)


def reseal_all(conn: Connection, reseal: Callable[[str], str]) -> int:
    """Seal every stored secret anew.

    Args:
        reseal: a stored secret as it is to be stored from now on; what is no secret comes back as it is.

    Returns:
        How many ingestions hold one.
    """
    found = conn.execute(_SEALED).mappings().all()
    for row in found:
        credentials = {name: reseal(stored) for name, stored in row["source_credentials"].items()}
        token = row["spark_connect_token"]
        values = {"id": row["id"], "source_credentials": json.dumps(credentials), "token": token and reseal(token)}
        conn.execute(_RESEAL, values)
    return len(found)
