"""A part of a listing merged into the files the ledger knows: one COPY and a few set statements, whatever its size.

    bucket ──COPY──▶ listing ──join──▶ news: what is not simply unchanged ──▶ new files
                                                                         └──▶ changed files

What a listed object means:

    unknown path                        DISCOVERED
    known, same etag                    nothing is written, but these wait again: a file that an earlier run put back,
                                        a file SKIPPED as too large that fits by now
    known, other etag, in a load        nothing: the next listing sees it
    known, other etag, never loaded     DISCOVERED, a new version with no retries behind it
    known, other etag, loaded before    ``on_changed_file``: DISCOVERED (replace, append), SKIPPED (ignore),
                                        FAILED (fail)
    larger than max_file_size_bytes,    SKIPPED instead of DISCOVERED
    or an archive by its name

Whatever discovery decides by itself (SKIPPED, FAILED, a version that was never tried before a newer one came) is an
outcome without a load, so that the history of a file has no gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.errors import LeaseLost, NotKnown
from autoloader.ledger.copying import copied
from autoloader.ledger.joining import joined_as_sets, joined_by_lookups
from autoloader.ledger.records import stored_path
from autoloader.ledger.statement import named
from autoloader.model import ARCHIVE, ARCHIVE_ADVICE, ListingCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from autoloader.model import Ingestion, SourceObject

_LOCK = named(
    "listing.lock",
    "One merge for each ingestion at a time; also tells whether the ingestion is still there.",
    "SELECT id FROM ingestions WHERE id = :ingestion_id FOR NO KEY UPDATE",
)
_LEADS = named(
    "listing.leads",
    "Whether this worker still leads the run. Asked under the lock, so that no later leader has recorded anything yet.",
    """SELECT EXISTS (SELECT FROM runs
        WHERE id = :run_id AND status = 'RUNNING' AND listed_at IS NULL AND worker = :worker)""",
)
LISTING = {"path": 'text COLLATE "C"', "size_bytes": "bigint", "etag": "text", "modified_at": "timestamptz"}
_NEWS = """
    CREATE TEMPORARY TABLE news ON COMMIT DROP AS
    SELECT l.path, l.size_bytes, l.etag, l.modified_at, f.id AS file_id,
        CASE WHEN l.size_bytes > :max_bytes THEN 'TooLarge' WHEN l.path ~* :archive THEN 'Archive' END AS refusal
    FROM listing l LEFT JOIN processed_files f ON f.ingestion_id = :ingestion_id AND f.file_path = l.path {range}
    WHERE f.id IS NULL
       OR (f.file_etag <> l.etag AND f.status <> 'PROCESSING')
       OR (f.deferred AND f.run_id <> :run_id)
       OR (f.status = 'SKIPPED' AND f.error_type = 'TooLarge' AND l.size_bytes <= :max_bytes)"""
_NEWS_BY_PATH = named(
    "listing.news_by_path",
    "What a few listed objects mean for the ledger: each is looked up by its path.",
    _NEWS.format(range=""),
)
_NEWS_BY_RANGE = named(
    "listing.news_by_range",
    "What many listed objects mean: they are joined with the range of known paths that they span.",
    _NEWS.format(range="AND f.file_path BETWEEN :first AND :last"),
)
_AT_MOST = named(
    "listing.at_most",
    "Leaves what is above the limit of this run to later ones.",
    "DELETE FROM news WHERE path NOT IN (SELECT path FROM news ORDER BY path LIMIT :at_most)",
)
_COUNT = named("listing.count", "How much news there is.", "SELECT count(*) FROM news")
_MEASURE = named(
    "listing.measure_news",
    "Tells the planner how much news there is: a little is looked up, a lot is joined.",
    "ANALYZE pg_temp.news",
)

_WHY = """CASE n.refusal
    WHEN 'TooLarge' THEN format('the file has %s bytes, more than max_file_size_bytes = %s: raise the limit to load it',
        n.size_bytes, CAST(:max_bytes AS bigint))
    WHEN 'Archive' THEN CAST(:archive_advice AS text) END"""
_ADD = named(
    "listing.add",
    "Adds the files never seen before.",
    f"""
    WITH added AS (
        INSERT INTO processed_files (ingestion_id, run_id, file_path, file_size_bytes, file_modified_at, file_etag,
            status, error_type, error_message, discovered_at)
        SELECT :ingestion_id, :run_id, n.path, n.size_bytes, n.modified_at, n.etag,
            CASE WHEN n.refusal IS NULL THEN 'DISCOVERED' ELSE 'SKIPPED' END, n.refusal, {_WHY}, now()
        FROM news n WHERE n.file_id IS NULL ORDER BY n.path
        ON CONFLICT (ingestion_id, file_path) DO NOTHING
        RETURNING status
    )
    SELECT count(*) FILTER (WHERE status = 'DISCOVERED') AS waiting,
           count(*) FILTER (WHERE status = 'SKIPPED') AS skipped
    FROM added""",
)
_NOTE_SKIPPED = named(
    "listing.note_skipped",
    "Notes new files that are too large, or archives, in their history.",
    """
    INSERT INTO outcomes (file_id, run_id, file_etag, file_size_bytes, file_modified_at, status, error_type,
        error_message)
    SELECT f.id, :run_id, f.file_etag, f.file_size_bytes, f.file_modified_at, f.status, f.error_type, f.error_message
    FROM news n JOIN processed_files f ON f.ingestion_id = :ingestion_id AND f.file_path = n.path
    WHERE n.file_id IS NULL AND n.refusal IS NOT NULL""",
)
_HOLD = named(
    "listing.hold",
    "Locks the known files there is news about, unless a load has taken them in the meantime; and notes the versions "
    "that were never tried before this one came.",
    """
    WITH held AS MATERIALIZED (
        SELECT f.* FROM processed_files f JOIN news n ON f.id = n.file_id
        WHERE f.status <> 'PROCESSING' ORDER BY f.id FOR UPDATE OF f
    )
    INSERT INTO outcomes (file_id, run_id, file_etag, file_size_bytes, file_modified_at, status, error_type,
        error_message)
    SELECT h.id, :run_id, h.file_etag, h.file_size_bytes, h.file_modified_at, 'SKIPPED', 'Superseded',
        'a newer version was listed before this one was loaded'
    FROM held h JOIN news n ON n.file_id = h.id
    WHERE h.status = 'DISCOVERED' AND h.file_etag <> n.etag""",
)
_CHANGE = named(
    "listing.change",
    "Moves the known files to what was listed, with the status that follows.",
    f"""
    WITH verdict AS (
        SELECT f.id, n.etag, n.size_bytes, n.modified_at, f.file_etag <> n.etag AS other,
            CASE WHEN f.file_etag = n.etag AND f.status = 'DISCOVERED' THEN 'wait'
                 WHEN f.ever_loaded AND :on_changed_file = 'ignore' THEN 'ignore'
                 WHEN f.ever_loaded AND :on_changed_file = 'fail' THEN 'refuse'
                 WHEN n.refusal IS NOT NULL THEN 'skip'
                 ELSE 'wait' END AS word,
            n.refusal, {_WHY} AS why
        FROM processed_files f JOIN news n ON f.id = n.file_id WHERE f.status <> 'PROCESSING'
    ), changed AS (
        UPDATE processed_files f SET
            run_id = :run_id, file_etag = v.etag, file_size_bytes = v.size_bytes, file_modified_at = v.modified_at,
            status = CASE v.word WHEN 'wait' THEN 'DISCOVERED' WHEN 'refuse' THEN 'FAILED' ELSE 'SKIPPED' END,
            error_type = CASE v.word WHEN 'ignore' THEN 'ChangedIgnored' WHEN 'refuse' THEN 'ChangedRefused'
                WHEN 'skip' THEN v.refusal END,
            error_message = CASE v.word
                WHEN 'ignore' THEN 'an earlier version is in the table, and on_changed_file is ignore'
                WHEN 'refuse' THEN 'an earlier version is in the table, and on_changed_file is fail: '
                    'retry the file to load this version in place of the earlier one'
                WHEN 'skip' THEN v.why END,
            discovered_at = CASE WHEN v.other THEN now() ELSE f.discovered_at END,
            retry_count = CASE WHEN v.other THEN 0 ELSE f.retry_count END,
            deferred = false, load_id = NULL, snapshot_id = NULL, processing_started_at = NULL, processed_at = NULL,
            records_ingested = 0, records_rejected = 0, bytes_read = 0, processing_duration_ms = NULL,
            updated_at = now()
        FROM verdict v WHERE f.id = v.id
        RETURNING f.id, f.file_etag, f.file_size_bytes, f.file_modified_at, f.status, f.error_type, f.error_message,
            v.other
    ), noted AS (
        INSERT INTO outcomes (file_id, run_id, file_etag, file_size_bytes, file_modified_at, status, error_type,
            error_message)
        SELECT id, :run_id, file_etag, file_size_bytes, file_modified_at, status, error_type, error_message
        FROM changed WHERE status <> 'DISCOVERED'
    )
    SELECT count(*) FILTER (WHERE status = 'DISCOVERED' AND other) AS changed,
           count(*) FILTER (WHERE status = 'DISCOVERED' AND NOT other) AS requeued,
           count(*) FILTER (WHERE status = 'SKIPPED') AS skipped,
           count(*) FILTER (WHERE status = 'FAILED') AS refused
    FROM changed""",
)
_DROP = named("listing.drop", "The next part makes its own.", "DROP TABLE pg_temp.listing, pg_temp.news")
_COUNTED = named(
    "listing.counted",
    "Adds what a part of the listing found to the counters of its run.",
    """
    UPDATE runs SET files_discovered = files_discovered + :discovered, files_skipped = files_skipped + :skipped,
        files_failed = files_failed + :refused, files_processed = files_processed + :refused
    WHERE id = :run_id""",
)


_SEEN = named(
    "listing.seen",
    "Adds the files never seen before to the count that the ingestion keeps.",
    "UPDATE ingestions SET files = files + :added WHERE id = :ingestion_id",
)


def record_listing(
    conn: Connection,
    ingestion: Ingestion,
    run_id: int,
    objects: Iterable[SourceObject],
    *,
    worker: str,
    at_most: int | None = None,
    looked_up: int = 1_000,
) -> ListingCounts:
    """Merge a part of a listing into the ledger. Parts come in any order; the same part again changes nothing.

    Args:
        objects: no path twice.
        worker: the one who listed; it must still lead the run, so that an old observation never undoes a newer one.
        at_most: record so much news only, in the order of the paths; later runs find the rest.
        looked_up: so many objects are looked up by their paths; more are merged with the range of paths they span.

    Raises:
        LeaseLost: another worker leads the run, or its listing is complete, or it has ended.
        NotKnown: the ingestion was deleted.
    """
    if conn.scalar(_LOCK, {"ingestion_id": ingestion.id}) is None:
        raise NotKnown(f"ingestion {ingestion.name} was deleted while it was listed")
    if not conn.scalar(_LEADS, {"run_id": run_id, "worker": worker}):
        raise LeaseLost(f"worker {worker} does not lead run {run_id} any more: another one lists the bucket")
    rows = [(stored_path(o.path), o.size_bytes, o.etag, o.modified_at) for o in objects]
    copied(conn, "listing", LISTING, rows)
    values: dict[str, int | str] = {
        "ingestion_id": ingestion.id,
        "run_id": run_id,
        "max_bytes": ingestion.max_file_size_bytes,
        "archive": ARCHIVE,
        "archive_advice": ARCHIVE_ADVICE,
    }
    _gather_news(conn, [row[0] for row in rows], values, few=len(rows) <= looked_up)
    news = conn.scalar(_COUNT) or 0
    counts = ListingCounts(listed=len(rows), unchanged=len(rows) - news)
    if news and at_most is not None:
        conn.execute(_AT_MOST, {"at_most": max(at_most, 0)})
    if news:
        counts += _act(conn, ingestion, values)
    conn.execute(_DROP)
    return counts


def _gather_news(conn: Connection, paths: Sequence[str], values: dict[str, int | str], *, few: bool) -> None:
    if few:
        with joined_by_lookups(conn):
            conn.execute(_NEWS_BY_PATH, values)
    else:
        with joined_as_sets(conn):
            conn.execute(_NEWS_BY_RANGE, values | {"first": min(paths), "last": max(paths)})


def _act(conn: Connection, ingestion: Ingestion, values: dict[str, int | str]) -> ListingCounts:
    conn.execute(_MEASURE)
    added = conn.execute(_ADD, values).one()
    if added.waiting or added.skipped:
        conn.execute(_SEEN, {"ingestion_id": ingestion.id, "added": added.waiting + added.skipped})
    if added.skipped:
        with joined_by_lookups(conn):
            conn.execute(_NOTE_SKIPPED, values)
    conn.execute(_HOLD, values)
    changed = conn.execute(_CHANGE, values | {"on_changed_file": ingestion.on_changed_file}).one()
    counts = ListingCounts(
        new=added.waiting,
        changed=changed.changed,
        skipped=added.skipped + changed.skipped,
        refused=changed.refused,
        requeued=changed.requeued,
    )
    discovered = counts.new + counts.changed + counts.requeued + counts.skipped + counts.refused
    decided = {"discovered": discovered, "skipped": counts.skipped, "refused": counts.refused}
    conn.execute(_COUNTED, {"run_id": values["run_id"]} | decided)
    return counts
