"""The SQL of the contract and its Python twin say the same of every text: accepted or refused, why, and which value."""

from __future__ import annotations

import decimal
import itertools
import math
import random
from fractions import Fraction
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.reference import scalars as twin
from tests.reference.scalars import Refused

from autoloader.engines.embedded import values
from autoloader.engines.embedded.sql import SESSION
from autoloader.engines.options import JsonOptions
from autoloader.schema.types import Decimal, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

pytestmark = pytest.mark.no_cover  # what is judged here is SQL; the twin would take twice as long
TYPES = [*Scalar, Decimal(10, 2), Decimal(38, 10), Decimal(5, 0), Decimal(4, 4), Decimal(38, 38)]
ISO = JsonOptions()
ROUNDS = 20_000


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    for statement in SESSION:
        connection.execute(statement)
    yield connection
    connection.close()


def judged(
    duck: duckdb.DuckDBPyConnection, column_type: Scalar | Decimal, texts: Sequence[str]
) -> list[tuple[str, object, str | None, bool, bool]]:
    """(text, typed value, reason, is_bad alone, is_bad told the value) of each text."""
    value = values.typed(column_type, "x", ISO)
    shown: dict[Scalar | Decimal, str] = {
        Scalar.TIMESTAMP: "epoch_us(v)",
        Scalar.TIMESTAMP_NTZ: "epoch_us(v)",
        Scalar.DATE: "v - DATE '1970-01-01'",
    }
    by_value = values.is_bad(column_type, "x", ISO, value="v")
    query = f"""
        SELECT x, CASE WHEN reason IS NULL THEN {shown.get(column_type, "v")} END, reason, alone, told
        FROM (SELECT x, v, {values.reason(column_type, "x", ISO)} AS reason,
                     {values.is_bad(column_type, "x", ISO)} AS alone, {by_value} AS told
              FROM (SELECT x, {value} AS v FROM (SELECT unnest($1::VARCHAR[]) AS x)))
    """
    return duck.execute(query, [list(texts)]).fetchall()


def assert_same(duck: duckdb.DuckDBPyConnection, column_type: Scalar | Decimal, texts: Iterable[str]) -> None:
    for text, value, reason, alone, told in judged(duck, column_type, sorted(set(texts))):
        expected = twin.judge(column_type, text)
        found: object = Refused(reason) if reason else value
        if isinstance(found, decimal.Decimal):
            found = Fraction(found)
        assert found == expected, f"{column_type} {text!r}"
        if isinstance(found, float):
            assert math.copysign(1, found) == math.copysign(1, float(text)), f"{column_type} {text!r}"
        assert alone == told == isinstance(expected, Refused), f"{column_type} {text!r}: {alone}, {told}"


def number(draw: random.Random) -> str:
    """A number as people and programs write them, or nearly so."""
    digits = "".join(draw.choice("0123456789") for _ in range(draw.choice([1, 1, 2, 3, 5, 8, 10, 19, 20, 38, 40])))
    if draw.random() < 0.3:
        digits = draw.choice(
            [
                "2147483647",
                "2147483648",
                "9223372036854775807",
                "9223372036854775808",
                "0",
                "00",
                "99999999",
                "100000000",
            ]
        )
    zeros = "0" * draw.choice([0, 0, 0, 1, 3, 40])
    fraction = "".join(draw.choice("000123459") for _ in range(draw.choice([0, 1, 2, 3, 6, 10, 17, 38]))) + zeros
    point = draw.choice(["", ".", "."])
    exponent = draw.choice(
        ["", "", "", f"e{draw.randrange(-45, 45)}", f"E+{draw.randrange(330)}", f"e-{draw.randrange(350)}"]
    )
    return (
        draw.choice(["", "", "-", "+"])
        + zeros * (draw.random() < 0.1)
        + digits
        + (point and point + fraction)
        + exponent
    )


def instant(draw: random.Random) -> str:
    """A date, or date and time, with every kind of zone, many of them impossible."""
    year = draw.choice(["2024", "2023", "1900", "2000", "0000", "0001", "9999", "1969", "0400", "24", "12024", "-024"])
    day = f"{year}-{draw.randrange(14):02}-{draw.choice([0, 1, 28, 29, 30, 31, 32]):02}"
    if draw.random() < 0.2:
        return day
    time = f"{draw.choice([0, 0, 1, 12, 23, 24, 25]):02}:{draw.choice([0, 0, 30, 59, 60]):02}"
    if draw.random() < 0.9:
        time += f":{draw.choice([0, 0, 1, 59, 60]):02}"
        if draw.random() < 0.6:
            time += "." + "".join(draw.choice("0123456789") for _ in range(draw.choice([0, 1, 3, 3, 6, 6, 7, 9, 10])))
    sign = draw.choice("+-")
    offset = f"{sign}{draw.choice([0, 1, 5, 15, 17, 18, 19, 24]):02}"
    minutes = f"{draw.choice([0, 0, 30, 59, 60]):02}"
    zone = draw.choice(["", "", "Z", "Z", offset, f"{offset}:{minutes}", f"{offset}{minutes}", " UTC", "z", "+00:00"])
    return day + draw.choice("TTT t_") + time + zone


WORDS = """
    true false TRUE False t f yes no 1 0 nan NaN inf -Infinity +INF epoch infinity now null YWJj YQ== YR== YWI= YQ
    +/+/ -_-_ = === 0x10 0b1 1.5d 1f 1_000 \u0663 \uff11\uff12 fal\u017fe --1 1,5 2024-W01-1
"""


def word(draw: random.Random) -> str:
    return draw.choice([*WORDS.split(), "", " ", "true\n", "12\x00"])


def mutated(draw: random.Random, text: str) -> str:
    """One character put in, left out or replaced."""
    at = draw.randrange(len(text) + 1)
    kept = draw.choice([0, 1])
    extra: str = draw.choice(["", *"0123456789+-.eE_ \t\n\r\v\f:TZ/xdn\u00a0\u0663"])
    return text[:at] + extra + text[at + kept :]


def texts_for(seed: object) -> list[str]:
    draw = random.Random(str(seed))  # noqa: S311  texts for a test
    texts = []
    for _ in range(ROUNDS):
        make: Callable[[random.Random], str] = draw.choice([number, number, instant, instant, word])
        text = make(draw)
        for _ in range(draw.choice([0, 0, 1, 1, 2])):
            text = mutated(draw, text)
        texts.append(text)
    return texts


@pytest.mark.parametrize("column_type", TYPES, ids=str)
def test_generated_texts_are_judged_as_the_twin_judges_them(
    duck: duckdb.DuckDBPyConnection, column_type: Scalar | Decimal
) -> None:
    assert_same(duck, column_type, texts_for(column_type))


@pytest.mark.parametrize(
    "column_type", [Scalar.INT, Scalar.BIGINT, Scalar.FLOAT, Scalar.DOUBLE, Decimal(3, 1), Decimal(2, 2)], ids=str
)
def test_every_short_text_over_the_letters_of_numbers_is_judged_as_the_twin_judges_it(
    duck: duckdb.DuckDBPyConnection, column_type: Scalar | Decimal
) -> None:
    letters = "059+-.e_ \t\nxd"
    assert_same(duck, column_type, ("".join(t) for size in range(5) for t in itertools.product(letters, repeat=size)))


@pytest.mark.parametrize("column_type", [Scalar.DATE, Scalar.TIMESTAMP, Scalar.TIMESTAMP_NTZ], ids=str)
@pytest.mark.parametrize(
    "text", ["2024-01-15", "2024-01-15T10:11:12Z", "2024-01-15 10:11:12.123", "2024-01-15T00:00:00+00:00"]
)
def test_every_text_two_characters_away_from_an_instant_is_judged_as_the_twin_judges_it(
    duck: duckdb.DuckDBPyConnection, column_type: Scalar, text: str
) -> None:
    letters = "0269-+: TZ./\t"
    places = itertools.combinations(range(len(text)), 2)
    assert_same(
        duck,
        column_type,
        (
            text[:first] + a + text[first + 1 : second] + b + text[second + 1 :]
            for first, second in places
            for a in letters
            for b in letters
        ),
    )
