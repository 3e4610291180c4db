"""Scenes on the test stack: for tests that break workers and connections, not the parts themselves."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from sqlalchemy.engine import make_url
from tests.chaos.crew import Nursery
from tests.chaos.proxies import HttpProxy, WireProxy
from tests.chaos.scene import Detours, Scene, make_scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from tests.conftest import Landing

    from autoloader.settings import Connections


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def scene(
    connections: Connections,
    database_url: str,
    landing: Landing,
    catalog: Catalog,
    nursery: Nursery,
    tmp_path: Path,
) -> Iterator[Scene]:
    """Workers that go straight to their parts."""
    made = make_scene(connections, database_url, landing, catalog, nursery, tmp_path)
    yield made
    made.close()


class Broken:
    """A scene whose workers go through proxies."""

    def __init__(self, scene: Scene, store: HttpProxy, catalog: HttpProxy, ledger: WireProxy) -> None:
        self.scene = scene
        self.store = store
        self.catalog = catalog
        self.ledger = ledger


@pytest.fixture
def broken(
    connections: Connections,
    database_url: str,
    landing: Landing,
    catalog: Catalog,
    nursery: Nursery,
    tmp_path: Path,
) -> Iterator[Broken]:
    url = make_url(database_url)
    with ExitStack() as open_now:
        store = open_now.enter_context(_http(connections.s3_endpoint_url or ""))
        lake = open_now.enter_context(_http(connections.catalogs["lake"]["uri"]))
        ledger = open_now.enter_context(WireProxy(url.host or "", url.port or 5432))
        detours = Detours(store=store.port, catalog=lake.port, ledger=ledger.port)
        made = make_scene(connections, database_url, landing, catalog, nursery, tmp_path, detours)
        open_now.callback(made.close)
        yield Broken(made, store, lake, ledger)


def _http(url: str) -> HttpProxy:
    address = urlsplit(url)
    return HttpProxy(address.hostname or "", address.port or 80)
