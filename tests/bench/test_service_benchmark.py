"""The benchmark of the API: its arithmetic, and the clients against a real service with a small ledger."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from clients import measured
from contestants import Arena
from million import IDLE, SHARES
from promises import service_verdicts
from report import Results, page, written
from service import FLAT_OUT, Answers, Size, answers_of, ask, percentile

if TYPE_CHECKING:
    from pathlib import Path

    from autoloader.settings import Connections

SLOW_SECONDS = 0.05
MACHINE = {"date": "2024-01-15", "cores": "2", "memory": "4 GiB"}


def answers(route: str, p99_seconds: float) -> Answers:
    return Answers(route=route, requests=1200, per_second=20, p50_seconds=0.02, p99_seconds=p99_seconds)


@pytest.mark.parametrize(
    ("ranked", "percent", "expected"),
    [
        ([1.0], 99, 1.0),
        ([1.0, 2.0], 50, 1.0),
        ([float(n) for n in range(1, 101)], 99, 99.0),
        ([1.0, 2.0, 9.0], 99, 9.0),
    ],
)
def test_a_percentile_is_a_time_that_was_measured(ranked: list[float], percent: int, expected: float) -> None:
    assert percentile(ranked, percent) == expected


def test_the_slowest_route_decides_whether_the_promise_is_kept() -> None:
    quick, slow = answers("GET /runs", 0.05), answers("GET /files/{id}", 0.123)
    assert [(v.found, v.kept) for v in service_verdicts([quick])] == [("50 ms (GET /runs)", True)]
    assert [(v.found, v.kept) for v in service_verdicts([quick, slow])] == [("123 ms (GET /files/{id})", False)]
    assert service_verdicts([]) == []


def test_what_the_service_does_flat_out_is_told_and_not_promised() -> None:
    flat_out = answers(FLAT_OUT, 0.5)
    assert [v.kept for v in service_verdicts([answers("GET /runs", 0.05), flat_out])] == [True]
    shown = page(Results(figures=[], sizes={}, answers=[flat_out]), [], MACHINE)
    assert f"| {FLAT_OUT} | 1,200 | 20 | 20 ms | 500 ms |" in shown


def test_a_client_that_keeps_its_pace_counts_from_the_instant_its_request_was_due() -> None:
    """The service is slower than the clients ask: the wait of those that come too late is in their times."""
    paced = asyncio.run(asked_of_a_slow_service(every_seconds=0.01))
    flat_out = asyncio.run(asked_of_a_slow_service(every_seconds=0))
    assert min(flat_out) >= SLOW_SECONDS
    assert max(paced) > 0.5


async def asked_of_a_slow_service(*, every_seconds: float) -> list[float]:
    """What two clients measure in a second at a service that takes its time for each answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(SLOW_SECONDS)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        plan = {"host": host, "port": port, "token": "t", "clients": 2, "requests": [("GET /runs", "GET", "/runs")]}
        taken = await measured(plan | {"every_seconds": every_seconds, "warm_up_seconds": 0, "seconds": 1})
    return taken["GET /runs"]


def test_the_page_shows_every_route_and_the_promise() -> None:
    asked = [answers_of("GET /runs", [0.010, 0.020, 0.030], seconds=1), answers("GET /files/{id}", 0.099)]
    measured = Results(figures=[], sizes={}, answers=asked)
    shown = page(measured, [], MACHINE)
    assert "| `GET /runs` | 3 | 3 | 20 ms | 30 ms |" in shown
    assert "| < 100 ms | 99 ms (GET /files/{id}) | yes |" in shown
    assert json.loads(written(measured, MACHINE))["answers"][0]["p99_seconds"] == 0.03
    assert "API" not in page(Results(figures=[], sizes={}), [], MACHINE).partition("## How")[0]


def test_the_clients_ask_every_route_of_a_real_service(connections: Connections, tmp_path: Path) -> None:
    found = ask(Arena(connections, tmp_path), Size(files=2_000, warm_up_seconds=0, seconds=5, flat_out_seconds=2))
    routes = {each.route for each in found}
    assert len(SHARES) + IDLE == 20
    assert {"GET /metrics", "POST /ingestions/{id}/run", "POST /runs/{id}/cancel", "GET /files/{id}"} <= routes
    assert sum(route.startswith("GET …/files") for route in routes) == 14
    assert all(0 < each.p50_seconds <= each.p99_seconds for each in found)
    assert list(tmp_path.iterdir()) == []
