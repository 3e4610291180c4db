"""Runs: trigger, list, get, cancel."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Body, Query, Response

from autoloader.api import answers, paging
from autoloader.api.bodies import Id, IdempotencyKey, NewRun
from autoloader.api.callers import Operator, Parts, Reader
from autoloader.api.documents import answering, failing
from autoloader.api.repeating import asked, once
from autoloader.api.told import patient, routes
from autoloader.errors import NotKnown, WrongState
from autoloader.ledger import runs as ledger_runs
from autoloader.ledger import tenants
from autoloader.ledger.database import connected, transaction
from autoloader.model import RunStatus, RunTrigger
from autoloader.runtime import Runtime

router = routes("runs")
InStatus = Annotated[RunStatus | None, Query(description="Only these.")]


@router.post(
    "/ingestions/{ingestion_id}/run",
    status_code=HTTPStatus.ACCEPTED,
    responses=answering(202, "Location", description="The run waits for a worker.")
    | answering(200, "Location", description="A run goes on already: this one.", model=answers.Run)
    | failing(NotKnown, WrongState),
    summary="Run an ingestion",
)
@patient
def trigger(
    ingestion_id: Id,
    caller: Operator,
    runtime: Parts,
    response: Response,
    body: Annotated[NewRun | None, Body()] = None,
    key: IdempotencyKey = None,
) -> answers.Run:
    """Let workers load everything new or changed. The answer does not wait for them: ask for the run at `Location`.

    A run that goes on already goes on as it was asked for, whatever this body says.
    """
    wanted = body or NewRun()
    with transaction(runtime.database) as connection:
        tenants.require_ingestion(connection, caller.tenant_id, ingestion_id)
        run, created = once(
            connection,
            caller,
            key,
            asked(f"run {ingestion_id}", None if wanted == NewRun() else wanted),
            make=lambda: ledger_runs.enqueue(
                connection, ingestion_id, RunTrigger.MANUAL, since=wanted.since, max_files=wanted.max_files
            ),
            again=lambda made: (tenants.run(connection, caller.tenant_id, made), True),
            id_of=lambda made: made[0].id,
        )
    response.headers["Location"] = f"/api/v1/ingestions/{ingestion_id}/runs/{run.id}"
    response.status_code = HTTPStatus.ACCEPTED if created else HTTPStatus.OK
    return answers.Run.of(run)


@router.get(
    "/ingestions/{ingestion_id}/runs",
    response_model=answers.RunPage,
    responses=failing(NotKnown),
    summary="List the runs of an ingestion",
)
def list_of_ingestion(
    ingestion_id: Id,
    caller: Reader,
    runtime: Parts,
    status: InStatus = None,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> Response:
    """The newest first, a page at a time."""
    return _page(runtime, caller.tenant_id, ingestion_id, status, limit, cursor)


@router.get("/runs", response_model=answers.RunPage, summary="List the runs of every ingestion")
def list_all(
    caller: Reader, runtime: Parts, status: InStatus = None, limit: paging.Limit = 100, cursor: paging.Cursor = None
) -> Response:
    """The tenant's runs, the newest first, a page at a time."""
    return _page(runtime, caller.tenant_id, None, status, limit, cursor)


@router.get(
    "/ingestions/{ingestion_id}/runs/{run_id}", responses=failing(NotKnown), summary="Get a run of an ingestion"
)
def get_of_ingestion(ingestion_id: Id, run_id: Id, caller: Reader, runtime: Parts) -> answers.Run:
    """One run: its status and its counters as they are now."""
    with connected(runtime.database) as connection:
        run = tenants.run(connection, caller.tenant_id, run_id)
    if run.ingestion_id != ingestion_id:
        raise NotKnown(f"ingestion {ingestion_id} has no run {run_id}", field="run_id")
    return answers.Run.of(run)


@router.get("/runs/{run_id}", responses=failing(NotKnown), summary="Get a run")
def get(run_id: Id, caller: Reader, runtime: Parts) -> answers.Run:
    """One run: its status and its counters as they are now."""
    with connected(runtime.database) as connection:
        return answers.Run.of(tenants.run(connection, caller.tenant_id, run_id))


@router.post("/runs/{run_id}/cancel", responses=failing(NotKnown, WrongState), summary="Cancel a run")
@patient
def cancel(run_id: Id, caller: Operator, runtime: Parts) -> answers.Run:
    """Stop it: no load begins any more, and the one in hand is interrupted. What was not loaded waits for the next run.

    A run that is cancelled already is answered as it is.
    """
    with transaction(runtime.database) as connection:
        return answers.Run.of(tenants.cancel(connection, caller.tenant_id, run_id))


def _page(
    runtime: Runtime, tenant_id: str, ingestion_id: int | None, status: RunStatus | None, limit: int, cursor: str | None
) -> Response:
    before = paging.before_id(cursor)
    with connected(runtime.database) as connection:
        found = tenants.runs_page(
            connection, tenant_id, limit=limit, before_id=before, ingestion_id=ingestion_id, status=status
        )
    return paging.told(found.items, None if found.last is None else found.last["id"])
