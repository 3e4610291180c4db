"""A service without its API: a runtime on the real parts, runs that are queued, and turns that a test takes itself."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from sqlalchemy import text
from tests.folders import ingestion_of_folder
from tests.patience import eventually

from autoloader.ledger import files, ingestions, runs
from autoloader.ledger.database import transaction
from autoloader.model import FileStatus, RunStatus, RunTrigger
from autoloader.runtime import Runtime
from autoloader.settings import Settings
from autoloader.workers import take_turn, work_forever

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from tests.conftest import Landing

    from autoloader.model import Ingestion, Run
    from autoloader.settings import Connections
    from autoloader.turns import Parts


@dataclass
class Queue:
    """Ingestions, their runs, and workers on them."""

    runtime: Runtime
    landing: Landing
    catalog: Catalog
    namespace: str

    def parts(self, **changes: Any) -> Parts:
        """The parts of one more worker."""
        return replace(self.runtime._parts(), **changes)

    def ingestion(self, name: str, files: int = 0, **fields: Any) -> Ingestion:
        """Save an ingestion of a folder of its own, with so many files of one row each."""
        self.arrive(name, files)
        described = ingestion_of_folder(self.landing, self.namespace, name, **fields)
        with transaction(self.runtime.database) as connection:
            return ingestions.insert(connection, described)

    def arrive(self, name: str, files: int) -> None:
        for number in range(files):
            self.landing.put(f"{name}/{number:04}.json", json.dumps({"id": number}) + "\n")

    def enqueue(self, ingestion: Ingestion, **asked: Any) -> Run:
        with transaction(self.runtime.database) as connection:
            return runs.enqueue(connection, ingestion.id, RunTrigger.MANUAL, **asked)[0]

    def cancel(self, run: Run) -> bool:
        with transaction(self.runtime.database) as connection:
            return runs.cancel(connection, run.id)

    def run(self, run: Run) -> Run:
        with transaction(self.runtime.database) as connection:
            return runs.get(connection, run.id)

    def ended(self, run: Run) -> Run:
        """Wait until a run has ended."""

        def over() -> Run | None:
            now = self.run(run)
            return now if now.status not in {RunStatus.QUEUED, RunStatus.RUNNING} else None

        return eventually(over, f"run {run.id} ends")

    def counts(self, ingestion: Ingestion) -> dict[FileStatus, int]:
        with transaction(self.runtime.database) as connection:
            return files.counts(connection, ingestion.id)

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with transaction(self.runtime.database) as connection:
            result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def turn(self, parts: Parts) -> bool:
        """One turn of a worker, whatever is due."""
        return take_turn(parts, threading.Event())

    def turns(self, parts: Parts) -> int:
        """Turns until nothing is due; how many there were."""
        count = 0
        while self.turn(parts):
            count += 1
        return count

    def pass_pause(self) -> None:
        """As if the time were over for which runs are left alone."""
        self.sql("UPDATE runs SET again_at = now() - interval '1 second' WHERE again_at IS NOT NULL")

    @contextmanager
    def working(self, parts: Parts, concurrency: int = 2, grace: float = 20) -> Iterator[None]:
        """Workers in threads of this process while the block goes on; then they must end in time."""
        stopping = threading.Event()
        left: list[int] = []

        def work() -> None:
            left.append(work_forever(parts, concurrency=concurrency, stopping=stopping, grace=timedelta(seconds=grace)))

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()
        assert left == [0]

    def rows(self, ingestion: Ingestion) -> tuple[int, int]:
        """Rows and different rows of the table, counted by DuckDB."""
        rows = self.catalog.load_table(f"{ingestion.database}.{ingestion.table}").scan().to_arrow()
        with duckdb.connect() as database:
            database.register("rows", rows)
            (found,) = database.execute("SELECT count(*), count(DISTINCT id) FROM rows").fetchall()
            return found


@pytest.fixture
def queue(
    connections: Connections, database_url: str, landing: Landing, catalog: Catalog, namespace: str, tmp_path: Path
) -> Iterator[Queue]:
    settings = Settings(home=tmp_path, max_files_per_load=10)
    with Runtime(settings, replace(connections, database_url=database_url)) as runtime:
        yield Queue(runtime, landing, catalog, namespace)
