"""What a tenant sees: its own ingestions, runs and files. Those of others do not exist for it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from autoloader.errors import NotKnown, WrongState
from autoloader.ledger import json_pages, records
from autoloader.ledger import runs as ledger_runs
from autoloader.ledger.schema import runs as runs_table
from autoloader.ledger.statement import named
from autoloader.model import File, Ingestion, Run, RunStatus

if TYPE_CHECKING:
    from sqlalchemy import Connection, TextClause

    from autoloader.ledger.json_pages import JsonPage
    from autoloader.model import IngestionStatus

_INGESTION_COLUMNS = records.columns(Ingestion, "i")
_RUN_COLUMNS = records.columns(Run, "r")
_FILE_COLUMNS = records.columns(File, "f")

_INGESTION = named(
    "tenants.ingestion",
    "One ingestion of a tenant by its id.",
    f"SELECT {_INGESTION_COLUMNS} FROM ingestions i WHERE i.id = :id AND i.tenant_id = :tenant_id",
)
HAS = "EXISTS (SELECT FROM ingestions i WHERE i.id = :ingestion_id AND i.tenant_id = :tenant_id)"
"""Whether the tenant has the ingestion, to be asked along with what is of it."""

_HAS_INGESTION = named(
    "tenants.has_ingestion",
    "Whether a tenant has an ingestion of this id.",
    f"SELECT {HAS}",
)
_INGESTIONS = named(
    "tenants.ingestions",
    "The ingestions of a tenant by name, a page at a time.",
    f"""SELECT {_INGESTION_COLUMNS} FROM ingestions i
    WHERE i.tenant_id = :tenant_id AND (CAST(:after AS text) IS NULL OR i.name > :after)
      AND (CAST(:status AS text) IS NULL OR i.status = :status)
      AND (CAST(:name AS text) IS NULL OR i.name = :name)
    ORDER BY i.name LIMIT :limit""",
)
_RUN = named(
    "tenants.run",
    "One run of a tenant by its id.",
    f"SELECT {_RUN_COLUMNS} FROM runs r WHERE r.id = :id AND r.tenant_id = :tenant_id",
)
_RUNS = f"""SELECT {_RUN_COLUMNS} FROM runs r
    WHERE {{of}} AND (CAST(:before_id AS bigint) IS NULL OR r.id < :before_id) {{status}}
    ORDER BY r.id DESC LIMIT :limit"""
_RUN_TOLD = (
    json_pages.columns(runs_table, *(name for name in records.names(Run) if name != "worker"))
    + ", CAST(extract(epoch FROM f.ended_at - f.started_at) AS float8) AS duration_seconds"
)
_OF_TENANT, _OF_INGESTION = "r.tenant_id = :tenant_id", "r.ingestion_id = :ingestion_id"
_IN_STATUS = "AND r.status = :status"
_RUN_PAGES = {
    (False, False): ("tenants.runs", "The newest runs of a tenant, a page at a time."),
    (False, True): ("tenants.runs_in_status", "The newest runs of a tenant in one status, a page at a time."),
    (True, False): ("tenants.runs_of_ingestion", "The newest runs of one ingestion, a page at a time."),
    (True, True): (
        "tenants.runs_of_ingestion_in_status",
        "The newest runs of one ingestion in one status, a page at a time.",
    ),
}
_FILE = named(
    "tenants.file",
    "One file of a tenant by its id.",
    f"""SELECT {_FILE_COLUMNS} FROM processed_files f JOIN ingestions i ON i.id = f.ingestion_id
    WHERE f.id = :id AND i.tenant_id = :tenant_id""",
)


def ingestion(conn: Connection, tenant_id: str, ingestion_id: int) -> Ingestion:
    """The tenant's ingestion with this id.

    Raises:
        NotKnown: the tenant has none.
    """
    row = conn.execute(_INGESTION, {"id": ingestion_id, "tenant_id": tenant_id}).mappings().one_or_none()
    if row is None:
        raise no_ingestion(ingestion_id)
    return records.ingestion(row)


def require_ingestion(conn: Connection, tenant_id: str, ingestion_id: int) -> None:
    """Make sure that the tenant has an ingestion of this id.

    Raises:
        NotKnown: it has none.
    """
    if not conn.scalar(_HAS_INGESTION, {"ingestion_id": ingestion_id, "tenant_id": tenant_id}):
        raise no_ingestion(ingestion_id)


def no_ingestion(ingestion_id: int) -> NotKnown:
    """The error that says so."""
    return NotKnown(f"there is no ingestion {ingestion_id}: it may have been deleted", field="ingestion_id")


def ingestions(
    conn: Connection,
    tenant_id: str,
    *,
    limit: int,
    after: str | None = None,
    status: IngestionStatus | None = None,
    name: str | None = None,
) -> list[Ingestion]:
    """The tenant's ingestions by name.

    Args:
        after: only names that sort after this one: the cursor of the next page.
    """
    values = {"tenant_id": tenant_id, "limit": limit, "after": after, "status": status, "name": name}
    return [records.ingestion(row) for row in conn.execute(_INGESTIONS, values).mappings()]


def run(conn: Connection, tenant_id: str, run_id: int) -> Run:
    """The tenant's run with this id.

    Raises:
        NotKnown: the tenant has none.
    """
    row = conn.execute(_RUN, {"id": run_id, "tenant_id": tenant_id}).one_or_none()
    if row is None:
        raise NotKnown(f"there is no run {run_id}", field="run_id")
    return records.run(row)


def runs(conn: Connection, tenant_id: str, *, limit: int, ingestion_id: int | None = None) -> list[Run]:
    """The tenant's newest runs first.

    Args:
        ingestion_id: of this ingestion of the tenant, or of all where None.

    Raises:
        NotKnown: the tenant has no such ingestion.
    """
    if ingestion_id is not None:
        require_ingestion(conn, tenant_id, ingestion_id)
    statement, values = _runs(tenant_id, ingestion_id, as_json=False)
    return [records.run(row) for row in conn.execute(statement, values | {"before_id": None, "limit": limit})]


def runs_page(
    conn: Connection,
    tenant_id: str,
    *,
    limit: int,
    before_id: int | None = None,
    ingestion_id: int | None = None,
    status: RunStatus | None = None,
) -> JsonPage:
    """A page of the tenant's runs, the newest first, as JSON.

    Args:
        before_id: only runs older than this one: the cursor of the next page.
        ingestion_id: of this ingestion of the tenant, or of all where None.

    Raises:
        NotKnown: the tenant has no such ingestion.
    """
    statement, values = _runs(tenant_id, ingestion_id, status, as_json=True)
    found = json_pages.read(conn, statement, values | {"before_id": before_id}, limit=limit)
    if ingestion_id is not None and not found.known:
        raise no_ingestion(ingestion_id)
    return found


def _runs(
    tenant_id: str, ingestion_id: int | None, status: RunStatus | None = None, *, as_json: bool
) -> tuple[TextClause, dict[str, Any]]:
    statement = _run_statement(of_ingestion=ingestion_id is not None, in_status=status is not None, as_json=as_json)
    return statement, {"tenant_id": tenant_id, "ingestion_id": ingestion_id, "status": status}


@cache
def _run_statement(*, of_ingestion: bool, in_status: bool, as_json: bool) -> TextClause:
    of, status = _OF_INGESTION if of_ingestion else _OF_TENANT, _IN_STATUS if in_status else ""
    rows = _RUNS.format(of=of, status=status)
    return named(*_RUN_PAGES[of_ingestion, in_status], json_pages.page(rows, _RUN_TOLD, HAS) if as_json else rows)


def cancel(conn: Connection, tenant_id: str, run_id: int) -> Run:
    """End a run of the tenant that goes on; one that is cancelled already stays as it is.

    Raises:
        NotKnown: the tenant has no such run.
        WrongState: it has ended otherwise.
    """
    run(conn, tenant_id, run_id)
    ledger_runs.cancel(conn, run_id)
    stopped = run(conn, tenant_id, run_id)
    if stopped.status is not RunStatus.CANCELLED:
        raise WrongState(f"run {run_id} has ended as {stopped.status}: there is nothing to cancel")
    return stopped


def file(conn: Connection, tenant_id: str, file_id: int) -> File:
    """The tenant's file with this id.

    Raises:
        NotKnown: the tenant has none.
    """
    row = conn.execute(_FILE, {"id": file_id, "tenant_id": tenant_id}).one_or_none()
    if row is None:
        raise NotKnown(f"there is no file {file_id}", field="file_id")
    return records.file(row)
