"""A user of the tool: the real command line, on the parts of this test.

Commands run in the test's own process, which saves the start of an interpreter for each; where processes matter,
``User.starts`` starts real ones.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import duckdb
import pytest
from tests.end_to_end.forked import forked
from tests.patience import eventually

from autoloader.cli import run
from autoloader.lake.data_files import files_below, load_location

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from tests.conftest import Landing

    from autoloader.settings import Connections

COMMAND = [sys.executable, "-m", "autoloader"]
SERVING = re.compile(r"^Serving (\S+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class User:
    """Types commands, puts files, and reads the table with DuckDB."""

    landing: Landing
    catalog: Catalog
    namespace: str
    environment: dict[str, str] = field(repr=False)

    def types(self, *arguments: str, code: int = 0, **environment: str) -> Answer:
        """Run a command to its end; fails the test when it ends with another code."""
        answer = self.tries(*arguments, **environment)
        assert answer.code == code, answer
        return answer

    def tries(self, *arguments: str, **environment: str) -> Answer:
        """Run a command to its end, whatever that is."""
        out, err = io.StringIO(), io.StringIO()
        with self.surroundings(environment), redirect_stdout(out), redirect_stderr(err):
            ended = run(arguments)
        return Answer(ended, out.getvalue(), err.getvalue())

    @contextmanager
    def surroundings(self, more: dict[str, str]) -> Iterator[None]:
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment | more)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def starts(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and go on."""
        return subprocess.Popen(
            [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )

    def creates(self, name: str, *options: str, file_format: str = "json") -> None:
        """Save an ingestion of this test's prefix into a table of the same name."""
        self.types(
            "create",
            name,
            "--source",
            self.landing.path,
            "--format",
            file_format,
            "--table",
            self.table(name),
            *options,
        )

    def runs(self, name: str, *options: str, code: int = 0) -> Any:
        """Run an ingestion; the run as JSON."""
        return self.types("run", name, "--json", *options, code=code).json

    def file(self, name: str, path: str) -> Any:
        """One file of an ingestion as the ledger has it."""
        (found,) = [f for f in self.types("files", name, "--json").json if f["file_path"] == path]
        return found

    def table(self, name: str) -> str:
        return f"lake.{self.namespace}.{name}"

    def snapshots(self, name: str) -> list[dict[str, str]]:
        """The summaries of the table's snapshots, oldest first."""
        table = self.catalog.load_table(f"{self.namespace}.{name}")
        return [dict(s.summary.additional_properties) if s.summary else {} for s in table.snapshots()]

    def stored(self, name: str, load_id: str) -> list[str]:
        """The files in the folder of a load, in a snapshot or not."""
        table = self.catalog.load_table(f"{self.namespace}.{name}")
        return files_below(table, load_location(table, UUID(load_id)))

    def sees(self, name: str, query: str) -> list[tuple[Any, ...]]:
        """What DuckDB answers to a query over ``rows``, the rows of the table."""
        rows = self.catalog.load_table(f"{self.namespace}.{name}").scan().to_arrow()
        with duckdb.connect() as database:
            database.execute("SET TimeZone = 'UTC'")
            database.register("rows", rows)
            return database.execute(query).fetchall()


@pytest.fixture
def user(
    connections: Connections, database_url: str, landing: Landing, catalog: Catalog, namespace: str, tmp_path: Path
) -> User:
    """Somebody with parts of their own: a database, a bucket, a catalog in PyIceberg's configuration."""
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AUTOLOADER_", "AWS_", "PYICEBERG_", "COVERAGE_"))  # twice as fast unmeasured
        },
        "AUTOLOADER_HOME": str(tmp_path / "home"),
        "AUTOLOADER_DATABASE_URL": database_url,
        "AUTOLOADER_S3_ENDPOINT_URL": connections.s3_endpoint_url or "",
        "AWS_ACCESS_KEY_ID": connections.s3_access_key_id or "",
        "AWS_SECRET_ACCESS_KEY": connections.s3_secret_access_key or "",
        "AWS_REGION": connections.s3_region or "",
    }
    for name, value in connections.catalogs["lake"].items():
        environment["PYICEBERG_CATALOG__LAKE__" + name.replace(".", "__").replace("-", "_").upper()] = value
    return User(landing, catalog, namespace, environment)


@dataclass
class Served:
    """A service in a process of its own, on the parts of a user, and people who know nothing but its address."""

    user: User
    address: str
    home: Path

    def person(self, token: str | None = None) -> User:
        """Somebody who asks the service: without a database, a bucket or a catalog."""
        kept = {
            name: value
            for name, value in self.user.environment.items()
            if not name.startswith(("AUTOLOADER_", "AWS_", "PYICEBERG_"))
        }
        environment = kept | {"AUTOLOADER_URL": self.address, "AUTOLOADER_HOME": str(self.home)}
        if token is not None:
            environment["AUTOLOADER_TOKEN"] = token
        return User(self.user.landing, self.user.catalog, self.user.namespace, environment)


@pytest.fixture
def served(user: User, tmp_path: Path) -> Iterator[Served]:
    """A service without a worker."""
    said = tmp_path / "service.log"
    said.touch()
    with forked(["serve", "--port", "0"], user.environment, said):
        line = eventually(lambda: SERVING.search(said.read_text("utf-8")), "the service listens")
        yield Served(user, line[1], tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture
def worked(served: Served, tmp_path: Path) -> Iterator[Served]:
    """A service with a worker."""
    said = tmp_path / "worker.log"
    said.touch()
    with forked(["worker", "--concurrency", "1"], served.user.environment, said):
        yield served
        # A test may be over before the worker has begun to listen to signals, and so to end cleanly.
        eventually(lambda: "Working on queued runs" in said.read_text("utf-8"), "the worker works")


@pytest.fixture(params=["direct", "remote"])
def anyone(request: pytest.FixtureRequest, user: User) -> User:
    """Somebody with the database, and somebody with a service."""
    if request.param == "direct":
        return user
    service: Served = request.getfixturevalue("worked")
    return service.person()
