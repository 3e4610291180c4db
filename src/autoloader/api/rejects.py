"""Rejects: bad records that were set apart; listed, and their files loaded again."""

import uuid
from typing import Annotated

from fastapi import Body, Query

from autoloader.api import answers, paging
from autoloader.api.bodies import FilesToRetry, Id
from autoloader.api.callers import Operator, Parts, Reader
from autoloader.api.documents import failing
from autoloader.api.told import patient, routes
from autoloader.errors import CatalogUnavailable, NotKnown, WrongState
from autoloader.ledger import rejects as ledger_rejects
from autoloader.ledger import tenants
from autoloader.ledger.database import connected, transaction
from autoloader.model import WantedRejects

router = routes("rejects", "/api/v1/ingestions/{ingestion_id}/rejects")


@router.get("", responses=failing(NotKnown, CatalogUnavailable), summary="List the rejects of an ingestion")
@patient
def list_rejects(
    ingestion_id: Id,
    caller: Reader,
    runtime: Parts,
    path: Annotated[str | None, Query(max_length=2048, description="The whole path of their file.")] = None,
    reason: Annotated[str | None, Query(max_length=100, description="Their reason code.")] = None,
    column: Annotated[str | None, Query(max_length=1024, description="The column at fault.")] = None,
    load_id: Annotated[uuid.UUID | None, Query(description="The load that set them apart.")] = None,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> answers.RejectPage:
    """What is in the table `<table>__rejects`, those of the newest loads first, a page at a time.

    All pages show the table as it was when the first was asked for. Each page is answered in a short time, however many
    rejects there are: where few pass the filters, or records are long, a page may hold fewer than `limit`, or none,
    although `next_cursor` says that there is more to be looked at.
    """
    after = paging.after_reject(cursor)
    with connected(runtime.database) as connection:
        ingestion = tenants.ingestion(connection, caller.tenant_id, ingestion_id)
    load = None if load_id is None else str(load_id)
    wanted = WantedRejects(path=path, reason=reason, column=column, load_id=load)
    found = runtime.lake.rejects(ingestion, wanted, limit=limit, after=after)
    following = None if found.following is None else paging.reject_cursor(found.following)
    return answers.RejectPage(items=[answers.Reject.of(each) for each in found.items], next_cursor=following)


@router.post("/retry", responses=failing(NotKnown, WrongState), summary="Load files that have rejects again")
@patient
def retry(
    ingestion_id: Id, caller: Operator, runtime: Parts, body: Annotated[FilesToRetry | None, Body()] = None
) -> answers.Retried:
    """Let files that have rejects, all or those named, be loaded again by the next run, with schema and options as now.

    Their rows and their rejects are replaced by what is found then. Not where the ingestion overwrites its table, or
    keeps every version of a file (`on_changed_file: append`).
    """
    with transaction(runtime.database) as connection:
        tenants.require_ingestion(connection, caller.tenant_id, ingestion_id)
        count = ledger_rejects.retry(connection, ingestion_id, None if body is None else body.paths)
    return answers.Retried(files=count)
