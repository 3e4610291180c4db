"""Compression through the embedded engine alone: bombs, and streams cut anywhere."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest
from tests.packing import PACKED

from autoloader.engines.embedded.compression import FREE_BYTES, unpacked
from autoloader.errors import FileUnreadable
from autoloader.model import FileStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]


ONE = b'{"id": 1}\n'
PART = FREE_BYTES // 8
PARTS = 11


def test_a_compression_bomb_fails_with_the_ratio_and_the_limit_and_the_others_load(loads: Any, put: Put) -> None:
    for name in ("gzip", "zstd"):
        put(f"bomb.json.{name}", PACKED[name]((b" " * 1023 + b"\n") * (PART // 1024)) * PARTS)
    put("blank.json.gz", gzip.compress(b"\n" * 1_000_000 + ONE))
    result = loads.load("id BIGINT")
    for name in ("bomb.json.gzip", "bomb.json.zstd"):
        kind, message = result.failure(name)
        assert kind == "FileUnreadable"
        assert "over 200 times its size" in str(message)
        assert "AUTOLOADER_MAX_COMPRESSION_RATIO" in str(message)
    assert result.outcomes["blank.json.gz"].status is FileStatus.SUCCESS
    assert result.values("id") == [1]


@pytest.mark.parametrize("name", PACKED)
def test_wherever_a_stream_is_cut_into_chunks_the_same_comes_out(name: str) -> None:
    data = bytes(range(256)) * 20
    packed = PACKED[name](data) + PACKED[name](data[:100])
    for size in (1, 7, 100, len(packed)):
        chunks = iter([packed[at : at + size] for at in range(0, len(packed), size)])
        assert b"".join(unpacked(chunks)) == data + data[:100]


@pytest.mark.parametrize("name", PACKED)
def test_a_bomb_is_seen_before_much_of_it_is_unpacked(name: str) -> None:
    bomb = PACKED[name](b"0" * PART) * PARTS
    pieces: list[int] = []
    with pytest.raises(FileUnreadable, match="taken for a compression bomb"):
        pieces.extend(map(len, unpacked(iter([bomb]))))
    assert max(pieces) <= 1024**2, "no piece is large, whatever the compression"
    assert sum(pieces) <= FREE_BYTES
