"""Values inside structs, arrays and maps; dates by pattern; empty CSV fields; the types that reach Parquet."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as Number
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoloader.engines.embedded import values
from autoloader.engines.embedded.sql import SESSION, literal, quote
from autoloader.engines.options import JsonOptions, parse_options
from autoloader.model import FormatType
from autoloader.schema import parse_schema
from autoloader.schema.types import DataType, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ISO = JsonOptions()


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    for statement in SESSION:
        connection.execute(statement)
    yield connection
    connection.close()


def type_of(ddl: str) -> DataType:
    return parse_schema(f"a {ddl}").columns[0].type


def judged(
    duck: duckdb.DuckDBPyConnection, column_type: DataType, text: str, options: Any = ISO
) -> tuple[Any, Any, Any]:
    """(typed value, reason, is_bad) of an SQL value whose leaves are texts."""
    query = f"""
        SELECT {values.typed(column_type, "x", options)}, {values.reason(column_type, "x", options)},
               {values.is_bad(column_type, "x", options)}
        FROM (SELECT ({text})::{values.text_type(column_type)} AS x)
    """
    (row,) = duck.execute(query).fetchall()
    return row


def instant(duck: duckdb.DuckDBPyConnection, column_type: Scalar, text: str, pattern: str) -> tuple[Any, Any]:
    """(value, reason) of a text under a pattern, as what DuckDB shows."""
    name = "dateFormat" if column_type is Scalar.DATE else "timestampFormat"
    options = parse_options(FormatType.JSON, {name: pattern})
    value, reason, is_bad = judged(duck, column_type, literal(text), options)
    assert is_bad == (reason is not None)
    return (None if reason else value), reason


NESTED = "STRUCT<id: BIGINT, `odd \"'name`: ARRAY<STRUCT<at: DATE>>, m: MAP<STRING, DECIMAL(5,2)>, s: STRING>"


def test_every_leaf_of_a_nested_value_is_typed(duck: duckdb.DuckDBPyConnection) -> None:
    text = """{'id': '7', 'odd "''name': [{'at': '2024-01-15'}, NULL, {'at': NULL}],
               'm': MAP {'k': '1.50', 'n': NULL}, 's': '1'}"""
    value, reason, is_bad = judged(duck, type_of(NESTED), text)
    assert value == {
        "id": 7,
        "odd \"'name": [{"at": date(2024, 1, 15)}, None, {"at": None}],
        "m": {"k": Number("1.50"), "n": None},
        "s": "1",
    }
    assert (reason, is_bad) == (None, False)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("""{'id': '7.5', 'odd "''name': NULL, 'm': NULL, 's': NULL}""", "not_bigint"),
        (
            """{'id': '7', 'odd "''name': [{'at': '2024-01-15'}, {'at': '2024-1-15'}], 'm': NULL, 's': NULL}""",
            "not_date",
        ),
        ("""{'id': '7', 'odd "''name': [], 'm': MAP {'a': '1', 'k': '1.005'}, 's': NULL}""", "would_round"),
    ],
)
def test_one_bad_leaf_makes_the_whole_value_bad(duck: duckdb.DuckDBPyConnection, text: str, code: str) -> None:
    _, reason, is_bad = judged(duck, type_of(NESTED), text)
    assert (reason, is_bad) == (code, True)


@pytest.mark.parametrize(
    "ddl", [NESTED, "ARRAY<INT>", "MAP<INT, INT>", "STRUCT<a: STRUCT<b: INT>>", "BIGINT", "STRING"]
)
def test_null_is_null_and_never_bad(duck: duckdb.DuckDBPyConnection, ddl: str) -> None:
    assert judged(duck, type_of(ddl), "NULL") == (None, None, False)


def test_arrays_of_arrays_are_told_apart_from_their_elements(duck: duckdb.DuckDBPyConnection) -> None:
    assert judged(duck, type_of("ARRAY<ARRAY<INT>>"), "[['1', '2'], [], NULL, ['3']]") == (
        [[1, 2], [], None, [3]],
        None,
        False,
    )
    assert judged(duck, type_of("ARRAY<ARRAY<INT>>"), "[['1'], ['2', 'x']]")[1:] == ("not_int", True)


def test_two_keys_of_a_map_that_become_one_are_bad(duck: duckdb.DuckDBPyConnection) -> None:
    keyed = type_of("MAP<INT, STRING>")
    assert judged(duck, keyed, "MAP {'1': 'a', '2': 'b'}") == ({1: "a", 2: "b"}, None, False)
    assert judged(duck, keyed, "MAP {'1': 'a', '+1': 'b'}")[1:] == ("duplicate_key", True)
    assert judged(duck, keyed, "MAP {'x': 'a'}")[1:] == ("not_int", True)


def test_texts_inside_need_no_check_at_all() -> None:
    assert values.is_bad(type_of("STRUCT<a: STRING, b: ARRAY<STRING>, c: MAP<STRING, STRING>>"), "x", ISO) == "false"


@pytest.mark.parametrize(
    ("column_type", "pattern", "text", "value"),
    [
        (Scalar.DATE, "dd.MM.yyyy", "05.01.2024", date(2024, 1, 5)),
        (Scalar.DATE, "d/M/yy", "5/1/24", date(2024, 1, 5)),
        (Scalar.DATE, "dd.MM.yy", "05.01.99", date(2099, 1, 5)),
        (
            Scalar.TIMESTAMP,
            "yyMMdd HH:mm:ss.SSSSSSSX",
            "700101 01:02:03.1234567Z",
            datetime(2070, 1, 1, 1, 2, 3, 123456, UTC),
        ),
        (Scalar.DATE, "yyyyMMdd", "20240229", date(2024, 2, 29)),
        (Scalar.DATE, "d MMMM yyyy", "5 January 2024", date(2024, 1, 5)),
        (Scalar.DATE, "dd MMM uuuu", "05 May 2024", date(2024, 5, 5)),
        (Scalar.TIMESTAMP, "dd/MM/yyyy HH:mm:ss", "05/01/2024 23:59:58", datetime(2024, 1, 5, 23, 59, 58, tzinfo=UTC)),
        (Scalar.TIMESTAMP, "yyyy-MM-dd''HH 'o''clock'", "2024-01-05'23 o'clock", datetime(2024, 1, 5, 23, tzinfo=UTC)),
        (Scalar.TIMESTAMP, "M/d/yyyy h:mm a", "1/5/2024 12:07 AM", datetime(2024, 1, 5, 0, 7, tzinfo=UTC)),
        (
            Scalar.TIMESTAMP,
            "yyyy-MM-dd HH:mm:ss.SSS",
            "2024-01-05 01:02:03.007",
            datetime(2024, 1, 5, 1, 2, 3, 7000, UTC),
        ),
        (
            Scalar.TIMESTAMP,
            "yyyy-MM-dd HH:mm:ss.SSSSSSSSS",
            "2024-01-05 01:02:03.123456789",
            datetime(2024, 1, 5, 1, 2, 3, 123456, UTC),
        ),
        (
            Scalar.TIMESTAMP,
            "yyyy-MM-dd HH:mm:ssXXX",
            "2024-01-05 01:02:03+02:00",
            datetime(2024, 1, 4, 23, 2, 3, tzinfo=UTC),
        ),
        (
            Scalar.TIMESTAMP,
            "yyyy-MM-dd'Z'HH:mm:ss.SSSSSSSX",
            "2024-01-05Z01:02:03.1234567Z",
            datetime(2024, 1, 5, 1, 2, 3, 123456, UTC),
        ),
        (Scalar.TIMESTAMP, "yyyyMMddHHmmssZ", "20240105010203-0030", datetime(2024, 1, 5, 1, 32, 3, tzinfo=UTC)),
        (Scalar.TIMESTAMP_NTZ, "yyyy%MM%dd HH", "2024%01%05 07", datetime(2024, 1, 5, 7)),  # noqa: DTZ001  it has no zone
    ],
)
def test_a_pattern_reads_exactly_what_it_describes(
    duck: duckdb.DuckDBPyConnection, column_type: Scalar, pattern: str, text: str, value: object
) -> None:
    assert instant(duck, column_type, text, pattern) == (value, None)


@pytest.mark.parametrize(
    ("column_type", "pattern", "text", "code"),
    [
        (Scalar.DATE, "dd.MM.yyyy", "5.1.2024", "not_date"),
        (Scalar.DATE, "dd.MM.yyyy", " 05.01.2024", "not_date"),
        (Scalar.DATE, "dd.MM.yyyy", "05.01.2024\n", "not_date"),
        (Scalar.DATE, "dd.MM.yyyy", "30.02.2024", "not_date"),
        (Scalar.DATE, "dd.MM.yyyy", "2024-01-05", "not_date"),
        (Scalar.DATE, "dd.MM.yyyy", "01.01.0000", "out_of_range"),
        (Scalar.DATE, "dd MMM yyyy", "05 MAY 2024", "not_date"),
        (Scalar.TIMESTAMP, "dd/MM/yyyy HH:mm", "05/01/2024 24:00", "not_timestamp"),
        (Scalar.TIMESTAMP, "dd/MM/yyyy HH:mm", "05/01/2024 10:60", "not_timestamp"),
        (Scalar.TIMESTAMP, "dd/MM/yyyy hh:mm a", "05/01/2024 13:00 PM", "not_timestamp"),
        (Scalar.TIMESTAMP, "yyyy-MM-dd HH:mm:ss.SSS", "2024-01-05 01:02:03.12", "not_timestamp"),
        (Scalar.TIMESTAMP, "yyyy-MM-dd HH:mmXXX", "2024-01-05 01:02+0100", "not_timestamp"),
        (Scalar.TIMESTAMP, "yyyy-MM-dd HH:mmXXX", "2024-01-05 01:02+18:30", "not_timestamp"),
        (Scalar.TIMESTAMP, "yyyy-MM-dd HH:mmXXX", "0001-01-01 00:02+01:00", "out_of_range"),
        (Scalar.TIMESTAMP_NTZ, "yyyy-MM-dd HH:mmXXX", "2024-01-05 01:02+01:00", "has_zone"),
    ],
)
def test_a_pattern_refuses_what_it_does_not_describe(
    duck: duckdb.DuckDBPyConnection, column_type: Scalar, pattern: str, text: str, code: str
) -> None:
    assert instant(duck, column_type, text, pattern) == (None, code)


def test_every_day_and_minute_reads_back_by_a_pattern(duck: duckdb.DuckDBPyConnection) -> None:
    pattern = "d MMM yyyy, h:mm a xxx"
    options = parse_options(FormatType.JSON, {"timestampFormat": pattern})
    query = f"""
        SELECT count(*), count(*) FILTER (WHERE NOT ({values.is_bad(Scalar.TIMESTAMP, "x", options)})
                                            AND {values.typed(Scalar.TIMESTAMP, "x", options)} = "at")
        FROM (SELECT "at", strftime("at"::TIMESTAMP, '%-d %b %Y, %-I:%M %p +00:00') AS x
              FROM generate_series(TIMESTAMPTZ '1999-12-01', TIMESTAMPTZ '2004-03-02', INTERVAL 61 MINUTE) AS s("at"))
    """
    ((every, right),) = duck.execute(query).fetchall()
    assert every == right > 30_000


def test_an_empty_csv_field_is_a_text_for_strings_and_null_for_the_others(duck: duckdb.DuckDBPyConnection) -> None:
    for column_type, expected in [
        (Scalar.STRING, ("", None)),
        (Scalar.BIGINT, (None, None)),
        (Scalar.BINARY, (None, None)),
    ]:
        text = values.csv_text(column_type, "x")
        judgement = f"{values.typed(column_type, text, ISO)}, {values.reason(column_type, text, ISO)}"
        assert duck.execute(f"SELECT {judgement} FROM (SELECT '' AS x)").fetchall() == [expected]


def test_names_and_texts_of_any_kind_survive_quoting(duck: duckdb.DuckDBPyConnection) -> None:
    odd = "a\"b'c`d\n;-- é{}%$1"
    found = duck.execute(f"SELECT {literal(odd)} AS {quote(odd)}")
    assert found.description[0][0] == odd
    assert found.fetchall() == [(odd,)]


def test_parquet_gets_the_exact_types(duck: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    ddl = (
        "i INT, l BIGINT, f FLOAT, d DOUBLE, b BOOLEAN, t TIMESTAMP, n TIMESTAMP_NTZ, y DATE, x BINARY, s STRING, "
        "p DECIMAL(38,10), q DECIMAL(5,0), m MAP<STRING, INT>, a ARRAY<DECIMAL(4,1)>, z STRUCT<t: TIMESTAMP>"
    )
    schema = parse_schema(ddl)
    texts = dict.fromkeys("ilfdqp", "'1'") | {
        "b": "'true'",
        "t": "'2024-01-15T10:00:00+01:00'",
        "n": "'2024-01-15 10:00'",
        "y": "'2024-01-15'",
        "x": "'YWJj'",
        "s": "'a'",
        "m": "MAP {'k': '1'}",
        "a": "['1.5']",
        "z": "{'t': '2024-01-15'}",
    }
    typed = (
        f"CAST({values.typed(c.type, texts[c.name], ISO)} AS {values.final_type(c.type)}) AS {c.name}"
        for c in schema.columns
    )
    path = tmp_path / "types.parquet"
    duck.execute(f"COPY (SELECT {', '.join(typed)}) TO {literal(str(path))} (FORMAT parquet)")
    table = pq.read_table(path)
    utc, plain = pa.timestamp("us", "UTC"), pa.timestamp("us")
    kinds = [
        pa.int32(),
        pa.int64(),
        pa.float32(),
        pa.float64(),
        pa.bool_(),
        utc,
        plain,
        pa.date32(),
        pa.binary(),
        pa.string(),
    ]
    assert [table.schema.field(name).type for name in "ilfdbtnyxs"] == kinds
    assert table.schema.field("p").type == pa.decimal128(38, 10)
    assert table.schema.field("q").type == pa.decimal128(5, 0)
    assert table.column("a").to_pylist() == [[Number("1.5")]]
    assert table.column("t").to_pylist() == [datetime(2024, 1, 15, 9, tzinfo=UTC)]
    assert table.column("z").to_pylist() == [{"t": datetime(2024, 1, 15, tzinfo=UTC)}]
