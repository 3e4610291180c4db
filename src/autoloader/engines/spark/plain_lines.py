"""Lines so plain that Spark's own parser gives the values of the contract: one expression instead of many checks.

It is a whitelist, as the screen of the embedded engine is: an object with the keys of the schema in the schema's order,
each at most once, with values in the usual form of their type. Spark reads such a line straight into the types of the
table; every other line is read as texts and looked at closely. So a gap here costs time and never a value.

In Java's syntax. Repetitions of groups are possessive: such a one is a loop, any other recurses for every turn.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.engines.spark.sql import matches
from autoloader.schema.types import Array, Decimal, Map, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoloader.engines.options import ValueOptions
    from autoloader.schema.types import Column, DataType, Schema

_MOST_LEAVES = 500
"""A pattern is matched by recursion over its parts."""

_STRING = r'"[^"\\]*(?:\\["\\/bfnrt][^"\\]*)*+"'
r"""What begins with ``\u`` may be half of a pair; control characters the parser refuses.

A class of these two characters is a table lookup; one with ranges in it takes four times as long.
"""
_DATE = "[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6}+)?+"
_ZONE = "(?:Z|[+-](?:0[0-9]|1[0-7]):[0-5][0-9])?+"

_FORMS = {
    Scalar.STRING: f"{_STRING}|null|true|false|0|-?+[1-9][0-9]{{0,17}}+",
    Scalar.INT: "null|-?+[0-9]{1,9}+",
    Scalar.BIGINT: "null|-?+[0-9]{1,18}+",
    # A minus before a whole zero would be lost.
    Scalar.DOUBLE: "null|(?!-0[^.])-?+[0-9]{1,30}+(?:[.][0-9]{1,30}+)?+",
    Scalar.BOOLEAN: "null|true|false",
    Scalar.DATE: f'null|"{_DATE}"',
    Scalar.TIMESTAMP: f'null|"{_DATE}[T ]{_TIME}{_ZONE}"',
    Scalar.TIMESTAMP_NTZ: f'null|"{_DATE}[T ]{_TIME}"',
}
"""Of values that Spark reads into the type as it is. FLOAT it rounds twice, and of base64 it takes more than we do."""


def is_plain(schema: Schema, options: ValueOptions) -> str:
    """SQL over a line (``value``): if it is JSON, then Spark's typed reading of it is right, and no key comes twice.

    ``false`` where no expression can tell it for this schema.
    """
    line = _line(schema, options)
    return "false" if line is None else _whole(line)


def are_plain(schema: Schema, options: ValueOptions) -> str:
    """SQL over a text of lines (``value``): each is plain and none blank, if the text holds as many objects as lines.

    A string with a line end in it would pass.
    """
    line = _line(schema, options)
    return "false" if line is None else _whole(rf"(?:{line}\n)*+(?:{line})?+")


def _whole(form: str) -> str:
    return f"octet_length(value) <= {RECORD_LIMIT_BYTES} AND is_valid_utf8(value) AND {matches('value', form)}"


def _line(schema: Schema, options: ValueOptions) -> str | None:
    leaves = [leaf for column in schema.columns for leaf in _leaves(column.type)]
    formats = {Scalar.DATE: options.date_format, Scalar.TIMESTAMP: options.timestamp_format}
    formats[Scalar.TIMESTAMP_NTZ] = options.timestamp_format
    told = all(not isinstance(leaf, Scalar) or (leaf in _FORMS and formats.get(leaf) is None) for leaf in leaves)
    if len(leaves) > _MOST_LEAVES or not told or not all(map(_writes_as_it_is, _names(schema.columns))):
        return None
    return rf"{_object(schema.columns)}\r?"


def _object(columns: Sequence[Column]) -> str:
    """Where the commas are is the parser's business."""
    members = (f'(?:"{re.escape(column.name)}": ?+(?:{_form(column.type)}),?+ ?+)?+' for column in columns)
    return rf"\{{{''.join(members)}\}}"


def _form(column_type: DataType) -> str:
    match column_type:
        case Scalar():
            return _FORMS[column_type]
        case Decimal(precision, scale):
            whole = f"(?:0|[1-9][0-9]{{0,{precision - scale - 1}}}+)" if precision > scale else "0"
            return f"null|-?+{whole}" + (f"(?:[.][0-9]{{1,{scale}}}+)?+" if scale else "")
        case Array(element):
            return rf"null|\[(?:(?:{_form(element)}),?+ ?+)*+\]"
        case Map():
            return r"null|\{\}"
        case Struct(columns):
            return f"null|{_object(columns)}"


def _names(columns: Sequence[Column]) -> Iterator[str]:
    for column in columns:
        yield column.name
        yield from _names_within(column.type)


def _names_within(column_type: DataType) -> Iterator[str]:
    match column_type:
        case Struct(columns):
            yield from _names(columns)
        case Array(element):
            yield from _names_within(element)
        case _:
            return


def _leaves(column_type: DataType) -> Iterator[DataType]:
    match column_type:
        case Struct(columns):
            for column in columns:
                yield from _leaves(column.type)
        case Array(element):
            yield from _leaves(element)
        case _:
            yield column_type


def _writes_as_it_is(name: str) -> bool:
    """A key that JSON must escape is looked at closely."""
    return name.isprintable() and not {'"', "\\"} & set(name)
