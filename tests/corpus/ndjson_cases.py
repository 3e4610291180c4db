"""NDJSON: the texts of every type, what is no JSON, what is around lines, and nested values."""

from __future__ import annotations

import json

from tests.corpus.groups import Group, in_files, named
from tests.reference.reader import Asked

from autoloader.model import FormatType, UnknownFields

SCALARS = (
    "s STRING, i INT, b BIGINT, f FLOAT, d DOUBLE, n DECIMAL(10,2), w DECIMAL(38,10), q DECIMAL(3,3), o BOOLEAN, "
    "at TIMESTAMP, ntz TIMESTAMP_NTZ, day DATE, raw BINARY"
)
NUMBERS = """
    0 -0 7 -7 12 1.0 12.000 1.5 -1.50 1e3 1E3 1e+3 1e-3 1.5e1 0.1 0.001 0.0001 100e-2 0e0 0.0 -0.0 1e0 123456789.12
    99999999.99 100000000 100000000.00 99999999.995 99999999.990 2147483647 2147483648 -2147483648 -2147483649
    2147483647.0 2147483647.00 9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
    9223372036854775807.0 9007199254740993 9007199254740993.0 123456789012345678901234567890
    1234567890123456789012345678.0123456789 12345678901234567890123456789 0.0000000001 0.00000000001
    9999999999999999999999999999.9999999999 3.4028235e38 3.4028236e38 1e38 1e39 1.401298464324817e-45 7e-46 1e-400
    1e308 1.7976931348623157e308 1.7976931348623159e308 1e309 1e400 -1e400 5e-324 2e-324 0.1000000000000000055511151231257827
    0.30000000000000004 1e22 1e23 123456789.123456789 16777217 16777219 0.999 0.9995 1e-2147483648 1e2147483648
    1e99999999999999999999 0e99999999999999999999 0.000000000000000000000000000000000000000000001e45 33554435
"""
WORDS = [
    "true", "false", "TRUE", "False", "tRuE", "t", "f", "yes", "no", "on", "1", "0", "+1", "+0", "007", "-007", "12.", ".5", "5.",
    "+.5", ".", "-", "+", "1.5.", "1,5", "1_000", "0x10", "0x1p3", "1.5d", "1.5f", "1L", "1e", "1e+", "e5", ".e5", "--1", "+-1", "NaN", "nan",
    "Infinity", "-Infinity", "+Infinity", "inf", "-inf", "INF", "", " ", " 12", "12 ", "1 2", "12\n", "\t12", "null", "NULL", "None", "\u0661",
    "\uff11", "1\u00a0", "\u22121", "\ufeff12", "12\u0000", "fal\u017fe", "TRUE ", "\u0130", "1e5", "1E-5", "+1e5", "00", "0.0", "00.50",
    "-0", "-.0", "9" * 400, "0." + "0" * 400 + "1", "0" * 400 + "7", "1" + "0" * 309, "1e0000000000000000000000000001",
]  # fmt: skip
INSTANTS = [
    "2024-01-15", "2024-1-15", "2024-01-5", "24-01-15", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2024-02-30",
    "2024-04-31", "2024-00-10", "2024-13-01", "2024-01-00", "2024-01-32", "0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01",
    "-0001-01-01", "+2024-01-15", "20240115", "2024-015", "2024-W03-1", "2024-01", "2024", "15.01.2024", "01/15/2024",
    "2024/01/15", " 2024-01-15", "2024-01-15 ", "2024-01-15T", "2024-01-15T10", "2024-01-15T10:30", "2024-01-15 10:30",
    "2024-01-15t10:30", "2024-01-15_10:30", "2024-01-15  10:30", "2024-01-15T10:30:00", "2024-01-15T10:30:59", "2024-01-15T10:30:60",
    "2016-12-31T23:59:60Z", "2024-01-15T24:00", "2024-01-15T24:00:00Z", "2024-01-15T23:60", "2024-01-15T25:00", "2024-01-15T1:30",
    "2024-01-15T10:3", "2024-01-15T1030", "2024-01-15T103000Z", "2024-01-15T10:30:00.", "2024-01-15T10:30:00.1",
    "2024-01-15T10:30:00.12", "2024-01-15T10:30:00.123", "2024-01-15T10:30:00.1234", "2024-01-15T10:30:00.12345",
    "2024-01-15T10:30:00.123456", "2024-01-15T10:30:00.1234567", "2024-01-15T10:30:00.12345678", "2024-01-15T10:30:00.123456789",
    "2024-01-15T10:30:00.1234567891", "2024-01-15T10:30:00.999999999", "2024-01-15T10:30:00,5", "2024-01-15T10:30.5",
    "2024-01-15T10:30:00.5Z", "2024-01-15T10:30Z", "2024-01-15T10:30:00Z", "2024-01-15T10:30:00z", "2024-01-15 10:30:00Z",
    "2024-01-15T10:30:00 Z", "2024-01-15T10:30:00+00", "2024-01-15T10:30:00+0000", "2024-01-15T10:30:00+00:00",
    "2024-01-15T10:30:00-00:00", "2024-01-15T10:30:00+05:30", "2024-01-15T10:30:00+0530", "2024-01-15T10:30:00+053",
    "2024-01-15T10:30:00+5", "2024-01-15T10:30:00+5:30", "2024-01-15T10:30:00-08", "2024-01-15T10:30:00+18:00",
    "2024-01-15T10:30:00-18:00", "2024-01-15T10:30:00+18:01", "2024-01-15T10:30:00+19:00", "2024-01-15T10:30:00+05:60",
    "2024-01-15T10:30:00+05:3", "2024-01-15T10:30:00+05:30:00", "2024-01-15T10:30:00UTC", "2024-01-15T10:30:00 UTC",
    "2024-01-15T10:30:00 Europe/Berlin", "2024-01-15T10:30:00[UTC]", "2024-01-15T10:30:00GMT+1", "2024-01-15Z", "2024-01-15+01:00",
    "0001-01-01T00:00:00+00:01", "0001-01-01T00:00:00-00:01", "9999-12-31T23:59:59.999999999", "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:59.9999999+00:00", "0000-12-31T23:59:59-01:00", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.9999999Z",
    "1705312800", "1705312800000", "epoch", "now", "today", "infinity", "Jan 15 2024", "2024-01-15T10:30:00\n", "2024-01-15\n",
    "２０２４-01-15", "2024\u201001\u201015", "2024-01-15T10:30:00\u22120800",
]  # fmt: skip
BASE64 = [
    "YWJj", "YQ==", "YWI=", "YQ", "YQ=", "YQ===", "YR==", "YWJ=", "====", "=", "-_-_", "+/+/", "YW Jj", "YWJj\n", "YWJj\r\nYWJj", "Y*Jj",
    "AP8=", "AAAA", "gIGC", "YWJjYWJj" * 50, "data:;base64,YWJj", "é===", "YWJjY", "QUJD=QUJD", "QQ==QQ==",
]  # fmt: skip


def _scalar_files() -> dict[str, bytes]:
    """A record for each text and each column that may care."""
    columns = [part.split()[0] for part in SCALARS.split(", ")]
    lines: list[str] = []
    lines += [f'{{"{name}": {number}}}' for number in NUMBERS.split() for name in columns]
    lines += [json.dumps({name: word}) for word in WORDS for name in columns]
    lines += [json.dumps({name: text}, ensure_ascii=False) for text in INSTANTS for name in ("at", "ntz", "day")]
    lines += [json.dumps({"raw": text}, ensure_ascii=False) for text in BASE64]
    others = ["true", "false", "null", "[]", "{}", "[1]", '{"a": 1}', '["12"]']
    lines += [f'{{"{name}": {other}}}' for other in others for name in columns]
    return in_files(lines, Asked(FormatType.JSON, SCALARS))


def _good_scalar_files() -> dict[str, bytes]:
    """Texts that are good, one file each, so that no bad neighbour leads it to the exact path."""
    pairs = [
        *(("d", number) for number in NUMBERS.split() if "99999999999999999999" not in number),
        *(("s", number) for number in NUMBERS.split()),
        *(("b", number) for number in ("0", "-0", "12.000", "9223372036854775807", "-9223372036854775808", "1.0")),
        *(("n", number) for number in ("0", "-0", "1.50", "1e3", "100e-2", "99999999.990", "123456.7800")),
    ]
    return {f"{at:03}": f'{{"{name}": {text}}}\n{{"{name}": null}}\n'.encode() for at, (name, text) in enumerate(pairs)}


SYNTAX: list[bytes | str] = [
    "{", "}", "{}", " { } ", "[]", "null", "true", "12", '"text"', "{}{}", "{} {}", "{},", "{};", ",{}", "{\"b\": 1,}", '{,"b": 1}', '{"b" 1}', '{"b":}',
    '{"b":,}', '{"b": 1 "i": 2}', '{"b": 1;"i": 2}', "{b: 1}", "{'b': 1}", '{"b": \'1\'}', '{1: 1}', '{null: 1}', '{"b": 1} x', '{"b": 1} // x',
    '{"b": 1} # x', '/* x */ {"b": 1}', '{"b": /* x */ 1}', '{"b": 01}', '{"b": -01}', '{"b": +1}', '{"b": .5}', '{"b": 5.}', '{"b": 1.e3}', '{"b": 1e}',
    '{"b": 1e+}', '{"b": --1}', '{"b": - 1}', '{"b": 0x10}', '{"b": 1_000}', '{"b": NaN}', '{"b": nan}', '{"b": Infinity}', '{"b": -Infinity}', '{"b": -NaN}',
    '{"b": TRUE}', '{"b": True}', '{"b": nul}', '{"b": nulll}', '{"b": undefined}', '{"b": 1, "b": 1}', '{"b": 1, "\\u0062": 2}', '{"x": 1, "x": 1}',
    '{"x": {"y": 1, "y": 2}}', '{"x": [{"y": 1, "y": 2}]}', '{"s": {"y": 1, "y": 2}}', '{"s": [[{"y": 1, "y": 2}]]}', '{"b": null, "b": null}',
    '{"s": "a', '{"s": "a}', '{"s": a"}', '{"s": "a\\"}', '{"s": "\\x41"}', '{"s": "\\u12"}', '{"s": "\\u123g"}', '{"s": "\\U0041"}', '{"s": "\\\'"}',
    '{"s": "\\u0041\\u00e9\\u20ac\\ud83d\\ude00"}', '{"s": "\\ud83d"}', '{"s": "\\ude00"}', '{"s": "\\ude00\\ud83d"}', '{"s": "\\ud83d\\u0041"}',
    '{"s": "\\ud83dx\\ude00"}', '{"s": "\\ud83d\\ud83d\\ude00"}', '{"\\ud83d": 1}', '{"x": "\\ud83d"}', '{"s": "\\uD83D\\uDE00"}', '{"s": "\\u0000"}',
    '{"s": "a\\u0000b"}', '{"s": "\\u0001\\u001f\\u007f\\u0080"}', '{"s": "\\b\\f\\n\\r\\t\\/\\\\\\""}', '{"s": "a\tb"}', '{"s": "a\x01b"}', '{"s": "a\x7fb"}',
    b'{"s": "\xff"}', b'{"s": "\xc3"}', b'{"s": "\xc0\x80"}', b'{"s": "\xed\xa0\x80"}', b'{"s": "\xed\xa0\xbd\xed\xb8\x80"}', b'{"s": "\xf4\x90\x80\x80"}',
    b'{"s": "\xe2\x82"}', b'{"\xff": 1}', b'{"s": "ok"} \xff', b"\xff\xfe", '{"s": "\u2028\u2029\u0085\x0b\x0c"}'.replace("\x0b\x0c", ""), '{"s": "a\u2028b"}',
    '{"s": "\U0001f600\uffff\ufffe\ufeff"}', "\u2028", "\u00a0{}", "{}\u00a0", "\x0b{}", "{}\x0c", "\x1c", "\ufeff{}", '{"s": "e\u0301"}', '{"\u00e9": 1}',
    '{"s": ' + "[" * 400 + "]" * 400 + "}", '{"s": ' + "[" * 5000 + "]" * 5000 + "}", '{"x": ' + '{"a":' * 5000 + "1" + "}" * 5001, '{"s": ' + "[" * 5000,
    '{"x": ' + "[" * 400 + "]" * 400 + "}", '{"s": "' + "x" * 100_000 + '"}', '{"s": "' + "é" * 70_000 + '"', '{"' + "k" * 70_000 + '": 1}',
    '{ "b" : 1 , "s" : "x" }', '\t{\t"b"\t:\t1\t}\t', '{"b":1,"s":"x"}', '{"b":\r1}', '{"B": 1}', '{"b ": 1}', '{" b": 1}', '{"": 1}', '{"b.c": 1}',
    '{"s": {"b": 1.50, "a": [1e3, "x\\u00e9\\/", null, true], "c": {}}}', '{"s": []}', '{"s": {}}', '{"s": [ 1 , 2 ]}', '{"s": {"\\u0061": "\\u2028\\u0001\\""}}',
    '{"s": -0}', '{"s": 1.0}', '{"s": 1E400}', '{"s": true}', '{"s": null}', '{"s": "null"}', '{"s": ""}', '{"s": [-0, 1E5, 0.10]}', '{"s": "\\ufeff"}',
]  # fmt: skip
FRAMES: list[bytes | str] = [
    "", "\n", "\r\n", " ", " \t \n\n\r\n", "\ufeff", "\ufeff\n", "\ufeff\r\n\r\n", '\ufeff{"b": 1}', '\ufeff{"b": 1}\n\ufeff{"b": 2}\n', '\ufeff\ufeff{"b": 1}',
    '{"b": 1}', '{"b": 1}\r\n', '{"b": 1}\r', '{"b": 1}\r{"b": 2}', '{"b": 1}\r\r\n{"b": 2}', '{"b": 1}\n\r{"b": 2}', '\n\n{"b": 1}\n\n\n{"b": "x"}\n',
    '\r\n\r\n{"b": "x"}\r\n', '{"b": 1}\r\n{"b": 2}\n{"b": 3}\r\n', '  {"b": 1}  \n\t{"b": 2}\t', '{"b":\n1}', '{"b": 1}\n}\n{"b": 2}', '{"b": 1}\x0b\n{"b": 2}',
    '{"b": 1}\x0c{"b": 2}', '{"b": 1}\u2028{"b": 2}', '{"b": 1}\u0085{"b": 2}', '{"b": 1}\n' * 300, '{"b": 1}\n' * 300 + '{"b": "x"}\n' * 3, '{"s": "' + "x" * 5000 + '\x00"}\n{"b": 2}',
    "\x00", '{"b": 1}\x00', '{"b": 1}\n' + "\n" * 5000 + "\x00\n", '[{"b": 1}]', '[\n{"b": 1},\n{"b": 2}\n]', '{"b": 1},\n{"b": 2},\n', "PK\x03\x04", "PAR1", "Obj\x01", "ORC", "{\n", "b\n1\n",
]  # fmt: skip
NESTED_DDL = (
    "p STRUCT<x: INT, q: STRUCT<y: STRING, z: ARRAY<BIGINT>>>, t ARRAY<DECIMAL(5,1)>, m MAP<STRING, ARRAY<BIGINT>>, "
    "k MAP<INT, STRING>, u ARRAY<STRUCT<a: DATE, b: MAP<STRING, BOOLEAN>>>, g MAP<DATE, STRUCT<v: DOUBLE>>, s STRING, i INT"
)
NESTED: list[str] = [
    '{"p": null}', '{"p": {}}', '{"p": {"x": 1}}', '{"p": {"x": "1"}}', '{"p": {"x": 1.5}}', '{"p": {"x": "x", "q": 1}}', '{"p": []}', '{"p": [{"x": 1}]}', '{"p": 1}', '{"p": "{}"}', '{"p": ""}',
    '{"p": true}', '{"p": {"q": null}}', '{"p": {"q": {}}}', '{"p": {"q": []}}', '{"p": {"q": {"y": 1.50}}}', '{"p": {"q": {"y": {"a": 1.0}}}}', '{"p": {"q": {"z": [1, "2", 3.0, null]}}}',
    '{"p": {"q": {"z": [1, 2.5]}}}', '{"p": {"q": {"z": {}}}}', '{"p": {"q": {"z": 1}}}', '{"p": {"X": 1}}', '{"p": {"x": 1, "x": 2}}', '{"p": {"x": 1, "q": {"y": 1, "y": 1}}}', '{"p.x": 1}',
    '{"t": []}', '{"t": null}', '{"t": [null, null]}', '{"t": [1, 1.5, "2", 1e2, -0]}', '{"t": [1.55]}', '{"t": [10000]}', '{"t": [[1]]}', '{"t": [{}]}', '{"t": {}}', '{"t": "[]"}', '{"t": 1}', '{"t": [true]}',
    '{"m": {}}', '{"m": null}', '{"m": {"a": [1], "": null, "b": []}}', '{"m": {"a": 1}}', '{"m": {"a": [1, "x"]}}', '{"m": {"a": [1], "a": [2]}}', '{"m": []}', '{"m": [["a", [1]]]}', '{"m": "x"}', '{"m": {"A": [1], "a": [2]}}',
    '{"m": {"\\u00e9\\n\\"": [1], "b.c": [2]}}', '{"m": {"\\u0000": [1]}}', '{"m": {"null": [1]}}',
    '{"k": {"1": "a", "2": "b"}}', '{"k": {"1": "a", "+1": "b"}}', '{"k": {"1": "a", "1.0": "b", "x": "c"}}', '{"k": {"x": "a"}}', '{"k": {"": "a"}}', '{"k": {"01": 1.50, "-0": null}}', '{"k": {"1": {"a": [1.0]}}}',
    '{"u": [{"a": "2024-01-15"}, null, {}, {"b": {"t": "TRUE"}}]}', '{"u": [{"a": "2024-1-15"}]}', '{"u": [{"b": {"t": 1}}]}', '{"u": [{"b": []}]}', '{"u": [[]]}', '{"u": [1]}', '{"u": [{"a": {}}]}', '{"u": [{"a": "x", "b": {"t": "y"}}]}',
    '{"g": {"2024-01-15": {"v": 1e3}, "2024-01-16": null, "2024-01-17": {}}}', '{"g": {"2024-01-15": {"v": "x"}}}', '{"g": {"x": {"v": "y"}}}', '{"g": {"2024-1-15": {}}}', '{"g": {"2024-01-15": 1}}', '{"g": {"2024-01-15": {"v": 1e999}}}',
    '{"p": {"x": "x"}, "t": 1}', '{"i": "x", "t": 1}', '{"t": ["x"], "i": "y"}', '{"i": "y", "p": {"x": "x"}}', '{"s": {"p": {"x": 1}}, "i": 1}', '{"u": [{"a": "x"}, {"b": 1}]}', '{"k": {"x": "a", "1": "b", "+1": "c"}}',
]  # fmt: skip
UNKNOWN: list[str] = [
    '{"id": 1}', '{"id": 1, "x": null}', '{"id": 1, "x": 1}', '{"id": 1, "x": "1"}', '{"x": 1}', '{"id": 1, "x": 1.50, "y": 1e3, "z": -0}', '{"id": 1, "b": 1, "a": 2, "B": 3, "\\u00e9": 4, "": 5}', '{"ID": 1}',
    '{"id": 1, "x": {}}', '{"id": 1, "x": []}', '{"id": 1, "x": [null]}', '{"id": 1, "x": {"b": null, "a": [1.0, {"c": "\\u00e9\\/"}]}}', '{"id": 1, "x": "a\\nb\\u0000\\u2028\\u007f\\"\\\\"}', '{"id": "x", "x": 1}', '{"id": 1, "x": {"a": 1, "a": 2}}',
    '{"id": 1, "page": {"path": "/", "title": "x"}}', '{"id": 1, "page": {"title": null}}', '{"id": 1, "page": {"Path": "/"}}', '{"id": 1, "page": 1}', '{"id": 1, "page": {"os": {"v": 10.10, "a": 1}}}', '{"id": 1, "page": null, "x": 1}',
    '{"id": 1, "items": [{"n": 1}, {"n": 2, "m": 3}]}', '{"id": 1, "items": [{"m": null}]}', '{"id": 1, "items": [{"z": 1}, {"m": 1, "a": 2}, null]}', '{"id": 1, "items": [{"n": "x", "m": 1}]}', '{"id": 1, "items": []}',
    '{"id": 1, "by": {"x": {"n": 1}, "y": {"m": 2}}}', '{"id": 1, "by": {"z": {"m": 1}, "a": {"m": 2, "b": 3}}}', '{"id": 1, "by": {"a": null, "b": {"m": null}}}', '{"id": 1, "by": {"": {"": 1}}}', '{"id": 1, "any": {"x": 1.50}}', '{"id": 1, "any": 1e3}',
    '{"id": 1, "a.b": 1, "page": {"a.b": 2}}', '{"id": 1, "_rescued_data": "mine"}', '{"id": 1, "_source_file": "mine"}', '{"id": 1, "x": true, "y": false}', '{"id": 1, "x": "' + "y" * 10_000 + '"}', '{"id": 1, "x": 12345678901234567890123.4500}',
    '{"id": 1, "x": "\\ud83d\\ude00", "\\ud83d\\ude00": 1, "\\uffff": 2}', '{"id": 1, "k10": 1, "k9": 2, "K": 3, "_": 4}', '{"id": 1, "x": [[], [1, [2.0]], {}]}', '{"id": 1, "x": NaN}', '{"id": 1, "x": 01}', '{"id": 1, "x": "\\ud800"}',
]  # fmt: skip
UNKNOWN_DDL = "id BIGINT, page STRUCT<path: STRING, os: STRUCT<v: STRING>>, items ARRAY<STRUCT<n: INT>>, by MAP<STRING, STRUCT<n: INT>>, any STRING"
NAMES = [
    "select",
    "a b",
    "quo'te",
    "é",
    "dot.ted",
    "UPPER",
    'dou"ble',
    "back\\slash",
    "[x]",
    "a+b*",
    "$",
    "%",
    "line\nend",
    "😀",
    "a\u2028b",
    "_c0",
    " lead",
    "x" * 200,
]


def _name_files() -> dict[str, bytes]:
    whole = {name: at for at, name in enumerate(NAMES)}
    each = [json.dumps({name: "x"}, ensure_ascii=False) for name in NAMES]
    folded = [json.dumps({name.swapcase(): 1}) for name in NAMES]
    texts = [json.dumps(whole), json.dumps(whole, ensure_ascii=False), json.dumps(dict(reversed(whole.items())))]
    return named(*texts, *each, *folded)


def _pattern_files() -> dict[str, bytes]:
    days = [
        "15.01.2024",
        "5.1.2024",
        "29.02.2023",
        "2024-01-15",
        "15.01.24",
        "01.01.0000",
        "",
        "15.01.2024 ",
        "31.04.2024",
        "00.01.2024",
    ]
    times = ["1/15/2024 1:02 AM", "01/15/2024 01:02 AM", "1/15/2024 12:00 AM", "1/15/2024 12:00 PM", "1/15/2024 13:00 PM", "1/15/2024 0:00 AM",
             "1/15/2024 1:2 AM", "1/15/2024 1:02 am", "2/30/2024 1:02 PM", "1/15/2024 1:60 PM", "2024-01-15T10:00:00Z", "12/31/9999 11:59 PM"]  # fmt: skip
    lines = [json.dumps({"day": day}) for day in days]
    return named(*lines, *(json.dumps({name: time}) for time in times for name in ("at", "ntz")))


GROUPS = [
    Group(name="every text of every type", ddl=SCALARS, files=_scalar_files),
    Group(name="numbers in files of their own", ddl="s STRING, b BIGINT, d DOUBLE, n DECIMAL(10,2)", files=_good_scalar_files()),
    Group(name="what is and is not JSON", ddl="b BIGINT, i INT, s STRING", files=named(*SYNTAX)),
    Group(name="what is around lines", ddl="b BIGINT, s STRING", files=named(*FRAMES)),
    Group(name="nested values", ddl=NESTED_DDL, files=named(*NESTED)),
    Group(name="unknown fields kept", ddl=UNKNOWN_DDL, files=named(*UNKNOWN), unknown=UnknownFields.RESCUE),
    Group(name="unknown fields refused", ddl=UNKNOWN_DDL, files=named(*UNKNOWN), unknown=UnknownFields.FAIL),
    Group(name="names", ddl=", ".join(f"`{name}` INT" for name in NAMES), files=_name_files(), unknown=UnknownFields.RESCUE),
    Group(name="dates and instants by pattern", ddl="day DATE, at TIMESTAMP, ntz TIMESTAMP_NTZ", files=_pattern_files(),
          options={"dateFormat": "dd.MM.yyyy", "timestampFormat": "M/d/yyyy h:mm a"}),
    Group(name="rows that know their line", ddl="b BIGINT, s STRING", options={"sourceRow": "true"},
          files=named('{"b": 1}\n\n{"b": "x"}\r\n{"b": 2}\n{"s": "\n{"b": 3}', "\ufeff\n\n{}\n", '{"b": 1}\n{"b": 1}\n')),
]  # fmt: skip
