"""The HTTP API: routes over the same use cases as the command line.

    request ─▶ Timed ─▶ Limited ─▶ route ─▶ told, in a thread: a caller with a tenant and a scope ─▶ use case ─▶ JSON
                                     └─ any error ─▶ problems: one table from error to status

Handlers are plain functions; ``told`` runs them in threads. They do no work that takes long: a run is queued for
workers; a preview or a test of a connection is bounded in time and bytes (``trying``).
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from typing_extensions import override

from autoloader import __version__
from autoloader.api import files, health, ingestions, loads, problems, rejects, runs, trying, validations, verifications
from autoloader.api.callers import Remembered
from autoloader.api.documents import DESCRIPTION, document
from autoloader.api.figures import Figures, Timed
from autoloader.api.limits import Limited
from autoloader.api.told import PREFIX, set_limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import APIRouter

    from autoloader.runtime import Runtime

ROUTERS: tuple[APIRouter, ...] = (
    trying.router,  # before ingestions: its fixed names must not be taken for ids
    ingestions.router,
    runs.router,
    files.router,
    rejects.router,
    validations.router,
    verifications.router,
    loads.router,
    health.router,
)
TAGS = [
    {"name": "ingestions", "description": "What to load, from where, into which table."},
    {"name": "looking", "description": "Look before you load: nothing is written."},
    {"name": "runs", "description": "One run is one trigger of an ingestion; workers do the job."},
    {"name": "files", "description": "What became of every file, and why."},
    {"name": "rejects", "description": "Bad records that their files were loaded without."},
    {
        "name": "validations",
        "description": "What would become of the files that wait? A worker reads them and writes nothing.",
    },
    {
        "name": "verifications",
        "description": "Do the bucket, the ledger and the table say the same? A worker compares.",
    },
    {"name": "loads", "description": "Loads whose worker fell silent: recovery settles them, or a person does."},
    {"name": "health", "description": "For those who watch the service; no token is asked for."},
]


class Api(FastAPI):
    """The application, which knows how to describe itself."""

    @override
    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            self.openapi_schema = document(self, ROUTERS)
        return self.openapi_schema


@asynccontextmanager
async def _serving(_api: FastAPI) -> AsyncIterator[None]:
    set_limits()
    yield


def application() -> Api:
    """The routes, with nothing behind them yet."""
    api = Api(
        title="Autoloader",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_serving,
        # Not by include_router: of a router that is included FastAPI tries every route twice for each request.
        routes=[route for router in ROUTERS for route in router.routes],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    problems.install(api)
    api.state.figures = Figures()
    api.state.remembered = Remembered()
    api.add_middleware(Limited)
    api.add_middleware(Timed, figures=api.state.figures)
    return api


def create_app(runtime: Runtime) -> Api:
    """The application that answers from this runtime.

    Args:
        runtime: opened and closed by the caller.
    """
    api = application()
    api.state.runtime = runtime
    return api
