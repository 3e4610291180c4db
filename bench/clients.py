"""Clients of the API in one process, each at a pace of its own or as fast as the answers come.

At a pace a time counts from the instant at which the request was due: a slow answer also delays the next ones, and
that must not hide (coordinated omission).

Reads what to do as JSON from stdin and writes JSON to stdout: the seconds that each answer took, by route. It speaks
HTTP over bare sockets, as a client library would take more of the processor than the service that is measured.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

SEED = 7


@dataclass
class Measuring:
    """What the clients share.

    Attributes:
        requests: route, method and target of each.
        every_seconds: from one request of a client to its next; 0: it sends the next when it has the answer.
        begins, ends: by the monotonic clock; answers that were asked for before or come after do not count.
        taken: seconds of each answer by route.
    """

    host: str
    port: int
    token: str
    clients: int
    requests: list[tuple[str, str, str]]
    every_seconds: float
    begins: float
    ends: float
    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


class UnexpectedAnswer(Exception):  # noqa: N818  named for what came
    """The service answered with another status than 200 or 202."""


class Client:
    """One client with one connection."""

    def __init__(self, measuring: Measuring, number: int) -> None:
        self._measuring = measuring
        # The clients begin one after another, not all at the same instant.
        self._due = time.monotonic() + measuring.every_seconds * number / measuring.clients
        self._order = random.Random(SEED + number)
        self._headers = f"Host: {measuring.host}\r\nAuthorization: Bearer {measuring.token}\r\n"

    async def run(self) -> None:
        """Send requests until the time is over."""
        self._reader, self._writer = await asyncio.open_connection(self._measuring.host, self._measuring.port)
        requests = list(self._measuring.requests)
        while time.monotonic() < self._measuring.ends:
            self._order.shuffle(requests)
            for route, method, target in requests:
                body = await self._ask(route, method, target)
                if method == "POST":
                    await self._ask("POST /runs/{id}/cancel", "POST", f"/api/v1/runs/{json.loads(body)['id']}/cancel")
                if time.monotonic() >= self._measuring.ends:
                    break
        self._writer.close()

    async def _ask(self, route: str, method: str, target: str) -> bytes:
        length = "Content-Length: 0\r\n" if method == "POST" else ""
        began = await self._turn()
        self._writer.write(f"{method} {target} HTTP/1.1\r\n{self._headers}{length}\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        body = await self._reader.readexactly(_length(head))
        ended = time.monotonic()
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
            raise UnexpectedAnswer(f"{method} {target}: {head[:40]!r} {body[:500]!r}")
        if began >= self._measuring.begins and ended <= self._measuring.ends:
            self._measuring.taken[route].append(ended - began)
        return body

    async def _turn(self) -> float:
        """Wait until the next request is due; the instant it was due at."""
        if not self._measuring.every_seconds:
            return time.monotonic()
        due, self._due = self._due, self._due + self._measuring.every_seconds
        await asyncio.sleep(max(due - time.monotonic(), 0))
        return due


def _length(head: bytes) -> int:
    lower = head.lower()
    begin = lower.index(b"content-length:") + len(b"content-length:")
    return int(lower[begin : lower.index(b"\r", begin)])


async def measured(plan: dict[str, Any]) -> dict[str, list[float]]:
    """Run the clients of a plan."""
    begins = time.monotonic() + plan["warm_up_seconds"]
    measuring = Measuring(
        host=plan["host"],
        port=plan["port"],
        token=plan["token"],
        clients=plan["clients"],
        requests=[(route, method, target) for route, method, target in plan["requests"]],
        every_seconds=plan["every_seconds"],
        begins=begins,
        ends=begins + plan["seconds"],
    )
    await asyncio.gather(*(Client(measuring, number).run() for number in range(measuring.clients)))
    return measuring.taken


if __name__ == "__main__":
    json.dump(asyncio.run(measured(json.load(sys.stdin))), sys.stdout)
