"""Object stores: list and read. The only package that knows them; S3 first.

How to read fast: call ``read`` from as many threads as requests should be under way (a ``ThreadPoolExecutor``). It
holds no lock, and the client releases the GIL while it waits. Small files and large ones take the same call:

- up to ``CHUNK_BYTES`` an object arrives as **one** chunk, an empty object as none;
- a larger one arrives as a stream of chunks of about that size, and no more than one chunk of it is in memory.

Measured with 10,000 files of 22 KB and the store on the same two cores: threads cost 0.35 ms of CPU a file, coroutines
on an event loop 0.60 ms, so there is no bulk or async twin of ``read``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoloader.model import SourceObject

CHUNK_BYTES = 1024**2
"""Objects up to this size arrive as one chunk."""


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
