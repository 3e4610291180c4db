"""NDJSON lines as texts of every leaf, and whether a line is surely good.

Spark's JSON parser is more lenient than the contract: it drops what follows an object, takes duplicate keys, replaces
lone surrogates, and turns a number with a point or an exponent into a double before it becomes text. So a line is
wrapped, and whatever may have been changed on the way makes the line suspicious.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.engines.spark import unknown, values
from autoloader.engines.spark.plain_lines import is_plain
from autoloader.engines.spark.sql import either, literal, matches, quote
from autoloader.schema.printing import type_ddl
from autoloader.schema.types import Array, Decimal, Map, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql.connect.dataframe import DataFrame

    from autoloader.engines.options import ValueOptions
    from autoloader.schema.types import Column, DataType, Schema

_BACKSLASH = chr(92)
_HIGH, _LOW, _HEX = r"\\u[dD][89abAB]", r"\\u[dD][c-fC-F]", "[0-9a-fA-F]"
_LONE = rf"{_HIGH}{_HEX}{{2}}(?!{_LOW}{_HEX}{{2}})|(?<!{_HIGH}{_HEX}{{2}}){_LOW}"
MANY_DIGITS = "[0-9.]{17}"
"""Numbers of up to 15 digits come back from a double as the same number, though perhaps written in another way."""

BY_A_DOUBLE = r'-?[0-9]+\.[0-9]+(?:E-?[0-9]+)?|"-?Infinity"'
"""How a number reads that went through a double."""

_NOT_BLANK = "(startswith(value, '{') OR btrim(value, ' \\t\\r') <> '')"
_MINUS_ZERO = r"[:,\[ \t]-0"
_HIDES_A_KEY = (" :", "\t:", "\r:", "\n:")


def from_json(text: str, fields: str, corrupt: str) -> str:
    """SQL of a struct of these fields (``name TYPE, …``) and ``corrupt``, set where the text is no such JSON."""
    options = f"map('columnNameOfCorruptRecord', {literal(corrupt)}, 'allowSingleQuotes', 'false', "
    options += "'allowNonNumericNumbers', 'false')"
    return f"from_json({text}, {literal(f'{fields}, {quote(corrupt)} STRING')}, {options})"


def parsed(lines: DataFrame, schema: Schema, options: ValueOptions, *, begun: bool) -> DataFrame:
    """``lines`` with what comes of each ``value``: ``t``, typed, where it is ``plain``, else ``j``, its texts.

    Args:
        lines: with ``value``.
        begun: they also have ``t``; those in which it is not NULL have no ``value``, and are done.
    """
    plain = is_plain(schema, options)
    typed = f"CASE WHEN plain THEN {from_json('value', fields(schema), corrupt(schema))} END"
    texts = from_json("""concat('{"r":', value, ',"e":true}')""", f"r {record_type(schema)}, e BOOLEAN", "c")
    if begun:
        lines = lines.where(f"t IS NOT NULL OR {_NOT_BLANK}").withColumnRenamed("t", "begun")
        plain, typed = f"begun IS NOT NULL OR {plain}", f"coalesce(begun, {typed})"
    else:
        lines = lines.where(_NOT_BLANK)
    known = lines.selectExpr("*", f"{plain} AS plain")
    carried = ("path", "modified_at", "value", "plain")
    return known.selectExpr(*carried, f"{typed} AS t", f"CASE WHEN NOT plain THEN {texts} END AS j")


def fields(schema: Schema) -> str:
    """The columns as Spark has them: ``name TYPE, …``."""
    return ", ".join(f"{quote(column.name)} {type_ddl(column.type)}" for column in schema.columns)


def corrupt(schema: Schema) -> str:
    """A name for the field that tells that a record could not be read; no column has it."""
    taken = {name.casefold() for name in schema.names}
    return next(name for name in ("c" * at for at in itertools.count(1)) if name not in taken)


def record_type(schema: Schema) -> str:
    """The Spark type of a record as texts."""
    return f"STRUCT<{', '.join(f'{quote(c.name)}: {values.text_type(c.type)}' for c in schema.columns)}>"


def suspicious(schema: Schema, *, wary: bool) -> str:
    """SQL over ``parsed``: a line, not ``plain``, is not surely a good object whose leaves came through unchanged.

    Args:
        wary: a field that the schema does not know makes a line suspicious.
    """
    unique = _unique(schema)
    changed = [f"value RLIKE {literal(MANY_DIGITS)}"] if may_round(schema) else []
    names = Counter(_names(schema.columns))
    changed += _changed_strings(schema.columns, "j.r", names if unique else Counter())
    zeros = either(values.floats(c.type, f"j.r.{quote(c.name)}", "{} = '0'") for c in schema.columns)
    if zeros != "false":
        changed.append(f"(({zeros}) AND value RLIKE {literal(_MINUS_ZERO)})")
    strange = unknown.in_record(schema.columns, "value") if wary else "false"
    return either([_unsure(unique, strange), *changed])


def _unsure(unique: str | None, strange: str) -> str:
    """SQL: the text is not surely one good JSON object.

    Args:
        unique: SQL, true only where every key is a field of the record, none twice; else a second parser is asked. It
            refuses such keys, and a text that closes the record and goes on with a key beside it.
        strange: SQL: some key is no field of the record.
    """
    strict = "try_parse_json(concat('[', value, ']')) IS NOT NULL"
    strict += "" if strange == "false" else f" AND NOT {strange}"
    good = [
        "j.c IS NULL",
        "j.r IS NOT NULL",
        "j.e",
        f"octet_length(value) <= {RECORD_LIMIT_BYTES}",
        "is_valid_utf8(value)",
        f"NOT ({lone_surrogates()})",
        strict if unique is None else f"CASE WHEN {unique} THEN true ELSE {strict} END",
    ]
    return f"NOT coalesce({' AND '.join(good)}, false)"


def lone_surrogates() -> str:
    """SQL: ``value`` may hold half of an escaped pair."""
    escaped = f"instr(value, {literal(_BACKSLASH * 2)}) > 0"
    lone = f"value RLIKE {literal(_LONE)} OR ({escaped} AND value RLIKE {literal(_LOW)})"
    return f"instr(value, {literal(_BACKSLASH + 'u')}) > 0 AND ({lone})"


def _unique(schema: Schema) -> str | None:
    """SQL, true only where no key comes twice: as many keys as fields that got a value. None where it cannot be told.

    Each key gives at most one field a value, so none can be left over. What looks like a key within a string only makes
    the second parser judge the line.
    """
    fields = fields_of(schema.columns, "j.r")
    return None if fields is None else as_many_keys("value", present(fields))


def present(fields: Sequence[str]) -> str:
    """SQL: how many of these are not NULL."""
    return " + ".join(f"CAST({field} IS NOT NULL AS INT)" for field in fields) or "0"


def as_many_keys(text: str, present: str) -> str:
    """SQL: the text has no more keys than there are values."""
    hidden = " AND ".join(f"instr({text}, {literal(blank)}) = 0" for blank in _HIDES_A_KEY)
    keys = f"""length({text}) - length(replace({text}, '":', ''))"""
    return f"{keys} = 2 * ({present}) AND {hidden}"


def fields_of(columns: Sequence[Column], record: str) -> list[str] | None:
    """SQL of every field at any depth; None where they are not the same for each record."""
    found: list[str] = []
    for column in columns:
        field = f"{record}.{quote(column.name)}"
        match column.type:
            case Map() | Array(Array() | Map() | Struct()):
                return None
            case Struct(inner):
                within = fields_of(inner, field)
                if within is None:
                    return None
                found += [field, *within]
            case _:
                found.append(field)
    return found


def _changed_strings(columns: Sequence[Column], record: str, names: Counter[str]) -> Iterator[str]:
    """SQL for every STRING: it may be a number whose text is not what was written, or JSON with such numbers."""
    for column in columns:
        field = f"{record}.{quote(column.name)}"
        match column.type:
            case Scalar.STRING:
                yield _changed(field, column.name if names[column.name] == 1 else None)
            case Struct(inner):
                yield from _changed_strings(inner, field, names)
            case _:
                yield values.strings(column.type, field, _changed("{}", None))


def _changed(text: str, key: str | None) -> str:
    """SQL; ``key`` is given where it is the only one of its name: then the text in quotes behind it was a string."""
    number = f"instr({text}, '.') + instr({text}, 'I') > 0 AND {matches(text, BY_A_DOUBLE)}"
    if key is not None and key.isprintable() and not {'"', _BACKSLASH} & set(key):
        behind = (f"""instr(value, concat({literal(f'"{key}":{blank}"')}, {text}, '"')) = 0""" for blank in ("", " "))
        number += f" AND {' AND '.join(behind)}"
    zero = f"{text} = '0' AND value RLIKE {literal(_MINUS_ZERO)}"
    nested = f"left({text}, 1) IN ('{{', '[') AND {text} RLIKE '[0-9][.eE]|-0' AND try_parse_json({text}) IS NOT NULL"
    return f"coalesce(({number}) OR ({zero}) OR ({nested}), false)"


def _names(columns: Sequence[Column]) -> Iterator[str]:
    for column in columns:
        yield column.name
        if isinstance(column.type, Struct):
            yield from _names(column.type.columns)


def may_round(schema: Schema) -> bool:
    """Whether a double between some text and its value could be seen; for DOUBLE itself it cannot."""
    return any(_may_round(column.type) for column in schema.columns)


def _may_round(column_type: DataType) -> bool:
    match column_type:
        case Struct(columns):
            return any(_may_round(column.type) for column in columns)
        case Array(element):
            return _may_round(element)
        case Map(key, value):
            return _may_round(key) or _may_round(value)
        case _:
            return column_type is Scalar.FLOAT or isinstance(column_type, Decimal)
