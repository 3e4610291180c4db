"""JSON documents (multiLine) through the embedded engine: cut into elements that are counted."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from autoloader.engines.embedded.documents import DocumentReader
from autoloader.engines.embedded.strict_json import canonical_record
from autoloader.model import FileStatus
from autoloader.schema.parse import parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

ID = "id BIGINT, s STRING"


def load(loads: Any, ddl: str = ID) -> Any:
    return loads.load(ddl, options={"multiLine": "true"})


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ('[{"id": 1}, {"id": 2}]', [1, 2]),
        ('{"id": 1}', [1]),
        ('{"id": 1}{"id": 2}\n\n{"id": 3}', [1, 2, 3]),
        ('\ufeff[\r\n  {\n "id": 1\n},\n {"id": 2, "s": "]},"}\n]\n', [1, 2]),
        ("[]", []),
        ("", []),
        (" \n ", []),
        ('[{"id": 1}] [{"id": 2}]', [1, 2]),
    ],
)
def test_arrays_objects_and_several_of_them_become_records(loads: Any, put: Put, body: str, ids: list[int]) -> None:
    put("a.json", body)
    result = load(loads)
    assert result.values("id") == ids
    assert result.outcomes["a.json"].status is FileStatus.SUCCESS
    assert result.outcomes["a.json"].records_ingested == len(ids)


@pytest.mark.parametrize(
    ("body", "start"),
    [
        ('[{"id": 1}, {"id": 2}, {"id": "x"}]', 'element 3, column "id": "x" is not a BIGINT (not_bigint)'),
        ('[{"id": 1}, {"id": 2},]', "element 3: the record is malformed: Expecting value"),
        ('[{"id": 1} {"id": 2}]', "element 2: the record is malformed: a comma or ] is missing"),
        ('[{"id": 1}, {"id": 2', "element 2: the record is malformed"),
        ('[{"id": 1}', "element 2: the record is malformed: the array is not closed: the file is truncated"),
        ('[{"id": 1}, 7]', "element 2: the record is malformed: it is not a JSON object"),
        ('[{"id": 1}, [{"id": 2}]]', "element 2: the record is malformed: it is not a JSON object"),
        ('[,{"id": 1}]', "element 1: the record is malformed"),
        ('[{"id": 1}] rubbish', "element 2: the record is malformed"),
        ('[{"id": 1}, {"id": 1, "id": 2}]', 'element 2: the record is malformed: the key "id" comes twice'),
        ('[{"id": NaN}]', "element 1: the record is malformed: NaN is not a JSON value"),
        ('[{"s": "\\ud800"}]', "element 1: the record is malformed: a lone surrogate"),
        (b'[{"id": 1}, {"s": "\xff"}]', "element 1: the record is malformed: it is not UTF-8"),
    ],
)
def test_a_bad_element_is_named_by_its_number(loads: Any, put: Put, body: bytes | str, start: str) -> None:
    put("bad.json", body)
    put("good.json", '[{"id": 9}]')
    result = load(loads)
    kind, message = result.failure("bad.json")
    assert kind == "BadRecord"
    assert message is not None
    assert message.startswith(start)
    assert result.values("id") == [9]


def test_a_large_array_is_read_in_blocks(loads: Any, put: Put) -> None:
    elements = [{"id": at, "s": "é" * (at % 300) + str(at / 7)} for at in range(40_000)]
    put("a.json.gz", gzip.compress(json.dumps(elements, ensure_ascii=False, indent=1).encode(), 1))
    result = load(loads)
    assert {row["id"]: row["s"] for row in result.rows} == {element["id"]: element["s"] for element in elements}


def test_where_the_blocks_are_cut_makes_no_difference() -> None:
    document = json.dumps([{"id": 1.50, "s": 'x"]},{é'}, {"id": None}, {"s": {"a": [1, {}]}}], ensure_ascii=False)
    data = document.encode()
    write = canonical_record(parse_schema(ID).columns)
    whole = list(DocumentReader(write).exact(data, 1, last=True))
    for size in range(1, len(data)):
        reader = DocumentReader(write)
        cuts = range(0, len(data), size)
        found = [e for at in cuts for e in reader.exact(data[at : at + size], 1, last=at + size >= len(data))]
        assert found == whole
    assert whole[0] == (1, '{"id":"1.50","s":"x\\"]},{é"}'.replace("1.50", "1.5"))
