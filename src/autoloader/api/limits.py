"""No body is larger than a limit: a larger one is refused before it is in memory."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autoloader.api.problems import answer, of_status

MOST_BYTES = 1024 * 1024


class Limited:
    """Refuses bodies that are too large, said so or not.

    Args:
        app: what answers.
        most_bytes: of a body.
    """

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BYTES) -> None:
        self._app = app
        self._most = most_bytes
        self._detail = f"the body is larger than {most_bytes} bytes"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what it brings."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = Headers(scope=scope).get("content-length", "0")
        if said.isdecimal() and int(said) > self._most:
            refusal = answer(of_status(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._detail), {"Connection": "close"})
            await refusal(scope, receive, send)
            return
        came = 0

        async def counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._most:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._detail)
            return message

        await self._app(scope, counted, send)
