"""What a run would do, without doing it: matching files, schema, some rows, what would be skipped or fail."""

from __future__ import annotations

import re
import tempfile
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoloader import sampling
from autoloader.discovery import Scope, matching
from autoloader.engines import NewColumns, Work
from autoloader.engines.fields import all_columns, further_columns, reading_of, with_columns
from autoloader.errors import LeaseLost, UsageError
from autoloader.model import (
    ARCHIVE,
    ARCHIVE_ADVICE,
    RESCUED_DATA,
    ClaimedFile,
    FileStatus,
    OnBadRecord,
    UnknownFields,
)
from autoloader.schema import parse_schema
from autoloader.schema.table import numbered
from autoloader.schema.types import Schema
from autoloader.showing import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoloader.engines import Engine, Reading
    from autoloader.model import BadRecords, ColumnEvidence, Disagreement, NewIngestion, SourceObject
    from autoloader.objects import ObjectStore
    from autoloader.sampling import Inference
    from autoloader.schema.types import Column

SHOWN_FILES = 5
SHOWN_SKIPPED = 10
SHOWN_DISAGREEMENTS = 50
SAMPLE_SECONDS = 10.0
"""After which no further file is fetched for a schema."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How far a preview goes, so that it ends soon whatever the bucket holds.

    Attributes:
        listed: objects looked at.
        read_bytes: of files read whole: no larger one is, nor more of them than fit. Elsewhere a head of each will do.
        seconds: after which neither listing nor reading goes on.
    """

    listed: int = 100_000
    read_bytes: int = 128 * 1024**2
    seconds: float = 60.0


DEFAULT = Bounds()


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What was seen.

    Attributes:
        source_path: where was looked.
        complete: False when the listing was cut short at its bounds; ``files`` and ``bytes`` are then
            the least there is.
        inferred: whether the schema was told from a sample.
        sampled: how many files an inferred schema rests on.
        evidence: what the sample shows of each column of an inferred schema.
        disagreements: sampled files that say something else of a column than an inferred schema.
        schema: None when no file matches and none was given.
        rows: values of ``columns`` as JSON holds them, the first of the sampled files; none of files too large to be
            read for it.
        skipped: (path, reason) of files a run would skip.
        problems: (path, message) of sampled files that a run would fail, or load without some of their records.
    """

    source_path: str
    files: int
    bytes: int
    complete: bool
    examples: Sequence[SourceObject]
    skipped: Sequence[tuple[str, str]]
    inferred: bool = False
    sampled: int = 0
    schema: Schema | None = None
    evidence: Sequence[ColumnEvidence] = ()
    disagreements: Sequence[Disagreement] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    problems: Sequence[tuple[str, str]] = ()


def look(store: ObjectStore, engine: Engine, ingestion: NewIngestion, bounds: Bounds = DEFAULT) -> Preview:
    """Look at the bucket as a run of the ingestion would.

    Args:
        bounds: how far to go.

    Raises:
        SourceError: the bucket cannot be listed or read.
        UsageError: files match, but no schema can be told from them.
    """
    until = time.monotonic() + bounds.seconds
    found, complete = _list(store, ingestion, bounds.listed, until)
    skipped = [(each.path, why) for each in found if (why := _refusal(each, ingestion)) is not None]
    fitting = [each for each in found if _refusal(each, ingestion) is None]
    seen = Preview(
        source_path=ingestion.source_path,
        files=len(found),
        bytes=sum(each.size_bytes for each in found),
        complete=complete,
        examples=found[:SHOWN_FILES],
        skipped=skipped[:SHOWN_SKIPPED],
    )
    with tempfile.TemporaryDirectory(prefix="autoloader-preview-") as name:
        folder = Path(name)
        readable = _readable(fitting, bounds.read_bytes)
        chosen = readable[:SHOWN_FILES]
        seen = _with_schema(seen, ingestion, _inferred(store, ingestion, fitting, readable, folder))
        if seen.schema is None:
            return seen
        schema = seen.schema
        whole = all_columns(schema, ingestion.path_columns)
        seen = replace(seen, schema=whole, columns=whole.names)
        if not chosen:
            return seen
        reading = reading_of(ingestion, schema)
        reading = replace(reading, bad_records=_counted(reading.bad_records))
        reader = _Reader(store=store, engine=engine, folder=folder, until=until)
        extra = further_columns(ingestion)
        try:
            shown = _read(reader, reading, whole, extra, chosen)
        except NewColumns as found:
            whole = Schema((*whole.columns, *found.columns))
            grown = replace(with_columns(reading, found.columns), unknown_fields=UnknownFields.RESCUE)
            shown = _read(reader, grown, whole, extra, chosen)
    return replace(seen, schema=whole, columns=shown.names, rows=shown.rows, problems=shown.problems)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    store: ObjectStore
    engine: Engine
    folder: Path
    until: float


def _refusal(found: SourceObject, ingestion: NewIngestion) -> str | None:
    """Why a run would skip the file, None where it would not."""
    if found.size_bytes > ingestion.max_file_size_bytes:
        return f"{found.size_bytes:,} bytes, more than max_file_size_bytes ({ingestion.max_file_size_bytes:,})"
    return ARCHIVE_ADVICE if re.search(ARCHIVE, found.path, re.IGNORECASE) else None


def _list(store: ObjectStore, ingestion: NewIngestion, most: int, until: float) -> tuple[list[SourceObject], bool]:
    found: list[SourceObject] = []
    seen = 0
    for page in matching(store, ingestion, Scope()):
        found += page
        seen += max(len(page), 1)
        if seen >= most or time.monotonic() > until:
            return found, False
    return found, True


def _readable(objects: Sequence[SourceObject], most_bytes: int) -> list[SourceObject]:
    """A spread of the objects that together are small enough to be read whole."""
    chosen = []
    for found in sampling.spread(objects, whole=True):
        if found.size_bytes <= most_bytes:
            chosen.append(found)
            most_bytes -= found.size_bytes
    return chosen


def _with_schema(seen: Preview, ingestion: NewIngestion, inferred: Inference | None) -> Preview:
    """What was seen, with the schema that is given, or was inferred and what it rests on."""
    if ingestion.schema_json is not None:
        schema = parse_schema(ingestion.schema_json)
        return replace(seen, schema=schema, columns=schema.names)
    if inferred is None:
        return seen
    evidence, disagreements = inferred.shown()
    return replace(
        seen,
        inferred=True,
        sampled=len(inferred.samples),
        schema=inferred.schema,
        columns=inferred.schema.names,
        evidence=evidence,
        disagreements=disagreements[:SHOWN_DISAGREEMENTS],
    )


def _inferred(
    store: ObjectStore,
    ingestion: NewIngestion,
    objects: Sequence[SourceObject],
    readable: Sequence[SourceObject],
    folder: Path,
) -> Inference | None:
    if ingestion.schema_json is not None or not objects:
        return None
    if sampling.reads_whole(ingestion):
        objects = readable
        if not objects:
            raise UsageError(
                "every matching file is too large to be read for a preview: give schema_json", field="schema_json"
            )
    samples = folder / "samples"
    samples.mkdir()
    return sampling.infer(store, ingestion, objects, samples, seconds=SAMPLE_SECONDS)


def _read(
    reader: _Reader, reading: Reading, whole: Schema, extra: Sequence[Column], objects: Sequence[SourceObject]
) -> Shown:
    """Read these files by the same engine and rules as a run.

    Raises:
        NewColumns: a run would add columns to the table.
    """
    shown = Shown([*whole.names, *([RESCUED_DATA] if reading.unknown_fields.keeps else [])])
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
    spool = Path(tempfile.mkdtemp(dir=reader.folder))
    work = Work(
        load_id=uuid.uuid4(),
        table_name="no table",
        loaded_at=datetime.now(UTC),
        files=claimed,
        reading=reading,
        shape=numbered(whole, extra),
        store=reader.store,
        spool=spool,
        cancelled=lambda: time.monotonic() > reader.until,
    )
    try:
        outcomes = reader.engine.prepare(work, shown.keep, lambda _: None)
    except LeaseLost:
        shown.problems = [
            (each.path, "reading a sample of the files took longer than a preview may") for each in objects
        ]
        return shown
    shown.problems = [
        (
            objects[outcome.file_id].path,
            outcome.error_message or f"{outcome.records_rejected:,} of its records are bad; the others would load",
        )
        for outcome in outcomes
        if outcome.status is FileStatus.FAILED or outcome.records_rejected
    ]
    return shown


def _counted(bad: BadRecords) -> BadRecords:
    """What a run would set apart, a preview only counts."""
    return replace(bad, policy=OnBadRecord.SKIP) if bad.policy is OnBadRecord.QUARANTINE else bad
