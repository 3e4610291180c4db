"""Looking before loading: test-connection and preview, for ingestions that are saved and for drafts that are not.

Both ask a bucket that may be slow, large, or not there at all. Whatever it does, the client has an answer in time: the
asking goes on in a thread of its own that is left to end by itself, and few of them may go on at once.
"""

import dataclasses
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from threading import BoundedSemaphore, Thread
from typing import Annotated, TypeVar

from fastapi import Body

from autoloader import defining
from autoloader.access import Caller, Scope
from autoloader.api import answers
from autoloader.api.bodies import Id, IngestionChanges, NewIngestion, merged
from autoloader.api.callers import Admin, Operator, Parts
from autoloader.api.documents import failing
from autoloader.api.ingestions import find, require_may_change, require_may_use
from autoloader.api.told import patient, routes
from autoloader.errors import NotKnown, SourceUnavailable
from autoloader.model import NewIngestion as Checked
from autoloader.preview import Bounds, Preview, look
from autoloader.runtime import Runtime
from autoloader.schema import to_json

router = routes("looking")
BOUNDS = Bounds(listed=100_000, read_bytes=64 * 1024**2, seconds=15.0)
SECONDS = 25.0
AT_ONCE = 4
TRYING = failing(SourceUnavailable)

Result = TypeVar("Result")
Changes = Annotated[IngestionChanges | None, Body()]
_turns = BoundedSemaphore(AT_ONCE)


@router.post("/ingestions/test-connection", responses=TRYING, summary="Test the connection of a draft")
@patient
def test_draft(body: NewIngestion, caller: Admin, runtime: Parts) -> answers.Connection:
    """List a page of the bucket and read the first byte of a file; on Spark, look at each part of the cluster as well.

    Nothing is saved.
    """
    return _tested(runtime, _drafted(runtime, caller, body))


@router.post(
    "/ingestions/{ingestion_id}/test-connection",
    responses=TRYING | failing(NotKnown),
    summary="Test the connection of an ingestion",
)
@patient
def test_saved(
    ingestion_id: Id,
    caller: Operator,
    runtime: Parts,
    body: Changes = None,  # noqa: PT028  a route, not a test
) -> answers.Connection:
    """List a page of the bucket and read the first byte of a file; on Spark, look at each part of the cluster as well.

    With a body: as it would be with these changes. They are not saved, and need the scope `admin`.
    """
    return _tested(runtime, _changed(runtime, caller, ingestion_id, body))


@router.post("/ingestions/preview", responses=TRYING, summary="Preview a draft")
@patient
def preview_draft(body: NewIngestion, caller: Admin, runtime: Parts) -> answers.Preview:
    """What a run would do: schema, rows, matching files, what it would skip and why. Nothing is saved or written."""
    return _previewed(runtime, _drafted(runtime, caller, body))


@router.post("/ingestions/{ingestion_id}/preview", responses=TRYING | failing(NotKnown), summary="Preview an ingestion")
@patient
def preview_saved(ingestion_id: Id, caller: Operator, runtime: Parts, body: Changes = None) -> answers.Preview:
    """What a run would do: schema, rows, matching files, what it would skip and why. Nothing is written.

    With a body: as it would be with these changes. They are not saved, and need the scope `admin`.
    """
    return _previewed(runtime, _changed(runtime, caller, ingestion_id, body))


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
            f"bucket or cluster did not answer within {seconds:.0f} seconds: check endpoint_url, spark_connect_url "
            "and the network, then try again. A cluster that was just started takes longer the first time."
        ) from None


def _drafted(runtime: Runtime, caller: Caller, body: NewIngestion) -> Checked:
    draft = body.model_dump(by_alias=True)
    require_may_use(caller, draft)
    return dataclasses.replace(defining.define(draft, runtime.vault), tenant_id=caller.tenant_id)


def _changed(runtime: Runtime, caller: Caller, ingestion_id: int, changes: IngestionChanges | None) -> Checked:
    """The caller's ingestion as it would be with some changes."""
    saved = find(runtime, caller, ingestion_id)
    before = defining.as_draft(saved)
    given = {} if changes is None else changes.model_dump(by_alias=True, exclude_unset=True)
    draft = merged(before, given)
    if draft == before:
        return saved
    caller.require(Scope.ADMIN)
    require_may_change(caller, saved, draft)
    changed = defining.define(draft, runtime.vault, saved)
    return dataclasses.replace(changed, tenant_id=caller.tenant_id)


def _tested(runtime: Runtime, ingestion: Checked) -> answers.Connection:
    def work() -> answers.Connection:
        seen = runtime.test(ingestion)
        return answers.Connection(listed=seen.listed, read=seen.read, spark=list(seen.spark), message=str(seen))

    return in_time(work)


def _previewed(runtime: Runtime, ingestion: Checked) -> answers.Preview:
    def work() -> answers.Preview:
        with runtime.open_store(ingestion) as store:
            seen = look(store, runtime.engines.embedded(), ingestion, BOUNDS)
        return _told(seen)

    return in_time(work)


def _told(seen: Preview) -> answers.Preview:
    return answers.Preview(
        source_path=seen.source_path,
        schema_json=None if seen.schema is None else to_json(seen.schema),
        inferred=seen.inferred,
        sampled=seen.sampled,
        evidence=[answers.ColumnEvidence.of(each) for each in seen.evidence],
        disagreements=[answers.Disagreement.of(each) for each in seen.disagreements],
        columns=list(seen.columns),
        rows=[list(row) for row in seen.rows],
        matching=answers.Matching(files=seen.files, bytes=seen.bytes, complete=seen.complete),
        examples=[answers.SourceObject.of(each) for each in seen.examples],
        skipped=[answers.FileReason(path=path, reason=reason) for path, reason in seen.skipped],
        problems=[answers.FileReason(path=path, reason=reason) for path, reason in seen.problems],
    )
