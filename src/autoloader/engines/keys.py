"""Values that stand in the key of a file, in folders such as ``dt=2024-01-15/``, for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from autoloader.errors import PathMismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

NULL = "__HIVE_DEFAULT_PARTITION__"
"""The value that means NULL, as Hive and Spark write it."""


def texts_of(path: str, names: Sequence[str]) -> list[str | None]:
    """The text of each named part, percent-decoded; None where it says NULL.

    Where a name comes twice, the part nearest to the file counts.

    Args:
        path: ``s3://bucket/key``.
        names: of the parts, case and all.

    Raises:
        PathMismatch: the key lacks a part, or the bytes of one are no text.
    """
    folders = path.split("/")[3:-1]
    found: dict[str, str] = {}
    for folder in folders:
        name, separator, value = folder.partition("=")
        if separator:
            found[_decoded(name)] = value
    lacking = [name for name in names if name not in found]
    if lacking:
        raise PathMismatch(
            f"the key has no folder {lacking[0]}=…/, which path_columns needs: mend the key, or leave such files out "
            "by source_file_pattern"
        )
    return [_text(name, found[name]) for name in names]


def _text(name: str, value: str) -> str | None:
    if value == NULL:
        return None
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise PathMismatch(f"the folder {name}={value} of the key is not UTF-8 once it is percent-decoded") from None


def _decoded(name: str) -> str:
    """A name that cannot be decoded is no column's."""
    return unquote(name, errors="replace")
