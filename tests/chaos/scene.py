"""One place where things go wrong: a ledger, a folder of the bucket, tables, and real workers on all of it.

A scene knows what was put into the bucket, so at the end it can say what must be in the tables, row by row.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.engine import make_url
from tests.chaos.crew import Crew, Worker
from tests.folders import ingestion_of_folder
from tests.patience import eventually

from autoloader.errors import LedgerUnavailable
from autoloader.ledger import ingestions, runs
from autoloader.ledger.database import transaction
from autoloader.model import RunStatus, RunTrigger
from autoloader.runtime import Runtime
from autoloader.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table
    from tests.chaos.crew import Nursery
    from tests.conftest import Landing

    from autoloader.model import Ingestion, Run
    from autoloader.settings import Connections

LEASE_SECONDS = 1
ENDED = frozenset({RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.CANCELLED})
_ROUNDS = 30
"""Runs after which an ingestion is stuck: more than any test gives reasons to fail one for."""


@dataclass(frozen=True)
class Detours:
    """Ports of proxies that workers go through instead of straight to a part; None: straight."""

    store: int | None = None
    catalog: int | None = None
    ledger: int | None = None


@dataclass
class Scene:
    """See the module's first lines.

    Attributes:
        content: by path, the ids of the records in the newest version of every file that is in the bucket.
        gone: paths that were in the bucket once and are not any more.
        loaded_by: by path, the ingestions that read its folder.
    """

    runtime: Runtime
    landing: Landing
    catalog: Catalog
    namespace: str
    crew: Crew
    content: dict[str, list[int]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    ingestions: list[Ingestion] = field(default_factory=list)
    _next_id: int = 0

    def ingestion(self, name: str = "events", **fields: Any) -> Ingestion:
        """Save an ingestion of the folder ``NAME/``; into a table of the same name unless ``table`` says another."""
        described = ingestion_of_folder(self.landing, self.namespace, name, **fields)
        with transaction(self.runtime.database) as connection:
            made = ingestions.insert(connection, described)
        self.ingestions.append(made)
        return made

    def put(self, name: str, rows: int = 2) -> str:
        """Write a file, or a new version of one, with records that no other file has; returns its path."""
        ids = list(range(self._next_id, self._next_id + rows))
        self._next_id += rows
        path = self.landing.put(name, "".join(json.dumps({"id": number}) + "\n" for number in ids))
        self.content[path] = ids
        self.gone.discard(path)
        return path

    def delete(self, name: str) -> None:
        """Take a file out of the bucket."""
        self.landing.delete(name)
        path = self.landing.path + name
        del self.content[path]
        self.gone.add(path)

    def enqueue(self, ingestion: Ingestion) -> Run:
        def made() -> Run | None:
            try:
                with transaction(self.runtime.database) as connection:
                    return runs.enqueue(connection, ingestion.id, RunTrigger.MANUAL)[0]
            except LedgerUnavailable:
                return None

        return eventually(made, "a run is queued")

    def run(self, run: Run) -> Run:
        with transaction(self.runtime.database) as connection:
            return runs.get(connection, run.id)

    def ended(self, run: Run) -> Run:
        """Wait until a run has ended."""

        def over() -> Run | None:
            try:
                now = self.run(run)
            except LedgerUnavailable:
                return None
            return now if now.status in ENDED else None

        try:
            return eventually(over, f"run {run.id} ends")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.state()}\n{self.crew.everything_said()}") from None

    def fallen(self, failpoint: str, action: str) -> Worker:
        """A worker that was started with this failpoint and has got there: killed, or stopped."""
        worker = self.crew.start(failpoint)
        self.busy_until(worker.is_dead if action == "kill" else worker.is_stopped, f"{failpoint} is reached")
        return worker

    def busy_until(self, there: Callable[[], bool], what: str) -> None:
        """Wait for something that workers do; whenever no run goes on, one more file comes and one more run."""

        def busy() -> bool:
            if there():
                return True
            if not self.sql("SELECT id FROM runs WHERE ended_at IS NULL"):
                self.put(f"{self.ingestions[0].name}/more-{len(self.content)}.json")
                self.enqueue(self.ingestions[0])
            return False

        try:
            eventually(busy, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.state()}\n{self.crew.everything_said()}") from None

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        with transaction(self.runtime.database) as connection:
            result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def table(self, ingestion: Ingestion) -> Table:
        return self.catalog.load_table(f"{ingestion.database}.{ingestion.table}")

    def settle(self) -> None:
        """Let runs be made, one after another, until each ingestion has loaded what is in the bucket.

        Raises:
            AssertionError: there is no end to it, although nothing is broken any more.
        """
        for ingestion in self.ingestions:
            for _ in range(_ROUNDS):
                self.ended(self.enqueue(ingestion))
                if not self._behind(ingestion):
                    break
            else:
                raise AssertionError(f"{ingestion.name} is stuck\n{self.state()}\n{self.crew.everything_said()}")

    def _behind(self, ingestion: Ingestion) -> bool:
        """Whether some file of the bucket is not loaded, or some load not over."""
        said = {
            path: (status, etag)
            for path, status, etag in self.sql(
                "SELECT file_path, status, file_etag FROM processed_files WHERE ingestion_id = :id", id=ingestion.id
            )
        }
        unsettled = [path for path, etag in self.listed(ingestion).items() if said.get(path) != ("SUCCESS", etag)]
        waiting = [path for path, (status, _) in said.items() if status in {"DISCOVERED", "PROCESSING"}]
        open_loads = self.sql("SELECT id FROM loads WHERE state IN ('RUNNING', 'LOST')")
        return bool(unsettled or waiting or open_loads)

    def listed(self, ingestion: Ingestion) -> dict[str, str]:
        """What boto3 lists below the source: etag by path."""
        prefix = ingestion.source_path.removeprefix(f"s3://{self.landing.bucket}/")
        pages = self.landing.s3.get_paginator("list_objects_v2").paginate(Bucket=self.landing.bucket, Prefix=prefix)
        return {
            f"s3://{self.landing.bucket}/{found['Key']}": found["ETag"].strip('"')
            for page in pages
            for found in page.get("Contents", [])
        }

    def verified(self, ingestion: Ingestion) -> list[str]:
        """What ``autoloader verify`` finds, beside files that are not in the bucket any more."""
        differences: list[str] = []
        self.runtime.verify(ingestion, tell=lambda found: differences.append(f"verify: {found.kind} {found.message}"))
        return differences

    def close(self) -> None:
        """Nobody works any more, and every connection is given back."""
        self.crew.close()
        self.runtime.__exit__(None, None, None)

    def state(self) -> str:
        """What the ledger says, for the message of a test that failed."""
        questions = (
            "SELECT id, status, listed_at IS NOT NULL, failures, files_failed, errors::text FROM runs ORDER BY id",
            "SELECT id, state, worker, lease_until, prepared_at IS NOT NULL, snapshot_id, error_message FROM loads",
            "SELECT file_path, status, deferred, retry_count, error_message FROM processed_files ORDER BY file_path",
        )
        return "\n".join(str(row) for question in questions for row in self.sql(question))


def worker_environment(
    connections: Connections,
    database_url: str,
    home: Path,
    detours: Detours = Detours(),
) -> dict[str, str]:
    """What a worker process is told of its parts, and nothing of those of whoever runs the tests."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AUTOLOADER_", "AWS_", "PYICEBERG_", "COV"))
    }
    url = make_url(database_url)
    url = url.set(drivername="postgresql", port=detours.ledger or url.port)
    endpoint = _through(connections.s3_endpoint_url or "", detours.store)
    environment |= {
        "AUTOLOADER_HOME": str(home),
        "AUTOLOADER_DATABASE_URL": url.render_as_string(hide_password=False),
        "AUTOLOADER_S3_ENDPOINT_URL": endpoint,
        "AUTOLOADER_LEASE_SECONDS": str(LEASE_SECONDS),
        "AUTOLOADER_MAX_FILES_PER_LOAD": "4",
        "AUTOLOADER_THREADS": "1",
        "AUTOLOADER_LOG_LEVEL": "info",
        "AUTOLOADER_LOG_FORMAT": "json",
        "AWS_ACCESS_KEY_ID": connections.s3_access_key_id or "",
        "AWS_SECRET_ACCESS_KEY": connections.s3_secret_access_key or "",
        "AWS_REGION": connections.s3_region or "",
        "OMP_NUM_THREADS": "1",
    }
    for name, value in _lake(connections.catalogs["lake"], endpoint, detours).items():
        environment["PYICEBERG_CATALOG__LAKE__" + name.replace(".", "__").replace("-", "_").upper()] = value
    return environment


def _lake(properties: Mapping[str, str], endpoint: str, detours: Detours) -> dict[str, str]:
    changed = {
        "uri": _through(properties["uri"], detours.catalog),
        "oauth2-server-uri": _through(properties["oauth2-server-uri"], detours.catalog),
        "s3.endpoint": endpoint,
    }
    return dict(properties) | changed


def _through(url: str, port: int | None) -> str:
    return url if port is None else urlsplit(url)._replace(netloc=f"127.0.0.1:{port}").geturl()


def make_scene(
    connections: Connections,
    database_url: str,
    landing: Landing,
    catalog: Catalog,
    nursery: Nursery,
    folder: Path,
    detours: Detours = Detours(),
) -> Scene:
    """A scene on these parts; close its crew and its runtime at the end."""
    namespace = f"chaos{uuid.uuid4().hex[:12]}"
    catalog.create_namespace(namespace)
    runtime = Runtime(Settings(home=folder), replace(connections, database_url=database_url))
    crew = Crew(nursery, folder, worker_environment(connections, database_url, folder / "home", detours))
    return Scene(runtime, landing, catalog, namespace, crew)
