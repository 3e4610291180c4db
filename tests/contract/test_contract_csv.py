"""CSV through either engine: headers by name, NULL and empty told apart, broken lines named."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from autoloader.model import FileStatus, FormatType

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]


def load(loads: Any, ddl: str, **options: str) -> Any:
    return loads.load(ddl, format_type=FormatType.CSV, options=options)


def test_columns_are_matched_by_name_in_whatever_order_each_file_has(loads: Any, put: Put) -> None:
    put("a.csv", "id,name\n1,one\n2,two\n")
    put("b.csv", "name,extra,id\nthree,x,3\n")
    put("c.csv", "NAME,Id\nfour,4\n")
    result = load(loads, "id BIGINT, name STRING")
    assert sorted((row["id"], row["name"]) for row in result.rows) == [
        (1, "one"),
        (2, "two"),
        (3, "three"),
        (4, "four"),
    ]


def test_an_exact_name_wins_over_one_that_differs_in_case(loads: Any, put: Put) -> None:
    put("a.csv", "ID,id\n1,2\n")
    assert load(loads, "id BIGINT").values("id") == [2]


def test_a_header_that_lacks_or_doubles_a_column_fails_its_file(loads: Any, put: Put) -> None:
    cases = {
        "id,nam": 'the header lacks "name"; it has "id", "nam"',
        "x,y": 'the header lacks "id", "name"; it has "x", "y"',
        "id,name,name,id": 'the header names "id", "name" more than once: each name must stand there once',
        "id,name,x,x": 'the header names "x" more than once: each name must stand there once',
    }
    for at, header in enumerate(cases):
        put(f"{at}.csv", header + "\n1,one\n")
    put("good.csv", "id,name,,\n2,two,,\n")
    result = load(loads, "id BIGINT, name STRING")
    assert [result.failure(f"{at}.csv") for at in range(len(cases))] == [("HeaderMismatch", m) for m in cases.values()]
    assert result.values("id") == [2]


def test_an_unquoted_empty_field_is_null_and_a_quoted_one_is_the_empty_string(loads: Any, put: Put) -> None:
    put("plain.csv", 'id,s,t\n,,""\n"","",x\n')
    put("exact.csv", 'id,s,t\n,,""\n"","","x\n"\n')
    rows = load(loads, "id BIGINT, s STRING, t STRING").rows
    found = sorted((str(row["_source_file"])[-9:], row["id"], row["s"], row["t"]) for row in rows if row["s"] is None)
    assert found == [("exact.csv", None, None, ""), ("plain.csv", None, None, "")]
    rest = sorted((row["id"], row["s"], row["t"]) for row in rows if row["s"] is not None)
    assert rest == [(None, "", "x"), (None, "", "x\n")]


def test_the_null_value_counts_only_unquoted(loads: Any, put: Put) -> None:
    put("plain.csv", 'id,s\nNA,NA\n1,"NA"\n')
    put("exact.csv", 'id,s\nNA,NA\n1,"NA"\n\n')
    result = load(loads, "id BIGINT, s STRING", nullValue="NA")
    assert sorted((str(row["id"]), row["s"]) for row in result.rows) == sorted(
        [("None", None), ("1", "NA")] * 2, key=str
    )


def test_quotes_separators_and_line_ends_inside_a_field_survive(loads: Any, put: Put) -> None:
    rows = [
        ["1", 'say "hi"'],
        ["2", "a,b"],
        ["3", "two\nlines"],
        ["4", "crlf\r\nin it"],
        ["5", " blanks "],
        ["6", "é😀"],
    ]
    text = io.StringIO()
    csv.writer(text).writerows([["id", "s"], *rows])
    put("a.csv", text.getvalue())
    put("b.csv", 'id,s\n7,"say ""hi"""\n8,"a,b"\n')
    found = load(loads, "id BIGINT, s STRING").rows
    assert {row["id"]: row["s"] for row in found} == {int(a): b for a, b in rows} | {7: 'say "hi"', 8: "a,b"}


def test_the_options_of_the_dialect_are_honoured(loads: Any, put: Put) -> None:
    put("a.csv", "# a comment\nid;s\n1;'it\\'s'\n#2;no\n3;'a;b'\n")
    result = load(loads, "id BIGINT, s STRING", sep=";", quote="'", escape="\\", comment="#")
    assert sorted((row["id"], row["s"]) for row in result.rows) == [(1, "it's"), (3, "a;b")]


def test_without_a_header_columns_are_matched_by_position(loads: Any, put: Put) -> None:
    put("a.csv", "1,one\n2,two\n")
    put("b.csv", "3,three,more\n")
    result = load(loads, "id BIGINT, s STRING", header="false")
    assert result.values("id") == [1, 2]
    assert result.failure("b.csv") == ("BadRecord", "line 1: the record is malformed: it has 3 fields where 2 belong")


BAD: list[tuple[bytes | str, str]] = [
    ("id,s\n1,a\n2\n", "line 3: the record is malformed: it has 1 fields where 2 belong"),
    ("id,s\n1,a\n2,b,c\n", "line 3: the record is malformed: it has 3 fields where 2 belong"),
    ('id,s\n1,"a\nb"\n2,"open\n3,c\n', "line 4: the record is malformed: a quote is broken or never closed"),
    ('id,s\n1,"a"x\n', "line 2: the record is malformed: a quote is broken or never closed"),
    ('id,s\n1,a"b\n', "line 2: the record is malformed: a quote is broken or never closed"),
    (b"id,s\n1,a\n2,\xff\n", "line 3: the record is malformed: it is not UTF-8: set the option encoding"),
    ("id,s\n1,a\n\nx,b\n", 'line 4, column "id": "x" is not a BIGINT (not_bigint)'),
    ('id,s\n1,"a\nb"\nx,b\n', 'line 4, column "id": "x" is not a BIGINT (not_bigint)'),
    ("id,s\r\n1,a\r\n1e3,b\r\n", 'line 3, column "id": "1e3" is not a BIGINT (not_bigint)'),
]


def test_a_bad_record_fails_its_file_with_the_physical_line(loads: Any, put: Put) -> None:
    for at, (body, _) in enumerate(BAD):
        put(f"{at:02}.csv", body)
    put("good.csv", "id,s\n9,z\n")
    result = load(loads, "id BIGINT, s STRING")
    assert [result.failure(f"{at:02}.csv") for at in range(len(BAD))] == [("BadRecord", message) for _, message in BAD]
    assert result.values("id") == [9]


def test_a_file_without_records_is_a_success(loads: Any, put: Put) -> None:
    bodies = ["", "\n\n", "id,s", "id,s\n", "\ufeffid,s\r\n\r\n"]
    for at, body in enumerate(bodies):
        put(f"{at}.csv", body)
    outcomes = load(loads, "id BIGINT, s STRING").outcomes.values()
    assert [(o.status, o.records_ingested) for o in outcomes] == [(FileStatus.SUCCESS, 0)] * len(bodies)


def test_line_ends_may_be_mixed_and_the_last_one_missing(loads: Any, put: Put) -> None:
    put("a.csv", "\ufeffid,s\r\n1,a\n2,b\r\n3,c")
    put("b.csv", "id,s\n4,d\r\n\r\n\n5,e\n\n")
    assert load(loads, "id BIGINT, s STRING").values("id") == [1, 2, 3, 4, 5]


def test_one_column_alone_is_fine(loads: Any, put: Put) -> None:
    put("a.csv", 's\none\n""\n\ntwo\n')
    assert load(loads, "s STRING").values("s") == ["", "one", "two"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_text_is_recoded_from_the_encoding_that_the_options_name(loads: Any, put: Put, encoding: str) -> None:
    put("a.csv", 'id,s\n1,Größe\n2,"zwei\nZeilen"\n'.encode(encoding))
    put("b.csv", 'id,s\n3,"Maß, voll"\r\n'.encode(encoding))
    found = load(loads, "id BIGINT, s STRING", encoding=encoding).values("s")
    assert found == ["Größe", "Maß, voll", "zwei\nZeilen"]


def test_without_quotes_every_character_is_itself(loads: Any, put: Put) -> None:
    put("a.csv", 'id|s\n1|say "hi"\n2|"x\n')
    assert load(loads, "id BIGINT, s STRING", sep="|", quote="").values("s") == ['"x', 'say "hi"']


def test_values_of_every_type_are_judged_by_their_text(loads: Any, put: Put) -> None:
    ddl = "i INT, d DOUBLE, n DECIMAL(10,2), o BOOLEAN, at TIMESTAMP, ntz TIMESTAMP_NTZ, day DATE, b BINARY"
    header = "i,d,n,o,at,ntz,day,b\n"
    put("good.csv", f"{header}+7,1e3,1.50,TRUE,2024-01-15T10:30:00+02:00,2024-01-15 10:30,2024-02-29,AP8=\n,,,,,,,\n")
    bad = ["1.5", "NaN", "1.234", "yes", "2024-01-15T24:00", "2024-01-15T10:30:00Z", "2024-02-30", "*"]
    for at, text in enumerate(bad):
        put(f"{at}.csv", header + ",".join(text if place == at else "" for place in range(len(bad))) + "\n")
    result = load(loads, ddl)
    assert [result.failure(f"{at}.csv")[0] for at in range(len(bad))] == ["BadRecord"] * len(bad)
    first, second = sorted(result.rows, key=lambda row: row["i"] is None)
    assert (first["i"], first["d"], first["n"], first["o"], first["b"]) == (7, 1000.0, Decimal("1.50"), True, b"\0\xff")
    assert first["at"] == datetime(2024, 1, 15, 8, 30, tzinfo=UTC)
    assert (first["ntz"].isoformat(), first["day"]) == ("2024-01-15T10:30:00", date(2024, 2, 29))
    assert all(second[name] is None for name in ("i", "d", "n", "o", "at", "ntz", "day", "b"))
