"""Proxies between workers and their parts that delay, cut, lie and repeat.

``HttpProxy`` passes requests on byte for byte (the signature covers the host, so nothing may be rewritten) and asks
``choose`` about each: a ``Fault``, or None to be faithful. ``WireProxy`` carries the protocol of PostgreSQL, of which
it knows nothing: its connections can be slowed and cut.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_CHUNK = 64 * 1024
_LOST = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError)


class Fault(StrEnum):
    """What is done to one request."""

    DELAY = "delay"
    CUT = "cut before it arrives"
    CUT_AFTER = "cut after it was done"
    CUT_WITHIN = "cut within the answer"
    ERROR_500 = "answer 500"
    ERROR_503 = "answer 503"
    ERROR_429 = "answer 429"
    ERROR_500_AFTER = "answer 500 after it was done"
    REPEAT = "send it twice, pass on the second answer"


_STATUS = {
    Fault.ERROR_500: HTTPStatus.INTERNAL_SERVER_ERROR,
    Fault.ERROR_503: HTTPStatus.SERVICE_UNAVAILABLE,
    Fault.ERROR_429: HTTPStatus.TOO_MANY_REQUESTS,
    Fault.ERROR_500_AFTER: HTTPStatus.INTERNAL_SERVER_ERROR,
}


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def is_commit(self) -> bool:
        """Whether it commits to a table."""
        return self.method == "POST" and b'"updates"' in self.body


class _Server:
    """An asyncio server in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self.upstream = (host, port)
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.Task[None]] = set()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**20))
        self.port: int = self._server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except (*_LOST, asyncio.CancelledError):
            pass  # the client sees a lost connection: that is what this proxy is for
        finally:
            self._open.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    def do(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _cut_all(self) -> None:
        for task in list(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(list(self._open), timeout=5)

    def cut(self) -> None:
        """Every connection there is now."""
        self.do(self._cut_all())

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            await self._cut_all()

        self.do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class Tally:
    """What a proxy did, for the test to assert that it did anything."""

    requests: int = 0
    faults: list[Fault] = field(default_factory=list)


def faithful(_request: Request) -> Fault | None:
    return None


class HttpProxy(_Server):
    """Passes HTTP/1.1 on.

    Attributes:
        choose: asked about every request; set it at any time.
        delay_seconds: how long a delay is.
    """

    def __init__(self, host: str, port: int) -> None:
        self.choose: Callable[[Request], Fault | None] = faithful
        self.delay_seconds = 0.3
        self.tally = Tally()
        super().__init__(host, port)

    def be_faithful(self) -> None:
        self.choose = faithful

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await _request(reader, writer)) is not None:
            self.tally.requests += 1
            fault = self.choose(request)
            if fault is not None:
                self.tally.faults.append(fault)
            if not await self._answered(request, fault, writer):
                return

    async def _answered(self, request: Request, fault: Fault | None, writer: asyncio.StreamWriter) -> bool:
        """Deal with one request; False when the connection is to be cut."""
        if fault is Fault.CUT:
            return False
        if fault in {Fault.ERROR_500, Fault.ERROR_503, Fault.ERROR_429}:
            return await _refuse(writer, _STATUS[fault])
        if fault is Fault.DELAY:
            await asyncio.sleep(self.delay_seconds)
        answer = await self._forward(request)
        if fault is Fault.REPEAT:
            answer = await self._forward(request)
        if fault is Fault.CUT_AFTER:
            return False
        if fault is Fault.ERROR_500_AFTER:
            return await _refuse(writer, _STATUS[fault])
        if fault is Fault.CUT_WITHIN:
            answer = answer[: len(answer) // 2]
        writer.write(answer)
        await writer.drain()
        return fault is not Fault.CUT_WITHIN

    async def _forward(self, request: Request) -> bytes:
        reader, writer = await asyncio.open_connection(*self.upstream, limit=2**20)
        try:
            writer.write(request.head + request.body)
            await writer.drain()
            return await _answer(reader, bodiless=request.method == "HEAD")
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    headers = _headers(head)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
    return Request(method, target, head, await _body(reader, headers))


async def _answer(reader: asyncio.StreamReader, *, bodiless: bool) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 1"):  # 100 Continue: the client has had one from us
        head = await reader.readuntil(b"\r\n\r\n")
    status, headers = int(head.split(b" ", 2)[1]), _headers(head)
    if bodiless or status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return head
    if "content-length" in headers or "transfer-encoding" in headers:
        return head + await _body(reader, headers)
    return head + await reader.read()


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """The bytes of a body as they are on the wire, chunk marks included."""
    if "chunked" in headers.get("transfer-encoding", ""):
        parts = []
        while True:
            size = await reader.readuntil(b"\r\n")
            length = int(size.split(b";")[0], 16)
            parts += [size, await reader.readexactly(length + 2)]
            if length == 0:
                return b"".join(parts)
    return await reader.readexactly(int(headers.get("content-length", 0)))


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, value in pairs}


async def _refuse(writer: asyncio.StreamWriter, status: HTTPStatus) -> bool:
    body = b'{"error": {"message": "from the proxy", "type": "Broken", "code": 1}}'
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(head.encode() + b"\r\n\r\n" + body)
    await writer.drain()
    return True


class WireProxy(_Server):
    """Carries bytes both ways.

    Attributes:
        delay_seconds: before each piece that is passed on.
        cut_after_bytes: a connection is cut once the client has sent so many bytes; None: never.
    """

    def __init__(self, host: str, port: int) -> None:
        self.delay_seconds = 0.0
        self.cut_after_bytes: int | None = None
        super().__init__(host, port)

    def be_faithful(self) -> None:
        self.delay_seconds, self.cut_after_bytes = 0.0, None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self.upstream)
        ways = [
            asyncio.create_task(self._carry(reader, up_writer, self.cut_after_bytes)),
            asyncio.create_task(self._carry(up_reader, writer, None)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
                with suppress(*_LOST, asyncio.CancelledError):
                    await way
            up_writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> None:
        carried = 0
        while piece := await reader.read(_CHUNK):
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            carried += len(piece)
            if most is not None and carried > most:
                return
            writer.write(piece)
            await writer.drain()
