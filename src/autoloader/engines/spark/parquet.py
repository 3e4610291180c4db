"""Parquet on Spark: footers are read here, and files of the same types are read together, with exactly those types.

Spark alone would take more than the contract does: an integer as a double, bytes as a text. What it is not told to
convert, it does not.
"""

from __future__ import annotations

import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from autoloader.engines.footers import check_columns, first_unknown
from autoloader.engines.spark import values
from autoloader.engines.spark.keys import KeyColumns
from autoloader.engines.spark.sources import files_of
from autoloader.engines.spark.sql import either, quote
from autoloader.engines.spark.statement import written
from autoloader.errors import FileError
from autoloader.model import UnknownFields
from autoloader.schema.printing import type_ddl
from autoloader.schema.types import Array, Column, Decimal, Map, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession

    from autoloader.engines import Work
    from autoloader.engines.spark.sources import Source
    from autoloader.model import ClaimedFile
    from autoloader.objects import ObjectStore
    from autoloader.schema.types import DataType

_TAIL_BYTES = 64 * 1024
_REQUESTS = 16
_MOST_LAYOUTS = 8
_REBASED_BY_NOBODY = {"datetimeRebaseMode": "CORRECTED", "int96RebaseMode": "CORRECTED"}
_SCALARS = {
    pa.int32(): Scalar.INT,
    pa.int64(): Scalar.BIGINT,
    pa.float32(): Scalar.FLOAT,
    pa.float64(): Scalar.DOUBLE,
    pa.bool_(): Scalar.BOOLEAN,
    pa.string(): Scalar.STRING,
    pa.large_string(): Scalar.STRING,
    pa.binary(): Scalar.BINARY,
    pa.large_binary(): Scalar.BINARY,
    pa.date32(): Scalar.DATE,
}

Layout = "tuple[Column | None, ...]"
"""For each column of the schema the one of the file, None where it has none."""


class ParquetReader:
    """See ``Reader``.

    Args:
        work: the load.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._keys = KeyColumns(work)
        self._knows_all = work.reading.unknown_fields is UnknownFields.IGNORE
        self._layouts: dict[str, tuple[Column | None, ...]] = {}

    def sure_of(self, files: Sequence[ClaimedFile]) -> list[ClaimedFile]:
        """Those of a few layouts, of types that mean the same to Spark and to us; each footer is one request."""
        files = self._keys.sure_of(files)
        with ThreadPoolExecutor(_REQUESTS, "footer") as pool:
            found = dict(zip(files, pool.map(self._layout, files), strict=True))
        usual = Counter(layout for layout in found.values() if layout is not None).most_common(_MOST_LAYOUTS)
        kept = {layout for layout, _ in usual}
        self._layouts = {file.path: layout for file, layout in found.items() if layout is not None and layout in kept}
        return [file for file in files if file.path in self._layouts]

    def _layout(self, file: ClaimedFile) -> tuple[Column | None, ...] | None:
        try:
            with pq.ParquetFile(pa.PythonFile(_Tail(self._work.store, file), mode="r")) as parquet:
                footer = parquet.schema_arrow
            if len({name.casefold() for name in footer.names}) < len(footer.names):
                return None
            names = check_columns(footer, self._work.reading.schema)
        except (FileError, pa.ArrowException, OSError):
            return None  # the exact engine says what is wrong with it
        if not any(names):
            return None
        if not self._knows_all and first_unknown(footer, self._work.reading.schema, names) is not None:
            return None
        types = {name: _sure_type(footer.field(name).type) for name in names if name is not None}
        columns = [None if name is None else (name, types[name]) for name in names]
        layout = [None if each is None or each[1] is None else Column(each[0], each[1]) for each in columns]
        return None if None in types.values() else tuple(layout)

    def rows(self, spark: SparkSession, source: Source) -> DataFrame:
        """See ``Reader.rows``: one read for each layout."""
        groups: dict[tuple[Column | None, ...], dict[str, ClaimedFile]] = {}
        for name, file in source.files.items():
            groups.setdefault(self._layouts[file.path], {})[name] = file
        parts = [self._group(spark, source.only(files), layout) for layout, files in groups.items()]
        return reduce(lambda one, other: one.unionAll(other), parts)

    def _group(self, spark: SparkSession, source: Source, layout: tuple[Column | None, ...]) -> DataFrame:
        given = ", ".join(f"{quote(c.name)} {type_ddl(c.type)}" for c in layout if c is not None)
        read = spark.read.options(**_REBASED_BY_NOBODY).schema(given)
        # A name of its own for each, as a file's columns may be called what ours are.
        own = [f"{quote(c.name)} AS found{at}" for at, c in enumerate(layout) if c is not None]
        found = files_of(read.format("parquet"), source, own)
        columns = self._work.reading.schema.columns
        typed = [
            _typed(theirs, ours.type, f"found{at}")
            for at, (theirs, ours) in enumerate(zip(layout, columns, strict=True))
        ]
        values_of = [f"{sql} AS typed{at}" for at, sql in enumerate(typed)]
        rows = found.selectExpr("path", "modified_at", *values_of, *self._keys.typed())
        bad = [values.strings(c.type, f"typed{at}", "NOT is_valid_utf8({})") for at, c in enumerate(columns)]
        return rows.selectExpr(*written(self._work, either([*bad, *self._keys.bad()])))


def _typed(theirs: Column | None, ours: DataType, value: str) -> str:
    return f"CAST(NULL AS {type_ddl(ours)})" if theirs is None else values.conformed(theirs.type, ours, value)


def _sure_type(  # noqa: PLR0911  one return for each kind of type
    arrow: pa.DataType,
) -> DataType | None:
    """Our type, where Parquet's own says the same to every reader; what is missing here is left to the exact engine."""
    if arrow in _SCALARS:
        return _SCALARS[arrow]
    match arrow:
        case pa.DictionaryType():
            return _sure_type(arrow.value_type)
        case pa.TimestampType() if arrow.unit in {"ms", "us"}:
            return Scalar.TIMESTAMP if arrow.tz else Scalar.TIMESTAMP_NTZ
        case pa.ListType():
            element = _sure_type(arrow.value_type)
            return None if element is None else Array(element)
        case pa.MapType():
            key, value = _sure_type(arrow.key_type), _sure_type(arrow.item_type)
            return None if key is None or value is None else Map(key, value)
        case pa.StructType():
            return _sure_struct([arrow.field(at) for at in range(arrow.num_fields)])
        case _ if pa.types.is_decimal128(arrow) and arrow.scale >= 0:
            return Decimal(arrow.precision, arrow.scale)
        case _:
            return None


def _sure_struct(fields: Sequence[pa.Field[Any]]) -> Struct | None:
    types = [(field.name, _sure_type(field.type)) for field in fields]
    columns = tuple(Column(name, each) for name, each in types if each is not None)
    alike = len({name.casefold() for name, _ in types}) < len(types)
    return None if alike or len(columns) < len(types) else Struct(columns)


class _Tail(io.RawIOBase):
    """A file in the bucket of which only the end is fetched, and what stands before it only when it is asked for."""

    def __init__(self, store: ObjectStore, file: ClaimedFile) -> None:
        self._store = store
        self._file = file
        self._at = 0
        self._start = file.size_bytes
        self._bytes = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size_bytes}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        if self._at < self._start:
            self._start = max(0, min(self._at, self._file.size_bytes - _TAIL_BYTES))
            self._bytes = b"".join(self._store.read(self._file.path, self._file.etag, start=self._start))
        end = self._file.size_bytes if size < 0 else self._at + size
        piece = self._bytes[self._at - self._start : end - self._start]
        self._at += len(piece)
        return piece
