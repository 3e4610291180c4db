"""Validating: what a run would do with every file that waits, said beforehand.

    bucket, listed ──▶ listing, on disk ──┐
    ledger ───────────────────────────────┴──▶ plan, on disk ──▶ the files, some at a time ──▶ embedded engine
                                                                    prospect of each file ◀──── outcomes, rejects

**One judge.** The files are read by the embedded engine, as a load reads them, with the one difference that bad records
are set apart whatever ``on_bad_record`` says: so all of them can be told, not only the first of each file. What they
mean for their file is then decided by the ingestion's own policy and limits, with the rule that the engine itself uses.

**Nothing is written** but in the spool: no table is made, no schema saved, no status of a file changed.

**Bounded memory.** The listing, the plan and the refused records are on disk; a part of the files is read at a time.
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

    from autoloader.engines import Engine
    from autoloader.model import Finding, Ingestion, Reading
    from autoloader.objects import ObjectStore


class Watcher(Protocol):
    """Who watches a validation."""

    def reading(self, seen: Reading) -> None:
        """It has come so far."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a validation works with; the composition root builds it.

    Attributes:
        open_store: opens the bucket of an ingestion while a block goes on.
        open_table: opens a table by its full name; None when there is none.
        check_table: asks the catalog whether it takes the name of a table that is not there.
        judge: the embedded engine.
        spool: folder below which each validation makes a folder of its own.
    """

    database: Database
    open_store: Callable[[Ingestion], AbstractContextManager[ObjectStore]]
    open_table: Callable[[str], Table | None]
    check_table: Callable[[Ingestion], None]
    judge: Callable[[], Engine]
    spool: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A validation on its way.

    Attributes:
        max_files: at most so many files are read; None: all that wait.
        tell: called with the refused records of some files, then with these files, and so on.
        stopping: asked between steps; once true, Interrupted is raised.
    """

    ingestion: Ingestion
    max_files: int | None
    tell: Callable[[Finding], None]
    watcher: Watcher
    stopping: Callable[[], bool]
