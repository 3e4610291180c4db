"""Clients of the API in one process: each sends its next request when it has the answer to the one before.

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
        begins, ends: by the monotonic clock; answers that were asked for before or come after do not count.
        taken: seconds of each answer by route.
    """

    host: str
    port: int
    token: str
    requests: list[tuple[str, str, str]]
    begins: float
    ends: float
    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


class UnexpectedAnswer(Exception):  # noqa: N818  named for what came
    """The service answered with another status than 200 or 202."""


class Client:
    """One client with one connection."""

    def __init__(self, measuring: Measuring, number: int) -> None:
        self._measuring = measuring
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
        began = time.monotonic()
        self._writer.write(f"{method} {target} HTTP/1.1\r\n{self._headers}{length}\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        body = await self._reader.readexactly(_length(head))
        ended = time.monotonic()
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
            raise UnexpectedAnswer(f"{method} {target}: {head[:40]!r} {body[:500]!r}")
        if began >= self._measuring.begins and ended <= self._measuring.ends:
            self._measuring.taken[route].append(ended - began)
        return body


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
        requests=[(route, method, target) for route, method, target in plan["requests"]],
        begins=begins,
        ends=begins + plan["seconds"],
    )
    await asyncio.gather(*(Client(measuring, number).run() for number in range(plan["clients"])))
    return measuring.taken


if __name__ == "__main__":
    json.dump(asyncio.run(measured(json.load(sys.stdin))), sys.stdout)
