"""The environment dlt runs in: its dependencies are not ours, so it is made apart, on first use, from its own lock."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".bench-dlt"
PYTHON = FOLDER / "bin" / "python"
LOCK = ROOT / "bench" / "dlt" / "requirements.lock"
_INSTALLED = FOLDER / ".installed"


def make_dlt_environment() -> None:
    """Install the locked dependencies unless this lock is installed already."""
    lock = LOCK.read_text()
    if _INSTALLED.exists() and _INSTALLED.read_text() == lock:
        return
    venv.create(FOLDER, with_pip=True, clear=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
    subprocess.run([str(PYTHON), *install, "--requirement", str(LOCK)], check=True, stdout=sys.stderr)
    _INSTALLED.write_text(lock)


def dlt_version() -> str:
    """The locked version of dlt."""
    found = re.search(r"^dlt==(\S+)", LOCK.read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{LOCK.name} does not name dlt")
    return found[1]
