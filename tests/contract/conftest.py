"""Every test here runs on both engines: what differs is a bug, or a row of docs/reference/engines.md.

The engine on a cluster has two readers: Spark's own, and the embedded engine in its tasks. What the second adds is the
way to the tasks and back, not how a file is read, so only modules that say so in ``ENGINES`` run on it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tests.end_to_end.conftest as end_to_end
from tests.contract.loads import Loads, SparkLoads

from autoloader.engines.spark import SparkEngine, TaskEngine
from autoloader.model import EngineName, SourceCredentials
from autoloader.objects.elsewhere import elsewhere
from autoloader.objects.s3 import open_s3
from autoloader.vault import look_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from tests.conftest import Landing
    from tests.end_to_end.conftest import User

    from autoloader.engines import Work
    from autoloader.engines.spark.session import Cluster
    from autoloader.model import Outcome
    from autoloader.settings import Connections


BOTH = (str(EngineName.EMBEDDED), str(EngineName.SPARK))
IN_TASKS = "spark, in tasks"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """On which engines the tests of a module run, where they do not say so themselves."""
    themselves = any(mark.args[0] == "loads" for mark in metafunc.definition.iter_markers("parametrize"))
    if "loads" in metafunc.fixturenames and not themselves:
        metafunc.parametrize("loads", getattr(metafunc.module, "ENGINES", BOTH), indirect=True)


@pytest.fixture
def loads(
    request: pytest.FixtureRequest, landing: Landing, connections: Connections, tmp_path: Path
) -> Iterator[Loads]:
    """Loads from this test's own prefix, on one of the engines."""
    if request.param == EngineName.EMBEDDED:
        store = open_s3("landing", SourceCredentials(), connections, 8)
        yield Loads(landing, store, tmp_path)
        store.close()
    else:
        yield request.getfixturevalue("in_tasks" if request.param == IN_TASKS else "on_spark")


@pytest.fixture
def on_spark(
    landing: Landing, connections: Connections, tmp_path: Path, catalog: Catalog, namespace: str, cluster: Cluster
) -> Iterator[SparkLoads]:
    """Loads by Spark's own readers."""
    store = open_s3("landing", SourceCredentials(), connections, 8)
    exact = Loads(landing, store, tmp_path).engine
    yield SparkLoads(landing, store, tmp_path, SparkEngine(cluster, exact), catalog=catalog, namespace=namespace)
    store.close()


class Nobody:
    """An engine for files that should not reach it."""

    def prepare(self, work: Work, put: object, report: object) -> Sequence[Outcome]:
        raise AssertionError((put, report, [file.path for file in work.files]))

    def abandon(self, load_id: object) -> None:
        """Nothing of a load is here."""


@pytest.fixture
def in_tasks(on_spark: SparkLoads, cluster: Cluster, connections: Connections) -> SparkLoads:
    """Loads by the tasks of the cluster alone."""
    bucket = elsewhere("landing", SourceCredentials(), connections, 8, look_up)
    exact = Loads(on_spark.landing, on_spark.store, on_spark.folder).engine
    return replace(on_spark, engine=TaskEngine(cluster, bucket, exact, Nobody(), required=True))


user = end_to_end.user
"""Somebody at the command line, here as there."""


def on_cluster(person: User, connections: Connections, reader: str = "sql") -> User:
    """The person, with a Spark Connect server in their environment, and workers that are given up soon."""
    more = {
        "AUTOLOADER_SPARK_CONNECT_URL": connections.spark_connect_url or "",
        "AUTOLOADER_SPARK_CONNECT_TOKEN": connections.spark_connect_token or "",
        "AUTOLOADER_SPARK_READER": reader,
        "AUTOLOADER_LEASE_SECONDS": "3",
    }
    return replace(person, environment=person.environment | more)


@pytest.fixture
def put(landing: Landing) -> Callable[[str, bytes | str], str]:
    """Write an object below this test's prefix."""
    return landing.put
