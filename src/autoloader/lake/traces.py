"""Data files of a load in the table as it is now: proof that it landed, also when its snapshot was expired.

Only the load itself writes into its folders, and only its snapshot makes a file there part of the table. The reverse
proves nothing: what it brought may have been compacted, replaced or deleted since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.lake.answers import translated
from autoloader.lake.data_files import load_location, rewritten_location
from autoloader.lake.removal import manifests_of

if TYPE_CHECKING:
    from uuid import UUID

    from pyiceberg.table import Table


def trace_of(table: Table, load_id: UUID) -> int | None:
    """The snapshot that brought a data file of the load which is still in the table; None where there is no such file.

    Raises:
        CatalogUnavailable: the table's storage does not answer.
    """
    folders = (f"{load_location(table, load_id)}/", f"{rewritten_location(table, load_id)}/")
    for manifest in manifests_of(table):
        with translated(f"reading the manifests of {'.'.join(table.name())}"):
            entries = manifest.fetch_manifest_entry(table.io)
        for entry in entries:
            if entry.data_file.file_path.startswith(folders):
                return entry.snapshot_id or table.metadata.current_snapshot_id
    return None
