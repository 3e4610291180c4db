"""The API of a service with a million files, asked by 16 clients at once: how long each route takes to answer."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from autoloader.ledger import tokens
from autoloader.ledger.database import connect, transaction
from autoloader.model import DEFAULT_TENANT, Scope
from contestants import HERE
from million import fill
from routes import Request, requests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from contestants import Arena, Attempt

SERVICE = "service"
CLIENTS = 16
EVERY_SECONDS = 0.1
"""The pace of a client: a dashboard that is looked at, or a script, asks no faster."""
FLAT_OUT = "every route, each client asking again at once"


class ServiceFailed(Exception):  # noqa: N818  named for what happened
    """The service did not start, or answered a client with an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        seconds: with clients that keep their pace.
        flat_out_seconds: then with clients that ask again at once.
    """

    files: int = 1_000_000
    warm_up_seconds: float = 5
    seconds: float = 60
    flat_out_seconds: float = 20


QUICK = Size(files=50_000, warm_up_seconds=2, seconds=10, flat_out_seconds=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What one route gave.

    Attributes:
        p50_seconds: half of the answers came within this time.
        p99_seconds: all but one in a hundred.
        per_second: how many came in a second.
    """

    route: str
    requests: int
    per_second: float
    p50_seconds: float
    p99_seconds: float


@dataclass(frozen=True, slots=True)
class _Service:
    """A service that runs, and what can be asked of it."""

    address: str
    token: str
    requests: list[Request]


def answers_of(route: str, taken: Iterable[float], seconds: float) -> Answers:
    """The figures of a route from the seconds that each of its answers took, all of them in so many seconds."""
    ranked = sorted(taken)
    return Answers(
        route=route,
        requests=len(ranked),
        per_second=len(ranked) / seconds,
        p50_seconds=percentile(ranked, 50),
        p99_seconds=percentile(ranked, 99),
    )


def percentile(ranked: list[float], percent: int) -> float:
    """The smallest value such that so many percent of all are not larger."""
    return ranked[math.ceil(len(ranked) * percent / 100) - 1]


def ask(arena: Arena, size: Size) -> list[Answers]:
    """Fill a ledger, serve it by ``autoloader serve``, let the clients ask, and tell how long the answers took."""
    print(f"\nAPI: a ledger with {size.files:,} files …", flush=True)
    attempt = arena.service(SERVICE)
    try:
        found = _found(attempt, size)
    finally:
        arena.clear(attempt)
    for each in found:
        figures = f"p50 {each.p50_seconds * 1000:6.1f} ms  p99 {each.p99_seconds * 1000:6.1f} ms"
        print(f"  {each.route:<45} {each.requests:>6}  {figures}", flush=True)
    return found


def _found(attempt: Attempt, size: Size) -> list[Answers]:
    """Every route at the clients' pace, then all of them together flat out."""
    began = time.perf_counter()
    url = attempt.environment["AUTOLOADER_DATABASE_URL"]
    fill(url, size.files)
    print(f"  filled in {time.perf_counter() - began:.0f} s", flush=True)
    token = _token(url)
    with _serving(attempt.command, attempt.environment) as address:
        service = _Service(address, token, requests(url))
        paced = _asked(service, size.warm_up_seconds, size.seconds, EVERY_SECONDS)
        flat_out = _asked(service, size.warm_up_seconds, size.flat_out_seconds, 0)
    together = chain.from_iterable(flat_out.values())
    return [
        *(answers_of(route, taken, size.seconds) for route, taken in sorted(paced.items())),
        answers_of(FLAT_OUT, together, size.flat_out_seconds),
    ]


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


def _asked(service: _Service, warm_up_seconds: float, seconds: float, every_seconds: float) -> dict[str, list[float]]:
    """The seconds that every answer took, by route.

    The clients are a process of their own: what they do must not slow down the service.
    """
    place = urlsplit(service.address)
    plan = {
        "host": place.hostname,
        "port": place.port,
        "token": service.token,
        "clients": CLIENTS,
        "every_seconds": every_seconds,
        "warm_up_seconds": warm_up_seconds,
        "seconds": seconds,
        "requests": service.requests,
    }
    clients = [sys.executable, str(HERE / "clients.py")]
    done = subprocess.run(clients, input=json.dumps(plan), capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceFailed(done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
