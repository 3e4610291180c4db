"""Commands in processes of their own that are there at once: forked from a process that has imported the program.

An interpreter that imports everything takes a second or two of a processor, most of it the same each time.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from contextlib import contextmanager
from multiprocessing import forkserver
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
ROOMS = ("api.serving", "cli.serve", "cli.workers", "loading", "recovery", "stack", "workers")
FORKS.set_forkserver_preload([__name__, *(f"autoloader.{room}" for room in ROOMS)])
_NOT_MEASURED = ("COV_CORE_", "COVERAGE_")
"""Variables by which coverage starts itself in a process; what these ones run is measured elsewhere."""


@contextmanager
def forked(arguments: Sequence[str], environment: Mapping[str, str], said: Path) -> Iterator[None]:
    """A command that runs while the block goes on; then it is told to stop, and must end cleanly.

    Args:
        said: gets what it says, on either way out.
    """
    _have_a_server()
    process = FORKS.Process(target=_run, args=(list(arguments), dict(environment), str(said)))
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(60)
        if process.is_alive():
            process.kill()
            process.join()
    assert process.exitcode == 0, said.read_text("utf-8")
    process.close()


def _have_a_server() -> None:
    """Start the process that forks, if it does not run, without the variables of coverage."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(_NOT_MEASURED)}
    try:
        forkserver.ensure_running()
    finally:
        os.environ.update(hidden)


def _run(arguments: list[str], environment: dict[str, str], said: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    with open(said, "ab", buffering=0) as output:  # noqa: PTH123  Path.open is the same
        os.dup2(output.fileno(), sys.stdout.fileno())
        os.dup2(output.fileno(), sys.stderr.fileno())
    sys.argv = ["autoloader", *arguments]
    from autoloader.cli import main

    main()
