"""Bad records through either engine: the good ones load, each bad one is told with its place and its text."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoloader.model import BadRecords, FileStatus, FormatType, OnBadRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

QUARANTINE = BadRecords(policy=OnBadRecord.QUARANTINE)
DDL = "id BIGINT, at DATE, inner STRUCT<n: INT>"


def told(result: Any, name: str) -> list[tuple[Any, ...]]:
    """The rejects of one file: line, column, reason, raw text."""
    mine = [r for r in result.rejects if r["_source_file"].endswith(f"/{name}")]
    return sorted((r["line"], r["column_name"], r["reason"], r["raw"]) for r in mine)


def test_a_bad_line_is_set_apart_and_the_others_load(loads: Any, put: Put) -> None:
    lines = [
        '{"id": 1, "at": "2024-01-02"}',
        '{"id": 1.5, "at": "never"}',
        "",
        '{"id": 3, "inner": {"n": "x"}, "unknown": [1, 2]}',
        '{"id": 4',
        '{"id": 5, "id": 5}',
        "[6]",
        '{"id": 7}',
    ]
    put("mixed.json", "\n".join(lines))
    put("good.json", '{"id": 100}\n' * 50)
    put("bare.json", '{"id": 8}\n{"id": 9, "at": "2024-02-30"}\n')
    put("bytes.json", b'{"id": 10}\r\n{"id": "\xff"}\r\n{"id": 11}\r\n')
    result = loads.load(DDL, bad_records=QUARANTINE)
    assert sorted(v for v in result.values("id") if v < 100) == [1, 7, 8, 10, 11]
    assert {name: (str(o.status), o.records_ingested, o.records_rejected) for name, o in result.outcomes.items()} == {
        "mixed.json": ("SUCCESS", 2, 5),
        "good.json": ("SUCCESS", 50, 0),
        "bare.json": ("SUCCESS", 1, 1),
        "bytes.json": ("SUCCESS", 2, 1),
    }
    assert told(result, "mixed.json") == [
        (2, "id", "not_bigint", lines[1]),
        (4, "inner", "not_int", lines[3]),
        (5, None, "malformed", lines[4]),
        (6, None, "malformed", lines[5]),
        (7, None, "malformed", lines[6]),
    ]
    assert told(result, "bare.json") == [(2, "at", "not_date", '{"id": 9, "at": "2024-02-30"}')]
    assert [row[:3] for row in told(result, "bytes.json")] == [(2, None, "malformed")]
    whole = next(r for r in result.rejects if r["reason"] == "not_bigint")
    assert whole["message"] == 'line 2, column "id": "1.5" is not a BIGINT (not_bigint)'
    assert (len(whole["_load_id"]), bool(whole["file_etag"])) == (36, True)


def test_a_bad_csv_record_is_set_apart_where_the_rest_can_be_told_from_it(loads: Any, put: Put) -> None:
    body = 'id,name\n1,one\n2\n3,"a"b\n4,"two\nlines"\n5,five,more\nx,"\n"\n6,\xe9\n7,seven\n'
    put("mixed.csv", body.encode("latin-1"))
    put("open.csv", 'id,name\n1,one\n2,"never closed\n3,three\n')
    result = loads.load("id BIGINT, name STRING", format_type=FormatType.CSV, bad_records=QUARANTINE)
    assert result.values("id") == [1, 4, 7]
    assert told(result, "mixed.csv") == [
        (3, None, "malformed", "2"),
        (4, None, "malformed", '3,"a"b'),
        (7, None, "malformed", "5,five,more"),
        (8, "id", "not_bigint", 'x,"\n"'),
        (10, None, "malformed", "6,\\xe9"),
    ]
    failed = result.outcomes["open.csv"]
    assert (failed.status, failed.error_type, failed.records_rejected) == (FileStatus.FAILED, "BadRecord", 0)
    assert "line 3: the record is malformed: a quote is broken or never closed" in str(failed.error_message)


def test_a_bad_element_of_a_document_is_set_apart_unless_the_document_itself_is_broken(loads: Any, put: Put) -> None:
    put("array.json", '[{"id": 1}, 2, {"id": "x", "s": 1}, {"id": 3, "id": 3}, {"id": 5}, {"id": NaN}]')
    put("cut.json", '[{"id": "x"}, {"id": 1')
    result = loads.load("id BIGINT", options={"multiLine": "true"}, bad_records=QUARANTINE)
    assert result.values("id") == [1, 5]
    assert told(result, "array.json") == [
        (2, None, "malformed", "2"),
        (3, "id", "not_bigint", '{"id": "x", "s": 1}'),
        (4, None, "malformed", '{"id": 3, "id": 3}'),
        (6, None, "malformed", '{"id": NaN}'),
    ]
    assert (result.outcomes["cut.json"].status, told(result, "cut.json")) == (FileStatus.FAILED, [])


def test_bad_records_are_only_counted_when_they_are_to_be_skipped(loads: Any, put: Put) -> None:
    put("a.json", '{"id": 1}\n{"id": x}\n{"id": "y"}\n')
    result = loads.load("id BIGINT", bad_records=BadRecords(policy=OnBadRecord.SKIP))
    assert (result.values("id"), result.rejects, result.outcomes["a.json"].records_rejected) == ([1], [], 2)


def test_more_bad_records_than_allowed_fail_their_file_alone(loads: Any, put: Put) -> None:
    bad = '{"id": "x"}\n{"id": y}\n'
    put("two.json", '{"id": 1}\n' + bad)
    put("three.json", '{"id": 2}\n' + bad + '{"id": "z"}\n')
    put("half.json", '{"id": 3}\n{"id": 3}\n' + bad)
    few = BadRecords(policy=OnBadRecord.QUARANTINE, most=2)
    result = loads.load("id BIGINT", bad_records=few)
    assert result.values("id") == [1, 3, 3]
    assert {r["_source_file"].rpartition("/")[2] for r in result.rejects} == {"two.json", "half.json"}
    assert result.failure("three.json") == (
        "BadRecord",
        (
            "3 of 4 records are bad, and max_bad_records allows 2; the first: "
            'line 2, column "id": "x" is not a BIGINT (not_bigint); '
            "line 3: the record is malformed: Expecting value at character 8; "
            'line 4, column "id": "z" is not a BIGINT (not_bigint)'
        ),
    )
    part = BadRecords(policy=OnBadRecord.SKIP, most_of_all=0.5)
    result = loads.load("id BIGINT", bad_records=part)
    assert {name: str(o.status) for name, o in result.outcomes.items()} == {
        "half.json": "SUCCESS",
        "three.json": "FAILED",
        "two.json": "FAILED",
    }
    assert "2 of 3 records are bad, and max_bad_ratio allows 0.5 of them" in str(result.failure("two.json")[1])


def test_a_stream_that_breaks_fails_its_file_whatever_is_tolerated(loads: Any, put: Put) -> None:
    put("cut.json.gz", gzip.compress(b'{"id": "x"}\n' * 1000)[:-20])
    put("good.json", '{"id": 1}\n')
    result = loads.load("id BIGINT", bad_records=QUARANTINE)
    assert (result.values("id"), result.rejects) == ([1], [])
    assert result.failure("cut.json.gz")[0] == "FileUnreadable"


def test_a_line_over_the_record_limit_is_a_bad_record_and_what_follows_it_loads(loads: Any, put: Put) -> None:
    long = '{"id": 2, "s": "' + "x" * (17 * 1024**2) + '"}'
    put("a.json", '{"id": 1}\n' + long + '\n{"id": 3}\n' + long)
    put("a.csv.json", '{"id": 4}\n')
    result = loads.load("id BIGINT, s STRING", bad_records=QUARANTINE)
    assert result.values("id") == [1, 3, 4]
    assert [(r["line"], r["message"], len(r["raw"])) for r in sorted(result.rejects, key=lambda r: r["line"])] == [
        (line, f"line {line}: the record is malformed: it is over 16 MiB; split it", 64 * 1024) for line in (2, 4)
    ]
    put("a.json", "")
    put("b.csv", f"id,s\n1,a\n2,{long}\n3,c\n")
    files = [file for file in loads.files() if file.path.endswith(".csv")]
    result = loads.load("id BIGINT, s STRING", format_type=FormatType.CSV, bad_records=QUARANTINE, files=files)
    assert (result.values("id"), [r["line"] for r in result.rejects]) == ([1, 3], [3])


LINES = st.lists(
    st.sampled_from(['{"id": 1}', '{"id": "x"}', "{", '{"id": 1e99}', "", '{"id": null}', '{"s": "\\ud800"}', "[]"]),
    max_size=30,
)
GOOD = {'{"id": 1}', '{"id": null}'}


@pytest.mark.parametrize("loads", ["embedded"], indirect=True)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(LINES, min_size=1, max_size=5))
def test_every_record_is_a_row_or_a_reject_and_never_both(loads: Any, put: Put, files: list[list[str]]) -> None:
    for at in range(5):
        put(f"{at}.json", "\n".join(files[at]) if at < len(files) else "")
    result = loads.load("id BIGINT", bad_records=QUARANTINE)
    for at, lines in enumerate(files):
        bad = [(number, line) for number, line in enumerate(lines, 1) if line and line not in GOOD]
        assert [(r[0], r[3]) for r in told(result, f"{at}.json")] == bad
        outcome = result.outcomes[f"{at}.json"]
        good = sum(line in GOOD for line in lines)
        assert (outcome.records_ingested, outcome.records_rejected) == (good, len(bad))
    assert len(result.rows) == sum(line in GOOD for lines in files for line in lines)
    assert json.dumps([r["message"] for r in result.rejects])
