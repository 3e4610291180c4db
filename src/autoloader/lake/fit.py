"""Whether a table that is already there takes the rows of an ingestion: every difference, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyiceberg.types import IcebergType, ListType, MapType, NestedField, StructType

from autoloader.lake.partitions import partition_fields, partition_spec
from autoloader.lake.types import fits
from autoloader.model import METADATA_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyiceberg.schema import Schema as IcebergSchema
    from pyiceberg.table import Table

WRITABLE_VERSION = 2
"""PyIceberg writes format versions 1 and 2."""


def differences(
    table: Table, wanted: IcebergSchema, partition_columns: Sequence[str], extra: Sequence[str] = ()
) -> list[str]:
    """Why the table does not fit; empty when it does.

    Args:
        table: as the catalog has it.
        wanted: the ingestion's columns and the metadata columns; of the latter any may be missing in the table.
        partition_columns: the user's words; empty takes the table's spec as it is.
        extra: names of further columns that may be missing.
    """
    return [
        *_version(table),
        *_columns("", wanted.fields, table.schema().fields, missing_ok=frozenset((*METADATA_COLUMNS, *extra))),
        *_partitions(table, partition_columns),
    ]


def _version(table: Table) -> Iterator[str]:
    if table.format_version > WRITABLE_VERSION:
        yield f"its format version is {table.format_version}; up to {WRITABLE_VERSION} can be written"


def _columns(
    path: str, ours: Sequence[NestedField], theirs: Sequence[NestedField], missing_ok: frozenset[str] = frozenset()
) -> Iterator[str]:
    by_name = {field.name.lower(): field for field in theirs}
    for field in ours:
        found = by_name.pop(field.name.lower(), None)
        if found is not None:
            yield from _type(path + field.name, field.field_type, found.field_type)
            if found.required and (path or not found.field_type.is_primitive):
                yield f"{path}{found.name} is required there, and a file may lack it"
        elif field.name not in missing_ok:
            yield f"it has no column {path}{field.name} ({field.field_type})"
    for field in by_name.values():
        if field.required:
            yield f"it requires a column {path}{field.name} ({field.field_type}) that the schema does not have"


def _type(path: str, ours: IcebergType, theirs: IcebergType) -> Iterator[str]:
    match ours, theirs:
        case StructType(), StructType():
            yield from _columns(f"{path}.", ours.fields, theirs.fields)
        case ListType(), ListType():
            yield from _type(f"{path}.element", ours.element_type, theirs.element_type)
            if theirs.element_required:
                yield f"{path}.element is required there, and a file may lack it"
        case MapType(), MapType():
            yield from _type(f"{path}.key", ours.key_type, theirs.key_type)
            yield from _type(f"{path}.value", ours.value_type, theirs.value_type)
            if theirs.value_required:
                yield f"{path}.value is required there, and a file may lack it"
        case _ if not fits(ours, theirs):
            yield f"{path} is {theirs} there and {ours} in the schema"


def _partitions(table: Table, partition_columns: Sequence[str]) -> Iterator[str]:
    if not partition_columns:
        return
    schema = table.schema()
    asked = [(f.column, f.transform) for f in partition_fields(partition_spec(partition_columns, schema), schema)]
    there = [(f.column, f.transform) for f in partition_fields(table.spec(), schema)]
    if asked != there:
        yield f"it is partitioned by {_words(there)}, not by {_words(asked)}"


def _words(fields: Sequence[tuple[str, str]]) -> str:
    return (
        ", ".join(name if transform == "identity" else f"{transform}({name})" for name, transform in fields) or "none"
    )
