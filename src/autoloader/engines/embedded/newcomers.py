"""Fields of a load that the schema does not know and that are to become columns: which they are, and of what type.

A type is one that takes every value of the load, so a load that is read again with the columns it asked for has no bad
record by them. Texts are forgotten as soon as others say the same of the type, so memory does not grow with a load.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from autoloader.engines.embedded.evidence import Place
from autoloader.engines.embedded.inference import Judge, thinned
from autoloader.engines.embedded.strict_json import parsed
from autoloader.engines.embedded.typed_schema import our_type, widest
from autoloader.engines.options import CsvOptions, JsonOptions, XmlOptions
from autoloader.errors import UsageError
from autoloader.model import METADATA_COLUMNS, RESCUED_DATA, SOURCE_ROW
from autoloader.schema.names import MOST_DIGITS
from autoloader.schema.parse import check_schema
from autoloader.schema.types import Array, Column, DataType, Decimal, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from autoloader.engines.options import Options
    from autoloader.model import DataFile

MOST = 100
"""So many columns come with one load; records with more new names than that are dictionaries, and stay JSON."""
_NAMES_SEEN = 1000
_TEXTS_HELD = 50_000


class Newcomers:
    """Collects what the files of one load have that the schema has not. For one thread at a time.

    Args:
        known: names of every column that the table has or the ingestion fills.
        options: of the ingestion.
    """

    def __init__(self, known: Iterable[str], options: Options) -> None:
        reserved = (*known, *METADATA_COLUMNS, SOURCE_ROW, RESCUED_DATA)
        self._known = {name.casefold() for name in reserved}
        self._options = options if isinstance(options, JsonOptions | CsvOptions | XmlOptions) else None
        self._top = Place()
        self._typed: dict[str, DataType | None] = {}
        self._lock = threading.Lock()

    def see_typed(self, fields: Iterable[pa.Field[Any]]) -> None:
        """Take the unknown columns of a typed file into account; one that no type can hold stays JSON."""
        with self._lock:
            for field in fields:
                try:
                    found = _wide(our_type(field.type, field.name, "file's"))
                    before = self._typed.get(field.name, found)
                    self._typed[field.name] = None if before is None else widest(before, found, field.name)
                except UsageError:
                    self._typed[field.name] = None

    def look_into(self, files: Sequence[DataFile]) -> None:
        """Take what text files have left in their column of unknown fields into account."""
        if self._options is None:
            return
        for made in files:
            with pq.ParquetFile(made.location) as written:
                for batch in written.iter_batches(columns=[RESCUED_DATA]):
                    for text in batch.column(0).drop_null().to_pylist():
                        self._see(parsed(str(text)))
            if self._top.texts > _TEXTS_HELD:
                with Judge(self._options) as judge:
                    thinned(self._top, judge)

    def _see(self, record: dict[str, Any]) -> None:
        for name, value in record.items():
            if name.casefold() not in self._known and (name in self._top.fields or self._has_room):
                self._top.fields.setdefault(name, Place()).see(value, 1)

    @property
    def _has_room(self) -> bool:
        return len(self._top.fields) < _NAMES_SEEN

    def columns(self) -> tuple[Column, ...]:
        """The columns that the load asks for, in order of their names; those that no table could have are left out."""
        found = dict(self._typed)
        if self._options is not None:
            with Judge(self._options) as judge:
                found |= {name: judge.type(place) for name, place in self._top.fields.items()}
        chosen: list[Column] = []
        folded: set[str] = set()
        for name, kind in sorted(found.items()):
            if kind is None or name.casefold() in self._known | folded or not _can_be(Column(name, kind)):
                continue
            chosen.append(Column(name, kind))
            folded.add(name.casefold())
        return tuple(chosen) if len(chosen) <= MOST else ()


def _can_be(column: Column) -> bool:
    try:
        check_schema(Schema((column,)))
    except UsageError:
        return False
    return True


def _wide(kind: DataType) -> DataType:  # noqa: PLR0911  one return for each kind of type
    """The widest of its kind: the next file may have a larger number, and a column is never changed."""
    match kind:
        case Scalar.INT:
            return Scalar.BIGINT
        case Scalar.FLOAT:
            return Scalar.DOUBLE
        case Decimal(_, scale):
            return Decimal(MOST_DIGITS, scale)
        case Array(element):
            return Array(_wide(element))
        case Map(key, value):
            return Map(key, _wide(value))
        case Struct(columns):
            return Struct(tuple(Column(column.name, _wide(column.type)) for column in columns))
        case _:
            return kind
