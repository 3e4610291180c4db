"""The reference itself, checked by hand: it is what the engines are compared with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.corpus.expected import BAD, FAILED, ROWS
from tests.reference import json_text
from tests.reference.reader import Asked, Reject, read
from tests.reference.scalars import Refused, judge

from autoloader.schema import parse_schema
from autoloader.schema.types import Decimal, Scalar

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "values.md"
EXAMPLES = [
    [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:4]]
    for line in PAGE.read_text().partition("## Examples")[2].partition("##")[0].splitlines()
    if "`" in line
]


def encoded(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body


@pytest.mark.parametrize(("asked", "body", "rows"), ROWS)
def test_what_is_good_becomes_these_rows(asked: Asked, body: bytes | str, rows: list[tuple[Any, ...]]) -> None:
    answer = read(encoded(body), asked, tolerant=False)
    assert (answer.failed, answer.rejects) == (None, [])
    assert [tuple(row.values()) for row in answer.rows] == rows


@pytest.mark.parametrize(("asked", "body", "bad"), BAD)
def test_what_is_bad_is_told_with_its_place_and_fails_its_file_where_that_is_asked_for(
    asked: Asked, body: bytes | str, bad: list[tuple[int, str | None, str, str]]
) -> None:
    assert read(encoded(body), asked, tolerant=True).rejects == [Reject(*each) for each in bad]
    strict = read(encoded(body), asked, tolerant=False)
    assert (strict.failed, strict.first, strict.rows) == ("BadRecord", Reject(*bad[0]), [])


@pytest.mark.parametrize(("asked", "body", "kind"), FAILED)
def test_what_cannot_be_cut_into_records_fails_whatever_is_tolerated(
    asked: Asked, body: bytes | str, kind: str
) -> None:
    answer = read(encoded(body), asked, tolerant=True)
    assert (answer.failed, answer.rows, answer.rejects) == (kind, [], [])


@pytest.mark.parametrize(("kind", "good", "bad"), EXAMPLES, ids=[row[0][0] for row in EXAMPLES])
def test_every_example_of_the_page_about_values_is_judged_as_it_says(
    kind: list[str], good: list[str], bad: list[str]
) -> None:
    column_type = parse_schema(f"a {kind[0]}").columns[0].type
    assert isinstance(column_type, (Scalar, Decimal))
    refused = [text for text in [*good, *bad] if isinstance(judge(column_type, text), Refused)]
    assert refused == bad


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def numbers_as_written(value: Any) -> Any:
    match value:
        case bool() | None | str():
            return value
        case list():
            return [numbers_as_written(each) for each in value]
        case dict():
            return {name: numbers_as_written(each) for name, each in value.items()}
        case _:
            return json_text.Number(json.dumps(value))


@given(JSON_VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_what_another_writer_wrote_is_read_as_it_was(value: Any, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001  Hypothesis names it
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert json_text.whole(text) == numbers_as_written(value)
    assert json.loads(json_text.compact(json_text.whole(text))) == value


@given(st.text('{}[]",:\\ \n\t0123.eE-+truefalsn"ua', max_size=12))
def test_a_text_is_json_only_if_another_reader_takes_it(text: str) -> None:
    def broken(_: Any) -> None:
        raise ValueError

    try:
        json.loads(text, parse_constant=broken)
        taken = True
    except ValueError:
        taken = False
    scanner = json_text.Scanner(text)
    try:
        scanner.value()
        ours = not scanner.next()
    except json_text.Broken:
        ours = False
    # What Python reads and RFC 8259 allows, but the contract does not: a key twice, half a surrogate pair.
    assert ours == taken or scanner.flaws
