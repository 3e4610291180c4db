"""Object stores: list, read, put, delete. The only package that knows them; S3 first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoloader.model import SourceObject


class ObjectStore(Protocol):
    """One bucket of one store. Safe to use from many threads. Errors are those of ``autoloader.errors``."""

    def pages(self, prefix: str) -> Iterator[Sequence[SourceObject]]:
        """Every object whose key begins with ``prefix``, in the store's order, a page at a time.

        Directory markers (a key that ends in ``/`` with no bytes) are left out.

        Raises:
            SourceError: the bucket does not exist, access is denied, credentials are missing, or the store stays
                unavailable after retries with backoff and jitter.
        """
        ...

    def read(self, path: str, etag: str) -> Iterator[bytes]:
        """The bytes of exactly this version of ``path`` (``s3://bucket/key``), in chunks.

        Raises:
            FileChanged: the object has another etag by now.
            FileVanished: it is gone.
            SourceError: as for ``pages``.
        """
        ...
