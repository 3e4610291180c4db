"""JSON by RFC 8259, character by character, with the text of every number kept: slow, and nobody else's parser."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

DEEPEST = 200
"""More objects and arrays within each other are malformed."""
_BLANKS = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"-?[A-Za-z]+")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]+')
_HALF = re.compile("[\ud800-\udfff]")
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS = {"true": True, "false": False, "null": None}
_CONSTANTS = ("NaN", "Infinity", "-Infinity")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written."""

    text: str


Value = str | Number | bool | list["Value"] | dict[str, "Value"] | None


class Broken(ValueError):  # noqa: N818  a test's word
    """Nobody can say where the value ends."""


@dataclass(slots=True)
class Scanner:
    """Reads values out of a text.

    Attributes:
        at: where the next one begins.
        flaws: what makes the value malformed though its end is known: a key twice, half a surrogate pair, NaN.
    """

    text: str
    at: int = 0
    depth: int = 0
    flaws: list[str] = field(default_factory=list)

    def blanks(self) -> None:
        found = _BLANKS.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def next(self) -> str:
        """The next character that is no blank; empty at the end."""
        self.blanks()
        return self.text[self.at : self.at + 1]

    def take(self, character: str) -> bool:
        if self.next() != character:
            return False
        self.at += 1
        return True

    def expect(self, character: str) -> None:
        if not self.take(character):
            raise Broken(f"{character} belongs at {self.at}")

    def value(self) -> Value:
        match self.next():
            case '"':
                return self.string()
            case "{":
                return self.nested(self.object)
            case "[":
                return self.nested(self.array)
            case _:
                return self.bare()

    def nested(self, read: object) -> Value:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Broken("nested too deeply")
        assert callable(read)
        found: Value = read()
        self.depth -= 1
        return found

    def bare(self) -> Value:
        if word := _WORD.match(self.text, self.at):
            self.at = word.end()
            if word[0] in _CONSTANTS:
                self.flaws.append(word[0])
                return None
            if word[0] not in _LITERALS:
                raise Broken(f"{word[0]!r} is no value")
            return _LITERALS[word[0]]
        if number := _NUMBER.match(self.text, self.at):
            self.at = number.end()
            return Number(number[0])
        raise Broken(f"no value at {self.at}")

    def object(self) -> Value:
        found: dict[str, Value] = {}
        self.expect("{")
        if self.take("}"):
            return found
        while True:
            if self.next() != '"':
                raise Broken(f"no key at {self.at}")
            key = self.string()
            if key in found:
                self.flaws.append(f"{key!r} twice")
            self.expect(":")
            found[key] = self.value()
            if self.take("}"):
                return found
            self.expect(",")

    def array(self) -> Value:
        found: list[Value] = []
        self.expect("[")
        if self.take("]"):
            return found
        while True:
            found.append(self.value())
            if self.take("]"):
                return found
            self.expect(",")

    def string(self) -> str:
        parts: list[str] = []
        self.at += 1
        while True:
            if plain := _PLAIN.match(self.text, self.at):
                parts.append(plain[0])
                self.at = plain.end()
            match self.text[self.at : self.at + 1]:
                case '"':
                    self.at += 1
                    return self._whole("".join(parts))
                case "\\":
                    parts.append(self._escape())
                case _:
                    raise Broken(f"a string ends at {self.at}")

    def _escape(self) -> str:
        letter = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if letter in _ESCAPES and letter:
            return _ESCAPES[letter]
        code = _HEX.match(self.text, self.at)
        if letter != "u" or not code:
            raise Broken(f"no escape at {self.at}")
        self.at = code.end()
        return chr(int(code[0], 16))

    def _whole(self, text: str) -> str:
        """Halves of surrogate pairs put together; one that is alone is a flaw."""
        if not _HALF.search(text):
            return text
        joined = re.sub(
            "[\ud800-\udbff][\udc00-\udfff]",
            lambda pair: chr(0x10000 + ((ord(pair[0][0]) - 0xD800) << 10) + ord(pair[0][1]) - 0xDC00),
            text,
        )
        if _HALF.search(joined):
            self.flaws.append("half a surrogate pair")
        return joined


def whole(text: str) -> Value:
    """The one value of a text.

    Raises:
        Broken: it is not exactly one, or has a flaw.
    """
    scanner = Scanner(text)
    found = scanner.value()
    if scanner.next():
        raise Broken(f"something follows at {scanner.at}")
    if scanner.flaws:
        raise Broken(scanner.flaws[0])
    return found


def compact(value: Value) -> str:
    """JSON without blanks, every number as it was written, no character escaped that need not be."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Number(text):
            return text
        case str():
            return f'"{"".join(_escaped(character) for character in value)}"'
        case list():
            return f"[{','.join(map(compact, value))}]"
        case dict():
            return f"{{{','.join(f'{compact(key)}:{compact(inner)}' for key, inner in value.items())}}}"


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character >= " ":
        return character
    short = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return short.get(character, f"\\u{ord(character):04x}")
