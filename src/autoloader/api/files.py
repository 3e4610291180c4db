"""Files: list, get with their history, retry."""

from typing import Annotated

from fastapi import Body, Query, Response
from pydantic import AwareDatetime

from autoloader.api import answers, paging
from autoloader.api.bodies import FilesToRetry, Id
from autoloader.api.callers import Operator, Parts, Reader
from autoloader.api.documents import failing
from autoloader.api.told import patient, routes
from autoloader.errors import NotKnown, WrongState
from autoloader.ledger import browsing, tenants
from autoloader.ledger import files as ledger_files
from autoloader.ledger.database import connected, transaction
from autoloader.model import FileStatus

router = routes("files")


@router.get(
    "/ingestions/{ingestion_id}/files",
    response_model=answers.FilePage,
    responses=failing(NotKnown),
    summary="List the files of an ingestion",
)
def list_files(
    ingestion_id: Id,
    caller: Reader,
    runtime: Parts,
    status: Annotated[FileStatus | None, Query(description="Only these.")] = None,
    path: Annotated[
        str | None,
        Query(max_length=2048, description="How the path begins, or all of it with `*` and `?` as wildcards."),
    ] = None,
    since: Annotated[
        AwareDatetime | None, Query(description="Only files about which something changed at this instant or later.")
    ] = None,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> Response:
    """By path, a page at a time.

    With `since`, and where PROCESSING ones are asked for, by when they changed. Each page is answered in a short time,
    however many files there are: where a pattern lets few of them pass, a page may hold fewer than `limit`, or none,
    although `next_cursor` says that there is more to be looked at.
    """
    wanted = browsing.Wanted(
        ingestion_id=ingestion_id, tenant_id=caller.tenant_id, status=status, path_like=path, since=since
    )
    after = paging.after_change(cursor) if wanted.by_change else paging.after_name(cursor)
    with connected(runtime.database) as connection:
        found = browsing.page(connection, wanted, limit=limit, after=after)
    return paging.told(found.items, found.following)


@router.get(
    "/ingestions/{ingestion_id}/files/counts", responses=failing(NotKnown), summary="Count the files of an ingestion"
)
def count(ingestion_id: Id, caller: Reader, runtime: Parts) -> answers.FileCounts:
    """How many files are in each status.

    Only while two statuses have many are they all counted, which takes a tenth of a second for every million.
    """
    with connected(runtime.database) as connection:
        tenants.require_ingestion(connection, caller.tenant_id, ingestion_id)
        counted = ledger_files.counts(connection, ingestion_id)
    return answers.FileCounts(files={status: counted.get(status, 0) for status in FileStatus})


@router.get("/files", summary="Find a path in every ingestion")
def find(
    caller: Reader,
    runtime: Parts,
    path: Annotated[
        str, Query(max_length=2048, description="The whole path, as it is.", examples=["s3://landing/events/a.json"])
    ],
) -> answers.FilePage:
    """The file at this path as each of the tenant's ingestions knows it; all of them are on one page."""
    with connected(runtime.database) as connection:
        found = ledger_files.find(connection, path, tenant_id=caller.tenant_id)
    return answers.FilePage(items=[answers.File.of(each) for each in found])


@router.get("/files/{file_id}", responses=failing(NotKnown), summary="Get a file with its history")
def get(file_id: Id, caller: Reader, runtime: Parts) -> answers.FileStory:
    """The current version of a file, what became of it, and every earlier version and attempt."""
    with connected(runtime.database) as connection:
        file = tenants.file(connection, caller.tenant_id, file_id)
        history = ledger_files.history(connection, file_id)
    told = answers.File.of(file).model_dump()
    return answers.FileStory(**told, history=[answers.FileVersion.of(each) for each in history])


@router.post(
    "/ingestions/{ingestion_id}/files/retry", responses=failing(NotKnown, WrongState), summary="Retry failed files"
)
@patient
def retry(
    ingestion_id: Id, caller: Operator, runtime: Parts, body: Annotated[FilesToRetry | None, Body()] = None
) -> answers.Retried:
    """Let FAILED files, all or those named, be tried again by the next run, with all their retries."""
    with transaction(runtime.database) as connection:
        tenants.require_ingestion(connection, caller.tenant_id, ingestion_id)
        count = ledger_files.retry(connection, ingestion_id, None if body is None else body.paths)
    return answers.Retried(files=count)
