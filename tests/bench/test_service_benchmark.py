"""The benchmark of the API: its arithmetic, and the clients against a real service with a small ledger."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from contestants import Arena
from million import IDLE, SHARES
from promises import service_verdicts
from report import Results, page, written
from service import Answers, Size, answers_of, ask, percentile

if TYPE_CHECKING:
    from pathlib import Path

    from autoloader.settings import Connections

MACHINE = {"date": "2024-01-15", "cores": "2", "memory": "4 GiB"}


def answers(route: str, p99_seconds: float) -> Answers:
    return Answers(route=route, requests=1200, p50_seconds=0.02, p99_seconds=p99_seconds)


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


def test_the_page_shows_every_route_and_the_promise() -> None:
    asked = [answers_of("GET /runs", [0.010, 0.020, 0.030]), answers("GET /files/{id}", 0.099)]
    measured = Results(figures=[], sizes={}, answers=asked)
    shown = page(measured, [], MACHINE)
    assert "| `GET /runs` | 3 | 20 ms | 30 ms |" in shown
    assert "| < 100 ms | 99 ms (GET /files/{id}) | yes |" in shown
    assert json.loads(written(measured, MACHINE))["answers"][0]["p99_seconds"] == 0.03
    assert "API" not in page(Results(figures=[], sizes={}), [], MACHINE).partition("## How")[0]


def test_the_clients_ask_every_route_of_a_real_service(connections: Connections, tmp_path: Path) -> None:
    found = ask(Arena(connections, tmp_path), Size(files=2_000, warm_up_seconds=0, seconds=8))
    routes = {each.route for each in found}
    assert len(SHARES) + IDLE == 20
    assert {"GET /metrics", "POST /ingestions/{id}/run", "POST /runs/{id}/cancel", "GET /files/{id}"} <= routes
    assert sum(route.startswith("GET …/files") for route in routes) == 14
    assert all(0 < each.p50_seconds <= each.p99_seconds for each in found)
    assert list(tmp_path.iterdir()) == []
