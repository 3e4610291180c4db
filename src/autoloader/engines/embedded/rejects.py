"""Bad records that their files are loaded without: spilled to disk as they are found, handed over at the end.

However many there are, they are Parquet in the spool: ``ordinal, line, column, reason, shown, message, raw``. Whether a
file fails after all (``max_bad_records``, ``max_bad_ratio``) is known only when all of it was judged; the rejects of
such a file are left out in the end.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from autoloader.engines import tolerance
from autoloader.engines.embedded.strict_json import blame
from autoloader.model import LOAD_ID, LOADED_AT, SOURCE_FILE, SOURCE_MODIFIED_AT, OnBadRecord, Rejects
from autoloader.scratch import room

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping
    from pathlib import Path

    from autoloader.engines import Work
    from autoloader.engines.embedded.batch import Intake
    from autoloader.errors import BadRecord
    from autoloader.model import BadRecords, ClaimedFile

_SPILLED: dict[str, pa.DataType] = {
    "ordinal": pa.int32(),
    "line": pa.int64(),
    "column": pa.string(),
    "reason": pa.string(),
    "shown": pa.string(),
    "message": pa.string(),
    "raw": pa.string(),
}
SPILLED = pa.schema(_SPILLED)
_HANDED: dict[str, pa.DataType] = {
    SOURCE_FILE: pa.string(),
    SOURCE_MODIFIED_AT: pa.timestamp("us", tz="UTC"),
    LOAD_ID: pa.string(),
    LOADED_AT: pa.timestamp("us", tz="UTC"),
    "file_etag": pa.string(),
    "line": pa.int64(),
    "column_name": pa.string(),
    "reason": pa.string(),
    "message": pa.string(),
    "raw": pa.string(),
}
HANDED = pa.schema(_HANDED)
_HELD_ROWS = 2_000
_HELD_CHARACTERS = 4 * 1024**2
_READ_ROWS = 1_000


@dataclass(slots=True)
class _Spill:
    """Rows on their way to a file of their own."""

    rows: list[tuple[object, ...]] = field(default_factory=list)
    characters: int = 0
    writer: pq.ParquetWriter | None = None


class Rejecting:
    """The bad records of one load.

    Args:
        bad: what becomes of them, and how many a file may have.
        new_path: gives a fresh path in the spool.
    """

    def __init__(self, bad: BadRecords, new_path: Callable[[], Path]) -> None:
        self.bad = bad
        self._new_path = new_path
        self._spill = _Spill()
        self._paths: list[Path] = []
        self._unit = "line"
        self._lock = threading.Lock()

    @property
    def tolerant(self) -> bool:
        """Whether a file is loaded without its bad records."""
        return self.bad.policy is not OnBadRecord.FAIL_FILE

    @property
    def keeps(self) -> bool:
        """Whether the bad records themselves are wanted."""
        return self.bad.policy is OnBadRecord.QUARANTINE

    def take(self, intake: Intake, error: BadRecord) -> None:
        """One bad record of a file.

        Raises:
            BadRecord: a file fails at its first one.
            SpoolFull: no room on the disk.
        """
        if not self.tolerant:
            raise error
        intake.refuse(1, [(error.line or 0, str(error))])
        if not self.keeps or self.over(intake):
            return
        row = (intake.ordinal, error.line, error.column, error.code, None, str(error), error.raw)
        with self._lock:
            self._spill.rows.append(row)
            self._spill.characters += len(error.raw or "") + len(str(error))
            if len(self._spill.rows) >= _HELD_ROWS or self._spill.characters >= _HELD_CHARACTERS:
                self._flush()

    def over(self, intake: Intake) -> bool:
        """Whether a file has more bad records than ``max_bad_records`` allows by now."""
        return self.bad.most is not None and intake.rejected > self.bad.most

    def exceeded(self, intake: Intake) -> str | None:
        """Why a file with so many bad records fails; None when it does not."""
        first = (message for _, message in intake.first_refused)
        return tolerance.exceeded(self.bad, intake.rejected, intake.records, first)

    def adopt(self, path: Path, unit: str) -> None:
        """Rejects that were written to the spool as ``SPILLED`` says, without messages.

        Args:
            unit: what the records are counted by.
        """
        with self._lock:
            self._unit = unit
            self._paths.append(path)

    def _flush(self) -> None:
        spill = self._spill
        if not spill.rows:
            return
        with room(self._new_path().parent):
            if spill.writer is None:
                path = self._new_path()
                self._paths.append(path)
                spill.writer = pq.ParquetWriter(path, SPILLED, compression="zstd")
            columns: list[Any] = [list(column) for column in zip(*spill.rows, strict=True)]
            spill.writer.write_table(pa.table(columns, schema=SPILLED))
        spill.rows, spill.characters = [], 0

    def hand_over(self, work: Work, failed: Container[int]) -> Rejects | None:
        """All rejects of files that did not fail, as one Parquet file that ``HANDED`` describes; None if there is none.

        Args:
            failed: ordinals of the files that failed.

        Raises:
            SpoolFull: no room on the disk.
        """
        with self._lock:
            self._flush()
            if self._spill.writer is not None:
                with room(work.spool):
                    self._spill.writer.close()
        if not self._paths:
            return None
        target, count = self._new_path(), 0
        with room(work.spool), pq.ParquetWriter(target, HANDED, compression="zstd") as writer:
            for batch in self._batches():
                rows = [row for row in batch if row["ordinal"] not in failed]
                handed = [_handed(row, work, work.files[row["ordinal"]], self._unit) for row in rows]
                writer.write_table(pa.Table.from_pylist(handed, schema=HANDED))
                count += len(handed)
        for path in self._paths:
            path.unlink()
        if not count:
            target.unlink()
            return None
        return Rejects(location=target, records=count)

    def _batches(self) -> Iterator[list[dict[str, Any]]]:
        for path in self._paths:
            with pq.ParquetFile(path) as spilled:
                for batch in spilled.iter_batches(batch_size=_READ_ROWS):
                    yield batch.to_pylist()


def _handed(row: Mapping[str, Any], work: Work, file: ClaimedFile, unit: str) -> dict[str, object]:
    message = row["message"] or blame(unit, row["line"], row["column"], row["shown"], row["reason"])
    return {
        SOURCE_FILE: file.path,
        SOURCE_MODIFIED_AT: file.modified_at,
        LOAD_ID: str(work.load_id),
        LOADED_AT: work.loaded_at,
        "file_etag": file.etag,
        "line": row["line"],
        "column_name": row["column"],
        "reason": row["reason"],
        "message": message,
        "raw": row["raw"],
    }
