"""Delete files of other engines: which of them say that rows of a data file are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.manifest import DataFileContent
from pyiceberg.table.delete_file_index import DeleteFileIndex

from autoloader.errors import TableMismatch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.manifest import ManifestEntry
    from pyiceberg.table import Table


class Deletes:
    """The position delete files of one snapshot.

    Args:
        table: for messages.
        entries: of the snapshot's manifests of delete files.

    Raises:
        TableMismatch: there are equality deletes among them.
    """

    def __init__(self, table: Table, entries: Iterable[ManifestEntry]) -> None:
        self._index = DeleteFileIndex()
        for entry in entries:
            if entry.data_file.content == DataFileContent.EQUALITY_DELETES:
                raise TableMismatch(
                    f"{'.'.join(table.name())} holds equality deletes ({entry.data_file.file_path}), so rows "
                    "cannot be taken out of its files, nor counted: compact the table first."
                )
            self._index.add_delete_file(entry, entry.data_file.partition)

    def of(self, entry: ManifestEntry) -> frozenset[DataFileEntry]:
        """Those that apply to a data file."""
        return frozenset(
            self._index.for_data_file(entry.sequence_number or 0, entry.data_file, entry.data_file.partition)
        )
