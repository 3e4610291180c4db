"""Who asks: every route says which scope it needs, and gets the caller with their tenant."""

import hashlib
import time
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from autoloader.access import Caller, Scope, authenticate
from autoloader.errors import NotAllowed, NotAuthenticated
from autoloader.ledger.database import connected
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


class Remembered:
    """Callers who were found out a moment ago, by the hash of their tokens.

    A client that asks again and again is looked up once a second. So a revoked token opens nothing after a second.
    """

    def __init__(self, seconds: float = 1.0, most: int = 10_000) -> None:
        self._seconds = seconds
        self._most = most
        self._callers: dict[bytes, tuple[Caller, float]] = {}

    def find(self, bearer: str) -> Caller | None:
        """The caller with this token, if they were found out less than a second ago."""
        caller, until = self._callers.get(_key(bearer), (None, 0.0))
        return caller if time.monotonic() < until else None

    def keep(self, bearer: str, caller: Caller) -> None:
        """Note who has this token."""
        if len(self._callers) >= self._most:
            self._callers = {}
        self._callers[_key(bearer)] = caller, time.monotonic() + self._seconds


def _key(bearer: str) -> bytes:
    return hashlib.sha256(bearer.encode("utf-8", "surrogateescape")).digest()


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody who asks for something that takes a scope; who it is, the ledger is yet to be asked."""

    request: Request
    runtime: Runtime
    bearer: str | None
    scope: Scope

    def caller(self) -> Caller:
        """Find out who asks.

        Raises:
            NotAuthenticated: no token although there are some, or one that is not known.
            NotAllowed: its scope does not reach that far, or a web page of another origin asks where no token is.
        """
        if self.bearer is None and "authorization" in self.request.headers:
            raise NotAuthenticated("the Authorization header is not `Bearer` and a token")
        caller = self._found_out()
        caller.require(self.scope)
        return caller

    def _found_out(self) -> Caller:
        remembered: Remembered = self.request.app.state.remembered
        known = None if self.bearer is None else remembered.find(self.bearer)
        if known is not None:
            return known
        with connected(self.runtime.database) as connection:
            caller = authenticate(connection, self.bearer)
        if self.bearer is None:
            _refuse_web_pages(self.request)
        else:
            remembered.keep(self.bearer, caller)
        return caller


@dataclass(frozen=True, slots=True)
class Allowed:
    """A dependency that stands for the caller, who has at least this scope.

    ``Told`` puts the caller in its place in the thread of the handler; where what was sent is not valid, and there is
    no handler to call, ``problems`` asks for the caller first.
    """

    scope: Scope

    async def __call__(
        self,
        request: Request,
        runtime: Parts,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> Asking:
        """Note what there is to find out."""
        token = None if credentials is None else credentials.credentials
        asking = Asking(request, runtime, token, self.scope)
        request.state.asking = asking
        return asking


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
