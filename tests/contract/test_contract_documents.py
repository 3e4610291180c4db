"""JSON documents (multiLine) through either engine: cut into elements that are counted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from autoloader.model import FileStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

ID = "id BIGINT, s STRING"


def load(loads: Any, ddl: str = ID) -> Any:
    return loads.load(ddl, options={"multiLine": "true"})


GOOD: list[tuple[str, list[int]]] = [
    ('[{"id": 1}, {"id": 2}]', [1, 2]),
    ('{"id": 1}', [1]),
    ('{"id": 1}{"id": 2}\n\n{"id": 3}', [1, 2, 3]),
    ('\ufeff[\r\n  {\n "id": 1\n},\n {"id": 2, "s": "]},"}\n]\n', [1, 2]),
    ("[]", []),
    ("", []),
    (" \n ", []),
    ('[{"id": 1}] [{"id": 2}]', [1, 2]),
]
BAD: list[tuple[bytes | str, str]] = [
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
]
BESIDE = [
    '[{"id": 1}],"x":[2]',
    '{"id": 1},"x":{"id": 2}',
    '{"id": 1},{"id": 2}',
    '{"id": 1}],"r":[{"id": 2}',
    "[null]",
    "[[]]",
]


def test_arrays_objects_and_several_of_them_become_records(loads: Any, put: Put) -> None:
    for at, (body, _) in enumerate(GOOD):
        put(f"{at}.json", body)
    result = load(loads)
    for at, (body, ids) in enumerate(GOOD):
        rows = [row["id"] for row in result.rows if row["_source_file"].endswith(f"/{at}.json")]
        assert sorted(rows) == ids, body
        outcome = result.outcomes[f"{at}.json"]
        assert (outcome.status, outcome.records_ingested) == (FileStatus.SUCCESS, len(ids))


def test_a_bad_element_is_named_by_its_number(loads: Any, put: Put) -> None:
    for at, (body, _) in enumerate(BAD):
        put(f"{at}.json", body)
    put("good.json", '[{"id": 9}]')
    result = load(loads)
    for at, (_, start) in enumerate(BAD):
        kind, message = result.failure(f"{at}.json")
        assert kind == "BadRecord"
        assert message is not None
        assert message.startswith(start)
    assert result.values("id") == [9]


def test_what_only_looks_like_one_document_from_within_is_malformed(loads: Any, put: Put) -> None:
    for at, body in enumerate(BESIDE):
        put(f"{at}.json", body)
    result = load(loads)
    assert {result.failure(f"{at}.json")[0] for at in range(len(BESIDE))} == {"BadRecord"}
    assert result.rows == []


def test_values_are_judged_by_their_text_in_a_document_too(loads: Any, put: Put) -> None:
    texts = ["1e3", "1.50", "-0", '"1.5"', '"0"', '{"a": 1.50}', "true", "12345678901234567890123", '"é\\u00e9"']
    for at, text in enumerate(texts):
        put(f"{at}.json", f'[{{"s": {text}}}, {{"s": "plain"}}]')
    put("numbers.json", json.dumps([{"d": 0.1, "n": 1.25, "t": ["a", None], "p": {"x": 1}}] * 3, indent=1))
    put("zero.json", '[{"d": -0, "n": 1}]')
    ddl = "s STRING, d DOUBLE, n DECIMAL(10,2), t ARRAY<STRING>, p STRUCT<x: BIGINT>"
    result = load(loads, ddl)
    found = sorted(str(row["s"]) for row in result.rows if row["s"] not in {None, "plain"})
    assert found == sorted(["1e3", "1.50", "-0", "1.5", "0", '{"a":1.50}', "true", "12345678901234567890123", "éé"])
    assert sum(row["s"] == "plain" for row in result.rows) == len(texts)
    numbers = [row for row in result.rows if row["t"]]
    assert [(row["d"], str(row["n"]), row["t"], row["p"]) for row in numbers] == [
        (0.1, "1.25", ["a", None], {"x": 1})
    ] * 3
    assert [str(row["d"]) for row in result.rows if str(row["n"]) == "1.00"] == ["-0.0"]


AT_A_PATH: list[tuple[str, list[int]]] = [
    (
        '{"meta": 1, "detail": {"n": -1.5e3, "items": [{"id": 1}, {"id": 2}], "more": [true]}, "z": {"items": []}}',
        [1, 2],
    ),
    ('\ufeff [{"detail": {"items": [{"id": 1}]}},\n {"detail": {"items": {"id": 2}}}]\n', [1, 2]),
    ('{"detail": {"items": [{"id": 1}]}}\n{"detail": {"items": []}} {"detail":{"items":[{"id": 3}]}}', [1, 3]),
    ('{"detail": [{"items": [{"id": 1}]}, {"items": null}, {"items": [{"id": 2, "detail": {"x": 1}}]}]}', [1, 2]),
    ('{"detail": {"items": null}}', []),
    ("[]", []),
    ("", []),
]
OFF_THE_PATH: list[tuple[str, str]] = [
    ('{"Detail": {"items": []}}', 'element 1: the record is malformed: the document has no "detail"'),
    ('{"detail": {}}', 'element 1: the record is malformed: the document has no "detail.items"'),
    ('{"detail": 1}', 'element 1: the record is malformed: the document has no "detail.items"'),
    ('{"detail": {"items": 1}}', 'element 1: the record is malformed: the value at "detail.items" is no array'),
    ('{"detail": {"items": [{"id": 1}, 2]}}', "element 2: the record is malformed: it is not a JSON object"),
    ('{"detail": {"items": [{"id": 1}, {"id": "x"}]}}', 'element 2, column "id": "x" is not a BIGINT'),
    ('{"detail": {"items": [{"id": 1},]}}', "element 2: the record is malformed: Expecting value"),
    ('{"detail": {"items": [{"id": 1}]', "element 2: the record is malformed: a } is missing: the file is truncated"),
    ('{"detail": {"items": [{"id": 1}', "element 2: the record is malformed: a ] is missing: the file is truncated"),
    ('{"detail": {"items": [{"id": 1}]}, "n": NaN}', "element 2: the record is malformed: NaN is not a JSON value"),
    ('{"detail": {"items": [{"id": 1}]}, "n": 01}', "element 2: the record is malformed: a comma or } is missing"),
    (
        '{"detail": {"items": []}, "detail": {"items": []}}',
        'element 1: the record is malformed: the key "detail" comes',
    ),
    ('{"detail": {"items": []}, }', "element 1: the record is malformed: a key in double quotes belongs where"),
    ('{"detail" {"items": []}}', "element 1: the record is malformed: a colon belongs where"),
    ('{"n": "\\ud800", "detail": {"items": []}}', "element 1: the record is malformed: a lone surrogate"),
    ('{"x": ' + "[" * 1000 + "]" * 1000 + ', "detail": {"items": [{"id": ]}}', "element 1: the record is malformed"),
    ("[" * 1000 + "]" * 1000, 'element 1: the record is malformed: the document has no "detail"'),
    ("7", 'element 1: the record is malformed: the document has no "detail"'),
]


def test_records_at_a_path_are_read_and_everything_around_them_is_checked(loads: Any, put: Put) -> None:
    for at, (body, _) in enumerate(AT_A_PATH):
        put(f"good{at}.json", body)
    for at, (body, _) in enumerate(OFF_THE_PATH):
        put(f"bad{at}.json", body)
    result = loads.load(ID, options={"recordPath": "detail.items"})
    for at, (body, ids) in enumerate(AT_A_PATH):
        rows = [row["id"] for row in result.rows if row["_source_file"].endswith(f"/good{at}.json")]
        assert sorted(rows) == ids, body
        assert result.outcomes[f"good{at}.json"].status is FileStatus.SUCCESS
    for at, (body, start) in enumerate(OFF_THE_PATH):
        kind, message = result.failure(f"bad{at}.json")
        assert kind == "BadRecord", body
        assert str(message).startswith(start), message
