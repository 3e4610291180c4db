"""Catalogs and tables, as an ingestion names them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from autoloader.ledger.locks import alone
from autoloader.schema import parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.lake.rejected import Page
    from autoloader.model import Ingestion, NewIngestion, RejectPlace, WantedRejects
    from autoloader.settings import Connections


class Lake:
    """Opens each catalog once; PyIceberg is imported where it is first used, see ``runtime``.

    Args:
        connections: where the parts are.
        database: of the ledger: tables are made by one process at a time.
        staged: whether loads of an ingestion may be staged in its table.
    """

    def __init__(self, connections: Connections, database: Database, staged: Callable[[NewIngestion], bool]) -> None:
        self._connections = connections
        self._database = database
        self._staged = staged
        self.catalog = cache(self._open_catalog)

    def ensure_table(self, ingestion: Ingestion) -> Table:
        """The table of an ingestion, made if it is not there."""
        from autoloader.engines.fields import all_columns, further_columns  # noqa: PLC0415  see `runtime`'s first lines
        from autoloader.lake.staged import allow_staging  # noqa: PLC0415  see `runtime`'s first lines
        from autoloader.lake.tables import ensure_table  # noqa: PLC0415  see `runtime`'s first lines

        table = ensure_table(
            self.catalog(ingestion.catalog),
            ingestion.database,
            ingestion.table,
            all_columns(parse_schema(ingestion.schema_json or ""), ingestion.path_columns),
            ingestion.partition_columns,
            ingestion.table_properties,
            extra=further_columns(ingestion),
            alone=lambda: alone(self._database, f"make {ingestion.table_name}"),
        )
        return allow_staging(table) if self._staged(ingestion) else table

    def ensure_rejects(self, ingestion: Ingestion) -> Table:
        """The rejects table of an ingestion, made if it is not there."""
        from autoloader.lake.rejects import ensure_rejects_table  # noqa: PLC0415  see `runtime`'s first lines

        return ensure_rejects_table(
            self.catalog(ingestion.catalog),
            ingestion.database,
            ingestion.table,
            alone=lambda: alone(self._database, f"make {ingestion.table_name}__rejects"),
        )

    def open_table(self, name: str) -> Table | None:
        """A table by its full name ``catalog.database.table``; None when there is none."""
        from autoloader.lake.tables import load_table  # noqa: PLC0415  see `runtime`'s first lines

        catalog, _, identifier = name.partition(".")
        database, _, table = identifier.rpartition(".")
        return load_table(self.catalog(catalog), database, table)

    def rejects(self, ingestion: Ingestion, wanted: WantedRejects, *, limit: int, after: RejectPlace | None) -> Page:
        """A page of the rejects of an ingestion; see ``lake.rejected.page`` for what is raised."""
        from autoloader.lake import rejected  # noqa: PLC0415  see `runtime`'s first lines
        from autoloader.lake.rejects import SUFFIX  # noqa: PLC0415  likewise

        table = self.open_table(f"{ingestion.table_name}{SUFFIX}")
        return rejected.Page([], None) if table is None else rejected.page(table, wanted, limit=limit, after=after)

    def check_table(self, ingestion: NewIngestion) -> None:
        """Ask the catalog whether it takes the name of an ingestion's table."""
        from autoloader.lake.catalogs import check_identifier  # noqa: PLC0415  see `runtime`'s first lines

        check_identifier(self.catalog(ingestion.catalog), ingestion.database, ingestion.table)

    def addresses(self) -> dict[str, str]:
        """Where the parts are that answer over HTTP: the default store, and every catalog that is known."""
        from autoloader.lake.catalogs import addresses  # noqa: PLC0415  see `runtime`'s first lines

        store = self._connections.s3_endpoint_url
        catalogs = {f"catalog {name}": url for name, url in addresses(self._connections.catalogs).items()}
        return ({} if store is None else {"store": store}) | catalogs

    def _open_catalog(self, name: str) -> Catalog:
        from autoloader.lake.catalogs import open_catalog  # noqa: PLC0415  see `runtime`'s first lines

        return open_catalog(name, self._connections.catalogs)
