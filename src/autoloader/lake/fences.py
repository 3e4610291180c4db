"""What recovery asks of a table: did this load land, and if not, can it be kept from ever landing?

    look ──there──▶ Landed
      └─absent──▶ a fence is in the ancestry ──▶ Fenced
                  └─ commit an empty snapshot that asserts main = the base just looked at ──▶ look again

After the fence main no longer points at any base that the lost load could have read, so the catalog refuses whatever is
still on its way. See docs/adr/0003-one-publisher-one-attempt.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from autoloader.errors import HistoryTooShort
from autoloader.failpoints import Step, reached
from autoloader.lake.answers import Answer, until_clear
from autoloader.lake.attempt import Attempt
from autoloader.lake.removal import remove_nothing
from autoloader.lake.snapshots import (
    FENCE_PROPERTY,
    Absent,
    Landed,
    fenced_in,
    in_ancestry,
    landed_in,
    reaches_back_to,
    refreshed,
)
from autoloader.lake.traces import trace_of

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from pyiceberg.table import Table

    from autoloader.clock import Clock

PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Fenced:
    """The load is not in the table and never will be."""


def look(table: Table, load_id: UUID, since: datetime) -> Landed | Absent:
    """Whether the load is in the table now. Absent is no promise: it may still be on its way.

    Args:
        table: any handle of the table.
        load_id: the load.
        since: when it started; the history must reach back to there.

    Raises:
        HistoryTooShort: snapshots that would decide it were expired, or the table was rolled back.
        TableMismatch: the table was dropped.
        CatalogUnavailable: no answer.
    """
    return _looked(refreshed(table), load_id, since)


def _looked(table: Table, load_id: UUID, since: datetime | None) -> Landed | Absent:
    metadata = table.metadata
    landed = in_ancestry(metadata, load_id) if since is None else landed_in(metadata, load_id)
    if landed is not None:
        return Landed(landed)
    if since is not None and not reaches_back_to(metadata, since):
        landed = trace_of(table, load_id)
        if landed is not None:
            return Landed(landed)
        raise HistoryTooShort(
            f"Whether the load {load_id} landed in {'.'.join(table.name())} cannot be told: snapshots since "
            f"{since:%Y-%m-%d %H:%M:%S} were expired. Look for rows with this _load_id, then settle it: "
            f"`autoloader settle {load_id} --loaded` or `--not-loaded`."
        )
    return Absent(metadata.current_snapshot_id)


def fence(
    table: Table,
    load_id: UUID,
    since: datetime | None,
    *,
    patience: timedelta = PATIENCE,
    clock: Clock | None = None,
) -> Landed | Fenced:
    """Settle a load that is LOST in the ledger. Safe to call by many at once and again.

    Call it only after the load became LOST: from then on its lease cannot be renewed.

    Args:
        since: as for ``look``; None where a person has decided that a load which the history does not show is to be
            kept out: then the history may be as short as it is.
        clock: gives the fence its time; None: the clock of this machine.

    Raises:
        HistoryTooShort: as for ``look``.
        TableMismatch: the table was dropped.
        CatalogUnavailable: ``patience`` is over; call again later.
    """
    recovery = _Recovery(table, load_id, since, clock)
    return cast("Landed | Fenced", until_clear(recovery.step, f"fencing the load {load_id}", patience))


@dataclass
class _Recovery:
    table: Table
    load_id: UUID
    since: datetime | None
    clock: Clock | None
    attempt: Attempt | None = None

    def step(self) -> Landed | Fenced | Answer:
        base = refreshed(self.table)
        seen = _looked(base, self.load_id, self.since)
        if isinstance(seen, Landed):
            return seen
        if fenced_in(base.metadata, self.load_id):
            return Fenced()
        if self.attempt is not None and self.attempt.base_id != base.metadata.current_snapshot_id:
            self.attempt.discard()
        self.attempt = Attempt(base)
        now = None if self.clock is None else self.clock.now()
        self.attempt.build((), remove_nothing(base), {FENCE_PROPERTY: str(self.load_id)}, now)
        reached(Step.RECOVERY_READ)
        self.attempt.send()
        reached(Step.RECOVERY_SENT)
        return Answer.UNCLEAR  # even a clear yes is looked up: the fence must be seen in main's ancestry
