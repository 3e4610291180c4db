"""Verifying: the bucket, the ledger and the table are compared, and whatever differs is told.

    ledger, one moment ──▶ files, loads, what each brought ──┐
    bucket, listed after it ──▶ paths and versions ──────────┼──▶ a DuckDB file in the spool ──▶ differences
    table, as it was at that moment ──▶ rows by file, load ──┘

**One moment.** The ledger is read in one transaction that sees it as it was at its first statement. The bucket is
listed after that, so a file that the ledger does not know is a new one. The table is read after that, too; loads that
began after the moment are looked up, and main's newest ancestor without any of them is what is compared. What a load
brought that was on its way at the moment is not judged, nor are the older rows of its files that it may have taken
away.

**Bounded memory.** Nothing is held in Python but the chunk on its way. DuckDB keeps the rest within its memory limit
and beyond that on disk, in a folder of its own that is removed afterwards. Nothing else is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.model import Difference, Ingestion, Reading
    from autoloader.objects import ObjectStore


class Watcher(Protocol):
    """Who watches a verification."""

    def reading(self, seen: Reading) -> None:
        """It has come so far."""


class Unseen:
    """A ``Watcher`` of verifications that nobody watches."""

    def reading(self, seen: Reading) -> None:
        """It has come so far."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """What a verification works with; the composition root builds it.

    Attributes:
        open_store: opens the bucket of an ingestion while a block goes on.
        open_table: opens a table by its full name; None when there is none.
        spool: folder below which each verification makes a folder of its own.
        memory_limit: what DuckDB may keep in memory, as it writes it (``256MB``).
        threads: of DuckDB.
    """

    database: Database
    open_store: Callable[[Ingestion], AbstractContextManager[ObjectStore]]
    open_table: Callable[[str], Table | None]
    spool: Path
    memory_limit: str
    threads: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A verification on its way.

    Attributes:
        tell: called with every difference, once, in the order of their kinds.
        stopping: asked between steps; once true, Interrupted is raised.
    """

    ingestion: Ingestion
    tell: Callable[[Difference], None]
    watcher: Watcher
    stopping: Callable[[], bool]
