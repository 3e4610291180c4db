"""Which files wait: the bucket is listed to disk, held against the ledger, and the plan is kept on disk as well."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from autoloader.discovery import Scope, matching
from autoloader.errors import Interrupted
from autoloader.ledger.database import transaction
from autoloader.ledger.pending import pending
from autoloader.ledger.records import stored_path, told_path
from autoloader.model import ClaimedFile, Reading, SourceObject, WriteMode
from autoloader.scratch import room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from autoloader.objects import ObjectStore
    from autoloader.validating import Asked, Means

RETRIED = "retried"


class Plan:
    """The files that wait, on disk, in the order in which they are read.

    Attributes:
        waiting: how many, by why.
        skipped: how many files a run would not read, by reason.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.waiting: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    def files(self) -> Iterator[tuple[str, ClaimedFile]]:
        """Why each waits, and the file, numbered from 0."""
        with self._path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                path, size, etag, modified_at, word = json.loads(line)
                yield (
                    word,
                    ClaimedFile(
                        file_id=number,
                        path=path,
                        size_bytes=size,
                        etag=etag,
                        modified_at=datetime.fromisoformat(modified_at),
                    ),
                )

    def objects(self) -> Iterator[SourceObject]:
        """The files as the bucket lists them."""
        for _, file in self.files():
            yield SourceObject(path=file.path, size_bytes=file.size_bytes, etag=file.etag, modified_at=file.modified_at)


def make_plan(means: Means, asked: Asked, store: ObjectStore, folder: Path) -> Plan:
    """List the bucket, then ask the ledger what the next run would read.

    Raises:
        SourceError: the bucket cannot be listed.
        LedgerUnavailable: the ledger cannot be reached.
        SpoolFull: no room on the disk.
        Interrupted: it was stopped.
    """
    listing = folder / "listing"
    with room(folder):
        _list(asked, store, listing)
    plan = Plan(folder / "plan")
    # The listing is complete before the transaction begins: none is held open while a store is asked.
    with room(folder), transaction(means.database) as connection, (folder / "plan").open("w", encoding="utf-8") as out:
        for chunk in pending(connection, asked.ingestion, _listed(listing)):
            for path, size, etag, modified_at, word in chunk:
                if word[0].isupper():
                    plan.skipped[word] += 1
                elif word != RETRIED or asked.ingestion.write_mode is not WriteMode.OVERWRITE or _comes(plan):
                    plan.waiting[word] += 1
                    out.write(json.dumps([told_path(path), size, etag, modified_at.isoformat(), word]) + "\n")
    listing.unlink()
    return plan


def _comes(plan: Plan) -> bool:
    """Whether something is new: where a load overwrites, failed files alone must not become the table."""
    return plan.waiting["new"] + plan.waiting["changed"] > 0


def _list(asked: Asked, store: ObjectStore, target: Path) -> None:
    seen = 0
    with target.open("w", encoding="utf-8") as out:
        for page in matching(store, asked.ingestion, Scope()):
            if asked.stopping():
                raise Interrupted("the validation was stopped while it listed the bucket")
            for found in page:
                row = (stored_path(found.path), found.size_bytes, found.etag, found.modified_at.isoformat())
                out.write(json.dumps(row) + "\n")
            seen += len(page)
            asked.watcher.reading(Reading(what="bucket", done=seen))


def _listed(source: Path) -> Iterator[tuple[object, ...]]:
    with source.open(encoding="utf-8") as lines:
        for line in lines:
            path, size, etag, modified_at = json.loads(line)
            yield path, size, etag, datetime.fromisoformat(modified_at)
