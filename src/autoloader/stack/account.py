"""The unprivileged account PostgreSQL runs as when we are root: it refuses to run as root itself."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autoloader.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "autoloader-pg"
_ACCOUNTS = Path("/etc")


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A user of this machine."""

    uid: int
    gid: int


def account_for(data: Path, name: str = ACCOUNT) -> Account | None:
    """The account that must own ``data`` and run the server, or None when we are an ordinary user ourselves.

    Data that exist keep their owner. Otherwise an account of our own is used, made with ``useradd`` if it can be, and
    ``nobody`` where it cannot (a read-only ``/etc``, an image without ``useradd``).

    Args:
        data: the folder; it need not be there.
        name: of the account of our own.

    Raises:
        StackError: there is no such account at all.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(uid=owner.st_uid, gid=owner.st_gid)
    with _alone_with_accounts():
        entry = _entry(name) or _made(name) or _entry("nobody")
    if entry is None:
        raise StackError(
            f"PostgreSQL does not run as root, and there is no account to run it as: make one with 'useradd {name}'."
        )
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


@contextmanager
def _alone_with_accounts() -> Iterator[None]:
    """Two first starts at once must not see each other's account half made: ``useradd`` may yet take another number."""
    folder = os.open(_ACCOUNTS, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _made(name: str) -> pwd.struct_passwd | None:
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        return None
    options = ["--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    subprocess.run([program, *options, name], check=False, capture_output=True)
    return _entry(name)
