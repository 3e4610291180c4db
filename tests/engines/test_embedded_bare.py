"""What is read typed because it is bare has the value, or the refusal, that the exact path gives it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoloader.engines.embedded.bare import bare_pattern
from autoloader.engines.embedded.screen import Screen
from autoloader.engines.options import JsonOptions
from autoloader.schema import parse_schema

TYPES = {
    "b": "BIGINT",
    "i": "INT",
    "d": "DOUBLE",
    "p": "DECIMAL(9,3)",
    "w": "DECIMAL(18,0)",
    "f": "DECIMAL(15,15)",
    "z": "BOOLEAN",
    "t": "TIMESTAMP",
    "n": "TIMESTAMP_NTZ",
    "y": "DATE",
}
DDL = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
BARE = Screen(bare_pattern(parse_schema(DDL), JsonOptions()) or "")

NUMBER = st.one_of(
    st.from_regex(r"\A-?(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,16})?\Z"),
    st.integers(-(2**64), 2**64).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-(10**6), 10**6, places=3).map(str),
)
DATE = st.builds("{:04}-{:02}-{:02}".format, st.integers(900, 3100), st.integers(0, 13), st.integers(0, 32))
TIME = st.builds("{}{:02}:{:02}".format, st.sampled_from("T "), st.integers(0, 24), st.integers(0, 60))
SECONDS = st.one_of(st.just(""), st.from_regex(r"\A:[0-5][0-9](\.[0-9]{1,9})?\Z"))
ZONE = st.sampled_from(["", "Z", "+00:00", "-17:59", "+18:00", "+18:01", "+0130", "+01"])
INSTANT = st.one_of(DATE, st.builds("{}{}{}{}".format, DATE, TIME, SECONDS, ZONE)).map('"{}"'.format)
VALUES = {
    **dict.fromkeys("bidpwf", NUMBER),
    "z": st.sampled_from(["true", "false", "null", '"true"']),
    **dict.fromkeys("tny", INSTANT),
}
FIELD = st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), VALUES[name]))


def loaded(loads: Any, landing: Any, lines: list[str]) -> tuple[list[str], dict[str, tuple[Any, Any]]]:
    landing.prefix = f"{landing.prefix.split('/x/')[0].rstrip('/')}/x/{uuid.uuid4().hex}/"
    for at, line in enumerate(lines):
        landing.put(f"{at:03}.json", line + "\n")
    result = loads.load(DDL)
    rows = sorted(repr([row[name] for name in TYPES]) for row in result.rows)
    return rows, {name: (o.status, o.error_message) for name, o in result.outcomes.items()}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.lists(FIELD, min_size=1, max_size=25))
def test_bare_values_and_the_exact_path_agree(loads: Any, landing: Any, fields: list[tuple[str, str]]) -> None:
    as_they_are = [f'{{"{name}":{value}}}' for name, value in fields]
    never_plain = [" " + line for line in as_they_are]

    assert loaded(loads, landing, as_they_are) == loaded(loads, landing, never_plain)


@pytest.mark.parametrize(
    "value",
    [
        '"b":1.0', '"b":"1"', '"b":1234567890123456789', '"i":1234567890', '"i":-0', '"d":1e5', '"d":-0', '"d":"1"',
        '"d":1234567890123456', '"p":0.1234', '"p":1234567.1', '"z":"true"', '"t":"2024-01-01T24:00:00Z"',
        '"t":"0900-01-01"', '"n":"2024-01-01T10:00:00Z"', '"y":"2024-01-01T10:00:00"', '"unknown":1',
    ],
)  # fmt: skip
def test_what_must_be_judged_is_not_bare(value: str) -> None:
    assert BARE.plain([f"{{{value}}}\n".encode()]) == [False]


def test_what_programs_usually_write_is_bare() -> None:
    record = (
        b'{"b": 123456789012345678, "i": -5, "d": 0.1, "p": 123456.789, "w": 0, "z": true, '
        b'"t": "2024-01-01T10:00:00.123456Z", "n": "2024-01-01 10:00:00", "y": "2024-02-29"}\n'
        b'{"b": null, "t": null}\r\n\n{}\n'
    )

    assert BARE.plain([record]) == [True]


def test_an_impossible_date_among_bare_values_fails_its_file_with_the_line(loads: Any, landing: Any) -> None:
    landing.put("bad.json", '{"y":"2024-02-28"}\n{"y":"2024-02-30"}\n')
    landing.put("good.json", '{"y":"2024-02-29"}\n')

    result = loads.load(DDL)

    assert result.failure("bad.json") == ("BadRecord", 'line 2, column "y": "2024-02-30" is not a DATE (not_date)')
    assert [str(value) for value in result.values("y")] == ["2024-02-29"]
