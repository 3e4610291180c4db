"""The forms of the benchmark's files: how records become the bytes of a file, and how ``autoloader create`` is told."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVERY = 100
"""In flawed files one record of so many has a field that the schema does not know."""
UNKNOWN = b'"trace":"9f86d081-88a7-4c7d","kind":'
_KNOWN = b'"kind":'
MALFORMED = b'{"id":-1,"at":"2024-01-15T00:00:00Z","user":"user-1","ki\n'
BAD_VALUE = b'{"id":-2,"at":"2024-01-15T00:00:00Z","amount":"a lot","device":{"os":"iOS"},"tags":["new"]}\n'
_GZIP = 31
_FAST = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How the records of a file are written down.

    Attributes:
        ending: of the files' names.
        options: what ``autoloader create`` is told besides.
        written: the bytes of a file from its records, which are whole lines of NDJSON in parts.
        rejects: bad records in each part; they come on top of the records.
    """

    ending: str = ".ndjson"
    options: tuple[str, ...] = ()
    written: Callable[[Iterator[bytes]], Iterator[bytes]]
    rejects: int = 0


def _packed(parts: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_FAST, wbits=_GZIP)
    for part in parts:
        yield packer.compress(part)
    yield packer.flush()


def _bracketed(parts: Iterator[bytes]) -> Iterator[bytes]:
    before = b"[\n"
    for part in parts:
        yield before + part.removesuffix(b"\n").replace(b"\n", b",\n")
        before = b",\n"
    yield b"\n]\n"


def _flawed(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Each part with a malformed record after a third of it, and one with a bad value after two thirds."""
    for part in parts:
        lines = part.splitlines(keepends=True)
        lines[::EVERY] = [line.replace(_KNOWN, UNKNOWN, 1) for line in lines[::EVERY]]
        first, second = len(lines) // 3, 2 * len(lines) // 3
        yield b"".join([*lines[:first], MALFORMED, *lines[first:second], BAD_VALUE, *lines[second:]])


NDJSON = Form(written=lambda parts: parts)
GZIP = Form(ending=".ndjson.gz", written=_packed)
ARRAY = Form(ending=".json", options=("--option", "multiLine=true"), written=_bracketed)
FLAWED = Form(
    options=("--option", "sourceRow=true", "--on-bad-record", "quarantine"),
    written=_flawed,
    rejects=2,
)
