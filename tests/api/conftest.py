"""A service on a free port of this machine, over a ledger of the test's own, and those who ask it over HTTP."""

from __future__ import annotations

import dataclasses
import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import SecretStr

from autoloader.api.serving import serving
from autoloader.ledger import tokens
from autoloader.ledger.database import transaction
from autoloader.model import Scope
from autoloader.runtime import Runtime
from autoloader.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Landing

    from autoloader.settings import Connections

TENANT = "acme"
TRUST = ssl.create_default_context()
"""Shared: every client would read all certificates of the machine, and none is asked for over plain HTTP."""


class Service:
    """One service, asked by whoever has a token."""

    def __init__(self, runtime: Runtime, address: str) -> None:
        self.runtime = runtime
        self.address = address
        self._clients = ExitStack()

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        client = httpx.Client(base_url=f"{self.address}/api/v1", headers=headers, timeout=60, verify=TRUST)
        return self._clients.enter_context(client)

    def token(self, scope: Scope = Scope.ADMIN, tenant: str = "default") -> str:
        """Make a token."""
        with transaction(self.runtime.database) as connection:
            return tokens.create(connection, tenant, f"{tenant}-{scope}", scope)[1]

    def close(self) -> None:
        self._clients.close()


@pytest.fixture
def runtime(connections: Connections, database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    settings = Settings(home=tmp_path / "home", database_url=SecretStr(database_url))
    with Runtime(settings, dataclasses.replace(connections, database_url=database_url)) as opened:
        yield opened


@pytest.fixture
def service(runtime: Runtime) -> Iterator[Service]:
    with serving(runtime, "127.0.0.1", 0) as address:
        made = Service(runtime, address)
        yield made
        made.close()


@pytest.fixture
def client(service: Service) -> httpx.Client:
    """Somebody on the same machine, where no token was made."""
    return service.client()


@pytest.fixture
def events(landing: Landing, namespace: str) -> dict[str, Any]:
    """An ingestion of the test's own prefix, as a client describes it."""
    return {
        "name": "events",
        "source_path": landing.path,
        "format_type": "json",
        "database": namespace,
        "table": "events",
    }
