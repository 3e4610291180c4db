"""Every test here runs on both engines: what differs is a bug, or a row of docs/reference/engines.md."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import tests.end_to_end.conftest as end_to_end
from tests.contract.loads import Loads, SparkLoads

from autoloader.engines.spark import SparkEngine
from autoloader.model import EngineName, SourceCredentials
from autoloader.objects.s3 import open_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from tests.conftest import Landing
    from tests.end_to_end.conftest import User

    from autoloader.engines.spark.session import Cluster
    from autoloader.settings import Connections


@pytest.fixture(params=[str(EngineName.EMBEDDED), str(EngineName.SPARK)])
def loads(
    request: pytest.FixtureRequest, landing: Landing, connections: Connections, tmp_path: Path
) -> Iterator[Loads]:
    """Loads from this test's own prefix, on either engine."""
    store = open_s3("landing", SourceCredentials(), connections, 8)
    plain = Loads(landing, store, tmp_path)
    if request.param == EngineName.SPARK:
        cluster: Cluster = request.getfixturevalue("cluster")
        catalog: Catalog = request.getfixturevalue("catalog")
        engine = SparkEngine(cluster, plain.engine)
        namespace: str = request.getfixturevalue("namespace")
        yield SparkLoads(landing, store, tmp_path, engine, catalog=catalog, namespace=namespace)
    else:
        yield plain
    store.close()


@pytest.fixture
def on_spark(
    landing: Landing, connections: Connections, tmp_path: Path, catalog: Catalog, namespace: str, cluster: Cluster
) -> Iterator[SparkLoads]:
    """Loads on Spark alone."""
    store = open_s3("landing", SourceCredentials(), connections, 8)
    exact = Loads(landing, store, tmp_path).engine
    yield SparkLoads(landing, store, tmp_path, SparkEngine(cluster, exact), catalog=catalog, namespace=namespace)
    store.close()


user = end_to_end.user
"""Somebody at the command line, here as there."""


def on_cluster(person: User, connections: Connections) -> User:
    """The person, with a Spark Connect server in their environment, and workers that are given up soon."""
    more = {
        "AUTOLOADER_SPARK_CONNECT_URL": connections.spark_connect_url or "",
        "AUTOLOADER_SPARK_CONNECT_TOKEN": connections.spark_connect_token or "",
        "AUTOLOADER_LEASE_SECONDS": "3",
    }
    return replace(person, environment=person.environment | more)


@pytest.fixture
def put(landing: Landing) -> Callable[[str, bytes | str], str]:
    """Write an object below this test's prefix."""
    return landing.put
