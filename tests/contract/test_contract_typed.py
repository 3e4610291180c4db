"""Avro and ORC through either engine: exact types and Iceberg's promotions, nothing else, as for Parquet."""

from __future__ import annotations

import io
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import fastavro
import pyarrow as pa
import pyarrow.orc as po
import pytest
from tests.contract.conftest import IN_TASKS

from autoloader.model import EngineName, FileStatus, FormatType

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

ENGINES = (str(EngineName.EMBEDDED), IN_TASKS)
"""Spark's own readers are not asked for these: their types tell less than the files do."""


def avro(fields: dict[str, Any], *records: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in fields.items()]}
    fastavro.writer(sink, schema, records, **options)
    return sink.getvalue()


def orc(**columns: pa.Array[Any]) -> bytes:
    sink = io.BytesIO()
    po.write_table(pa.table(columns), sink)
    return sink.getvalue()


def logical(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": name, **more}


AT = datetime(2024, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
OLD = datetime(1500, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
ID = uuid.UUID("2d52f23e-ed9a-4d29-add6-f212cb8c9cb4")
COLOUR = {"type": "enum", "name": "colour", "symbols": ["red", "green"]}
PAGE = {
    "type": "record",
    "name": "page",
    "fields": [
        {"name": "x", "type": "int"},
        {"name": "y", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "id", "type": ["null", logical("string", "uuid")]},
    ],
}
PAGE_DDL = "STRUCT<x: BIGINT, y: ARRAY<STRING>, id: STRING>"
LOCAL = AT.replace(tzinfo=None)
PAGES = [{"x": 2, "y": [], "id": None}]
LONGS = {"type": "map", "values": ["null", "long"]}
AVRO: dict[str, tuple[Any, str, Any, Any]] = {
    "s": ("string", "STRING", "é", "é"),
    "o": (["null", "boolean"], "BOOLEAN", None, None),
    "i": ("int", "INT", -7, -7),
    "l": (["int", "null"], "BIGINT", 7, 7),
    "il": (["int", "long"], "BIGINT", 2**40, 2**40),
    "f": ("float", "DOUBLE", 0.25, 0.25),
    "d": ("double", "DOUBLE", 0.1, 0.1),
    "b": ("bytes", "BINARY", b"\0\xff", b"\0\xff"),
    "fixed": ({"type": "fixed", "name": "four", "size": 4}, "BINARY", b"abcd", b"abcd"),
    "colour": (COLOUR, "STRING", "green", "green"),
    "again": (["null", "colour"], "STRING", "red", "red"),
    "day": (logical("int", "date"), "DATE", date(1, 1, 1), date(1, 1, 1)),
    "ms": (logical("long", "timestamp-millis"), "TIMESTAMP", AT, AT.replace(microsecond=123000)),
    "us": (["null", logical("long", "timestamp-micros")], "TIMESTAMP", OLD, OLD),
    "local": (logical("long", "local-timestamp-micros"), "TIMESTAMP_NTZ", LOCAL, LOCAL),
    "n": (logical("bytes", "decimal", precision=5, scale=2), "DECIMAL(10,2)", Decimal("-1.25"), Decimal("-1.25")),
    "id": (logical("string", "uuid"), "STRING", ID, str(ID)),
    "m": (LONGS, "MAP<STRING, BIGINT>", {"k": 1, "n": None}, [("k", 1), ("n", None)]),
    "p": (["null", PAGE], PAGE_DDL, {"x": 1, "y": ["a", None], "id": ID}, {"x": 1, "y": ["a", None], "id": str(ID)}),
    "ps": ({"type": "array", "items": "page"}, f"ARRAY<{PAGE_DDL}>", PAGES, PAGES),
}


def test_every_avro_type_comes_out_as_it_went_in_whatever_the_codec(loads: Any, put: Put) -> None:
    fields = {name: kind for name, (kind, *_) in AVRO.items()}
    record = {name: value for name, (_, _, value, _) in AVRO.items()}
    codecs = ("null", "deflate", "snappy", "zstandard", "bzip2", "xz")
    for codec in codecs:
        put(f"{codec}.avro", avro(fields, record, record, codec=codec))
    result = loads.load(", ".join(f"{name} {ddl}" for name, (_, ddl, *_) in AVRO.items()), format_type=FormatType.AVRO)
    expected = {name: value for name, (_, _, _, value) in AVRO.items()}
    assert [{name: row[name] for name in AVRO} for row in result.rows] == [expected] * 2 * len(codecs)


def test_every_orc_type_comes_out_as_it_went_in(loads: Any, put: Put) -> None:
    before = pa.array([-1, 1_500, None], pa.timestamp("ns", "UTC"))
    page = pa.struct([("x", pa.int32()), ("y", pa.list_(before.type))])
    columns: dict[str, pa.Array[Any]] = {
        "s": pa.array(["é", None, ""]),
        "i": pa.array([7, None, -7], pa.int16()),
        "d": pa.array([0.25, None, 1], pa.float32()),
        "at": before,
        "ntz": before.cast(pa.timestamp("ns")),
        "day": pa.array([date(1, 1, 1), None, date(9999, 12, 31)]),
        "n": pa.array([Decimal("1.25"), None, Decimal(0)], pa.decimal128(5, 2)),
        "p": pa.array([{"x": 1, "y": [-1, None]}, None, {"x": None, "y": None}], page),
        "m": pa.array([[("k", -1)], None, []], pa.map_(pa.string(), pa.timestamp("ns"))),
    }
    put("a.orc", orc(**columns))
    ddl = (
        "s STRING, i BIGINT, d DOUBLE, at TIMESTAMP, ntz TIMESTAMP_NTZ, day DATE, n DECIMAL(10,2), "
        "p STRUCT<x: INT, y: ARRAY<TIMESTAMP>>, m MAP<STRING, TIMESTAMP_NTZ>"
    )
    rows = loads.load(ddl, format_type=FormatType.ORC).rows
    last = datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    first = datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    for name in ("s", "i", "d", "day", "n"):
        assert [row[name] for row in rows] == columns[name].to_pylist()
    assert [row["at"] for row in rows] == [last, first, None]
    assert [row["ntz"] for row in rows] == [last.replace(tzinfo=None), first.replace(tzinfo=None), None]
    assert [row["p"] for row in rows] == [{"x": 1, "y": [last, None]}, None, {"x": None, "y": None}]
    assert [row["m"] for row in rows] == [[("k", last.replace(tzinfo=None))], None, []]


ZERO = {"type": "fixed", "name": "zero", "size": 0}
MISFITS: dict[str, tuple[FormatType, bytes, tuple[str, ...]]] = {
    "long.avro": (FormatType.AVRO, avro({"a": "long"}, {"a": 1}), ('"a"', "int64", "INT")),
    "union.avro": (FormatType.AVRO, avro({"a": ["int", "string"]}, {"a": 1}), ('"a"', '["int", "string"]')),
    "time.avro": (FormatType.AVRO, avro({"a": logical("int", "time-millis")}), ('"a"', "time32", "INT")),
    "other.avro": (FormatType.AVRO, avro({"b": "int"}, {"b": 1}), ("none of the columns", '"b"')),
    "long.orc": (FormatType.ORC, orc(a=pa.array([1], pa.int64())), ('"a"', "int64", "INT")),
    "other.orc": (FormatType.ORC, orc(_col0=pa.array([1], pa.int32())), ("none of the columns", '"_col0"')),
}


@pytest.mark.parametrize("format_type", [FormatType.AVRO, FormatType.ORC])
def test_promotions_load_and_what_would_lose_something_fails_its_file(
    loads: Any, put: Put, format_type: FormatType
) -> None:
    misfits = {name: facts for name, facts in MISFITS.items() if facts[0] is format_type}
    for name, (_, body, _) in misfits.items():
        put(name, body)
    small = orc(A=pa.array([1], pa.int8()), more=pa.array(["x"]))
    put("good", avro({"A": "int", "more": ["int", "string"]}, {"A": 1, "more": 2}) if format_type == "avro" else small)
    put("empty", b"")
    result = loads.load("a INT, lacking STRING", format_type=format_type)
    assert [(row["a"], row["lacking"]) for row in result.rows] == [(1, None)]
    assert result.outcomes["empty"].status is FileStatus.SUCCESS
    for name, (_, _, told) in misfits.items():
        kind, message = result.failure(name)
        assert kind == "TypeMismatch", name
        assert all(word in str(message) for word in told), message


def test_broken_truncated_and_foreign_files_are_unreadable_and_fail_alone(loads: Any, put: Put) -> None:
    good = avro({"a": "int", "s": "string"}, *({"a": at, "s": "x" * 50} for at in range(2000)), sync_interval=4000)
    marker = good[-16:]
    second = good.index(marker, good.index(marker) + 16) + 16
    endless = avro({"s": "string"}, {"s": "x"})
    bodies = {
        "truncated": good[:-5],
        "cut within a length": good[: second + 1],
        "header": good[:60],
        "foreign": b'{"a": 1}\n',
        "marker": good[:-1] + b"?",
        "year 36 million": avro({"a": "int", "t": logical("long", "timestamp-millis")}, {"a": 1, "t": 2**60}),
        "endless": avro({"z": ZERO}, {"z": b""}).replace(b"\x02\x00", b"\xfe\xff\xff\xff\x0f\x00"),
        "array": endless.replace(b'"record"', b'"recerd"'),
        "latin-1": avro({"a": "int", "s": "string"}, {"a": 1, "s": "?"}).replace(b"\x02?", b"\x02\xe9"),
    }
    for name, body in bodies.items():
        put(name, body)
    put("good", good)
    result = loads.load("a INT, s STRING, z BINARY", format_type=FormatType.AVRO)
    assert {name: result.failure(name)[0] for name in bodies} == dict.fromkeys(bodies, "FileUnreadable")
    assert len(result.rows) == 2000
    assert "truncated after record" in str(result.failure("truncated")[1])


def test_an_orc_file_that_is_broken_or_holds_what_no_reader_can_fails_alone(loads: Any, put: Put) -> None:
    good = orc(a=pa.array(range(10_000), pa.int32()))
    for name, body in {"truncated": good[:-9], "foreign": b"ORC, in words\n", "half": good[len(good) // 2 :]}.items():
        put(name, body)
    put("good", good)
    result = loads.load("a INT", format_type=FormatType.ORC)
    assert sorted(row["a"] for row in result.rows) == list(range(10_000))
    failed = {name for name, outcome in result.outcomes.items() if outcome.error_type == "FileUnreadable"}
    assert failed == {"truncated", "foreign", "half"}
