"""Avro: read block by block with fastavro, and written down as Parquet, so that from there on it is as Parquet is."""

from __future__ import annotations

import json
import lzma
import zlib
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from autoloader.engines.footers import asked_for, check_columns
from autoloader.errors import FileUnreadable, TypeMismatch, UsageError
from autoloader.schema.names import FIELD, MOST_DIGITS
from autoloader.scratch import room

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from io import BufferedReader
    from pathlib import Path

    from fastavro import block_reader

    from autoloader.schema.types import Schema

    Convert = Callable[[Any], Any] | None

_RECORDS_AT_ONCE = 4096
_BYTES_AT_ONCE = 2 * 1024**2
"""Of compressed blocks, after which fewer records are enough."""
_MOST_IN_A_BLOCK = 10_000_000
"""Blocks hold some thousands: this one would cost hours, as a record without a byte is possible."""
_DEEPEST = 100
_BROKEN = (ValueError, EOFError, OverflowError, IndexError, KeyError, TypeError, OSError, zlib.error, lzma.LZMAError)
"""What fastavro and the codecs raise where bytes are not what the schema says."""

_PLAIN: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
    "enum": pa.string(),
}
_LOGICAL: dict[tuple[str, str], pa.DataType] = {
    ("int", "date"): pa.date32(),
    ("long", "timestamp-millis"): pa.timestamp("ms", "UTC"),
    ("long", "timestamp-micros"): pa.timestamp("us", "UTC"),
    ("long", "local-timestamp-millis"): pa.timestamp("ms"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
    ("int", "time-millis"): pa.time32("ms"),
    ("long", "time-micros"): pa.time64("us"),
}
_WIDER: dict[frozenset[str], pa.DataType] = {
    frozenset({"int", "long"}): pa.int64(),
    frozenset({"float", "double"}): pa.float64(),
}


def avro_to_parquet(source: Path, target: Path, schema: Schema, *, every: bool) -> None:
    """Write the columns that the schema asks for, or every one; see ``parquet_files.Convert``."""
    with source.open("rb") as file:
        blocks, types = opened(file)
        begin = file.tell()
        wanted = {name: types[name] for name in asked_for(list(types), schema, every=every)}
        known = set(asked_for(list(types), schema))
        arrow = pa.schema([(name, _fitting(name, avro, known)) for name, avro in wanted.items()])
        check_columns(arrow, schema)
        converts = [_convert(avro) if _arrow(avro) is not None else _as_json for avro in wanted.values()]
        with room(target.parent), pq.ParquetWriter(target, arrow, compression="lz4") as writer:
            for records in _batches(blocks, begin, source.stat().st_size):
                writer.write_batch(_batch(records, arrow, converts))


def avro_columns(source: Path) -> pa.Schema:
    """The columns of an Avro file, of which only the beginning is needed.

    Raises:
        FileUnreadable: it is not Avro.
        UsageError: the type of a column has no place in a table.
    """
    with source.open("rb") as file:
        _, types = opened(file)
    columns: list[tuple[str, pa.DataType]] = []
    for name, avro in types.items():
        if (found := _arrow(avro)) is None:
            raise UsageError(
                f"no schema: the column {name} has the Avro type {_shown(avro)}, which no column type holds: "
                "write a schema_json without the column",
                field=FIELD,
            )
        columns.append((name, found))
    return pa.schema(columns)


def opened(file: BufferedReader) -> tuple[block_reader, dict[str, Any]]:
    """The blocks of an Avro file, and the type of each column with its named types written out.

    Raises:
        FileUnreadable: it is not Avro, its header is broken, or its codec is not known.
    """
    from fastavro import block_reader  # noqa: PLC0415  only who reads Avro needs it
    from fastavro.schema import SchemaParseException, UnknownType, expand_schema  # noqa: PLC0415  likewise

    try:
        blocks = block_reader(file)
        expanded = expand_schema(blocks.writer_schema)
    except RecursionError:
        raise FileUnreadable("the schema of the Avro file is nested too deeply") from None
    except (*_BROKEN, SchemaParseException, UnknownType) as error:
        raise FileUnreadable(f"the file is not Avro, or its header is broken: {_said(error)}") from None
    if not isinstance(expanded, dict) or expanded.get("type") != "record":
        raise FileUnreadable("the Avro file holds no records: its schema must be a record at the top")
    return blocks, {field["name"]: field["type"] for field in expanded["fields"]}


def _batches(blocks: block_reader, begin: int, size: int) -> Iterator[list[dict[str, Any]]]:
    """Every record, some at once; that a file ends within a block is told by its size."""
    held: list[dict[str, Any]] = []
    number, held_bytes, end = 0, 0, begin
    try:
        for block in blocks:
            end = block.offset + block.size
            if block.num_records > _MOST_IN_A_BLOCK:
                raise ValueError(f"a block says that it holds {block.num_records:,} records")
            held_bytes += block.size
            for record in block:
                number += 1
                held.append(cast("dict[str, Any]", record))
                if len(held) == _RECORDS_AT_ONCE:
                    yield held
                    held, held_bytes = [], 0
            if held_bytes > _BYTES_AT_ONCE:
                yield held
                held, held_bytes = [], 0
    except RecursionError:
        raise FileUnreadable(f"record {number + 1} of the Avro file is nested too deeply") from None
    except _BROKEN as error:
        raise FileUnreadable(f"the Avro file is broken or truncated after record {number}: {_said(error)}") from None
    if end != size:
        raise FileUnreadable(f"the Avro file is truncated after record {number}")
    yield held


def _batch(records: list[dict[str, Any]], arrow: pa.Schema, converts: list[Convert]) -> pa.RecordBatch:
    columns = []
    for name, kind, convert in zip(arrow.names, arrow.types, converts, strict=True):
        values = [record[name] for record in records]
        try:
            columns.append(pa.array([convert(value) for value in values] if convert else values, kind))
        except (pa.ArrowException, OverflowError) as error:
            raise FileUnreadable(f'column "{name}" of the Avro file holds what is no {kind}: {_said(error)}') from None
    return pa.RecordBatch.from_arrays(columns, schema=arrow) if columns else pa.record_batch({})


def _as_json(value: Any) -> str | None:  # noqa: ANN401  a value of any type that no column can hold
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _fitting(name: str, avro: Any, known: Container[str]) -> pa.DataType:  # noqa: ANN401  an Avro schema is any JSON
    """The type of a column; one that the schema does not know is kept as a text where no type would do."""
    found = _arrow(avro) if name in known else _arrow(avro) or pa.string()
    if found is None:
        raise TypeMismatch(f'column "{name}" is {_shown(avro)} in the Avro file, which no column type can hold')
    return found


def _arrow(avro: Any, depth: int = 0) -> pa.DataType | None:  # noqa: ANN401, PLR0911  likewise; one return for each kind
    """The type of every value of an Avro type; None where there is none."""
    if depth > _DEEPEST:
        return None
    match avro:
        case list():
            return _union([member for member in avro if _name(member) != "null"], depth)
        case {"logicalType": "decimal", "precision": int(precision)} if 0 < precision <= MOST_DIGITS:
            return pa.decimal128(precision, avro.get("scale", 0))
        case {"logicalType": "decimal"}:
            return None
        case {"logicalType": "uuid"}:
            return pa.string()
        case {"type": "array", "items": items}:
            return None if (inner := _arrow(items, depth + 1)) is None else pa.list_(inner)
        case {"type": "map", "values": values}:
            return None if (inner := _arrow(values, depth + 1)) is None else pa.map_(pa.string(), inner)
        case {"type": "record", "fields": fields}:
            found = {field["name"]: _arrow(field["type"], depth + 1) for field in fields}
            inners = {name: inner for name, inner in found.items() if inner is not None}
            return pa.struct(inners) if len(inners) == len(found) else None
        case {"type": "fixed", "size": int(size)}:
            return pa.binary(size)
        case {"type": (dict() | list()) as inner}:
            return _arrow(inner, depth + 1)
        case {"logicalType": logical, "type": plain} if (plain, logical) in _LOGICAL:
            return _LOGICAL[plain, logical]
        case _:
            return _PLAIN.get(_name(avro))


def _union(members: list[Any], depth: int) -> pa.DataType | None:
    """One type besides null, or two of which one holds the other."""
    if len(members) == 1:
        return _arrow(members[0], depth + 1)
    names = frozenset(member for member in members if isinstance(member, str))
    return _WIDER.get(names) if len(names) == len(members) else None


def _name(avro: Any) -> str:  # noqa: ANN401  likewise
    """``int`` of ``"int"`` and of ``{"type": "int"}``."""
    named = avro.get("type") if isinstance(avro, dict) else avro
    return named if isinstance(named, str) else ""


def _convert(avro: Any) -> Convert:  # noqa: ANN401  likewise
    """What makes of fastavro's values those that Arrow takes; None where they are the same."""
    match avro:
        case list():
            return next((convert for member in avro if (convert := _convert(member))), None)
        case {"logicalType": "uuid"}:
            return lambda value: None if value is None else str(value)
        case {"type": "array", "items": items} if each := _convert(items):
            return lambda value: None if value is None else [each(item) for item in value]
        case {"type": "map", "values": values} if every := _convert(values):
            return lambda value: None if value is None else {key: every(item) for key, item in value.items()}
        case {"type": "record", "fields": fields}:
            return _convert_record([(field["name"], _convert(field["type"])) for field in fields])
        case _:
            return None


def _convert_record(fields: list[tuple[str, Convert]]) -> Convert:
    converts: dict[str, Callable[[Any], Any]] = {name: convert for name, convert in fields if convert is not None}
    if not converts:
        return None
    return lambda value: None if value is None else value | {name: c(value[name]) for name, c in converts.items()}


def _shown(avro: Any) -> str:  # noqa: ANN401  likewise
    text = json.dumps(avro)
    return text if len(text) <= 100 else f"{text[:100]}…"  # noqa: PLR2004  what fits on a line


def _said(error: Exception) -> str:
    return str(error).split("\n", 1)[0] or type(error).__name__
