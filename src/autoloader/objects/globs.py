r"""File patterns: globs matched against the part of a key below the source path.

``*`` any run of characters but ``/`` · ``?`` one character but ``/`` · ``[a-z]`` ``[!a-z]`` one of a set ·
``{a,b}`` either · ``**`` as a whole segment: any folders, also none; at the end: everything below ·
``\`` takes the meaning off the next character. A pattern without ``/`` matches at any depth.

A key is a string, not a path of a disk: dots, backslashes, newlines and empty segments (``a//b``, ``./a``) are ordinary
characters in it, names that begin with a dot are not hidden, and case counts. Libraries that translate globs for disks
fold some of these (``a/b`` would match ``a//b``, ``**`` would miss ``./a``), so the translation is ours.
"""

from __future__ import annotations

import os.path
import re
from itertools import product
from typing import TYPE_CHECKING

from autoloader.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIELD = "source_file_pattern"
MAX_ALTERNATIVES = 1_000
_FOLDERS = ["*", "*"]
_SYMBOL = re.compile(r"\\.|\[[!^]?+(?:\\.|[^\\])(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_MEMBER = re.compile(r"\\?(.)(?:-\\?(.))?", re.DOTALL)


class Pattern:
    """A compiled glob.

    Attributes:
        text: the pattern as it was written.
        literal_prefix: what every matching name begins with; a listing can start there.

    Raises:
        UsageError: the pattern is empty, absolute, a full path, or has an unclosed bracket or brace.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            _check_shape(text)
            alternatives = [_anchored(each) for each in _expand(_SYMBOL.findall(text))]
            translated = [_translate(each) for each in alternatives]
        except ValueError as error:
            raise UsageError(f"source_file_pattern {text!r} {error}", field=FIELD) from None
        starts = [_literal_start(each) for each in alternatives]
        self.literal_prefix = os.path.commonprefix(starts)  # noqa: RUF071  character by character is what is meant
        self._regex = re.compile("|".join(translated), re.DOTALL)

    def matches(self, name: str) -> bool:
        """Whether a key matches, given as the part of it below the source path."""
        return self._regex.fullmatch(name) is not None

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def _check_shape(text: str) -> None:
    if not text.strip():
        raise ValueError("is empty. Write ** for every file below source_path.")
    if "://" in text:
        raise ValueError("is a full path. It is matched below source_path: leave out the bucket and the folder.")
    if text.startswith("/"):
        raise ValueError("begins with '/'. It is matched below source_path: leave out the first slash.")
    if text.endswith("/"):
        raise ValueError(f"ends with '/'. Write {text}** for everything below that folder.")


def _expand(symbols: Sequence[str]) -> list[list[str]]:
    """Every way to choose from the braces of a pattern."""
    texts: list[list[str]] = [[]]
    rest = iter(symbols)
    for symbol in rest:
        choices = _choices(rest) if symbol == "{" else [[symbol]]
        texts = [[*text, *choice] for text, choice in product(texts, choices)]
        if len(texts) > MAX_ALTERNATIVES:
            raise ValueError(f"stands for more than {MAX_ALTERNATIVES} patterns. Use * for what varies.")
    return texts


def _choices(rest: Iterator[str]) -> list[list[str]]:
    """What stands between an opening brace, already taken, and the one that closes it."""
    options: list[list[str]] = [[]]
    depth = 0
    for symbol in rest:
        if symbol == "}" and depth == 0:
            break
        depth += {"{": 1, "}": -1}.get(symbol, 0)
        if symbol == "," and depth == 0:
            options.append([])
        else:
            options[-1].append(symbol)
    else:
        raise ValueError(r"has a brace { that is not closed. Write \{ for the character itself.")
    if len(options) == 1:
        raise ValueError(r"has braces without a comma. Write {a,b} for either, \{ for the character itself.")
    return [choice for option in options for choice in _expand(option)]


def _anchored(symbols: list[str]) -> list[str]:
    return symbols if "/" in symbols else [*_FOLDERS, "/", *symbols]


def _literal_start(symbols: Sequence[str]) -> str:
    literal = ""
    for symbol in symbols:
        if symbol in {"*", "?"} or (symbol[0] == "[" and len(symbol) > 1):
            break
        literal += symbol[-1]
    return literal


def _translate(symbols: Sequence[str]) -> str:
    *folders, last = _segments(symbols)
    regex = "".join("(?:.*/)?" if each == _FOLDERS else _segment(each) + "/" for each in folders)
    return f"(?:{regex}{'.*' if last == _FOLDERS else _segment(last)})"


def _segments(symbols: Sequence[str]) -> list[list[str]]:
    segments: list[list[str]] = [[]]
    for symbol in symbols:
        if symbol == "/":
            segments.append([])
        else:
            segments[-1].append(symbol)
    return segments


def _segment(symbols: Sequence[str]) -> str:
    """One segment. Of several stars all but the last take the first place that fits, so a match never takes long."""
    pieces = [""]
    for symbol in symbols:
        if symbol == "*":
            pieces.append("")
        else:
            pieces[-1] += _character(symbol)
    first, *others = pieces
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle) + "[^/]*" + last


def _character(symbol: str) -> str:
    if symbol == "?":
        return "[^/]"
    if symbol == "[":
        raise ValueError(r"has a bracket [ that is not closed. Write \[ for the character itself.")
    if symbol == "\\":
        raise ValueError(r"has a lone backslash at its end. Write \\ for the character itself.")
    return _set(symbol) if symbol[0] == "[" else re.escape(symbol[-1])


def _set(symbol: str) -> str:
    body = symbol[1:-1]
    if "/" in body:
        raise ValueError(f"has a '/' in the set {symbol}: a set stands for one character within a name.")
    negated = body[0] in "!^" and len(body) > 1
    members = ""
    for low, high in _MEMBER.findall(body[negated:]):
        if high and low > high:
            raise ValueError(f"has a range {low}-{high} that runs backwards.")
        members += re.escape(low) + ("-" + re.escape(high) if high else "")
    return f"(?!/)[^{members}]" if negated else f"[{members}]"
