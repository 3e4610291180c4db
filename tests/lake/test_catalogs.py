from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

from autoloader.errors import CatalogMisconfigured, CatalogUnavailable, TableMismatch, UsageError
from autoloader.lake.catalogs import check_identifier, identifier, open_catalog
from autoloader.lake.fences import fence
from autoloader.lake.snapshots import Landed
from autoloader.lake.tables import ensure_table
from autoloader.schema.types import Column, Scalar, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from pyiceberg.catalog import Catalog

    from autoloader.settings import Connections

A, B = "s3://landing/a.json", "s3://landing/b.json"


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A person without any configuration of PyIceberg."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_an_unknown_catalog_is_refused_with_how_to_describe_it() -> None:
    with pytest.raises(CatalogMisconfigured, match=r"no catalog 'my-lake' \(known: lake\)") as refused:
        open_catalog("my-lake", {"lake": {}})

    assert "PYICEBERG_CATALOG__MY_LAKE__URI" in str(refused.value)
    assert ".pyiceberg.yaml" in str(refused.value)


def test_the_users_own_configuration_of_a_name_comes_before_the_given_one(
    connections: Connections, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__TYPE", "sql")
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__URI", f"sqlite:///{tmp_path}/catalog.db")
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__WAREHOUSE", f"file://{tmp_path}")

    opened = open_catalog("lake", connections.catalogs)

    assert opened.properties["type"] == "sql"
    assert "credential" not in opened.properties
    opened.close()


def test_a_catalog_described_in_pyicebergs_file_is_found(connections: Connections, tmp_path: Path) -> None:
    given = {**connections.catalogs["lake"]}
    lines = "".join(f"    {name}: {value}\n" for name, value in given.items())
    (tmp_path / ".pyiceberg.yaml").write_text(f"catalog:\n  mine:\n{lines}")

    assert open_catalog("mine", {}).list_namespaces() is not None


def test_wrong_keys_are_told_and_not_shown(connections: Connections) -> None:
    wrong = {**connections.catalogs["lake"], "credential": "someone:hush-hush"}

    with pytest.raises(CatalogMisconfigured, match="refused the credentials") as refused:
        open_catalog("lake", {"lake": wrong})

    assert "hush" not in str(refused.value)


def test_a_catalog_that_does_not_answer_may_be_tried_again(connections: Connections) -> None:
    nobody = {**connections.catalogs["lake"], "uri": "http://127.0.0.1:1", "oauth2-server-uri": "http://127.0.0.1:1/t"}

    with pytest.raises(CatalogUnavailable, match="opening the catalog 'lake'") as refused:
        open_catalog("lake", {"lake": nobody})

    assert refused.value.retryable


@pytest.mark.parametrize(
    "properties",
    [
        {"type": "rest"},
        {"type": "nonsense", "uri": "http://127.0.0.1:1"},
        {"type": "rest", "uri": "nonsense"},
        {"py-catalog-impl": "no.such.Catalog"},
        {"type": "sql", "uri": "nonsense"},
    ],
)
def test_properties_that_cannot_work_are_refused(properties: dict[str, str]) -> None:
    with pytest.raises(CatalogMisconfigured, match="lake"):
        open_catalog("lake", {"lake": properties})


def test_an_address_where_no_catalog_lives_is_refused(connections: Connections) -> None:
    store = {
        **connections.catalogs["lake"],
        "uri": str(connections.s3_endpoint_url),
        "oauth2-server-uri": "",
        "token": "t",
    }

    with pytest.raises(CatalogMisconfigured):
        open_catalog("lake", {"lake": {k: v for k, v in store.items() if k not in {"credential", "oauth2-server-uri"}}})


@pytest.mark.parametrize(("database", "table"), [("Upper", "t"), ("ok", "Upper"), ("ok", "_t"), ("ok", "two words")])
def test_names_the_embedded_catalog_does_not_take_are_refused_with_its_real_rule(
    lake: Catalog, database: str, table: str
) -> None:
    with pytest.raises(UsageError, match="lower-case letters, digits") as refused:
        check_identifier(lake, database, table)

    assert refused.value.field == "table"
    with pytest.raises(CatalogMisconfigured, match="lower-case"):
        ensure_table(lake, database, table, Schema((Column("id", Scalar.INT),)))


def test_names_that_are_free_or_taken_pass(lake: Catalog, namespace: str) -> None:
    ensure_table(lake, namespace, "t", Schema((Column("id", Scalar.INT),)))

    check_identifier(lake, namespace, "t")
    check_identifier(lake, f"{namespace}.new", "2024-events_x")


@pytest.mark.parametrize(
    ("database", "table"), [("", "t"), ("a..b", "t"), ("a", ""), ("a", "b/c"), ("a", "b.c"), ("a", " ")]
)
def test_names_that_no_catalog_takes_are_refused_without_asking(database: str, table: str) -> None:
    with pytest.raises(UsageError) as refused:
        identifier(database, table)

    assert refused.value.field == "table"


@pytest.fixture
def sql_catalog(connections: Connections, tmp_path: Path) -> Iterator[Catalog]:
    """PyIceberg's SQL catalog on a PostgreSQL database of its own, tables on local disk."""
    name = f"lake_{tmp_path.name}_{tmp_path.parent.name}".lower().replace("-", "_")[-60:]
    server = create_engine(connections.database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}"'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    url = make_url(connections.database_url).set(database=name).render_as_string(hide_password=False)
    opened = open_catalog("sql", {"sql": {"type": "sql", "uri": url, "warehouse": f"file://{tmp_path}/warehouse"}})
    yield opened
    opened.close()
    with server.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    server.dispose()


def test_the_sql_catalog_on_postgresql_does_the_whole_job(sql_catalog: Catalog, tmp_path: Path, s3: S3Client) -> None:
    from tests.lake.conftest import EVENTS, Events

    events = Events(ensure_table(sql_catalog, "Raw.Deep", "Events", EVENTS, ["day(at)"]), tmp_path, s3)
    first = events.load({A: [1], B: [2]}, partition=(19737,))
    events.load({A: [10]}, replaced={A: [first]}, partition=(19737,))

    assert events.rows() == [(A, 10), (B, 2)]
    assert len(events.summaries()) == 2
    assert isinstance(fence(events.table, first, datetime.now(UTC)), Landed)
    events.load({B: [3]}, overwrite=True, partition=(19737,))
    assert events.rows() == [(B, 3)]


def test_a_table_gone_from_the_sql_catalog_is_told(sql_catalog: Catalog, tmp_path: Path, s3: S3Client) -> None:
    from tests.lake.conftest import EVENTS, Events

    events = Events(ensure_table(sql_catalog, "raw", "events", EVENTS), tmp_path, s3)
    sql_catalog.drop_table(("raw", "events"))

    with pytest.raises(TableMismatch, match="dropped"):
        events.load({A: [1]})
