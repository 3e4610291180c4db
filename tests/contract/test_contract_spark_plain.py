"""Which lines Spark reads straight into the types of the table: what is usual is, what it would read amiss is not."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from autoloader.engines.options import parse_options
from autoloader.engines.spark import session
from autoloader.engines.spark.plain_lines import plain_form
from autoloader.engines.spark.sql import literal
from autoloader.model import FormatType
from autoloader.schema import parse_schema

if TYPE_CHECKING:
    from autoloader.engines.spark.session import Cluster

DDL = (
    "s STRING, i INT, b BIGINT, d DOUBLE, f FLOAT, n DECIMAL(4,2), o BOOLEAN, at TIMESTAMP, local TIMESTAMP_NTZ, "
    "day DATE, p STRUCT<x: BIGINT, y: STRING>, t ARRAY<STRUCT<k: STRING>>, m MAP<STRING, STRING>"
)
PLAIN = [
    "{}",
    '{"s": "", "i": -12, "b": 123456789012345678, "d": 0.1000, "n": -99.99, "o": true}',
    '{"s":"a\\"b\\\\\\n é \U0001f600","d":12}\r',
    '{"at": "2024-01-15T10:30:00.123456+02:00", "local": "2024-01-15 10:30:00", "day": "2024-02-30"}',
    '{"p":{"x":1,"y":"z"},"t":[{"k":"a"},{},{"k":null}],"m":{}}',
    '{"s": null, "at": null, "p": null, "t": null, "m": null}',
    '{"s": 12}',
    '{"d": -0, "f": -0.5}',
    '{"t":[{"k":"a"}{"k":"b"}]}',
]
DOUBTED = [
    "",
    "[]",
    '{"i": 1, "s": "out of order"}',
    '{"s": "a", "s": "b"}',
    '{"p":{"x":1,"x":2}}',
    '{"unknown": 1}',
    '{"p":{"unknown":1}}',
    '{"s": "\\u00e9"}',
    '{"s": 1.50}',
    '{"s": {"a": 1}}',
    '{"b": 1e3}',
    '{"b": "12"}',
    '{"s": "a",}',
    '{"s": "a" "i": 1}',
    '{,"s": "a"}',
    '{"p":{"x":1,}}',
    '{"i": 007}',
    '{"s": "a\\tb\tc"}',
    "\x01\x01\x01",
    '{"d": 1e400}',
    '{"n": 1.005}',
    '{"n": 100}',
    '{"at": 1700000000}',
    '{"at": "2024-1-5T10:30:00Z"}',
    '{"at": "0000-01-01T00:00:00Z"}',
    '{"local": "2024-01-15T10:30:00Z"}',
    '{"day": 19000}',
    '{"m": {"k": "v"}}',
    '{"s": "a"} {"s": "b"}',
]


@pytest.fixture
def told(cluster: Cluster) -> dict[str, bool]:
    schema = parse_schema(DDL)
    plain = plain_form(schema, parse_options(FormatType.JSON, {}))
    assert plain is not None
    rows = ", ".join(f"({literal(line)})" for line in [*PLAIN, *DOUBTED])
    with session.opened(cluster, uuid.uuid4()) as spark:
        lines = spark.sql(f"SELECT value AS path, NULL AS modified_at, value FROM VALUES {rows} AS lines(value)")
        found = plain.marked(lines).toArrow()
    return {row["path"]: row["plain"] for row in found.to_pylist()}


def test_usual_lines_are_plain_and_whatever_spark_would_read_amiss_is_not(told: dict[str, bool]) -> None:
    assert [line for line, plain in told.items() if plain] == PLAIN


@pytest.mark.parametrize("ddl", ["x BINARY", "x ARRAY<FLOAT>", '`a"b` INT', "p STRUCT<`\\\\`: INT>"])
def test_no_line_is_plain_where_an_expression_cannot_tell_it(ddl: str) -> None:
    assert plain_form(parse_schema(ddl), parse_options(FormatType.JSON, {})) is None


def test_no_line_is_plain_where_instants_are_written_in_another_way() -> None:
    options = parse_options(FormatType.JSON, {"timestampFormat": "dd/MM/yyyy HH:mm:ss"})

    assert plain_form(parse_schema("at TIMESTAMP"), options) is None
    assert plain_form(parse_schema("day DATE"), options) is not None


def test_a_table_of_very_many_columns_has_no_such_expression() -> None:
    columns = ", ".join(f"c{at} INT" for at in range(501))

    assert plain_form(parse_schema(columns), parse_options(FormatType.JSON, {})) is None
