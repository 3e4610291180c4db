"""Looking before loading: test-connection and preview, for ingestions that are saved and for drafts that are not.

Both ask a bucket that may be slow, large, or not there at all. Whatever it does, the client has an answer in time: the
asking goes on in a thread of its own that is left to end by itself, and few of them may go on at once.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from datetime import date, datetime, time
from threading import BoundedSemaphore, Thread
from typing import Any, TypeVar

from fastapi import APIRouter

from autoloader import defining
from autoloader.access import Caller
from autoloader.api import answers
from autoloader.api.bodies import Id, NewIngestion
from autoloader.api.callers import Admin, Operator, Parts
from autoloader.api.documents import failing
from autoloader.api.ingestions import find, require_may_use
from autoloader.errors import NotKnown, SourceUnavailable
from autoloader.model import NewIngestion as Checked
from autoloader.objects.checking import check
from autoloader.objects.paths import parse_source_path
from autoloader.preview import Bounds, Preview, look
from autoloader.runtime import Runtime
from autoloader.schema import to_json

router = APIRouter(tags=["looking"])
BOUNDS = Bounds(listed=100_000, read_bytes=64 * 1024**2, seconds=15.0)
SECONDS = 25.0
AT_ONCE = 4
MOST_TEXT = 1000
TRYING = failing(SourceUnavailable)

Result = TypeVar("Result")
_turns = BoundedSemaphore(AT_ONCE)


@router.post("/ingestions/test-connection", responses=TRYING, summary="Test the connection of a draft")
def test_draft(body: NewIngestion, caller: Admin, runtime: Parts) -> answers.Connection:
    """List a page of the bucket and read the first byte of a file. Nothing is saved."""
    return _tested(runtime, _drafted(runtime, caller, body))


@router.post(
    "/ingestions/{ingestion_id}/test-connection",
    responses=TRYING | failing(NotKnown),
    summary="Test the connection of an ingestion",
)
def test_saved(ingestion_id: Id, caller: Operator, runtime: Parts) -> answers.Connection:
    """List a page of the bucket and read the first byte of a file."""
    return _tested(runtime, find(runtime, caller, ingestion_id))


@router.post("/ingestions/preview", responses=TRYING, summary="Preview a draft")
def preview_draft(body: NewIngestion, caller: Admin, runtime: Parts) -> answers.Preview:
    """What a run would do: schema, rows, matching files, what it would skip and why. Nothing is saved or written."""
    return _previewed(runtime, _drafted(runtime, caller, body))


@router.post("/ingestions/{ingestion_id}/preview", responses=TRYING | failing(NotKnown), summary="Preview an ingestion")
def preview_saved(ingestion_id: Id, caller: Operator, runtime: Parts) -> answers.Preview:
    """What a run would do: schema, rows, matching files, what it would skip and why. Nothing is written."""
    return _previewed(runtime, find(runtime, caller, ingestion_id))


def in_time(work: Callable[[], Result], seconds: float = SECONDS) -> Result:
    """What ``work`` gives, if it does so in time.

    Raises:
        SourceUnavailable: it does not, or too many others are waited for.
    """
    if not _turns.acquire(timeout=seconds):
        raise SourceUnavailable("too many previews and connection tests go on at once. Try again in a minute.")
    result: Future[Result] = Future()

    def carry_out() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001  whoever waits for the result raises it
            result.set_exception(error)
        finally:
            _turns.release()

    Thread(target=carry_out, name="looking", daemon=True).start()
    try:
        return result.result(timeout=seconds)
    except TooLate:
        raise SourceUnavailable(
            f"the store did not answer within {seconds:.0f} seconds: check endpoint_url and the network, then try again"
        ) from None


def _drafted(runtime: Runtime, caller: Caller, body: NewIngestion) -> Checked:
    draft = body.model_dump(by_alias=True)
    require_may_use(caller, draft)
    return dataclasses.replace(defining.define(draft, runtime.vault), tenant_id=caller.tenant_id)


def _tested(runtime: Runtime, ingestion: Checked) -> answers.Connection:
    def work() -> answers.Connection:
        with runtime.open_store(ingestion) as store:
            checked = check(store, parse_source_path(ingestion.source_path).prefix)
        return answers.Connection(listed=checked.listed, read=checked.read, message=str(checked))

    return in_time(work)


def _previewed(runtime: Runtime, ingestion: Checked) -> answers.Preview:
    def work() -> answers.Preview:
        with runtime.open_store(ingestion) as store:
            seen = look(store, runtime.embedded(), ingestion, BOUNDS)
        return _told(ingestion, seen)

    return in_time(work)


def _told(ingestion: Checked, seen: Preview) -> answers.Preview:
    return answers.Preview(
        schema_json=None if seen.schema is None else to_json(seen.schema),
        inferred=ingestion.schema_json is None and seen.schema is not None,
        sampled=seen.sampled,
        columns=list(seen.columns),
        rows=[[plain(value) for value in row] for row in seen.rows],
        matching=answers.Matching(files=seen.files, bytes=seen.bytes, complete=seen.complete),
        examples=[answers.SourceObject.of(each) for each in seen.examples],
        skipped=[answers.FileReason(path=path, reason=reason) for path, reason in seen.skipped],
        problems=[answers.FileReason(path=path, reason=reason) for path, reason in seen.problems],
    )


def plain(value: Any) -> Any:  # noqa: ANN401, PLR0911  any value of a row, one return for each kind
    """A value of a row as JSON can hold it; a long text is cut."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return value if len(value) <= MOST_TEXT else value[:MOST_TEXT] + "…"
        case bytes():
            return plain(value.hex())
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            return {str(name): plain(part) for name, part in value.items()}
        case Sequence():
            return [plain(part) for part in value]
        case _:
            return str(value)
