"""Data files on their way into a table's storage, before any snapshot names them."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, cast

import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileType
from pyiceberg.partitioning import partition_record_value
from pyiceberg.typedef import Record

from autoloader.errors import TableMismatch
from autoloader.lake.answers import translated
from autoloader.lake.filesystems import file_system
from autoloader.lake.folders import LoadFolder, new_location, patiently, put
from autoloader.lake.footers import entry
from autoloader.lake.partitions import is_void
from autoloader.lake.snapshots import landed_in, refreshed
from autoloader.lake.staged import unstage
from autoloader.model import DataFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.partitioning import PartitionSpec
    from pyiceberg.table import Table


REWRITTEN = "rewritten"


def load_location(table: Table, load_id: UUID) -> str:
    """The folder of a load's own data files: whoever knows the load id can find and remove them.

    The table's ``write.data.path`` is followed. Its object-storage layout (hashes before the name) is not: what a lost
    load left behind could then only be found by listing the whole table.
    """
    return f"{_data_path(table)}/{load_id}"


def load_folder(table: Table, load_id: UUID) -> LoadFolder:
    """The same with the way to its storage, for whoever stores data files from another process."""
    return LoadFolder(load_location(table, load_id), dict(table.io.properties))


def rewritten_location(table: Table, load_id: UUID) -> str:
    """The folder of files that a load wrote in place of others.

    It is apart from ``load_location`` because rows of earlier loads live on in these files: the load id in such a path
    says nothing about whose rows are inside.
    """
    return f"{_data_path(table)}/{REWRITTEN}/{load_id}"


def loads_location(table: Table) -> str:
    """What ``load_location`` of any load begins with, up to the load id."""
    return f"{_data_path(table)}/"


def _data_path(table: Table) -> str:
    return table.location_provider().data_path


class Uploader:
    """Puts the data files of one load into the table's storage. Safe to use from many threads.

    Args:
        table: a handle that is not refreshed meanwhile.
        load_id: the load they belong to.
    """

    def __init__(self, table: Table, load_id: UUID) -> None:
        self._table = table
        self._location = load_location(table, load_id)
        self._spec = table.spec()

    def upload(self, data_file: DataFile) -> DataFileEntry:
        """Store one file, remove the local copy, and describe it for the publisher.

        A ``data_file`` whose location is a URI is already in the table's storage: only its footer is read.

        Raises:
            TableMismatch: the file does not fit the table, or does not hold the rows its engine counted.
            CatalogUnavailable: the storage stays unavailable after retries.
            CatalogMisconfigured: the storage denies access.
        """
        if isinstance(data_file.location, str):
            return self._described(data_file, data_file.location, *self._remote_footer(data_file.location))
        location = new_location(self._location)
        footer, size_bytes = pq.read_metadata(data_file.location), data_file.location.stat().st_size
        described = self._described(data_file, location, footer, size_bytes)
        put(self._table.io, data_file.location, location)
        data_file.location.unlink()
        return described

    def found(self, location: str) -> DataFileEntry:
        """Describe a file that was stored before.

        Raises:
            TableMismatch: the file does not fit the table.
            CatalogUnavailable: the storage stays unavailable after retries.
        """
        footer, size_bytes = self._remote_footer(location)
        made = DataFile(location=location, records=footer.num_rows)
        return self._described(made, location, footer, size_bytes)

    def _described(self, data_file: DataFile, location: str, footer: pq.FileMetaData, size_bytes: int) -> DataFileEntry:
        if footer.num_rows != data_file.records:
            raise TableMismatch(f"{location} holds {footer.num_rows} rows, its engine counted {data_file.records}.")
        return entry(
            self._table.metadata,
            footer,
            location=location,
            size_bytes=size_bytes,
            spec_id=self._spec.spec_id,
            partition=partition_record(self._table, self._spec, data_file.partition),
        )

    @patiently
    def _remote_footer(self, location: str) -> tuple[pq.FileMetaData, int]:
        with translated(f"reading {location}"):
            source = self._table.io.new_input(location)
            with source.open() as stream:
                return pq.read_metadata(cast("IO[Any]", stream)), len(source)


def partition_record(table: Table, spec: PartitionSpec, values: tuple[object, ...]) -> Record:
    """A partition as manifests keep it (dates as days, instants as microseconds), NULL for dropped fields.

    Raises:
        TableMismatch: not one value for each field of the spec.
    """
    fields = [field for field in spec.fields if not is_void(field)]
    if len(fields) != len(values):
        raise TableMismatch(f"A data file has {len(values)} partition values; the table wants {len(fields)}.")
    given = iter(values)
    return Record(
        *(None if is_void(f) else partition_record_value(f, next(given), table.schema()) for f in spec.fields)
    )


def discard(table: Table, load_id: UUID) -> int:
    """Remove every file of a load that did not land and no longer can, staged ones too; returns how many there were.

    Call it only after the load failed before it was published, or was fenced.

    Raises:
        TableMismatch: the load is in the table after all; nothing was removed.
        CatalogUnavailable: the storage stays unavailable after retries.
    """
    if landed_in(refreshed(table).metadata, load_id) is not None:
        raise TableMismatch(f"The load {load_id} is in the table: its data files stay.")
    locations = [
        location
        for folder in (load_location(table, load_id), rewritten_location(table, load_id))
        for location in files_below(table, folder)
    ]
    locations += unstage(table, load_id)
    for location in locations:
        remove(table, location)
    return len(locations)


@patiently
def remove(table: Table, location: str) -> None:
    """Remove one file of the table's storage; it may be gone already."""
    with translated(f"removing {location}"):
        try:
            table.io.delete(location)
        except FileNotFoundError:
            return


@patiently
def files_below(table: Table, folder: str) -> list[str]:
    """Every file below a folder of the table's storage.

    Raises:
        CatalogUnavailable: the storage stays unavailable after retries.
    """
    with translated(f"listing {folder}"):
        return list(_listed(table, folder))


def _listed(table: Table, folder: str) -> Iterator[str]:
    files, path = file_system(table, folder)
    for info in files.get_file_info(FileSelector(path, recursive=True, allow_not_found=True)):
        if info.type == FileType.File:
            yield folder + info.path.removeprefix(path)
