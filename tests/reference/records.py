"""From a record to a row, by docs/reference/values.md: typed values, or the column at fault and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.reference import json_text
from tests.reference.json_text import Number, Value
from tests.reference.patterns import Pattern, by_pattern
from tests.reference.scalars import Refused, judge

from autoloader.model import UnknownFields
from autoloader.schema.types import Array, Column, DataType, Decimal, Map, Scalar, Struct

ABSENT = object()
"""Nothing of a value is unknown."""


class Bad(ValueError):  # noqa: N818  a test's word
    """A record that the contract refuses."""

    def __init__(self, reason: str, column: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """What rows of one ingestion are.

    Attributes:
        patterns: by type, where an option has one.
    """

    columns: tuple[Column, ...]
    unknown: UnknownFields
    patterns: dict[Scalar, Pattern] = field(default_factory=dict)

    def row(self, record: Value) -> dict[str, object]:
        """A row; ``_rescued_data`` is in it where unknown fields are kept.

        Raises:
            Bad: with the first fault: of kinds, then of texts, each in the order of the schema, then an unknown field.
        """
        if not isinstance(record, dict):
            raise Bad("malformed")
        for column in self.columns:
            check_kinds(record.get(column.name), column.type, column.name)
        row: dict[str, object] = {}
        for column in self.columns:
            try:
                row[column.name] = self.typed(record.get(column.name), column.type)
            except Bad as bad:
                raise Bad(bad.reason, column.name) from None
        rest = unknown_of(record, self.columns)
        if self.unknown is UnknownFields.FAIL and rest is not ABSENT:
            raise Bad("unknown_field", first_unknown(rest, Struct(self.columns)))
        if self.unknown is UnknownFields.RESCUE:
            row["_rescued_data"] = None if rest is ABSENT else json_text.compact(rest)  # type: ignore[arg-type]
        return row

    def typed(self, value: Value, kind: DataType) -> object:
        """The value of a column.

        Raises:
            Bad: a text that its type does not take, or two keys of a map that become one.
        """
        if value is None:
            return None
        match kind:
            case Struct(columns):
                assert isinstance(value, dict)
                return {column.name: self.typed(value.get(column.name), column.type) for column in columns}
            case Array(element):
                assert isinstance(value, list)
                return [self.typed(each, element) for each in value]
            case Map(key_type, value_type):
                assert isinstance(value, dict)
                # What is bad first in the text is told.
                entries = [(self.text(key, key_type), self.typed(each, value_type)) for key, each in value.items()]
                if len({repr(key) for key, _ in entries}) < len(entries):
                    raise Bad("duplicate_key")
                return entries
            case Scalar() | Decimal():
                return self.text(text_of(value), kind)

    def text(self, text: str, kind: DataType) -> object:
        """The value of a text.

        Raises:
            Bad: its type does not take it.
        """
        assert isinstance(kind, (Scalar, Decimal))
        pattern = self.patterns.get(kind) if isinstance(kind, Scalar) else None
        found = judge(kind, text) if pattern is None or isinstance(kind, Decimal) else by_pattern(pattern, kind, text)
        if isinstance(found, Refused):
            raise Bad(found.code)
        return found


def text_of(value: Value) -> str:
    """What a value of JSON is judged by."""
    match value:
        case str():
            return value
        case Number(text):
            return text
        case _:
            return json_text.compact(value)


def check_kinds(value: Value, kind: DataType, path: str) -> None:
    """Objects where objects belong, arrays where arrays do, at every level.

    Raises:
        Bad: the first place where it is otherwise, with its path.
    """
    if value is None:
        return
    match kind:
        case Struct(columns):
            if not isinstance(value, dict):
                raise Bad("not_struct", path)
            for column in columns:
                check_kinds(value.get(column.name), column.type, f"{path}.{column.name}")
        case Array(element):
            if not isinstance(value, list):
                raise Bad("not_array", path)
            for each in value:
                check_kinds(each, element, path)
        case Map(_, inner):
            if not isinstance(value, dict):
                raise Bad("not_map", path)
            for each in value.values():
                check_kinds(each, inner, path)
        case _:
            pass


def unknown_of(value: Value, columns: tuple[Column, ...]) -> object:
    """What a record or a struct has that these columns do not know, names sorted; ABSENT where that is nothing."""
    assert isinstance(value, dict)
    types = {column.name: column.type for column in columns}
    found: dict[str, object] = {}
    for name in sorted(value):
        inner = value[name] if name not in types else rest_of(value[name], types[name])
        if inner is not ABSENT and inner is not None:
            found[name] = inner
    return found or ABSENT


def rest_of(value: Value, kind: DataType) -> object:
    """The same of a value that a column is for."""
    match kind:
        case Struct(columns) if isinstance(value, dict):
            return unknown_of(value, columns)
        case Array(element) if isinstance(value, list):
            rests = [rest_of(each, element) for each in value]
            some = any(rest is not ABSENT for rest in rests)
            return [None if rest is ABSENT else rest for rest in rests] if some else ABSENT
        case Map(_, inner) if isinstance(value, dict):
            named = {name: rest_of(value[name], inner) for name in sorted(value)}
            return {name: rest for name, rest in named.items() if rest is not ABSENT} or ABSENT
        case _:
            return ABSENT


def first_unknown(rest: object, kind: DataType | None) -> str:
    """The path of the first unknown field, in the order of the names; keys of maps are left out of it."""
    match kind:
        case Struct(columns):
            assert isinstance(rest, dict)
            name: str = min(rest)
            inner = {column.name: column.type for column in columns}.get(name)
            return name if inner is None else f"{name}.{first_unknown(rest[name], inner)}"
        case Array(element):
            assert isinstance(rest, list)
            return first_unknown(next(each for each in rest if each is not None), element)
        case Map(_, value_type):
            assert isinstance(rest, dict)
            return first_unknown(rest[min(rest)], value_type)
        case _:
            raise AssertionError(rest)
