"""Parts of one's own, which may be killed: an embedded stack, proxies in front of it, and scenes on both."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import boto3
import psycopg
from botocore.config import Config
from pyiceberg.catalog import load_catalog
from sqlalchemy.engine import make_url
from tests.chaos.crew import Nursery
from tests.chaos.proxies import HttpProxy, WireProxy
from tests.chaos.scene import Detours, Scene, make_scene
from tests.conftest import Landing

from autoloader.ledger.database import upgrade
from autoloader.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyiceberg.catalog import Catalog

    from autoloader.settings import Connections

STORE, LEDGER = "object store", "postgresql"


class Lane:
    """A stack and proxies; a context manager that stops them and removes their folder.

    Attributes:
        store: in front of the object store, for workers only.
        catalog: in front of the catalog, likewise.
        ledger: in front of PostgreSQL, likewise.
    """

    def __init__(self) -> None:
        self._closing = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="autoloader-chaos-"))
        self._closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._stack = Stack(self.folder / "stack")
        self._closing.callback(self._stack.stop)
        self.connections: Connections = self._stack.start()
        self._url = make_url(self.connections.database_url)
        self._killed = False
        self._bucket = self._opened_bucket()
        self._lake: Catalog = load_catalog("lake", **self.connections.catalogs["lake"])
        self._template = f"ledger_{uuid.uuid4().hex}"
        self._make_database(self._template)
        upgrade(self._address(self._template))
        self.nursery = Nursery()
        self._closing.callback(self.nursery.close)
        self.store = self._closing.enter_context(_http(self.connections.s3_endpoint_url or ""))
        self.catalog = self._closing.enter_context(_http(self.connections.catalogs["lake"]["uri"]))
        self.ledger = self._closing.enter_context(WireProxy(self._url.host or "", self._url.port or 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def scene(self, *, straight: bool = False) -> Scene:
        """A fresh ledger, a fresh folder of the bucket, a fresh namespace, and nobody at work yet.

        Args:
            straight: without the proxies, which break nothing by themselves and cost time.
        """
        name = f"chaos_{uuid.uuid4().hex}"
        self._make_database(name, self._template)
        folder = self.folder / name
        folder.mkdir()
        landing = Landing(self._bucket, f"{name}/")
        through = Detours(store=self.store.port, catalog=self.catalog.port, ledger=self.ledger.port)
        detours = Detours() if straight else through
        address = self._address(name)
        return make_scene(self.connections, address, landing, self._lake, self.nursery, folder, detours)

    def kill(self, part: str) -> None:
        """``kill -9`` to a part of the stack."""
        known = {"object store": STORE, "postgresql": LEDGER}
        (pid,) = [status.pid for status in self._stack.status() if status.name == known[part]]
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        self._killed = True

    def mend(self) -> None:
        """Start what was killed, and let proxies be faithful."""
        if self._killed:
            self._stack.start()
            self._killed = False
        self.store.be_faithful()
        self.catalog.be_faithful()
        self.ledger.be_faithful()

    def cut_sessions(self) -> None:
        """End every session of the database server but our own, whatever it is about."""
        with psycopg.connect(self._admin(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'autoloader' AND pid <> pg_backend_pid()"
            )

    def _admin(self) -> str:
        return self._url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)

    def _make_database(self, name: str, template: str = "template1") -> None:
        with psycopg.connect(self._admin(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())

    def _address(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    def _opened_bucket(self) -> S3Client:
        client: S3Client = boto3.client(
            "s3",
            endpoint_url=self.connections.s3_endpoint_url,
            aws_access_key_id=self.connections.s3_access_key_id,
            aws_secret_access_key=self.connections.s3_secret_access_key,
            region_name=self.connections.s3_region,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 8}),
        )
        return client


def _http(url: str) -> HttpProxy:
    address = urlsplit(url)
    return HttpProxy(address.hostname or "", address.port or 80)
