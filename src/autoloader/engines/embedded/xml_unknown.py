"""What of an XML record the schema does not know: children and attributes, also of elements that are read as texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoloader.engines.embedded.strict_json import compact
from autoloader.engines.embedded.unknown import first_path
from autoloader.model import UnknownFields
from autoloader.schema.types import Array, DataType, Map, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoloader.engines.options import XmlOptions
    from autoloader.schema.types import Column


class Several(list[Any]):
    """The values of elements with one name beside each other."""


def xml_teller(
    columns: Sequence[Column], options: XmlOptions, mode: UnknownFields
) -> Callable[[dict[str, Any]], str | None]:
    """As ``unknown.teller``, for records whose elements are texts, members by name, or ``Several`` of these."""
    if mode is UnknownFields.IGNORE:
        return lambda _: None
    finding = _Finding(options)

    def told(record: dict[str, Any]) -> str | None:
        found = finding.in_struct(record, columns)
        if found is None:
            return None
        return first_path(found, columns) if mode is UnknownFields.FAIL else compact(found)

    return told


class _Finding:
    """Finds what is left of a value once all that its type knows is taken out; None where that is nothing."""

    def __init__(self, options: XmlOptions) -> None:
        self._tag = options.value_tag
        self._prefix = options.attribute_prefix

    def in_struct(self, record: dict[str, Any], columns: Sequence[Column]) -> dict[str, Any] | None:
        types = {column.name: column.type for column in columns}
        found = {
            name: left
            for name, value in sorted(record.items())
            if (left := self._left(value, types[name]) if name in types else value) is not None
        }
        return found or None

    def _left(self, value: Any, kind: DataType) -> Any:  # noqa: ANN401  a text, members or several of these
        match kind:
            case Array(element):
                left = [self._left(each, element) for each in (value if isinstance(value, Several) else [value])]
                return left if any(each is not None for each in left) else None
            case Struct(columns):
                members = {self._tag: value} if isinstance(value, str) and value else value
                return self.in_struct(members, columns) if isinstance(members, dict) else None
            case Map(_, inner):
                found = (
                    {name: self._left(each, inner) for name, each in sorted(value.items())} if self._is(value) else {}
                )
                return {name: each for name, each in found.items() if each is not None} or None
            case _:
                return self._attributes(value) if self._is(value) else None

    def _is(self, value: Any) -> bool:  # noqa: ANN401  likewise
        return isinstance(value, dict)

    def _attributes(self, value: dict[str, Any]) -> dict[str, Any] | None:
        """Of an element that is read by its text. One with children is none: it is kept or refused as it is."""
        if not all(name == self._tag or name.startswith(self._prefix) for name in value):
            return None
        return {name: each for name, each in sorted(value.items()) if name != self._tag} or None
