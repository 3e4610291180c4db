"""What a run would do, without doing it: matching files, schema, some rows, what would be skipped or fail."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from autoloader import sampling
from autoloader.discovery import Scope, matching
from autoloader.engines import Reading, Work
from autoloader.model import ClaimedFile, FileStatus
from autoloader.schema import parse_schema
from autoloader.schema.table import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoloader.engines import Engine
    from autoloader.model import DataFile, NewIngestion, SourceObject
    from autoloader.objects import ObjectStore
    from autoloader.schema.types import Schema

MAX_LISTED = 100_000
"""Objects listed at the most, so that a preview ends soon whatever the bucket holds."""
SHOWN_ROWS = 10
SHOWN_FILES = 5
SHOWN_SKIPPED = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What was seen.

    Attributes:
        complete: False when the listing was cut short at ``MAX_LISTED`` objects; ``files`` and ``bytes`` are then
            the least there is.
        sampled: how many files an inferred schema rests on.
        schema: None when no file matches and none was given.
        rows: values of ``columns``, the first of the sampled files.
        skipped: (path, reason) of files a run would skip.
        problems: (path, message) of sampled files a run would fail.
    """

    files: int
    bytes: int
    complete: bool
    examples: Sequence[SourceObject]
    skipped: Sequence[tuple[str, str]]
    sampled: int = 0
    schema: Schema | None = None
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    problems: Sequence[tuple[str, str]] = ()


def look(store: ObjectStore, engine: Engine, ingestion: NewIngestion) -> Preview:
    """Look at the bucket as a run of the ingestion would.

    Raises:
        SourceError: the bucket cannot be listed or read.
        UsageError: files match, but no schema can be told from them.
    """
    found, complete = _list(store, ingestion)
    fitting = [each for each in found if each.size_bytes <= ingestion.max_file_size_bytes]
    too_large = [each for each in found if each.size_bytes > ingestion.max_file_size_bytes]
    seen = Preview(
        files=len(found),
        bytes=sum(each.size_bytes for each in found),
        complete=complete,
        examples=found[:SHOWN_FILES],
        skipped=[
            (each.path, f"{each.size_bytes:,} bytes, more than max_file_size_bytes ({ingestion.max_file_size_bytes:,})")
            for each in too_large[:SHOWN_SKIPPED]
        ],
    )
    with tempfile.TemporaryDirectory(prefix="autoloader-preview-") as name:
        folder = Path(name)
        schema, sampled = _schema(store, ingestion, fitting, folder)
        if schema is None or not fitting:
            return replace(seen, schema=schema)
        chosen = sampling.spread(fitting, whole=True)[:SHOWN_FILES]
        reading = Reading(format_type=ingestion.format_type, options=ingestion.format_options, schema=schema)
        rows, problems = _read(store, engine, reading, chosen, folder)
    return replace(seen, sampled=sampled, schema=schema, columns=schema.names, rows=rows, problems=problems)


def _list(store: ObjectStore, ingestion: NewIngestion) -> tuple[list[SourceObject], bool]:
    found: list[SourceObject] = []
    seen = 0
    for page in matching(store, ingestion, Scope()):
        found += page
        seen += max(len(page), 1)
        if seen >= MAX_LISTED:
            return found, False
    return found, True


def _schema(
    store: ObjectStore, ingestion: NewIngestion, objects: Sequence[SourceObject], folder: Path
) -> tuple[Schema | None, int]:
    if ingestion.schema_json is not None:
        return parse_schema(ingestion.schema_json), 0
    if not objects:
        return None, 0
    samples = folder / "samples"
    samples.mkdir()
    return sampling.infer(store, ingestion, objects, samples)


def _read(
    store: ObjectStore, engine: Engine, reading: Reading, objects: Sequence[SourceObject], folder: Path
) -> tuple[list[list[Any]], list[tuple[str, str]]]:
    """The first rows of these files, by the same engine and rules as a run, and the files that would fail."""
    claimed = [
        ClaimedFile(
            file_id=number,
            path=each.path,
            size_bytes=each.size_bytes,
            etag=each.etag,
            modified_at=each.modified_at,
        )
        for number, each in enumerate(objects)
    ]
    spool = folder / "spool"
    spool.mkdir()
    rows: list[list[Any]] = []

    def keep(data_file: DataFile) -> None:
        wanted = SHOWN_ROWS - len(rows)
        if wanted > 0:
            batch = next(pq.ParquetFile(data_file.location).iter_batches(wanted)).select(list(reading.schema.names))
            rows.extend(list(row.values()) for row in batch.to_pylist())
        Path(data_file.location).unlink()

    work = Work(
        load_id=uuid.uuid4(),
        loaded_at=datetime.now(UTC),
        files=claimed,
        reading=reading,
        shape=numbered(reading.schema),
        store=store,
        spool=spool,
        cancelled=lambda: False,
    )
    outcomes = engine.prepare(work, keep, lambda _: None)
    problems = [
        (objects[outcome.file_id].path, outcome.error_message or "")
        for outcome in outcomes
        if outcome.status is FileStatus.FAILED
    ]
    return rows, problems
