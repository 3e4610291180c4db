"""Fills a ledger with very many files and their history, as months of work would have left it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from autoloader.ledger import ingestions
from autoloader.ledger.database import connect, transaction, upgrade
from autoloader.model import FormatType, NewIngestion

if TYPE_CHECKING:
    from sqlalchemy import Engine

SHARES = {"events": 60, "clicks": 25, "orders": 14, "users": 1}
"""Of a hundred files, how many belong to each ingestion that has any."""
IDLE = 16
"""Ingestions that have runs and no file."""
RUNS_PER_INGESTION = 5_000
FILES_PER_LOAD = 200

_RUNS = """
INSERT INTO runs (ingestion_id, tenant_id, trigger, status, started_at, ended_at, files_discovered, files_processed,
    files_succeeded, files_failed, records_ingested, bytes_read, errors)
SELECT i.id, i.tenant_id, 'manual', s.status, t.at, t.at + interval '90 seconds', 200, 200, 198, 2, 20000, 4400000,
    CASE s.status WHEN 'FAILED' THEN jsonb_build_array(jsonb_build_object('message', 'The store did not answer.',
        'type', 'SourceUnavailable', 'file_path', NULL, 'timestamp', t.at)) ELSE '[]' END
FROM ingestions i, generate_series(1, :runs) n,
    LATERAL (SELECT now() - (:runs - n) * interval '10 minutes' AS at) t,
    LATERAL (SELECT CASE n % 50 WHEN 0 THEN 'FAILED' WHEN 1 THEN 'CANCELLED' ELSE 'SUCCESS' END AS status) s
WHERE i.name = :name"""
_LOADS = """
INSERT INTO loads (id, ingestion_id, run_id, state, worker, lease_until, started_at, prepared_at, ended_at, table_name,
    snapshot_id, files, bytes)
SELECT md5(i.name || n)::uuid, i.id, r.first + n % :runs, 'COMMITTED', 'host:1:abc', t.at, t.at, t.at, t.at,
    'lake.raw.' || i.name, 1000000 + n, :each, 4400000
FROM ingestions i, generate_series(0, :files / :each) n,
    LATERAL (SELECT min(id) AS first FROM runs WHERE ingestion_id = i.id) r,
    LATERAL (SELECT now() - (:files / :each - n) * interval '10 minutes' AS at) t
WHERE i.name = :name"""
_FILES = """
INSERT INTO processed_files (ingestion_id, run_id, file_path, file_size_bytes, file_modified_at, file_etag, status,
    ever_loaded, discovered_at, processing_started_at, processed_at, records_ingested, bytes_read,
    processing_duration_ms, error_type, error_message, retry_count, load_id, snapshot_id, created_at, updated_at)
SELECT i.id, r.first + n / :each % :runs, i.source_path || p.path, 22000, l.at, md5(n::text), s.status,
    s.status = 'SUCCESS', l.at, l.at, CASE WHEN s.done THEN l.at END,
    CASE s.status WHEN 'SUCCESS' THEN 100 ELSE 0 END, CASE WHEN s.done THEN 22000 ELSE 0 END,
    CASE WHEN s.done THEN 12 END, CASE s.status WHEN 'FAILED' THEN 'BadRecord' WHEN 'SKIPPED' THEN 'TooLarge' END,
    CASE s.status WHEN 'FAILED' THEN 'line 3: not_bigint: column id holds "x", which is no BIGINT'
        WHEN 'SKIPPED' THEN 'the file has 6000000000 bytes, more than max_file_size_bytes' END,
    CASE s.status WHEN 'FAILED' THEN 3 ELSE 0 END, CASE WHEN s.status IN ('SUCCESS', 'FAILED') THEN l.load_id END,
    CASE s.status WHEN 'SUCCESS' THEN 1000000 + n / :each END, l.at, l.at
FROM ingestions i, generate_series(0, :files - 1) n,
    LATERAL (SELECT min(id) AS first FROM runs WHERE ingestion_id = i.id) r,
    LATERAL (SELECT md5(i.name || n / :each)::uuid AS load_id, now() - (:files - n) * interval '3 seconds' AS at) l,
    LATERAL (SELECT format('dt=%s/hour=%s/part-%s-%s.json', date '2024-01-01' + (n / 2000)::int,
        lpad((n / 84 % 24)::text, 2, '0'), lpad(n::text, 8, '0'), left(md5(n::text), 8)) AS path) p,
    LATERAL (SELECT CASE WHEN n % 100 = 7 THEN 'FAILED' WHEN n % 100 = 8 THEN 'SKIPPED'
        WHEN n >= :files * 0.99 THEN 'DISCOVERED' ELSE 'SUCCESS' END AS status,
        n % 100 IN (7, 8) OR n < :files * 0.99 AS done) s
WHERE i.name = :name"""
_OUTCOMES = """
INSERT INTO outcomes (file_id, run_id, load_id, file_etag, file_size_bytes, file_modified_at, status, records_ingested,
    bytes_read, duration_ms, error_type, error_message, recorded_at)
SELECT id, run_id, load_id, file_etag, file_size_bytes, file_modified_at, status, records_ingested, bytes_read, 12,
    error_type, error_message, updated_at
FROM processed_files WHERE status <> 'DISCOVERED'"""


def fill(url: str, files: int) -> None:
    """Make a ledger in an empty database and put so many files into it, of four ingestions out of twenty.

    One file in a hundred failed, one was skipped, and the newest hundredth waits.
    """
    upgrade(url)
    database = connect(url)
    try:
        _fill(database, files)
    finally:
        database.dispose()


def _fill(database: Engine, files: int) -> None:
    for name in (*SHARES, *(f"idle-{number:02}" for number in range(IDLE))):
        values: dict[str, object] = {"name": name, "runs": RUNS_PER_INGESTION, "each": FILES_PER_LOAD}
        with transaction(database) as connection:
            ingestions.insert(connection, _ingestion(name))
            connection.execute(text(_RUNS), values)
            if name in SHARES:
                values["files"] = files * SHARES[name] // 100
                connection.execute(text(_LOADS), values)
                connection.execute(text(_FILES), values)
                connection.execute(text("UPDATE ingestions SET files = :files WHERE name = :name"), values)
    with transaction(database) as connection:
        connection.execute(text(_OUTCOMES))
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def _ingestion(name: str) -> NewIngestion:
    return NewIngestion(
        name=name,
        source_path=f"s3://landing/{name}/",
        format_type=FormatType.JSON,
        schema_json='{"type": "struct", "fields": []}',
        catalog="lake",
        database="raw",
        table=name.replace("-", "_"),
    )
