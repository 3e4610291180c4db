"""``autoloader test`` of an ingestion on Spark: each part of the cluster by itself, and what to set where it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from autoloader.engines.spark.checking import Needed, examine

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from tests.conftest import Landing
    from tests.end_to_end.conftest import Served, User

    from autoloader.engines.spark.session import Cluster
    from autoloader.settings import Connections


@pytest.fixture
def sparks(user: User, with_spark: Connections) -> User:
    """Somebody whose ingestion ``events`` is loaded by Spark; its table is made by hand, and a file is there."""
    user.environment["AUTOLOADER_SPARK_CONNECT_URL"] = with_spark.spark_connect_url or ""
    user.environment["AUTOLOADER_SPARK_CONNECT_TOKEN"] = with_spark.spark_connect_token or ""
    user.landing.put("a b.json", '{"id": 1}\n')
    user.creates("events", "--engine", "spark", "--schema", "id BIGINT")
    return user


def test_each_part_of_a_cluster_that_works_is_told_before_and_after_the_table_is_made(sparks: User) -> None:
    before = sparks.types("test", "events").out
    for part in ("reading works", "Spark 4.", "Iceberg extension is there", "the table is not made yet", "a b.json"):
        assert part in before
    sparks.runs("events")
    told = sparks.types("test", "events", "--json").json
    assert [found.split(" (")[0] for found in told["spark"][1:]] == [
        "its Iceberg extension is there",
        f"it sees the table {sparks.table('events')} as it is here",
        "it reads the bucket",
        "the embedded engine runs in its tasks, and reads the bucket",
    ]
    own = sparks.types("test", "events", "--json", AUTOLOADER_SPARK_READER="sql").json
    assert own["spark"] == told["spark"][:-1]
    assert sparks.types("test", "events", "--engine", "embedded", "--json").json["spark"] == []


def test_a_service_tells_the_same_over_http(sparks: User, served: Served) -> None:
    here, there = (who.types("test", "events", "--json").json for who in (sparks, served.person()))
    assert there == here
    assert len(there["spark"]) == 5
    answer = served.person().tries("test", "events", "--spark-connect-url", "sc://localhost:1")
    assert answer.code == 3
    assert "spark_connect_url" in answer.err


def test_a_wrong_port_or_a_wrong_token_is_told_as_such(sparks: User, with_spark: Connections) -> None:
    nowhere = sparks.types("test", "events", "--spark-connect-url", "sc://localhost:1", code=3)
    assert "does not answer" in nowhere.err
    assert "Check spark_connect_url" in nowhere.err
    url = with_spark.spark_connect_url or ""
    options = ("--spark-connect-url", url, "--spark-connect-token", "env:WRONG")
    refused = sparks.types("test", "events", *options, code=3, WRONG="planted-wrong-token")
    assert "Check spark_connect_token" in refused.err
    assert "planted" not in refused.err


def test_a_catalog_that_only_this_side_has_is_the_only_part_that_fails(sparks: User) -> None:
    for name in [name for name in sparks.environment if "CATALOG__LAKE__" in name]:
        sparks.environment[name.replace("LAKE", "OTHER")] = sparks.environment[name]
    said = sparks.types("test", "events", "--table", f"other.{sparks.namespace}.events", code=3).err
    assert "spark.sql.catalog.NAME" in said
    assert said.index("table:") < said.index("What works:") < said.index("it reads the bucket")


def test_a_table_of_the_same_name_elsewhere_is_told_from_ours(
    cluster: Cluster, landing: Landing, catalog: Catalog, namespace: str
) -> None:
    from autoloader.lake.tables import ensure_table
    from autoloader.schema import parse_schema

    ensure_table(catalog, namespace, "t", parse_schema("id BIGINT"))
    needed = Needed(table_name=f"lake.{namespace}.t", metadata={"s3://else/v1.json": 1}, prefix=landing.path, file=None)
    table, bucket = examine(cluster, needed)[2:]
    assert (table.works, bucket.works) == (False, True)
    assert "another table than ours" in table.message
    strange = replace(needed, metadata={}, namespaces=frozenset({"nobody_has_this"}))
    assert not examine(cluster, strange)[2].works


def test_a_bucket_that_the_cluster_may_not_read_or_does_not_have_fails_alone(
    cluster: Cluster, landing: Landing
) -> None:
    keys = {"access.key": "nobody", "secret.key": "planted-secret", "aws.credentials.provider": SIMPLE}
    settings = {f"fs.s3a.bucket.landing.{name}": value for name, value in keys.items()}
    own = {"fs.s3a-nobody.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"}
    barred = replace(cluster, bucket=settings | own, scheme="s3a-nobody")
    file = landing.put("a.json", "{}\n")
    needed = Needed(table_name="lake.none.none", prefix=landing.path, file=file)
    for given in (needed, replace(needed, file=None)):
        parts = examine(barred, given)
        assert [part.works for part in parts] == [True, True, True, False], parts
        assert "403" in parts[3].message
        assert "leave to list and read" in parts[3].message
        assert "planted" not in str(parts)
    nowhere = replace(needed, prefix="s3://no-such-bucket-here/", file=None)
    assert not examine(cluster, nowhere)[3].works
    assert examine(cluster, replace(needed, prefix=f"{landing.path}nothing/", file=None))[3].works


SIMPLE = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"


def test_errors_of_spark_are_not_printed_a_second_time_by_its_client(cluster: Cluster) -> None:
    program = f"""
import uuid
from autoloader.engines.spark import session
from autoloader.errors import SparkMisconfigured
cluster = session.Cluster(url={cluster.url!r}, token={cluster.token!r})
try:
    with session.opened(cluster, uuid.uuid4()) as spark:
        spark.sql("SELECT * FROM lake.planted.planted").toArrow()
except SparkMisconfigured as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.dumps(done.stderr) == '""'
    assert "planted" in done.stdout
