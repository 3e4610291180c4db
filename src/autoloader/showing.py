"""The first rows of files that are looked into, as JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from autoloader.model import RESCUED_DATA, DataFile

if TYPE_CHECKING:
    from autoloader.model import Made

SHOWN_ROWS = 10
MOST_TEXT = 1000
"""Characters of a text that are shown."""


class Shown:
    """The first rows of the files that are read, and the files that would fail, or not load as a whole.

    Args:
        wanted: names of the columns.
    """

    def __init__(self, wanted: Sequence[str]) -> None:
        self._wanted = list(wanted)
        self._rows: list[dict[str, Any]] = []
        self.problems: list[tuple[str, str]] = []

    def keep(self, made: Made) -> None:
        """Look into a data file, and remove it."""
        if not isinstance(made, DataFile):
            raise TypeError("a preview reads in this process, and keeps no rejects")
        lacking = SHOWN_ROWS - len(self._rows)
        if lacking > 0:
            batch = next(pq.ParquetFile(made.location).iter_batches(lacking)).select(self._wanted)
            self._rows += batch.to_pylist()
        Path(made.location).unlink()

    @property
    def names(self) -> list[str]:
        """Of the columns; that of unknown fields is one of them where a row has some."""
        some = any(row.get(RESCUED_DATA) is not None for row in self._rows)
        return [name for name in self._wanted if name != RESCUED_DATA or some]

    @property
    def rows(self) -> list[list[Any]]:
        """Values as JSON holds them."""
        return [[plain(row[name]) for name in self.names] for row in self._rows]


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911  any value of a row, one return for each kind
    """A value of a row as JSON can hold it; a long text is cut."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return value if len(value) <= MOST_TEXT else value[:MOST_TEXT] + "…"
        case bytes():
            return plain(value.hex())
        case datetime() | date() | time_of_day():
            return value.isoformat()
        case Mapping():
            return {str(name): plain(part) for name, part in value.items()}
        case Sequence():
            return [plain(part) for part in value]
        case _:
            return str(value)
