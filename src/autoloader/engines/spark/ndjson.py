"""NDJSON lines as texts of every leaf, and whether a line is surely good.

Spark's JSON parser is more lenient than the contract: it drops what follows an object, takes duplicate keys, replaces
lone surrogates, and turns a number with a point or an exponent into a double before it becomes text. So a line is
wrapped, and whatever may have been changed on the way makes the line suspicious.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from autoloader.engines.forms import DEEPEST, RECORD_LIMIT_BYTES
from autoloader.engines.spark import unknown, values
from autoloader.engines.spark.plain_lines import CUT
from autoloader.engines.spark.sql import either, from_json, literal, matches, quote
from autoloader.schema.printing import type_ddl
from autoloader.schema.types import Array, Decimal, Map, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql.connect.dataframe import DataFrame

    from autoloader.engines.spark.plain_lines import Plain
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
_NO_BRACKET = r'"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+"|[^\[\]{}"]++'
"""A string, or what stands between strings."""
_HIDES_A_KEY = (" :", "\t:", "\r:", "\n:")


def told(lines: DataFrame, plain: Plain | None) -> DataFrame:
    """``lines`` (with ``path``, ``modified_at`` and ``value``), none of them blank, as ``parsed`` wants them."""
    lines = lines.where(_NOT_BLANK)
    return lines.selectExpr("*", "false AS plain") if plain is None else plain.marked(lines)


def parsed(lines: DataFrame, schema: Schema, plain: Plain | None) -> DataFrame:
    """``lines`` with what comes of each: ``j``, its texts, where it is not ``plain``; else ``t``, typed, or ``pieces``.

    Args:
        lines: with ``path``, ``modified_at``, ``value`` and ``plain``; where it is, ``value`` holds its pieces.
        plain: what the pieces are; None where no line is plain.
    """
    texts = from_json("""concat('{"r":', value, ',"e":true}')""", f"r {record_type(schema)}, e BOOLEAN", "c")
    # Not even asked where no line is plain: there are types that the parser refuses.
    typed = f"CAST(NULL AS STRUCT<{fields(schema)}, {quote(corrupt(schema))} STRING>)"
    needs_parser = "false"
    if plain is not None:
        typed = _or_fault(plain.whole.cast, schema, [plain.whole.no_instant])
        needs_parser = plain.needs_parser
    return lines.selectExpr(
        "path",
        "modified_at",
        "plain",
        "CASE WHEN NOT plain THEN value END AS value",
        f"CASE WHEN plain AND ({needs_parser}) THEN {CUT} END AS pieces",
        f"{typed} AS t",
        f"CASE WHEN NOT plain THEN {texts} END AS j",
    )


def record(schema: Schema, plain: Plain | None) -> str:
    """SQL over ``parsed``, and what is ``read`` of the pieces: the record of a plain line."""
    if plain is None:
        return "t"
    parsed = _or_fault(plain.sparse.parsed, schema, [plain.sparse.no_instant, plain.sparse.unread])
    return f"CASE WHEN pieces IS NOT NULL THEN {parsed} ELSE t END"


def _or_fault(fields: str, schema: Schema, bad: Sequence[str]) -> str:
    """SQL of a record of these fields; ``corrupt`` is set where one of ``bad`` is true."""
    return f"named_struct({fields}, {literal(corrupt(schema))}, CASE WHEN {either(bad)} THEN '' END)"


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
        f"NOT ({deep('value', DEEPEST)})",
        strict if unique is None else f"CASE WHEN {unique} THEN true ELSE {strict} END",
    ]
    return f"NOT coalesce({' AND '.join(good)}, false)"


def deep(text: str, most: int) -> str:
    """SQL: more objects and arrays than this are within each other; few brackets are an answer already."""
    brackets = f"regexp_replace({text}, {literal(_NO_BRACKET)}, '')"
    step = "CASE WHEN mark IN ('[', '{') THEN 1 WHEN mark = '' THEN 0 ELSE -1 END"
    merge = f"named_struct('now', at.now + {step}, 'most', greatest(at.most, at.now + {step}))"
    start = "named_struct('now', 0, 'most', 0)"
    levels = f"aggregate(split({brackets}, ''), {start}, (at, mark) -> {merge}, at -> at.most)"
    many = f"length({text}) - length(translate({text}, '[{{', '')) > {most}"
    return f"CASE WHEN {many} THEN {levels} > {most} ELSE false END"


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
