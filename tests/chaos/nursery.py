"""Forks workers that have nothing left to import but the project itself, so that one starts in a moment.

It reads one request a line (JSON: ``arguments``, ``environment``, ``log``, ``limits``) and answers each with a process
id. What it forks is the real command line in a process of its own, which dies with the nursery.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys

LIBRARIES = (
    "boto3",
    "click",
    "cryptography.fernet",
    "duckdb",
    "psycopg",
    "pyarrow.dataset",
    "pyarrow.fs",
    "pyarrow.parquet",
    "pycurl",
    "pydantic_settings",
    "pyiceberg.catalog.rest",
    "pyiceberg.io.pyarrow",
    "pyiceberg.table",
    "requests",
    "sqlalchemy.dialects.postgresql.psycopg",
    "structlog",
    "tenacity",
)
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def serve() -> None:
    """Answer requests until stdin ends."""
    for library in LIBRARIES:
        __import__(library)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children: they are gone when they end
    answer("ready")
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            become(request)
        answer(str(child))


def answer(line: str) -> None:
    """Tell the one who asks."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def become(request: dict[str, object]) -> None:
    """Turn this fork into the command."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    log = os.open(str(request["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDWR)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]  # JSON: names and values
    for name, value in request["limits"].items():  # type: ignore[attr-defined]  # likewise
        resource.setrlimit(getattr(resource, name), (value, value))
    sys.argv = ["autoloader", *request["arguments"]]  # type: ignore[misc]  # likewise
    from autoloader.cli import main

    main()


if __name__ == "__main__":
    serve()
