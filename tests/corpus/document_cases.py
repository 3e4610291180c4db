"""JSON documents: arrays, objects, several of them, and records at a path. Plain text. Packed files."""

from __future__ import annotations

import gzip

import pyarrow as pa
from tests.corpus.groups import Group, named
from tests.corpus.ndjson_cases import NESTED, NESTED_DDL, SYNTAX, UNKNOWN, UNKNOWN_DDL
from tests.packing import PACKED, zstd

from autoloader.model import FormatType, UnknownFields

DOCUMENTS: list[bytes | str] = [
    "", " ", "\n\r\n\t", "\ufeff", "[]", "[ ]", "[][]", "[\n]\n", '{"b": 1}', '{"b": 1}{"b": 2}', '{"b": 1}\n\n{"b": 2}\n', '{"b": 1},{"b": 2}', '[{"b": 1}, {"b": 2}]', '[{"b": 1}] [{"b": 2}]', '[{"b": 1}] {"b": 2} []', '\ufeff[{"b": 1}]', '[\ufeff{"b": 1}]', '{\n  "b"\n:\n1\n}',
    '[{"b": 1},]', '[,{"b": 1}]', '[{"b": 1},,{"b": 2}]', '[{"b": 1} {"b": 2}]', '[{"b": 1}', '[{"b": 1},', "[", "]", "[[", '[{"b": 1}]]', '[{"b": 1}] x', '[{"b": 1}],', '[{"b": 1}, 7]', '[7, {"b": 1}]', '[null, {"b": 1}]', '["x"]', "[true]", '[[{"b": 1}]]', "[[]]", "[{}]", "7", "null", '"x"', "true 7", '7 {"b": 1}', "-", "tru",
    '[{"b": "x"}, {"b": 1}]', '[{"b": 1}, {"b": 1.5}, {"b": "y"}]', '[{"b": 1, "b": 2}, {"b": 3}]', '[{"b": NaN}, {"b": 1}]', '[{"x": [NaN, Infinity, -Infinity]}, {"b": 1}]', '[{"s": "\\ud800"}, {"b": 1}]', '[{"b": nan}, {"b": 1}]', '[{"b": 01}, {"b": 1}]', '[{"b": +1}]', '[{"b": .5}]', '[{"b": 1.}]', '[{"b": 0x1}]', '[{"b": tru}]', '[{b: 1}]', "[{'b': 1}]",
    '[{"s": "a\tb"}, {"b": 1}]', '[{"s": "\\x"}, {"b": 1}]', '[{"s": "\\u12"}]', '[{"s": "a\nb"}]', b'[{"b": 1}, {"s": "\xff"}]', b'[{"s": "\xed\xa0\x80"}]', '[{"b": 1}, {"s": "a]}', '[{"b": 1}, {"s": "]},{["}]', '[{"s": {"a": [1.50, {"b": "\\u00e9"}]}}]', '[{"b": "x", "b": 1}]', '[{"b": 1, "x": {"y": 1, "y": 2}}, {"b": NaN, "b": 1}]', '[{"b": 1, "b": 2}, {"b": 3]',
    '[{"b": "x"}, {"b": 1', '{"b": 1}]', '{"b": 1}}', '}{', '{"b": 1} // x', '/* */ [{"b": 1}]', '[{"b": 1} /* x */]', '[{"s": "\u2028"}]', '[{"b": 1}]\u2028', '[{"b": 1}]\x0b', '[{"b": 1},\x0c{"b": 2}]', "[" * 150 + "]" * 150, "[" * 5000, '[{"s": ' + "[" * 150 + "]" * 150 + "}]", '[{"b": 1}, {"s": ' + "[" * 300 + "]" * 300 + "}]", '{"s": ' + "[" * 5000 + "]" * 5000 + "}",
    '[{"b": "x"}, {"b": 1}, {"s": ' + "[" * 300 + "]" * 300 + "}]", "[" + ",".join(f'{{"b": {at}}}' for at in range(500)) + "]", "[" + ",".join(f'{{"b": {at}.5}}' if at % 100 == 7 else f'{{"b": {at}}}' for at in range(500)) + "]", '[{"b": 1}]\x00', '\x00', '[{"s": "' + "x" * 5000 + '\x00"}]', '{"B": 1}', '[{"b": 1e400}]', '[{"s": 1e400}, {"s": -0}, {"s": 1.50}]',
    '[{"b": 1}, {"s": "' + "x" * 70_000 + '", "b": "y"}]', "7" * 30, '{"b": 12', '{"b": 1}\r{"b": 2}', '[{"s": "\\u0000"}]', 'PK', '[1, NaN, {"b": 1}]', "[NaN]", "NaN", "[Infinity]", "Infinity", "-Infinity", "[-]", '["\\ud800", {"b": 1}]', '[{"\\ud800": 1}, {"b": 1}]', '[{"a": 1, "a": 2}, NaN, 1e5, "x", null, [], [[NaN]], {"b": 1}]',
]  # fmt: skip
AT_PATH: list[bytes | str] = [
    "", "[]", "{}", "7", "null", '"r"', '{"r": {"a": [{"b": 1}, {"b": 2}]}}', '{"r": {"a": {"b": 1}}}', '{"r": {"a": null}}', '{"r": {"a": []}}', '{"r": {"a": 1}}', '{"r": {"a": "x"}}', '{"r": {"a": true}}', '{"r": {"a": [[{"b": 1}]]}}', '{"r": {"a": [1, {"b": 1}]}}', '{"r": {"a": [null]}}', '{"r": {"A": []}}', '{"r": {}}', '{"r": 1}', '{"r": null}', '{"r": []}',
    '{"r": [{"a": [{"b": 1}]}, {"a": null}, {"a": {"b": 2}}]}', '{"r": [{"a": [{"b": 1}]}, {"x": 1}]}', '{"r": [1]}', '{"r": [[{"a": []}]]}', '[{"r": {"a": [{"b": 1}]}}, {"r": {"a": {"b": 2}}}]', '[[{"r": {"a": []}}]]', '{"r": {"a": [{"b": 1}]}}{"r": {"a": [{"b": 2}]}}', '{"r": {"a": [{"b": 1}]}} 7', '{"r.a": [{"b": 1}]}', '{"a": [{"b": 1}]}',
    '{"x": {"r": {"a": []}}, "r": {"y": [1, {"z": 2}], "a": [{"b": 1}], "z": NaN}}', '{"x": NaN, "r": {"a": [{"b": 1}]}}', '{"r": {"a": [{"b": 1}]}, "x": [1, {"y": 1, "y": 2}]}', '{"r": {"a": [{"b": 1}]}, "x": "\\ud800"}', '{"r": {"a": [{"b": 1}]}, "r": {"a": []}}', '{"r": {"a": [{"b": 1}], "a": []}}', '{"\\u0072": {"\\u0061": [{"b": 1}]}}', '{"x": 1, "x": 2, "r": {"a": []}}',
    '{"r": {"a": [{"b": 1, "b": 2}, {"b": 3}]}}', '{"r": {"a": [{"b": NaN}, {"b": 3}]}}', '{"r": {"a": [{"b": "x"}, {"b": 3}, {"s": "\\ud800"}]}}', '{"r": {"a": [{"b": 1},]}}', '{"r": {"a": [{"b": 1} {"b": 2}]}}', '{"r": {"a": [{"b": 1}', '{"r": {"a": [{"b": 1}]', '{"r": {"a": [{"b": 1}]}', '{"r": {"a": [{"b": 1}]}},', '{"r": {"a": [{"b": 1}]},}', '{"r": {"a": [,]}}', '{"r" {"a": []}}', "{r: 1}", '{"r": {"a": [{"b": 1}]}, "n": 01}',
    '{"r": {"a": [{"b": 1}]}, "n": 1.5e3, "m": -0, "l": "x]}"}', b'{"r": {"a": [{"s": "\xff"}]}}', '\ufeff {"r": {"a": [{"b": 1}]}}\n', '{"x": ' + "[" * 150 + "]" * 150 + ', "r": {"a": [{"b": 1}]}}', '{"x": ' + "[" * 300 + "]" * 300 + ', "r": {"a": [{"b": 1}]}}', '{"r": {"a": [{"b": 1}, {"s": ' + "[" * 300 + "]" * 300 + "}]}}", '{"r": {"a": [' + ",".join(f'{{"b": {at}}}' for at in range(300)) + "]}}", '{"r": {"a": []}}',
]  # fmt: skip
TEXTS: list[bytes | str] = [
    "", "\n", "\r\n", "\r", "a", "a\n", "a\r\n", "a\r", "a\rb", "a\r\r\n", "\n\na\n\n", "a\n b \n\tc", "\ufeffa\n", "\ufeff", "\ufeff\ufeffa", "a\n\ufeffb", "a\u2028b\u0085c\x0bd\x0ce", "\x1b[0m\x01\x7f", "é\U0001f600\uffff", '"quoted",\n{"n": 1}', "NULL\n\\N\n", b"\xff", b"ok\n\xc3\nok", b"\xed\xa0\x80", "\x00", "a\x00b", "a" * 5000 + "\x00\nb", "a" * 100_000,
    b"\xef\xbb", "a\n" * 1000, "[", "{}", "PK\x03\x04", "PK", "a\nPK\x03\x04", "PAR1", "LZIP", "Obj\x01", "Rar!\x1a\x07\x01", "Rar!", b"7z\xbc\xaf\x27\x1cx", '\x04"M\x18', "P*M\x18", "BZh9", "BZh91A", "BZh91B\nx", b"\x1f\x8b\x08", b"\x1f\x9dx", "\r\n\r\n", "a\n\r\n\rb\n\r", " ", "\t", "a\x1ab",
]  # fmt: skip
ONE, TWO = b'{"b": 1}\n', b'{"b": 2}\n{"b": "x"}\n'


def _packed() -> dict[str, bytes]:
    found = {
        "lies.gz": ONE,
        "lies.zst": TWO,
        "padded": gzip.compress(ONE, mtime=0) + b"\0" * 99,
        "skipped": b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstd(ONE),
    }
    for name, pack in PACKED.items():
        found |= {
            name: pack(ONE), f"{name}.two": pack(ONE) + pack(TWO), f"{name}.none": pack(b""), f"{name}.cut": pack(ONE * 500)[:-9], f"{name}.head": pack(ONE)[:7],
            f"{name}.rubbish": pack(ONE) + b"rubbish that follows", f"{name}.mark": pack(b"\xef\xbb\xbf" + TWO), f"{name}.twice": pack(pack(ONE)), f"{name}.binary": pack(b"\0\1\2"), f"{name}.split": pack(ONE[:4]) + pack(ONE[4:]),
            f"{name}.none.one": pack(b"") + pack(ONE),
        }  # fmt: skip
    found |= {
        f"{name}.gz": body
        for name, body in list(found.items())
        if name in {"gzip", "gzip.two", "gzip.cut", "gzip.none", "gzip.mark", "zstd"}
    }
    found["named.zst"] = pa.compress(TWO, codec="zstd", asbytes=True)
    return found


MULTI, PATH = {"multiLine": "true"}, {"recordPath": "r.a"}
NOT_LATIN = [
    b"\x1f\x8b\x08\x01",
    b"\x1f\x9dx",
    b"\x28\xb5\x2f\xfdx",
    b"BZh91AY",
    b"\xfd7zXZ\x01",
    b"7z\xbc\xaf\x27\x1c",
    b"PK\x03\x04",
    b"Obj\x01",
    gzip.compress(b"\xe4\n", mtime=0),
    PACKED["bzip2"](b"\xe4\n"),
    PACKED["xz"](b"\xe4\n"),
    zstd(b"\xe4\n"),
]
ENCODED = named(
    *NOT_LATIN, "a\u00e4\n".encode("latin-1"), b"\x80\x81\x9f\n", b"\xff\r\n\xfe", b"", b"\xef\xbb\xbfa\n", b"a\x00b\n"
)
DDL = "b BIGINT, s STRING"
TEXT = FormatType.TEXT
GROUPS = [
    Group(name="documents", ddl=DDL, files=named(*DOCUMENTS), options=MULTI),
    Group(name="lines read as documents", ddl="b BIGINT, i INT, s STRING", files=named(*SYNTAX), options=MULTI),
    Group(name="nested values in documents", ddl=NESTED_DDL, files=named(*(f"[{{}}, {record}]" for record in NESTED)), options=MULTI),
    Group(name="records at a path", ddl=DDL, files=named(*AT_PATH), options=PATH),
    Group(name="unknown fields in documents", ddl=UNKNOWN_DDL, files=named(*(f"[{line}]" for line in UNKNOWN)), options={**MULTI, "sourceRow": "true"},
          unknown=UnknownFields.RESCUE),
    Group(name="unknown fields at a path are refused", ddl=UNKNOWN_DDL, files=named(*(f'{{"r": {{"a": {line}, "x": 1}}}}' for line in UNKNOWN)), options=PATH,
          unknown=UnknownFields.FAIL),
    Group(name="plain text", ddl="line STRING", files=named(*TEXTS), format_type=TEXT),
    Group(name="numbered text", ddl="line STRING, n BIGINT", files=named(*TEXTS), format_type=TEXT, options={"lineNumber": "n"}),
    Group(name="text in latin-1", ddl="line STRING", files=ENCODED, format_type=TEXT, options={"encoding": "latin-1"}),
    Group(name="documents in latin-1", ddl=DDL, options={**MULTI, "encoding": "latin-1"},
          files=named(b'[{"s": "\xe9"}, {"b": "\xff"}]', b'\xef\xbb\xbf[{"b": 1}]', b'[{"s": "\xa0"}]\xa0', b'{"s": "\xc3\xa9"}{"s": "\x85"}')),
    Group(name="packed files", ddl="b BIGINT", files=_packed()),
    Group(name="lines in latin-1", ddl=DDL, options={"encoding": "iso-8859-1"},
          files=named(b'{"s": "\xe9"}\n{"b": "\xff"}\n', b'{"s": "\x85\xa0"}', b"\xa0{}", b'{"s": "\xc3\xa9"}', b'\xef\xbb\xbf{"b": 1}', b'{"\xe9": 1}')),
    Group(name="lines in UTF-16", ddl=DDL, options={"encoding": "utf-16-le"},
          files=named(*(text.encode("utf-16-le") for text in ('{"s": "\u0a0d\u220d"}\r\n{"b": "\U0001f600"}\n', '\ufeff{"b": 1}', "", "\n")), b'{"b": 1}', b'{"b": 1}\n{', b"\x00\xd8\n\x00")),
]  # fmt: skip
