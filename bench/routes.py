"""What clients ask of a service with a million files: every route that looks, each filter, deep pages, and runs."""

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
"""Different requests of each route, spread over the whole ledger."""

Request = tuple[str, str, str]
"""Route as people read it, method, target."""


def requests(url: str) -> list[Request]:
    """Every request, worked out from what is in the ledger."""
    database = connect(url)
    try:
        with transaction(database) as connection:
            return [*_plain(), *_ingestions(connection), *_runs(connection), *_files(connection)]
    finally:
        database.dispose()


def _plain() -> Iterator[Request]:
    for route in ("/healthz", "/readyz", "/metrics"):
        yield from [(f"GET {route}", "GET", route)] * VARIANTS
    for route in ("/ingestions", "/runs"):
        yield from [(f"GET {route}", "GET", API + route)] * VARIANTS


def _ingestions(connection: Connection) -> Iterator[Request]:
    rows = connection.execute(text("SELECT id, name FROM ingestions ORDER BY id LIMIT :n"), {"n": VARIANTS})
    for row in rows.all():
        yield "GET /ingestions/{id}", "GET", f"{API}/ingestions/{row.id}"
        yield "GET /ingestions?name", "GET", f"{API}/ingestions?name={row.name}"
        yield "GET /ingestions/{id}/runs", "GET", f"{API}/ingestions/{row.id}/runs"
        yield "GET /ingestions/{id}/runs?status", "GET", f"{API}/ingestions/{row.id}/runs?status=FAILED"
        yield "POST /ingestions/{id}/run", "POST", f"{API}/ingestions/{row.id}/run"


def _runs(connection: Connection) -> Iterator[Request]:
    rows = connection.execute(
        text("SELECT id, ingestion_id FROM runs WHERE id % ((SELECT max(id) FROM runs) / :n) = 1 LIMIT :n"),
        {"n": VARIANTS},
    )
    for row in rows.all():
        yield "GET /runs/{id}", "GET", f"{API}/runs/{row.id}"
        yield "GET /ingestions/{id}/runs/{id}", "GET", f"{API}/ingestions/{row.ingestion_id}/runs/{row.id}"
        yield "GET /runs, deep page", "GET", f"{API}/runs?cursor={written(row.id + 1)}"
        yield "GET /runs?status", "GET", f"{API}/runs?status=CANCELLED&cursor={written(row.id + 1)}"


def _files(connection: Connection) -> Iterator[Request]:
    rows = connection.execute(
        text(
            "SELECT f.*, i.source_path FROM generate_series(0, :n - 1) n, "
            "LATERAL (SELECT * FROM processed_files WHERE id >= 1 + n * (SELECT max(id) FROM processed_files) / :n "
            "ORDER BY id LIMIT 1) f JOIN ingestions i ON i.id = f.ingestion_id"
        ),
        {"n": VARIANTS},
    )
    for row in rows.all():
        path, source = row.file_path, row.source_path
        day = path[: len(source) + len("dt=2024-01-01/")]
        yield "GET /files/{id}", "GET", f"{API}/files/{row.id}"
        for title, filters in (
            ("GET …/files", {}),
            ("GET …/files, deep page", {"cursor": written(path)}),
            ("GET …/files?status=SUCCESS", {"status": "SUCCESS", "cursor": written(path)}),
            ("GET …/files?status=FAILED", {"status": "FAILED", "cursor": written(path)}),
            ("GET …/files?status=SKIPPED", {"status": "SKIPPED"}),
            ("GET …/files?status=DISCOVERED", {"status": "DISCOVERED"}),
            ("GET …/files?status=PROCESSING", {"status": "PROCESSING"}),
            ("GET …/files?path=prefix", {"path": day}),
            ("GET …/files?path=prefix*middle*", {"path": f"{day}*part-*7.json"}),
            ("GET …/files?path=*suffix", {"path": f"*{path[-13:]}"}),
            ("GET …/files?path=*anywhere*", {"path": "*nowhere*"}),
            ("GET …/files?since, lately", {"since": _ago(connection, "2 minutes")}),
            ("GET …/files?since, long ago", {"since": _ago(connection, "3 days")}),
            (
                "GET …/files?status&path&since",
                {"status": "FAILED", "path": "*7.json", "since": _ago(connection, "1 day")},
            ),
        ):
            yield title, "GET", f"{API}/ingestions/{row.ingestion_id}/files?{urlencode(filters, quote_via=quote)}"


def _ago(connection: Connection, interval: str) -> str:
    instant = connection.scalar(text("SELECT now() - CAST(:interval AS interval)"), {"interval": interval})
    return str(instant.isoformat())
