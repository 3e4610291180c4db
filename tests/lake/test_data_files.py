from __future__ import annotations

import gc
import math
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal as Number
from typing import TYPE_CHECKING, Any

import duckdb
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.conversions import from_bytes
from pyiceberg.schema import Schema as IcebergSchema
from pyiceberg.types import LongType, NestedField

from autoloader.errors import CatalogUnavailable, TableMismatch
from autoloader.lake.data_files import Uploader, files_below, load_location
from autoloader.lake.publish import Change, publish
from autoloader.lake.tables import ensure_table, shape
from autoloader.model import DataFile
from autoloader.schema.types import Array, Column, Decimal, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table
    from tests.lake.conftest import Events

    from autoloader.schema.table import TableShape

A = "s3://landing/a.json"

EVERY_TYPE = Schema(
    (
        Column("s", Scalar.STRING),
        Column("i", Scalar.INT),
        Column("l", Scalar.BIGINT),
        Column("f", Scalar.FLOAT),
        Column("d", Scalar.DOUBLE),
        Column("b", Scalar.BOOLEAN),
        Column("t", Scalar.TIMESTAMP),
        Column("n", Scalar.TIMESTAMP_NTZ),
        Column("day", Scalar.DATE),
        Column("x", Scalar.BINARY),
        Column("p", Decimal(9, 2)),
        Column("q", Decimal(38, 10)),
        Column("meta", Struct((Column("ip", Scalar.STRING), Column("tags", Array(Scalar.STRING))))),
        Column("counts", Map(Scalar.STRING, Scalar.BIGINT)),
    )
)
ROW = """
    SELECT 'ä' AS s, 1::INTEGER AS i, 2::BIGINT AS l, 1.5::FLOAT AS f, 'nan'::DOUBLE AS d, true AS b,
      '2024-01-15 12:00:00+00'::TIMESTAMPTZ AS t, '2024-01-15 12:00:00'::TIMESTAMP AS n, '2024-01-15'::DATE AS day,
      'ab'::BLOB AS x, 1.25::DECIMAL(9,2) AS p, 1.5::DECIMAL(38,10) AS q,
      {'ip': '::1', 'tags': ['u', NULL]} AS meta, MAP {'k': 7::BIGINT} AS counts,
      's3://landing/a.json' AS _source_file, '2024-01-15 12:00:00+00'::TIMESTAMPTZ AS _source_modified_at,
      'x' AS _load_id, '2024-01-15 12:00:00+00'::TIMESTAMPTZ AS _loaded_at
"""


def field_ids(made: TableShape) -> str:
    """DuckDB's FIELD_IDS for a shape."""

    def below(path: tuple[str, ...]) -> str:
        inner = {p[len(path)] for p in made.field_ids if len(p) > len(path) and p[: len(path)] == path}
        parts = [f"__duckdb_field_id: {made.field_ids[path]}"] if path else []
        return "{" + ", ".join(parts + [f"'{name}': {below((*path, name))}" for name in sorted(inner)]) + "}"

    return below(())


def test_a_file_of_every_type_written_by_duckdb_is_read_back_the_same(
    lake: Catalog, namespace: str, tmp_path: Path
) -> None:
    table = ensure_table(lake, namespace, "t", EVERY_TYPE)
    path = tmp_path / "part.parquet"
    duckdb.execute(
        f"SET TimeZone='UTC'; COPY ({ROW}) TO '{path}' (FORMAT parquet, FIELD_IDS {field_ids(shape(table))})"
    )
    load_id = uuid.uuid4()

    entry = Uploader(table, load_id).upload(DataFile(location=path, records=1))
    publish(table, load_id, Change(added=[entry]), lambda: True)

    (row,) = table.refresh().scan().to_arrow().to_pylist()
    assert math.isnan(row["d"])
    noon = datetime(2024, 1, 15, 12, tzinfo=UTC)
    assert {
        name: value
        for name, value in row.items()
        if name in ["s", "i", "l", "f", "b", "t", "n", "day", "x", "p", "q", "meta", "counts"]
    } == {
        "s": "ä",
        "i": 1,
        "l": 2,
        "f": 1.5,
        "b": True,
        "t": noon,
        "n": noon.replace(tzinfo=None),
        "day": date(2024, 1, 15),
        "x": b"ab",
        "p": Number("1.25"),
        "q": Number("1.5"),
        "meta": {"ip": "::1", "tags": ["u", None]},
        "counts": [("k", 7)],
    }


def test_the_entry_keeps_counts_and_whole_bounds_of_the_source_file(events: Events) -> None:
    long = "s3://landing/" + "x" * 100
    entry = events.uploaded(uuid.uuid4(), {long + "1": [1, 2], long + "2": [3]})

    schema = events.table.schema()
    source, ident = (schema.find_field(name).field_id for name in ("_source_file", "id"))
    assert entry.record_count == 3
    assert (entry.lower_bounds[source], entry.upper_bounds[source]) == ((long + "1").encode(), (long + "2").encode())
    assert from_bytes(LongType(), entry.lower_bounds[ident]) == 1  # type: ignore[comparison-overlap]
    assert from_bytes(LongType(), entry.upper_bounds[ident]) == 3  # type: ignore[comparison-overlap]
    assert entry.value_counts[ident] == 3
    assert entry.null_value_counts[ident] == 0


def test_the_file_is_stored_below_its_load_and_the_local_copy_is_gone(events: Events) -> None:
    load_id = uuid.uuid4()
    path = events.write(load_id, {A: [1]})
    size = path.stat().st_size

    entry = Uploader(events.table, load_id).upload(DataFile(location=path, records=1))

    assert entry.file_path.startswith(f"{events.table.location()}/data/{load_id}/")
    assert entry.file_size_in_bytes == size
    assert events.stored() == [entry.file_path]
    assert not path.exists()


def test_files_of_one_name_in_two_folders_are_both_kept(events: Events, tmp_path: Path) -> None:
    load_id = uuid.uuid4()
    paths = [tmp_path / folder / "data_0.parquet" for folder in ("a", "b")]
    for number, path in enumerate(paths):
        path.parent.mkdir()
        events.write(load_id, {A: [number]}).rename(path)
    uploader = Uploader(events.table, load_id)

    publish(
        events.table,
        load_id,
        Change(added=[uploader.upload(DataFile(location=path, records=1)) for path in paths]),
        lambda: True,
    )

    assert events.rows() == [(A, 0), (A, 1)]


def test_the_tables_own_data_path_is_followed(make_events: Callable[..., Events], namespace: str) -> None:
    elsewhere = f"s3://landing/{namespace}/elsewhere"
    events = make_events("moved", properties={"write.data.path": elsewhere})
    load_id = events.load({A: [1]})

    assert load_location(events.table, load_id) == f"{elsewhere}/{load_id}"
    assert events.paths()[0].startswith(f"{elsewhere}/{load_id}/")
    assert events.rows() == [(A, 1)]


def test_threads_may_upload_at_once(events: Events) -> None:
    load_id = uuid.uuid4()
    uploader = Uploader(events.table, load_id)
    files = [DataFile(location=events.write(load_id, {A: [n]}), records=1) for n in range(12)]

    with ThreadPoolExecutor(4) as pool:
        entries = list(pool.map(uploader.upload, files))
    publish(events.table, load_id, Change(added=entries), lambda: True)

    assert events.rows_by_duckdb() == [(A, n) for n in range(12)]


def test_a_file_that_is_in_the_tables_storage_already_is_only_described(events: Events) -> None:
    load_id = uuid.uuid4()
    uploaded = events.uploaded(load_id, {A: [1]})

    again = Uploader(events.table, load_id).upload(DataFile(location=uploaded.file_path, records=1))

    assert (again.file_path, again.file_size_in_bytes) == (uploaded.file_path, uploaded.file_size_in_bytes)
    assert again.lower_bounds == uploaded.lower_bounds


def test_a_file_with_other_than_the_counted_rows_is_refused(events: Events) -> None:
    load_id = uuid.uuid4()
    path = events.write(load_id, {A: [1, 2]})

    with pytest.raises(TableMismatch, match="holds 2 rows, its engine counted 1"):
        Uploader(events.table, load_id).upload(DataFile(location=path, records=1))

    assert events.stored() == []


def test_a_file_whose_columns_have_no_field_ids_is_refused(events: Events, tmp_path: Path) -> None:
    path = tmp_path / "bare.parquet"
    pq.write_table(pa.table({"id": [1]}), path)

    with pytest.raises(TableMismatch, match=r"id of .* has no Iceberg field id"):
        Uploader(events.table, uuid.uuid4()).upload(DataFile(location=path, records=1))


def test_partition_values_must_be_as_many_as_the_tables(make_events: Callable[..., Events]) -> None:
    events = make_events(partition_columns=["day(at)"])

    with pytest.raises(TableMismatch, match="has 0 partition values; the table wants 1"):
        events.uploaded(uuid.uuid4(), {A: [1]})


@pytest.mark.parametrize(
    ("words", "value", "mine", "others"),
    [
        ("day(at)", 19737, "at >= '2024-01-15T00:00:00+00:00'", "at < '2024-01-15T00:00:00+00:00'"),
        ("kind", "a", "kind = 'a'", "kind = 'b'"),
        ("kind", None, "kind is null", "kind is not null"),
        (
            "at",
            datetime(2024, 1, 15, 12, tzinfo=UTC),
            "at = '2024-01-15T12:00:00+00:00'",
            "at > '2024-01-15T12:00:00+00:00'",
        ),
        ("truncate(1, kind)", "a", "kind = 'a'", "kind = 'b'"),
    ],
)
def test_partition_values_prune_as_they_should(
    make_events: Callable[..., Events], words: str, value: Any, mine: str, others: str
) -> None:
    events = make_events(partition_columns=[words])
    how: dict[str, Any] = {"kind": None} if value is None else {}
    events.load({A: [1]}, partition=(value,), **how)

    assert events.table.refresh().scan(row_filter=mine).to_arrow()["id"].to_pylist() == [1]
    assert list(events.table.scan(row_filter=others).plan_files()) == []


def test_a_partition_field_dropped_since_stays_null(make_events: Callable[..., Events]) -> None:
    events = make_events(partition_columns=["kind", "day(at)"], properties={"format-version": "1"})
    with events.table.update_spec() as update:
        update.remove_field("kind")
    assert [field.name for field in shape(events.table.refresh()).partition] == ["at_day"]

    events.load({A: [1]}, partition=(19737,))

    assert events.rows() == events.rows_by_duckdb() == [(A, 1)]


def test_a_required_column_that_has_no_value_is_refused(lake: Catalog, namespace: str, tmp_path: Path) -> None:
    lake.create_table((namespace, "t"), IcebergSchema(NestedField(1, "id", LongType(), required=True)))
    table = ensure_table(lake, namespace, "t", Schema((Column("id", Scalar.BIGINT),)))

    full = _upload_ids(table, tmp_path / "full.parquet", [1, 2])
    assert full.record_count == 2
    with pytest.raises(TableMismatch, match="requires a value in id, and 1 rows have none"):
        _upload_ids(table, tmp_path / "holes.parquet", [1, None])


def _upload_ids(table: Table, path: Path, ids: list[int | None]) -> Any:
    field = pa.field("id", pa.int64(), metadata={"PARQUET:field_id": "1"})
    pq.write_table(pa.table([pa.array(ids, pa.int64())], schema=pa.schema([field])), path)
    return Uploader(table, uuid.uuid4()).upload(DataFile(location=path, records=len(ids)))


def test_a_storage_that_is_away_is_told_as_something_to_try_again(events: Events, connections: Any) -> None:
    from autoloader.lake.catalogs import open_catalog

    given = connections.catalogs["lake"]
    away = {**given, "s3.endpoint": "http://127.0.0.1:1", "s3.connect-timeout": "0.2", "s3.request-timeout": "0.2"}
    table = open_catalog("lake", {"lake": away}).load_table(events.table.name())
    load_id = uuid.uuid4()
    path = events.write(load_id, {A: [1]})

    with pytest.raises(CatalogUnavailable, match="storage"):
        Uploader(table, load_id).upload(DataFile(location=path, records=1))

    assert path.exists()


def test_a_table_that_is_loaded_again_and_again_opens_no_more_files_each_time(events: Events) -> None:
    process = psutil.Process()

    def load() -> int:
        table = events.again().table
        assert files_below(table, table.location())
        assert table.io.new_input(table.metadata_location).exists()
        return process.num_fds()

    gc.disable()
    try:
        first, *others = [load() for _ in range(20)]
    finally:
        gc.enable()

    assert max(others) <= first + 4, "what the first loads opened is used by all of them"
