"""The embedded engine in the tasks of a cluster whose Python has Autoloader.

    files ──shares──▶ tasks: fetch, judge, write, store ──rows──▶ data files and outcomes, as if made here

Spark's part is to start the tasks, to try them again, and to end them. Each file is read by one task, with the same
code as here: same rows, same refusals, every format. A cluster without Autoloader, or whose Python has no key for the
bucket or the table's storage, reads with Spark's own readers instead (``SparkEngine``).
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import uuid5

import pyarrow.parquet as pq
import structlog

from autoloader.engines import Progress
from autoloader.engines.spark import session, task
from autoloader.engines.spark.asking import MEMORY, Lacking, Memory, asked
from autoloader.errors import SparkMisconfigured
from autoloader.model import FileStatus, Rejects, UnknownFields
from autoloader.scratch import room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

    import pyarrow as pa
    from pyspark.sql.connect.shell.progress import StageInfo

    from autoloader.engines import Engine, Work
    from autoloader.engines.spark.session import Cluster
    from autoloader.lake.folders import LoadFolder
    from autoloader.model import ClaimedFile, Made, Outcome
    from autoloader.objects.elsewhere import Elsewhere

SHARE_COST = 384 * 1024**2
FILE_COST = 16 * 1024
"""A file costs as much as its bytes and so many more; a task gets some seconds' worth of files, as it takes two to
begin."""

_ADVICE = "Mend it, or set AUTOLOADER_SPARK_READER=auto."

log = structlog.get_logger(__name__)


class TaskEngine:
    """Spark Connect, with the embedded engine in its tasks.

    Args:
        cluster: where it answers.
        source: the bucket, as tasks open it.
        engine: does the work in the tasks.
        otherwise: takes the loads that tasks cannot do.
        required: whether a cluster whose tasks lack something is an error.
        memory: of what clusters lack.
    """

    def __init__(
        self,
        cluster: Cluster,
        source: Elsewhere,
        engine: Engine,
        otherwise: Engine,
        *,
        required: bool = False,
        memory: Memory = MEMORY,
    ) -> None:
        # The session needs none of the keys by which Spark's own readers would read the bucket.
        self._cluster = replace(cluster, bucket={})
        self._source = source
        self._engine = engine
        self._otherwise = otherwise
        self._required = required
        self._memory = memory

    def prepare(self, work: Work, put: Callable[[Made], None], report: Callable[[Progress], None]) -> Sequence[Outcome]:
        """See ``Engine.prepare``; it raises SparkError as well."""
        folder, place = work.folder, (self._cluster.url, self._source.bucket)
        # What is to become a column all files of a load must agree on, and tasks know nothing of each other.
        alone = work.reading.unknown_fields is not UnknownFields.ADD and not work.grows
        if not alone or folder is None or (self._memory.of(*place) is not None and not self._required):
            return self._otherwise.prepare(work, put, report)
        try:
            answer = self._answer(work, folder, report)
        except Lacking as lacking:
            if self._required:
                raise SparkMisconfigured(f"{lacking} {_ADVICE}") from None
            log.warning("spark.own_readers", reason=str(lacking))
            self._memory.keep(*place, str(lacking))
            return self._otherwise.prepare(work, put, report)
        return _taken(answer, work, folder, put)

    def abandon(self, load_id: UUID) -> None:
        """Whoever it was that took the load."""
        session.end(self._cluster, _session_id(load_id))
        self._otherwise.abandon(load_id)

    def _answer(self, work: Work, folder: LoadFolder, report: Callable[[Progress], None]) -> list[dict[str, Any]]:
        """The rows of all tasks."""
        shares = shared(work.files)
        order = task.Order(
            load_id=work.load_id,
            table_name=work.table_name,
            loaded_at=work.loaded_at,
            reading=work.reading,
            shape=work.shape,
            shares=shares,
            engine=self._engine,
            source=self._source,
            folder=folder,
        )
        with (
            session.opened(self._cluster, _session_id(work.load_id)) as spark,
            session.Watch(spark, session.tag_of(work.load_id), work.cancelled),
        ):
            reported = _Reported(report, shares)
            spark.registerProgressHandler(reported)
            rows = asked(spark, order, len(shares))
        reported.rest(rows)
        log.info("spark.in_tasks", tasks=len(shares), files=len(work.files))
        return rows


def _session_id(load_id: UUID) -> UUID:
    """Of the load, and not the one of Spark's own readers: they may have to take the load after this is closed."""
    return uuid5(load_id, "tasks")


def _taken(
    answer: Sequence[dict[str, Any]], work: Work, folder: LoadFolder, put: Callable[[Made], None]
) -> list[Outcome]:
    """Hand over what tasks have stored.

    Raises:
        SparkMisconfigured: the answer is not one to this load.
    """
    by_kind: dict[str, list[dict[str, Any]]] = {kind: [] for kind in (task.DATA, task.REJECTS, task.FILE)}
    for row in answer:
        by_kind[row["kind"]].append(row)
    told = sorted(row["file_id"] for row in by_kind[task.FILE]) == sorted(file.file_id for file in work.files)
    stored = [*by_kind[task.DATA], *by_kind[task.REJECTS]]
    if not told or not all(row["location"].startswith(f"{folder.location}/") for row in stored):
        raise SparkMisconfigured(f"The cluster's tasks gave an answer that is not one to load {work.load_id}.")
    for row in by_kind[task.DATA]:
        put(task.data_file(row))
    if by_kind[task.REJECTS]:
        put(_rejects(by_kind[task.REJECTS], folder, work.spool))
    return [task.outcome(row) for row in by_kind[task.FILE]]


def _rejects(rows: Sequence[dict[str, Any]], folder: LoadFolder, spool: Path) -> Rejects:
    """The rejects of all tasks in one local file."""
    target = spool / "rejects.parquet"
    with room(spool):
        batches = _fetched(rows, folder, spool)
        first = next(batches)
        with pq.ParquetWriter(target, first.schema, compression="zstd") as writer:
            for batch in chain([first], batches):
                writer.write_batch(batch)
    return Rejects(location=target, records=sum(row["records"] for row in rows))


def _fetched(rows: Sequence[dict[str, Any]], folder: LoadFolder, spool: Path) -> Iterator[pa.RecordBatch]:
    """One file after another; each is removed before the next one comes."""
    local = spool / "rejects.of-a-task"
    for row in rows:
        folder.take(row["location"], local)
        with pq.ParquetFile(local) as part:
            yield from part.iter_batches()
        local.unlink()


def shared(files: Sequence[ClaimedFile]) -> list[list[ClaimedFile]]:
    """The files in their order, in shares that cost about the same."""
    costs = [file.size_bytes + FILE_COST for file in files]
    count = max(1, math.ceil(sum(costs) / SHARE_COST))
    shares: list[list[ClaimedFile]] = []
    each, before = sum(costs) / count, 0.0
    for file, cost in zip(files, costs, strict=True):
        if not shares or before >= each * len(shares):
            shares.append([])
        shares[-1].append(file)
        before += cost
    return shares


class _Reported:
    """Turns Spark's own messages about its tasks into progress.

    Args:
        report: of the load.
        shares: of which each is a task.
    """

    def __init__(self, report: Callable[[Progress], None], shares: Sequence[Sequence[ClaimedFile]]) -> None:
        self._report = report
        self._shares = len(shares)
        self._bytes = sum(file.size_bytes for share in shares for file in share)
        self._told = 0

    def rest(self, rows: Sequence[dict[str, Any]]) -> None:
        """All is read."""
        files = [row for row in rows if row["kind"] == task.FILE]
        records = sum(row["records"] for row in files if row["status"] == FileStatus.SUCCESS)
        self._report(Progress(files=len(files), bytes=self._bytes - self._told, records=records))

    def __call__(self, stages: Iterable[StageInfo] | None, **_: object) -> None:
        """Called by the client while it waits: which share a task had it does not say, so all count the same."""
        tasks = min(self._shares, sum(each.num_completed_tasks for each in stages or ()))
        size = self._bytes * tasks // self._shares - self._told
        if size > 0:
            self._told += size
            self._report(Progress(bytes=size))
