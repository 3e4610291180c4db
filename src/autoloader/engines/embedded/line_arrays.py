"""Arrays of lines, as bytes: Arrow's kernels take many of them at once, and run without Python's lock."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute

if TYPE_CHECKING:
    from collections.abc import Sequence

kernels: Any = pyarrow.compute
"""Its types do not know what the kernels give of bytes."""
arrow: Any = pa
"""Likewise."""
BYTES = pa.large_binary()
LINE_END = pa.scalar(b"\n", BYTES)
NOTHING = pa.scalar(b"", BYTES)


def lines_of(blocks: Sequence[bytes]) -> Any:  # noqa: ANN401  see kernels
    """All lines of some blocks, each of which ends with a line end; the line ends are left out."""
    data = blocks[0] if len(blocks) == 1 else b"".join(blocks)
    bounds = pa.array([0, len(data) - 1], pa.int64()).buffers()[1]
    text = pa.Array.from_buffers(BYTES, 1, [None, bounds, pa.py_buffer(data)])
    return kernels.split_pattern(text, b"\n").values


def line_bounds(lines: Any, sizes: Sequence[int]) -> list[int]:  # noqa: ANN401  see kernels
    """At which of ``lines`` each block begins, and the last one ends.

    Args:
        lines: of the blocks, from ``lines_of``.
        sizes: bytes of each block.
    """
    offsets = memoryview(lines.buffers()[1]).cast("q")
    starts = range(len(lines) + 1)
    # So many line ends were left out before a line as there are lines before it.
    return [bisect_left(starts, begin, key=lambda at: offsets[at] + at) for begin in accumulate(sizes, initial=0)]


def chosen_of(values: Any, chosen: Any) -> Any:  # noqa: ANN401  see kernels
    """Those that are chosen; all of them without a copy."""
    return values if kernels.all(chosen).as_py() else values.filter(chosen)


def digits(numbers: Any) -> Any:  # noqa: ANN401  see kernels
    """Whole numbers as the bytes of their digits."""
    return numbers.cast(pa.large_string()).view(BYTES)


def without_returns(lines: Any) -> Any:  # noqa: ANN401  see kernels
    """Lines without the carriage return before their ends, where there is one."""
    if not kernels.any(kernels.ends_with(lines, b"\r")).as_py():
        return lines
    return kernels.ascii_rtrim(lines.view(pa.large_string()), characters="\r").view(BYTES)
