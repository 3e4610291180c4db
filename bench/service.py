"""The API of a service with a million files, asked by 16 clients at once: how long each route takes to answer."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from autoloader.ledger import tokens
from autoloader.ledger.database import connect, transaction
from autoloader.model import DEFAULT_TENANT, Scope
from contestants import HERE
from million import fill
from routes import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from contestants import Arena

SERVICE = "service"
CLIENTS = 16


class ServiceFailed(Exception):  # noqa: N818  named for what happened
    """The service did not start, or answered a client with an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured."""

    files: int = 1_000_000
    warm_up_seconds: float = 5
    seconds: float = 60


QUICK = Size(files=50_000, warm_up_seconds=2, seconds=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What one route gave.

    Attributes:
        p50_seconds: half of the answers came within this time.
        p99_seconds: all but one in a hundred.
    """

    route: str
    requests: int
    p50_seconds: float
    p99_seconds: float


def answers_of(route: str, taken: list[float]) -> Answers:
    """The figures of a route from the seconds that each of its answers took."""
    ranked = sorted(taken)
    return Answers(
        route=route, requests=len(ranked), p50_seconds=percentile(ranked, 50), p99_seconds=percentile(ranked, 99)
    )


def percentile(ranked: list[float], percent: int) -> float:
    """The smallest value such that so many percent of all are not larger."""
    return ranked[math.ceil(len(ranked) * percent / 100) - 1]


def ask(arena: Arena, size: Size) -> list[Answers]:
    """Fill a ledger, serve it by ``autoloader serve``, let the clients ask, and tell how long the answers took."""
    print(f"\nAPI: a ledger with {size.files:,} files …", flush=True)
    began = time.perf_counter()
    attempt = arena.service(SERVICE)
    url = attempt.environment["AUTOLOADER_DATABASE_URL"]
    fill(url, size.files)
    print(f"  filled in {time.perf_counter() - began:.0f} s", flush=True)
    token = _token(url)
    with _serving(attempt.command, attempt.environment) as address:
        taken = _asked(address, token, url, size)
    arena.clear(attempt)
    found = [answers_of(route, seconds) for route, seconds in sorted(taken.items())]
    for each in found:
        figures = f"p50 {each.p50_seconds * 1000:6.1f} ms  p99 {each.p99_seconds * 1000:6.1f} ms"
        print(f"  {each.route:<45} {each.requests:>6}  {figures}", flush=True)
    return found


@contextmanager
def _serving(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[str]:
    """The address of a service that runs while the block goes on."""
    with subprocess.Popen(command, env=dict(environment), stderr=subprocess.PIPE, text=True) as process:
        if process.stderr is None:
            raise ServiceFailed("it has no stderr")
        said = process.stderr.readline()
        if not said.startswith("Serving "):
            process.terminate()
            raise ServiceFailed(said + process.stderr.read())
        try:
            yield said.split()[-1]
        finally:
            process.terminate()
            process.stderr.read()


def _token(url: str) -> str:
    database = connect(url)
    try:
        with transaction(database) as connection:
            return tokens.create(connection, DEFAULT_TENANT, "bench", Scope.OPERATE)[1]
    finally:
        database.dispose()


def _asked(address: str, token: str, url: str, size: Size) -> dict[str, list[float]]:
    """The clients are a process of their own: what they do must not slow down the service."""
    place = urlsplit(address)
    plan = {
        "host": place.hostname,
        "port": place.port,
        "token": token,
        "clients": CLIENTS,
        "warm_up_seconds": size.warm_up_seconds,
        "seconds": size.seconds,
        "requests": requests(url),
    }
    clients = [sys.executable, str(HERE / "clients.py")]
    done = subprocess.run(clients, input=json.dumps(plan), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceFailed(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
