"""What a task of the cluster does where its Python has Autoloader: the embedded engine loads a share of the files.

It stores the data files itself, in the folder of the load, and answers with rows that say so. What a task has stored
whose answer nobody gets (it was tried again, or the load was given up) is in no snapshot: see ``verifying.orphans``.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import zlib
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa

from autoloader.engines import Work
from autoloader.errors import AutoloaderError
from autoloader.model import DataFile, FileStatus, Outcome, Rejects, Staged
from autoloader.scratch import own_folder, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from autoloader.engines import Engine, Reading
    from autoloader.lake.folders import LoadFolder
    from autoloader.model import ClaimedFile, Made
    from autoloader.objects.elsewhere import Elsewhere
    from autoloader.schema.table import TableShape

DISTRIBUTION = "iceberg-autoloader"
FILE, DATA, REJECTS, LOOKED = "file", "data file", "rejects", "looked"
FAILED, ABSENT = "failed", "absent"
_ANSWER: dict[str, pa.DataType] = {
    "kind": pa.string(),
    "file_id": pa.int64(),
    "status": pa.string(),
    "records": pa.int64(),
    "rejected": pa.int64(),
    "bytes": pa.int64(),
    "seconds": pa.float64(),
    "error_type": pa.string(),
    "message": pa.string(),
    "location": pa.string(),
    "partition": pa.binary(),
}
ANSWER = pa.schema(_ANSWER)
"""The rows of an answer. ``kind`` says which of the columns mean something."""

_SPOOL = "autoloader-spool"


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What all tasks of a load are told; see ``Work`` for what is not told here.

    Attributes:
        shares: the files of each task.
        engine: does the work.
        source: the bucket they are read from.
        folder: where data files go.
    """

    load_id: UUID
    table_name: str
    loaded_at: datetime
    reading: Reading
    shape: TableShape
    shares: Sequence[Sequence[ClaimedFile]]
    engine: Engine
    source: Elsewhere
    folder: LoadFolder

    def rows(self, number: int) -> list[dict[str, Any]]:
        """Load a share; see ``Engine.prepare`` for what is raised."""
        return _carry_out(self, self.shares[number])


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """Asks a task to look at a bucket."""

    source: Elsewhere
    prefix: str

    def rows(self, _number: int) -> list[dict[str, Any]]:
        """Say what works; see ``objects.checking.check`` for what is raised."""
        from autoloader.objects.checking import check  # noqa: PLC0415  a load needs it not

        with closing(self.source.open()) as store:
            return [{"kind": LOOKED, "message": str(check(store, self.prefix))}]


def packed(asked: Order | Look) -> bytes:
    """For ``program``."""
    return zlib.compress(pickle.dumps(asked), 1)


def program(order: bytes, version: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """The function that Spark is to map over the numbers of shares. A Python without Autoloader can run it, too.

    Args:
        order: as ``packed`` gives it.
        version: of Autoloader here: another one there may not understand the order.
    """
    distribution, absent, answer = DISTRIBUTION, ABSENT, ANSWER

    def run(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        # Spark gets this function as code, since it is within another: it names nothing of this module before it has
        # seen that the module is there.
        from importlib.metadata import PackageNotFoundError, version as installed  # noqa: I001, PLC0415

        import pyarrow  # noqa: ICN001, PLC0415

        reason = None
        try:
            if (there := installed(distribution)) != version:
                reason = f"there is {distribution} {there} in the cluster's Python, and {version} here"
            else:
                from autoloader.engines.spark.task import carried_out  # noqa: PLC0415
        except (PackageNotFoundError, ImportError) as error:
            reason = f"the cluster's Python cannot import {distribution}: {error}"
        for batch in numbers:
            for number in batch.column(0).to_numpy():
                if reason is None:
                    yield carried_out(order, int(number))
                else:
                    yield pyarrow.RecordBatch.from_pylist([{"kind": absent, "message": reason}], answer)

    return run


def carried_out(order: bytes, number: int) -> pa.RecordBatch:
    """Do what is asked; what keeps it from being done is part of the answer."""
    asked: Order | Look = pickle.loads(zlib.decompress(order))  # noqa: S301  it came as part of this very program
    try:
        rows = asked.rows(number)
    except AutoloaderError as error:
        rows = [{"kind": FAILED, "error_type": error.error_type, "message": str(error)}]
    return pa.RecordBatch.from_pylist(rows, ANSWER)


def _carry_out(order: Order, files: Sequence[ClaimedFile]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def put(made: Made) -> None:
        if isinstance(made, Staged) or isinstance(made.location, str):
            raise TypeError(f"{made} is no local file")
        if isinstance(made, Rejects):
            rows.append({"kind": REJECTS, "records": made.records, "location": order.folder.store(made.location)})
        else:
            location = order.folder.store(made.location)
            values = pack(made.partition)
            rows.append({"kind": DATA, "records": made.records, "location": location, "partition": values})

    spool = _room()
    sweep(spool)
    with own_folder(spool, str(uuid4())) as folder, closing(order.source.open()) as store:
        work = Work(
            load_id=order.load_id,
            table_name=order.table_name,
            loaded_at=order.loaded_at,
            files=files,
            reading=order.reading,
            shape=order.shape,
            store=store,
            spool=folder,
            cancelled=_never,
        )
        outcomes = order.engine.prepare(work, put, lambda _: None)
    return [*rows, *map(_told, outcomes)]


def _never() -> bool:
    """Spark ends the process of a task that is not wanted any more."""
    return False


def _room() -> Path:
    """Where Spark lets tasks keep files."""
    folders = os.environ.get("SPARK_LOCAL_DIRS") or tempfile.gettempdir()
    return Path(folders.partition(",")[0]) / _SPOOL


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": FILE,
        "file_id": outcome.file_id,
        "status": str(outcome.status),
        "records": outcome.records_ingested,
        "rejected": outcome.records_rejected,
        "bytes": outcome.bytes_read,
        "seconds": None if outcome.duration is None else outcome.duration.total_seconds(),
        "error_type": outcome.error_type,
        "message": outcome.error_message,
    }


def outcome(row: Mapping[str, Any]) -> Outcome:
    """What became of a file, from a row of the kind ``FILE``."""
    return Outcome(
        file_id=row["file_id"],
        status=FileStatus(row["status"]),
        records_ingested=row["records"],
        records_rejected=row["rejected"],
        bytes_read=row["bytes"],
        duration=None if row["seconds"] is None else timedelta(seconds=row["seconds"]),
        error_type=row["error_type"],
        error_message=row["message"],
    )


def data_file(row: Mapping[str, Any]) -> DataFile:
    """A data file in the table's storage, from a row of the kind ``DATA``."""
    return DataFile(location=row["location"], records=row["records"], partition=_unpacked(row["partition"]))


def pack(values: Sequence[object]) -> bytes:
    """Values of a partition with their types, as Arrow has them: an answer is data, and nothing of it is run."""
    batch = pa.RecordBatch.from_arrays([pa.array([value]) for value in values], [str(at) for at in range(len(values))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _unpacked(values: bytes) -> tuple[Any, ...]:
    return tuple(column[0].as_py() for column in pa.ipc.open_stream(values).read_all().columns)
