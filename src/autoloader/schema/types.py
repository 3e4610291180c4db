"""Column types, named as in Spark SQL, as a small frozen tree that knows no engine and no table format."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scalar(StrEnum):
    """Types without parameters."""

    STRING = "STRING"
    INT = "INT"
    BIGINT = "BIGINT"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    BOOLEAN = "BOOLEAN"
    TIMESTAMP = "TIMESTAMP"
    TIMESTAMP_NTZ = "TIMESTAMP_NTZ"
    DATE = "DATE"
    BINARY = "BINARY"


@dataclass(frozen=True, slots=True)
class Decimal:
    """``DECIMAL(precision, scale)``; 1 ≤ precision ≤ 38, 0 ≤ scale ≤ precision."""

    precision: int
    scale: int


@dataclass(frozen=True, slots=True)
class Array:
    """``ARRAY<element>``."""

    element: DataType


@dataclass(frozen=True, slots=True)
class Map:
    """``MAP<key, value>``; keys are STRING in JSON sources."""

    key: DataType
    value: DataType


@dataclass(frozen=True, slots=True)
class Column:
    """A named field of a struct or of the schema itself. Every column may be NULL."""

    name: str
    type: DataType


@dataclass(frozen=True, slots=True)
class Struct:
    """``STRUCT<name: type, …>``."""

    columns: tuple[Column, ...]


DataType = Scalar | Decimal | Array | Map | Struct


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of an ingestion, in order; names are unique, also when case is folded."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)
