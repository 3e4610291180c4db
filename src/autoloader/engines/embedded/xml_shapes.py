"""What XML elements of one name look like over a sample: whether they repeat, and whether they have members."""

from __future__ import annotations

from typing import Any

from autoloader.engines.embedded.xml_unknown import Several


class Shape:
    """What XML elements of one name were seen to be, so that all of them can be given one form.

    Args:
        value_tag: name of the text beside attributes or children.
    """

    def __init__(self, value_tag: str) -> None:
        self._value_tag = value_tag
        self._repeats = False
        self._fields: dict[str, Shape] = {}

    def see(self, value: Any) -> None:  # noqa: ANN401  likewise
        """Take a value into account."""
        self._repeats = self._repeats or isinstance(value, Several)
        for each in value if isinstance(value, Several) else [value]:
            if isinstance(each, dict):
                for name, inner in each.items():
                    self._fields.setdefault(name, Shape(self._value_tag)).see(inner)

    def formed(self, value: Any) -> Any:  # noqa: ANN401  likewise
        """A value as all that were seen can be: a list where one repeats, an object where one has members."""
        if self._repeats:
            return [self._formed(each) for each in (value if isinstance(value, Several) else [value])]
        return self._formed(value)

    def _formed(self, value: Any) -> Any:  # noqa: ANN401  likewise
        if isinstance(value, dict):
            return {name: self._fields[name].formed(inner) for name, inner in value.items()}
        if not value or not self._fields:
            return value or None
        text = self._fields.setdefault(self._value_tag, Shape(self._value_tag))
        return {self._value_tag: text.formed(value)}
