"""From the bytes of an object to those that were compressed: told by their first bytes, and bounded in every way."""

from __future__ import annotations

import bz2
import io
import itertools
import lzma
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from autoloader.errors import FileUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

BLOCK_BYTES = 1024**2
MOST_TIMES = 200
"""Text packs 5 to 20 times, logs that repeat themselves 100 times; gzip cannot do better than 1,032 times."""
FREE_BYTES = 64 * 1024**2
"""A file that unpacks to less is no danger, however small it was: a million blank lines are a thousand bytes."""
_XZ_MEMORY = 80 * 1024**2
"""What ``xz -9`` asks for, and a little more."""
_XZ_AT_ONCE = BoundedSemaphore(4)
"""Each may need that memory, and many files are fetched at once."""
_NO_TURN = nullcontext()

_ZSTD_FRAME = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = tuple(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))
_UNPACK = "unpack it in the bucket, so that each member is a file of its own"
_PACK_ANEW = "compress it with gzip, zstd, bzip2 or xz"
_KNOWN = (
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a rar archive", _UNPACK),
    (b"\xff\x06\x00\x00sNaPpY", "compressed with snappy", _PACK_ANEW),
    (b"\x04\x22\x4d\x18", "compressed with lz4", _PACK_ANEW),
    (b"\x1f\x9d", "compressed with compress (.Z)", _PACK_ANEW),
    (b"LZIP", "compressed with lzip", _PACK_ANEW),
    (b"PAR1", "Parquet", "make it an ingestion with the format parquet"),
    (b"Obj\x01", "Avro", "make it an ingestion with the format avro"),
    (b"ORC", "ORC", "make it an ingestion with the format orc"),
)
_TAR, _TAR_AT = b"ustar", 257


def unpacked(stream: Iterator[bytes], most_times: int = MOST_TIMES) -> Iterator[bytes]:
    """The stream without its gzip, bzip2, xz or zstd compression, whatever the name of the file says.

    Several members (frames, streams) one after the other are one text. Blocks of about ``BLOCK_BYTES`` come out, and
    nothing is held beyond what the format needs (xz: up to 80 MiB).

    Args:
        stream: the object; any sizes of chunks.
        most_times: how many times its stored size a file may unpack to, once that is more than ``FREE_BYTES``.

    Raises:
        FileUnreadable: the compression is broken, truncated, or a bomb.
    """
    head, rest = peeked(stream, len(_ZSTD_FRAME) + 2)
    whole = itertools.chain([head], rest) if head else rest
    codec = next((codec for codec in _CODECS if head.startswith(codec.magic)), None)
    if codec is None:
        return whole
    came = _Count()
    return _bounded(codec.name, _decoded(codec, came.over(whole)), came, most_times)


def peeked(stream: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, at least ``size`` where there are so many, and what follows them."""
    head = next(stream, b"")
    while len(head) < size and (more := next(stream, None)) is not None:
        head += more
    return head, stream


def refuse_other_formats(head: bytes) -> None:
    """Say of some formats that they are no text, by name.

    Args:
        head: the first bytes after decompression.

    Raises:
        FileUnreadable: it is one of them; the message says what to do.
    """
    binary = b"\0" in head
    found = next((k[1:] for k in _KNOWN if head.startswith(k[0]) and (binary or not k[0].isalnum())), None)
    if head.startswith(_TAR, _TAR_AT):
        found = "a tar archive", _UNPACK
    if found is not None:
        what, advice = found
        raise FileUnreadable(f"the file is {what}, which is not read here: {advice}")


class _Decoder(Protocol):
    """What ``bz2`` and ``lzma`` have."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """The same of ``zlib``."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        left = self._inflate.unconsumed_tail
        piece = self._inflate.decompress(left + data if left else data, max_length)
        self.needs_input = not self._inflate.unconsumed_tail and len(piece) < max_length
        return piece


@dataclass(frozen=True, slots=True)
class _Codec:
    """One compression.

    Attributes:
        magic: the first bytes, any of them.
        decoder: makes one for the next member; None: by pyarrow, which takes all members together.
        turn: held while one file is decoded.
    """

    name: str
    magic: tuple[bytes, ...]
    decoder: Callable[[], _Decoder] | None
    turn: AbstractContextManager[object] = _NO_TURN


_BZ2 = tuple(b"BZh%d%b" % (level, mark) for level in range(1, 10) for mark in (b"1A", b"\x17r"))
"""With the first bytes of a block, or of the end of an empty stream: ``BZh9`` alone may begin a text."""
_CODECS = (
    _Codec("gzip", (b"\x1f\x8b\x08",), _Gzip),
    _Codec("zstd", (_ZSTD_FRAME, *_ZSTD_SKIPPED), None),
    _Codec("bzip2", _BZ2, bz2.BZ2Decompressor),
    _Codec("xz", (b"\xfd7zXZ\0",), lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY), _XZ_AT_ONCE),
)


class _Count:
    """Counts the bytes that pass."""

    def __init__(self) -> None:
        self.bytes = 0

    def over(self, stream: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in stream:
            self.bytes += len(chunk)
            yield chunk


def _bounded(name: str, plain: Iterator[bytes], came: _Count, most_times: int) -> Iterator[bytes]:
    went = 0
    for piece in plain:
        went += len(piece)
        if went > FREE_BYTES and went > most_times * came.bytes:
            raise FileUnreadable(
                f"the {name} compression unpacks {came.bytes:,} bytes to {went:,} and more, over {most_times} times "
                "its size: it is taken for a compression bomb. If it is not, unpack the file, or raise "
                "AUTOLOADER_MAX_COMPRESSION_RATIO"
            )
        yield piece


def _decoded(codec: _Codec, stream: Iterator[bytes]) -> Iterator[bytes]:
    with codec.turn:
        try:
            yield from _unzstded(stream) if codec.decoder is None else _members(codec.decoder, stream)
        except EOFError:
            raise FileUnreadable(f"the {codec.name} compression ends too early: the file is truncated") from None
        except (zlib.error, lzma.LZMAError, OSError, ValueError) as error:
            raise FileUnreadable(f"the {codec.name} compression is broken: {error}") from None


def _members(new: Callable[[], _Decoder], stream: Iterator[bytes]) -> Iterator[bytes]:
    """Every member, one after the other; zeros after the last one are padding."""
    decoder = new()
    for chunk in stream:
        data = chunk
        while data or not (decoder.eof or decoder.needs_input):
            if decoder.eof:
                data = data.lstrip(b"\0")
                decoder = new() if data else decoder
                continue
            if piece := decoder.decompress(data, BLOCK_BYTES):
                yield piece
            data = decoder.unused_data if decoder.eof else b""
    while not decoder.eof:
        piece = decoder.decompress(b"", BLOCK_BYTES)
        if not piece and not decoder.eof:
            raise EOFError
        yield piece


class _Pipe(io.RawIOBase):
    """An iterator of bytes as a readable file, for libraries that ask for one."""

    def __init__(self, stream: Iterator[bytes]) -> None:
        self._stream = stream
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while (size < 0 or len(self._left) < size) and (more := next(self._stream, None)) is not None:
            self._left += more
        cut = len(self._left) if size < 0 else size
        piece, self._left = self._left[:cut], self._left[cut:]
        return piece


def _unzstded(stream: Iterator[bytes]) -> Iterator[bytes]:
    source = pa.PythonFile(_Pipe(stream), mode="r")
    with pa.CompressedInputStream(source, "zstd") as plain:
        while piece := plain.read(BLOCK_BYTES):
            yield piece
