"""What a wide table takes: DuckDB holds some vectors of 2,048 values for each column and thread, whatever the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.schema.types import Array, Map, Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoloader.schema.types import Column, DataType

_ROW_GROUP = 61_440
"""Half of DuckDB's default: each of its threads holds one in memory, and a load should fit beside other programs."""
_WIDE = 1_000
_WIDE_ROW_GROUP = 2_048


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What the parser works with.

    Attributes:
        row_group: rows of a row group of a data file.
    """

    threads: int
    row_group: int


def means_for(columns: Sequence[Column], threads: int) -> Means:
    """What suits these columns: above 1,000 one thread and small row groups, so that more of them fit in memory."""
    if sum(_leaves(column.type) for column in columns) <= _WIDE:
        return Means(threads=threads, row_group=_ROW_GROUP)
    return Means(threads=1, row_group=_WIDE_ROW_GROUP)


def _leaves(column_type: DataType) -> int:
    match column_type:
        case Struct(columns):
            return sum(_leaves(column.type) for column in columns)
        case Array(element):
            return _leaves(element)
        case Map(key, value):
            return _leaves(key) + _leaves(value)
        case _:
            return 1
