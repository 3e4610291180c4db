"""Validations: start, list, get, and page through what would become of the files that wait."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Body, Query, Response

from autoloader.api import paging, validated
from autoloader.api.bodies import Id, IdempotencyKey, NewValidation
from autoloader.api.callers import Operator, Parts, Reader
from autoloader.api.documents import answering, failing
from autoloader.api.repeating import asked, once
from autoloader.api.told import patient, routes
from autoloader.errors import NotKnown
from autoloader.ledger import tenants
from autoloader.ledger import validations as ledger_validations
from autoloader.ledger.database import connected, transaction
from autoloader.model import Prospect

router = routes("validations")


@router.post(
    "/ingestions/{ingestion_id}/validate",
    status_code=HTTPStatus.ACCEPTED,
    responses=answering(202, "Location", description="The validation waits for a worker.")
    | answering(200, "Location", description="One goes on already: this one.", model=validated.Validation)
    | failing(NotKnown),
    summary="Validate what waits",
)
@patient
def start(
    ingestion_id: Id,
    caller: Operator,
    runtime: Parts,
    response: Response,
    body: Annotated[NewValidation | None, Body()] = None,
    key: IdempotencyKey = None,
) -> validated.Validation:
    """Let a worker read every file that the next run would load, and tell what would become of it.

    Nothing is written: no table, no schema, no status of a file. The answer does not wait for it: ask for the
    validation at `Location`.
    """
    wanted = body or NewValidation()
    with transaction(runtime.database) as connection:
        tenants.require_ingestion(connection, caller.tenant_id, ingestion_id)
        made, created = once(
            connection,
            caller,
            key,
            asked(f"validate {ingestion_id}", wanted),
            make=lambda: ledger_validations.enqueue(connection, ingestion_id, max_files=wanted.max_files),
            again=lambda made: (ledger_validations.get(connection, caller.tenant_id, ingestion_id, made), True),
            id_of=lambda made: made[0].id,
        )
    response.headers["Location"] = f"/api/v1/ingestions/{ingestion_id}/validations/{made.id}"
    response.status_code = HTTPStatus.ACCEPTED if created else HTTPStatus.OK
    return validated.Validation.of(made)


@router.get(
    "/ingestions/{ingestion_id}/validations",
    responses=failing(NotKnown),
    summary="List the validations of an ingestion",
)
def list_validations(
    ingestion_id: Id, caller: Reader, runtime: Parts, limit: paging.Limit = 100, cursor: paging.Cursor = None
) -> validated.ValidationPage:
    """The newest first, a page at a time; the newest twenty are kept."""
    before = paging.before_id(cursor)
    with connected(runtime.database) as connection:
        tenants.require_ingestion(connection, caller.tenant_id, ingestion_id)
        found = ledger_validations.newest(connection, ingestion_id, limit=limit + 1, before_id=before)
    page, following = paging.cut(found, limit, lambda each: each.id)
    return validated.ValidationPage(items=[validated.Validation.of(each) for each in page], next_cursor=following)


@router.get(
    "/ingestions/{ingestion_id}/validations/{validation_id}",
    responses=failing(NotKnown),
    summary="Get a validation",
)
def get(ingestion_id: Id, validation_id: Id, caller: Reader, runtime: Parts) -> validated.Validation:
    """Its status and, once it has ended, its report. SUCCESS says that it could look; the report, what it found."""
    with connected(runtime.database) as connection:
        found = ledger_validations.get(connection, caller.tenant_id, ingestion_id, validation_id)
    return validated.Validation.of(found)


@router.get(
    "/ingestions/{ingestion_id}/validations/{validation_id}/files",
    response_model=validated.FileProspectPage,
    responses=failing(NotKnown),
    summary="List what would become of files",
)
def list_files(
    ingestion_id: Id,
    validation_id: Id,
    caller: Reader,
    runtime: Parts,
    prospect: Annotated[Prospect | None, Query(description="Only files of which this would become.")] = None,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> Response:
    """The files that were read, a page at a time, those that would not load as they are first.

    Of both the first 10,000 are kept; the report counts them all.
    """
    after = paging.before_id(cursor)
    with connected(runtime.database) as connection:
        ledger_validations.get(connection, caller.tenant_id, ingestion_id, validation_id)
        found = ledger_validations.files_page(connection, validation_id, limit=limit, after=after, prospect=prospect)
    return paging.told(found.items, None if found.last is None else found.last["number"])


@router.get(
    "/ingestions/{ingestion_id}/validations/{validation_id}/refused",
    response_model=validated.RefusedRecordPage,
    responses=failing(NotKnown),
    summary="List the records that would be refused",
)
def list_refused(
    ingestion_id: Id,
    validation_id: Id,
    caller: Reader,
    runtime: Parts,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> Response:
    """Bad records, a page at a time. The first 10,000 are kept; the report counts them all."""
    after = paging.before_id(cursor)
    with connected(runtime.database) as connection:
        ledger_validations.get(connection, caller.tenant_id, ingestion_id, validation_id)
        found = ledger_validations.refused_page(connection, validation_id, limit=limit, after=after)
    return paging.told(found.items, None if found.last is None else found.last["number"])
