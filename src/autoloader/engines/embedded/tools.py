"""What the parts of the embedded engine share while one load is prepared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from autoloader.engines.embedded.fetch import Fetcher
    from autoloader.engines.embedded.left_out import LeftOut
    from autoloader.engines.embedded.newcomers import Newcomers
    from autoloader.engines.embedded.rejects import Rejecting
    from autoloader.engines.embedded.screening import Screens
    from autoloader.engines.embedded.writing import ParquetWriter
    from autoloader.model import UnknownFields
    from autoloader.schema.types import Schema


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """The tools of one load.

    Attributes:
        connection: to DuckDB; one thread at a time uses it.
        schema: of the records.
        unknown_fields: what becomes of fields that it does not know.
        writer: of the data files.
        fetcher: reads the files.
        optional: names of its columns that a CSV header may lack.
        newcomers: collects the fields that are to become columns; None where none are.
        rejecting: what becomes of bad records.
        left_out: tells which of them a statement has left out.
        screens: where blocks are screened.
        new_path: gives a fresh path in the spool.
        most_times: how many times its stored size a compressed file may unpack to.
    """

    connection: duckdb.DuckDBPyConnection
    schema: Schema
    unknown_fields: UnknownFields
    optional: frozenset[str]
    newcomers: Newcomers | None
    writer: ParquetWriter
    fetcher: Fetcher
    rejecting: Rejecting
    left_out: LeftOut
    screens: Screens
    new_path: Callable[[], Path]
    most_times: int
