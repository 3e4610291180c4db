"""CSV cut into fields character by character, and its header matched by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """The options of CSV, under our names; None: there is no such character."""

    sep: str = ","
    quote: str | None = '"'
    escape: str | None = '"'
    comment: str | None = None
    null_value: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A record as it is cut.

    Attributes:
        number: of the physical line where it begins.
        raw: its text without the line end.
        fields: texts, None for NULL; or nothing, where a quote is broken.
    """

    number: int
    raw: str
    fields: list[str | None] | None


class NeverClosed(ValueError):  # noqa: N818  a test's word
    """A quote is open at the end of the file."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class WrongHeader(ValueError):  # noqa: N818  a test's word
    """It lacks a column, or has one twice."""


@dataclass(slots=True)
class Cutter:
    """Cuts a text."""

    text: str
    dialect: Dialect
    at: int = 0
    line: int = 1

    def records(self) -> Iterator[Line]:
        """Every record; blank lines and comments are none.

        Raises:
            NeverClosed: with the line where the record begins.
        """
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            line = self.text[self.at : len(self.text) if end < 0 else end]
            comment = self.dialect.comment
            if line in {"", "\r"} or (comment and line.startswith(comment)):
                self.at += len(line) + 1
                self.line += 1
                continue
            yield self._record()

    def _record(self) -> Line:
        start, number = self.at, self.line
        fields: list[str | None] | None = []
        while True:
            found = self._field(number)
            if found is _BROKEN:
                fields = None
                self._to_line_end()
            else:
                assert fields is not None
                assert found is None or isinstance(found, str)
                fields.append(found)
            if self._line_ends():
                raw = self.text[start : self.at]
                self.line += raw.count("\n") + 1
                self.at += 2 if self.text.startswith("\r\n", self.at) else 1
                # A return at the very end of the file ends its last line.
                return Line(number, raw, fields)
            self.at += 1  # the separator

    def _line_ends(self) -> bool:
        rest = self.text[self.at : self.at + 2]
        return rest in {"", "\r", "\r\n"} or rest[0] == "\n"

    def _to_line_end(self) -> None:
        while not self._line_ends():
            self.at += 1

    def _field(self, number: int) -> object:
        if self.dialect.quote and self.text.startswith(self.dialect.quote, self.at):
            text = self._quoted(number)
            ends = self._line_ends() or self.text[self.at] == self.dialect.sep
            return text if ends else _BROKEN
        start = self.at
        while not self._line_ends() and self.text[self.at] != self.dialect.sep:
            self.at += 1
        text = self.text[start : self.at]
        if self.dialect.quote and self.dialect.quote in text:
            return _BROKEN
        return None if text in {"", self.dialect.null_value} else text

    def _quoted(self, number: int) -> str:
        quote, escape = self.dialect.quote, self.dialect.escape
        parts: list[str] = []
        self.at += 1
        while self.at < len(self.text):
            character, following = self.text[self.at], self.text[self.at + 1 : self.at + 2]
            escapes = {quote} if escape == quote else {quote, escape}
            if character == escape and following in escapes:
                parts.append(following)
                self.at += 2
            elif character == quote:
                self.at += 1
                return "".join(parts)
            else:
                parts.append(character)
                self.at += 1
        raise NeverClosed(number)


_BROKEN = object()


def places(header: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Where in the header each column stands: letter by letter, else in another case.

    Raises:
        WrongHeader: a column is nowhere, or a name stands there twice.
    """
    named = [name for name in header if name]
    if len(set(named)) < len(named):
        raise WrongHeader
    found: list[int] = []
    for column in columns:
        exact = [at for at, name in enumerate(header) if name == column]
        folded = [at for at, name in enumerate(header) if name.casefold() == column.casefold()]
        if not exact and len(folded) != 1:
            raise WrongHeader
        found.append((exact or folded)[0])
    return found
