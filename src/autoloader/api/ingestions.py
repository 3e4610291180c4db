"""Ingestions: create, list, get, replace, change, delete, pause, resume."""

import dataclasses
import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import HTTPException, Query, Response

from autoloader import defining
from autoloader.access import Caller
from autoloader.api import answers, paging
from autoloader.api.bodies import Id, IdempotencyKey, IfMatch, IngestionChanges, NewIngestion, merged
from autoloader.api.callers import Admin, Operator, Parts, Reader
from autoloader.api.documents import answering, failing
from autoloader.api.repeating import asked, once
from autoloader.api.told import PREFIX, patient, routes
from autoloader.errors import (
    CatalogUnavailable,
    EditedMeanwhile,
    NameTaken,
    NotAllowed,
    NotKnown,
    WrongState,
)
from autoloader.ledger import ingestions as ledger_ingestions
from autoloader.ledger import tenants
from autoloader.ledger.database import connected, transaction
from autoloader.model import NAME, Ingestion, IngestionStatus
from autoloader.runtime import Runtime
from autoloader.vault import CREDENTIAL_SECRETS, FILE, VARIABLE

router = routes("ingestions", f"{PREFIX}/ingestions")
_VERSION = re.compile(r'"(\d{1,19})"')


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=answering(201, "ETag", "Location") | failing(NameTaken, CatalogUnavailable),
    summary="Create an ingestion",
)
@patient
def create(
    body: NewIngestion, caller: Admin, runtime: Parts, response: Response, key: IdempotencyKey = None
) -> answers.Ingestion:
    """Check the ingestion as a whole and save it. Nothing is loaded before it is run."""
    draft = body.model_dump(by_alias=True)
    require_may_use(caller, draft)
    checked = dataclasses.replace(defining.define(draft, runtime.vault), tenant_id=caller.tenant_id)
    runtime.lake.check_table(checked)
    with transaction(runtime.database) as connection:
        ingestion = once(
            connection,
            caller,
            key,
            asked("create", body),
            make=lambda: ledger_ingestions.insert(connection, checked),
            again=lambda made: tenants.ingestion(connection, caller.tenant_id, made),
            id_of=lambda made: made.id,
        )
    response.headers["Location"] = f"/api/v1/ingestions/{ingestion.id}"
    return _told(ingestion, response)


@router.get("", summary="List the ingestions")
def list_all(
    caller: Reader,
    runtime: Parts,
    status: Annotated[IngestionStatus | None, Query(description="Only these.")] = None,
    name: Annotated[str | None, Query(description="Only the one of this name.", pattern=NAME)] = None,
    limit: paging.Limit = 100,
    cursor: paging.Cursor = None,
) -> answers.IngestionPage:
    """The tenant's ingestions by name, a page at a time."""
    after = paging.after_name(cursor)
    with connected(runtime.database) as connection:
        found = tenants.ingestions(connection, caller.tenant_id, limit=limit + 1, after=after, status=status, name=name)
    page, following = paging.cut(found, limit, lambda each: each.name)
    return answers.IngestionPage(items=[answers.Ingestion.of(each) for each in page], next_cursor=following)


@router.get("/{ingestion_id}", responses=answering(200, "ETag") | failing(NotKnown), summary="Get an ingestion")
def get(ingestion_id: Id, caller: Reader, runtime: Parts, response: Response) -> answers.Ingestion:
    """One ingestion, its secrets masked."""
    return _told(find(runtime, caller, ingestion_id), response)


@router.put(
    "/{ingestion_id}",
    responses=answering(200, "ETag")
    | failing(NotKnown, NameTaken, EditedMeanwhile, CatalogUnavailable, HTTPStatus.PRECONDITION_REQUIRED),
    summary="Replace an ingestion",
)
@patient
def replace(
    ingestion_id: Id, body: NewIngestion, caller: Admin, runtime: Parts, response: Response, if_match: IfMatch = None
) -> answers.Ingestion:
    """Every field takes the value given, or its default; only `status` stays where none is given.

    `If-Match` is required: a replacement would undo what somebody else changed meanwhile. The history of the files
    stays.
    """
    if if_match is None:
        raise HTTPException(
            HTTPStatus.PRECONDITION_REQUIRED, "send If-Match with the ETag of the version that is to be replaced"
        )
    before = find(runtime, caller, ingestion_id)
    draft = body.model_dump(by_alias=True)
    if "status" not in body.model_fields_set:
        draft["status"] = before.status
    return _told(_edited(runtime, caller, before, draft, if_match), response)


@router.patch(
    "/{ingestion_id}",
    responses=answering(200, "ETag") | failing(NotKnown, NameTaken, EditedMeanwhile, CatalogUnavailable),
    summary="Change an ingestion",
)
@patient
def change(
    ingestion_id: Id,
    body: IngestionChanges,
    caller: Admin,
    runtime: Parts,
    response: Response,
    if_match: IfMatch = None,
) -> answers.Ingestion:
    """What is not named stays as it is, and so does the history of the files."""
    before = find(runtime, caller, ingestion_id)
    draft = merged(defining.as_draft(before), body.model_dump(by_alias=True, exclude_unset=True))
    return _told(_edited(runtime, caller, before, draft, if_match), response)


@router.delete(
    "/{ingestion_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=failing(NotKnown, WrongState, EditedMeanwhile),
    summary="Delete an ingestion",
)
@patient
def delete(ingestion_id: Id, caller: Admin, runtime: Parts, if_match: IfMatch = None) -> None:
    """Delete it with its runs and the history of its files. The table and its rows stay."""
    with transaction(runtime.database) as connection:
        ingestion = tenants.ingestion(connection, caller.tenant_id, ingestion_id)
        required = _require_version(ingestion, if_match)
        ledger_ingestions.delete(connection, ingestion_id, version=required)


@router.post(
    "/{ingestion_id}/pause",
    responses=answering(200, "ETag") | failing(NotKnown, WrongState, EditedMeanwhile),
    summary="Pause an ingestion",
)
@patient
def pause(ingestion_id: Id, caller: Operator, runtime: Parts, response: Response) -> answers.Ingestion:
    """No run starts until it is resumed; a run that goes on is not stopped by it."""
    return _told(_moved(runtime, caller, ingestion_id, IngestionStatus.PAUSED), response)


@router.post(
    "/{ingestion_id}/resume",
    responses=answering(200, "ETag") | failing(NotKnown, WrongState, EditedMeanwhile),
    summary="Resume an ingestion",
)
@patient
def resume(ingestion_id: Id, caller: Operator, runtime: Parts, response: Response) -> answers.Ingestion:
    """A paused ingestion, or one in ERROR, may run again."""
    return _told(_moved(runtime, caller, ingestion_id, IngestionStatus.ACTIVE), response)


def find(runtime: Runtime, caller: Caller, ingestion_id: int) -> Ingestion:
    """The caller's ingestion with this id.

    Raises:
        NotKnown: their tenant has none.
    """
    with connected(runtime.database) as connection:
        return tenants.ingestion(connection, caller.tenant_id, ingestion_id)


def require_may_use(caller: Caller, draft: dict[str, Any]) -> None:
    """Make sure that the caller may name what only this machine has.

    Raises:
        NotAllowed: a secret refers to a variable, a file, a profile or a role, and the caller is a guest here.
    """
    credentials = draft["source_credentials"]
    given = {f"source_credentials.{name}": credentials.get(name) for name in CREDENTIAL_SECRETS}
    given["spark_connect_token"] = draft.get("spark_connect_token")
    referring = [name for name, value in given.items() if str(value or "").startswith((VARIABLE, FILE))]
    referring += [f"source_credentials.{name}" for name in ("profile", "role_arn") if credentials.get(name)]
    if referring and not caller.is_operator:
        raise NotAllowed(
            f"{referring[0]}: only administrators of the machine's own tenant may refer to what is "
            "on it; give the keys themselves, they are stored sealed"
        )


def require_may_change(caller: Caller, before: Ingestion, draft: dict[str, Any]) -> None:
    """Make sure that the caller may name what only this machine has, where the draft names something new.

    Raises:
        NotAllowed: as ``require_may_use``.
    """
    kept = defining.as_draft(before)
    if any(draft[name] != kept[name] for name in ("source_credentials", "spark_connect_token")):
        require_may_use(caller, draft)


def _edited(
    runtime: Runtime, caller: Caller, before: Ingestion, draft: dict[str, Any], if_match: str | None
) -> Ingestion:
    _require_version(before, if_match)
    require_may_change(caller, before, draft)
    return defining.edit(runtime.database, before, draft, runtime.lake.check_table, runtime.vault)


def _require_version(ingestion: Ingestion, if_match: str | None) -> int | None:
    """The version it must still have when it is changed; None: any will do."""
    if if_match is None or if_match.strip() == "*":
        return None
    if str(ingestion.version) not in _VERSION.findall(if_match):
        raise EditedMeanwhile(
            f"ingestion {ingestion.name} has version {ingestion.version}, which If-Match does not name: "
            "read it again, then make the change to what it is now"
        )
    return ingestion.version


def _moved(runtime: Runtime, caller: Caller, ingestion_id: int, status: IngestionStatus) -> Ingestion:
    with transaction(runtime.database) as connection:
        ingestion = tenants.ingestion(connection, caller.tenant_id, ingestion_id)
        return ledger_ingestions.move(connection, ingestion, status)


def _told(ingestion: Ingestion, response: Response) -> answers.Ingestion:
    response.headers["ETag"] = f'"{ingestion.version}"'
    return answers.Ingestion.of(ingestion)
