"""Compression through either engine: told by the first bytes, every member read, and bounded."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

from tests.packing import PACKED, zstd

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]


ONE, TWO = b'{"id": 1}\n', b'{"id": 2}\n'


def test_compression_is_told_by_its_first_bytes_and_every_member_is_read(loads: Any, put: Put) -> None:
    put("lies.gz", ONE)
    put("lies.bz2", ONE)
    for name, pack in PACKED.items():
        put(f"{name}.json", pack(ONE) + pack(b"") + pack(TWO))
        put(f"{name}.empty.json", pack(b""))
    put("padded.json", gzip.compress(ONE) + b"\0" * 512)
    put("skipped.json", b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstd(ONE))
    result = loads.load("id BIGINT")
    assert result.values("id") == [1] * 8 + [2] * 4
    assert result.outcomes["padded.json"].bytes_read == len(gzip.compress(ONE)) + 512


def test_broken_compression_and_binary_files_are_unreadable_and_fail_alone(loads: Any, put: Put) -> None:
    bodies = {f"cut {name}": pack(ONE * 1000)[:-10] for name, pack in PACKED.items()}
    bodies |= {f"{name} header": pack(ONE)[:7] for name, pack in PACKED.items()}
    bodies |= {f"{name} and rubbish": pack(ONE) + b"trailing rubbish" for name, pack in PACKED.items()}
    bodies |= {f"torn {name}": pack(ONE * 1000)[:30] + b"torn" + pack(TWO) for name, pack in PACKED.items()}
    bodies |= {"picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "utf-16": '{"id": 1}\n'.encode("utf-16")}
    for name, body in bodies.items():
        put(f"{name}.json", body)
    put("picture.gz", bodies["picture"])
    put("cut.gz", bodies["cut gzip"])
    put("good.json", '{"id": 9}\n')
    result = loads.load("id BIGINT")
    failed = {name: result.failure(name)[0] for name in result.outcomes if name != "good.json"}
    assert failed == dict.fromkeys([*(f"{name}.json" for name in bodies), "picture.gz", "cut.gz"], "FileUnreadable")
    assert "the gzip compression ends too early: the file is truncated" in str(result.failure("cut gzip.json")[1])
    assert result.values("id") == [9]


FOREIGN = {
    "zip": (b"PK\x03\x04\x14\0", "a zip archive", "unpack it"),
    "tar": (b"a.json\0".ljust(257, b"\0") + b"ustar\x0000", "a tar archive", "unpack it"),
    "tar.gz": (gzip.compress(b"a.json\0".ljust(257, b"\0") + b"ustar\x0000"), "a tar archive", "unpack it"),
    "snappy": (b"\xff\x06\0\0sNaPpY\x01\x05\0\0", "snappy", "gzip, zstd, bzip2 or xz"),
    "lz4": (b"\x04\x22\x4d\x18\x64\x40\xa7", "lz4", "gzip, zstd, bzip2 or xz"),
    "parquet": (b"PAR1\x15\x04\x15\0", "Parquet", "the format parquet"),
}


def test_what_is_in_another_format_is_refused_by_the_name_of_that_format(loads: Any, put: Put) -> None:
    for name, (body, _, _) in FOREIGN.items():
        put(name, body)
    result = loads.load("id BIGINT")
    for name, (_, what, advice) in FOREIGN.items():
        kind, message = result.failure(name)
        assert kind == "FileUnreadable"
        assert what in str(message)
        assert advice in str(message)
