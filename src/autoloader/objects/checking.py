"""test_connection: can this bucket be listed, and can what it lists be read?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from autoloader.errors import FileChanged, FileVanished

if TYPE_CHECKING:
    from autoloader.model import SourceObject
    from autoloader.objects import ObjectStore

_TRIES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What works.

    Attributes:
        listed: objects on the first page that holds any.
        read: the path of an object whose first byte was read; None when there was nothing to read.
    """

    listed: int
    read: str | None

    def __str__(self) -> str:
        if not self.listed:
            return "Listing works, and there is no file yet."
        if self.read is None:
            return f"Listing works ({self.listed} files on the first page), and none of them has bytes to read."
        return f"Listing works ({self.listed} files on the first page), and reading works ({self.read})."


def check(store: ObjectStore, prefix: str) -> Checked:
    """List one page below a prefix and read the first byte of one of its objects.

    Raises:
        SourceError: listing or reading does not work; the message says which, why and what to change.
        FileUnreadable: the object is archived.
    """
    pages = store.pages(prefix)
    page = next((each for each in pages if each), [])
    candidates = sorted((found for found in page if found.size_bytes), key=lambda found: found.size_bytes)
    readable = (found.path for found in islice(candidates, _TRIES) if _can_read(store, found))
    return Checked(listed=len(page), read=next(readable, None))


def _can_read(store: ObjectStore, found: SourceObject) -> bool:
    """Whether its first byte came; False when it changed or went away meanwhile, which says nothing of the bucket."""
    try:
        return any(True for _ in store.read(found.path, found.etag))
    except (FileChanged, FileVanished):
        return False
