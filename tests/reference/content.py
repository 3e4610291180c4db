"""From the bytes of a file to those of its text: unpacked by the first bytes, recoded, without a byte order mark."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

LOOKED_AT = 4096
"""So many bytes of a text tell that it is none: one of them is 0."""


class Unreadable(ValueError):  # noqa: N818  a test's word
    """The file as a whole cannot be read."""


def content(data: bytes, encoding: str = "utf-8") -> bytes:
    """The text as UTF-8, its bytes not yet checked where that is the encoding.

    Raises:
        Unreadable: broken compression, another format, another encoding, or plainly no text.
    """
    plain = unpacked(data)
    if plain.startswith(_OTHERS):
        raise Unreadable("another format")
    name = codecs.lookup(encoding).name
    if name == "utf-16" and plain and not plain.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable("no byte order mark, so nobody knows the order")
    if "a".encode(name) == b"a":
        plain = plain.removeprefix(codecs.BOM_UTF8)
    if name != "utf-8":
        try:
            plain = plain.decode(encoding).encode()
        except UnicodeError:
            raise Unreadable("another encoding") from None
    if b"\0" in plain[:LOOKED_AT]:
        raise Unreadable("binary")
    return plain if name == "utf-8" else plain.removeprefix(codecs.BOM_UTF8)


def unpacked(data: bytes) -> bytes:
    """The bytes without their compression.

    Raises:
        Unreadable: it is broken, or ends too early.
    """
    unpack = next((unpack for magic, unpack in _BY_MAGIC if data.startswith(magic)), None)
    # Not the level alone: BZh9 may begin a text.
    if data.startswith(b"BZh") and data[4:6] in {b"1A", b"\x17r"}:
        unpack = _by_members(bz2.BZ2Decompressor)
    if unpack is None:
        return data
    try:
        return unpack(data)
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError):
        raise Unreadable("broken compression") from None


def _by_members(new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]) -> Callable[[bytes], bytes]:
    """The module's own functions pass over what follows the last member in silence."""

    def unpack(data: bytes) -> bytes:
        found = b""
        while data:
            member = new()
            found += member.decompress(data)
            if not member.eof:
                raise EOFError
            data = member.unused_data.lstrip(b"\0")
        return found

    return unpack


def _unzstd(data: bytes) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        found: bytes = stream.read()
    return found


_OTHERS = (
    b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\xff\x06\x00\x00sNaPpY", b"\x04\x22\x4d\x18", b"\x1f\x9d",
    b"Obj\x01",
)  # fmt: skip
"""Of archives, of compressions that are not read, of Avro. Letters alone (PAR1) may begin a text."""
_BY_MAGIC: list[tuple[bytes, Callable[[bytes], bytes]]] = [
    (b"\x1f\x8b\x08", gzip.decompress),
    (b"\x28\xb5\x2f\xfd", _unzstd),
    *((bytes([low]) + b"\x2a\x4d\x18", _unzstd) for low in range(0x50, 0x60)),
    (b"\xfd7zXZ\0", _by_members(lzma.LZMADecompressor)),
]
