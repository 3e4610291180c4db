"""From the bytes of an object to blocks of UTF-8 text: decompressed, recoded, without a BOM, cut at line ends."""

from __future__ import annotations

import codecs
import itertools
from typing import TYPE_CHECKING

from autoloader.engines.embedded.compression import BLOCK_BYTES, MOST_TIMES, peeked, refuse_other_formats, unpacked
from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.errors import BadRecord, FileUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

RAW_BYTES = 64 * 1024
"""So much of a bad record's text is kept."""
_LOOKED_AT_BYTES = 4096


def text(stream: Iterator[bytes], encoding: str | None = None, *, most_times: int = MOST_TIMES) -> Iterator[bytes]:
    """The stream as UTF-8 without a BOM, whatever it is compressed with (told by its first bytes) and encoded in.

    Args:
        encoding: a name that Python knows; None: UTF-8.
        most_times: see ``unpacked``.

    Raises:
        FileUnreadable: broken, truncated or excessive compression, text that is not in ``encoding``, or plainly binary
            bytes.
    """
    head, rest = peeked(unpacked(stream, most_times), _LOOKED_AT_BYTES)
    refuse_other_formats(head)
    if encoding and codecs.lookup(encoding).name != "utf-8":
        if "a".encode(encoding) == b"a":
            # Nobody begins a text with these characters; Spark passes over them as well.
            head = head.removeprefix(codecs.BOM_UTF8)
        head, rest = peeked(_recoded(itertools.chain([head], rest), encoding), _LOOKED_AT_BYTES)
    if b"\0" in head[:_LOOKED_AT_BYTES]:
        raise FileUnreadable("the file is binary, or text in another encoding than UTF-8: check format and encoding")
    yield head.removeprefix(codecs.BOM_UTF8)
    yield from rest


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
    for chunk in pieces(stream, size=2 * size):
        held.append(chunk)
        held_bytes += len(chunk)
        if held_bytes < size:
            continue
        whole, rest = parted(held)
        if whole:
            _check_first_line(whole, lines)
            yield whole
            lines += whole.count(b"\n")
        held, held_bytes = [rest], len(rest)
        _check_first_line(rest, lines)
    if held_bytes:
        _check_first_line(last := b"".join(held), lines)
        yield last


def parted(chunks: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The whole lines of some chunks that follow each other, and what comes after them; each byte is copied once."""
    for at in reversed(range(len(chunks))):
        if cut := chunks[at].rfind(b"\n") + 1:
            split = memoryview(chunks[at])
            return b"".join([*chunks[:at], split[:cut]]), b"".join([split[cut:], *chunks[at + 1 :]])
    return b"", b"".join(chunks)


def pieces(stream: Iterable[bytes], *, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The same bytes in pieces of at most ``size``, cut anywhere: for formats in which a line means nothing."""
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
    # A few bytes more, so that a character is not cut in two before it is decoded.
    data = raw[: RAW_BYTES + 4]
    shown = data if isinstance(data, str) else data.decode(errors="backslashreplace")
    return shown.encode(errors="backslashreplace")[:RAW_BYTES].decode(errors="ignore")
