"""JSON documents (multiLine) through the embedded engine alone: blocks."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from autoloader.engines.embedded.documents import DocumentReader
from autoloader.engines.embedded.record_path import PathReader
from autoloader.engines.embedded.strict_json import canonical_record
from autoloader.errors import BadRecord
from autoloader.model import FileStatus
from autoloader.schema.parse import parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

ID = "id BIGINT, s STRING"


def load(loads: Any, ddl: str = ID) -> Any:
    return loads.load(ddl, options={"multiLine": "true"})


def test_a_large_array_is_read_in_blocks(loads: Any, put: Put) -> None:
    elements = [{"id": at, "s": "é" * (at % 300) + str(at / 7)} for at in range(40_000)]
    put("lines.json.gz", gzip.compress(json.dumps(elements[:20_000], ensure_ascii=False, indent=1).encode(), 1))
    put("one line.json", json.dumps([*elements[20000:], {"s": "x" * 15000000}]))
    result = load(loads)
    found = {row["id"]: row["s"] for row in result.rows if row["id"] is not None}
    assert found == {element["id"]: element["s"] for element in elements}
    assert {outcome.status for outcome in result.outcomes.values()} == {FileStatus.SUCCESS}


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
    assert not isinstance(whole[0], BadRecord)
    assert whole[0][:2] == (1, '{"id":"1.50","s":"x\\"]},{é"}'.replace("1.50", "1.5"))


def test_where_the_blocks_are_cut_makes_no_difference_to_records_at_a_path() -> None:
    document = {"n": -12.5e3, "a": [{"x": [1, {}]}, {"r": [{"id": 12, "s": 'é"]}'}, {"s": {"r": 1}}]}], "t": True}
    data = (json.dumps(document, ensure_ascii=False, indent=1) + '{"a": {"r": {"id": 3}}, "n": 77}').encode()
    data = data.replace(b'{\n   "x"', b'{\n   "r": null, "x"')
    write = canonical_record(parse_schema(ID).columns)
    whole = list(PathReader(write, ("a", "r")).exact(data, 1, last=True))
    assert [found[0] for found in whole if not isinstance(found, BadRecord)] == [1, 2, 3]
    for size in range(1, len(data)):
        reader = PathReader(write, ("a", "r"))
        cuts = range(0, len(data), size)
        found = [e for at in cuts for e in reader.exact(data[at : at + size], 1, last=False)]
        assert found + list(reader.exact(b"", 1, last=True)) == whole
