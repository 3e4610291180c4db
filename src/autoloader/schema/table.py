"""What an engine needs to know of a table, as data: columns with field ids, partition fields, file layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.model import LOAD_ID, LOADED_AT, RESCUED_DATA, SOURCE_FILE, SOURCE_MODIFIED_AT, SOURCE_ROW
from autoloader.schema.types import Array, Column, Decimal, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autoloader.schema.types import DataType

METADATA = (
    Column(SOURCE_FILE, Scalar.STRING),
    Column(SOURCE_MODIFIED_AT, Scalar.TIMESTAMP),
    Column(LOAD_ID, Scalar.STRING),
    Column(LOADED_AT, Scalar.TIMESTAMP),
)
"""The columns that every row of every table carries."""

ROW = Column(SOURCE_ROW, Scalar.BIGINT)
"""A further one, where an ingestion asks for it."""

RESCUED = Column(RESCUED_DATA, Scalar.STRING)
"""Another, where an ingestion keeps what its schema does not know."""


@dataclass(frozen=True, slots=True)
class PartitionField:
    """One field of the table's partition spec.

    Attributes:
        name: of the partition field (``at_day``).
        column: the top-level source column.
        transform: as Iceberg writes it: ``identity``, ``year``, ``month``, ``day``, ``hour``, ``bucket[16]``,
            ``truncate[4]``.
    """

    name: str
    column: str
    transform: str


@dataclass(frozen=True, slots=True)
class TableShape:
    """The table a load writes into.

    Attributes:
        schema: every column of the table in its order, the metadata columns included.
        field_ids: Iceberg field id by path; parts of a path are column names, ``element`` for arrays, ``key`` and
            ``value`` for maps: ``("tags",)``, ``("tags", "element")``, ``("meta", "ip")``.
        partition: fields of the current partition spec, in order; empty when not partitioned.
    """

    schema: Schema
    field_ids: Mapping[tuple[str, ...], int]
    partition: tuple[PartitionField, ...] = ()


def numbered(schema: Schema, extra: Sequence[Column] = ()) -> TableShape:
    """The shape of a table that does not exist: the schema, the metadata columns and these, with ids from 1."""
    columns = (*schema.columns, *METADATA, *extra)
    paths = [path for column in columns for path in _paths((column.name,), column.type)]
    return TableShape(Schema(columns), {path: number for number, path in enumerate(paths, start=1)})


def _paths(path: tuple[str, ...], kind: DataType) -> Iterator[tuple[str, ...]]:
    yield path
    match kind:
        case Struct(columns):
            for column in columns:
                yield from _paths((*path, column.name), column.type)
        case Array(element):
            yield from _paths((*path, "element"), element)
        case Map(key, value):
            yield from _paths((*path, "key"), key)
            yield from _paths((*path, "value"), value)
        case Scalar() | Decimal():
            return
