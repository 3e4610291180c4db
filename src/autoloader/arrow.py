"""Arrow without pandas, which nothing here uses.

At its first value pyarrow imports pandas where that is installed, to know a DataFrame when it sees one: a quarter of a
second of every run, on machines that have pandas for other reasons (Spark's client needs it). It looks once, so it is
let look while pandas cannot be found. Whoever asks pyarrow for pandas later, by name, still gets it.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _Hiding(MetaPathFinder):
    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname, name=fullname)
        return None


def look_for_pandas_in_vain() -> None:
    """Let pyarrow look, unless pandas is here already."""
    if "pandas" in sys.modules:
        return
    hiding = _Hiding()
    sys.meta_path.insert(0, hiding)
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.remove(hiding)


look_for_pandas_in_vain()
