"""How a route answers: in one thread, from who asks to the bytes of the answer.

FastAPI by itself would change threads for each dependency, for the handler and for the check of what the handler gave
against the answer it is declared to be. With many clients at once these changes take longer than the work.

Only a few threads answer at a time: they share one interpreter, and the more of them want it, the longer each waits for
it after every question to the ledger. Handlers that may wait for a store, a catalog or a lock in the ledger
(``patient``) have threads of their own, so that nobody waits for them.
"""

from collections.abc import Callable, Coroutine
from functools import partial, wraps
from http import HTTPStatus
from typing import Any, TypeVar

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from anyio.to_thread import current_default_thread_limiter, run_sync
from fastapi import APIRouter, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from autoloader.api.callers import Asking

PREFIX = "/api/v1"
"""Of every path that is not for those who watch the service."""
QUICK_AT_ONCE, PATIENT_AT_ONCE = 4, 32

Handler = Callable[..., BaseModel | Response | None]
AnyHandler = TypeVar("AnyHandler", bound=Handler)
_patient: set[Handler] = set()
_patient_limiter: RunVar[CapacityLimiter] = RunVar("patient")


def patient(handler: AnyHandler) -> AnyHandler:
    """Mark a handler that may wait for others: for a store, a catalog, or whoever changes the same rows."""
    _patient.add(handler)
    return handler


def set_limits() -> None:
    """Set how many threads of the running event loop answer at a time."""
    current_default_thread_limiter().total_tokens = QUICK_AT_ONCE
    _patient_limiter.set(CapacityLimiter(PATIENT_AT_ONCE))


def routes(tag: str, prefix: str = PREFIX) -> APIRouter:
    """A router for the routes of one kind, which are told."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        route_class=Told,
        generate_unique_id_function=lambda route: f"{tag}_{route.name}",
    )


class Told(APIRoute):
    """A route whose handler is a plain function that gives an answer, a response, or nothing."""

    def __init__(self, path: str, endpoint: Handler, *, status_code: int | None = None, **more: Any) -> None:  # noqa: ANN401  FastAPI's own
        told = _in_one_thread(endpoint, status_code)
        chosen = _elsewhere(told) if endpoint in _patient else told
        super().__init__(path, chosen, status_code=status_code, **more)


def _in_one_thread(handler: Handler, status_code: int | None) -> Callable[..., Response]:
    @wraps(handler)
    def told(**given: Any) -> Response:  # noqa: ANN401  what the handler takes
        proved = {name: value.caller() if isinstance(value, Asking) else value for name, value in given.items()}
        made = handler(**proved)
        return made if isinstance(made, Response) else _response(made, status_code, given.get("response"))

    return told


def _elsewhere(told: Callable[..., Response]) -> Callable[..., Coroutine[Any, Any, Response]]:
    @wraps(told)
    async def waited_for(**given: Any) -> Response:  # noqa: ANN401  likewise
        return await run_sync(partial(told, **given), limiter=_patient_limiter.get())

    return waited_for


def _response(answer: BaseModel | None, status_code: int | None, begun: Response | None) -> Response:
    """The answer as JSON, with the status and the headers that the handler gave to ``begun``."""
    status = (begun and begun.status_code) or status_code or HTTPStatus.OK
    if answer is None:
        response = Response(status_code=status)
    else:
        written = answer.__pydantic_serializer__.to_json(answer, by_alias=True)
        response = Response(written, status_code=status, media_type="application/json")
    if begun is not None:
        response.headers.raw.extend(begun.headers.raw)
    return response
