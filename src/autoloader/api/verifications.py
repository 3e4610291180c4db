"""Verifications: start, list, get, and page through what differs."""

from http import HTTPStatus

from fastapi import Response

from autoloader.api import answers, paging
from autoloader.api.bodies import Id, IdempotencyKey
from autoloader.api.callers import Operator, Parts, Reader
from autoloader.api.documents import answering, failing
from autoloader.api.repeating import asked, once
from autoloader.api.told import patient, routes
from autoloader.errors import NotKnown
from autoloader.ledger import tenants
from autoloader.ledger import verifications as ledger_verifications
from autoloader.ledger.database import connected, transaction

router = routes("verifications")


@router.post(
    "/ingestions/{ingestion_id}/verify",
    status_code=HTTPStatus.ACCEPTED,
    responses=answering(202, "Location", description="The verification waits for a worker.")
    | answering(200, "Location", description="One goes on already: this one.", model=answers.Verification)
    | failing(NotKnown),
    summary="Verify an ingestion",
)
@patient
def start(
    ingestion_id: Id, caller: Operator, runtime: Parts, response: Response, key: IdempotencyKey = None
) -> answers.Verification:
    """Let a worker compare what the bucket, the ledger and the table say about every file. It changes nothing.

    The answer does not wait for it: ask for the verification at `Location`.
    """
    with transaction(runtime.database) as connection:
        tenants.require_ingestion(connection, caller.tenant_id, ingestion_id)
        made, created = once(
            connection,
            caller,
            key,
            asked(f"verify {ingestion_id}"),
            make=lambda: ledger_verifications.enqueue(connection, ingestion_id),
            again=lambda made: (ledger_verifications.get(connection, caller.tenant_id, ingestion_id, made), True),
            id_of=lambda made: made[0].id,
        )
    response.headers["Location"] = f"/api/v1/ingestions/{ingestion_id}/verifications/{made.id}"
    response.status_code = HTTPStatus.ACCEPTED if created else HTTPStatus.OK
    return answers.Verification.of(made)


@router.get(
    "/ingestions/{ingestion_id}/verifications",
    responses=failing(NotKnown),
    summary="List the verifications of an ingestion",
)
def list_verifications(
    ingestion_id: Id, caller: Reader, runtime: Parts, limit: paging.Limit = 100, cursor: paging.Cursor = None
) -> answers.VerificationPage:
    """The newest first, a page at a time; the newest twenty are kept."""
    before = paging.before_id(cursor)
    with connected(runtime.database) as connection:
        tenants.require_ingestion(connection, caller.tenant_id, ingestion_id)
        found = ledger_verifications.newest(connection, ingestion_id, limit=limit + 1, before_id=before)
    page, following = paging.cut(found, limit, lambda each: each.id)
    return answers.VerificationPage(items=[answers.Verification.of(each) for each in page], next_cursor=following)


@router.get(
    "/ingestions/{ingestion_id}/verifications/{verification_id}",
    responses=failing(NotKnown),
    summary="Get a verification",
)
def get(ingestion_id: Id, verification_id: Id, caller: Reader, runtime: Parts) -> answers.Verification:
    """Its status and, once it has ended, its report. SUCCESS says that it could look; the report, what it found."""
    with connected(runtime.database) as connection:
        found = ledger_verifications.get(connection, caller.tenant_id, ingestion_id, verification_id)
    return answers.Verification.of(found)


@router.get(
    "/ingestions/{ingestion_id}/verifications/{verification_id}/differences",
    response_model=answers.DifferencePage,
    responses=failing(NotKnown),
    summary="List what a verification found",
)
def list_differences(
    ingestion_id: Id,
    verification_id: Id,
    caller: Reader,
    runtime: Parts,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> Response:
    """What differs, kind by kind, a page at a time. The first 10,000 are kept; the report counts them all."""
    after = paging.before_id(cursor)
    with connected(runtime.database) as connection:
        ledger_verifications.get(connection, caller.tenant_id, ingestion_id, verification_id)
        found = ledger_verifications.differences_page(connection, verification_id, limit=limit, after=after)
    return paging.told(found.items, None if found.last is None else found.last["number"])
