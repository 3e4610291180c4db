"""Unknown fields that become columns, in the commit that brings their rows; read back with DuckDB."""

from __future__ import annotations

import io
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from tests.end_to_end.conftest import User

ADD = ("--unknown-fields", "add")


def columns(user: User, name: str) -> dict[str, str]:
    """The columns of the table that are no metadata, with their Iceberg types."""
    fields = user.catalog.load_table(f"{user.namespace}.{name}").schema().fields
    return {field.name: str(field.field_type) for field in fields if not field.name.startswith("_")}


def test_new_fields_become_columns_of_types_that_take_every_value_of_the_load(anyone: User, user: User) -> None:
    anyone.landing.put("a.json", '{"id": 1}\n{"id": 2}\n')
    anyone.creates("events", "--schema", "id BIGINT", *ADD)
    assert anyone.runs("events")["records_ingested"] == 2
    assert columns(user, "events") == {"id": "long"}
    before = len(user.snapshots("events"))

    anyone.landing.put("b.json", '{"id": 3, "n": 1, "day": "2024-01-15", "a.b": true, "Mixed é": 1}\n')
    anyone.landing.put("c.json", '{"id": 4, "n": 2.5, "page": {"path": "/", "tags": ["x"]}, "Mixed é": "x", "ID": 9}\n')
    run = anyone.runs("events")
    assert (run["files_succeeded"], run["records_ingested"]) == (2, 2)
    found = columns(user, "events")
    assert found.pop("page").startswith("struct<")
    assert found == {"id": "long", "Mixed é": "string", "a.b": "boolean", "day": "date", "n": "double"}
    assert len(user.snapshots("events")) == before + 1, "rows and columns came in one commit"
    wanted = 'SELECT id, n, day, "a.b", page.path, "Mixed é", _rescued_data FROM rows ORDER BY id'
    assert user.sees("events", wanted) == [
        (1, None, None, None, None, None, None),
        (2, None, None, None, None, None, None),
        (3, 1.0, date(2024, 1, 15), True, None, "1", None),
        (4, 2.5, None, None, "/", "x", '{"ID":9}'),
    ]
    table = user.catalog.load_table(f"{user.namespace}.events")
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert snapshot.schema_id == table.schema().schema_id


def test_a_column_that_came_is_never_changed_and_what_does_not_fit_it_is_bad(user: User) -> None:
    user.landing.put("a.json", '{"id": 1, "n": 1}\n')
    user.creates("kept", "--schema", "id BIGINT", *ADD)
    user.runs("kept")
    bad = user.landing.put("b.json", '{"id": 2, "n": 1.5}\n')
    user.landing.put("c.json", '{"id": 3, "n": 7, "page": {"a": 1}}\n')
    assert user.runs("kept", code=1)["files_failed"] == 1
    assert user.file("kept", bad)["error_message"] == 'line 1, column "n": "1.5" is not a BIGINT (not_bigint)'
    user.landing.put("d.json", '{"id": 4, "page": {"a": 2, "b": 3}}\n')
    assert user.runs("kept", code=1)["files_succeeded"] == 1
    assert user.sees("kept", "SELECT id, n, page.a, _rescued_data FROM rows ORDER BY id") == [
        (1, 1, None, None),
        (3, 7, 1, None),
        (4, None, 2, '{"page":{"b":3}}'),
    ]
    assert columns(user, "kept")["n"] == "long"


def test_csv_files_need_not_have_a_column_that_came_with_others(user: User) -> None:
    user.landing.put("a.csv", "id,more\n1,x\n2,\n")
    user.creates("sheet", "--schema", "id BIGINT", *ADD, file_format="csv")
    user.runs("sheet")
    user.landing.put("b.csv", "id\n3\n")
    user.landing.put("c.csv", 'more,id,at\n"a\nb",4,2024-01-15\n')
    assert user.runs("sheet")["files_succeeded"] == 2
    assert user.sees("sheet", 'SELECT id, more, "at" FROM rows ORDER BY id') == [
        (1, "x", None),
        (2, None, None),
        (3, None, None),
        (4, "a\nb", date(2024, 1, 15)),
    ]


def test_columns_of_parquet_come_with_their_own_types(user: User) -> None:
    def put(name: str, **found: pa.Array[Any]) -> None:
        sink = io.BytesIO()
        pq.write_table(pa.table(found), sink)
        user.landing.put(name, sink.getvalue())

    put("a.parquet", id=pa.array([1]), n=pa.array([1], pa.int32()), t=pa.array([None], pa.time64("us")))
    big = pa.array([2**64 - 1], pa.uint64())
    put("b.parquet", id=pa.array([2]), n=pa.array([2], pa.int64()), s=pa.array(["x"]), u=big)
    user.creates("typed", "--schema", "id BIGINT", *ADD, file_format="parquet")
    assert user.runs("typed")["files_succeeded"] == 2
    assert columns(user, "typed") == {"id": "long", "n": "long", "s": "string"}
    assert user.sees("typed", "SELECT id, n, s, _rescued_data FROM rows ORDER BY id") == [
        (1, 1, None, None),
        (2, 2, "x", '{"u":18446744073709551615}'),
    ]


def test_records_with_names_without_end_stay_json(user: User) -> None:
    members = ", ".join(f'"k{at}": {at}' for at in range(150))
    user.landing.put("a.json", f'{{"id": 1, {members}}}\n')
    user.creates("dictionary", "--schema", "id BIGINT", *ADD)
    user.runs("dictionary")
    assert columns(user, "dictionary") == {"id": "long"}
    assert user.sees("dictionary", "SELECT _rescued_data LIKE '%\"k149\":149%' FROM rows") == [(True,)]


def test_a_preview_shows_the_columns_that_a_run_would_add(user: User) -> None:
    user.landing.put("a.json", '{"id": 1, "more": 2}\n')
    described = ("--source", user.landing.path, "--format", "json", "--schema", "id BIGINT", *ADD)
    seen = user.types("preview", *described, "--table", user.table("none"), "--json").json
    assert (seen["columns"], seen["rows"]) == (["id", "more"], [[1, 2]])
    assert '"name":"more","type":"long"' in seen["schema_json"]
