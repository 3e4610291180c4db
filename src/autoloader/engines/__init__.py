"""How files become data files. An engine commits nothing: it writes Parquet and says what became of each file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn, Protocol

from autoloader.model import BadRecords, UnknownFields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from autoloader.lake.folders import LoadFolder
    from autoloader.model import ClaimedFile, FormatType, Made, Outcome, StagedRows
    from autoloader.objects import ObjectStore
    from autoloader.schema.table import TableShape
    from autoloader.schema.types import Column, Schema


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How an ingestion's files are read, all of it already validated.

    Attributes:
        schema: of the records, explicit.
        optional: names of those columns that a CSV header may lack: they came to the table by ``add``.
        path_columns: further columns, whose values stand in the key of a file.
        unknown_fields: what becomes of fields that the schema does not know.
        bad_records: what becomes of records that the contract refuses.
    """

    format_type: FormatType
    options: Mapping[str, str]
    schema: Schema
    optional: frozenset[str] = frozenset()
    path_columns: tuple[Column, ...] = ()
    unknown_fields: UnknownFields = UnknownFields.IGNORE
    bad_records: BadRecords = field(default_factory=BadRecords)


def _stages_nothing() -> NoReturn:
    raise TypeError("this work is for an engine that hands over its data files")


class NewColumns(Exception):  # noqa: N818  nothing went wrong
    """A load has met fields that are to become columns: it is prepared anew with them.

    Attributes:
        columns: of types that take every value of the load.
    """

    def __init__(self, columns: tuple[Column, ...]) -> None:
        super().__init__(", ".join(column.name for column in columns))
        self.columns = columns


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """The files of one load, and everything an engine needs to turn them into data files.

    Attributes:
        table_name: ``catalog.database.table``, for an engine that writes by name.
        loaded_at: the instant written into ``_loaded_at`` of every row.
        store: where the files are.
        spool: a folder of this load's own, empty, removed by the caller afterwards.
        grows: whether the shape has columns that the catalog's table gets only with this load, so that nobody can write
            them by the table's name.
        cancelled: asked between steps; once true the engine raises LeaseLost and stops.
        folder: where data files of the load belong in the table's storage, for an engine that puts them there itself.
        staged: of the snapshot that the engine has staged under the load's id: its id, and by source path its rows.
    """

    load_id: UUID
    table_name: str
    loaded_at: datetime
    files: Sequence[ClaimedFile]
    reading: Reading
    shape: TableShape
    store: ObjectStore
    spool: Path
    cancelled: Callable[[], bool]
    grows: bool = False
    folder: LoadFolder | None = None
    staged: Callable[[], tuple[int, Mapping[str, StagedRows]]] = _stages_nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How much an engine has done since its last report: add them up."""

    files: int = 0
    bytes: int = 0
    records: int = 0


class Engine(Protocol):
    """Turns the files of one load into data files."""

    def prepare(self, work: Work, put: Callable[[Made], None], report: Callable[[Progress], None]) -> Sequence[Outcome]:
        """Read every file of the load and hand over the data files as they are finished.

        A file that cannot be read, or holds a bad record that is not tolerated, is FAILED alone: none of its rows is in
        any data file, and none of its records among the rejects.

        Args:
            work: the load.
            put: called with each finished data file, or with a snapshot that holds them, and at most once with the
                rejects of the load; a local file is moved or removed by the callee before it returns.
            report: called now and then, from any thread.

        Returns:
            One outcome for each file of ``work.files``, in any order.

        Raises:
            NewColumns: unknown fields are to be added, and there are some; nothing that was handed over counts.
            SourceError: the store as a whole cannot be read.
            SparkError: the cluster cannot do it.
            SpoolFull: no room left for the files on their way.
            LeaseLost: ``work.cancelled`` became true.
        """
        ...

    def abandon(self, load_id: UUID) -> None:
        """Stop what a load still does outside the process that began it; that process may be dead, or only slow.

        Raises:
            SparkError: the cluster does not answer, or refuses.
        """
        ...
