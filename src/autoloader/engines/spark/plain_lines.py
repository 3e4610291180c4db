"""Lines so plain that Spark's parser changes nothing in them: one pass of a regular expression instead of many checks.

It is a whitelist, as the screen of the embedded engine is: an object with the keys of the schema in the schema's order,
each at most once, whose strings hold no escaped code points and whose numbers come back from a double as the same
number. What it does not know is looked at more closely, so a gap in it costs time and never a value.

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

    from autoloader.schema.types import Column, DataType, Schema

_MOST_LEAVES = 500
"""A pattern is matched by recursion over its parts."""

_STRING = r'"[^"\\]*(?:\\["\\/bfnrt][^"\\]*)*+"'
r"""What begins with ``\u`` may be half of a pair; control characters the parser refuses. A class of these two is a table
lookup, one with ranges in it takes four times as long."""

_SHORT = "-?+(?:0|[1-9][0-9]{0,8}+)(?:[.][0-9]{1,6}+)?+"
"""At most 15 digits: it comes back from a double as the same number."""

_NUMBERS = {
    Scalar.STRING: "true|false|0|-?+[1-9][0-9]{0,17}+",
    Scalar.INT: "-?+[0-9]{1,18}+",
    Scalar.BIGINT: "-?+[0-9]{1,18}+",
    Scalar.FLOAT: f"(?!-0[^.]){_SHORT}",
    Scalar.DOUBLE: "(?!-0[^.])-?+[0-9]{1,30}+(?:[.][0-9]{1,30}+)?+",
    Scalar.BOOLEAN: "true|false",
}


def is_plain(schema: Schema) -> str:
    """SQL over a line (``value``): whatever of it is JSON is exactly what Spark makes of it, and no key comes twice.

    ``false`` where no expression can tell it for this schema.
    """
    leaves = sum(1 for column in schema.columns for _ in _leaves(column.type))
    names = _names(schema.columns)
    if leaves > _MOST_LEAVES or not all(_writes_as_it_is(name) for name in names):
        return "false"
    line = rf"{_object(schema.columns)}\r?"
    return f"octet_length(value) <= {RECORD_LIMIT_BYTES} AND is_valid_utf8(value) AND {matches('value', line)}"


def _object(columns: Sequence[Column]) -> str:
    members = (f'(?:"{re.escape(column.name)}": ?+{_value(column.type)},?+ ?+)?+' for column in columns)
    return rf"\{{{''.join(members)}\}}"


def _value(column_type: DataType) -> str:
    match column_type:
        case Scalar() | Decimal():
            numbers = _SHORT if isinstance(column_type, Decimal) else _NUMBERS.get(column_type)
            return _either(_STRING, "null", *([numbers] if numbers else []))
        case Array(element):
            return _either("null", rf"\[(?:{_value(element)},?+ ?+)*+\]")
        case Map():
            return _either("null", r"\{\}")
        case Struct(columns):
            return _either("null", _object(columns))


def _either(*forms: str) -> str:
    return f"(?:{'|'.join(forms)})"


def _names(columns: Sequence[Column]) -> Iterator[str]:
    for column in columns:
        yield column.name
        yield from (name for inner in _structs(column.type) for name in _names(inner.columns))


def _structs(column_type: DataType) -> Iterator[Struct]:
    match column_type:
        case Struct():
            yield column_type
        case Array(element):
            yield from _structs(element)
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
    """A key that JSON must escape is looked at more closely."""
    return name.isprintable() and not {'"', "\\"} & set(name)
