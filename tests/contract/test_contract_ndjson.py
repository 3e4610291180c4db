"""NDJSON through either engine: which records load, with which values, and which fail their file."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from autoloader.model import FileStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

NUMBERS = "s STRING, i INT, b BIGINT, f FLOAT, d DOUBLE, n DECIMAL(10,2)"


def test_the_rows_of_many_files_land_in_one_data_file_with_what_they_came_from(loads: Any, put: Put) -> None:
    paths = [put(f"{at}.json", "".join(f'{{"id": {at * 10 + row}}}\n' for row in range(10))) for at in range(30)]
    result = loads.load("id BIGINT")
    assert sum(made.records for made, _ in result.data_files) == 300
    assert sorted(row["id"] for row in result.rows) == list(range(300))
    assert all(row["_source_file"] == paths[row["id"] // 10] for row in result.rows)
    modified = {file.path: file.modified_at for file in loads.files()}
    assert all(row["_source_modified_at"] == modified[row["_source_file"]] for row in result.rows)
    assert {row["_loaded_at"].isoformat() for row in result.rows} == {"2026-01-02T03:04:05+00:00"}
    assert len({row["_load_id"] for row in result.rows}) == 1
    assert {outcome.records_ingested for outcome in result.outcomes.values()} == {10}
    assert sum(part.files for part in result.progress) == 30
    assert sum(part.records for part in result.progress) == 300
    assert sum(part.bytes for part in result.progress) == sum(file.size_bytes for file in loads.files())


def test_one_bad_file_among_two_hundred_fails_alone(loads: Any, put: Put) -> None:
    for at in range(200):
        put(f"{at:03}.json", f'{{"id": {at}}}\n' if at != 77 else '{"id": 77}\n\n{"id": "seven"}\n')
    result = loads.load("id BIGINT")
    assert sorted(row["id"] for row in result.rows) == [at for at in range(200) if at != 77]
    failed = {name: o for name, o in result.outcomes.items() if o.status is not FileStatus.SUCCESS}
    assert list(failed) == ["077.json"]
    assert failed["077.json"].records_ingested == 0
    assert result.failure("077.json") == ("BadRecord", 'line 3, column "id": "seven" is not a BIGINT (not_bigint)')


def test_half_of_the_files_may_be_bad_in_every_way(loads: Any, put: Put) -> None:
    ways = ['{"id": "x"}', '{"id": 1, "id": 2}', '{"id": NaN}', "[1]", '{"id": 1,}', '{"m": {"a": 1, "a": 2}}', "{"]
    for at in range(140):
        put(f"{at:03}.json", f'{{"id": {at}}}\n' if at % 2 else f'{{"id": {at}}}\n{ways[at // 2 % len(ways)]}\n')
    result = loads.load("id BIGINT, m MAP<STRING, BIGINT>")
    assert sorted(row["id"] for row in result.rows) == list(range(1, 140, 2))
    messages = [o.error_message for o in result.outcomes.values() if o.status is FileStatus.FAILED]
    assert len(messages) == 70
    assert all(message is not None and message.startswith("line 2") for message in messages)


MALFORMED: list[tuple[bytes | str, str]] = [
    ('{"id": 1,}', "double quotes"),
    ('{"id": NaN}', "NaN is not a JSON value"),
    ('{"id": -Infinity}', "-Infinity is not a JSON value"),
    ('{"id": nan}', "Expecting value"),
    ('{"id": 1} x', "Extra data"),
    ('{"id": 1}{"id": 2}', "Extra data"),
    ("{'id': 1}", "double quotes"),
    ('{"id": 1 /* one */}', "delimiter"),
    ('{"id": 01}', "delimiter"),
    ('{"id": +1}', "Expecting value"),
    ('{"id": .5}', "Expecting value"),
    ('{"id": 1, "id": 1}', 'the key "id" comes twice'),
    ('{"id": 1, "\\u0069d": 1}', 'the key "id" comes twice'),
    ('{"id": 1, "other": 1, "other": 2}', 'the key "other" comes twice'),
    ('{"id": 1, "other": {"x": [{"y": 1, "y": 2}]}}', 'the key "y" comes twice'),
    ('{"s": {"y": 1, "y": 2}}', 'the key "y" comes twice'),
    ("[]", "not a JSON object"),
    ("null", "not a JSON object"),
    ('"text"', "not a JSON object"),
    ('{"s": "\\ud800"}', "lone surrogate"),
    ('{"other": "\\udc00x"}', "lone surrogate"),
    ('{"s": "tab\there"}', "control character"),
    (b'{"s": "\xff"}', "byte 8 is not UTF-8"),
    (b'{"s": "\xed\xa0\x80"}', "not UTF-8"),
    ("\x0b", "Expecting value"),
    ('{"id": 1}\x0c', "Extra data"),
    ('{"s": ' + "[" * 100_000 + "}", "nested too deeply"),
]


def test_a_record_that_is_not_rfc_8259_is_malformed(loads: Any, put: Put) -> None:
    for at, (line, _) in enumerate(MALFORMED):
        raw = line if isinstance(line, bytes) else line.encode()
        put(f"{at:02}.json", b'{"id": 1}\r\n\n' + raw + b'\n{"id": 2}')
    result = loads.load("id BIGINT, s STRING")
    for at, (line, why) in enumerate(MALFORMED):
        kind, message = result.failure(f"{at:02}.json")
        assert kind == "BadRecord", line[:100]
        assert message is not None
        assert message.startswith("line 3: the record is malformed: ")
        assert why.lower() in message.lower()
    assert result.rows == []


def test_values_are_judged_by_their_text_whatever_the_parser_makes_of_them(loads: Any, put: Put) -> None:
    texts = ["1e3", "1.50", "-0", "0.00001", "0.1000000000000000055511151231257827", "12345678901234567890123", "1.0"]
    put("a.json", "".join(f'{{"s": {text}}}\n' for text in texts))
    result = loads.load("s STRING")
    assert result.values("s") == sorted(texts)


def test_numbers_in_quotes_are_the_same_numbers(loads: Any, put: Put) -> None:
    put("plain.json", '{"i": 12, "b": -7, "f": 0.5, "d": 1.25, "n": 3.10}\n')
    put("quoted.json", '{"i": "12", "b": "-7", "f": "0.5", "d": "1.25", "n": "3.10"}\n')
    result = loads.load(NUMBERS)
    columns = [[row[name] for name in ("i", "b", "f", "d", "n")] for row in result.rows]
    assert columns == [[12, -7, 0.5, 1.25, Decimal("3.10")]] * 2


def test_what_is_no_whole_number_in_range_is_not_a_bigint(loads: Any, put: Put) -> None:
    texts = ["1e3", "1.5", "true", "9223372036854775808", "1.0e0", '"0x1"', "[]", "{}"]
    for at, text in enumerate(texts):
        put(f"{at}.json", f'{{"b": {text}}}\n')
    result = loads.load(NUMBERS)
    for at, text in enumerate(texts):
        kind, message = result.failure(f"{at}.json")
        assert kind == "BadRecord", text
        assert message is not None
        assert message.startswith('line 1, column "b"')


def test_a_double_keeps_every_bit_and_refuses_what_is_not_finite(loads: Any, put: Put) -> None:
    texts = ["0.1", "1e-300", "1.7976931348623157e308", "5e-324", "-0", "123456789012345678901234567890.5", "1E5"]
    put("good.json", "".join(f'{{"d": {text}}}\n' for text in texts))
    put("bad.json", '{"d": 1e400}\n')
    result = loads.load("d DOUBLE")
    assert sorted(map(str, result.values("d"))) == sorted(str(float(text)) for text in texts)
    assert result.outcomes["bad.json"].status is FileStatus.FAILED


def test_objects_and_arrays_in_a_string_column_are_compact_json_as_they_were_written(loads: Any, put: Put) -> None:
    put("a.json", '{"s": {"b": 1.50, "a": [1e3, "x\\u00e9\\/", null, true], "c": {}}}\n')
    assert loads.load("s STRING").values("s") == ['{"b":1.50,"a":[1e3,"xé/",null,true],"c":{}}']


def test_nested_values_keep_their_shape(loads: Any, put: Put) -> None:
    ddl = "p STRUCT<x: INT, q: STRUCT<y: STRING>>, t ARRAY<DECIMAL(5,1)>, m MAP<STRING, ARRAY<BIGINT>>"
    put("plain.json", '{"p": {"q": {"y": "a"}, "x": 1}, "t": [1.5, null, 2], "m": {"k": [1, 2], "": []}}\n')
    put("exact.json", '{"unknown": 1, "p": {"q": {"y": 1.0e0}, "z": 1}, "t": [], "m": {}}\n')
    rows = sorted(loads.load(ddl).rows, key=lambda row: str(row["_source_file"]))
    assert rows[1]["p"] == {"x": 1, "q": {"y": "a"}}
    assert rows[1]["t"] == [Decimal("1.5"), None, Decimal("2.0")]
    assert dict(rows[1]["m"]) == {"k": [1, 2], "": []}
    assert (rows[0]["p"], rows[0]["t"], rows[0]["m"]) == ({"x": None, "q": {"y": "1.0e0"}}, [], [])


def test_another_kind_of_value_is_bad(loads: Any, put: Put) -> None:
    cases = [
        ('{"p": [1]}', 'line 1, column "p": [1] is not a STRUCT (not_struct)'),
        ('{"t": {"a": 1}}', 'line 1, column "t": {"a":1} is not an ARRAY (not_array)'),
        ('{"m": "x"}', 'line 1, column "m": "x" is not a MAP (not_map)'),
        ('{"p": {"q": 1}}', 'line 1, column "p.q": 1 is not an ARRAY (not_array)'),
    ]
    for at, (record, _) in enumerate(cases):
        put(f"{at}.json", record + "\n")
    result = loads.load("p STRUCT<x: INT, q: ARRAY<INT>>, t ARRAY<INT>, m MAP<STRING, INT>")
    assert [result.failure(f"{at}.json") for at in range(len(cases))] == [("BadRecord", why) for _, why in cases]


def test_the_first_bad_record_is_named_even_when_a_later_one_is_worse(loads: Any, put: Put) -> None:
    put("a.json", '{"id": 1}\n{"id": "x"}\n{"id": NaN}\nrubbish\n')
    assert loads.load("id BIGINT").failure("a.json")[1] == 'line 2, column "id": "x" is not a BIGINT (not_bigint)'


def test_an_empty_file_is_a_success_without_records(loads: Any, put: Put) -> None:
    bodies = ["", "\n", "\r\n \t\n\n", "\ufeff", "\ufeff\n"]
    for at, body in enumerate(bodies):
        put(f"{at}.json", body)
    put("other.json", '{"id": 1}')
    result = loads.load("id BIGINT")
    assert {outcome.status for outcome in result.outcomes.values()} == {FileStatus.SUCCESS}
    assert [result.outcomes[f"{at}.json"].records_ingested for at in range(len(bodies))] == [0] * len(bodies)
    assert result.values("id") == [1]


def test_nothing_but_empty_files_gives_no_data_file(loads: Any, put: Put) -> None:
    put("a.json", "")
    result = loads.load("id BIGINT")
    assert result.data_files == []
    assert result.outcomes["a.json"].status is FileStatus.SUCCESS


def test_a_bom_and_both_line_ends_and_a_missing_last_one_are_fine(loads: Any, put: Put) -> None:
    put("a.json", '\ufeff{"id": 1}\r\n{"id": 2}\n\r\n{"id": 3}')
    put("b.json", '\ufeff{"id": 4, "extra": 1}\r\n  {"id": 5}')
    assert loads.load("id BIGINT").values("id") == [1, 2, 3, 4, 5]


def test_an_empty_object_is_a_row_of_nulls(loads: Any, put: Put) -> None:
    put("a.json", "{}\n{ }\n")
    assert loads.load("id BIGINT").values("id") == [None, None]


def test_names_that_sql_or_json_must_escape_are_columns_like_any_other(loads: Any, put: Put) -> None:
    names = ["select", "a b", "quo'te", "é", "dot.ted", "UPPER", 'dou"ble', "back\\slash", "[x]", "a+b*"]
    put("a.json", json.dumps({name: at for at, name in enumerate(names)}) + "\n")
    put("b.json", json.dumps({name: at for at, name in enumerate(names)}, ensure_ascii=False) + "\n")
    ddl = ", ".join(f"`{name}` INT" for name in names)
    rows = loads.load(ddl).rows
    assert [[row[name] for name in names] for row in rows] == [list(range(len(names)))] * 2


def test_keys_are_matched_with_their_case(loads: Any, put: Put) -> None:
    put("a.json", '{"ID": 1}\n{"id": 2}\n')
    assert loads.load("id BIGINT").values("id") == [2, None]
