"""One listing of the bucket becomes new, changed and skipped files in the ledger.

The listing streams: pages are matched against the pattern and merged into the ledger in chunks, each chunk in a
transaction of its own. A merge is idempotent, so a listing that was cut short is simply done again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from autoloader.ledger import files
from autoloader.ledger.database import transaction
from autoloader.model import ListingCounts
from autoloader.objects.globs import Pattern
from autoloader.objects.paths import parse_source_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy import Engine as Database

    from autoloader.model import Ingestion, NewIngestion, SourceObject
    from autoloader.objects import ObjectStore

CHUNK = 20_000
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """How much of the bucket a run looks at.

    Attributes:
        since: only objects modified at this instant or later.
        max_files: stop once this many new or changed files were found; the rest is found by later runs.
    """

    since: datetime | None = None
    max_files: int | None = None


def matching(store: ObjectStore, ingestion: NewIngestion, scope: Scope) -> Iterator[list[SourceObject]]:
    """The objects that an ingestion is about, a page of the bucket at a time; empty pages included.

    Raises:
        SourceError: the bucket cannot be listed.
    """
    source = parse_source_path(ingestion.source_path)
    pattern = Pattern(ingestion.source_file_pattern)
    start = len(source.path)
    for page in store.pages(source.prefix + pattern.literal_prefix):
        yield [
            found
            for found in page
            if pattern.matches(found.path[start:]) and (scope.since is None or found.modified_at >= scope.since)
        ]


def discover(
    database: Database,
    ingestion: Ingestion,
    run_id: int,
    store: ObjectStore,
    *,
    scope: Scope,
    report: Callable[[ListingCounts], None],
) -> ListingCounts:
    """List the source of an ingestion and record what it means for the ledger.

    Args:
        report: called after every chunk with the counts so far.

    Raises:
        SourceError: the bucket cannot be listed; what was recorded until then stays and is true.
    """
    total = ListingCounts()
    for chunk in _chunks(matching(store, ingestion, scope)):
        at_most = None if scope.max_files is None else scope.max_files - total.new - total.changed
        with transaction(database) as connection:
            total += files.record_listing(connection, ingestion, run_id, chunk, at_most=at_most)
        report(total)
        if scope.max_files is not None and total.new + total.changed >= scope.max_files:
            break
    log.info("listing.recorded", ingestion=ingestion.name, run=run_id, **total.as_dict())
    return total


def _chunks(pages: Iterator[list[SourceObject]]) -> Iterator[list[SourceObject]]:
    chunk: list[SourceObject] = []
    for page in pages:
        chunk += page
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
