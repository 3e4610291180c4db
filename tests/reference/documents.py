"""JSON documents: the values of a file, one after the other, and the records in them or at a path of theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.reference.json_text import Broken, Scanner, Value, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Element:
    """One record: its text, and its value or nothing where it is malformed."""

    raw: str
    value: Value
    malformed: bool


def elements(text: str, path: Sequence[str]) -> Iterator[Element]:
    """The records of a file.

    Raises:
        Broken: between them or within one; those before it were given.
    """
    scanner = Scanner(text)
    while scanner.next():
        yield from _within(scanner, path) if path else _plain(scanner)


def _plain(scanner: Scanner) -> Iterator[Element]:
    if scanner.next() == "[":
        yield from _items(scanner, lambda: _one(scanner))
    else:
        yield from _one(scanner)


def _items(scanner: Scanner, item: object) -> Iterator[Element]:
    assert callable(item)
    scanner.expect("[")
    if scanner.take("]"):
        return
    while True:
        yield from item()
        if scanner.take("]"):
            return
        scanner.expect(",")


def _one(scanner: Scanner) -> Iterator[Element]:
    scanner.blanks()
    start, before = scanner.at, len(scanner.flaws)
    value = scanner.value()
    raw = scanner.text[start : scanner.at]
    yield Element(raw, value, malformed=len(scanner.flaws) > before)


def _within(scanner: Scanner, path: Sequence[str]) -> Iterator[Element]:
    """The records at a path below the next value; what stands beside the path must be JSON."""
    if scanner.next() == "[":
        yield from _items(scanner, lambda: _object(scanner, path))
    else:
        yield from _object(scanner, path)


def _object(scanner: Scanner, path: Sequence[str]) -> Iterator[Element]:
    """The same of one object: arrays on the way are looked through, arrays of arrays are not."""
    scanner.expect("{")
    seen: set[str] = set()
    closed = scanner.take("}")
    while not closed:
        if scanner.next() != '"':
            raise Broken("no key")
        key = scanner.string()
        if key in seen:
            raise Broken("a key twice")
        seen.add(key)
        scanner.expect(":")
        if key == path[0]:
            yield from _at_path(scanner, path[1:])
        else:
            _beside(scanner)
        closed = scanner.take("}")
        if not closed:
            scanner.expect(",")
    if path[0] not in seen:
        raise Broken("the path is not there")


def _beside(scanner: Scanner) -> None:
    scanner.blanks()
    start = scanner.at
    scanner.value()
    whole(scanner.text[start : scanner.at])


def _at_path(scanner: Scanner, rest: Sequence[str]) -> Iterator[Element]:
    if rest:
        yield from _within(scanner, rest)
    elif scanner.next() == "n":
        if scanner.value() is not None:
            raise Broken("no null")
    elif scanner.next() == "[":
        yield from _items(scanner, lambda: _one(scanner))
    elif scanner.next() == "{":
        yield from _one(scanner)
    else:
        raise Broken("no records at the path")
