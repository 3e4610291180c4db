"""The groups of the expression of a plain line, and the values that are made of what they hold.

What a group holds is the text of one value, and nothing where the value is null or missing. Numbers, instants and the
like are cast from it; where Spark's parser makes the value (of arrays, and of strings with escapes) it gets this text
alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, assert_never

from autoloader.engines.spark.sql import either, from_json, literal
from autoloader.schema.printing import type_ddl
from autoloader.schema.types import Array, Decimal, Map, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoloader.schema.types import Column, DataType

_BACKSLASH = chr(92)
MARK = r"'\u0001'"
"""SQL of what stands before each piece; JSON has no such character, not even in a string."""

_CONTROLS = "".join(rf"\x{code:02x}" for code in range(32))
_TEXT = rf'[^"\\{_CONTROLS}]'
"""One by one: a class of single characters is looked up in a table; one with ranges takes four times as long."""
_LABEL = rf'[^"\\,{_CONTROLS}]'
_STRING = rf'{_TEXT}*(?:\\["\\/bfnrt]{_TEXT}*)*+'
r"""What begins with ``\u`` may be half of a pair."""
_NO_STRING = "true|false|0|-?+[1-9][0-9]{0,17}+"
"""What else a STRING takes, whose text is surely what was written."""
_DATE = "[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6}+)?+"
_ZONE = "(?:Z|[+-](?:0[0-9]|1[0-7]):[0-5][0-9])?+"
_INTEGER = "-?+(?:0|[1-9][0-9]{{0,{}}}+)"
_FRACTION = "(?:[.][0-9]{{1,{}}}+)?+"
_REAL = _INTEGER.format(29) + _FRACTION.format(30)

_CAST = {
    Scalar.INT: _INTEGER.format(8),
    Scalar.BIGINT: _INTEGER.format(17),
    Scalar.FLOAT: _REAL,
    Scalar.DOUBLE: _REAL,
    Scalar.BOOLEAN: "true|false",
}
_INSTANTS = {
    Scalar.DATE: _DATE,
    Scalar.TIMESTAMP: f"{_DATE}[T ]{_TIME}{_ZONE}",
    Scalar.TIMESTAMP_NTZ: f"{_DATE}[T ]{_TIME}",
}
_READ = {
    Scalar.STRING: f'"{_STRING}"|{_NO_STRING}',
    # A minus before a whole zero would be lost. FLOAT the parser rounds twice.
    Scalar.DOUBLE: f"(?!-0[^.]){_REAL}",
    **{kind: _CAST[kind] for kind in (Scalar.INT, Scalar.BIGINT, Scalar.BOOLEAN)},
    **{kind: f'"{form}"' for kind, form in _INSTANTS.items()},
}
"""Of values that Spark's parser reads into the type as it is."""


class _Value(NamedTuple):
    """One value: its form, and SQL of it where no piece needs the parser, and where some may."""

    form: str
    cast: str
    parsed: str


class Pieces:
    """Of an object with these columns.

    Args:
        columns: all of them ``takes``.
        sparse: fields may be missing; of an array's objects they may in any case.
        of: SQL of the array of pieces; before the first of them it has one more element.

    Attributes:
        form: the expression of the object, in Java's syntax.
        replacement: SQL: what a line becomes: all pieces, each with ``MARK`` before it.
        cast: SQL of the fields of the record, name and value in turn, where no piece needs the parser.
        parsed: SQL of the same of any record, over ``read``.
        opened: SQL: an array or a map needs the parser. So do strings with a backslash.
        read: SQL of what the parser makes of arrays and maps: ``… AS name``.
        no_instant: SQL: a text that has the form of an instant is none, such as 30 February.
        unread: SQL over ``read``: the parser refused one of them.
    """

    def __init__(self, columns: Sequence[Column], *, sparse: bool, of: str) -> None:
        self._sparse, self._of = sparse, of
        self._groups = 0
        self._made: list[str] = []
        self._unlike: list[str] = []
        self._opened: list[str] = []
        self.read: list[str] = []
        body, self.cast, self.parsed = self._object(columns)
        self.form = rf"\{{{body}"
        self.replacement = "'" + "".join(rf"\u0001{piece}" for piece in self._made) + "'"
        self.opened, self.no_instant = either(self._opened), either(self._unlike)
        self.unread = either(f"read{at}.c IS NOT NULL" for at in range(len(self.read)))

    @staticmethod
    def takes(column_type: DataType) -> bool:
        """Whether there is an expression for such a column."""
        match column_type:
            case Scalar():
                return column_type in _CAST or column_type in _INSTANTS or column_type is Scalar.STRING
            case Struct(columns):
                return all(Pieces.takes(column.type) for column in columns)
            case _:
                return _is_read(column_type)

    def _object(self, columns: Sequence[Column]) -> _Value:
        """The form of an object after its opening bracket, and its fields."""
        values = [(column, self._value(column.type)) for column in columns]
        forms = [f"{_key(column)}{value.form}" for column, value in values]
        return _Value(
            _some_of(forms) if self._sparse else rf"{', ?+'.join(forms)}\}}",
            ", ".join(f"{literal(column.name)}, {value.cast}" for column, value in values),
            ", ".join(f"{literal(column.name)}, {value.parsed}" for column, value in values),
        )

    def _value(self, column_type: DataType) -> _Value:
        match column_type:
            case Scalar.STRING:
                return self._string()
            case Scalar.DATE | Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ:
                return self._instant(column_type)
            case Scalar() | Decimal():
                piece = self._piece()
                value = f"CASE WHEN {piece} <> '' THEN {_cast(piece, column_type)} END"
                return _Value(f"(?:({_scalar(column_type)})|null)", value, value)
            case Struct(columns):
                piece = self._piece()
                form, *fields = self._object(columns)
                some, other = (f"CASE WHEN {piece} <> '' THEN named_struct({each}) END" for each in fields)
                return _Value(rf"(?:(\{{){form}|null)", some, other)
            case Array() | Map():
                return self._collection(column_type)
            case _:
                assert_never(column_type)

    def _piece(self, groups: int = 1) -> str:
        """SQL of the next piece: what the one of the next so many groups holds that holds anything."""
        first = self._groups + 1
        self._groups += groups
        self._made.append("".join(f"${at}" for at in range(first, first + groups)))
        return f"get({self._of}, {len(self._made)})"

    def _string(self) -> _Value:
        piece = self._piece(2)
        text = f"substring({piece}, 2)"
        parsed = from_json(f"""concat('{{"v":', {piece}, '"}}')""", "v STRING", "c") + ".v"
        unescaped = f"CASE WHEN instr({piece}, {literal(_BACKSLASH)}) > 0 THEN {parsed} ELSE {text} END"
        cast, value = (
            f"""CASE WHEN startswith({piece}, '"') THEN {each} WHEN {piece} <> '' THEN {piece} END"""
            for each in (text, unescaped)
        )
        return _Value(f'(?:("{_STRING})"|({_NO_STRING})|null)', cast, value)

    def _instant(self, column_type: Scalar) -> _Value:
        piece = self._piece()
        value = _cast(piece, column_type)
        self._unlike.append(f"({value} IS NULL AND {piece} <> '')")
        return _Value(f'(?:"({_INSTANTS[column_type]})"|null)', value, value)

    def _collection(self, column_type: Array | Map) -> _Value:
        """Arrays and maps; arrays of strings without commas, as labels are, need no parser."""
        labels = column_type == Array(Scalar.STRING)
        piece, name, ddl = self._piece(2 if labels else 1), f"read{len(self.read)}", type_ddl(column_type)
        opened = f"(left({piece}, 1) IN ('[', '{{') AND {piece} <> '[]')"
        text = from_json(f"""concat('{{"v":', {piece}, '}}')""", f"v {ddl}", "c")
        self._opened.append(opened)
        self.read.append(f"CASE WHEN {opened} THEN {text} END AS {name}")
        form, cases = f"({_read(column_type)})", []
        if labels:
            form = rf"""\[("{_LABEL}*(?:","{_LABEL}*)*+)"\]|{form}"""
            cases.append(f"""WHEN startswith({piece}, '"') THEN split(replace({piece}, '"', ''), ',')""")
        if isinstance(column_type, Array):
            cases.append(f"WHEN {piece} = '[]' THEN CAST(array() AS {ddl})")
        none = f"CAST(NULL AS {ddl})"
        cast = f"CASE {' '.join(cases)} ELSE {none} END" if cases else none
        return _Value(f"(?:{form}|null)", cast, f"CASE {' '.join([*cases, f'WHEN {opened} THEN {name}.v'])} END")


def _key(column: Column) -> str:
    return f'"{re.escape(column.name)}": ?+'


def _some_of(members: Sequence[str]) -> str:
    """Each is followed by a comma and another one, or by the end of the object."""
    return "".join(rf"(?:{member}(?:, ?+|(?=\}})))?+" for member in members) + r"(?<![, ])\}"


def _cast(piece: str, column_type: Scalar | Decimal) -> str:
    return f"{piece} = 'true'" if column_type is Scalar.BOOLEAN else f"try_cast({piece} AS {type_ddl(column_type)})"


def _scalar(column_type: Scalar | Decimal) -> str:
    return _decimal(column_type) if isinstance(column_type, Decimal) else _CAST[column_type]


def _decimal(column_type: Decimal) -> str:
    digits = column_type.precision - column_type.scale
    whole = _INTEGER.format(digits - 1) if digits else "-?+0"
    return whole + (_FRACTION.format(column_type.scale) if column_type.scale else "")


def _is_read(column_type: DataType) -> bool:
    """Whether the parser reads all that has the form of the type; keys of maps it takes as STRING only."""
    match column_type:
        case Scalar():
            return column_type in _READ
        case Decimal():
            return True
        case Array(element):
            return _is_read(element)
        case Struct(columns):
            return all(_is_read(column.type) for column in columns)
        case Map(key, value):
            return key is Scalar.STRING and _has_text_keys(value)
        case _:
            assert_never(column_type)


def _has_text_keys(column_type: DataType) -> bool:
    match column_type:
        case Map(key, value):
            return key is Scalar.STRING and _has_text_keys(value)
        case Array(element):
            return _has_text_keys(element)
        case Struct(columns):
            return all(_has_text_keys(column.type) for column in columns)
        case _:
            return True


def _read(column_type: DataType) -> str:
    """The form of what the parser reads; where the commas are is its business."""
    match column_type:
        case Scalar():
            return _READ[column_type]
        case Decimal():
            return _decimal(column_type)
        case Array(element):
            return rf"\[(?:(?:{_read(element)}|null),?+ ?+)*+\]"
        case Struct(columns):
            members = "".join(rf"(?:{_key(column)}(?:{_read(column.type)}|null),?+ ?+)?+" for column in columns)
            return rf"\{{{members}\}}"
        case Map():
            return r"\{\}"
        case _:
            assert_never(column_type)
