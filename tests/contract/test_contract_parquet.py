"""Parquet through either engine: exact types and Iceberg's promotions, nothing else."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from autoloader.model import FileStatus, FormatType

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]


def load(loads: Any, ddl: str) -> Any:
    return loads.load(ddl, format_type=FormatType.PARQUET)


def parquet(**columns: pa.Array[Any] | pa.ChunkedArray[Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_promotions_missing_columns_and_other_orders_load_without_loss(loads: Any, put: Put) -> None:
    put("a.parquet", parquet(id=pa.array([1], pa.int32()), x=pa.array([0.5], pa.float32())))
    put("b.parquet", parquet(n=pa.array([Decimal("1.25")], pa.decimal128(5, 2)), id=pa.array([2], pa.int64())))
    put("c.parquet", parquet(ID=pa.array([3], pa.int64()), extra=pa.array(["x"])))
    result = load(loads, "id BIGINT, x DOUBLE, n DECIMAL(10,2)")
    found = sorted((row["id"], row["x"], row["n"]) for row in result.rows)
    assert found == [(1, 0.5, None), (2, None, Decimal("1.25")), (3, None, None)]
    assert {outcome.records_ingested for outcome in result.outcomes.values()} == {1}


def test_every_type_comes_out_as_it_went_in(loads: Any, put: Put) -> None:
    at = datetime(2024, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
    columns: dict[str, pa.Array[Any]] = {
        "s": pa.array(["é"]).dictionary_encode(),
        "i": pa.array([7], pa.int32()),
        "f": pa.array([0.25], pa.float32()),
        "o": pa.array([True]),
        "at": pa.array([at], pa.timestamp("us", tz="UTC")),
        "ntz": pa.array([at.replace(tzinfo=None)], pa.timestamp("us")),
        "d": pa.array([date(1969, 12, 31)]),
        "bin": pa.array([b"\0\xff"]),
        "p": pa.array([{"x": 1, "y": ["a", None]}], pa.struct([("x", pa.int32()), ("y", pa.list_(pa.string()))])),
        "m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
    }
    put("a.parquet", parquet(**columns))
    ddl = (
        "s STRING, i INT, f FLOAT, o BOOLEAN, at TIMESTAMP, ntz TIMESTAMP_NTZ, d DATE, bin BINARY, "
        "p STRUCT<x: BIGINT, y: ARRAY<STRING>>, m MAP<STRING, BIGINT>"
    )
    row = load(loads, ddl).rows[0]
    assert {name: row[name] for name in columns} == {name: column.to_pylist()[0] for name, column in columns.items()}


LOSING: list[tuple[str, pa.Array[Any], tuple[str, str]]] = [
    ("id INT", pa.array([1], pa.int64()), ("int64", "INT")),
    ("id BIGINT", pa.array([1.0]), ("double", "BIGINT")),
    ("id BIGINT", pa.array(["1"]), ("string", "BIGINT")),
    ("id STRING", pa.array([1]), ("int64", "STRING")),
    ("id FLOAT", pa.array([1.0]), ("double", "FLOAT")),
    ("id DECIMAL(5,2)", pa.array([Decimal("1.25")], pa.decimal128(6, 2)), ("decimal128(6, 2)", "DECIMAL(5,2)")),
    ("id DECIMAL(9,2)", pa.array([Decimal("1.2")], pa.decimal128(5, 1)), ("decimal128(5, 1)", "DECIMAL(9,2)")),
    ("id TIMESTAMP", pa.array([datetime(2024, 1, 1)], pa.timestamp("us")), ("timestamp[us]", "TIMESTAMP")),  # noqa: DTZ001  naive on purpose
    ("id ARRAY<INT>", pa.array([[1.5]]), ("double", "ARRAY<INT>")),
]


def test_a_type_that_would_lose_something_fails_its_file(loads: Any, put: Put) -> None:
    ddl = ", ".join(f"c{at} {ddl.removeprefix('id ')}" for at, (ddl, _, _) in enumerate(LOSING))
    for at, (_, column, _) in enumerate(LOSING):
        put(f"{at}.parquet", parquet(**{f"c{at}": column}))
    result = load(loads, ddl)
    for at, (_, _, names) in enumerate(LOSING):
        kind, message = result.failure(f"{at}.parquet")
        assert kind == "TypeMismatch"
        assert message is not None
        assert f'"c{at}"' in message
        assert all(name in message for name in names)


def test_broken_truncated_and_foreign_files_are_unreadable_and_fail_alone(loads: Any, put: Put) -> None:
    good = parquet(id=pa.array(range(10_000)))
    middle = bytearray(good)
    middle[20:2000] = b"\xff" * 1980
    put("truncated.parquet", good[:-100])
    put("middle.parquet", bytes(middle))
    put("foreign.parquet", '{"id": 1}\n')
    put("empty.parquet", b"")
    put("good.parquet", good)
    result = load(loads, "id BIGINT")
    assert len(result.rows) == 10_000
    assert result.outcomes["empty.parquet"].status is FileStatus.SUCCESS
    for name in ("truncated.parquet", "middle.parquet", "foreign.parquet"):
        assert result.failure(name)[0] == "FileUnreadable", name


def test_a_file_without_rows_is_a_success(loads: Any, put: Put) -> None:
    put("a.parquet", parquet(id=pa.array([], pa.int64())))
    result = load(loads, "id BIGINT")
    assert result.data_files == []
    assert result.outcomes["a.parquet"].status is FileStatus.SUCCESS


def test_types_that_readers_disagree_about_are_what_they_are_for_both_engines(loads: Any, put: Put) -> None:
    old = datetime(1500, 1, 1, 12, 0, 0, 1, tzinfo=UTC)
    put("small.parquet", parquet(i=pa.array([200], pa.uint8()), at=pa.array([old], pa.timestamp("us", tz="UTC"))))
    put("large.parquet", parquet(b=pa.array([2**63], pa.uint64())))
    put("hour.parquet", parquet(b=pa.array([1], pa.time64("us"))))
    put("text.parquet", parquet(s=pa.array([b"x"], pa.binary())))
    put("list.parquet", parquet(t=pa.array([[1, None]], pa.list_(pa.int32())), m=pa.array([None], pa.null())))
    result = load(loads, "i INT, b BIGINT, at TIMESTAMP, s STRING, t ARRAY<BIGINT>")
    assert {name for name, o in result.outcomes.items() if o.error_type == "TypeMismatch"} == {
        "large.parquet",
        "hour.parquet",
        "text.parquet",
    }
    assert sorted(((row["i"], row["at"], row["t"]) for row in result.rows), key=str) == [
        (200, old, None),
        (None, None, [1, None]),
    ]
