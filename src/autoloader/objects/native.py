"""The fast way to objects: libcurl. What it cannot name, or fails at, is asked again by signed requests."""

from __future__ import annotations

import re
import time
from collections import deque
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pycurl
from botocore.httpsession import get_cert_path

from autoloader.errors import SourceUnavailable
from autoloader.objects import CHUNK_BYTES, SMALL_BYTES, Whole
from autoloader.objects.signed import CONNECT_SECONDS, READ_SECONDS
from autoloader.objects.turning import Turning

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from autoloader.objects.access import Access
    from autoloader.objects.endpoints import Endpoint

# libcurl folds "." and ".."; what stands between servers folds empty segments and dislikes control characters.
_UNNAMEABLE = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f]")
# A turn hands over ten of them at most: what a chunk may be larger than it should be.
_BUFFER_BYTES = 64 * 1024
_GATHERING_SECONDS = 0.002
"""How long answers gather where many are awaited: to look after each by itself takes a third more of the processor."""


class NotAnswered(Exception):  # noqa: N818  not an error yet: the signed request says what it is
    """The object was refused in a way that asking again cannot change."""


def can_name(key: str) -> bool:
    """Whether libcurl asks for exactly this key."""
    return _UNNAMEABLE.search(key) is None


class NativeClient:
    """One bucket at one address. It tries once: waiting and trying again is ours. Safe to use from many threads."""

    def __init__(self, access: Access, endpoint: Endpoint) -> None:
        self._access = access
        self.endpoint = endpoint
        self._idle: deque[_Line] = deque()

    def begin(self, key: str, etag: str) -> Generator[bytes]:
        """Ask for one version of an object. What comes is its chunks, which may raise SourceUnavailable as well.

        Raises:
            NotAnswered: refused.
            SourceUnavailable: the connection failed, or the store did.
        """
        answer = self._answer(key, etag)
        next(answer)
        return answer

    def _answer(self, key: str, etag: str) -> Generator[bytes]:
        """Nothing, as soon as the answer is a good one; then the chunks."""
        try:
            line = self._idle.pop()
        except IndexError:
            line = _Line(_Request(self._access, self.endpoint))
        request = line.request
        request.ask(key, etag)
        line.turning.start(request.transfer)
        try:
            ended = _moved(line)
            request.check(ended)
            yield b""
            while ended is None:
                if request.size >= CHUNK_BYTES:
                    yield request.taken()
                ended = _moved(line)
            if request.size:
                yield request.taken()
            request.check(ended)
        finally:
            line.turning.drop(request.transfer)
            self._idle.append(line)

    def small(self, versions: Sequence[tuple[str, str]], at_once: int) -> Generator[list[Whole]]:
        """Ask for many small objects by key and etag, so many at once; see ``ObjectStore.read_small``.

        Once so many in a row have failed, the store is not asked for the rest: ``read`` does that, with patience.
        """
        if odd := [Whole(index, None, 0) for index, (key, _) in enumerate(versions) if not can_name(key)]:
            yield odd
        left = {whole.position for whole in odd}
        waiting = ((index, version) for index, version in enumerate(versions) if index not in left)
        turning, idle, failures = Turning(), list[_Request](), 0
        under_way: dict[pycurl.Curl, tuple[int, _Request]] = {}

        def start_more() -> None:
            while len(under_way) < at_once > failures and (following := next(waiting, None)) is not None:
                index, (key, etag) = following
                request = idle.pop() if idle else _Request(self._access, self.endpoint, most=SMALL_BYTES)
                request.ask(key, etag)
                turning.start(request.transfer)
                under_way[request.transfer] = index, request

        try:
            start_more()
            while under_way:
                ended = []
                for transfer, code in turning.turn():
                    index, request = under_way.pop(transfer)
                    turning.drop(transfer)
                    ended.append(Whole(index, request.whole(code), transfer.getinfo(pycurl.TOTAL_TIME)))
                    failures = failures + 1 if request.has_failed(code) else 0
                    idle.append(request)
                if ended:
                    start_more()
                    yield ended
                else:
                    time.sleep(_GATHERING_SECONDS)
                    turning.wait()
            if rest := [Whole(index, None, 0) for index, _ in waiting]:
                yield rest
        finally:
            for transfer in under_way:
                turning.drop(transfer)
            turning.close()

    def close(self) -> None:
        """Close the connections that are kept for the next object."""
        while self._idle:
            self._idle.pop().turning.close()


class _Request:
    """One object at a time. Its parts are taken while they come, or whole at the end.

    Args:
        access: who asks.
        endpoint: of the bucket.
        most: bytes that an answer may have; a larger one is broken off. 0 for any number.
    """

    def __init__(self, access: Access, endpoint: Endpoint, most: int = 0) -> None:
        self._access, self._endpoint = access, endpoint
        self._parts: list[bytes] = []
        self.size = 0
        self.transfer = pycurl.Curl()
        trusted = access.ca_bundle or Path(str(get_cert_path(True)))
        for option, value in {
            pycurl.AWS_SIGV4: f"aws:amz:{endpoint.region}:s3",
            pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,  # a connection each: bodies do not wait for each other
            pycurl.CONNECTTIMEOUT: CONNECT_SECONDS,
            pycurl.LOW_SPEED_LIMIT: 1,
            pycurl.LOW_SPEED_TIME: READ_SECONDS,
            pycurl.MAXFILESIZE_LARGE: most,
            pycurl.BUFFERSIZE: _BUFFER_BYTES,
            pycurl.NOSIGNAL: 1,
            pycurl.CAPATH if trusted.is_dir() else pycurl.CAINFO: str(trusted),
            pycurl.WRITEFUNCTION: self._take,
        }.items():
            self.transfer.setopt(option, value)

    def ask(self, key: str, etag: str) -> None:
        """Ready to start."""
        frozen = self._access.frozen()
        headers = [f'If-Match: "{etag}"']
        if frozen.token:
            headers.append(f"x-amz-security-token: {frozen.token}")
        self._parts, self.size = [], 0
        self.transfer.setopt(pycurl.URL, self._endpoint.object_url(key))
        self.transfer.setopt(pycurl.HTTPHEADER, headers)
        self.transfer.setopt(pycurl.USERNAME, frozen.access_key or "")
        self.transfer.setopt(pycurl.PASSWORD, frozen.secret_key or "")

    def _take(self, part: bytes) -> None:
        self._parts.append(part)
        self.size += len(part)

    def taken(self) -> bytes:
        """What has come since the last time."""
        parts, self._parts, self.size = self._parts, [], 0
        return b"".join(parts)

    def check(self, ended: int | None) -> None:
        """See what the answer is.

        Args:
            ended: libcurl's code for how; None while it goes on.

        Raises:
            NotAnswered: refused.
            SourceUnavailable: the connection failed, or the store did.
        """
        if self.has_failed(ended):
            raise SourceUnavailable(f"The native client failed: HTTP {self._status}, code {ended or 0} of libcurl.")
        if self._status != HTTPStatus.OK:
            raise NotAnswered

    def has_failed(self, ended: int | None) -> bool:
        """Whether another try may go better."""
        broken = ended not in {None, 0, pycurl.E_FILESIZE_EXCEEDED}
        status = self._status
        return broken or status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def _status(self) -> int:
        """Of the answer; 0 until there is one."""
        return int(self.transfer.getinfo(pycurl.RESPONSE_CODE))

    def whole(self, ended: int) -> bytes | None:
        """The object; None where it did not come."""
        good = not ended and self._status == HTTPStatus.OK
        return self.taken() if good else None


class _Line:
    """A request whose connection is kept from one object to the next."""

    def __init__(self, request: _Request) -> None:
        self.request = request
        self.turning = Turning()


def _moved(line: _Line) -> int | None:
    """Wait until something of the body has come or all of it has; libcurl's code at the end."""
    before = line.request.size
    while True:
        for _, code in line.turning.turn():
            return code
        if line.request.size > before:
            return None
        line.turning.wait()
