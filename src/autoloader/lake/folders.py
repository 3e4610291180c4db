"""The folder of one load in its table's storage, for whoever stores data files in it from another process."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from pyiceberg.io import load_file_io
from tenacity import retry, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from autoloader.errors import CatalogUnavailable
from autoloader.lake.answers import translated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pyiceberg.io import FileIO

_CHUNK_BYTES = 8 * 1024**2

patiently = retry(
    retry=retry_if_exception_type(CatalogUnavailable),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    stop=stop_after_attempt(5),
    reraise=True,
)
"""Storage that does not answer is asked again, for some ten seconds in all."""


@dataclass(frozen=True, slots=True)
class LoadFolder:
    """Where data files of a load go; it can be sent to another machine.

    Attributes:
        location: of the folder, without a slash at its end.
        properties: of the table's FileIO: how its storage is reached. They may hold keys.
    """

    location: str
    properties: Mapping[str, str] = field(repr=False)

    def store(self, local: Path) -> str:
        """Put a file there under a fresh name, and remove the local one.

        Returns:
            Its location.

        Raises:
            CatalogUnavailable: the storage stays unavailable after retries.
            CatalogMisconfigured: the storage denies access.
        """
        location = new_location(self.location)
        put(self._file_io(), local, location)
        local.unlink()
        return location

    def take(self, location: str, local: Path) -> None:
        """Bring a file back, and remove it there.

        Raises:
            CatalogUnavailable: the storage stays unavailable after retries.
            CatalogMisconfigured: the storage denies access.
        """
        files = self._file_io()
        _get(files, location, local)
        with translated(f"removing {location}"):
            files.delete(location)

    def _file_io(self) -> FileIO:
        return load_file_io(dict(self.properties), self.location)


def new_location(folder: str) -> str:
    """A name of its own for a data file: an engine may give files of several folders the same one."""
    return f"{folder}/{uuid4()}.parquet"


@patiently
def put(files: FileIO, local: Path, location: str) -> None:
    """Store a local file.

    Raises:
        CatalogUnavailable: the storage stays unavailable after retries.
        CatalogMisconfigured: the storage denies access.
    """
    with translated(f"writing {location}"):
        output = files.new_output(location)
        with local.open("rb") as source, output.create(overwrite=True) as target:
            shutil.copyfileobj(source, target, _CHUNK_BYTES)


@patiently
def _get(files: FileIO, location: str, local: Path) -> None:
    with translated(f"reading {location}"), files.new_input(location).open() as source, local.open("wb") as target:
        shutil.copyfileobj(source, target, _CHUNK_BYTES)
