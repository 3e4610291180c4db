"""Partitions through either engine: each data file holds the one partition that PyIceberg's own transforms choose."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
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
from tests.contract.conftest import BOTH, IN_TASKS

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

ENGINES = (*BOTH, IN_TASKS)

DDL = "d DATE, at TIMESTAMP, ntz TIMESTAMP_NTZ, b BIGINT, i INT, n DECIMAL(9,2), s STRING, bin BINARY"
TYPES: dict[str, PrimitiveType] = {
    "d": DateType(),
    "at": TimestamptzType(),
    "ntz": TimestampType(),
    "b": LongType(),
    "i": IntegerType(),
    "n": DecimalType(9, 2),
    "s": StringType(),
    "bin": BinaryType(),
}
VALUES: dict[str, list[Any]] = {
    "d": ["1969-12-31", "2024-02-29", "0001-01-01", "9999-12-31", None],
    "at": ["1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "2024-02-29T12:30:00+05:30", "1900-06-01", None],
    "ntz": ["1969-12-31T23:59:59.999999", "1970-01-01T00:00:00", "2024-02-29T12:30:00", "1900-06-01", None],
    "b": [0, -1, -10, 9223372036854775807, None],
    "i": [0, -1, -10, 2147483647, None],
    "n": ["0", "10.65", "-0.05", "123.45", None],
    "s": ["", "é😀é😀é", "a/b=c", "__HIVE_DEFAULT_PARTITION__", None],
    "bin": ["", "AP8A", "YWJjZGVm", "Kg==", None],
}
SPECS = [
    [(column, "identity") for column in TYPES],
    [("d", "year"), ("at", "month"), ("ntz", "hour"), *((c, "truncate[2]") for c in ("b", "i", "n", "s", "bin"))],
    [("d", "month"), ("at", "hour"), ("ntz", "day"), *((c, "bucket[16]") for c in ("b", "i", "n", "s", "bin"))],
]


def internal(value: Any) -> Any:
    """A Python value as Iceberg's transforms take it."""
    match value:
        case datetime():
            return (value - datetime(1970, 1, 1, tzinfo=value.tzinfo)) // timedelta(microseconds=1)
        case date():
            return (value - date(1970, 1, 1)).days
        case _:
            return value


@pytest.mark.parametrize("spec", SPECS, ids=["identity", "calendar and truncate", "calendar and bucket"])
def test_each_data_file_holds_the_one_partition_that_pyiceberg_would_choose(
    loads: Any, put: Put, spec: list[tuple[str, str]]
) -> None:
    rows = [{name: values[at] for name, values in VALUES.items()} for at in range(5)]
    put("a.json", "".join(json.dumps(row) + "\n" for row in [*rows, *rows]))
    put("bad.json", json.dumps(rows[0]) + '\n{"n": "1.234"}\n')
    result = loads.load(DDL, partition=spec)
    assert result.failure("bad.json")[0] == "BadRecord"
    assert len(result.rows) == 10
    for data_file, held in result.data_files:
        for row in held:
            expected = [parse_transform(t).transform(TYPES[c])(internal(row[c])) for c, t in spec]
            assert [internal(value) for value in data_file.partition] == expected
    assert len({data_file.partition for data_file, _ in result.data_files}) == len(result.data_files)
