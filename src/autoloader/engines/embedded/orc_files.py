"""ORC: read a batch of rows at a time with pyarrow, and written down as Parquet, so that it goes on as Parquet does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.orc as po
import pyarrow.parquet as pq

from autoloader.engines.footers import asked_for, check_columns
from autoloader.errors import FileUnreadable
from autoloader.scratch import full, room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from autoloader.schema.types import Schema

_ROWS_AT_ONCE = 4096
_BYTES_AT_ONCE = 8 * 1024**2
"""As they are stored; fewer rows are read at once where they are large."""


def orc_to_parquet(source: Path, target: Path, schema: Schema, *, every: bool) -> None:
    """Write the columns that the schema asks for, or every one; see ``parquet_files.Convert``."""
    found = orc_columns(source)
    wanted = pa.schema([found.field(name) for name in asked_for(found.names, schema, every=every)])
    check_columns(wanted, schema)
    with room(target.parent), pq.ParquetWriter(target, wanted, compression="lz4") as writer:
        for batch in _batches(source, wanted):
            writer.write_batch(batch)


def orc_columns(source: Path) -> pa.Schema:
    """The columns of an ORC file, instants in microseconds.

    Raises:
        FileUnreadable: it is not ORC, or its footer is broken.
    """
    try:
        found = ds.dataset(source, format=ds.OrcFileFormat()).schema
    except (pa.ArrowException, OSError) as error:
        raise FileUnreadable(f"the file is not ORC, or is broken or truncated: {_said(error)}") from None
    return pa.schema([(field.name, _in_microseconds(field.type)) for field in found])


def _batches(source: Path, wanted: pa.Schema) -> Iterator[pa.RecordBatch]:
    try:
        file = po.ORCFile(source)
        rows = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE * file.nrows // max(1, file.content_length)))
        scanner = ds.dataset(source, format=ds.OrcFileFormat()).scanner(
            columns=wanted.names, batch_size=rows, batch_readahead=1, fragment_readahead=1, use_threads=False
        )
        for batch in scanner.to_batches():
            columns = [_cut(column) for column in batch.columns]
            yield pa.RecordBatch.from_arrays(columns, schema=wanted) if columns else batch
    except (pa.ArrowException, OSError) as error:
        if (no_room := full(source.parent, error)) is not None:
            raise no_room from None
        raise FileUnreadable(f"the ORC file is broken, or has what no table can hold: {_said(error)}") from None


def _in_microseconds(found: pa.DataType) -> pa.DataType:
    """The type with its instants in microseconds: ORC keeps nanoseconds, and digits beyond the sixth are cut."""
    match found:
        case pa.TimestampType():
            return pa.timestamp("us", found.tz)
        case pa.ListType():
            return pa.list_(_in_microseconds(found.value_type))
        case pa.MapType():
            return pa.map_(_in_microseconds(found.key_type), _in_microseconds(found.item_type))
        case pa.StructType():
            return pa.struct([(field.name, _in_microseconds(field.type)) for field in found])
        case _:
            return found


def _cut(found: Any) -> Any:  # noqa: ANN401  pyarrow's stubs do not know how nested arrays are taken apart
    """The values with their instants in microseconds. A cast alone would round those before 1970 up."""
    kind: Any = _in_microseconds(found.type)
    if kind == found.type:
        return found
    if pa.types.is_timestamp(kind):
        return pc.floor_temporal(found, unit="microsecond").cast(kind)
    absent = found.is_null()
    if pa.types.is_map(kind):
        keys, items = _cut(found.keys), _cut(found.items)
        return pa.MapArray.from_arrays(found.offsets, keys, items, kind, mask=absent)  # type: ignore[call-overload]  # the stubs lack it
    if pa.types.is_list(kind):
        return pa.ListArray.from_arrays(found.offsets, _cut(found.values), type=kind, mask=absent)
    fields = [_cut(found.field(at)) for at in range(kind.num_fields)]
    return pa.StructArray.from_arrays(fields, fields=[kind.field(at) for at in range(kind.num_fields)], mask=absent)


def _said(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
