"""Parquet, ORC and Avro files of any schema: types as they are or ones that Iceberg widens, columns in any order."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as Number
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import fastavro
import pyarrow as pa
import pyarrow.orc as po
import pyarrow.parquet as pq
from tests.corpus.generated import Maker
from tests.corpus.groups import Group
from tests.reference.comparing import row_text

from autoloader.model import FormatType
from autoloader.schema.printing import to_ddl
from autoloader.schema.types import Array, Column, DataType, Decimal, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FILES, ROWS = 12, 40
NAMES = ["id", "a", "b", "c", "Name", "k1", "k10", "z", "x_y", "select"]
KEYS = (Scalar.STRING, Scalar.INT, Scalar.BIGINT, Scalar.DATE)
SCALARS: dict[DataType, list[pa.DataType]] = {
    Scalar.STRING: [pa.string()],
    Scalar.INT: [pa.int32(), pa.int16(), pa.int8()],
    Scalar.BIGINT: [pa.int64(), pa.int32()],
    Scalar.FLOAT: [pa.float32()],
    Scalar.DOUBLE: [pa.float64(), pa.float32()],
    Scalar.BOOLEAN: [pa.bool_()],
    Scalar.TIMESTAMP: [pa.timestamp("us", "UTC"), pa.timestamp("ms", "UTC")],
    Scalar.TIMESTAMP_NTZ: [pa.timestamp("us"), pa.timestamp("ms")],
    Scalar.DATE: [pa.date32()],
    Scalar.BINARY: [pa.binary()],
}
AVRO: dict[DataType, list[Any]] = {
    Scalar.STRING: ["string"],
    Scalar.INT: ["int"],
    Scalar.BIGINT: ["long", "int"],
    Scalar.FLOAT: ["float"],
    Scalar.DOUBLE: ["double", "float"],
    Scalar.BOOLEAN: ["boolean"],
    Scalar.TIMESTAMP: [{"type": "long", "logicalType": "timestamp-micros"}],
    Scalar.TIMESTAMP_NTZ: [{"type": "long", "logicalType": "local-timestamp-micros"}],
    Scalar.DATE: [{"type": "int", "logicalType": "date"}],
    Scalar.BINARY: ["bytes"],
}
_WIDTHS = {"int8": 7, "int16": 15, "int32": 31, "int": 31}


@dataclass(frozen=True, slots=True)
class Written:
    """Files, and the rows that they are to give, as text."""

    group: Group
    rows: Mapping[str, Sequence[str]]


@dataclass(slots=True)
class TypedMaker:
    """Makes one load of typed files."""

    chance: random.Random
    records: int = field(default=0)

    def schema(self, keys: Sequence[Scalar]) -> Schema:
        maker = Maker(self.chance)
        names = self.chance.sample(NAMES, self.chance.randint(1, 8))
        return Schema(tuple(Column(name, self.with_keys(maker.type(2), keys)) for name in names))

    def with_keys(self, kind: DataType, keys: Sequence[Scalar]) -> DataType:
        """The type with names and keys of maps that every format has."""
        match kind:
            case Map(_, value):
                return Map(self.chance.choice(keys), self.with_keys(value, keys))
            case Array(element):
                return Array(self.with_keys(element, keys))
            case Struct(columns):
                return Struct(tuple(Column(f"f{at}", self.with_keys(c.type, keys)) for at, c in enumerate(columns)))
            case _:
                return kind

    def arrow(self, kind: DataType) -> pa.DataType:
        """A type of Arrow that is this one, or is widened to it."""
        match kind:
            case Array(element):
                return pa.list_(self.arrow(element))
            case Map(key, value):
                return pa.map_(self.arrow(key), self.arrow(value))
            case Struct(columns):
                return pa.struct([(column.name, self.arrow(column.type)) for column in columns])
            case Decimal(precision, scale):
                return pa.decimal128(self.chance.randint(max(scale, 1), precision), scale)
            case _:
                return self.chance.choice(SCALARS[kind])

    def avro(self, kind: DataType) -> Any:
        """The same of Avro, which may be null."""
        match kind:
            case Array(element):
                found: Any = {"type": "array", "items": self.avro(element)}
            case Map(_, value):
                found = {"type": "map", "values": self.avro(value)}
            case Struct(columns):
                self.records += 1
                name = f"r{self.records}"
                fields = [{"name": column.name, "type": self.avro(column.type)} for column in columns]
                found = {"type": "record", "name": name, "fields": fields}
            case Decimal(precision, scale):
                digits = self.chance.randint(max(scale, 1), precision)
                found = {"type": "bytes", "logicalType": "decimal", "precision": digits, "scale": scale}
            case _:
                found = self.chance.choice(AVRO[kind])
        return ["null", found]

    def value(self, kind: DataType, told: Any) -> Any:
        """A value that a file with this type can hold; ``told`` is of Arrow or of Avro."""
        inner = told[1] if isinstance(told, list) else told
        if self.chance.random() < 0.15:
            return None
        match kind:
            case Array(element):
                items = inner["items"] if isinstance(inner, dict) else inner.value_type
                return [self.value(element, items) for _ in range(self.chance.randrange(4))]
            case Map(key, value):
                to = inner["values"] if isinstance(inner, dict) else inner.item_type
                key_type = "string" if isinstance(inner, dict) else inner.key_type
                found = {self.scalar(key, key_type): self.value(value, to) for _ in range(self.chance.randrange(4))}
                return found if isinstance(inner, dict) else list(found.items())
            case Struct(columns):
                types = (
                    [each["type"] for each in inner["fields"]]
                    if isinstance(inner, dict)
                    else [each.type for each in inner]
                )
                return {c.name: self.value(c.type, each) for c, each in zip(columns, types, strict=True)}
            case Decimal(_, scale):
                digits = inner["precision"] if isinstance(inner, dict) else inner.precision
                return Number(self.chance.randrange(-(10**digits) + 1, 10**digits)).scaleb(-scale)
            case _:
                return self.scalar(kind, inner)

    def scalar(  # noqa: PLR0911  one return for each kind of type
        self, kind: DataType, told: Any
    ) -> Any:
        match kind:
            case Scalar.INT | Scalar.BIGINT:
                most = 2 ** _WIDTHS.get(str(told), 31 if kind is Scalar.INT else 63)
                return self.chance.choice([0, most - 1, -most, self.chance.randrange(-most, most)])
            case Scalar.FLOAT | Scalar.DOUBLE:
                exact = float(self.chance.randrange(-(2**20), 2**20)) / 2 ** self.chance.randrange(30)
                wide = str(told) == "double"
                return self.chance.uniform(-1e9, 1e9) if wide else self.chance.choice([exact, -0.0])
            case Scalar.BOOLEAN:
                return self.chance.random() < 0.5
            case Scalar.DATE:
                return date(1, 1, 1) + timedelta(self.chance.randrange(3_652_059))
            case Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ:
                micros = self.chance.randrange(-(2**52), 2**52)
                micros -= micros % 1000 if "[ms" in str(told) else 0
                zone = UTC if kind is Scalar.TIMESTAMP else None
                return datetime(1970, 1, 1, tzinfo=zone) + timedelta(microseconds=micros)
            case Scalar.BINARY:
                return self.chance.randbytes(self.chance.randrange(5))
            case _:
                return self.chance.choice(["", "a", "é\U0001f600", "1.50", "line\nend", 'say "hi"', "x" * 100, "\0"])

    def columns(self, schema: Schema) -> list[Column]:
        """Most of the columns, in any order."""
        kept = [column for column in schema.columns if self.chance.random() < 0.9] or [schema.columns[0]]
        return self.chance.sample(kept, len(kept))


def expected(value: Any, kind: DataType) -> Any:
    """What a value is where the files are read."""
    match kind:
        case Array(element) if value is not None:
            return [expected(each, element) for each in value]
        case Map(key, inner) if value is not None:
            pairs = value.items() if isinstance(value, dict) else value
            return [(expected(k, key), expected(v, inner)) for k, v in pairs]
        case Struct(columns) if value is not None:
            return {column.name: expected(value[column.name], column.type) for column in columns}
        case Decimal() if value is not None:
            return Fraction(value)
        case _:
            return value


def _load(make: TypedMaker, schema: Schema, format_type: FormatType, write: Callable[[list[Column]], Any]) -> Written:
    files, rows = {}, {}
    for at in range(FILES):
        columns = make.columns(schema)
        body, found = write(columns)
        absent = {column.name: None for column in schema.columns}
        whole = [absent | {c.name: expected(v, c.type) for c, v in zip(columns, row, strict=True)} for row in found]
        name = f"{at:03}"
        files[name], rows[name] = body, sorted(row_text(row, schema.columns) for row in whole)
    group = Group(name=str(format_type), ddl=to_ddl(schema), files=files, format_type=format_type)
    return Written(group, rows)


def with_arrow(seed: int, format_type: FormatType) -> Written:
    """Parquet or ORC."""
    make = TypedMaker(random.Random(f"{format_type} {seed}"))  # noqa: S311  the same for a seed
    schema = make.schema(KEYS)

    def write(columns: list[Column]) -> tuple[bytes, list[tuple[Any, ...]]]:
        types = [make.arrow(column.type) for column in columns]
        rows = [tuple(make.value(c.type, t) for c, t in zip(columns, types, strict=True)) for _ in range(ROWS)]
        arrays = [pa.array([row[at] for row in rows], each) for at, each in enumerate(types)]
        table, sink = pa.table(arrays, names=[column.name for column in columns]), io.BytesIO()
        if format_type is FormatType.PARQUET:
            pq.write_table(table, sink, row_group_size=make.chance.choice([7, 1000]))
        else:
            po.write_table(table, sink)
        return sink.getvalue(), rows

    return _load(make, schema, format_type, write)


def with_fastavro(seed: int) -> Written:
    """Avro."""
    make = TypedMaker(random.Random(f"avro {seed}"))  # noqa: S311  the same for a seed
    schema = make.schema([Scalar.STRING])

    def write(columns: list[Column]) -> tuple[bytes, list[tuple[Any, ...]]]:
        types = [make.avro(column.type) for column in columns]
        rows = [tuple(make.value(c.type, t) for c, t in zip(columns, types, strict=True)) for _ in range(ROWS)]
        fields = [{"name": c.name, "type": t} for c, t in zip(columns, types, strict=True)]
        sink, names = io.BytesIO(), [column.name for column in columns]
        records = [dict(zip(names, row, strict=True)) for row in rows]
        whole = {"type": "record", "name": "whole", "fields": fields}
        fastavro.writer(sink, whole, records, codec=make.chance.choice(["null", "deflate"]))
        return sink.getvalue(), rows

    return _load(make, schema, FormatType.AVRO, write)
