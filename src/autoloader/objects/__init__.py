"""Object stores: list and read. The only package that knows them; S3 first.

How to read fast: small objects (up to ``SMALL_BYTES``) all together by ``read_small``, which keeps many requests under
way from one thread; larger ones by ``read`` from as many threads as requests should be under way.

- up to ``CHUNK_BYTES`` an object arrives as **one** chunk, an empty object as none;
- a larger one arrives as a stream of chunks of about that size, and little more than one chunk of it is in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from autoloader.model import SourceObject

CHUNK_BYTES = 1024**2
"""Objects up to this size arrive as one chunk."""
SMALL_BYTES = 256 * 1024
"""Objects up to this size can be read many at a time."""


class Whole(NamedTuple):
    """One of many small objects.

    Attributes:
        position: which of those that were asked for.
        body: all of its bytes; None where it must be asked for by ``read``, which tells what is wrong, and tries again.
        seconds: since it was asked for.
    """

    position: int
    body: bytes | None
    seconds: float


class ObjectStore(Protocol):
    """One bucket of one store. Safe to use from many threads. Errors are those of ``autoloader.errors``."""

    def pages(self, prefix: str) -> Iterator[Sequence[SourceObject]]:
        """Every object whose key begins with ``prefix``, in the store's order, a page at a time.

        Directory markers (a key that ends in ``/`` with no bytes) are left out. The next page is fetched while one is
        consumed; closing the iterator early is fine.

        Raises:
            SourceError: the bucket does not exist, access is denied, credentials are missing, or the store stays
                unavailable after retries with backoff and jitter.
        """
        ...

    def read(self, path: str, etag: str, *, start: int = 0) -> Iterator[bytes]:
        """The bytes of exactly this version of ``path`` (``s3://bucket/key``), in chunks; no chunk is empty.

        They begin with byte ``start``, counted from 0, which must be there.

        Nothing is requested before the first chunk is asked for. A connection lost on the way is taken up again where
        it broke, bound to the same etag: the chunks already handed out stay good. Closing the iterator early is fine.

        Raises:
            FileChanged: the object has another etag by now.
            FileVanished: it is gone.
            FileUnreadable: it is archived and must be restored first.
            SourceError: as for ``pages``.
        """
        ...

    def read_small(self, versions: Sequence[tuple[str, str]]) -> Generator[Sequence[Whole]]:
        """Many objects at a time, each tried once.

        Args:
            versions: path and etag of each, none over ``SMALL_BYTES``.

        Returns:
            All of them as they come, in groups. Nothing is requested before the first group is asked for, nothing more
            while a group is looked at, but what was under way. Closing the iterator early is fine.

        Raises:
            SourceError: credentials cannot be had any more.
        """
        ...
