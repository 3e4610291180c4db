"""Plain text through either engine: a line is a record, whatever it holds."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from autoloader.model import FileStatus, FormatType

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

LINES = ["plain", "", '  "quoted", {"n": 1}  ', "é\t\\u00e9", "\x1b[0m", "NULL"]


def test_every_line_is_a_row_with_its_number(loads: Any, put: Put) -> None:
    put("unix.log", "\n".join(LINES) + "\n")
    put("windows.log", "\ufeff" + "\r\n".join(LINES))
    put("blank.log", "\n\n")
    put("packed.log", gzip.compress(b"x" * 10_000_000 + b"\n" + "é".encode() * 3_000_000))
    put("empty.log", gzip.compress(b""))
    result = loads.load("line STRING, `n%d` INT", format_type=FormatType.TEXT, options={"lineNumber": "n%d"})

    def rows(name: str) -> list[tuple[int, str]]:
        return sorted((row["n%d"], row["line"]) for row in result.rows if row["_source_file"].endswith(name))

    assert rows("/unix.log") == rows("/windows.log") == list(enumerate(LINES, start=1))
    assert rows("/blank.log") == [(1, ""), (2, "")]
    assert rows("/packed.log") == [(1, "x" * 10_000_000), (2, "é" * 3_000_000)]
    assert result.outcomes["empty.log"].status is FileStatus.SUCCESS


def test_lines_come_out_as_they_are_without_their_ends(loads: Any, put: Put) -> None:
    bodies: dict[str, bytes | str] = {
        "unix": "\n".join(LINES) + "\n",
        "windows": "\r\n".join(LINES),
        "marked": "\ufeff" + "\n".join(LINES),
        "packed.gz": gzip.compress("\n".join(LINES).encode()),
    }
    for name, body in bodies.items():
        put(name, body)
    put("blank", "\n\n")
    put("returns", "a\rb\r\r\n\r\n")
    put("zstd", pa.compress(b"from zstd\n", codec="zstd", asbytes=True))
    put("late", "x" * 10_000 + "\0\n")
    result = loads.load("line STRING", format_type=FormatType.TEXT)
    others = ["", "", "", "a\rb\r", "from zstd", "x" * 10_000 + "\0"]
    assert result.values("line") == sorted(LINES * len(bodies) + others)


def test_a_line_that_is_not_text_fails_its_file(loads: Any, put: Put) -> None:
    put("latin.log", "one\ncaf\u00e9\n".encode("latin-1"))
    put("binary.log", b"\0\1\2\n")
    put("long.log", b"short\n" + b"x" * (16 * 1024**2 + 1))
    put("good.log", "caf\u00e9")
    result = loads.load("value STRING", format_type=FormatType.TEXT)
    assert result.failure("latin.log") == (
        "BadRecord",
        "line 2: the record is malformed: byte 4 is not UTF-8: set the option encoding",
    )
    assert result.failure("binary.log")[0] == "FileUnreadable"
    assert str(result.failure("long.log")[1]).startswith("line 2: the record is over 16 MiB")
    assert result.values("value") == ["caf\u00e9"]


def test_another_encoding_is_read_where_the_option_names_it(loads: Any, put: Put) -> None:
    put("a.log", "caf\u00e9\n".encode("utf-16"))
    assert loads.load("v STRING", format_type=FormatType.TEXT, options={"encoding": "utf-16"}).values("v") == [
        "caf\u00e9"
    ]
