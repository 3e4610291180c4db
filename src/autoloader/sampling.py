"""A small sample of a bucket's files on local disk, and the schema that is read from it once, in the control plane."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import structlog

from autoloader.engines.embedded.inference import infer_schema
from autoloader.engines.options import JsonOptions, parse_options
from autoloader.errors import FileError
from autoloader.ledger import files, ingestions
from autoloader.ledger.database import transaction
from autoloader.model import FormatType
from autoloader.schema import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine as Database

    from autoloader.model import Ingestion, NewIngestion, SourceObject
    from autoloader.objects import ObjectStore
    from autoloader.schema.types import Schema

SAMPLE_FILES = 10
HEAD_BYTES = 1024**2
"""How much of a file is read where a part of it will do."""
WHOLE_BYTES = 64 * 1024**2
"""The largest file that is read whole for a sample, where there is a choice."""

log = structlog.get_logger(__name__)


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
        schema, sampled = infer(store, ingestion, waiting, Path(folder))
    log.info("schema.inferred", ingestion=ingestion.name, columns=len(schema.columns), files=sampled)
    with transaction(database) as connection:
        return ingestions.fix_schema(connection, ingestion.id, to_json(schema))


def infer(
    store: ObjectStore, ingestion: NewIngestion, objects: Sequence[SourceObject], folder: Path
) -> tuple[Schema, int]:
    """A schema from a sample of these objects, and how many of them it rests on.

    Raises:
        UsageError: no schema can be told from the sample.
    """
    options = parse_options(ingestion.format_type, ingestion.format_options)
    whole = reads_whole(ingestion)
    samples = take(store, spread(objects, whole=whole), folder, whole=whole)
    return infer_schema(samples, ingestion.format_type, options), len(samples)


def reads_whole(ingestion: NewIngestion) -> bool:
    """Whether a file of this ingestion tells its schema only as a whole."""
    options = parse_options(ingestion.format_type, ingestion.format_options)
    return ingestion.format_type is FormatType.PARQUET or (isinstance(options, JsonOptions) and options.multi_line)


def spread(objects: Sequence[SourceObject], *, whole: bool) -> list[SourceObject]:
    """Up to ``SAMPLE_FILES`` of the objects: the oldest, the newest, and some between; empty ones are left out."""
    candidates = sorted((found for found in objects if found.size_bytes), key=lambda found: found.modified_at)
    if whole:
        small = [found for found in candidates if found.size_bytes <= WHOLE_BYTES]
        candidates = small or sorted(candidates, key=lambda found: found.size_bytes)[:1]
    if len(candidates) <= SAMPLE_FILES:
        return candidates
    step = (len(candidates) - 1) / (SAMPLE_FILES - 1)
    return [candidates[round(number * step)] for number in range(SAMPLE_FILES)]


def take(store: ObjectStore, objects: Sequence[SourceObject], folder: Path, *, whole: bool) -> list[Path]:
    """Fetch the objects, or the whole lines at their beginning, into ``folder``; a file that is gone is left out."""
    paths = []
    for number, found in enumerate(objects):
        path = folder / f"{number:04}"
        try:
            path.write_bytes(_head(store, found, whole=whole))
        except FileError as error:
            log.info("sample.left_out", path=found.path, reason=str(error))
            continue
        paths.append(path)
    return paths


def _head(store: ObjectStore, found: SourceObject, *, whole: bool) -> bytes:
    data = bytearray()
    for chunk in store.read(found.path, found.etag):
        data += chunk
        if not whole and len(data) >= HEAD_BYTES:
            break
    cut = len(data) < found.size_bytes
    text = bytes(data)
    if text.startswith(b"\x1f\x8b"):
        text = _decompressed(text, "gzip")
    elif text.startswith(b"\x28\xb5\x2f\xfd"):
        text = _decompressed(text, "zstd")
    return text[: text.rfind(b"\n") + 1] or text if cut else text


def _decompressed(data: bytes, codec: Literal["gzip", "zstd"]) -> bytes:
    """As much as can be had of a stream that may have been cut."""
    out = bytearray()
    with pa.CompressedInputStream(pa.BufferReader(data), codec) as stream:
        while len(out) < WHOLE_BYTES:
            try:
                chunk = stream.read(64 * 1024)
            except OSError as error:
                log.debug("sample.cut", reason=str(error))
                break
            if not chunk:
                break
            out += chunk
    return bytes(out)
