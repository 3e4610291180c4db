"""Folders for what is on its way, which do not outlive the process that made them for longer than its successor takes.

Beside each folder lies a file that its owner holds locked. The kernel lets go of the lock when the process ends,
however it ends; a paused process holds it still. So a folder whose lock can be taken is nobody's any more.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from autoloader.errors import SpoolFull

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK = ".lock"
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No space, no quota, or a limit of this process (``ulimit -f``)."""

log = structlog.get_logger(__name__)


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """Translate "no space left" into SpoolFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise _full(folder) from error
        raise


def full(folder: Path, said: Exception) -> SpoolFull | None:
    """What a library says in words: SpoolFull where it means that there is no room."""
    words = str(said)
    return _full(folder) if any(os.strerror(number) in words for number in _NO_ROOM) else None


def _full(folder: Path) -> SpoolFull:
    return SpoolFull(f"No room left in the spool {folder}: free some, or point spool_dir elsewhere.")


@contextmanager
def own_folder(spool: Path, name: str) -> Iterator[Path]:
    """A fresh folder ``name`` in the spool while the block goes on.

    Args:
        name: never used before.

    Raises:
        SpoolFull: no room on the disk.
    """
    spool.mkdir(parents=True, exist_ok=True)
    lock, folder = spool / f"{name}{_LOCK}", spool / name
    with room(spool):
        held = lock.open("w")
    with held:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            with room(spool):
                folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def sweep(spool: Path) -> int:
    """Remove the folders whose owners are no more; returns how many there were."""
    if not spool.is_dir():
        return 0
    left = [folder for folder in spool.iterdir() if folder.is_dir() and _taken(folder)]
    if left:
        log.info("spool.swept", folders=len(left))
    return len(left)


def _taken(folder: Path) -> bool:
    """Remove a folder if nobody holds its lock; one without a lock file is about to be removed, or was not ours."""
    lock = folder.with_name(f"{folder.name}{_LOCK}")
    try:
        held = lock.open("r+")
    except FileNotFoundError:
        return False
    with held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        return True
