"""The real parts every test stands on: PostgreSQL, S3 and the Iceberg catalog of the embedded stack.

One stack for each test process; below it every test has a database, a prefix of the bucket and a namespace of its own.
"""

from __future__ import annotations

import importlib
import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psycopg
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import make_url
from xdist.scheduler import LoadScopeScheduling

from autoloader.engines.spark.session import Cluster
from autoloader.errors import StackError
from autoloader.ledger.database import upgrade
from autoloader.settings import load_settings
from autoloader.stack import Stack
from autoloader.stack.programs import java_home
from autoloader.stack.spark import SparkInstall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client
    from pyiceberg.catalog import Catalog

    from autoloader.settings import Connections

BUCKET = "landing"
EVENTS = "spark-events"
# A deadline for an example would be a timed test: how long one takes is the machine's affair. One commit gives one
# answer, so the suite's examples are the same each time; `make search` looks for new ones.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile("same")


SLOW_FIRST = ("contract", "stack", "workers", "end_to_end", "api")
"""Folders whose files take long one by one: begun last, they would leave a core idle at the end."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave property tests out of the coverage: being watched doubles their time, and examples run the same lines."""
    if getattr(getattr(item, "function", None), "is_hypothesis_test", False):
        item.add_marker("no_cover")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow folders (``--no-loadscope-reorder`` keeps this order)."""

    def turn(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return SLOW_FIRST.index(folder) if folder in SLOW_FIRST else len(SLOW_FIRST)

    items.sort(key=turn)


class SparkTogether(LoadScopeScheduling):
    """Modules are shared out among the processes; what needs Spark is done by one of them, on one server."""

    def _split_scope(self, nodeid: str) -> str:
        return "spark" if "[spark" in nodeid or "contract_spark" in nodeid else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SparkTogether | None:
    """In place of the plain ``loadscope``."""
    return SparkTogether(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI (``AUTOLOADER_NO_SKIP``) a test that was skipped is a test that failed: nothing is left out in silence."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("AUTOLOADER_NO_SKIP"):
        return
    if reporter.stats.get("skipped"):
        reporter.write_line("AUTOLOADER_NO_SKIP is set, and tests were skipped: see the summary", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the embedded stack, started for this test process and stopped after it.

    ``AUTOLOADER_TEST_HOME`` names the home of a stack that runs already: it is used instead, and left running.
    """
    if running := os.environ.get("AUTOLOADER_TEST_HOME"):
        yield Path(running)
        return
    home = tmp_path_factory.mktemp("stack")
    stack = Stack(home)
    without_safety(stack.start())
    yield home
    stack.stop()
    shutil.rmtree(home)


def without_safety(connections: Connections) -> None:
    """Let the database's server not wait for the disk: no test of this stack pulls the plug, and all is removed soon.

    The drop of a database, one for each test, is a checkpoint: ten times as fast without.
    """
    with psycopg.connect(connections.database_url.replace("+psycopg", ""), autocommit=True) as admin:
        for setting in ("fsync", "full_page_writes"):
            admin.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        admin.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def connections(home: Path) -> Connections:
    """Where the parts of the embedded stack are."""
    found = Stack(home).connections()
    assert found is not None, f"no stack runs in {home}"
    return found


@pytest.fixture(scope="session")
def stack_with_spark(home: Path, connections: Connections) -> Stack:
    """The same stack with a Spark Connect server, started for the first test that needs it."""
    events = home / EVENTS
    events.mkdir(exist_ok=True)
    spark = SparkInstall(
        folder=load_settings().spark_dir.expanduser(),
        memory="1500m",
        threads=2,
        # Many small queries, none of them long: compiling them well costs more than it gains.
        java_options="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        settings={
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.files.maxPartitionBytes": "1m",
            # What whoever looks into a cluster's history sees; a test looks for secrets there.
            "spark.eventLog.enabled": "true",
            "spark.eventLog.compress": "false",
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.dir": events.as_uri(),
        },
    )
    try:
        java_home()
        _ = spark.home
        importlib.import_module("pyspark.sql.connect.session")
    except (StackError, ImportError) as missing:
        pytest.skip(f"these tests need Spark: {missing}")
    assert connections.database_url
    stack = Stack(home, spark)
    stack.start()
    return stack


@pytest.fixture(scope="session")
def with_spark(stack_with_spark: Stack) -> Connections:
    """Where the parts are, Spark Connect among them."""
    found = stack_with_spark.connections()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def cluster(with_spark: Connections) -> Cluster:
    """Where Spark Connect answers."""
    assert with_spark.spark_connect_url is not None
    return Cluster(url=with_spark.spark_connect_url, token=with_spark.spark_connect_token)


@pytest.fixture(scope="session")
def s3(connections: Connections) -> S3Client:
    """boto3, the client people use: another one than the project's own."""
    config = Config(s3={"addressing_style": "path"}, max_pool_connections=32)
    client: S3Client = boto3.client(
        "s3",
        endpoint_url=connections.s3_endpoint_url,
        aws_access_key_id=connections.s3_access_key_id,
        aws_secret_access_key=connections.s3_secret_access_key,
        region_name=connections.s3_region,
        config=config,
    )
    return client


class Landing:
    """A prefix of the bucket that belongs to one test."""

    def __init__(self, s3: S3Client, prefix: str) -> None:
        self.s3 = s3
        self.bucket = BUCKET
        self.prefix = prefix

    @property
    def path(self) -> str:
        """``s3://bucket/prefix/``."""
        return f"s3://{self.bucket}/{self.prefix}"

    def put(self, name: str, body: bytes | str) -> str:
        """Write an object below the prefix; returns its path."""
        data = body.encode() if isinstance(body, str) else body
        self.s3.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=data)
        return self.path + name

    def delete(self, name: str) -> None:
        """Remove an object."""
        self.s3.delete_object(Bucket=self.bucket, Key=self.prefix + name)


@pytest.fixture
def landing(s3: S3Client) -> Landing:
    """A fresh, empty prefix."""
    return Landing(s3, f"tests/{uuid.uuid4().hex}/")


@pytest.fixture(scope="session")
def catalog(connections: Connections) -> Catalog:
    """The catalog through PyIceberg as a user would open it."""
    from pyiceberg.catalog import load_catalog

    properties: dict[str, Any] = dict(connections.catalogs["lake"])
    return load_catalog("lake", **properties)


@pytest.fixture
def namespace(catalog: Catalog) -> str:
    """A fresh namespace of the catalog."""
    name = f"t{uuid.uuid4().hex[:12]}"
    catalog.create_namespace(name)
    return name


class Databases:
    """Fresh databases on the stack's server, each a copy of one template."""

    def __init__(self, server: str) -> None:
        self._server = make_url(server)
        self._admin = psycopg.connect(self._address("postgres", "postgresql"), autocommit=True)
        self._left: list[str] = []

    def _address(self, name: str, scheme: str = "postgresql+psycopg") -> str:
        return self._server.set(drivername=scheme, database=name).render_as_string(hide_password=False)

    def create(self, template: str = "template1") -> tuple[str, str]:
        """A new database: its name and its address."""
        self._drop_what_was_left()
        name = f"test_{uuid.uuid4().hex}"
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        self._admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())
        return name, self._address(name)

    def drop(self, name: str) -> None:
        """Remove it, whoever is connected: with the next one, as the server waits for connections that just ended."""
        self._left.append(name)

    def close(self) -> None:
        """End the connection of this object."""
        self._drop_what_was_left()
        self._admin.close()

    def _drop_what_was_left(self) -> None:
        while self._left:
            self._admin.execute(f"DROP DATABASE {self._left.pop()} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def databases(connections: Connections) -> Iterator[Databases]:
    """The stack's server, as the place for databases of tests."""
    server = Databases(connections.database_url)
    yield server
    server.close()


@pytest.fixture(scope="session")
def ledger_template(databases: Databases) -> Iterator[str]:
    """A database with an empty ledger, migrated once."""
    name, url = databases.create()
    upgrade(url)
    yield name
    databases.drop(name)


@pytest.fixture
def database_url(databases: Databases, ledger_template: str) -> Iterator[str]:
    """An empty ledger of the test's own."""
    name, url = databases.create(ledger_template)
    yield url
    databases.drop(name)
