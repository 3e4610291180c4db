"""The one way a load reaches a table: look, renew, send once, look again.

    1 refresh: base = what main points at
    2 is the load in base's ancestry? ──yes──▶ landed
    3 renew the lease ──refused──▶ LeaseLost
    4 send one commit that asserts main = base ──landed──▶ landed
      └─ refused, or no clear answer ──▶ 1

Step 3 comes after step 1, so the base of a load whose lease is gone is older than any fence set against it, and the
catalog refuses. See docs/adr/0003-one-publisher-one-attempt.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from pyiceberg.typedef import EMPTY_DICT

from autoloader.errors import LeaseLost, TableMoved
from autoloader.failpoints import Step, reached
from autoloader.lake.answers import Answer, until_clear
from autoloader.lake.attempt import Attempt
from autoloader.lake.removal import Removal, remove_everything, remove_nothing, remove_replaced
from autoloader.lake.snapshots import LOAD_ID_PROPERTY, landed_in, refreshed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.table import Table

    from autoloader.clock import Clock
    from autoloader.lake.growth import Growth

PATIENCE = timedelta(minutes=10)
"""How long a publisher goes on while other commits come first or no answer is clear."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What one load does to the table, in one snapshot.

    Attributes:
        added: entries of the uploaded data files.
        replaced: paths whose older rows leave, with the loads that brought them.
        overwrite: all rows of the base leave; ``replaced`` then says nothing more.
        growth: columns that the table gets with the added files.
        always: the load is to be seen in the table's history even where the table does not change by it.
    """

    added: Sequence[DataFileEntry] = ()
    replaced: Mapping[str, frozenset[UUID]] = field(default_factory=dict)
    overwrite: bool = False
    growth: Growth | None = None
    always: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether no table could be changed by it."""
        return not self.added and not self.replaced and not self.overwrite and not self.always

    def removal(self, base: Table, load_id: UUID, wrote: Callable[[str], None]) -> Removal:
        """What it takes away from this base; rewritten files are in storage when it returns."""
        if self.overwrite:
            return remove_everything(base)
        if self.replaced and base.metadata.current_snapshot_id is not None:
            return remove_replaced(base, self.replaced, load_id, wrote)
        return remove_nothing(base)


def publish(
    table: Table,
    load_id: UUID,
    change: Change,
    renew: Callable[[], bool],
    *,
    marks: Mapping[str, str] = EMPTY_DICT,
    patience: timedelta = PATIENCE,
    clock: Clock | None = None,
) -> int | None:
    """Make the load part of the table, exactly once.

    Whatever this raises after a commit was sent, the load may still land: leave it RUNNING and let recovery settle it
    with ``fences.fence``, which alone can tell.

    Args:
        table: the handle the data files were made for; it is not changed.
        load_id: goes into the snapshot's summary as ``autoloader.load-id``.
        change: what to add and what to take away.
        renew: renews the lease in the ledger; false when another worker owns the outcome.
        marks: further properties for the summary (``autoloader.ingestion``, ``autoloader.run-id``).
        patience: how long to go on.
        clock: gives snapshots their time; None: the clock of this machine.

    Returns:
        The snapshot that holds the load, or None when there was nothing to change and no commit was made.

    Raises:
        LeaseLost: ``renew`` said no.
        CatalogUnavailable: ``patience`` is over.
        CatalogMisconfigured: the catalog refuses us or the commit as such.
        TableMoved: the table has other columns by now than those that the load adds; says whether anything was sent.
        TableMismatch: the table was dropped, or old rows cannot be taken out of its files.
        HistoryTooShort: the load landed and the table was then rolled back.
    """
    if change.is_nothing:
        return None
    publication = _Publication(table, load_id, change, renew, {LOAD_ID_PROPERTY: str(load_id), **marks}, clock)
    try:
        return until_clear(publication.step, f"publishing the load {load_id}", patience)
    except TableMoved as moved:
        raise TableMoved(str(moved), sent=publication.sent) from None
    finally:
        publication.close()


@dataclass
class _Publication:
    table: Table
    load_id: UUID
    change: Change
    renew: Callable[[], bool]
    marks: dict[str, str]
    clock: Clock | None
    attempt: Attempt | None = None
    sent: bool = False

    def step(self) -> int | Answer | None:
        """Steps 1 to 4 of the protocol, once."""
        base = refreshed(self.table)
        landed = landed_in(base.metadata, self.load_id)
        if landed is not None:
            return landed
        attempt = self._attempt_on(base)
        if attempt is None:
            return None
        reached(Step.LOAD_READ)
        if not self.renew():
            raise LeaseLost(f"The load {self.load_id} is owned by another worker now; nothing more is sent for it.")
        reached(Step.LOAD_RENEWED)
        self.sent = True
        answer = attempt.send()
        reached(Step.LOAD_SENT)
        return attempt.snapshot_id if answer is Answer.LANDED else answer

    def _attempt_on(self, base: Table) -> Attempt | None:
        """The attempt for this base: the last one while the table is unchanged, else a new one.

        The last one was just seen not to be in the table. Once main has left its base it can never land, and its files
        go. If only something else about the table changed, it may still land: its files stay, used or not.
        """
        last = self.attempt
        if last is not None and last.base.metadata_location == base.metadata_location:
            return last
        if last is not None and last.base_id != base.metadata.current_snapshot_id:
            last.discard()
        self.attempt = self._built(Attempt(base))
        return self.attempt

    def _built(self, attempt: Attempt) -> Attempt | None:
        try:
            removal = self.change.removal(attempt.base, self.load_id, attempt.wrote.append)
            if not (self.change.added or removal.splits or removal.deletes or self.change.always):
                return None
            growth = self.change.growth if self.change.added else None
            now = None if self.clock is None else self.clock.now()
            attempt.build(self.change.added, removal, self.marks, now, growth)
        except BaseException:
            attempt.discard()
            raise
        return attempt

    def close(self) -> None:
        """Remove what an attempt wrote that was never sent; what was sent is for recovery to judge."""
        if self.attempt is not None and not self.attempt.sent:
            self.attempt.discard()
