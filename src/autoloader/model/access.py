"""Who may use the service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Scope(StrEnum):
    """What the holder of an API token may do; each scope holds those before it.

    ``read`` looks, ``operate`` also runs, cancels, retries, pauses, previews and verifies, ``admin`` also creates,
    edits and deletes ingestions.
    """

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def holds(self, other: Scope) -> bool:
        """Whether whoever has this scope may do what needs ``other``."""
        order = tuple(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """An API token as the ledger knows it: all but the token itself, which nobody can show again.

    Attributes:
        name: unique among the tokens of its tenant that are not revoked.
        last_used_at: to the minute; None when it never was.
    """

    id: int
    tenant_id: str
    name: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
