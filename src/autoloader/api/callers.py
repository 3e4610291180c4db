"""Who asks: every route says which scope it needs, and gets the caller with their tenant."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from autoloader.access import Caller, Scope, authenticate
from autoloader.errors import NotAllowed, NotAuthenticated
from autoloader.ledger.database import transaction
from autoloader.runtime import Runtime

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

bearer = HTTPBearer(
    auto_error=False, description="An API token, as `autoloader token create` prints it once.", scheme_name="token"
)


async def _runtime_of(request: Request) -> Runtime:
    """Asynchronous, though it waits for nothing: a plain function would cost a change of threads."""
    runtime: Runtime = request.app.state.runtime
    return runtime


Parts = Annotated[Runtime, Depends(_runtime_of)]


@dataclass(frozen=True, slots=True)
class Allowed:
    """A dependency that gives the caller, who has at least this scope."""

    scope: Scope

    def __call__(
        self,
        request: Request,
        runtime: Parts,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> Caller:
        """Find out who asks.

        Raises:
            NotAuthenticated: no token although there are some, or one that is not known.
            NotAllowed: its scope does not reach that far, or a web page of another origin asks where no token is.
        """
        if credentials is None and "authorization" in request.headers:
            raise NotAuthenticated("the Authorization header is not `Bearer` and a token")
        with transaction(runtime.database) as connection:
            caller = authenticate(connection, None if credentials is None else credentials.credentials)
        if credentials is None:
            _refuse_web_pages(request)
        caller.require(self.scope)
        return caller


def _refuse_web_pages(request: Request) -> None:
    """On a service without tokens any page in the user's browser could act as the user; names give it away."""
    origin = request.headers.get("origin")
    named = {request.url.hostname, *([] if origin is None else [urlsplit(origin).hostname])}
    if not named <= LOOPBACK:
        raise NotAllowed(
            "a service without tokens answers to this machine's own names only: "
            "ask 127.0.0.1, or make a token with `autoloader token create`"
        )


Reader = Annotated[Caller, Depends(Allowed(Scope.READ))]
Operator = Annotated[Caller, Depends(Allowed(Scope.OPERATE))]
Admin = Annotated[Caller, Depends(Allowed(Scope.ADMIN))]
