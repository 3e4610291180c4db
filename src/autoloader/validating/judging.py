"""Some files, read by the embedded engine, and what their bad records mean by the ingestion's own policy."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from autoloader.engines import Work, tolerance
from autoloader.engines.fields import knowing_table, reading_of
from autoloader.errors import BadRecord, Interrupted, LeaseLost
from autoloader.model import (
    SOURCE_FILE,
    BadRecords,
    DataFile,
    FileProspect,
    FileStatus,
    OnBadRecord,
    Prospect,
    RefusedRecord,
    Rejects,
    UnknownFields,
)
from autoloader.scratch import own_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from autoloader.model import ClaimedFile, Finding, Made, Outcome
    from autoloader.objects import ObjectStore
    from autoloader.schema.table import TableShape
    from autoloader.schema.types import Schema
    from autoloader.validating import Asked, Means

_ALL_TOLD = BadRecords(policy=OnBadRecord.QUARANTINE)
_ROWS_AT_ONCE = 100
"""Of refused records, each with up to 64 KiB of its text."""
_TOLERANT = {OnBadRecord.QUARANTINE: Prospect.QUARANTINED, OnBadRecord.SKIP: Prospect.PARTLY}


class Judge:
    """Says of files what a load would make of them.

    Args:
        folder: the validation's own.
        schema: that the files are read with.
        table: the shape of the table that they would go to.
    """

    def __init__(  # noqa: PLR0917
        self, means: Means, asked: Asked, store: ObjectStore, folder: Path, schema: Schema, table: TableShape
    ) -> None:
        self._asked = asked
        self._store = store
        self._folder = folder
        self._table = table
        self._engine = means.judge()
        known = knowing_table(reading_of(asked.ingestion, schema), table)
        # What becomes a column has a type that takes every value of it, so it refuses as little as what is rescued.
        unknown = UnknownFields.RESCUE if known.unknown_fields is UnknownFields.ADD else known.unknown_fields
        self._reading = replace(known, unknown_fields=unknown, bad_records=_ALL_TOLD)

    def read(self, batch: Sequence[tuple[str, ClaimedFile]], tell: Callable[[Finding], None]) -> None:
        """Read some files and tell the refused records, then the files.

        Args:
            batch: why each file waits, and the file; numbered in order.

        Raises:
            SourceError, SpoolFull, MemoryShort: as ``Engine.prepare``.
            Interrupted: it was stopped.
        """
        first: dict[str, list[tuple[int, str]]] = {}

        def put(made: Made) -> None:
            if isinstance(made, Rejects):
                for refused in _refused(made):
                    _note_first(first, refused)
                    tell(refused)
            elif isinstance(made, DataFile):
                Path(made.location).unlink()
            else:
                raise TypeError("a validation reads in this process")

        load_id = uuid.uuid4()
        with own_folder(self._folder, str(load_id)) as spool:
            work = Work(
                load_id=load_id,
                table_name=self._asked.ingestion.table_name,
                loaded_at=datetime.now(UTC),
                files=[file for _, file in batch],
                reading=self._reading,
                shape=self._table,
                store=self._store,
                spool=spool,
                cancelled=self._asked.stopping,
            )
            outcomes = self._prepared(work, put)
        for word, file in batch:
            tell(self._prospect(word, file, outcomes[file.file_id], first.get(file.path, [])))

    def _prepared(self, work: Work, put: Callable[[Made], None]) -> dict[int, Outcome]:
        try:
            outcomes = self._engine.prepare(work, put, lambda _: None)
        except LeaseLost:
            if self._asked.stopping():
                raise Interrupted("the validation was stopped") from None
            raise
        return {outcome.file_id: outcome for outcome in outcomes}

    def _prospect(
        self, word: str, file: ClaimedFile, outcome: Outcome, first: Sequence[tuple[int, str]]
    ) -> FileProspect:
        seen = FileProspect(
            file_path=file.path,
            file_etag=file.etag,
            file_size_bytes=file.size_bytes,
            waiting=word,
            prospect=Prospect.LOADS,
            records=outcome.records_ingested,
            refused=outcome.records_rejected,
        )
        if outcome.status is FileStatus.FAILED:
            return _failing(seen, outcome.error_type, outcome.error_message)
        if not outcome.records_rejected:
            return seen
        bad, told = self._asked.ingestion.bad_records, [message for _, message in first]
        if bad.policy is OnBadRecord.FAIL_FILE:
            return _failing(seen, BadRecord.__name__, told[0])
        why = tolerance.exceeded(bad, seen.refused, seen.records, told)
        if why is not None:
            return _failing(seen, BadRecord.__name__, why)
        return replace(seen, prospect=_TOLERANT[bad.policy])


def _failing(seen: FileProspect, kind: str | None, message: str | None) -> FileProspect:
    return replace(seen, prospect=Prospect.FAILS, records=0, error_type=kind, error_message=message)


def _note_first(first: dict[str, list[tuple[int, str]]], refused: RefusedRecord) -> None:
    """Keep the first few of each file, as the engine names them in the message of a file that fails."""
    places = first.setdefault(refused.file_path, [])
    places.append((refused.line or 0, refused.message or ""))
    places.sort()
    del places[tolerance.FIRST_SHOWN :]


def _refused(made: Rejects) -> Iterator[RefusedRecord]:
    with pq.ParquetFile(made.location) as found:
        for rows in found.iter_batches(_ROWS_AT_ONCE):
            for row in rows.to_pylist():
                yield RefusedRecord(
                    file_path=row[SOURCE_FILE],
                    line=row["line"],
                    column=row["column_name"],
                    reason=row["reason"],
                    message=row["message"],
                    raw=row["raw"],
                )
    made.location.unlink()
