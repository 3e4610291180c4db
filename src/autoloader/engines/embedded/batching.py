"""Which files are parsed together."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from autoloader.model import ClaimedFile

_COMPRESSED = re.compile(r"\.(gz|gzip|zst|zstd|bz2|xz)$", re.IGNORECASE)
_INFLATION = 8


def batches(
    files: Sequence[ClaimedFile], limit: int, without: Container[int] = ()
) -> Iterator[list[tuple[int, ClaimedFile]]]:
    """Files with their ordinals, in batches of at most ``limit`` bytes once unpacked, or of one larger file.

    Where there is enough for it the first two are a quarter and a half of that: the parser has something to do sooner.

    Args:
        without: ordinals of files that are left out.
    """
    sizes = [file.size_bytes * (_INFLATION if _COMPRESSED.search(file.path) else 1) for file in files]
    limits = itertools.chain([limit // 4, limit // 2] if 2 * sum(sizes) > limit else [], itertools.repeat(limit))
    batch: list[tuple[int, ClaimedFile]] = []
    total, most = 0, next(limits)
    for ordinal, (file, size) in enumerate(zip(files, sizes, strict=True)):
        if ordinal in without:
            continue
        if batch and total + size > most:
            yield batch
            batch, total, most = [], 0, next(limits)
        batch.append((ordinal, file))
        total += size
    if batch:
        yield batch
