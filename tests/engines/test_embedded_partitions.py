"""Partitions: every transform equals PyIceberg's own, and each data file holds one partition."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from pyiceberg.transforms import parse_transform
from pyiceberg.types import (
    BinaryType,
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    PrimitiveType,
    StringType,
    TimestampType,
    TimestamptzType,
)

from autoloader.errors import TableMismatch

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

DATES = ["1969-12-31", "1970-01-01", "1969-01-01", "2024-02-29", "0001-01-01", "9999-12-31", None]
INSTANTS = ["1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "2024-02-29T12:30:00+05:30", "1900-06-01", None]
NAIVE = ["1969-12-31T23:59:59.999999", "1970-01-01T00:00:00", "2024-02-29T12:30:00", None]
NUMBERS = [0, 1, -1, 9, 10, -10, -11, 2147483647, -2147483640, None]
DECIMALS = ["0", "10.65", "-10.65", "-0.05", "123.45", None]
STRINGS = ["", "iceberg", "é😀é😀é", "a/b=c", "__HIVE_DEFAULT_PARTITION__", "NULL", None]
BINARIES = [base64.b64encode(raw).decode() for raw in (b"", b"\0\xff\0", b"abcdef")] + [None]

CASES: list[tuple[str, PrimitiveType, list[Any], list[str]]] = [
    ("DATE", DateType(), DATES, ["identity", "year", "month", "day", "bucket[16]"]),
    ("TIMESTAMP", TimestamptzType(), INSTANTS, ["identity", "year", "month", "day", "hour", "bucket[7]"]),
    ("TIMESTAMP_NTZ", TimestampType(), NAIVE, ["identity", "year", "month", "day", "hour", "bucket[7]"]),
    ("BIGINT", LongType(), NUMBERS, ["identity", "truncate[10]", "bucket[16]"]),
    ("INT", IntegerType(), NUMBERS, ["identity", "truncate[10]", "bucket[16]"]),
    ("DECIMAL(9,2)", DecimalType(9, 2), DECIMALS, ["identity", "truncate[50]", "bucket[16]"]),
    ("STRING", StringType(), STRINGS, ["identity", "truncate[3]", "bucket[16]"]),
    ("BINARY", BinaryType(), BINARIES, ["identity", "truncate[2]", "bucket[16]"]),
]


def internal(value: Any) -> Any:
    """A Python value as Iceberg's transforms take it."""
    match value:
        case datetime():
            epoch = datetime(1970, 1, 1, tzinfo=value.tzinfo)
            return (value - epoch) // timedelta(microseconds=1)
        case date():
            return (value - date(1970, 1, 1)).days
        case _:
            return value


@pytest.mark.parametrize(("ddl", "iceberg", "values", "transforms"), CASES, ids=[case[0] for case in CASES])
def test_each_data_file_holds_the_one_partition_that_pyiceberg_would_choose(
    loads: Any, put: Put, ddl: str, iceberg: PrimitiveType, values: list[Any], transforms: list[str]
) -> None:
    put("a.json", "".join(json.dumps({"v": value}) + "\n" for value in [*values, *values]))
    for transform in transforms:
        result = loads.load(f"v {ddl}", partition=[("v", transform)])
        assert len(result.rows) == 2 * len(values)
        expected = parse_transform(transform).transform(iceberg)
        for data_file, rows in result.data_files:
            assert data_file.records == len(rows)
            chosen = {expected(internal(row["v"])) for row in rows}
            assert chosen == {internal(data_file.partition[0])}, transform
        partitions = [data_file.partition for data_file, _ in result.data_files]
        assert len(partitions) == len(set(partitions)), "one file for each partition of one statement"
        assert len(partitions) == len({expected(internal(row["v"])) for row in result.rows})


def test_several_fields_make_a_tuple_in_their_order(loads: Any, put: Put) -> None:
    put("a.json", '{"k": "a", "at": "2024-01-15T10:00:00Z"}\n{"k": "b", "at": "2024-01-16T10:00:00Z"}\n{}\n')
    result = loads.load("k STRING, at TIMESTAMP", partition=[("at", "day"), ("k", "identity")])
    assert sorted((d.partition for d, _ in result.data_files), key=str) == [(19737, "a"), (19738, "b"), (None, None)]
    assert all(set(row) >= {"k", "at"} for row in result.rows)


def test_truncate_wraps_around_below_the_smallest_integer_as_in_java(loads: Any, put: Put) -> None:
    put("a.json", '{"i": -2147483648, "b": -9223372036854775808}\n')
    result = loads.load("i INT, b BIGINT", partition=[("i", "truncate[10]"), ("b", "truncate[10]")])
    assert [d.partition for d, _ in result.data_files] == [(2147483646, 9223372036854775806)]


def test_more_partitions_than_files_may_be_open_are_written_one_file_each(loads: Any, put: Put) -> None:
    put("a.json", "".join(f'{{"id": {at}, "s": "{"x" * 50}"}}\n' for at in range(2_400)))
    result = loads.load("id BIGINT, s STRING", partition=[("id", "truncate[4]")])
    assert len(result.data_files) == 600
    assert sorted(row["id"] for row in result.rows) == list(range(2_400))


def test_bad_values_fail_their_file_in_a_partitioned_table_too(loads: Any, put: Put) -> None:
    put("bad.json", '{"n": "1.234"}\n')
    put("good.json", '{"n": "1.23"}\n')
    result = loads.load("n DECIMAL(9,2)", partition=[("n", "bucket[4]")])
    assert [row["n"] for row in result.rows] == [Decimal("1.23")]
    assert result.outcomes["bad.json"].error_type == "BadRecord"


@pytest.mark.parametrize(
    ("ddl", "transform"), [("v DOUBLE", "bucket[4]"), ("v BOOLEAN", "truncate[2]"), ("v INT", "zorder")]
)
def test_a_transform_that_cannot_be_applied_is_refused_before_anything_is_read(
    loads: Any, ddl: str, transform: str
) -> None:
    with pytest.raises(TableMismatch, match=r"transform"):
        loads.load(ddl, partition=[("v", transform)])
