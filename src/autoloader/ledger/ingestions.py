"""Ingestions as saved: insert, look up, edit, delete."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import func
from sqlalchemy import update as changing
from sqlalchemy.dialects.postgresql import insert as adding
from sqlalchemy.exc import IntegrityError

from autoloader.errors import EditedMeanwhile, NameTaken, NotKnown, UsageError, WrongState
from autoloader.ledger import records
from autoloader.ledger.schema import ingestions
from autoloader.ledger.statement import named
from autoloader.model import Ingestion, IngestionStatus, NewIngestion
from autoloader.plan import unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

_COLUMNS = records.columns(Ingestion, "i")
_FIELDS = tuple(field.name for field in fields(NewIngestion))

_BY_ID = named("ingestions.by_id", "One ingestion by its id.", f"SELECT {_COLUMNS} FROM ingestions i WHERE i.id = :id")
_BY_NAME = named(
    "ingestions.by_name",
    "One ingestion by its name in its tenant.",
    f"SELECT {_COLUMNS} FROM ingestions i WHERE i.tenant_id = :tenant_id AND i.name = :name",
)
_LIST = named(
    "ingestions.list",
    "Every ingestion of a tenant, by name.",
    f"SELECT {_COLUMNS} FROM ingestions i WHERE i.tenant_id = :tenant_id ORDER BY i.name",
)
_FIX_SCHEMA = named(
    "ingestions.fix_schema",
    "Sets the schema that was inferred, unless there is one by now.",
    "UPDATE ingestions SET schema_json = :schema_json, version = version + 1, updated_at = now() "
    "WHERE id = :id AND schema_json IS NULL",
)
_LOCK = named(
    "ingestions.lock_for_delete",
    "Keeps everyone from starting or listing while an ingestion is deleted.",
    "SELECT name, version FROM ingestions WHERE id = :id FOR UPDATE",
)
_BUSY = named(
    "ingestions.busy",
    "Whether a run of the ingestion goes on, or a load whose fate is open.",
    """SELECT EXISTS (SELECT FROM runs WHERE ingestion_id = :id AND status IN ('QUEUED', 'RUNNING'))
           OR EXISTS (SELECT FROM loads WHERE ingestion_id = :id AND state IN ('RUNNING', 'LOST'))""",
)
_DELETES = (
    named(
        "ingestions.delete_outcomes",
        "Removes the history of the ingestion's files.",
        """DELETE FROM outcomes o USING processed_files f WHERE f.ingestion_id = :id AND o.file_id = f.id""",
    ),
    named(
        "ingestions.delete_files",
        "Removes the ingestion's files.",
        "DELETE FROM processed_files WHERE ingestion_id = :id",
    ),
    named(
        "ingestions.delete_verifications",
        "Removes the ingestion's verifications, and with them what they found.",
        "DELETE FROM verifications WHERE ingestion_id = :id",
    ),
    named(
        "ingestions.delete_validations",
        "Removes the ingestion's validations, and with them what they found.",
        "DELETE FROM validations WHERE ingestion_id = :id",
    ),
    named("ingestions.delete_loads", "Removes the ingestion's loads.", "DELETE FROM loads WHERE ingestion_id = :id"),
    named("ingestions.delete_runs", "Removes the ingestion's runs.", "DELETE FROM runs WHERE ingestion_id = :id"),
    named("ingestions.delete", "Removes the ingestion itself.", "DELETE FROM ingestions WHERE id = :id"),
)


def insert(conn: Connection, new: NewIngestion) -> Ingestion:
    """Save a new ingestion.

    Raises:
        NameTaken: another ingestion of the tenant has the name.
    """
    values = records.ingestion_values({name: getattr(new, name) for name in _FIELDS})
    statement = adding(ingestions).values(values).on_conflict_do_nothing().returning(ingestions)
    row = conn.execute(statement).mappings().one_or_none()
    if row is None:
        raise _taken(new.name)
    return records.ingestion(row)


def by_id(conn: Connection, ingestion_id: int) -> Ingestion:
    """The ingestion with this id.

    Raises:
        NotKnown: there is none.
    """
    row = conn.execute(_BY_ID, {"id": ingestion_id}).mappings().one_or_none()
    if row is None:
        raise NotKnown(f"there is no ingestion {ingestion_id}: it may have been deleted")
    return records.ingestion(row)


def by_name(conn: Connection, tenant_id: str, name: str) -> Ingestion:
    """The ingestion of the tenant with this name.

    Raises:
        NotKnown: there is none; the message offers names that look like it.
    """
    row = conn.execute(_BY_NAME, {"tenant_id": tenant_id, "name": name}).mappings().one_or_none()
    if row is not None:
        return records.ingestion(row)
    raise unknown_name(name, [ingestion.name for ingestion in list_all(conn, tenant_id)])


def list_all(conn: Connection, tenant_id: str) -> list[Ingestion]:
    """Every ingestion of the tenant, by name."""
    return [records.ingestion(row) for row in conn.execute(_LIST, {"tenant_id": tenant_id}).mappings()]


def update(conn: Connection, ingestion_id: int, changes: Mapping[str, Any], *, version: int | None = None) -> Ingestion:
    """Change fields of an ingestion; the history of its files stays.

    Args:
        changes: new values by field name, of the types they have in ``NewIngestion``; already validated.
        version: the one the changes were made to; None: whatever it is.

    Raises:
        EditedMeanwhile: the ingestion has another version by now.
        UsageError: a field that is not one a person decides.
        NameTaken: another ingestion of the tenant has the new name.
        NotKnown: there is no such ingestion.
    """
    unknown = changes.keys() - (set(_FIELDS) - {"tenant_id"})
    if unknown:
        raise UsageError(f"{min(unknown)} is not a field of an ingestion that can be changed", field=min(unknown))
    statement = (
        changing(ingestions)
        .where(ingestions.c.id == ingestion_id, *([] if version is None else [ingestions.c.version == version]))
        .values(records.ingestion_values(changes) | {"version": ingestions.c.version + 1, "updated_at": func.now()})
        .returning(ingestions)
    )
    try:
        with conn.begin_nested():
            row = conn.execute(statement).mappings().one_or_none()
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != "ingestions_name_key":
            raise
        raise _taken(changes["name"]) from None
    if row is not None:
        return records.ingestion(row)
    now = by_id(conn, ingestion_id)
    raise _edited(now.name, now.version, version)


def move(conn: Connection, ingestion: Ingestion, status: IngestionStatus) -> Ingestion:
    """Pause an ingestion, or let it run again; where it has the status already, nothing changes.

    Raises:
        EditedMeanwhile: it was edited since it was read.
        WrongState: it is a DRAFT.
    """
    if ingestion.status is status:
        return ingestion
    if ingestion.status is IngestionStatus.DRAFT:
        raise WrongState(f"ingestion {ingestion.name} is a DRAFT: edit its status to ACTIVE when it is ready")
    return update(conn, ingestion.id, {"status": status}, version=ingestion.version)


def fix_schema(conn: Connection, ingestion_id: int, schema_json: str) -> Ingestion:
    """Set the schema that was inferred, once: where there is one by now, that one stays and is returned.

    Raises:
        NotKnown: there is no such ingestion.
    """
    conn.execute(_FIX_SCHEMA, {"id": ingestion_id, "schema_json": schema_json})
    return by_id(conn, ingestion_id)


def delete(conn: Connection, ingestion_id: int, *, version: int | None = None) -> None:
    """Remove an ingestion with its runs, loads, files and their history.

    Args:
        version: the one that was seen when it was decided; None: whatever it is.

    Raises:
        EditedMeanwhile: the ingestion has another version by now.
        NotKnown: there is no such ingestion.
        WrongState: a run of it goes on, or the fate of one of its loads is open.
    """
    locked = conn.execute(_LOCK, {"id": ingestion_id}).one_or_none()
    if locked is None:
        raise NotKnown(f"there is no ingestion {ingestion_id}: it may have been deleted")
    if version not in {None, locked.version}:
        raise _edited(locked.name, locked.version, version)
    if conn.scalar(_BUSY, {"id": ingestion_id}):
        raise WrongState(
            f"ingestion {locked.name} is running or has a load to recover: wait until its run has ended, then delete it"
        )
    for statement in _DELETES:
        conn.execute(statement, {"id": ingestion_id})


def _edited(name: str, now: int, version: int | None) -> EditedMeanwhile:
    return EditedMeanwhile(
        f"ingestion {name} was edited by someone else and has version {now} now, not {version}: "
        "read it again, then make the change to what it is now"
    )


def _taken(name: str) -> NameTaken:
    return NameTaken(
        f"an ingestion named {name!r} is there already: choose another name, or edit that one", field="name"
    )
