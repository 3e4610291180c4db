"""Requests to a service: with the token, again where that is safe, and every failure as one clear sentence."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import httpx
from tenacity import Retrying, retry_if_exception, retry_if_result, stop_after_delay, wait_random_exponential

from autoloader.control.refusals import PASSING, error_of
from autoloader.control.told import part
from autoloader.errors import ServiceError, ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from tenacity import RetryCallState

API = "/api/v1"
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
"""Seconds; a preview may take half a minute."""
PATIENCE = timedelta(seconds=3)
"""How long a service may be away before a person is told."""
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout)
"""The service cannot have had the request."""
MOST_ITEMS = 1000
NOTHING: Mapping[str, object] = {}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Wire:
    """Asks one service; a context manager that closes its connections.

    Args:
        url: of the service, with or without ``/api/v1``.
        token: sent with every request; None where the service asks for none.

    Raises:
        UsageError: the address or the token cannot be one.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self.url = _address(url)
        self._http = httpx.Client(
            base_url=self.url + API,
            headers={} if token is None else {"Authorization": _bearer(token)},
            timeout=TIMEOUT,
            # A proxy of the environment does not lead back to this machine.
            trust_env=httpx.URL(self.url).host not in LOOPBACK,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, asked: Mapping[str, object] = NOTHING, *, patience: timedelta = PATIENCE) -> Any:  # noqa: ANN401  any JSON
        """What the service has at ``path``.

        Args:
            asked: the query; None is left out.
            patience: how long the service may be away.
        """
        query = {name: str(value) for name, value in asked.items() if value is not None}
        request = self._http.build_request("GET", path, params=query)
        return self._told(self._answer(request, patience, repeatable=True))

    def pages(self, path: str, asked: Mapping[str, object] = NOTHING, at_most: int | None = None) -> Iterator[Any]:
        """The items of a list, page after page, and no more of them than ``at_most``."""
        cursor, left = None, at_most
        while left is None or left > 0:
            limit = MOST_ITEMS if left is None else min(left, MOST_ITEMS)
            page = self.get(path, {**asked, "limit": limit, "cursor": cursor})
            items = part(page, "items")
            yield from items
            cursor, left = part(page, "next_cursor"), None if left is None else left - len(items)
            if cursor is None:
                return

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Any:  # noqa: ANN401  any JSON
        """Ask the service to do something; its answer.

        Args:
            repeatable: whether doing it twice is the same as doing it once. Otherwise it is sent again only where the
                service cannot have had it.
        """
        request = self._http.build_request(method, path, json=body, headers=headers)
        return self._told(self._answer(request, PATIENCE, repeatable=repeatable))

    def _answer(self, request: httpx.Request, patience: timedelta, *, repeatable: bool) -> httpx.Response:
        """The first answer that is not that of a service which is away for a moment, or the last one."""

        def lost(error: BaseException) -> bool:
            return isinstance(error, UNSENT) or (repeatable and isinstance(error, httpx.TransportError))

        def away(response: httpx.Response) -> bool:
            return repeatable and response.status_code in PASSING

        retrying = Retrying(
            retry=retry_if_exception(lost) | retry_if_result(away),
            stop=stop_after_delay(patience),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            retry_error_callback=_last,
        )
        try:
            return retrying(self._http.send, request)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _told(self, response: httpx.Response) -> Any:  # noqa: ANN401  any JSON
        if not response.is_success:
            raise error_of(response)
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        try:
            return response.json()
        except ValueError:
            raise ServiceError(
                f"{self.url} does not answer as an Autoloader service: check --url or AUTOLOADER_URL"
            ) from None

    def _unreachable(self, error: httpx.TransportError) -> ServiceUnavailable:
        reason = str(error) or type(error).__name__
        if not isinstance(error, UNSENT):
            return ServiceUnavailable(
                f"the service at {self.url} gave no answer ({reason}): it may have done what was asked, or not. "
                "Look, then try again."
            )
        return ServiceUnavailable(
            f"the service at {self.url} cannot be reached ({reason}): check that it runs (`autoloader serve`), and "
            "--url or AUTOLOADER_URL"
        )


def _last(state: RetryCallState) -> httpx.Response:
    """What the last try gave: its answer, or its error."""
    if state.outcome is None:
        raise ServiceError("the service was never asked: report this as a bug")
    response: httpx.Response = state.outcome.result()
    return response


def _address(url: str) -> str:
    """Where the service is, without the path of its API."""
    try:
        given = httpx.URL(url.strip())
    except httpx.InvalidURL:
        given = httpx.URL()
    if given.scheme not in {"http", "https"} or not given.host or given.query or given.fragment or given.userinfo:
        raise UsageError("--url: write the address of a service, such as http://127.0.0.1:8080", field="--url")
    return str(given).rstrip("/").removesuffix(API).rstrip("/")


def _bearer(token: str) -> str:
    """A token that a header may hold; what is wrong with another one is said without it."""
    if re.fullmatch("[!-~]+", token) is None:
        raise UsageError("the token holds a character that none has: check AUTOLOADER_TOKEN", field="--token")
    return f"Bearer {token}"
