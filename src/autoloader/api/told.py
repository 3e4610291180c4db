"""How a route answers: in one thread, from who asks to the bytes of the answer.

FastAPI by itself would change threads for each dependency, for the handler and for the check of what the handler gave
against the answer it is declared to be. With many clients at once these changes take longer than the work.
"""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from autoloader.api.callers import Asking

Handler = Callable[..., BaseModel | Response | None]


class Told(APIRoute):
    """A route whose handler is a plain function that gives an answer, a response, or nothing."""

    def __init__(self, path: str, endpoint: Handler, *, status_code: int | None = None, **more: Any) -> None:  # noqa: ANN401  FastAPI's own
        super().__init__(path, _in_one_thread(endpoint, status_code), status_code=status_code, **more)


def _in_one_thread(handler: Handler, status_code: int | None) -> Callable[..., Response]:
    @wraps(handler)
    def told(**given: Any) -> Response:  # noqa: ANN401  what the handler takes
        proved = {name: value.caller() if isinstance(value, Asking) else value for name, value in given.items()}
        made = handler(**proved)
        return made if isinstance(made, Response) else _response(made, status_code, given.get("response"))

    return told


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
