"""The ledger at one moment and the bucket after it, laid out on the workbench."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from autoloader.discovery import Scope, matching
from autoloader.ledger import evidence
from autoloader.ledger.database import consistent
from autoloader.ledger.records import stored_path
from autoloader.model import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autoloader.verifying import Asked, Sides
    from autoloader.verifying.workbench import Workbench

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID, _COUNT, _TEXT = pa.int64(), pa.int64(), pa.string()
FILES: dict[str, pa.DataType] = {
    "id": _ID,
    "path": _TEXT,
    "etag": _TEXT,
    "status": _TEXT,
    "deferred": pa.bool_(),
    "rows": _COUNT,
    "load": _TEXT,
    "reason": _TEXT,
}
BROUGHT: dict[str, pa.DataType] = {"place": _ID, "file_id": _ID, "load": _TEXT, "rows": _COUNT, "rejects": _COUNT}
LOADS: dict[str, pa.DataType] = {
    "load": _TEXT,
    "state": _TEXT,
    "clears": _TEXT,
    "target": _TEXT,
    "snapshot_id": _ID,
    "started_at": pa.int64(),
    "ended_at": pa.int64(),
    "rejects_target": _TEXT,
}
LISTED: dict[str, pa.DataType] = {"path": _TEXT, "etag": _TEXT}
CHUNK = 20_000


def read_ledger(sides: Sides, asked: Asked, bench: Workbench) -> datetime:
    """Lay out what the ledger says of the ingestion's files and loads at one moment, which is returned.

    Raises:
        LedgerUnavailable: the ledger cannot be reached.
    """
    ingestion_id = asked.ingestion.id
    with consistent(sides.database) as connection:
        at = evidence.moment(connection)
        files = evidence.count(connection, ingestion_id)
        done = 0
        for table, shape, read in (
            ("files", FILES, evidence.files),
            ("brought", BROUGHT, evidence.brought),
            ("loads", LOADS, evidence.loads),
        ):
            with closing(read(connection, ingestion_id)) as chunks:
                for chunk in chunks:
                    bench.add(table, shape, _timed(chunk) if table == "loads" else chunk)
                    done += len(chunk)
                    # Most files were brought by one load: twice as many rows as files is a fair guess.
                    asked.watcher.reading(Reading(what="ledger", done=done, total=max(2 * files, done)))
    return at


def _timed(chunk: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Instants as microseconds, which need no time zone anywhere."""
    return [tuple(_micros(value) if isinstance(value, datetime) else value for value in row) for row in chunk]


def _micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def instant(micros: int) -> datetime:
    """The instant that a column of the workbench tells."""
    return EPOCH + timedelta(microseconds=micros)


def list_bucket(sides: Sides, asked: Asked, bench: Workbench) -> None:
    """Lay out what of the bucket the ingestion is about.

    Raises:
        SourceError: the bucket cannot be listed.
    """
    seen = 0
    with sides.open_store(asked.ingestion) as store:
        pages = matching(store, asked.ingestion, Scope())
        for chunk in _chunks([(stored_path(each.path), each.etag) for each in page] for page in pages):
            bench.add("listed", LISTED, chunk)
            seen += len(chunk)
            asked.watcher.reading(Reading(what="bucket", done=seen))


def _chunks(pages: Iterator[list[tuple[str, str]]]) -> Iterator[list[tuple[str, str]]]:
    chunk: list[tuple[str, str]] = []
    for page in pages:
        chunk += page
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


_STANDING = """
CREATE TABLE standing AS
SELECT CASE WHEN f.id IS NULL THEN 'waiting'
            WHEN f.status = 'PROCESSING' THEN 'waiting'
            WHEN f.etag <> l.etag THEN 'waiting'
            WHEN f.status = 'SUCCESS' THEN 'loaded'
            WHEN f.status = 'FAILED' THEN 'failed'
            WHEN f.status = 'SKIPPED' THEN 'skipped'
            ELSE 'waiting' END AS word,
       CASE WHEN f.id IS NULL THEN 'new'
            WHEN f.status = 'PROCESSING' THEN 'processing'
            WHEN f.etag <> l.etag THEN 'changed'
            WHEN f.status = 'SKIPPED' THEN coalesce(f.reason, 'unknown')
            WHEN f.status = 'DISCOVERED' AND f.deferred THEN 'deferred'
            WHEN f.status = 'DISCOVERED' THEN 'discovered' END AS reason,
       count(*) AS files
FROM (SELECT path, any_value(etag) AS etag FROM listed GROUP BY path) l LEFT JOIN files f ON f.path = l.path
GROUP BY ALL"""
_GONE = "SELECT count(*) FROM files f WHERE NOT EXISTS (SELECT 1 FROM listed l WHERE l.path = f.path)"


class Standing:
    """How the listed files stand, each counted once: what was listed is the sum of the rest."""

    def __init__(self, bench: Workbench) -> None:
        bench.run(_STANDING)
        self._counted = list(bench.rows("SELECT word, reason, files FROM standing ORDER BY ALL"))
        self.gone: int = bench.one(_GONE)[0]

    def count(self, word: str) -> int:
        """How many are loaded, failed, skipped or waiting."""
        return sum(files for name, _, files in self._counted if name == word)

    def by_reason(self, word: str) -> Mapping[str, int]:
        """The same by reason."""
        return {reason: files for name, reason, files in self._counted if name == word}

    @property
    def listed(self) -> int:
        """How many there are."""
        return sum(files for _, _, files in self._counted)
