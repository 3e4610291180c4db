"""CSV lines cut into fields by SQL, as the embedded engine cuts them, where a line is a record by itself.

A file is trusted only if each of its lines is a whole record with as many fields as the first. Then no quoted field
goes over a line end: the first line is the first record, so the second begins with the second line, and so on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.engines.spark.plain_text import in_another_format
from autoloader.engines.spark.sql import either, literal, matches
from autoloader.schema.types import Decimal, Scalar

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyspark.sql.connect.dataframe import DataFrame

    from autoloader.engines.options import CsvOptions
    from autoloader.schema.types import Schema

_BOM = "\ufeff"
_RECODED_BOM = _BOM.encode().decode("latin-1")


def fits(schema: Schema) -> bool:
    """Whether a field of CSV can be a value of every column."""
    return all(isinstance(column.type, (Scalar, Decimal)) for column in schema.columns)


def from_texts(
    texts: DataFrame, options: CsvOptions, schema: Schema, optional: Collection[str], *, wary: bool
) -> DataFrame:
    """From ``value``, a file a row, to ``line`` and the record's texts ``r``; columns are matched by the header.

    Args:
        optional: names of columns that a header may lack.
        wary: a column that the schema does not know makes a file doubtful.
    """
    kept = f"filter(split(value, '\\n', -1), each -> {_is_record('each', options)})"
    marked = f"left(value, 1) = {literal(_BOM)} OR left(value, 3) = {literal(_RECODED_BOM)}"
    unsure = f"NOT is_valid_utf8(value) OR instr(value, '\\0') > 0 OR {marked} OR {in_another_format('value')}"
    files = texts.selectExpr("path", "modified_at", f"({unsure}) AS odd", f"{kept} AS kept")
    if not options.header:
        return _numbered(files.selectExpr("path", "modified_at", "odd", "explode(kept) AS line"), options, schema)
    body = "slice(kept, 2, greatest(size(kept) - 1, 0)) AS body"
    headed = files.selectExpr("path", "modified_at", "odd", body, f"{_names(options)} AS names")
    lines = headed.selectExpr(
        "path",
        "modified_at",
        f"odd OR {_unsure_header(schema, optional, wary=wary)} AS odd",
        "size(names) AS fields",
        f"array({', '.join(f'array_position(names, {literal(name)})' for name in schema.names)}) AS places",
        "explode(body) AS line",
    )
    places = [f"int(places[{at}]) - 1" for at in range(len(schema.columns))]
    return _cut(lines, options, schema, places)


def from_lines(lines: DataFrame, options: CsvOptions, schema: Schema) -> DataFrame:
    """The same from ``value``, a line a row, without a header."""
    marked = f"instr(value, {literal(_BOM)}) > 0"
    unsure = f"NOT is_valid_utf8(value) OR instr(value, '\\0') > 0 OR {marked} OR {in_another_format('value')}"
    kept = lines.where(_is_record("value", options))
    return _numbered(kept.selectExpr("path", "modified_at", f"({unsure}) AS odd", "value AS line"), options, schema)


def suspicious(options: CsvOptions) -> str:
    """SQL over the lines: the line is not surely one record, cut as the dialect says."""
    whole = [f"size(raw) = fields AND octet_length(line) <= {RECORD_LIMIT_BYTES}"]
    if options.quote:
        field = _field(options)
        form = matches(f"concat({literal(options.sep)}, bare)", f"(?:{field})++")
        whole.append(f"(instr(line, {literal(options.quote)}) = 0 OR {form})")
    return either(["odd", f"NOT coalesce({' AND '.join(whole)}, false)"])


def _numbered(lines: DataFrame, options: CsvOptions, schema: Schema) -> DataFrame:
    """Columns by position."""
    count = len(schema.columns)
    return _cut(lines.selectExpr("*", f"{count} AS fields"), options, schema, [str(at) for at in range(count)])


def _cut(lines: DataFrame, options: CsvOptions, schema: Schema, places: list[str]) -> DataFrame:
    cut = lines.selectExpr("*", f"{_bare('line')} AS bare").selectExpr("*", f"{_raw('bare', options)} AS raw")
    texts = []
    for column, place in zip(schema.columns, places, strict=True):
        text = _text(f"get(raw, {place})", options)
        # Only a text may be empty; what is unquoted and empty is NULL in any case.
        texts.append(f"{literal(column.name)}, {text if column.type is Scalar.STRING else f'''nullif({text}, '')'''}")
    return cut.selectExpr("*", f"named_struct({', '.join(texts)}) AS r")


def _is_record(line: str, options: CsvOptions) -> str:
    """SQL: neither blank nor a comment."""
    record = f"{line} NOT IN ('', '\\r')"
    return record if not options.comment else f"({record} AND left({line}, 1) <> {literal(options.comment)})"


def _names(options: CsvOptions) -> str:
    raw = _raw(_bare("get(kept, 0)"), options)
    return f"transform({raw}, each -> coalesce({_text('each', options)}, ''))"


def _unsure_header(schema: Schema, optional: Collection[str], *, wary: bool) -> str:
    """SQL: some name is not there exactly once, letter by letter, or any comes twice, or is one too many."""
    given = "filter(names, each -> each <> '')"
    lacking = (f"NOT array_contains(names, {literal(name)})" for name in schema.names if name not in optional)
    known = f"array({', '.join(map(literal, schema.names))})"
    more = [f"exists(names, each -> NOT array_contains({known}, each))"] if wary else []
    return f"({either([f'size(array_distinct({given})) < size({given})', *more, *lacking])})"


def _bare(line: str) -> str:
    """SQL of the line without its carriage return."""
    return f"CASE WHEN right({line}, 1) = '\\r' THEN left({line}, length({line}) - 1) ELSE {line} END"


def _raw(line: str, options: CsvOptions) -> str:
    """SQL of the fields, quotes and all."""
    plain = f"split({line}, {literal(re.escape(options.sep))}, -1)"
    if not options.quote:
        return plain
    parts = f"regexp_extract_all(concat({literal(options.sep)}, {line}), {literal(_field(options, capture=True))}, 1)"
    return f"CASE WHEN instr({line}, {literal(options.quote)}) = 0 THEN {plain} ELSE {parts} END"


def _field(options: CsvOptions, *, capture: bool = False) -> str:
    """A separator and the field behind it. Every repetition is possessive: Java then needs no stack for it."""
    sep, quote, escape = (re.escape(mark or "") for mark in (options.sep, options.quote, options.escape))
    pair = quote * 2 if escape == quote else rf"{escape}[\s\S]"
    plain = f"[^{quote}]*+" if escape == quote else f"[^{quote}{escape}]*+"
    field = f"{quote}{plain}(?:{pair}{plain})*+{quote}|[^{sep}{quote}]*+"
    return f"{sep}({'' if capture else '?:'}{field})(?={sep}|\\z)"


def _text(raw: str, options: CsvOptions) -> str:
    """SQL of a field's text; NULL for an unquoted empty one and the ``nullValue``."""
    bare = (
        f"nullif({raw}, '')"
        if options.null_value is None
        else f"nullif(nullif({raw}, ''), {literal(options.null_value)})"
    )
    if not options.quote:
        return bare
    inner = f"substring({raw}, 2, length({raw}) - 2)"
    if options.escape == options.quote:
        inner = f"replace({inner}, {literal(options.quote * 2)}, {literal(options.quote)})"
    else:
        escape, quote = re.escape(options.escape or ""), re.escape(options.quote)
        inner = f"regexp_replace({inner}, {literal(f'{escape}([{escape}{quote}])')}, '$1')"
    return f"CASE WHEN left({raw}, 1) = {literal(options.quote)} THEN {inner} ELSE {bare} END"
