"""The rows that a table holds against those that the ledger claims, file by file and load by load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from autoloader.lake import whose
from autoloader.ledger import evidence
from autoloader.ledger.database import connected
from autoloader.ledger.records import told_path
from autoloader.model import Difference, DifferenceKind, Reading
from autoloader.objects.globs import Pattern
from autoloader.objects.paths import parse_source_path
from autoloader.verifying.orphans import CLEARING, REFERRED

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterator

    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.model import Ingestion
    from autoloader.verifying import Asked
    from autoloader.verifying.workbench import Workbench

ASKED_AT_ONCE = 1_000

# The ledger keeps a NUL of a path as another character: so must what is compared with it.
_PART = "?, replace(path, chr(0), chr(1114111)), load, rows"
_FOUND = """
CREATE OR REPLACE TABLE found AS
SELECT f.id AS file_id, p.path, p.load, p.rows
FROM (SELECT path, TRY_CAST(load_text AS UUID) AS load, CAST(sum(rows) AS BIGINT) AS rows
      FROM parts GROUP BY ALL) p LEFT JOIN files f ON f.path = p.path"""
_STRANGE_LOADS = """
SELECT DISTINCT load FROM found f WHERE load IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM loads l WHERE l.load = f.load)
AND NOT EXISTS (SELECT 1 FROM foreign_loads g WHERE g.load = f.load)"""
_COMPARED = """
CREATE OR REPLACE TABLE compared AS
SELECT coalesce(e.file_id, f.file_id) AS file_id, f.path, coalesce(e.load, f.load) AS load, e.rows AS expected,
    f.rows AS found
FROM (SELECT * FROM expected WHERE target = ?) e
FULL OUTER JOIN found f ON f.file_id = e.file_id AND f.load = e.load
WHERE e.rows IS DISTINCT FROM f.rows"""
_VERDICTS = """
CREATE OR REPLACE TABLE verdicts AS
SELECT CASE
    -- The load that a file is in may have taken its older rows away already.
    WHEN c.expected IS NOT NULL AND c.found IS NULL AND d.status = 'PROCESSING' THEN NULL
    WHEN c.expected IS NOT NULL AND coalesce(c.found, 0) < c.expected THEN 'rows_missing'
    WHEN c.expected IS NOT NULL THEN 'rows_too_many'
    WHEN l.state IN ('RUNNING', 'LOST') THEN NULL
    WHEN l.load IS NOT NULL AND c.file_id IS NULL THEN 'rows_of_unknown_file'
    WHEN b.load IS NOT NULL AND l.state = 'COMMITTED' THEN 'rows_outdated'
    WHEN l.load IS NOT NULL THEN 'rows_unrecorded'
    WHEN g.load IS NOT NULL THEN NULL
    WHEN c.file_id IS NOT NULL OR starts_with(c.path, ?) THEN 'rows_of_unknown_load' END AS kind,
    c.file_id, coalesce(d.path, c.path) AS path, c.load, c.expected, c.found, l.state
FROM compared c
LEFT JOIN files d ON d.id = c.file_id
LEFT JOIN loads l ON l.load = c.load
LEFT JOIN foreign_loads g ON g.load = c.load
LEFT JOIN brought b ON b.file_id = c.file_id AND b.load = c.load"""
_TOLD = "SELECT file_id, path, load, expected, found, state FROM verdicts WHERE kind = ? ORDER BY path, load"
_TOTALS = """
SELECT coalesce(sum(f.rows) FILTER (l.load IS NOT NULL), 0), coalesce(sum(f.rows) FILTER (l.load IS NULL), 0)
FROM found f LEFT JOIN loads l ON l.load = f.load"""
ROW_KINDS = (
    DifferenceKind.ROWS_MISSING,
    DifferenceKind.ROWS_TOO_MANY,
    DifferenceKind.ROWS_OUTDATED,
    DifferenceKind.ROWS_UNRECORDED,
    DifferenceKind.ROWS_OF_UNKNOWN_FILE,
    DifferenceKind.ROWS_OF_UNKNOWN_LOAD,
)


@dataclass(frozen=True, slots=True)
class Totals:
    """Rows of a table that this ingestion's loads brought, and those that others brought."""

    ours: int
    others: int


def read_rows(asked: Asked, bench: Workbench, table: Table, manifests: list[ManifestFile], target: str) -> None:
    """Lay out whose rows a snapshot holds, and which data files it refers to.

    Raises:
        LakeError: the table cannot be read.
    """
    bench.run("DELETE FROM parts")
    done, total = 0, whose.data_files(manifests)
    for rows in whose.rows(table, manifests):
        bench.add_arrow("parts", rows.counted, _PART, target)
        if rows.last:
            bench.add("referred", REFERRED, [(rows.location,)])
            done += 1
            asked.watcher.reading(Reading(what="table", done=done, total=max(total, done)))


def compare(database: Database, asked: Asked, bench: Workbench, target: str) -> Totals:
    """Find what differs between the rows that were read and those that are expected."""
    bench.run(_FOUND)
    note_foreign(database, bench, [load for (load,) in bench.rows(_STRANGE_LOADS)])
    bench.run(_COMPARED, target)
    bench.run(_VERDICTS, parse_source_path(asked.ingestion.source_path).path)
    return Totals(*bench.one(_TOTALS))


def note_foreign(database: Database, bench: Workbench, loads: list[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Ask the ledger which of some loads it knows, and note them; the ingestion of each."""
    found: dict[uuid.UUID, int] = {}
    for start in range(0, len(loads), ASKED_AT_ONCE):
        with connected(database) as connection:
            known = evidence.known(connection, loads[start : start + ASKED_AT_ONCE], CLEARING)
        found |= {load: ingestion_id for load, (ingestion_id, _) in known.items()}
    bench.add("foreign_loads", {"load": pa.string()}, [(str(load),) for load in found])
    return found


def differences(bench: Workbench, ingestion: Ingestion, target: str) -> Iterator[Difference]:
    """What ``compare`` found, kind by kind."""
    is_ours = _recognizer(ingestion)
    for kind in ROW_KINDS:
        for file_id, stored, load, expected, found, state in bench.rows(_TOLD, kind.value):
            path = None if stored is None else told_path(stored)
            if file_id is None and kind is DifferenceKind.ROWS_OF_UNKNOWN_LOAD and not is_ours(path):
                continue
            yield Difference(
                kind=kind,
                message=_message(kind, expected, found, state),
                table=target,
                file_path=path,
                load_id=load,
                expected=expected,
                found=found,
            )


def _recognizer(ingestion: Ingestion) -> Callable[[str | None], bool]:
    """Whether a path that the ledger does not know is one that the ingestion would load."""
    source = parse_source_path(ingestion.source_path).path
    pattern = Pattern(ingestion.source_file_pattern)
    return lambda path: path is not None and path.startswith(source) and pattern.matches(path.removeprefix(source))


def _message(kind: DifferenceKind, expected: int | None, found: int | None, state: str | None) -> str:
    there = f"{found or 0:,} row{'' if found == 1 else 's'}"
    match kind:
        case DifferenceKind.ROWS_MISSING:
            return f"the ledger claims {expected or 0:,} rows of this file, and the table holds {found or 0:,}"
        case DifferenceKind.ROWS_TOO_MANY:
            return f"the table holds {there} of this file, and the ledger claims {expected or 0:,}"
        case DifferenceKind.ROWS_OUTDATED:
            return f"{there} of an earlier load are still in the table, though a later one took their place"
        case DifferenceKind.ROWS_OF_UNKNOWN_FILE:
            return f"the table holds {there} of a file that the ledger does not know"
        case DifferenceKind.ROWS_OF_UNKNOWN_LOAD:
            return f"the table holds {there} of a load that the ledger does not know"
        case _:
            return f"the table holds {there} that the ledger does not claim: their load is {state}"


_CONTRADICTED = """
SELECT d.path, c.load, c.rows, c.state, c.brought
FROM contradictions c JOIN files d ON d.id = c.file_id ORDER BY d.path"""


def contradictions(bench: Workbench, table_name: str) -> Iterator[Difference]:
    """Where the ledger says one thing of a file and another of its loads."""
    for path, load, rows, state, brought in bench.rows(_CONTRADICTED):
        if state is None:
            why = "of that load it knows nothing"
        elif brought is None:
            why = f"of that load, which is {state}, it knows no success with this file"
        else:
            why = f"its history says {brought:,}"
        yield Difference(
            kind=DifferenceKind.LEDGER_CONTRADICTION,
            message=f"the ledger says that a load brought {rows:,} rows of this file, but {why}",
            table=table_name,
            file_path=told_path(path),
            load_id=load,
            expected=rows,
        )
