"""The data files that are stored for loads, and which of them a snapshot still refers to."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyarrow.fs import FileSelector, FileType
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import ManifestContent

from autoloader.lake.answers import translated
from autoloader.lake.data_files import REWRITTEN, loads_location
from autoloader.lake.filesystems import file_system
from autoloader.lake.whose import entries_of, manifests_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from pyarrow.fs import FileInfo
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Stored:
    """A file below the folder of a load."""

    location: str
    load_id: UUID


class Storage:
    """What is stored below the folders of loads, whoever refers to it.

    Args:
        table: says where they are and how its storage is reached.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._root = loads_location(table).rstrip("/")
        self._files, _ = file_system(table, self._root)

    def below_loads(self) -> Iterator[list[Stored]]:
        """The files of every load, folder by folder.

        Raises:
            CatalogUnavailable: the storage does not answer.
        """
        folders = [*self._folders(self._root), *self._folders(f"{self._root}/{REWRITTEN}")]
        with ThreadPoolExecutor(AT_ONCE, "listing") as pool:
            for start in range(0, len(folders), AT_ONCE):
                yield from pool.map(self._in_folder, folders[start : start + AT_ONCE])

    def still_there(self, locations: Sequence[str]) -> set[str]:
        """Which of these files have not been removed.

        Raises:
            CatalogUnavailable: the storage does not answer.
        """
        with translated(f"looking for files below {self._root}"):
            infos = self._files.get_file_info([self._path(each) for each in locations])
        return {location for location, info in zip(locations, infos, strict=True) if info.type == FileType.File}

    def _folders(self, root: str) -> Iterator[Stored]:
        for info in self._listed(root, recursive=False):
            load_id = _load_id(info.base_name)
            if info.type == FileType.Directory and load_id is not None:
                yield Stored(f"{root}/{info.base_name}", load_id)

    def _in_folder(self, folder: Stored) -> list[Stored]:
        path = self._path(folder.location)
        found = self._listed(folder.location, recursive=True)
        return [
            Stored(folder.location + info.path.removeprefix(path), folder.load_id)
            for info in found
            if info.type == FileType.File
        ]

    def _listed(self, location: str, *, recursive: bool) -> list[FileInfo]:
        selector = FileSelector(self._path(location), recursive=recursive, allow_not_found=True)
        with translated(f"listing {location}"):
            return self._files.get_file_info(selector)

    def _path(self, location: str) -> str:
        return PyArrowFileIO.parse_location(location, self._table.io.properties)[2]


def referred_to(table: Table, snapshots: Sequence[Snapshot]) -> Iterator[list[str]]:
    """The data files that snapshots refer to, manifest by manifest; each manifest is read once.

    Raises:
        CatalogUnavailable: the storage does not answer.
    """
    seen: set[str] = set()
    for snapshot in snapshots:
        for manifest in manifests_at(table, snapshot):
            if manifest.content == ManifestContent.DATA and manifest.manifest_path not in seen:
                seen.add(manifest.manifest_path)
                yield [entry.data_file.file_path for entry in entries_of(table, manifest)]


def _load_id(name: str) -> UUID | None:
    try:
        return uuid.UUID(name)
    except ValueError:
        return None
