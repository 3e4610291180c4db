"""Columns of any name, through either engine: what a file calls a column is what the table calls it."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoloader.errors import UsageError
from autoloader.model import FileStatus, FormatType, UnknownFields
from autoloader.schema import parse_schema, to_ddl, to_json
from autoloader.schema.types import Column, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

NAMES = [
    "id",
    "a.b",
    "a b",
    " lead and trail ",
    "select",
    "order",
    "file_row_number",
    "ordinal",
    "path",
    "line",
    "typed0",
    "s",
    "r",
    "value",
    "key0",
    "Größe",
    "名前",
    "🦆",
    "e\u0301",
    "a`b",
    'a"b',
    "it's",
    "back\\slash",
    "50%",
    "$x",
    "{x}",
    "[0]",
    "-",
    "1st",
    "filename",
    "element",
    "UPPER",
    "n" * 300,
    "é" * 120,
]


def ddl(names: list[str]) -> str:
    return to_json(Schema(tuple(Column(name, Scalar.STRING) for name in names)))


def csv_of(*rows: list[str]) -> str:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    return sink.getvalue()


def found(result: Any, names: list[str]) -> list[tuple[str | None, ...]]:
    assert {outcome.status for outcome in result.outcomes.values()} == {FileStatus.SUCCESS}, result.outcomes
    return [tuple(row[name] for name in names) for row in result.rows]


@pytest.mark.parametrize("kind", [FormatType.JSON, FormatType.CSV, FormatType.PARQUET])
def test_names_of_every_kind_are_columns(loads: Any, put: Put, kind: FormatType) -> None:
    values = [f"v{at}" for at in range(len(NAMES))]
    record = dict(zip(NAMES, values, strict=True))
    if kind is FormatType.JSON:
        put("plain", json.dumps(record, ensure_ascii=False) + "\n")
        put("odd", json.dumps(record) + "\n")
    elif kind is FormatType.CSV:
        put("plain", csv_of(NAMES, values))
        put("odd", csv_of(NAMES[::-1], values[::-1]).replace("v1,", '"v1",'))
    else:
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([record]), sink)
        put("plain", sink.getvalue())
        put("odd", sink.getvalue())
    result = loads.load(ddl(NAMES), format_type=kind, unknown_fields=UnknownFields.RESCUE)
    assert found(result, NAMES) == [tuple(values)] * 2
    assert result.values("_rescued_data") == [None, None]


def test_names_of_every_kind_are_fields_of_structs(loads: Any, put: Put) -> None:
    names = [name for name in NAMES if "." not in name]
    schema = to_json(Schema((Column("s", Struct(tuple(Column(name, Scalar.STRING) for name in names))),)))
    record = {"s": {name: f"v{at}" for at, name in enumerate(names)}}
    put("a.json", json.dumps(record, ensure_ascii=False) + "\n")
    # By place: Spark's writer spells some names otherwise in Parquet, where Iceberg reads by field ids.
    assert [list(row["s"].values()) for row in loads.load(schema).rows] == [list(record["s"].values())]


def test_a_key_that_differs_by_case_is_another_field_in_json_and_the_same_column_in_csv_and_parquet(
    loads: Any, put: Put
) -> None:
    put("a.json", '{"Id": 1, "ID": 2, "id": 3}\n')
    result = loads.load("id BIGINT", unknown_fields=UnknownFields.RESCUE)
    assert [(row["id"], row["_rescued_data"]) for row in result.rows] == [(3, '{"ID":2,"Id":1}')]
    put("a.json", "ID,name\n1,x\n")
    result = loads.load("id BIGINT, Name STRING", format_type=FormatType.CSV, unknown_fields=UnknownFields.RESCUE)
    assert [(row["id"], row["Name"], row["_rescued_data"]) for row in result.rows] == [(1, "x", None)]


def test_a_csv_header_with_two_names_that_differ_by_case_alone_keeps_the_second(loads: Any, put: Put) -> None:
    put("a.csv", "ID,id,Id\n1,2,3\n")
    result = loads.load("id BIGINT", format_type=FormatType.CSV, unknown_fields=UnknownFields.RESCUE)
    assert [(row["id"], row["_rescued_data"]) for row in result.rows] == [(2, '{"ID":"1","Id":"3"}')]


def test_columns_of_parquet_that_differ_by_case_alone_are_kept_apart_and_what_cannot_be_is_refused(
    loads: Any, put: Put
) -> None:
    def parquet(**columns: pa.Array[Any]) -> bytes:
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink)
        return sink.getvalue()

    put("a", parquet(ID=pa.array([1]), id=pa.array([2]), Id=pa.array([3]), s=pa.array(["x"])))
    put("b", parquet(S=pa.array(["y"]), Autoloader_File=pa.array([5]), id=pa.array([4])))
    usual: dict[str, Any] = {"format_type": FormatType.PARQUET}
    for mode, kept in (
        (UnknownFields.RESCUE, ['{"Autoloader_File":5}', '{"ID":1,"Id":3}']),
        (UnknownFields.IGNORE, []),
    ):
        result = loads.load("id BIGINT, s STRING", unknown_fields=mode, **usual)
        assert sorted((row["id"], row["s"]) for row in result.rows) == [(2, "x"), (4, "y")]
        assert [row["_rescued_data"] for row in sorted(result.rows, key=lambda row: -row["id"]) if kept] == kept
    put("a", parquet(id=pa.array([1]), x=pa.array([{"a": 1, "A": 2}])))
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"]), sink)
    put("b", sink.getvalue())
    result = loads.load("id BIGINT", unknown_fields=UnknownFields.RESCUE, **usual)
    assert [result.failure(name) for name in "ab"] == [
        ("TypeMismatch", 'the column "x" of the file has fields whose names differ by case alone'),
        ("TypeMismatch", 'the file has the column "id" more than once'),
    ]
    assert loads.load("id BIGINT", **usual).values("id") == [1], "what is left out may be called anything"


def test_two_columns_that_differ_by_case_alone_are_refused_when_the_schema_is_saved() -> None:
    for text in (
        "id INT, ID STRING",
        "straße INT, STRASSE INT",
        "s STRUCT<a: INT, A: INT>",
        "`a.b` INT, a STRUCT<b: INT>",
    ):
        with pytest.raises(UsageError, match=r"two columns are named .*; names must differ by more than case"):
            parse_schema(text)


NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)


@pytest.mark.parametrize("loads", ["embedded"], indirect=True)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAME, min_size=1, max_size=6, unique_by=str.casefold))
def test_whatever_a_column_is_called_its_values_arrive(loads: Any, put: Put, names: list[str]) -> None:
    schema = ddl(names)
    assert parse_schema(to_ddl(parse_schema(schema))) == parse_schema(schema)
    values = [f"v{at}" for at in range(len(names))]
    put("a", json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False) + '\n{"x y z new": 1}\n')
    rows = found(loads.load(schema, unknown_fields=UnknownFields.RESCUE), [*names, "_rescued_data"])
    assert sorted(rows, key=str) == sorted(
        [(*values, None), (*(None for _ in names), '{"x y z new":1}')], key=str
    )  # fmt: skip
    put("a", csv_of(names, values))
    assert found(loads.load(schema, format_type=FormatType.CSV), names) == [tuple(values)]
