"""How the large libraries that a load needs are imported in the shortest time."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """While modules are imported nothing is collected, and what is there afterwards is never looked at again.

    Modules stay for as long as their process. To look through all of their objects again and again, as they become
    more, took a tenth of the time of their import. Not for a process that has begun to work: its garbage would stay.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def go_without_numpy() -> None:
    """Let nobody import numpy in this process any more, as if it were not installed.

    Nothing here uses it, but pyarrow imports it where it is: an eighth of a second of a run, on machines that have it
    for other reasons (Spark's client needs it, see ``lacks_numpy``). Nothing changes where one of the two is imported
    already: pyarrow knows numpy then, or would crash over a numpy that comes later.
    """
    if not {"numpy", "pyarrow"} & sys.modules.keys():
        sys.modules["numpy"] = cast("ModuleType", None)


def lacks_numpy() -> bool:
    """Whether this process goes without numpy."""
    return "numpy" in sys.modules and cast("ModuleType | None", sys.modules["numpy"]) is None
