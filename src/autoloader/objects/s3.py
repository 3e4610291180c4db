"""S3 as an ``ObjectStore``: listing by signed requests, reading by a native client, one meaning for every refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.objects.access import resolve_access
from autoloader.objects.listing import list_pages
from autoloader.objects.native import NativeClient
from autoloader.objects.paths import key_of
from autoloader.objects.patience import Patience
from autoloader.objects.reading import Reading
from autoloader.objects.signed import SignedRequests
from autoloader.vault import look_up

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from autoloader.model import SourceCredentials, SourceObject
    from autoloader.objects import Whole
    from autoloader.objects.access import OpenSecret
    from autoloader.settings import Connections


def open_s3(
    bucket: str,
    credentials: SourceCredentials,
    connections: Connections,
    concurrency: int,
    *,
    open_secret: OpenSecret = look_up,
    patience: Patience | None = None,
) -> S3Store:
    """Open a bucket. Nothing is asked of it yet; the caller closes it.

    Args:
        bucket: its name.
        credentials: the ingestion's; what they leave open comes from ``connections`` or the default AWS chain.
        connections: the defaults of the settings or of the embedded stack.
        concurrency: connections kept open at most.
        open_secret: opens the keys of the credentials; the default knows references only.
        patience: how to wait and try again; the default waits for about ten seconds in all.

    Raises:
        CredentialsMissing: none were found.
        SourceAccessDenied: the role may not be assumed.
        SourceUnavailable: the service that hands credentials out does not answer.
        VaultError: a sealed key cannot be opened.
        UsageError: the credentials contradict each other, or the endpoint cannot be one.
    """
    access = resolve_access(credentials, connections, open_secret)
    requests = SignedRequests(bucket, access, concurrency)
    return S3Store(bucket, requests, patience or Patience(), concurrency=concurrency)


class S3Store:
    """One bucket of S3 or of a store that speaks its protocol."""

    def __init__(self, bucket: str, requests: SignedRequests, patience: Patience, *, concurrency: int) -> None:
        self.bucket = bucket
        self._requests = requests
        self._patience = patience
        self._concurrency = concurrency
        self._native = NativeClient(requests.access, requests.endpoint)

    def pages(self, prefix: str) -> Iterator[Sequence[SourceObject]]:
        """As ``ObjectStore.pages``."""
        return list_pages(self._requests, self._patience, self.bucket, prefix)

    def read(self, path: str, etag: str, *, start: int = 0) -> Iterator[bytes]:
        """As ``ObjectStore.read``."""
        reading = Reading(
            self._native_client(), self._requests, self.bucket, key_of(self.bucket, path), etag, start=start
        )
        try:
            while chunk := self._patience.call(reading.next_chunk):
                yield chunk
        finally:
            reading.close()

    def read_small(self, versions: Sequence[tuple[str, str]]) -> Generator[Sequence[Whole]]:
        """As ``ObjectStore.read_small``."""
        asked = [(key_of(self.bucket, path), etag) for path, etag in versions]
        return self._native_client().small(asked, self._concurrency)

    def close(self) -> None:
        """Close the connections to the bucket."""
        self._requests.close()
        self._native.close()

    def _native_client(self) -> NativeClient:
        """The native client, opened anew when the bucket turned out to be in another region."""
        endpoint = self._requests.endpoint
        if endpoint != self._native.endpoint:
            self._native = NativeClient(self._requests.access, endpoint)
        return self._native
