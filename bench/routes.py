"""What clients ask of a service with very many files: every route that looks, each filter, deep pages, and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from sqlalchemy import text

from autoloader.api.paging import written
from autoloader.ledger.database import connect, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

API = "/api/v1"
VARIANTS = 12
"""Different requests of each route, spread over the whole ledger. What monitors ask is asked a twelfth as often."""

Request = tuple[str, str, str]
"""Route as people read it, method, target."""

_INGESTIONS = "SELECT id, name FROM ingestions ORDER BY id LIMIT :variants"
_RUNS = """SELECT r.* FROM generate_series(1, :variants) n, LATERAL (
    SELECT id, ingestion_id FROM runs WHERE id <= n * (SELECT max(id) FROM runs) / :variants
    ORDER BY id DESC LIMIT 1) r"""
_FILES = """SELECT f.*, i.source_path FROM generate_series(1, :variants) n, LATERAL (
    SELECT * FROM processed_files WHERE id <= n * (SELECT max(id) FROM processed_files) / :variants
    ORDER BY id DESC LIMIT 1) f JOIN ingestions i ON i.id = f.ingestion_id"""


def requests(url: str) -> list[Request]:
    """Every request, worked out from what is in the ledger at this address."""
    database = connect(url)
    try:
        with transaction(database) as connection:
            return [*_plain(), *_ingestions(connection), *_runs(connection), *_files(connection)]
    finally:
        database.dispose()


def _plain() -> Iterator[Request]:
    for route in ("/healthz", "/readyz", "/metrics"):
        yield f"GET {route}", "GET", route
    for route in ("/ingestions", "/runs"):
        yield from [(f"GET {route}", "GET", API + route)] * VARIANTS


def _ingestions(connection: Connection) -> Iterator[Request]:
    for row in connection.execute(text(_INGESTIONS), {"variants": VARIANTS}).all():
        yield "GET /ingestions/{id}", "GET", f"{API}/ingestions/{row.id}"
        yield "GET /ingestions?name=", "GET", f"{API}/ingestions?name={row.name}"
        yield "GET /ingestions/{id}/runs", "GET", f"{API}/ingestions/{row.id}/runs"
        yield "GET /ingestions/{id}/runs?status=", "GET", f"{API}/ingestions/{row.id}/runs?status=FAILED"
        yield "GET /ingestions/{id}/files/counts", "GET", f"{API}/ingestions/{row.id}/files/counts"
        yield "POST /ingestions/{id}/run", "POST", f"{API}/ingestions/{row.id}/run"


def _runs(connection: Connection) -> Iterator[Request]:
    for row in connection.execute(text(_RUNS), {"variants": VARIANTS}).all():
        deep = written(row.id + 1)
        yield "GET /runs/{id}", "GET", f"{API}/runs/{row.id}"
        yield "GET /ingestions/{id}/runs/{id}", "GET", f"{API}/ingestions/{row.ingestion_id}/runs/{row.id}"
        yield "GET /runs, a deep page", "GET", f"{API}/runs?cursor={deep}"
        yield "GET /runs?status=, a deep page", "GET", f"{API}/runs?status=CANCELLED&cursor={deep}"


def _files(connection: Connection) -> Iterator[Request]:
    for row in connection.execute(text(_FILES), {"variants": VARIANTS}).all():
        path, source = row.file_path, row.source_path
        yield "GET /files/{id}", "GET", f"{API}/files/{row.id}"
        yield "GET /files?path=", "GET", f"{API}/files?{urlencode({'path': path})}"
        for title, filters in _filters(connection, path, path[: len(source) + len("dt=2024-01-01/")]):
            target = f"{API}/ingestions/{row.ingestion_id}/files?{urlencode(filters, quote_via=quote)}"
            yield f"GET …/files{title}", "GET", target


def _filters(connection: Connection, path: str, folder: str) -> Iterator[tuple[str, dict[str, str]]]:
    deep = written(path)
    yield "", {}
    yield ", a deep page", {"cursor": deep}
    yield "?status=SUCCESS, a deep page", {"status": "SUCCESS", "cursor": deep}
    yield "?status=FAILED, a deep page", {"status": "FAILED", "cursor": deep}
    yield "?status=SKIPPED", {"status": "SKIPPED"}
    yield "?status=DISCOVERED", {"status": "DISCOVERED"}
    yield "?status=PROCESSING", {"status": "PROCESSING"}
    yield "?path=folder", {"path": folder}
    yield "?path=folder*part*", {"path": f"{folder}*part-*7.json"}
    yield "?path=*one file", {"path": f"*{path[-13:]}"}
    yield "?path=*nowhere*", {"path": "*nowhere*"}
    yield "?since=, lately", {"since": _ago(connection, "2 minutes")}
    yield "?since=, long ago", {"since": _ago(connection, "3 days")}
    yield "?status=&path=&since=", {"status": "FAILED", "path": "*7.json", "since": _ago(connection, "1 day")}


def _ago(connection: Connection, interval: str) -> str:
    instant = connection.scalar(text("SELECT now() - CAST(:interval AS interval)"), {"interval": interval})
    return str(instant.isoformat())
