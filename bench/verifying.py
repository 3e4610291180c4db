"""How much memory and time a verification takes of a million files: ``python bench/verifying.py [FILES] [ROWS]``.

The ledger and the table are real: PostgreSQL with a row and an outcome for each file, an Iceberg table with ``ROWS``
rows of each in loads of 10,000 files. The bucket is not: a million objects take longer to put there than to compare, so
a store stands in that lists the same keys page by page. The verification runs in a process of its own, whose memory is
read at its end.
"""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import psycopg
from sqlalchemy import text
from sqlalchemy.engine import make_url

from autoloader.lake.catalogs import open_catalog
from autoloader.lake.data_files import Uploader
from autoloader.lake.publish import Change, publish
from autoloader.lake.tables import ensure_table, shape
from autoloader.ledger import ingestions, runs
from autoloader.ledger.database import connect, transaction, upgrade
from autoloader.model import DataFile, FormatType, NewIngestion, RunTrigger, SourceObject
from autoloader.runtime import Runtime
from autoloader.schema import parse_schema
from autoloader.settings import Settings
from autoloader.stack import Stack
from autoloader.verifying import Asked
from autoloader.verifying.verification import verify

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from pyiceberg.table import Table
    from sqlalchemy import Engine

    from autoloader.model import Difference, Ingestion, Reading
    from autoloader.objects import ObjectStore, Whole
    from autoloader.settings import Connections

FILES, ROWS, PER_LOAD, PAGE = 1_000_000, 10, 10_000, 1_000
NAME, NAMESPACE = "events", "verifying"
SOURCE = "s3://landing/verifying/"
MODIFIED = datetime(2024, 1, 15, tzinfo=UTC)
DAMAGED = 7
"""So many files lose their rows, so that a difference is looked for and found."""

_LOADS = """
INSERT INTO loads (id, ingestion_id, run_id, state, worker, lease_until, started_at, prepared_at, ended_at, table_name,
    snapshot_id, files, bytes)
SELECT md5('load ' || n)::uuid, :id, :run_id, 'COMMITTED', 'bench', now(), now(), now(), now(), :table_name,
    (CAST(:snapshots AS bigint[]))[n + 1], :each, 1 FROM generate_series(0, :loads - 1) n"""
_FILES = """
INSERT INTO processed_files (ingestion_id, run_id, file_path, file_size_bytes, file_modified_at, file_etag, status,
    ever_loaded, discovered_at, processed_at, records_ingested, load_id, snapshot_id)
SELECT :id, :run_id, :source || 'part-' || lpad(n::text, 8, '0') || '.json', 1, now(), 'v1', 'SUCCESS', true, now(),
    now(), :rows, md5('load ' || n / :each)::uuid, (CAST(:snapshots AS bigint[]))[n / :each + 1]
FROM generate_series(0, :files - 1) n"""
_OUTCOMES = """
INSERT INTO outcomes (file_id, run_id, load_id, file_etag, file_size_bytes, file_modified_at, status, records_ingested)
SELECT id, run_id, load_id, file_etag, 1, now(), status, records_ingested FROM processed_files"""


def part(number: int) -> str:
    """The path of a file."""
    return f"{SOURCE}part-{number:08}.json"


class Listed:
    """A store that lists the files, page by page, and holds none of them."""

    def __init__(self, files: int) -> None:
        self._files = files

    def pages(self, _prefix: str) -> Iterator[Sequence[SourceObject]]:
        """Every file, as a bucket would list them."""
        for start in range(0, self._files, PAGE):
            numbers = range(start, min(start + PAGE, self._files))
            yield [SourceObject(path=part(n), size_bytes=1, etag="v1", modified_at=MODIFIED) for n in numbers]

    def read(self, path: str, etag: str, *, start: int = 0) -> Iterator[bytes]:
        """Nothing is read by a verification."""
        raise AssertionError(path, etag, start)

    def read_small(self, versions: Sequence[tuple[str, str]]) -> Generator[Sequence[Whole]]:
        """Nothing is read by a verification."""
        raise AssertionError(versions)


def _fill_table(table: Table, files: int, rows: int, folder: Path) -> list[int | None]:
    """Publish the rows of every load; the snapshot of each."""
    snapshots: list[int | None] = []
    for number in range((files + PER_LOAD - 1) // PER_LOAD):
        load_id = _load_id(number)
        path = folder / f"{number}.parquet"
        count = _write(table, path, number, files, rows)
        entry = Uploader(table, load_id).upload(DataFile(location=path, records=count))
        snapshots.append(publish(table, load_id, Change(added=[entry]), lambda: True))
    return snapshots


def _load_id(number: int) -> uuid.UUID:
    return uuid.UUID(hashlib.md5(f"load {number}".encode(), usedforsecurity=False).hexdigest())


def _write(table: Table, path: Path, number: int, files: int, rows: int) -> int:
    load_id = _load_id(number)
    ids = ", ".join(f"{name}: {field_id}" for (name,), field_id in shape(table).field_ids.items())
    first, last = number * PER_LOAD, min((number + 1) * PER_LOAD, files)
    damaged = f"WHERE f >= {DAMAGED}" if number == 0 else ""
    query = f"""
        COPY (SELECT f * {rows} + r AS id, '{SOURCE}part-' || lpad(f::VARCHAR, 8, '0') || '.json' AS _source_file,
            TIMESTAMPTZ '2024-01-15 00:00:00+00' AS _source_modified_at, '{load_id}' AS _load_id,
            TIMESTAMPTZ '2024-01-15 00:00:00+00' AS _loaded_at
        FROM range({first}, {last}) files(f), range({rows}) numbers(r) {damaged})
        TO '{path}' (FORMAT parquet, COMPRESSION zstd, FIELD_IDS {{{ids}}})"""
    with duckdb.connect() as connection:
        connection.execute(query)
    return (last - first - (DAMAGED if number == 0 else 0)) * rows


def _fill_ledger(database: Engine, ingestion: Ingestion, files: int, rows: int, snapshots: list[int | None]) -> None:
    with transaction(database) as connection:
        run, _ = runs.enqueue(connection, ingestion.id, RunTrigger.MANUAL)
        runs.cancel(connection, run.id)
        values = {
            "id": ingestion.id,
            "run_id": run.id,
            "files": files,
            "rows": rows,
            "each": PER_LOAD,
            "loads": len(snapshots),
            "snapshots": snapshots,
            "source": SOURCE,
            "table_name": ingestion.table_name,
        }
        for statement in (_LOADS, _FILES, _OUTCOMES):
            connection.execute(text(statement), values)
        connection.execute(text("UPDATE ingestions SET files = :files"), values)
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def prepare(connections: Connections, files: int, rows: int, folder: Path) -> None:
    """Make the ledger and the table."""
    upgrade(connections.database_url)
    database = connect(connections.database_url)
    catalog = open_catalog("lake", connections.catalogs)
    schema = parse_schema("id BIGINT")
    table = ensure_table(catalog, NAMESPACE, NAME, schema)
    with transaction(database) as connection:
        ingestion = ingestions.insert(connection, _ingestion())
    _fill_ledger(database, ingestion, files, rows, _fill_table(table, files, rows, folder))
    database.dispose()


def _ingestion() -> NewIngestion:
    return NewIngestion(
        name=NAME,
        source_path=SOURCE,
        format_type=FormatType.JSON,
        schema_json="id BIGINT",
        catalog="lake",
        database=NAMESPACE,
        table=NAME,
    )


class Steps:
    """When each step ended, and how much memory had been in use by then."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.steps: dict[str, dict[str, float]] = {}

    def reading(self, seen: Reading) -> None:
        """It has come so far."""
        self.note(seen.what)

    def note(self, what: str) -> None:
        """Up to here."""
        mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.steps[what] = {"seconds": round(time.monotonic() - self._began, 1), "mib": round(mib)}


def measure(connections: Connections, files: int, home: Path) -> dict[str, object]:
    """One verification in this process: steps, what was found, and the most memory that was in use."""
    found: list[Difference] = []
    steps = Steps()

    @contextmanager
    def open_store(_: Ingestion) -> Iterator[ObjectStore]:
        yield Listed(files)

    with Runtime(Settings(home=home), connections) as runtime:
        with transaction(runtime.database) as connection:
            ingestion = ingestions.by_name(connection, "default", NAME)
        steps.note("imports")
        sides = replace(runtime._sides(), open_store=open_store)  # noqa: SLF001  the bucket stands in, see above
        asked = Asked(ingestion=ingestion, tell=found.append, watcher=steps, stopping=lambda: False)
        report = verify(sides, asked)
    steps.note("end")
    return {
        "listed": report.listed,
        "loaded": report.loaded,
        "rows_found": report.tables[0].rows_found,
        "differences": dict(report.differences),
        "steps": steps.steps,
    }


def _own_database(stack: Connections, name: str) -> Connections:
    url = make_url(stack.database_url)
    plain = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
    return replace(stack, database_url=url.set(database=name).render_as_string(hide_password=False))


def main() -> int:
    """Start a stack, fill it, verify in a process of its own, and print what it took."""
    if sys.argv[1:2] == ["--measure"]:
        home, files = Path(sys.argv[2]), int(sys.argv[3])
        running = Stack(home).start()  # it runs: this says where
        print(json.dumps(measure(replace(running, database_url=sys.argv[4]), files, home)))
        return 0
    given = [int(each) for each in sys.argv[1:]]
    files, rows = [*given, *(FILES, ROWS)[len(given) :]]
    home = Path(tempfile.mkdtemp(prefix="verifying-"))
    stack = Stack(home)
    try:
        connections = _own_database(stack.start(), "verifying")
        began = time.monotonic()
        prepare(connections, files, rows, home)
        print(f"{files:,} files with {rows} rows each are made in {time.monotonic() - began:.0f} s")
        own = [sys.executable, __file__, "--measure", str(home), str(files), connections.database_url]
        told = json.loads(subprocess.run(own, check=True, capture_output=True, text=True).stdout)
        print(json.dumps(told, indent=1))
    finally:
        stack.stop()
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
