"""One file system for all tables that are reached in the same way, for as long as the process lives.

PyIceberg makes a FileIO for every table it loads, and each makes file systems of its own, whose connections stay open
until Python's collector finds them. A worker that loads a table every second would hold some hundred of them.
"""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache, cached
from pyiceberg.io.pyarrow import PyArrowFileIO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyarrow.fs import FileSystem
    from pyiceberg.table import Table

IMPLEMENTATION = f"{__name__}.SharedFileIO"
"""The value of PyIceberg's property ``py-io-impl``."""

_MOST_KEPT = 8
"""Catalogs may hand out new keys with every table; those of tables loaded long ago are let go."""


def _key(properties: Mapping[str, Any], scheme: str, bucket: str | None) -> tuple[str, str, str | None]:
    return repr(sorted(properties.items())), scheme, bucket


@cached(LRUCache(_MOST_KEPT), key=_key, lock=Lock())
def _file_system(properties: Mapping[str, Any], scheme: str, bucket: str | None = None) -> FileSystem:
    return PyArrowFileIO(dict(properties)).fs_by_scheme(scheme, bucket)


class SharedFileIO(PyArrowFileIO):
    """PyIceberg's FileIO on file systems that all of its kind share.

    Args:
        properties: of the catalog and the table: addresses, keys, time limits.
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        super().__init__(dict(properties))
        self.fs_by_scheme = partial(_file_system, self.properties)


def file_system(table: Table, location: str) -> tuple[FileSystem, str]:
    """The file system that a location of the table's storage is in, and its path there.

    FileIO has no listing of its own; pyarrow's takes the same properties, whichever FileIO the table uses.
    """
    scheme, bucket, path = PyArrowFileIO.parse_location(location, table.io.properties)
    return _file_system(table.io.properties, scheme, bucket), path
