"""Line by line: whatever stands around it, a record comes out, or is refused, as it would alone and read exactly."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.loads import table_shape

from autoloader.engines.embedded import sifting
from autoloader.engines.embedded.screen import Screen, ndjson_pattern, wider_pattern
from autoloader.model import BadRecords, OnBadRecord, UnknownFields
from autoloader.schema.parse import parse_schema
from autoloader.schema.table import RESCUED, ROW

DDL = "id BIGINT, d DOUBLE, at DATE, s STRING, p STRUCT<n: INT>"
KINDS = [
    '{"id":1,"d":0.5,"at":"2024-01-02","s":"x"}',
    '{"id":2,"d":1e3,"s":"\\u00e9","p":{"n":3}}',
    "{}",
    '{"id":3,"at":"2024-02-30"}',
    '{"id":"x","s":"y"}',
    '{"id":99999999999999999999}',
    '{"p":{"n":"many"}}',
    '{"id":4,"new":1}',
    '{"id":5,"new":{"a":1.5,"b":[true,null]}}',
    '{"id":6,"new":{"a":1,"a":2}}',
    '{"id":"z","new":1}',
    '{"id":7,"new":1.50}',
    '{"id":8,"other":"\\n"}',
    '{"id":9,"id":9}',
    '{"id":10,',
    '{"id":NaN}',
    "[11]",
    "",
    "  ",
    '{"id":12}\r',
    '{"id":1.5}\r',
]
LINES = st.lists(st.sampled_from(KINDS), min_size=1, max_size=30)
BAD = [
    BadRecords(policy=OnBadRecord.QUARANTINE),
    BadRecords(policy=OnBadRecord.QUARANTINE, most=3),
    BadRecords(policy=OnBadRecord.SKIP, most_of_all=0.4),
    BadRecords(),
]


@pytest.fixture
def screened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are screened one by one however few they are."""
    monkeypatch.setattr(sifting, "_WORTH_A_SCREEN", 0)
    monkeypatch.setattr(sifting, "_WORTH_THE_WIDER", 0)


def told(message: str | None) -> str:
    """A message without the place within the line."""
    return re.sub(r" at character \d+", "", message or "")


def load(loads: Any, bad: BadRecords, unknown: UnknownFields) -> Any:
    """A load into a table with the line of each record."""
    extra = [ROW, RESCUED] if unknown.keeps else [ROW]
    shape = table_shape(parse_schema(DDL), (), extra)
    return loads.load(DDL, options={"sourceRow": "true"}, shape=shape, bad_records=bad, unknown_fields=unknown)


def loaded(loads: Any, landing: Any, files: list[str], bad: BadRecords, unknown: UnknownFields) -> tuple[Any, ...]:
    """Rows, rejects and verdicts of some files, by their names and lines."""
    landing.prefix = f"{landing.prefix.split('/x/')[0].rstrip('/')}/x/{uuid.uuid4().hex}/"
    for at, body in enumerate(files):
        landing.put(f"{at}.json", body)
    result = load(loads, bad, unknown)
    columns = ("_source_row", "id", "d", "at", "s", "p", "_rescued_data")
    rows = sorted(repr([r["_source_file"][-6:], *(r.get(name) for name in columns)]) for r in result.rows)
    rejects = sorted(
        repr([r["_source_file"][-6:], r["line"], r["column_name"], told(r["message"]), r["raw"].lstrip(" ")])
        for r in result.rejects
    )
    verdicts = {
        name: (str(o.status), o.records_ingested, o.records_rejected, told(o.error_message))
        for name, o in result.outcomes.items()
    }
    return rows, rejects, verdicts


@pytest.mark.usefixtures("screened")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(LINES, min_size=1, max_size=4),
    bad=st.sampled_from(BAD),
    unknown=st.sampled_from([UnknownFields.RESCUE, UnknownFields.IGNORE, UnknownFields.FAIL]),
)
def test_a_line_comes_out_as_it_would_if_every_line_were_read_exactly(
    loads: Any, landing: Any, files: list[list[str]], bad: BadRecords, unknown: UnknownFields
) -> None:
    as_they_are = ["\n".join(lines) for lines in files]
    never_plain = ["\n".join(" " + line if line.strip() else line for line in lines) for lines in files]

    assert loaded(loads, landing, as_they_are, bad, unknown) == loaded(loads, landing, never_plain, bad, unknown)


@pytest.mark.parametrize(
    ("unknown", "batch_bytes"),
    [(UnknownFields.RESCUE, 64 * 1024**2), (UnknownFields.IGNORE, 1)],
    ids=["one-batch", "a-batch-each"],
)
def test_lines_far_into_a_file_keep_their_numbers_and_their_texts(
    loads: Any, landing: Any, unknown: UnknownFields, batch_bytes: int
) -> None:
    loads.engine._batch_bytes = batch_bytes
    lines = [f'{{"id":{at},"s":"{"x" * 50}"}}' for at in range(60_000)]
    lines[100] = '{"id":100,"new":"plain"}'
    lines[20_000] = lines[40_000] = '{"id":"bad"}'
    lines[30_000] = '{"id":'
    lines[45_000] = '{"id":1,"id":1}'
    lines[50_000] = ""
    for name, end in (("a.json", "\n"), ("b.json", "\r\n")):
        landing.put(name, end.join(lines))
    result = load(loads, BAD[0], unknown)
    assert all(row["_source_row"] == row["id"] + 1 for row in result.rows)
    assert len(result.rows) == 2 * (len(lines) - 5)
    assert sorted((r["_source_file"][-6:], r["line"], r["raw"]) for r in result.rejects) == [
        (name, at + 1, lines[at]) for name in ("a.json", "b.json") for at in (20_000, 30_000, 40_000, 45_000)
    ]


@pytest.mark.parametrize("every", [3, 2_000])
def test_bad_values_are_set_apart_where_they_are_many_and_where_they_are_few(
    loads: Any, landing: Any, every: int
) -> None:
    lines = [f'{{"id":{"9" * 20 if at % every == 1 else at},"s":"{"x" * 50}"}}' for at in range(30_000)]
    landing.put("a.json", "\n".join(lines))
    result = load(loads, BAD[0], UnknownFields.RESCUE)
    bad = [at for at in range(len(lines)) if at % every == 1]
    assert [(r["line"], r["reason"], r["raw"]) for r in sorted(result.rejects, key=lambda each: each["line"])] == [
        (at + 1, "out_of_range", lines[at]) for at in bad
    ]
    assert sorted(row["_source_row"] for row in result.rows) == [at + 1 for at in range(30_000) if at % every != 1]


def test_a_field_that_the_schema_does_not_know_does_not_make_the_screen_slow() -> None:
    schema = parse_schema(
        "id BIGINT, at TIMESTAMP, user STRING, amount DECIMAL(10,2), score DOUBLE, ok BOOLEAN, "
        "device STRUCT<os: STRING, version: STRING, ip: STRING>, tags ARRAY<STRING>, url STRING"
    )
    known = (
        '{"id":1,"at":"2024-01-15T00:00:00.025Z","user":"u","amount":1.50,"score":0.123456,"ok":true,'
        '"device":{"os":"iOS","version":"17.2","ip":"10.1.2.7"},"tags":["new","eu"],"url":"/view/1"%s}\n'
    )
    blocks = [(known % more).encode() * 5_000 for more in ("", ',"trace":"9f86d081-88a7","n":12,"o":{"a":0.5,"b":[1]}')]
    screens = [Screen(ndjson_pattern(schema)), Screen(wider_pattern(schema, ["trace", "n", "o"]))]
    seconds = [min(timed(screen, block) for _ in range(3)) for screen, block in zip(screens, blocks, strict=True)]
    assert seconds[1] < 8 * seconds[0], "RE2 is over twenty times slower where its automaton does not fit"


def timed(screen: Screen, block: bytes) -> float:
    """Seconds of processor that a block takes, which is plain."""
    began = time.process_time()
    assert screen.plain([block]) == [True]
    return time.process_time() - began
