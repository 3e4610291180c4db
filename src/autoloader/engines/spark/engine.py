"""The engine on a Spark cluster: what it is sure of is staged there, what it doubts is judged by the embedded engine.

    files ──Spark──▶ staged snapshot ──count by file──▶ good files: their rows are published from where they lie
      │                                    └─────────▶ suspicious, unreadable, changed: embedded engine, exactly
      └─ empty, or named as Spark cannot read them ───────────────────────────────────▲

One pass over the sources; what tells a suspicious file are its own rows in the staged data. So both engines give the
same values and the same refusals, with the line and the reason: there is one judge.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from autoloader.engines import Progress
from autoloader.engines.spark import session
from autoloader.engines.spark.reading import reader
from autoloader.engines.spark.sources import changed, named_in, readable, source
from autoloader.engines.spark.staging import stage
from autoloader.model import FileStatus, Outcome, Staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from pyspark.sql.connect.session import SparkSession
    from pyspark.sql.connect.shell.progress import StageInfo

    from autoloader.engines import Engine, Work
    from autoloader.engines.spark.reading import Reader
    from autoloader.engines.spark.session import Cluster
    from autoloader.model import ClaimedFile, Made, StagedRows

_TRIES = 4
"""So often a load is begun anew without a file that Spark could not read; then without all that may be like it."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Pass:
    """What one load comes to.

    Attributes:
        reader: how Spark reads them; None where it does not.
        trusted: files that Spark reads.
        doubted: files that the exact engine judges.
        rows: of the staged snapshot, by path.
        by_folder: whether the trusted ones are most of what is in their folders.
    """

    reader: Reader | None
    trusted: list[ClaimedFile]
    doubted: list[ClaimedFile]
    rows: Mapping[str, StagedRows] = field(default_factory=dict)
    by_folder: bool = False

    def doubt(self, files: Sequence[ClaimedFile]) -> None:
        """Leave these to the exact engine."""
        gone = {file.file_id for file in files}
        self.trusted = [file for file in self.trusted if file.file_id not in gone]
        self.doubted += files


class SparkEngine:
    """Spark Connect.

    Args:
        cluster: where it answers.
        exact: judges the files that Spark is not sure of.
    """

    def __init__(self, cluster: Cluster, exact: Engine) -> None:
        self._cluster = cluster
        self._exact = exact

    def prepare(self, work: Work, put: Callable[[Made], None], report: Callable[[Progress], None]) -> Sequence[Outcome]:
        """See ``Engine.prepare``; it raises SparkError as well."""
        if work.grows:
            # By its name Spark sees the table without the new columns.
            return self._exact.prepare(work, put, report)
        empty = [file for file in work.files if not file.size_bytes]
        load = _sorted(work)
        staged = self._staged(work, load, report) if load.trusted else None
        exact = self._exact.prepare(replace(work, files=load.doubted), put, report) if load.doubted else []
        if staged is not None and load.trusted:
            put(replace(staged, without=frozenset(load.rows) - {file.path for file in load.trusted}))
        outcomes = [_loaded(file, load.rows) for file in [*empty, *load.trusted]]
        report(Progress(files=len(outcomes), records=sum(outcome.records_ingested for outcome in outcomes)))
        return [*outcomes, *exact]

    def abandon(self, load_id: UUID) -> None:
        """Interrupt the load's session and close it for good."""
        session.end(self._cluster, load_id)

    def _staged(self, work: Work, load: _Pass, report: Callable[[Progress], None]) -> Staged | None:
        """Stage what Spark reads; moves what it is not sure of to the doubted."""
        with (
            session.opened(self._cluster, work.load_id) as spark,
            session.Watch(spark, session.tag_of(work.load_id), work.cancelled),
        ):
            reported = _Reported(report, load.trusted)
            spark.registerProgressHandler(reported)
            if not self._write(spark, work, load):
                return None
        snapshot_id, load.rows = work.staged()
        load.doubt([file for file in load.trusted if not _sure(load.rows.get(file.path))])
        load.doubt(changed(work.store, load.trusted, by_folder=load.by_folder))
        reported.rest(load.trusted)
        return Staged(snapshot_id=snapshot_id, wap_id=str(work.load_id))

    def _write(self, spark: SparkSession, work: Work, load: _Pass) -> bool:
        """Stage the trusted files, each time without those that Spark says it cannot read; False when none is left."""
        from pyspark.errors import PySparkException  # noqa: PLC0415  only who uses Spark needs it

        for attempt in range(_TRIES + 1):
            if not load.trusted or load.reader is None:
                return False
            given = source(load.trusted, work.store, self._cluster.scheme)
            load.by_folder = given.by_folder
            try:
                rows = load.reader.rows(spark, given)
                stage(spark, rows, work.table_name, str(work.load_id))
            except PySparkException as error:
                named = named_in(str(error), given.files)
                if not named or work.cancelled() or attempt == _TRIES:
                    raise
                broken = [given.files[name] for name in named]
                if attempt == _TRIES - 1:
                    broken += [file for file in load.trusted if _like(file, broken) and file not in broken]
                log.info("spark.unreadable", files=len(broken), reason=session.summary(error))
                load.doubt(broken)
            else:
                return True
        raise AssertionError("unreachable")


def _sorted(work: Work) -> _Pass:
    reads = reader(work)
    named = [file for file in work.files if file.size_bytes and readable(file)] if reads else []
    trusted = reads.sure_of(named) if reads else []
    known = {file.file_id for file in trusted}
    doubted = [file for file in work.files if file.size_bytes and file.file_id not in known]
    return _Pass(reader=reads, trusted=trusted, doubted=doubted)


def _sure(found: StagedRows | None) -> bool:
    return found is not None and not found.suspicious


def _like(file: ClaimedFile, broken: Sequence[ClaimedFile]) -> bool:
    """Whether a file may well have what ails the others: the same ending, such as ``.gz``."""
    return any(file.path.rpartition(".")[2] == other.path.rpartition(".")[2] for other in broken)


def _loaded(file: ClaimedFile, found: Mapping[str, StagedRows]) -> Outcome:
    return Outcome(
        file_id=file.file_id,
        status=FileStatus.SUCCESS,
        records_ingested=found[file.path].count if file.size_bytes else 0,
        bytes_read=file.size_bytes,
    )


class _Reported:
    """Turns Spark's own messages about its stages into progress.

    Args:
        report: of the load.
        files: of whose bytes none is told twice, though a stage may be tried again.
    """

    def __init__(self, report: Callable[[Progress], None], files: Sequence[ClaimedFile]) -> None:
        self._report = report
        self._most = sum(file.size_bytes for file in files)
        self._told = 0
        self._seen: dict[int, int] = {}

    def rest(self, files: Sequence[ClaimedFile]) -> None:
        """What Spark did not speak of, now that these files are read."""
        left = sum(file.size_bytes for file in files) - self._told
        if left > 0:
            self._report(Progress(bytes=left))

    def __call__(self, stages: Iterable[StageInfo] | None, **_: object) -> None:
        """Called by the client while it waits."""
        for each in stages or ():
            fresh = min(each.num_bytes_read - self._seen.get(each.stage_id, 0), self._most - self._told)
            if fresh > 0:
                self._seen[each.stage_id] = each.num_bytes_read
                self._told += fresh
                self._report(Progress(bytes=fresh))
