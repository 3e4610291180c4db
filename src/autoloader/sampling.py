"""A small sample of a bucket's files on local disk, and the schema that is read from it once, in the control plane."""

from __future__ import annotations

import contextlib
import math
import tempfile
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from autoloader.engines.embedded.compression import unpacked
from autoloader.engines.embedded.inference import infer_schema, type_of_texts
from autoloader.engines.embedded.showing import show
from autoloader.engines.fields import check_columns, effective
from autoloader.engines.keys import texts_of
from autoloader.engines.options import AvroOptions, JsonOptions, OrcOptions, ParquetOptions, parse_options
from autoloader.errors import FileError, FileUnreadable, PathMismatch
from autoloader.ledger import files, ingestions
from autoloader.ledger.database import transaction
from autoloader.model import RESCUED_DATA
from autoloader.schema import parse_hints, to_json
from autoloader.schema.types import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine as Database

    from autoloader.engines.options import Options
    from autoloader.model import ColumnEvidence, Disagreement, Ingestion, NewIngestion, SourceObject
    from autoloader.objects import ObjectStore

SAMPLE_FILES = 10
HEAD_BYTES = 1024**2
"""How much of a file is read where a part of it will do."""
WHOLE_BYTES = 64 * 1024**2
"""The largest file that is read whole for a sample, where there is a choice."""

SAMPLE_BYTES = 256 * 1024**2
"""No further file is fetched once the sample has so many."""
SAMPLE_SECONDS = 60.0

log = structlog.get_logger(__name__)


class Extent(Enum):
    """How much of a file tells its schema.

    FILE: all of it as it is. HEAD: the first bytes as they are. LINES: the first lines, unpacked. DOCUMENT: unpacked,
    as far as it is looked at.
    """

    FILE = "file"
    HEAD = "head"
    LINES = "lines"
    DOCUMENT = "document"


def settle_schema(database: Database, ingestion: Ingestion, store: ObjectStore) -> Ingestion:
    """The ingestion with its explicit schema; inferred from the waiting files and saved if there was none.

    Raises:
        UsageError: no schema can be told from the sample; the message says why and what to give.
    """
    if ingestion.schema_json is not None:
        return ingestion
    with transaction(database) as connection:
        waiting = files.waiting_objects(connection, ingestion.id, limit=1000)
    with tempfile.TemporaryDirectory(prefix="autoloader-sample-") as folder:
        inferred = infer(store, ingestion, waiting, Path(folder))
    schema = inferred.schema
    log.info("schema.inferred", ingestion=ingestion.name, columns=len(schema.columns), files=len(inferred.samples))
    with transaction(database) as connection:
        return ingestions.fix_schema(connection, ingestion.id, to_json(schema))


@dataclass(frozen=True, kw_only=True, slots=True)
class Inference:
    """A schema that was told from a sample, and the sample.

    Attributes:
        samples: of each file its path in the bucket, and where it is on local disk.
        hints: that it was given.
    """

    schema: Schema
    samples: Sequence[tuple[str, Path]]
    options: Options
    hints: Schema | None

    def shown(self) -> tuple[Sequence[ColumnEvidence], Sequence[Disagreement]]:
        """What the sample shows of each column, and the files that disagree; the sample is read once more for it."""
        return show(self.samples, self.options, self.schema, self.hints)


def infer(
    store: ObjectStore,
    ingestion: NewIngestion,
    objects: Sequence[SourceObject],
    folder: Path,
    seconds: float = SAMPLE_SECONDS,
) -> Inference:
    """A schema from a sample of these objects.

    Args:
        seconds: after which no further file is fetched; one is in any case.

    Raises:
        UsageError: no schema can be told from the sample.
    """
    options = parse_options(ingestion.format_type, ingestion.format_options)
    until = time.monotonic() + seconds
    samples = take(store, spread(objects, whole=reads_whole(ingestion)), folder, _extent(options), until)
    hints = parse_hints(ingestion.schema_hints) if ingestion.schema_hints is not None else None
    found = infer_schema([sample for _, sample in samples], ingestion.format_type, options, hints)
    schema = with_keys(found, ingestion, [each.path for each in objects])
    return Inference(schema=schema, samples=samples, options=options, hints=hints)


def with_keys(found: Schema, ingestion: NewIngestion, paths: Sequence[str]) -> Schema:
    """The schema that was told from records, with the columns that keys tell in place of any of these names.

    A key that lacks a part says nothing; its file is FAILED when it is loaded.

    Raises:
        UsageError: no column of the records is left.
    """
    names = ingestion.path_columns
    texts: dict[str, set[str]] = {name: set() for name in names}
    for path in paths:
        with contextlib.suppress(PathMismatch):
            for name, text in zip(names, texts_of(path, names), strict=True):
                texts[name] |= set() if text is None else {text}
    options = parse_options(ingestion.format_type, ingestion.format_options)
    unknown = effective(ingestion.unknown_fields, options)
    taken = {name.casefold() for name in (*names, *([RESCUED_DATA] if unknown.keeps else []))}
    columns = [column for column in found.columns if column.name.casefold() not in taken]
    schema = Schema((*columns, *(Column(name, type_of_texts(seen)) for name, seen in texts.items())))
    check_columns(schema, names, unknown)
    return schema


def reads_whole(ingestion: NewIngestion) -> bool:
    """Whether a file of this ingestion tells its schema only as a whole."""
    options = parse_options(ingestion.format_type, ingestion.format_options)
    return _extent(options) in {Extent.FILE, Extent.DOCUMENT}


def _extent(options: Options) -> Extent:
    match options:
        case ParquetOptions() | OrcOptions():
            return Extent.FILE
        case AvroOptions():
            return Extent.HEAD
        case JsonOptions(multi_line=True):
            return Extent.DOCUMENT
        case _:
            return Extent.LINES


def spread(objects: Sequence[SourceObject], *, whole: bool) -> list[SourceObject]:
    """Up to ``SAMPLE_FILES`` of the objects: the oldest, the newest, and some between; empty ones are left out."""
    candidates = sorted(
        (found for found in objects if found.size_bytes), key=lambda found: (found.modified_at, found.path)
    )
    if whole:
        small = [found for found in candidates if found.size_bytes <= WHOLE_BYTES]
        candidates = small or sorted(candidates, key=lambda found: found.size_bytes)[:1]
    if len(candidates) <= SAMPLE_FILES:
        return candidates
    step = (len(candidates) - 1) / (SAMPLE_FILES - 1)
    return [candidates[round(number * step)] for number in range(SAMPLE_FILES)]


def take(
    store: ObjectStore, objects: Sequence[SourceObject], folder: Path, extent: Extent, until: float = math.inf
) -> list[tuple[str, Path]]:
    """Fetch so much of the objects into ``folder``, ``SAMPLE_BYTES`` in all; a file that is gone is left out.

    Args:
        until: by the monotonic clock, when no further one is begun.

    Returns:
        Of each file its path in the bucket, and where it is.
    """
    taken: list[tuple[str, Path]] = []
    total = 0
    for number, found in enumerate(objects):
        if taken and (total >= SAMPLE_BYTES or time.monotonic() > until):
            log.info("sample.bounded", files=len(taken), of=len(objects), bytes=total)
            break
        path = folder / f"{number:04}"
        try:
            total += path.write_bytes(_sample(store, found, extent))
        except FileError as error:
            log.info("sample.left_out", path=found.path, reason=str(error))
            continue
        taken.append((found.path, path))
    return taken


def _sample(store: ObjectStore, found: SourceObject, extent: Extent) -> bytes:
    stream = store.read(found.path, found.etag)
    if extent is Extent.FILE:
        return b"".join(stream)
    if extent is Extent.HEAD:
        return _first(stream, HEAD_BYTES)[0]
    head, cut = _first(unpacked(stream), WHOLE_BYTES if extent is Extent.DOCUMENT else HEAD_BYTES)
    return head[: head.rfind(b"\n") + 1] or head if cut else head


def _first(stream: Iterator[bytes], most: int) -> tuple[bytes, bool]:
    """About so many bytes, as far as they can be read, and whether there may be more."""
    head = bytearray()
    try:
        for piece in stream:
            head += piece
            if len(head) >= most:
                return bytes(head), True
    except FileUnreadable as error:
        log.debug("sample.cut", reason=str(error))
        return bytes(head), True
    return bytes(head), False
