"""Arrays of lines, as bytes: Arrow's kernels take many of them at once, and run without Python's lock."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute

kernels: Any = pyarrow.compute
"""Its types do not know what the kernels give of bytes."""
arrow: Any = pa
"""Likewise."""
BYTES = pa.large_binary()
LINE_END = pa.scalar(b"\n", BYTES)
NOTHING = pa.scalar(b"", BYTES)


def digits(numbers: Any) -> Any:  # noqa: ANN401  see kernels
    """Whole numbers as the bytes of their digits."""
    return numbers.cast(pa.large_string()).view(BYTES)


def without_returns(lines: Any) -> Any:  # noqa: ANN401  see kernels
    """Lines without the carriage return before their ends, where there is one."""
    if not kernels.any(kernels.ends_with(lines, b"\r")).as_py():
        return lines
    return kernels.ascii_rtrim(lines.view(pa.large_string()), characters="\r").view(BYTES)
