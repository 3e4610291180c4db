"""One verification from its beginning to its report."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from autoloader.lake.history import history
from autoloader.lake.storage import referred_to
from autoloader.lake.whose import data_files, manifests_at
from autoloader.model import LOAD_ID, SOURCE_FILE, Difference, DifferenceKind, TableStanding, VerificationReport
from autoloader.verifying import comparing, landing
from autoloader.verifying.expecting import expect
from autoloader.verifying.gathering import Standing, list_bucket, read_ledger
from autoloader.verifying.landing import Landing, as_of_ledger
from autoloader.verifying.orphans import REFERRED, orphans
from autoloader.verifying.workbench import workbench

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pyiceberg.table import Table

    from autoloader.verifying import Asked, Sides
    from autoloader.verifying.workbench import Workbench

_CLAIMED = "SELECT CAST(coalesce(sum(rows), 0) AS BIGINT) FROM expected WHERE target = ?"
_LOADS = "SELECT count(*) FILTER (state = 'COMMITTED'), count(*) FILTER (state IN ('RUNNING', 'LOST')) FROM loads"


def verify(sides: Sides, asked: Asked) -> VerificationReport:
    """Compare bucket, ledger and table; see the package for what is compared and as of when.

    Raises:
        LedgerUnavailable: the ledger cannot be reached.
        SourceError: the bucket cannot be listed.
        LakeError: the catalog or the table's storage does not answer, or the table cannot be read.
        SpoolFull: no room on the disk that it is compared on.
        Interrupted: it was stopped.
    """
    with workbench(sides.spool, asked.stopping, memory_limit=sides.memory_limit, threads=sides.threads) as bench:
        at = read_ledger(sides, asked, bench)
        list_bucket(sides, asked, bench)
        tables = expect(bench, asked.ingestion.table_name)
        comparison = _Comparison(sides, asked, bench)
        comparison.tell(comparing.contradictions(bench, asked.ingestion.table_name))
        standings = tuple(comparison.examine(name) for name in tables)
        return comparison.report(at, standings)


class _Comparison:
    """Tells differences as they are found, and counts them."""

    def __init__(self, sides: Sides, asked: Asked, bench: Workbench) -> None:
        self._means = sides
        self._asked = asked
        self._bench = bench
        self._told: Counter[DifferenceKind] = Counter()

    def tell(self, found: Iterable[Difference]) -> None:
        for difference in found:
            self._told[difference.kind] += 1
            self._asked.tell(difference)

    def examine(self, name: str) -> TableStanding:
        """One table of the ingestion."""
        claimed: int = self._bench.one(_CLAIMED, name)[0]
        standing = TableStanding(name=name, snapshot_id=None, rows_claimed=claimed)
        table = self._means.open_table(name)
        if table is None:
            if claimed:
                self.tell([_no_table(name, claimed)])
            return standing
        return self._compared(table, standing)

    def _compared(self, table: Table, standing: TableStanding) -> TableStanding:
        bench, asked, name = self._bench, self._asked, standing.name
        past = history(table.metadata)
        snapshot = as_of_ledger(self._means.database, bench, asked.ingestion, table, past)
        if snapshot is not None:
            standing = replace(standing, snapshot_id=snapshot.snapshot_id)
        found = Landing(past, name)
        self.tell(landing.differences(bench, asked.ingestion, found))
        standing = replace(standing, loads_expired=found.expired)
        manifests = [] if snapshot is None else manifests_at(table, snapshot)
        standing = replace(standing, data_files=data_files(manifests))
        missing = _missing_columns(table)
        if missing and standing.rows_claimed:
            self.tell([_no_column(name, missing, standing.rows_claimed)])
        if missing:
            self._note_referred(table)
        else:
            comparing.read_rows(asked, bench, table, manifests, name)
            totals = comparing.compare(self._means.database, asked, bench, name)
            self.tell(comparing.differences(bench, asked.ingestion, name))
            standing = replace(standing, rows_found=totals.ours, rows_of_others=totals.others)
        self.tell(orphans(self._means.database, asked, bench, table, name))
        return standing

    def _note_referred(self, table: Table) -> None:
        current = table.metadata.current_snapshot()
        for locations in referred_to(table, [] if current is None else [current]):
            self._bench.add("referred", REFERRED, [(location,) for location in locations])

    def report(self, at: datetime, tables: tuple[TableStanding, ...]) -> VerificationReport:
        """What was found in all."""
        standing = Standing(self._bench)
        committed, going_on = self._bench.one(_LOADS)
        return VerificationReport(
            ingestion=self._asked.ingestion.name,
            ledger_at=at,
            listed=standing.listed,
            loaded=standing.count("loaded"),
            failed=standing.count("failed"),
            skipped=standing.by_reason("skipped"),
            waiting=standing.by_reason("waiting"),
            gone=standing.gone,
            loads_committed=committed,
            loads_open=going_on,
            tables=tables,
            differences={kind: self._told[kind] for kind in DifferenceKind if self._told[kind]},
        )


def _missing_columns(table: Table) -> list[str]:
    there = {field.name.lower() for field in table.schema().fields}
    return [column for column in (SOURCE_FILE, LOAD_ID) if column not in there]


def _no_table(name: str, claimed: int) -> Difference:
    return Difference(
        kind=DifferenceKind.TABLE_MISSING,
        message=f"the ledger claims {claimed:,} rows in this table, and there is no such table: it was dropped",
        table=name,
        expected=claimed,
        found=0,
    )


def _no_column(name: str, missing: list[str], claimed: int) -> Difference:
    return Difference(
        kind=DifferenceKind.COLUMN_MISSING,
        message=f"the table has no column {' and '.join(missing)}, so it cannot be told whose rows it holds: "
        f"the {claimed:,} rows that the ledger claims were not compared",
        table=name,
        expected=claimed,
    )
