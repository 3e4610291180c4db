"""A schema from a sample, such that the sample loads without a bad record and without losing anything.

Every value is kept as its text; a type is taken only where the contract (``values``) accepts every text of the column.
"""

from __future__ import annotations

import decimal
import math
import re
from typing import TYPE_CHECKING, Self, assert_never

import duckdb

from autoloader.engines.embedded import values
from autoloader.engines.embedded.avro_files import avro_columns
from autoloader.engines.embedded.evidence import Place
from autoloader.engines.embedded.orc_files import orc_columns
from autoloader.engines.embedded.samples import records
from autoloader.engines.embedded.sql import SESSION
from autoloader.engines.embedded.typed_schema import parquet_columns, schema_of_typed
from autoloader.engines.fitting import text_schema
from autoloader.engines.options import (
    AvroOptions,
    CsvOptions,
    JsonOptions,
    OrcOptions,
    ParquetOptions,
    TextOptions,
    XmlOptions,
)
from autoloader.errors import UsageError
from autoloader.schema.names import FIELD, MOST_DIGITS
from autoloader.schema.parse import check_schema
from autoloader.schema.types import Array, Column, Decimal, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from autoloader.engines.options import Options
    from autoloader.model import FormatType
    from autoloader.schema.types import DataType

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,6})?")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_MANY_FIELDS = 200
_SELDOM = 10
"""An object with many keys, each in fewer than one of so many objects, is a dictionary and no record."""


def infer_schema(
    samples: Sequence[Path], format_type: FormatType, options: Options, hints: Schema | None = None
) -> Schema:
    """The schema of local sample files: columns in order of first appearance, types wide enough for all of them.

    Args:
        samples: decompressed; text files may end early, after any line.
        format_type: of the ingestion, for messages.
        options: parsed for that format.
        hints: types of some columns, which are taken in place of what the sample shows.

    Raises:
        UsageError: there is no sample or no readable record in it, its columns cannot be told (CSV without a header, a
            type of Parquet, Avro or ORC that has no column type, files that contradict each other), or no table could
            have them.
    """
    if not samples:
        raise UsageError(
            "no schema: no file to infer it from was found; write a schema_json, or run again when files have come",
            field=FIELD,
        )
    match options:
        case ParquetOptions():
            schema = schema_of_typed(samples, parquet_columns, "Parquet")
        case AvroOptions():
            schema = schema_of_typed(samples, avro_columns, "Avro")
        case OrcOptions():
            schema = schema_of_typed(samples, orc_columns, "ORC")
        case TextOptions():
            schema = text_schema(options)
        case JsonOptions() | CsvOptions() | XmlOptions():
            schema = _schema_of_text(samples, options)
        case _:
            assert_never(options)
    if not schema.columns:
        raise UsageError(
            f"no schema: the {len(samples)} sampled files hold no readable {format_type} record; check the format and "
            "its options, or write a schema_json",
            field=FIELD,
        )
    if hints is not None:
        schema = Schema(_hinted(schema.columns, hints.columns))
    check_schema(schema)
    return schema


def _hinted(found: Sequence[Column], hints: Sequence[Column]) -> tuple[Column, ...]:
    """What was found, with the hinted types; of a struct the fields that are hinted. What was not seen comes last."""
    by_name = {hint.name.casefold(): hint for hint in hints}
    columns = []
    for column in found:
        hint = by_name.pop(column.name.casefold(), None)
        match column.type, None if hint is None else hint.type:
            case kind, None:
                columns.append(Column(column.name, kind))
            case Struct(inner), Struct(told):
                columns.append(Column(column.name, Struct(_hinted(inner, told))))
            case _, told_type:
                columns.append(Column(column.name, told_type))
    return (*columns, *by_name.values())


def type_of_texts(texts: Collection[str]) -> DataType:
    """The type of a column that is told by keys of files: as for fields of CSV."""
    with Judge(CsvOptions()) as judge:
        return judge.type(Place(strings=dict.fromkeys(sorted(texts))))


def _schema_of_text(samples: Sequence[Path], options: JsonOptions | CsvOptions | XmlOptions) -> Schema:
    if isinstance(options, CsvOptions) and not options.header:
        raise UsageError(
            "no schema: CSV files without a header need a schema_json, in the order of the fields", field=FIELD
        )
    top = Place()
    for record in records(samples, options):
        top.see(record)
    with Judge(options) as judge:
        return Schema(tuple(Column(name, judge.type(place)) for name, place in top.fields.items()))


class Judge:
    """Decides what a place holds by asking the contract about its texts.

    Args:
        options: of the ingestion.
    """

    def __init__(self, options: JsonOptions | CsvOptions | XmlOptions) -> None:
        self._options = options
        self._connection = duckdb.connect()
        for statement in SESSION:
            self._connection.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def takes(self, column_type: Scalar | Decimal, texts: Collection[str]) -> bool:
        """Whether the contract accepts every text."""
        bad = values.is_bad(column_type, "x", self._options)
        query = f"SELECT coalesce(bool_or({bad}), false) FROM (SELECT unnest($1::VARCHAR[]) AS x)"
        return self._connection.execute(query, [list(texts)]).fetchall() == [(False,)]

    def refused(self, texts: Collection[str]) -> list[str]:
        """For each type that a text can be of, one text that it does not take, where there is one."""
        found: list[str] = []
        for candidate in (Scalar.BOOLEAN, Scalar.DATE, Scalar.TIMESTAMP):
            bad = values.is_bad(candidate, "x", self._options)
            query = f"SELECT x FROM (SELECT unnest($1::VARCHAR[]) AS x) WHERE {bad} AND x <> '' LIMIT 1"
            found += [text for (text,) in self._connection.execute(query, [list(texts)]).fetchall()]
        return found

    def type(self, place: Place) -> DataType:
        """The narrowest type for everything seen; STRING where kinds are mixed or nothing was seen."""
        if place.too_deep or len(place.kinds) != 1:
            return Scalar.STRING
        (kind,) = place.kinds
        match kind:
            case "boolean":
                return Scalar.BOOLEAN
            case "number":
                return self._number(place.numbers)
            case "array":
                return Array(self.type(place.element or Place()))
            case "object":
                return self._struct(place)
            case _:
                return self._text(place.strings)

    def _struct(self, place: Place) -> DataType:
        if len(place.fields) > _MANY_FIELDS and len(place.fields) * place.objects > _SELDOM * place.keys:
            return Scalar.STRING
        struct = Struct(tuple(Column(name, self.type(inner)) for name, inner in place.fields.items()))
        return struct if _can_be_columns(struct) else Scalar.STRING

    def _number(self, texts: Collection[str]) -> DataType:
        """A DOUBLE only where it gives back the very number that was written."""
        if not all(map(_NUMBER.fullmatch, texts)):
            return Scalar.STRING
        if all(map(_INTEGER.fullmatch, texts)):
            candidates: list[Scalar | Decimal] = [Scalar.BIGINT, Decimal(MOST_DIGITS, 0)]
        else:
            candidates = [Scalar.DOUBLE] if all(map(_survives_double, texts)) else []
            scale = max(map(_fraction_digits, texts))
            candidates += [Decimal(MOST_DIGITS, scale)] if scale <= MOST_DIGITS else []
        return self._first(candidates, texts)

    def _text(self, texts: Collection[str]) -> DataType:
        """A JSON string is a text or an instant; a CSV field can be anything, and an empty one is no text at all."""
        if isinstance(self._options, JsonOptions):
            return self._first([Scalar.DATE, Scalar.TIMESTAMP], texts)
        texts = [text for text in texts if text]
        if not texts:
            return Scalar.STRING
        patterned = [Scalar.DATE] if self._options.date_format else []
        patterned += [Scalar.TIMESTAMP] if self._options.timestamp_format else []
        asked = self._first(patterned, texts)
        if asked is Scalar.STRING and all(map(_NUMBER.fullmatch, texts)):
            return self._number(texts)
        return self._first([Scalar.BOOLEAN, Scalar.DATE, Scalar.TIMESTAMP], texts) if asked is Scalar.STRING else asked

    def _first(self, candidates: Sequence[Scalar | Decimal], texts: Collection[str]) -> DataType:
        return next((candidate for candidate in candidates if self.takes(candidate, texts)), Scalar.STRING)


def thinned(place: Place, judge: Judge) -> None:
    """Forget the texts of a place, and of all within it, of which others that are kept say the same of its type."""
    place.numbers = dict.fromkeys(_telling_numbers(place.numbers))
    if place.strings:
        numbers = [text for text in place.strings if _NUMBER.fullmatch(text)]
        others = next((text for text in place.strings if not _NUMBER.fullmatch(text)), None)
        kept = [*judge.refused(place.strings), *_telling_numbers(numbers), *([] if others is None else [others])]
        place.strings = dict.fromkeys(kept or list(place.strings)[:1])
    for inner in (*place.fields.values(), *([place.element] if place.element else [])):
        thinned(inner, judge)


def _telling_numbers(texts: Collection[str]) -> list[str]:
    """Those that decide the type: the least, the greatest, the one with most digits behind the point, and odd ones."""
    numbers = [text for text in texts if _NUMBER.fullmatch(text)]
    odd = (
        next((text for text in texts if not _NUMBER.fullmatch(text)), None),
        next((text for text in numbers if not _INTEGER.fullmatch(text)), None),
        next((text for text in numbers if not _survives_double(text)), None),
    )
    extremes = {f(numbers, key=decimal.Decimal) for f in (min, max)} if numbers else set()
    longest = {max(numbers, key=_fraction_digits)} if numbers else set()
    return sorted({*extremes, *longest, *(text for text in odd if text is not None)})


def _can_be_columns(struct: Struct) -> bool:
    """Whether a table could have these fields; a dictionary's keys are often no names."""
    try:
        check_schema(Schema((Column("column", struct),)))
    except UsageError:
        return False
    return True


def _survives_double(text: str) -> bool:
    number = float(text)
    return math.isfinite(number) and decimal.Decimal(repr(number)) == decimal.Decimal(text)


def _fraction_digits(text: str) -> int:
    exponent = decimal.Decimal(text).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
