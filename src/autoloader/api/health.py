"""Whether the service lives, whether all it stands on answers, and its figures."""

import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.background import BackgroundTask

from autoloader.api import answers
from autoloader.api.callers import Parts
from autoloader.api.told import patient, routes
from autoloader.errors import AutoloaderError
from autoloader.runtime import Runtime

if TYPE_CHECKING:
    from autoloader.api.figures import Figures

router = routes("health", "")
SECONDS = 2.0


@router.get("/healthz", summary="Whether the process answers")
def healthz() -> answers.Alive:
    """Asks no other part: restart the process when this does not answer."""
    return answers.Alive()


@router.get(
    "/readyz",
    responses={503: {"model": answers.Readiness, "description": "A part is down: `parts` tells which, and why."}},
    summary="Whether every part answers",
)
@patient
def readyz(runtime: Parts, response: Response) -> answers.Readiness:
    """Asks the ledger, the catalogs and the default store, each for two seconds at most."""
    checks = dict(_checks(runtime))
    with ThreadPoolExecutor(max_workers=len(checks)) as pool:
        parts = list(pool.map(_asked, checks, checks.values()))
    ready = all(part.up for part in parts)
    response.status_code = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return answers.Readiness(ready=ready, parts=parts)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Figures."}},
    summary="Figures for Prometheus",
)
def metrics(request: Request, runtime: Parts) -> Response:
    """Files by status, backlog, rows, bytes, durations of runs and loads, retries, lease losses, request latency.

    Files are counted after a scrape, for the next one: `autoloader_counted_seconds` tells how long ago.
    """
    figures: Figures = request.app.state.figures
    scraped = figures.scraped(runtime)
    return Response(scraped, media_type=CONTENT_TYPE_LATEST, background=BackgroundTask(figures.count, runtime))


def _checks(runtime: Runtime) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "ledger", runtime.require_current_ledger
    for name, url in runtime.lake.addresses().items():
        yield name, partial(_answers, url)


def _answers(url: str) -> None:
    """Any answer will do: whether it is a pleasant one depends on credentials."""
    httpx.get(url, timeout=SECONDS, follow_redirects=False, verify=_trusted())


@cache
def _trusted() -> ssl.SSLContext:
    """Kept, as making one reads every certificate that this machine trusts."""
    return httpx.create_ssl_context()


def _asked(name: str, check: Callable[[], None]) -> answers.Part:
    try:
        check()
    except AutoloaderError as error:
        return answers.Part(name=name, up=False, reason=str(error))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return answers.Part(name=name, up=False, reason=f"it does not answer: {str(error) or type(error).__name__}")
    return answers.Part(name=name, up=True, reason=None)
