"""From the bytes of an object to blocks of UTF-8 text: decompressed, recoded, without a BOM, cut at line ends."""

from __future__ import annotations

import codecs
import io
import itertools
import zlib
from typing import TYPE_CHECKING

import pyarrow as pa

from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.errors import BadRecord, FileUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK_BYTES = 1024**2
RAW_BYTES = 64 * 1024
"""So much of a bad record's text is kept."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_LONGEST_MAGIC = 4
_LOOKED_AT_BYTES = 4096


def text(stream: Iterator[bytes], encoding: str | None = None) -> Iterator[bytes]:
    """The stream as UTF-8 without a BOM, whatever it is compressed with (told by its first bytes) and encoded in.

    Raises:
        FileUnreadable: broken or truncated compression, text that is not in ``encoding``, or plainly binary bytes.
    """
    plain = decompressed(stream)
    if encoding and codecs.lookup(encoding).name != "utf-8":
        plain = _recoded(plain, encoding)
    head, rest = _peeked(plain, _LOOKED_AT_BYTES)
    if b"\0" in head[:_LOOKED_AT_BYTES]:
        raise FileUnreadable("the file is binary, or text in another encoding than UTF-8: check format and encoding")
    yield head.removeprefix(codecs.BOM_UTF8)
    yield from rest


def decompressed(stream: Iterator[bytes]) -> Iterator[bytes]:
    """The stream without its gzip or zstd compression, told by the first bytes and not by the name."""
    head, rest = _peeked(stream, _LONGEST_MAGIC)
    whole = itertools.chain([head], rest)
    if head.startswith(_GZIP):
        return _gunzipped(whole)
    return _unzstded(whole) if head.startswith(_ZSTD) else whole


def _peeked(stream: Iterator[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    head = next(stream, b"")
    while len(head) < size and (more := next(stream, None)) is not None:
        head += more
    return head, stream


def _gunzipped(stream: Iterable[bytes]) -> Iterator[bytes]:
    """Every member, one after the other; blocks of zeros after the last one are padding."""
    inflate = zlib.decompressobj(wbits=31)
    for chunk in stream:
        data = chunk
        while data:
            if inflate.eof:
                data = data.lstrip(b"\0")
                inflate = zlib.decompressobj(wbits=31) if data else inflate
                continue
            try:
                piece = inflate.decompress(data, BLOCK_BYTES)
            except zlib.error as error:
                raise FileUnreadable(f"the gzip compression is broken: {error}") from None
            if piece:
                yield piece
            data = inflate.unconsumed_tail or inflate.unused_data
    while not inflate.eof:
        piece = inflate.decompress(inflate.unconsumed_tail, BLOCK_BYTES)
        if not piece:
            raise FileUnreadable("the gzip compression ends too early: the file is truncated")
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
    try:
        with pa.CompressedInputStream(source, "zstd") as plain:
            while piece := plain.read(BLOCK_BYTES):
                yield piece
    except OSError as error:
        raise FileUnreadable(f"the zstd compression is broken or ends too early: {error}") from None


def _recoded(stream: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        for chunk in stream:
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise FileUnreadable(f"the text is not {encoding}: {error}; set the option encoding") from None


def blocks(stream: Iterable[bytes], *, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The same bytes in blocks of about ``size``, each cut after a line end; a small file is one block.

    Raises:
        BadRecord: a line is longer than a record may be.
    """
    held: list[bytes] = []
    held_bytes = lines = 0
    for chunk in _at_most(size, stream):
        held.append(chunk)
        held_bytes += len(chunk)
        if held_bytes < size:
            continue
        whole = b"".join(held)
        cut = whole.rfind(b"\n") + 1
        if cut:
            _check_first_line(whole, lines)
            yield whole[:cut]
            lines += whole.count(b"\n", 0, cut)
        held, held_bytes = [whole[cut:]], len(whole) - cut
        _check_first_line(held[0], lines)
    if held_bytes:
        _check_first_line(last := b"".join(held), lines)
        yield last


def _at_most(size: int, stream: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in stream:
        if len(chunk) <= size:
            yield chunk
        else:
            yield from (chunk[at : at + size] for at in range(0, len(chunk), size))


def _check_first_line(data: bytes, lines_before: int) -> None:
    """Only the first line of a block can be too long: the others began in it, and a block is shorter than a record."""
    if len(data) <= RECORD_LIMIT_BYTES:
        return
    end = data.find(b"\n")
    if (end if end >= 0 else len(data)) > RECORD_LIMIT_BYTES:
        line = lines_before + 1
        raise BadRecord(
            f"line {line}: the record is over 16 MiB; split it", code="malformed", line=line, raw=excerpt(data[:4096])
        )


def excerpt(raw: bytes | str) -> str:
    """The start of a record's text, 64 KiB of UTF-8 at most."""
    data = raw[:RAW_BYTES]
    shown = data if isinstance(data, str) else data.decode(errors="backslashreplace")
    return shown.encode(errors="backslashreplace")[:RAW_BYTES].decode(errors="ignore")
