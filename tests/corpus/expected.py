"""What the reference is to say, told by hand: rows, rejects and failures."""

from __future__ import annotations

import gzip
from fractions import Fraction
from typing import Any

from tests.reference.reader import Asked

from autoloader.model import FormatType, UnknownFields

CSV, JSON, TEXT = FormatType.CSV, FormatType.JSON, FormatType.TEXT
IDS = "id BIGINT, s STRING"
MULTI, PATH = {"multiLine": "true"}, {"recordPath": "r.a"}
RESCUE, FAIL = UnknownFields.RESCUE, UnknownFields.FAIL
ROWS: list[tuple[Asked, bytes | str, list[tuple[Any, ...]]]] = [
    (Asked(JSON, IDS), '{"id": 1, "s": "a"}\r\n\n{"s": 1.50}', [(1, "a"), (None, "1.50")]),
    (Asked(JSON, IDS), '\ufeff{"id": "+7.00", "s": {"b": 1e3, "a": [ null ]}}', [(7, '{"b":1e3,"a":[null]}')]),
    (Asked(JSON, IDS), '{"s": "\\ud83d\\ude00\\u0000\\/"}', [(None, "\U0001f600\0/")]),
    (Asked(JSON, IDS), gzip.compress(b"{}\n", mtime=0) + gzip.compress(b'{"ID": 1}', mtime=0), [(None, None), (None, None)]),
    (Asked(JSON, "at TIMESTAMP"), '{"at": "1970-01-02 00:00:01.1234567+00:01"}', [(86_400_000_000 - 58_876_544,)]),
    (Asked(JSON, "n DECIMAL(5,2)"), '{"n": 150e-2}\n{"n": "-999.990"}', [(Fraction(3, 2),), (Fraction(-99999, 100),)]),
    (Asked(JSON, "d DOUBLE, f FLOAT"), '{"d": 0.1, "f": 0.1}', [(0.1, 0.10000000149011612)]),
    (Asked(JSON, "day DATE"), '{"day": "1970-01-02"}\n{"day": "0001-01-01"}', [(1,), (-719162,)]),
    (Asked(JSON, "raw BINARY, o BOOLEAN"), '{"raw": "YQ==", "o": "TRUE"}', [(b"a", True)]),
    (Asked(JSON, "m MAP<INT, STRING>"), '{"m": {"1": "a", "2": null}}', [([(1, "a"), (2, None)],)]),
    (Asked(JSON, "p STRUCT<x: INT, t: ARRAY<INT>>"), '{"p": {"t": [1, null]}}', [({"x": None, "t": [1, None]},)]),
    (Asked(JSON, "id INT", {}, RESCUE), '{"id": 1, "b": 1.50, "a": [1e3], "z": null}', [(1, '{"a":[1e3],"b":1.50}')]),
    (
        Asked(JSON, "items ARRAY<STRUCT<n: INT>>", {}, RESCUE),
        '{"items": [{"n": 1}, {"n": 2, "m": 3}]}',
        [([{"n": 1}, {"n": 2}], '{"items":[null,{"m":3}]}')],
    ),
    (Asked(JSON, "id INT", {"sourceRow": "true"}), '\n{"id": 1}\n\n{}', [(1, 2), (None, 4)]),
    (Asked(JSON, "day DATE", {"dateFormat": "d.M.yy"}), '{"day": "2.01.70"}', [(36526,)]),
    (Asked(JSON, IDS, MULTI), '[{"id": 1}]\n{"id": 2}[]', [(1, None), (2, None)]),
    (Asked(JSON, IDS, PATH), '{"x": [1], "r": [{"a": {"id": 1}}, {"a": null}]}', [(1, None)]),
    (Asked(CSV, IDS), 's,ID\n"a ""b""",1\n,\n"",""\n"two\nlines",2', [(1, 'a "b"'), (None, None), (None, ""), (2, "two\nlines")]),
    (Asked(CSV, IDS, {"nullValue": "NA", "comment": "#"}), 'id,s\n#1,x\nNA,NA\n1,"NA"\n', [(None, None), (1, "NA")]),
    (Asked(CSV, IDS, {"quote": "'", "escape": "\\", "sep": ";"}), "id;s\n1;'it\\'s \\\\ \\n'", [(1, "it's \\ \\n")]),
    (Asked(CSV, "id INT", {}, RESCUE), "x,id,\na,1,b\n,2,\n", [(1, '{"_c2":"b","x":"a"}'), (2, None)]),
    (Asked(CSV, IDS, {"encoding": "latin-1"}), b"id,s\n1,\xe9\n", [(1, "é")]),
    (Asked(CSV, IDS, {"header": "false"}), "1,a\n", [(1, "a")]),
    (Asked(TEXT, "v STRING, n INT", {"lineNumber": "n"}), "a\r\n\n b\rc\n", [("a", 1), ("", 2), (" b\rc", 3)]),
]  # fmt: skip
Bad = tuple[Asked, bytes | str, list[tuple[int, str | None, str, str]]]
NOT_JSON: list[Bad] = [
    (Asked(JSON, IDS), text, [(1, None, "malformed", text)])
    for text in ("[]", "{} {}", "{'id': 1}", '{"id": 01}', '{"id": NaN}', '{"id": 1,}', "\x0b")
]
BAD: list[Bad] = [
    (Asked(JSON, IDS), '{"id": 1}\n\n{"id": "x"}\r\n', [(3, "id", "not_bigint", '{"id": "x"}')]),
    (Asked(JSON, IDS), '{"id": 1.5}\n{"id": 1e3}', [(1, "id", "not_bigint", '{"id": 1.5}'), (2, "id", "not_bigint", '{"id": 1e3}')]),
    (Asked(JSON, IDS), '{"id": 9223372036854775808}', [(1, "id", "out_of_range", '{"id": 9223372036854775808}')]),
    (Asked(JSON, IDS), b'{"s": "\xff"}', [(1, None, "malformed", '{"s": "\\xff"}')]),
    (Asked(JSON, IDS), '{"s": "\\ud800"}', [(1, None, "malformed", '{"s": "\\ud800"}')]),
    (Asked(JSON, IDS), '{"x": {"y": 1, "y": 2}}', [(1, None, "malformed", '{"x": {"y": 1, "y": 2}}')]),
    *NOT_JSON,
    (Asked(JSON, "p STRUCT<x: INT, t: ARRAY<INT>>"), '{"p": {"x": "y", "t": 1}}', [(1, "p.t", "not_array", '{"p": {"x": "y", "t": 1}}')]),
    (Asked(JSON, "k MAP<INT, INT>"), '{"k": {"1": 1, "+1": 2}}', [(1, "k", "duplicate_key", '{"k": {"1": 1, "+1": 2}}')]),
    (Asked(JSON, "id INT, p STRUCT<q: INT>", {}, FAIL), '{"id": 1, "p": {"z": 1, "y": 2}}', [(1, "p.y", "unknown_field", '{"id": 1, "p": {"z": 1, "y": 2}}')]),
    (Asked(JSON, "at TIMESTAMP_NTZ"), '{"at": "2024-01-15T10:00Z"}', [(1, "at", "has_zone", '{"at": "2024-01-15T10:00Z"}')]),
    (Asked(JSON, IDS, MULTI), '[{"id": 1}, 7, {"id": NaN}]', [(2, None, "malformed", "7"), (3, None, "malformed", '{"id": NaN}')]),
    (Asked(CSV, IDS), 'id,s\n1,"a"b\n2\n3,"x\ny"\nz,b', [(2, None, "malformed", '1,"a"b'), (3, None, "malformed", "2"), (6, "id", "not_bigint", "z,b")]),
    (Asked(CSV, IDS), b"id,s\n1,\xff\n", [(2, None, "malformed", "1,\\xff")]),
]  # fmt: skip
FAILED: list[tuple[Asked, bytes | str, str]] = [
    (Asked(JSON, IDS), b"\0", "FileUnreadable"),
    (Asked(JSON, IDS), gzip.compress(b"{}", mtime=0)[:-3], "FileUnreadable"),
    (Asked(JSON, IDS, {"encoding": "utf-16"}), "{}", "FileUnreadable"),
    (Asked(JSON, IDS, MULTI), '[{"id": 1}', "BadRecord"),
    (Asked(JSON, IDS, MULTI), '[{"id": 1} {"id": 2}]', "BadRecord"),
    (Asked(JSON, IDS, PATH), '{"r": {"b": []}}', "BadRecord"),
    (Asked(CSV, IDS), 'id,s\n1,a\n2,"b\n', "BadRecord"),
    (Asked(CSV, IDS), "id,x\n1,a\n", "HeaderMismatch"),
    (Asked(CSV, IDS), "id,s,s\n", "HeaderMismatch"),
    (Asked(CSV, IDS), "Id,ID,s\n", "HeaderMismatch"),
    (Asked(TEXT, "v STRING"), b"a\n\xff", "BadRecord"),
]
