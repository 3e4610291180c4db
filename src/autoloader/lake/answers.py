"""What an answer of the catalog or of the table's storage means: the libraries' exceptions become ours here.

A commit has three answers, not two: it landed, it was refused, or nobody knows (a timeout, a 5xx, a lost connection).
The third is never read as one of the others.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar, cast

from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg.exceptions import (
    AuthorizationExpiredError,
    BadRequestError,
    CommitFailedException,
    CommitStateUnknownException,
    ForbiddenError,
    NoSuchNamespaceError,
    NoSuchTableError,
    OAuthError,
    RESTError,
    ServerError,
    ServiceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
)
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, RequestException, SSLError
from sqlalchemy.exc import DBAPIError
from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay
from tenacity.wait import wait_random_exponential

from autoloader.errors import AutoloaderError, CatalogMisconfigured, CatalogUnavailable, LakeError, TableMismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from pyiceberg.table import Table
    from pyiceberg.table.update import TableRequirement, TableUpdate

T = TypeVar("T")

_NAME_REFUSED = re.compile(r"(namespace|table) name")
_NAME_RULE = (
    "the embedded catalog takes lower-case letters, digits, '_' and '-', and a name begins with a letter or digit "
    "(a database also ends with one)"
)
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[LakeError], str], ...] = (
    (
        (UnauthorizedError, ForbiddenError, OAuthError, AuthorizationExpiredError),
        CatalogMisconfigured,
        "The catalog refused the credentials while {doing}: {error}. Check the catalog's credential or token.",
    ),
    ((NoSuchTableError, NoSuchNamespaceError), TableMismatch, "The table is not there, while {doing}: {error}."),
    (
        (MissingSchema, InvalidSchema, InvalidURL, SSLError),
        CatalogMisconfigured,
        "The catalog's uri does not work, while {doing}: {error}.",
    ),
    (
        (
            CommitFailedException,
            ServerError,
            ServiceUnavailableError,
            TooManyRequestsError,
            CommitStateUnknownException,
            RequestException,
            DBAPIError,
            BotoCoreError,
            ClientError,
        ),
        CatalogUnavailable,
        "No clear answer from the catalog while {doing}: {error}. Try again.",
    ),
    ((RESTError,), CatalogMisconfigured, "The catalog refused the request while {doing}: {error}."),
    (
        (PermissionError,),
        CatalogMisconfigured,
        "The table's storage denied access while {doing}: {error}. Check the keys in the catalog's properties.",
    ),
    ((OSError,), CatalogUnavailable, "The table's storage failed while {doing}: {error}. Try again."),
)


class Answer(StrEnum):
    """What became of one commit, as far as its sender can know."""

    LANDED = "landed"
    REFUSED = "refused"
    UNCLEAR = "unclear"


def meaning(error: Exception, doing: str) -> AutoloaderError | None:
    """Our error for an exception of a library, or None when it is none that a catalog or a storage raises.

    Args:
        error: as raised by PyIceberg or by what it stands on.
        doing: what was being done, to which thing, to follow "while" (``opening the catalog 'lake'``).
    """
    if isinstance(error, AutoloaderError):
        return error
    if isinstance(error, BadRequestError) and _NAME_REFUSED.search(str(error)):
        return CatalogMisconfigured(f"The catalog does not take a name, while {doing}: {_NAME_RULE}.")
    if isinstance(error, OSError) and "ACCESS_DENIED" in str(error):  # pyarrow says so only in words, late
        error = PermissionError(str(error))
    for kinds, ours, text in _MEANINGS:
        if isinstance(error, kinds):
            return ours(text.format(doing=doing, error=error))
    return None


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise our errors in place of the libraries'.

    Raises:
        CatalogUnavailable: no answer, a 5xx, throttled; trying again can help.
        CatalogMisconfigured: refused credentials, a wrong address, a name or request the catalog does not take.
        TableMismatch: the table or its namespace is not there.
    """
    try:
        yield
    except Exception as error:
        ours = meaning(error, doing)
        if ours is None or ours is error:
            raise
        raise ours from error


def send(table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]) -> Answer:
    """Send one commit, once, and say what is known of it.

    ``commit_table`` is one attempt by nature: PyIceberg's commit retry lives above it, in ``Transaction``. Two repeats
    are left below it: after a 401 or 419 the REST catalog renews its token and sends the same bytes again, and an
    adapter may repeat a connect that never reached the server. Neither can land a load twice: both copies assert that
    main is still at the same base, the first that lands moves main, and the second is refused. That is also why REFUSED
    alone proves nothing: the refused one may be the second copy. Every caller looks at the table next.

    Raises:
        CatalogMisconfigured: the catalog says that it will not take this commit from us at all.
        TableMismatch: the table was dropped.
    """
    try:
        table.catalog.commit_table(table, requirements, updates)
    except CommitFailedException:
        return Answer.REFUSED
    except ValueError:  # a 200 whose body is not a commit's: something between us and the catalog answered
        return Answer.UNCLEAR
    except Exception as error:
        ours = meaning(error, f"committing to {'.'.join(table.name())}")
        if ours is None:
            raise
        if ours.retryable:
            return Answer.UNCLEAR
        raise ours from error
    return Answer.LANDED


def until_clear(step: Callable[[], T | Answer], doing: str, patience: timedelta) -> T:
    """Repeat ``step`` with growing, jittered pauses until it returns something other than an Answer.

    Raises:
        CatalogUnavailable: ``patience`` is over. What was sent may still land: only a fence settles it.
    """
    retrying = Retrying(
        retry=retry_if_result(lambda result: isinstance(result, Answer)) | retry_if_exception_type(CatalogUnavailable),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        stop=stop_after_delay(patience.total_seconds()),
    )
    try:
        return cast("T", retrying(step))
    except RetryError as error:
        last = error.last_attempt.exception() or "other commits came first each time, or no answer was clear"
        raise CatalogUnavailable(f"Gave up {doing} after {patience.total_seconds():.0f} s: {last}") from error
