"""One validation from its beginning to its report."""

from __future__ import annotations

import uuid
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from autoloader import sampling
from autoloader.engines.fields import all_columns, further_columns
from autoloader.errors import TableMismatch, UsageError
from autoloader.lake.tables import misfits, mismatch, shape
from autoloader.model import FileProspect, Prospect, Reading, ValidationReport
from autoloader.schema import parse_schema, to_json
from autoloader.schema.table import METADATA, numbered
from autoloader.scratch import own_folder
from autoloader.validating.judging import Judge
from autoloader.validating.planning import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from autoloader.model import ClaimedFile, Finding, Ingestion
    from autoloader.objects import ObjectStore
    from autoloader.schema.table import TableShape
    from autoloader.schema.types import Schema
    from autoloader.validating import Asked, Means
    from autoloader.validating.planning import Plan

MOST_FILES, MOST_BYTES = 1_000, 128 * 1024**2
"""Of the files that are read at a time: how far it has come is told in between, and it can be stopped there."""
SAMPLED_FROM = 1_000
"""So many of the waiting files, all over the plan, may be sampled where a schema has to be told."""


def validate(means: Means, asked: Asked) -> ValidationReport:
    """Read what waits as the next run would, and tell what would become of it; see the package.

    Raises:
        LedgerUnavailable: the ledger cannot be reached.
        SourceError: the bucket cannot be listed or read.
        LakeError: the catalog does not answer.
        SpoolFull, MemoryShort: no room for the files on their way.
        Interrupted: it was stopped.
    """
    with means.open_store(asked.ingestion) as store, own_folder(means.spool, f"validation-{uuid.uuid4()}") as folder:
        plan = make_plan(means, asked, store, folder)
        return _Validation(means, asked, plan).carry_out(store, folder)


class _Validation:
    """Reads the files of a plan, passes on what is told about them, and adds it up."""

    def __init__(self, means: Means, asked: Asked, plan: Plan) -> None:
        self._means = means
        self._asked = asked
        self._plan = plan
        self._files: Counter[Prospect] = Counter()
        self._records = self._refused = self._bytes = 0

    def carry_out(self, store: ObjectStore, folder: Path) -> ValidationReport:
        ingestion = self._asked.ingestion
        schema = parse_schema(ingestion.schema_json) if ingestion.schema_json is not None else None
        if not self._plan.waiting:
            return self._report(schema)
        try:
            schema = schema or self._inferred(store, folder)
            table = _shape(self._means, ingestion, schema)
        except (UsageError, TableMismatch) as problem:
            return self._report(schema, problem=str(problem))
        self._read(Judge(self._means, self._asked, store, folder, schema, table))
        return self._report(schema)

    def _inferred(self, store: ObjectStore, folder: Path) -> Schema:
        samples = folder / "samples"
        samples.mkdir()
        step = max(1, sum(self._plan.waiting.values()) // SAMPLED_FROM)
        objects = list(islice(self._plan.objects(), 0, None, step))
        return sampling.infer(store, self._asked.ingestion, objects, samples).schema

    def _read(self, judge: Judge) -> None:
        waiting, most = sum(self._plan.waiting.values()), self._asked.max_files
        total, done = waiting if most is None else min(waiting, most), 0
        self._asked.watcher.reading(Reading(what="files", done=0, total=total))
        for batch in _batches(islice(self._plan.files(), total)):
            judge.read(batch, self._tell)
            done += len(batch)
            self._asked.watcher.reading(Reading(what="files", done=done, total=total))

    def _tell(self, found: Finding) -> None:
        if isinstance(found, FileProspect):
            self._files[found.prospect] += 1
            self._records += found.records
            self._refused += found.refused
            self._bytes += found.file_size_bytes
        self._asked.tell(found)

    def _report(self, schema: Schema | None, problem: str | None = None) -> ValidationReport:
        ingestion = self._asked.ingestion
        return ValidationReport(
            ingestion=ingestion.name,
            schema_json=None if schema is None else to_json(schema),
            inferred=schema is not None and ingestion.schema_json is None,
            problem=problem,
            waiting=dict(self._plan.waiting),
            skipped=dict(self._plan.skipped),
            validated=sum(self._files.values()),
            files={prospect: self._files[prospect] for prospect in Prospect if self._files[prospect]},
            records=self._records,
            refused=self._refused,
            bytes=self._bytes,
        )


def _shape(means: Means, ingestion: Ingestion, schema: Schema) -> TableShape:
    """The shape of the table that a run would fill: as it is, or as it would be made.

    Raises:
        TableMismatch: it is there and does not fit.
        UsageError: there is none, and none could be made.
    """
    whole, extra = all_columns(schema, ingestion.path_columns), further_columns(ingestion)
    table = means.open_table(ingestion.table_name)
    if table is None:
        means.check_table(ingestion)
        return numbered(whole, extra)
    found = misfits(table, whole, ingestion.partition_columns, extra)
    if found:
        raise TableMismatch(mismatch(table, found))
    as_it_is = shape(table)
    missing = {column.name for column in (*METADATA, *extra)} - set(as_it_is.schema.names)
    return numbered(whole, extra) if missing else as_it_is


def _batches(files: Iterable[tuple[str, ClaimedFile]]) -> Iterator[list[tuple[str, ClaimedFile]]]:
    batch: list[tuple[str, ClaimedFile]] = []
    total = 0
    for word, file in files:
        if batch and (len(batch) >= MOST_FILES or total + file.size_bytes > MOST_BYTES):
            yield batch
            batch, total = [], 0
        batch.append((word, file))
        total += file.size_bytes
    if batch:
        yield batch
