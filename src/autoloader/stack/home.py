"""The home folder: where everything of one stack lies, its credentials, and what is remembered between starts."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import FileLock, Timeout

from autoloader.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK_SECONDS = 180
_LEAST_FREE_BYTES = 256 * 1024**2
_LEAST_FREE_SHARE = 0.01  # below this share of the disk SeaweedFS turns its volumes read-only
_LOG_BYTES = 16 * 1024**2
_LOCK_FILE = "stack.lock"


_Content = TypeVar("_Content")


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """The secrets of one home, made at random when it is made."""

    s3_access_key_id: str = field(default_factory=lambda: secrets.token_hex(10).upper())
    s3_secret_access_key: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)
    database_password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    internal_key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)


@dataclass(kw_only=True, slots=True)
class Remembered:
    """What one start tells the next.

    Attributes:
        ports: by part and purpose, kept for as long as they are free.
        pids: by part, of what was started and not stopped since: a hint where to look, never a proof.
    """

    ports: dict[str, dict[str, int]] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)


class Home:
    """The folder and its files. Nothing is created before ``make``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self.logs = self.folder / "logs"
        self.object_store = self.folder / "object-store"
        self.database = self.folder / "postgresql"
        self._credentials = self.folder / "credentials.json"
        self._remembered = self.folder / "state.json"

    def exists(self) -> bool:
        """Whether there is such a folder.

        Raises:
            StackError: it may not be looked at.
        """
        with self._explained():
            return self.folder.is_dir()

    def make(self) -> None:
        """Create what is missing in the folder: its parts and its credentials. To be called under the lock.

        Raises:
            StackError: the folder cannot be written, or its disk is full.
        """
        with self._explained():
            if self._is_ours():
                self.folder.chmod(0o700)
            for part in (self.logs, self.object_store):
                part.mkdir(mode=0o700, exist_ok=True)
            disk = shutil.disk_usage(self.folder)
            if problem := no_room(self.folder, total_bytes=disk.total, free_bytes=disk.free):
                raise StackError(problem)
            if not self._credentials.exists():
                self._make_credentials()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from starting or stopping this stack meanwhile; creates the folder.

        Raises:
            StackError: another start or stop does not come to an end.
        """
        with self._explained():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = FileLock(self.folder / _LOCK_FILE, timeout=_LOCK_SECONDS, mode=0o600)
            try:
                lock.acquire()
            except Timeout:
                raise StackError(
                    f"Another start or stop of the stack in {self.folder} has been going on for {_LOCK_SECONDS} s: "
                    "look for a hanging 'autoloader' process and end it."
                ) from None
        try:
            yield
        finally:
            lock.release()

    def credentials(self) -> Credentials:
        """The secrets of this home.

        Raises:
            StackError: the file is missing or damaged.
        """
        return self._read(self._credentials, Credentials)

    def remembered(self) -> Remembered:
        """What the last start wrote down; nothing if there was none."""
        with self._explained():
            known = self._remembered.exists()
        return self._read(self._remembered, Remembered) if known else Remembered()

    def remember(self, state: Remembered) -> None:
        """Write it down for the next start."""
        with self._explained():
            _write(self._remembered, asdict(state))

    def log(self, part: str) -> Path:
        """Where a part writes what it has to say."""
        return self.logs / f"{part.replace(' ', '-')}.log"

    def turn_logs(self) -> None:
        """Move what a long log holds to ``….log.1`` and empty it; its writer, which appends, goes on at the start."""
        with self._explained():
            for log in self.logs.glob("*.log"):
                if log.stat().st_size > _LOG_BYTES:
                    shutil.copyfile(log, log.with_suffix(".log.1"))
                    os.truncate(log, 0)

    def _is_ours(self) -> bool:
        """A folder that holds other things (``/data``, ``/tmp``) is not, and keeps its mode."""
        others = {file.name for file in self.folder.iterdir()} - {_LOCK_FILE}
        return not others or self._credentials.exists()

    def _make_credentials(self) -> None:
        if self.database.exists():
            raise StackError(
                f"{self._credentials} is gone, and without it the database in {self.database} cannot be opened: "
                f"put the file back, or remove {self.folder} to begin anew."
            )
        _write(self._credentials, asdict(Credentials()))

    def _read(self, file: Path, kind: type[_Content]) -> _Content:
        with self._explained():
            try:
                return kind(**json.loads(file.read_bytes()))
            except (ValueError, TypeError):
                raise StackError(f"{file} is damaged: restore it from a backup, or remove {self.folder}.") from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StackError(
                f"The home folder {self.folder} cannot be used ({error.strerror}: {error.filename}): "
                "choose another with AUTOLOADER_HOME, or mend its permissions."
            ) from error


def no_room(folder: Path, *, total_bytes: int, free_bytes: int) -> str | None:
    """Why the disk is too full to start on, or None if it is not."""
    needed = max(_LEAST_FREE_BYTES, int(total_bytes * _LEAST_FREE_SHARE))
    if free_bytes >= needed:
        return None
    return (
        f"Only {free_bytes // 1024**2} MB are free on the disk of {folder} and the stack needs {needed // 1024**2} MB: "
        "make room, or choose a folder on another disk with AUTOLOADER_HOME."
    )


def _write(file: Path, content: dict[str, Any]) -> None:
    """Replace the file as a whole, readable by nobody else, so that a crash leaves the old or the new one."""
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        json.dump(content, output, indent=2)
        output.flush()
        os.fsync(output.fileno())
    fresh.replace(file)
