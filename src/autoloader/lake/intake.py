"""What an engine hands over in one load, as entries for the publisher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.lake.data_files import Uploader, load_location
from autoloader.lake.staged import PUBLISHED_WAP_ID, SOURCE_SNAPSHOT_ID, taken
from autoloader.model import Staged

if TYPE_CHECKING:
    from uuid import UUID

    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.table import Table

    from autoloader.model import DataFile


class Intake:
    """Takes data files, and staged snapshots full of them. Safe to use from many threads.

    Args:
        table: a handle that is not refreshed meanwhile.
        load_id: the load they belong to.
    """

    def __init__(self, table: Table, load_id: UUID) -> None:
        self._table = table
        self._uploader = Uploader(table, load_id)
        self._folder = load_location(table, load_id)
        self.marks: dict[str, str] = {}

    def take(self, made: DataFile | Staged) -> list[DataFileEntry]:
        """Entries of what was made; see ``Uploader.upload`` and ``staged.taken`` for what is raised."""
        if not isinstance(made, Staged):
            return [self._uploader.upload(made)]
        self.marks |= {PUBLISHED_WAP_ID: made.wap_id, SOURCE_SNAPSHOT_ID: str(made.snapshot_id)}
        return taken(self._table, made, self._folder)
