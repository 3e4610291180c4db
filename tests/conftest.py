"""The real parts every test stands on: PostgreSQL, S3 and the Iceberg catalog of the embedded stack.

One stack for each test process; below it every test has a database, a prefix of the bucket and a namespace of its own.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from autoloader.settings import Connections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client
    from pyiceberg.catalog import Catalog

BUCKET = "landing"


@pytest.fixture(scope="session")
def connections() -> Iterator[Connections]:
    """The embedded stack, started for this test process and stopped after it."""
    yield Connections(
        database_url=os.environ["DEV_DATABASE_URL"],
        s3_endpoint_url=os.environ["DEV_S3"],
        s3_access_key_id=os.environ["DEV_KEY"],
        s3_secret_access_key=os.environ["DEV_SECRET"],
        s3_region="us-east-1",
        catalogs={
            "lake": {
                "type": "rest",
                "uri": os.environ["DEV_CATALOG"],
                "warehouse": "s3://warehouse",
                "credential": f"{os.environ['DEV_KEY']}:{os.environ['DEV_SECRET']}",
                "oauth2-server-uri": f"{os.environ['DEV_CATALOG']}/v1/oauth/tokens",
                "s3.endpoint": os.environ["DEV_S3"],
                "s3.access-key-id": os.environ["DEV_KEY"],
                "s3.secret-access-key": os.environ["DEV_SECRET"],
                "s3.region": "us-east-1",
            }
        },
    )


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
