"""A DDL string, as Spark takes it: ``id BIGINT, at TIMESTAMP, m STRUCT<ip: STRING>``.

Parsed by hand: the language is a dozen words, every character of it must be understood (a general SQL parser drops what
it does not expect), and an error must say where.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Never

from autoloader.errors import UsageError
from autoloader.schema.names import FIELD, simple_type
from autoloader.schema.types import Array, Column, Map, Struct

if TYPE_CHECKING:
    from autoloader.schema.types import DataType

_TOKEN = re.compile(
    r"""\s*(?:
        `(?P<quoted>(?:[^`]|``)*)`
        | (?P<word>\w+)
        | (?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*")
        | (?P<mark>[<>(),:])
        | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_SHOWN = 20


def parse_ddl(text: str) -> tuple[Column, ...]:
    """The columns of a DDL string. ``NOT NULL`` and ``COMMENT`` are read and left out: every column may be NULL.

    Raises:
        UsageError: what cannot be understood, with its position counted from 1.
    """
    reader = _Reader(text)
    columns = reader.columns("")
    if reader.kind != "end":
        reader.fail("expected a comma or the end")
    return columns


class _Reader:
    """One token ahead: ``kind`` and ``token`` are what comes next, which begins at ``start``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind, self.token, self.start, self.after = "", "", 0, 0
        self.advance()

    def advance(self) -> str:
        """Step over the token; returns its text."""
        token = self.token
        match = _TOKEN.match(self.text, self.after)
        if match is None:
            self.start = len(self.text) - len(self.text[self.after :].lstrip())
            self.fail("expected a name, a type or one of < > ( ) , :")
        self.kind = match.lastgroup or ""
        self.token = match[self.kind]
        self.start = match.end() - len(match[0].lstrip())
        self.after = match.end()
        return token

    def fail(self, expected: str) -> Never:
        """Refuse the text at the token that comes next."""
        rest = self.text[self.start : self.start + _SHOWN]
        found = repr(rest) if rest else "the end"
        raise UsageError(f"schema: {expected} at position {self.start + 1}, found {found}", field=FIELD)

    def takes(self, *tokens: str) -> bool:
        """Step over the token if it is one of these marks or words."""
        found = self.kind in ("mark", "word") and self.token.upper() in tokens
        if found:
            self.advance()
        return found

    def needs(self, mark: str) -> None:
        """Step over this mark."""
        if not self.takes(mark):
            self.fail(f"expected {mark!r}")

    def columns(self, path: str) -> tuple[Column, ...]:
        """Columns with commas between; ``path`` is that of the struct around, with a dot behind."""
        columns = [self.column(path)]
        while self.takes(","):
            columns.append(self.column(path))
        return tuple(columns)

    def column(self, path: str) -> Column:
        """A name, a type, and what may stand behind."""
        if self.kind not in ("quoted", "word"):
            self.fail("expected the name of a column")
        quoted = self.kind == "quoted"
        name = self.advance()
        name = name.replace("``", "`") if quoted else name
        self.takes(":")
        column_type = self.type(path + name)
        if self.takes("NOT") and not self.takes("NULL"):
            self.fail("expected NULL")
        if self.takes("COMMENT"):
            if self.kind != "text":
                self.fail("expected the comment in quotes")
            self.advance()
        return Column(name, column_type)

    def type(self, path: str) -> DataType:
        """A type; ``path`` names the column it belongs to."""
        if self.kind != "word":
            self.fail(f"expected the type of column {path}")
        name = self.advance()
        match name.upper():
            case "ARRAY":
                self.needs("<")
                found: DataType = Array(self.type(f"{path}.element"))
            case "MAP":
                self.needs("<")
                key = self.type(f"{path}.key")
                self.needs(",")
                found = Map(key, self.type(f"{path}.value"))
            case "STRUCT":
                self.needs("<")
                found = Struct(self.columns(f"{path}."))
            case _:
                return simple_type(name, self.numbers(), f"column {path}")
        self.needs(">")
        return found

    def numbers(self) -> tuple[int, ...]:
        """Numbers in parentheses, or nothing."""
        if not self.takes("("):
            return ()
        numbers = [self.number()]
        while self.takes(","):
            numbers.append(self.number())
        self.needs(")")
        return tuple(numbers)

    def number(self) -> int:
        """One whole number."""
        if not re.fullmatch(r"[0-9]{1,9}", self.token):
            self.fail("expected a whole number")
        return int(self.advance())
