"""The embedded engine: files are fetched into the spool, parsed in one statement a batch, and handed over as Parquet.

fetch, screen (batch 2) ─┐
parse (batch 1) ─────────┼─ at the same time
put (data files of 0) ───┘
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

import duckdb

from autoloader.engines import NewColumns, Progress
from autoloader.engines.embedded import sql
from autoloader.engines.embedded.avro_files import avro_to_parquet
from autoloader.engines.embedded.batching import batches
from autoloader.engines.embedded.compression import MOST_TIMES
from autoloader.engines.embedded.fetch import Fetcher
from autoloader.engines.embedded.file_table import make_file_table
from autoloader.engines.embedded.left_out import LeftOut
from autoloader.engines.embedded.newcomers import Newcomers
from autoloader.engines.embedded.orc_files import orc_to_parquet
from autoloader.engines.embedded.parquet_files import ParquetRoute
from autoloader.engines.embedded.rejects import Rejecting
from autoloader.engines.embedded.screening import Screens
from autoloader.engines.embedded.table_columns import TableColumns
from autoloader.engines.embedded.text_files import TextRoute
from autoloader.engines.embedded.tools import Tools
from autoloader.engines.embedded.verdicts import outcome, refused
from autoloader.engines.embedded.width import means_for
from autoloader.engines.embedded.writing import ParquetWriter
from autoloader.engines.options import AvroOptions, OrcOptions, ParquetOptions, parse_options
from autoloader.errors import LeaseLost, MemoryShort
from autoloader.failpoints import Step, reached
from autoloader.model import UnknownFields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from uuid import UUID

    from autoloader.engines import Work
    from autoloader.engines.embedded.verdicts import Verdict
    from autoloader.engines.embedded.width import Means
    from autoloader.engines.embedded.writing import Written
    from autoloader.engines.options import Options
    from autoloader.errors import FileError
    from autoloader.model import ClaimedFile, Made, Outcome

_BATCH_BYTES = 128 * 1024**2
_SCREENS = 2
_STREAMS = 16
"""So many larger files are read at once: of each some chunks are in memory."""

Numbered = "tuple[int, ClaimedFile]"


class Spooled(Protocol):
    """A batch on local disk."""

    def parse(self) -> Written | None:
        """Write the data files of all good files."""
        ...

    def verdicts(self) -> Sequence[Verdict]:
        """One for each file, after ``parse``."""
        ...

    def remove(self) -> None:
        """Give the room back."""
        ...


class Route(Protocol):
    """How the files of one format reach DuckDB."""

    def spool(self, files: Sequence[tuple[int, ClaimedFile]], fetched: Callable[[int], None]) -> Spooled:
        """Fetch some files, with their ordinals in the load; ``fetched`` is told the bytes and may raise."""
        ...


class EmbeddedEngine:
    """DuckDB within this process.

    Args:
        memory_limit: of DuckDB, as it writes sizes (``512MB``).
        threads: of DuckDB.
        fetch_concurrency: requests for small files under way at once.
        spool_bytes: how many bytes of files lie in the spool; one larger file is spooled alone.
        most_times: how many times its stored size a compressed file may unpack to.
    """

    def __init__(
        self,
        memory_limit: str,
        threads: int,
        fetch_concurrency: int,
        spool_bytes: int,
        most_times: int = MOST_TIMES,
    ) -> None:
        self._memory_limit = memory_limit
        self._threads = threads
        self._fetch_concurrency = fetch_concurrency
        self._most_times = most_times
        self._batch_bytes = max(1, min(_BATCH_BYTES, spool_bytes // 2))

    def prepare(self, work: Work, put: Callable[[Made], None], report: Callable[[Progress], None]) -> Sequence[Outcome]:
        """See ``Engine.prepare``."""
        means = means_for(work.shape.schema.columns, self._threads)
        options = parse_options(work.reading.format_type, work.reading.options)
        with (
            closing(sql.connected(work.spool, self._memory_limit, means.threads)) as connection,
            ThreadPoolExecutor(min(self._fetch_concurrency, _STREAMS), "fetch") as fetching,
            ThreadPoolExecutor(_SCREENS, "screen") as screening,
            ThreadPoolExecutor(1, "parse") as parsing,
            ThreadPoolExecutor(1, "put") as putting,
        ):
            mismatched = make_file_table(connection, work.files, work.reading.path_columns)
            tools = self._tools(work, options, connection, means=means, fetching=fetching, screening=screening)
            route = _route(options, tools)
            line = _AssemblyLine(work, parsing, putting, put, report)
            line.newcomers = tools.newcomers
            line.refuse(mismatched)
            try:
                for batch in batches(work.files, self._batch_bytes, without=mismatched):
                    line.check()
                    spooled = route.spool(batch, line.fetched)
                    reached(Step.LOAD_FETCHED)
                    line.follow(spooled)
                line.end()
                tools.left_out.close()
                rejects = tools.rejecting.hand_over(work, line.failed)
                if rejects is not None:
                    put(rejects)
                line.finish()
            except BaseException:
                line.drop()
                raise
            return line.outcomes

    def abandon(self, load_id: UUID) -> None:
        """Nothing is left of a load when its process is gone."""

    def _tools(
        self,
        work: Work,
        options: Options,
        connection: duckdb.DuckDBPyConnection,
        *,
        means: Means,
        fetching: ThreadPoolExecutor,
        screening: ThreadPoolExecutor,
    ) -> Tools:
        reading, numbered = work.reading, options.source_row
        columns = TableColumns(
            work.shape,
            reading.schema,
            work.load_id,
            work.loaded_at,
            source_row=numbered,
            rescued=reading.unknown_fields.keeps,
            path_columns=[column.name for column in reading.path_columns],
        )
        numbers = itertools.count()

        def new_path() -> Path:
            return work.spool / f"segment-{next(numbers)}"

        return Tools(
            connection=connection,
            schema=reading.schema,
            unknown_fields=reading.unknown_fields,
            optional=reading.optional,
            newcomers=_newcomers(work, options),
            writer=ParquetWriter(connection, work.shape, columns, work.spool, means.row_group),
            fetcher=Fetcher(work.store, fetching),
            rejecting=Rejecting(reading.bad_records, new_path),
            left_out=LeftOut(connection, work.spool / "left-out"),
            screens=Screens(screening),
            new_path=new_path,
            most_times=self._most_times,
        )


def _newcomers(work: Work, options: Options) -> Newcomers | None:
    if work.reading.unknown_fields is not UnknownFields.ADD:
        return None
    return Newcomers((*work.shape.schema.names, *work.reading.schema.names), options)


def _route(options: Options, tools: Tools) -> Route:
    match options:
        case ParquetOptions():
            return ParquetRoute(tools, source_row=options.source_row)
        case AvroOptions():
            return ParquetRoute(tools, avro_to_parquet, source_row=options.source_row)
        case OrcOptions():
            return ParquetRoute(tools, orc_to_parquet, source_row=options.source_row)
        case _:
            return TextRoute(tools, options)


class _AssemblyLine:
    """One batch is parsed while the next is fetched and the data files of the one before are put."""

    def __init__(
        self,
        work: Work,
        parsing: ThreadPoolExecutor,
        putting: ThreadPoolExecutor,
        put: Callable[[Made], None],
        report: Callable[[Progress], None],
    ) -> None:
        self._work = work
        self.newcomers: Newcomers | None = None
        self._parsing = parsing
        self._putting = putting
        self._put = put
        self._report = report
        self._parsed: Future[None] | None = None
        self._puts: list[Future[None]] = []
        self.outcomes: list[Outcome] = []
        self.failed: set[int] = set()

    def refuse(self, mismatched: Mapping[int, FileError]) -> None:
        """Files, by ordinal, that fail before anything of them is read."""
        self.outcomes += [refused(self._work.files[ordinal], error) for ordinal, error in mismatched.items()]
        self.failed.update(mismatched)

    def check(self) -> None:
        """Stop as soon as the load is not ours any more.

        Raises:
            LeaseLost: ``work.cancelled`` says so.
        """
        if self._work.cancelled():
            raise LeaseLost(f"Load {self._work.load_id} was cancelled, or its lease went to another worker: it stops.")

    def fetched(self, size: int) -> None:
        """Tell how many bytes came."""
        self.check()
        self._report(Progress(bytes=size))

    def follow(self, spooled: Spooled) -> None:
        """Parse this batch as soon as the one before is done."""
        self._wait()
        self._parsed = self._parsing.submit(self._parse, spooled)

    def end(self) -> None:
        """Wait until everything is parsed; the last data files may still be on their way.

        Raises:
            NewColumns: there are fields that are to become columns.
        """
        self._wait()
        if self.newcomers is not None and (columns := self.newcomers.columns()):
            raise NewColumns(columns)

    def finish(self) -> None:
        """Wait for everything."""
        for done in self._puts:
            done.result()
        self.check()

    def drop(self) -> None:
        """Start nothing more."""
        self._putting.shutdown(wait=True, cancel_futures=True)

    def _wait(self) -> None:
        if self._parsed is not None:
            self._parsed.result()
        self.check()

    def _parse(self, spooled: Spooled) -> None:
        try:
            written = spooled.parse()
        except duckdb.OutOfMemoryException:
            columns = len(self._work.shape.schema.columns)
            raise MemoryShort(
                f"The parser needs more memory than it may have for a table of {columns:,} columns: raise "
                "AUTOLOADER_MEMORY_LIMIT, or load fewer columns."
            ) from None
        spooled.remove()
        if self.newcomers is not None and written is not None:
            self.newcomers.look_into(written.files)
        # Not sooner: the data files of the batch before are put while this one is parsed.
        for done in self._puts:
            done.result()
        self._puts = [self._putting.submit(self._put, data_file) for data_file in (written.files if written else [])]
        verdicts = spooled.verdicts()
        self.outcomes += [outcome(verdict) for verdict in verdicts]
        self.failed.update(verdict.ordinal for verdict in verdicts if verdict.error is not None)
        self._report(Progress(files=len(verdicts), records=sum(v.records for v in verdicts if v.error is None)))
