"""One listing of the bucket becomes new, changed and skipped files in the ledger.

The listing streams: pages are matched against the pattern and merged into the ledger in chunks, each chunk in a
transaction of its own. A merge is idempotent, so a listing that was cut short is simply done again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from autoloader.errors import Interrupted
from autoloader.failpoints import Step, reached
from autoloader.ledger.database import transaction
from autoloader.ledger.listing import record_listing
from autoloader.model import ListingCounts
from autoloader.objects.globs import Pattern
from autoloader.objects.paths import parse_source_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from threading import Event

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """One listing on its way.

    Attributes:
        worker: who lists; the ledger takes nothing from a worker that does not lead the run any more.
        report: called after every chunk with the counts so far.
        stopping: set when a person wants the work to stop.
    """

    worker: str
    scope: Scope
    report: Callable[[ListingCounts], None]
    stopping: Event


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
    database: Database, ingestion: Ingestion, run_id: int, store: ObjectStore, listing: Listing
) -> ListingCounts:
    """List the source of an ingestion and record what it means for the ledger.

    Raises:
        SourceError: the bucket cannot be listed; what was recorded until then stays and is true.
        LeaseLost: another worker leads the run by now; likewise.
        Interrupted: a person stopped it; likewise.
        LeaseLost: another worker leads the run by now.
    """
    total = ListingCounts()
    most = listing.scope.max_files
    for chunk in _chunks(matching(store, ingestion, listing.scope)):
        if listing.stopping.is_set():
            raise Interrupted("the listing was stopped; the next run lists again")
        at_most = None if most is None else most - total.new - total.changed
        with transaction(database) as connection:
            total += record_listing(connection, ingestion, run_id, chunk, worker=listing.worker, at_most=at_most)
        reached(Step.LISTING_RECORDED)
        listing.report(total)
        if most is not None and total.new + total.changed >= most:
            break
    log.info("listing.recorded", **total.as_dict())
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
