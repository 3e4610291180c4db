"""What the next run would read, without a run: the bucket's listing held against the ledger, and nothing is written.

    listing (temporary) ──┐
                          ├──join──▶ one row for each file that waits, or that a run would refuse to read
    known files ──────────┘

The words follow what ``listing`` does with a listed object and what ``files.requeue_failed`` does with a failed file;
a test lets a run do it and compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoloader.ledger.copying import copied
from autoloader.ledger.joining import joined_as_sets
from autoloader.ledger.listing import LISTING
from autoloader.ledger.statement import named
from autoloader.model import ARCHIVE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from sqlalchemy import Connection

    from autoloader.model import Ingestion

CHUNK = 10_000

_PENDING = named(
    "pending.files",
    "What the next run would do with each listed or waiting file; those that are settled are left out.",
    """
    SELECT * FROM (
        SELECT coalesce(l.path, f.file_path), coalesce(l.size_bytes, f.file_size_bytes), coalesce(l.etag, f.file_etag),
            coalesce(l.modified_at, f.file_modified_at),
            CASE WHEN f.status = 'PROCESSING' THEN NULL
                 WHEN f.status = 'DISCOVERED' AND (l.path IS NULL OR l.etag = f.file_etag) THEN 'discovered'
                 WHEN f.status = 'FAILED' AND (l.path IS NULL OR l.etag = f.file_etag) THEN
                    CASE WHEN f.retry_count < :max_retries AND f.error_type IS DISTINCT FROM 'ChangedRefused'
                         THEN 'retried' END
                 WHEN l.path IS NULL THEN NULL
                 WHEN l.etag = f.file_etag AND NOT (f.status = 'SKIPPED' AND f.error_type = 'TooLarge'
                    AND l.size_bytes <= :max_bytes) THEN NULL
                 WHEN f.ever_loaded AND :on_changed_file = 'ignore' THEN 'ChangedIgnored'
                 WHEN f.ever_loaded AND :on_changed_file = 'fail' THEN 'ChangedRefused'
                 WHEN l.size_bytes > :max_bytes THEN 'TooLarge'
                 WHEN l.path ~* :archive THEN 'Archive'
                 WHEN f.id IS NULL THEN 'new'
                 WHEN l.etag = f.file_etag THEN 'fits'
                 ELSE 'changed' END AS word
        FROM listing l
        FULL JOIN (SELECT * FROM processed_files WHERE ingestion_id = :ingestion_id) f ON f.file_path = l.path
    ) p WHERE word IS NOT NULL ORDER BY word = 'retried', 1""",
)


def pending(
    conn: Connection, ingestion: Ingestion, listed: Iterable[tuple[object, ...]]
) -> Generator[Sequence[Sequence[Any]]]:
    """``path as stored, size, etag, modified at, word`` of every file that waits or would be refused, in chunks.

    Those that an earlier run FAILED come last. Words of waiting files begin with a small letter: ``new``, ``changed``,
    ``discovered``, ``fits``, ``retried``; those of files that a run would not read are reasons: ``TooLarge``,
    ``Archive``, ``ChangedIgnored``, ``ChangedRefused``. A file in a load at this moment is left out.

    Args:
        listed: path as stored, size, etag, modified at; no path twice.
    """
    copied(conn, "listing", LISTING, listed)
    values = {
        "ingestion_id": ingestion.id,
        "max_retries": ingestion.max_retries,
        "max_bytes": ingestion.max_file_size_bytes,
        "on_changed_file": ingestion.on_changed_file,
        "archive": ARCHIVE,
    }
    options = {"stream_results": True, "max_row_buffer": CHUNK}
    with joined_as_sets(conn), conn.execute(_PENDING, values, execution_options=options) as rows:
        yield from rows.partitions(CHUNK)
