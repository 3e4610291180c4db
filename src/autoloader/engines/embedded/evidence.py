"""What a sample shows of one place (a column, a field, an element): which kinds of values, and their texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from autoloader.engines.embedded.strict_json import Number

_DEEPEST = 20


@dataclass(slots=True)
class Place:
    """Grows with every value seen; of NULL only the number is kept.

    Attributes:
        seen: how many values were seen, NULL among them.
        nulls: how many of them were NULL.
        example: the first simple value, as text.
        numbers: the distinct texts of JSON numbers, in order of appearance.
        strings: the distinct JSON strings, or CSV fields.
        objects: how many objects were seen.
        keys: how many keys they had in all.
        fields: what was seen under each key, in order of first appearance.
        element: what was seen in arrays, None before the first array.
        too_deep: values were nested so deeply that they were not looked at.
    """

    seen: int = 0
    nulls: int = 0
    example: str | None = None
    numbers: dict[str, None] = field(default_factory=dict)
    strings: dict[str, None] = field(default_factory=dict)
    booleans: bool = False
    objects: int = 0
    keys: int = 0
    fields: dict[str, Place] = field(default_factory=dict)
    element: Place | None = None
    too_deep: bool = False

    def see(self, value: Any, depth: int = 0) -> None:  # noqa: ANN401  JSON is any value
        """Take one parsed value into account."""
        self.seen += 1
        self.nulls += value is None
        if self.example is None and isinstance(value, (str, bool)):
            self.example = str(value).lower() if isinstance(value, bool) else str(value)
        if depth > _DEEPEST:
            self.too_deep = True
            return
        match value:
            case bool():
                self.booleans = True
            case Number():
                self.numbers[value] = None
            case str():
                self.strings[value] = None
            case dict():
                self.objects += 1
                self.keys += len(value)
                for key, inner in value.items():
                    self.fields.setdefault(key, Place()).see(inner, depth + 1)
            case list():
                self.element = self.element or Place()
                for inner in value:
                    self.element.see(inner, depth + 1)

    @property
    def texts(self) -> int:
        """How many texts are held, here and within."""
        inner = (*self.fields.values(), *([self.element] if self.element else []))
        return len(self.numbers) + len(self.strings) + sum(place.texts for place in inner)

    @property
    def kinds(self) -> frozenset[str]:
        """``number``, ``string``, ``boolean``, ``object``, ``array``: those that were seen."""
        seen = {
            "number": self.numbers,
            "string": self.strings,
            "boolean": self.booleans,
            "object": self.objects,
            "array": self.element is not None,
        }
        return frozenset(kind for kind, found in seen.items() if found)
