"""Names of Parquet columns that DuckDB cannot keep apart: it does not see case, and has names of its own.

Such a file is written down again with other names, so that each column is the one that is meant. What no name can mend
is refused: two columns of the very same name, and fields of a struct that differ by case alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from autoloader.errors import TypeMismatch
from autoloader.scratch import room

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

FILE = "autoloader_file"
"""The column in which DuckDB tells a row's file; its number there is ``file_row_number``."""

_OWN = (FILE, "file_row_number")
_ROWS_AT_ONCE = 4096


def clash(names: Sequence[str]) -> bool:
    """Whether columns must be called otherwise."""
    folded = [name.casefold() for name in (*names, *_OWN)]
    return len(set(folded)) < len(folded)


def called_otherwise(source: Path, target: Path) -> dict[str, str]:
    """Write the file again with names of our own; these by the names of the file.

    Raises:
        pa.ArrowException: the file is broken.
        SpoolFull: no room on the disk.
    """
    with pq.ParquetFile(source) as parquet, room(target.parent):
        found = parquet.schema_arrow
        names = [f"c{at}" for at in range(len(found.names))]
        fields = [field.with_name(name) for field, name in zip(found, names, strict=True)]
        with pq.ParquetWriter(target, pa.schema(fields), compression="lz4") as writer:
            for batch in parquet.iter_batches(_ROWS_AT_ONCE):
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields)))
    return dict(zip(found.names, names, strict=True))


def require_unambiguous(found: pa.Schema, wanted: Collection[str] | None) -> None:
    """Refuse columns of which nobody could tell which is meant.

    Args:
        wanted: names, case folded, of the columns that are read; None: all of them.

    Raises:
        TypeMismatch: two columns have the same name, or two fields of a struct but for case.
    """
    seen: set[str] = set()
    for field in found:
        if wanted is not None and field.name.casefold() not in wanted:
            continue
        shown = json.dumps(field.name, ensure_ascii=False)
        if field.name in seen:
            raise TypeMismatch(f"the file has the column {shown} more than once")
        if _alike_inside(field.type):
            raise TypeMismatch(f"the column {shown} of the file has fields whose names differ by case alone")
        seen.add(field.name)


def _alike_inside(kind: pa.DataType) -> bool:
    inner = [kind.field(at) for at in range(kind.num_fields)]
    names = {field.name.casefold() for field in inner}
    alike = pa.types.is_struct(kind) and len(names) < len(inner)
    return alike or any(_alike_inside(field.type) for field in inner)
