"""Every test here runs on both engines: what differs is a bug, or a row of docs/reference/engines.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.loads import Loads, SparkLoads

from autoloader.engines.spark import SparkEngine
from autoloader.model import EngineName, SourceCredentials
from autoloader.objects.s3 import open_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from tests.conftest import Landing

    from autoloader.engines.spark.session import Cluster
    from autoloader.settings import Connections


@pytest.fixture(params=[str(engine) for engine in EngineName])
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
def put(landing: Landing) -> Callable[[str, bytes | str], str]:
    """Write an object below this test's prefix."""
    return landing.put
