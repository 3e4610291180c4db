"""JSON documents (multiLine) through the embedded engine alone: blocks."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from autoloader.engines.embedded.documents import DocumentReader
from autoloader.engines.embedded.strict_json import canonical_record
from autoloader.errors import BadRecord
from autoloader.schema.parse import parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

ID = "id BIGINT, s STRING"


def load(loads: Any, ddl: str = ID) -> Any:
    return loads.load(ddl, options={"multiLine": "true"})


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
    assert not isinstance(whole[0], BadRecord)
    assert whole[0][:2] == (1, '{"id":"1.50","s":"x\\"]},{é"}'.replace("1.50", "1.5"))
