"""Which keys a pattern takes, compared with a matcher written another way."""

from __future__ import annotations

import re
import time
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoloader.errors import UsageError
from autoloader.objects.globs import Pattern

NAMES = st.text(alphabet="ab./\\\n*[é", max_size=12)
PATTERNS = st.lists(
    st.sampled_from(["a", "b", ".", "/", "*", "?", "**", "**/", "/**", "[ab]", "[!a]", "{a,b/}", "{,*.}", "\\*", "é"]),
    min_size=1,
    max_size=7,
).map("".join)


def reference(pattern: str, name: str) -> bool:
    """The rules of the contract, told by recursion on characters instead of a regular expression."""
    return any(_alternative(each if "/" in each else "**/" + each, name) for each in _braces(pattern))


def _braces(pattern: str) -> list[str]:
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        return [pattern]
    head, tail = pattern[: found.start()], pattern[found.end() :]
    return [each for option in found.group(1).split(",") for each in _braces(head + option + tail)]


def _alternative(pattern: str, name: str) -> bool:
    return _folders(tuple(pattern.split("/")), tuple(name.split("/")))


def _folders(wanted: tuple[str, ...], given: tuple[str, ...]) -> bool:
    if wanted == ("**",):
        return bool(given)
    if not wanted or not given:
        return not wanted and not given
    if wanted[0] == "**":
        return _folders(wanted[1:], given) or _folders(wanted, given[1:])
    return _word(wanted[0], given[0]) and _folders(wanted[1:], given[1:])


@cache
def _word(wanted: str, given: str) -> bool:
    if not wanted:
        return not given
    if wanted[0] == "*":
        return _word(wanted[1:], given) or (bool(given) and _word(wanted, given[1:]))
    if not given:
        return False
    if wanted[0] == "[":
        members, _, rest = wanted[1:].partition("]")
        hit = given[0] not in members[1:] if members[0] == "!" else given[0] in members
        return hit and _word(rest, given[1:])
    if wanted[0] == "\\":
        return given[0] == wanted[1] and _word(wanted[2:], given[1:])
    return (wanted[0] in ("?", given[0])) and _word(wanted[1:], given[1:])


def _compiled(text: str) -> Pattern | None:
    try:
        return Pattern(text)
    except UsageError:
        return None


@given(PATTERNS, NAMES)
@example("**/a", "a")
@example("a/**", "a")
@example("*a*b", "aabab")
@example("?*a", "aa")
def test_a_pattern_takes_what_an_independent_matcher_takes(text: str, name: str) -> None:
    pattern = _compiled(text)
    if pattern is not None:
        assert pattern.matches(name) == reference(text, name)


@given(PATTERNS, NAMES)
def test_the_literal_prefix_never_loses_a_matching_name(text: str, name: str) -> None:
    pattern = _compiled(text)
    if pattern is not None and pattern.matches(name):
        assert name.startswith(pattern.literal_prefix)


@given(NAMES.filter(lambda name: name.strip() and not name.startswith("/") and not name.endswith("/")))
def test_a_name_with_its_special_characters_escaped_takes_itself_alone(name: str) -> None:
    text = re.sub(r"([*?\[{\\])", r"\\\1", name)
    assert Pattern(text).matches(name)
    assert not Pattern(text).matches(name + "x")


@pytest.mark.parametrize(
    ("text", "takes", "leaves"),
    [
        (
            "*.json",
            ["a.json", "x/y/a.json", ".json", ".hidden/.a.json", "x/\n.json", "a\\b.json"],
            ["a.jsonl", "a.JSON"],
        ),
        ("**", ["a", "a/b", "./a", "a/../b", "a//b", "/a", "\x01"], []),
        ("**/dt=2024-*/**", ["dt=2024-01/a", "x/dt=2024-01-02/y/b"], ["dt=2023-01/a", "dt=2024-01"]),
        ("{a,b}/*.csv", ["a/1.csv", "b/1.csv"], ["c/1.csv", "a/b/1.csv"]),
        ("{2024/*.json,*.csv}", ["2024/a.json", "x/a.csv"], ["x/a.json"]),
        ("[abc].json", ["a.json", "x/c.json"], ["d.json", "ab.json"]),
        ("[!a-c].json", ["d.json"], ["a.json", "/x.jso", ".json"]),
        ("*/a", ["x/a", "/a"], ["a", "x/y/a"]),
        ("a/b", ["a/b"], ["a//b", "./a/b", "x/a/b"]),
        ("?.json", ["é.json", "\\.json"], ["e\u0301.json"]),
        ("a/[]x]", ["a/]", "a/x"], ["a/[]x]"]),
        (r"a\[1\].json", ["a[1].json"], ["a1.json"]),
        ("file [1].json", ["file 1.json"], ["file [1].json"]),
    ],
)
def test_patterns_by_example(text: str, takes: list[str], leaves: list[str]) -> None:
    pattern = Pattern(text)
    assert [name for name in takes if not pattern.matches(name)] == []
    assert [name for name in leaves if pattern.matches(name)] == []


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("2024/*.json", "2024/"),
        ("2024/a*.json", "2024/a"),
        ("2024/01/x.json", "2024/01/x.json"),
        ("{2024,2025}/*.json", "202"),
        ("*.json", ""),
        ("a[bc]/d", "a"),
        (r"a\*/b", "a*/b"),
        ("a/**", "a/"),
    ],
)
def test_a_listing_can_start_at_the_literal_prefix(text: str, prefix: str) -> None:
    assert Pattern(text).literal_prefix == prefix


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("/a/*.json", "begins with '/'"),
        ("s3://bucket/a/*.json", "full path"),
        ("2024/", "2024/**"),
        ("[ab.json", "bracket"),
        ("[]", "bracket"),
        ("[!]", "bracket"),
        ("{a,b.json", "brace"),
        ("{a{b,c}.json", "brace"),
        ("{a}", "comma"),
        ("[z-a]", "backwards"),
        ("[a/b]x", "'/' in the set"),
        ("a\\", "backslash"),
        ("{a,b}" * 10, "more than 1000"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as caught:
        Pattern(text)
    assert caught.value.field == "source_file_pattern"


def test_many_stars_do_not_make_a_match_slow() -> None:
    pattern = Pattern("*" + "a*" * 20 + "b")
    started = time.process_time()
    assert not pattern.matches("a" * 1024)
    assert time.process_time() - started < 1
