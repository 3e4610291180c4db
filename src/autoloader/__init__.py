"""Files that keep arriving in object storage become rows of Apache Iceberg tables, each file exactly once."""

from __future__ import annotations

__version__: str


def __getattr__(name: str) -> str:
    """``__version__``, looked up only when asked for: the look-up would take a third of ``--help``'s time."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415  see above

    return version("iceberg-autoloader")
