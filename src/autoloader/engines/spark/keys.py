"""Columns that the keys of files tell, as SQL over Spark's ``path``.

What Spark takes out of a path is what stands there. What it means once it is percent-decoded is told here, so that
both engines decode alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from autoloader.engines.keys import NULL, texts_of
from autoloader.engines.options import ParquetOptions
from autoloader.engines.spark import values
from autoloader.engines.spark.sources import theirs
from autoloader.engines.spark.sql import literal
from autoloader.errors import PathMismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoloader.engines import Work
    from autoloader.model import ClaimedFile

_AS_IT_IS = "concat('s3://', substring(path, 7))"
PATH = f"""CASE WHEN instr(path, '%') = 0 THEN {_AS_IT_IS}
    ELSE concat('s3://', substring(url_decode(replace(path, '+', '%2B')), 7)) END"""
"""SQL of our path, from Spark's ``s3a://…`` with its quoting."""

_MOST_DECODED = 1000
"""So many texts that differ once decoded are told to Spark; files with others are left to the exact engine."""
_STRICT = ParquetOptions()


def path_of(files: Sequence[ClaimedFile]) -> str:
    """``PATH`` of these files alone: where nothing is quoted no row needs to be looked at."""
    return PATH if any("%" in theirs(file.path) for file in files) else _AS_IT_IS


class KeyColumns:
    """The columns of one load that keys tell.

    Args:
        work: the load.
    """

    def __init__(self, work: Work) -> None:
        self._columns = work.reading.path_columns
        self._names = [column.name for column in self._columns]
        self._decoded: dict[str, str] = {}

    def sure_of(self, files: Sequence[ClaimedFile]) -> list[ClaimedFile]:
        """The files whose keys Spark will read as we do. Asked before any SQL is written."""
        return [file for file in files if self._sure(file.path)] if self._columns else list(files)

    def _sure(self, path: str) -> bool:
        try:
            meant = texts_of(path, self._names)
        except PathMismatch:
            return False
        for name, text in zip(self._names, meant, strict=True):
            found = re.fullmatch(_form(name), path, re.DOTALL)
            if found is None:
                return False
            stands = found[1]
            if text is not None and text != stands:
                if "%" not in stands or (stands not in self._decoded and len(self._decoded) >= _MOST_DECODED):
                    return False
                self._decoded[stands] = text
            elif stands in self._decoded:
                return False
        return True

    def typed(self) -> list[str]:
        """SQL of each value under its name ``key0``, ``key1`` and so on."""
        return [
            f"{values.typed(column.type, self._text(column.name), _STRICT)} AS key{at}"
            for at, column in enumerate(self._columns)
        ]

    def bad(self) -> list[str]:
        """SQL: the value of a column is not surely one of its type."""
        return [values.is_bad(column.type, self._text(column.name), _STRICT) for column in self._columns]

    def _text(self, name: str) -> str:
        text = f"nullif(regexp_extract({PATH}, {literal(f'(?s)^{_form(name)}$')}, 1), {literal(NULL)})"
        if not self._decoded:
            return text
        pairs = ", ".join(f"{literal(stands)}, {literal(meant)}" for stands, meant in self._decoded.items())
        return f"coalesce(try_element_at(map({pairs}), {text}), {text})"


def _form(name: str) -> str:
    """A path with such a folder; the last one is told."""
    return f"s3://[^/]+/(?:.*/)?{re.escape(name)}=([^/]*)/.*"
