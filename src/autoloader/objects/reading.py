"""One object, bound to its etag, chunk by chunk, taken up again where a connection broke."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from autoloader.errors import SourceUnavailable
from autoloader.objects import CHUNK_BYTES
from autoloader.objects.native import NotAnswered, can_name
from autoloader.objects.refusals import Ask

if TYPE_CHECKING:
    from collections.abc import Generator

    from autoloader.objects.native import NativeClient
    from autoloader.objects.signed import SignedRequests


class Reading:
    """The state of one read: how far it has come and the stream it is on.

    The first try goes through the native client if that can name the key. Every later one, from where the last broke,
    is a signed request: it says exactly what is wrong. So is one that does not begin at the first byte.
    """

    def __init__(
        self, native: NativeClient, requests: SignedRequests, bucket: str, key: str, etag: str, *, start: int = 0
    ) -> None:
        self._native = native if can_name(key) and not start else None
        self._requests = requests
        self._bucket, self._key, self._etag = bucket, key, etag
        self._offset = start
        self._stream: Generator[bytes] | None = None

    def next_chunk(self) -> bytes:
        """One try at the next chunk; empty at the end.

        Raises:
            SourceUnavailable: the connection or the store failed; another call goes on from the same place.
            FileError: this version cannot be read.
            SourceError: the store refuses us.
        """
        try:
            if self._stream is None:
                self._stream = self._begin()
            chunk = next(self._stream, b"")
        except SourceUnavailable:
            self._stream = None
            raise
        self._offset += len(chunk)
        return chunk

    def close(self) -> None:
        """Let go of the connection."""
        if self._stream is not None:
            self._stream.close()

    def _begin(self) -> Generator[bytes]:
        native, self._native = self._native, None
        if native is not None:
            try:
                return native.begin(self._key, self._etag)
            except NotAnswered:
                return self._signed()
        return self._signed()

    def _signed(self) -> Generator[bytes]:
        headers = {"If-Match": f'"{self._etag}"'}
        if self._offset:
            headers["Range"] = f"bytes={self._offset}-"
        response = self._requests.get(Ask(bucket=self._bucket, key=self._key, headers=headers))
        chunks = self._requests.body_chunks(response, CHUNK_BYTES)
        ranged = response.status_code == HTTPStatus.PARTIAL_CONTENT
        return chunks if ranged else _beyond(chunks, self._offset)


def _beyond(chunks: Generator[bytes], offset: int) -> Generator[bytes]:
    """Leave out what is there already, where a store answered a ranged request with the whole object."""
    for chunk in chunks:
        if len(chunk) > offset:
            yield chunk[offset:]
        offset = max(0, offset - len(chunk))
