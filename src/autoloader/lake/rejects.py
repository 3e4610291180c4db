"""The rejects table ``<table>__rejects``: bad records of files that were loaded without them, one row each.

Its rows carry the metadata columns of every table, so what takes the rows of a file or load out of a table works on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.io.pyarrow import schema_to_pyarrow

from autoloader.lake.data_files import Uploader, files_below, load_location
from autoloader.lake.tables import ensure_table
from autoloader.model import DataFile
from autoloader.schema.types import Column, Scalar, Schema
from autoloader.scratch import room

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from uuid import UUID

    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.table import Table

    from autoloader.model import Rejects

SUFFIX = "__rejects"
SCHEMA = Schema(
    (
        Column("file_etag", Scalar.STRING),
        Column("line", Scalar.BIGINT),
        Column("column_name", Scalar.STRING),
        Column("reason", Scalar.STRING),
        Column("message", Scalar.STRING),
        Column("raw", Scalar.STRING),
    )
)
"""What stands in a rejects table besides the metadata columns. ``line``: of a JSON document, the element's number."""
_ROWS_AT_ONCE = 1_000


def ensure_rejects_table(
    catalog: Catalog, database: str, table: str, alone: Callable[[], AbstractContextManager[object]]
) -> Table:
    """The rejects table of ``table``, made if it is not there.

    Args:
        alone: as for ``tables.ensure_table``.

    Raises:
        TableMismatch: there is a table of that name that does not fit.
        LakeError: the catalog does not answer or refuses.
    """
    return ensure_table(catalog, database, f"{table}{SUFFIX}", SCHEMA, alone=alone)


def store(table: Table, load_id: UUID, rejects: Rejects) -> None:
    """Put the rejects of a load into the table's storage, where ``stored`` finds them; the local file is removed.

    Raises:
        TableMismatch: the table does not have the columns of a rejects table.
        CatalogUnavailable: the storage stays unavailable after retries.
        SpoolFull: no room on the disk.
    """
    target = rejects.location.with_suffix(".rejects")
    _rewrite(rejects.location, target, schema_to_pyarrow(table.schema()))
    rejects.location.unlink()
    Uploader(table, load_id).upload(DataFile(location=target, records=rejects.records))


def _rewrite(source: Path, target: Path, wanted: pa.Schema) -> None:
    """The same rows with the table's columns and field ids; a column that somebody added is NULL."""
    with (
        pq.ParquetFile(source) as given,
        room(target.parent),
        pq.ParquetWriter(target, wanted, compression="zstd") as writer,
    ):
        for batch in given.iter_batches(batch_size=_ROWS_AT_ONCE):
            arrays = [
                batch.column(field.name).cast(field.type)
                if field.name in given.schema_arrow.names
                else pa.nulls(batch.num_rows, field.type)
                for field in wanted
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=wanted))


def stored(table: Table, load_id: UUID) -> list[DataFileEntry]:
    """Entries for the publisher of what ``store`` has put there.

    Raises:
        TableMismatch: a file does not fit the table.
        CatalogUnavailable: the storage stays unavailable after retries.
    """
    uploader = Uploader(table, load_id)
    return [uploader.found(location) for location in files_below(table, load_location(table, load_id))]
