"""Blocks of a text in which one line may be longer than a record: the line is told, and what follows it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.embedded.compression import BLOCK_BYTES
from autoloader.engines.embedded.streams import RAW_BYTES, parted, pieces
from autoloader.engines.forms import RECORD_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Overlong(bytes):
    """The start of one line that is over the record limit; its rest, and its line end, are left out."""

    __slots__ = ()


def blocks(stream: Iterable[bytes], *, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """As ``streams.blocks``, but a line that is longer than a record may be comes as an ``Overlong`` of its own."""
    held: list[bytes] = []
    held_bytes = 0
    skipping = False
    for piece in pieces(stream, size=2 * size):
        chunk = piece
        if skipping:
            end = chunk.find(b"\n")
            if end < 0:
                continue
            chunk, skipping = chunk[end + 1 :], False
        held.append(chunk)
        held_bytes += len(chunk)
        if held_bytes < size:
            continue
        whole, rest = parted(held)
        yield from _first_line_apart(whole)
        if len(rest) > RECORD_LIMIT_BYTES:
            yield Overlong(rest[:RAW_BYTES])
            rest, skipping = b"", True
        held, held_bytes = [rest], len(rest)
    yield from _first_line_apart(b"".join(held))


def _first_line_apart(data: bytes) -> Iterator[bytes]:
    """Only the first line of a block can be too long: the others began in its last chunk, which is shorter."""
    end = data.find(b"\n") if len(data) > RECORD_LIMIT_BYTES else 0
    if end > RECORD_LIMIT_BYTES or end < 0:
        yield Overlong(data[:RAW_BYTES])
        data = data[end + 1 :] if end >= 0 else b""
    if data:
        yield data
