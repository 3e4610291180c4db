"""Any schema and any records for it: mostly good, some with a bad value, some broken at random, in every spelling."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tests.corpus.groups import Group
from tests.corpus.ndjson_cases import BASE64, INSTANTS, NUMBERS, WORDS

from autoloader.model import FormatType, UnknownFields
from autoloader.schema.printing import to_ddl
from autoloader.schema.types import Array, Column, DataType, Decimal, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Size = tuple[int, int]
"""Files of one load, and records of each."""
USUAL: Size = (40, 50)
NAMES = [
    "id",
    "a",
    "b",
    "c",
    "Name",
    "x y",
    "a.b",
    "é",
    'q"t',
    "back\\",
    "\U0001f600",
    "select",
    "k1",
    "k10",
    "z",
    "_x",
]
STRANGE = ["other", "ID", "A", "name", "new field", "", "u.v", "ü", "B"]
TEXTS = ["", "a", "plain text", "é", "\U0001f600", 'say "hi"', "back\\slash", "a/b", "1.50", "true", "null", "tab\there", "line\nend", "\x00", "\x7f\u0085\u2028", "[]", '{"a": 1}', "x" * 300]  # fmt: skip
PIECES = [*b'{}[]",:.\\ \n\r\t\'+-eE019a#;\0\xff', b"\xc3\xa9", b"null", b"NaN", b'""', b"\\ud800", b"1e5", b"-0", b"\xe2\x80\xa8"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes one load.

    Attributes:
        chance: decides everything.
    """

    chance: random.Random
    size: Size = USUAL

    def one_in(self, times: int) -> bool:
        return self.chance.randrange(times) == 0

    def schema(self, *, nested: bool) -> Schema:
        """Up to eight columns."""
        names = self.chance.sample(NAMES, self.chance.randint(1, 8))
        return Schema(tuple(Column(name, self.type(2 if nested else 0)) for name in names))

    def type(self, deeper: int) -> DataType:
        """A type with so many levels below it."""
        if deeper and self.one_in(3):
            match self.chance.randrange(3):
                case 0:
                    return Array(self.type(deeper - 1))
                case 1:
                    return Map(self.chance.choice([Scalar.STRING, Scalar.STRING, self.type(0)]), self.type(deeper - 1))
                case _:
                    names = self.chance.sample(NAMES, self.chance.randint(1, 3))
                    return Struct(tuple(Column(name, self.type(deeper - 1)) for name in names))
        if self.one_in(6):
            precision = self.chance.choice([1, 5, 10, 18, 19, 38])
            return Decimal(precision, self.chance.randint(0, precision))
        return self.chance.choice(list(Scalar))

    def text(  # noqa: PLR0911  one return for each kind of type
        self, kind: DataType, *, odd: bool
    ) -> str:
        """A text that the type takes, or where it is odd perhaps does not."""
        if odd:
            return self.chance.choice([*NUMBERS.split(), *WORDS, *INSTANTS, *BASE64])
        match kind:
            case Scalar.INT:
                return str(self.chance.choice([0, 7, -7, 2**31 - 1, -(2**31), self.chance.randint(-(10**6), 10**6)]))
            case Scalar.BIGINT:
                return str(self.chance.choice([0, 2**63 - 1, -(2**63), self.chance.randint(-(10**15), 10**15)]))
            case Scalar.FLOAT | Scalar.DOUBLE:
                return self.floating()
            case Decimal(precision, scale):
                return self.decimal(precision, scale)
            case Scalar.BOOLEAN:
                return self.chance.choice(["true", "false"])
            case Scalar.DATE:
                return self.day()
            case Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ:
                return self.instant(zone=kind is Scalar.TIMESTAMP)
            case Scalar.BINARY:
                return base64.b64encode(self.chance.randbytes(self.chance.randrange(6))).decode()
            case _:
                return self.chance.choice(TEXTS)

    def floating(self) -> str:
        number = self.chance.choice(
            [self.chance.random(), self.chance.uniform(-1e6, 1e6), self.chance.expovariate(1e-9)]
        )
        digits = self.chance.choice([2, 6, 15, 17])
        return self.chance.choice(
            [repr(number), f"{number:.{digits}g}", f"{number:.3f}", str(int(number)), f"{number:e}"]
        )

    def decimal(self, precision: int, scale: int) -> str:
        digits = str(self.chance.randrange(10 ** self.chance.randint(1, precision))).rjust(scale + 1, "0")
        whole = digits[: len(digits) - scale]
        return self.chance.choice(["", "-"]) + (f"{whole}.{digits[-scale:]}" if scale else whole)

    def day(self) -> str:
        return (
            date(1, 1, 1) + timedelta(self.chance.choice([0, 3_652_058, 738_000 + self.chance.randrange(2_000)]))
        ).isoformat()

    def instant(self, *, zone: bool) -> str:
        time = f"{self.chance.randrange(24):02}:{self.chance.randrange(60):02}"
        if self.chance.random() < 0.8:
            time += f":{self.chance.randrange(60):02}"
            if self.one_in(2):
                time += "." + "".join(self.chance.choices("0123456789", k=self.chance.choice([1, 3, 6, 9])))
        offset = self.chance.choice(["", "Z", "Z", "+02:00", "-0830", "+05"]) if zone else ""
        return f"{(date(2024, 1, 1) + timedelta(self.chance.randrange(900))).isoformat()}{self.chance.choice('T T')}{time}{offset}"

    def leaf(self, kind: DataType, *, odds: int) -> str:
        """A leaf as JSON: a number, a literal or a string."""
        odd = odds > 0 and self.one_in(odds)
        if odd and self.one_in(4):
            return self.chance.choice(["true", "[]", "{}", "[1]", '{"a": 1.50}', "-0", "1e3", "null"])
        if kind is Scalar.STRING and odds and self.one_in(20):
            return self.chance.choice(["1.50", "true", '{"b": 1e3, "a": [1.0, null]}', "[]", "12"])
        text = self.text(kind, odd=odd)
        numeric = kind in {Scalar.INT, Scalar.BIGINT, Scalar.FLOAT, Scalar.DOUBLE, Scalar.BOOLEAN} or isinstance(
            kind, Decimal
        )
        bare = numeric and not odd and not self.one_in(8)
        return text if bare else self.string(text)

    def string(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.one_in(3))

    def value(self, kind: DataType, *, odds: int) -> str:
        """A value of a column as JSON."""
        if self.one_in(12):
            return "null"
        match kind:
            case Array(element):
                return self.joined("[", [self.value(element, odds=odds) for _ in range(self.chance.randrange(4))], "]")
            case Map(key, inner):
                texts = {self.text(key, odd=odds > 0 and self.one_in(odds)) for _ in range(self.chance.randrange(4))}
                return self.object([(text, self.value(inner, odds=odds)) for text in sorted(texts)])
            case Struct(columns):
                return self.record(columns, odds=odds)
            case _:
                return self.leaf(kind, odds=odds)

    def record(self, columns: Sequence[Column], *, odds: int, strange: int = 12) -> str:
        """An object for some columns."""
        pairs = [(c.name, self.value(c.type, odds=odds)) for c in columns if self.chance.random() < 0.9]
        known = {column.name for column in columns}
        if self.one_in(strange) and (name := self.chance.choice(STRANGE)) not in known:
            pairs.append((name, self.value(self.type(1), odds=20)))
        if self.one_in(5):
            self.chance.shuffle(pairs)
        return self.object(pairs)

    def object(self, pairs: Sequence[tuple[str, str]]) -> str:
        return self.joined(
            "{", [f"{self.string(name)}:{self.chance.choice(['', ' '])}{text}" for name, text in pairs], "}"
        )

    def joined(self, start: str, parts: Sequence[str], end: str) -> str:
        return start + self.chance.choice([",", ", ", ", "]).join(parts) + end

    def broken(self, record: bytes) -> bytes:
        """A record with a piece put in, taken out or doubled."""
        at = self.chance.randrange(len(record) + 1)
        end = min(len(record), at + self.chance.choice([0, 1, 1, 2, 5]))
        piece = self.chance.choice([b"", self.chance.choice(PIECES), record[at:end] * 2])
        return record[:at] + (bytes([piece]) if isinstance(piece, int) else piece) + record[end:]

    def files(
        self, record: Callable[[int], bytes], whole: Callable[[list[bytes]], bytes], *, broken: int = 12
    ) -> dict[str, bytes]:
        """Files: a third of them good by intention, the others with odd leaves, and some of these with broken records."""
        found: dict[str, bytes] = {}
        for at in range(self.size[0]):
            odds = (0, 60, 15)[at % 3]
            records = [record(odds) for _ in range(self.size[1])]
            if at % 3 == 2:
                records = [self.broken(each) if self.one_in(broken) else each for each in records]
            found[f"{at:03}"] = whole(records)
        return found

    def unknown(self) -> UnknownFields:
        return self.chance.choice(
            [UnknownFields.IGNORE, UnknownFields.RESCUE, UnknownFields.RESCUE, UnknownFields.FAIL]
        )


def ndjson(seed: int, size: Size = USUAL) -> Group:
    """Objects in lines."""
    make = Maker(random.Random(f"ndjson {seed}"), size)  # noqa: S311  the same for a seed
    schema = make.schema(nested=True)

    def lines(records: list[bytes]) -> bytes:
        end = make.chance.choice([b"\n", b"\n", b"\r\n"])
        blanks = [make.chance.choice([b"", b"", b" ", b"\xef\xbb\xbf"]) if make.one_in(20) else b"" for _ in records]
        return b"".join(blank + record + end for blank, record in zip(blanks, records, strict=True))

    files = make.files(lambda odds: make.record(schema.columns, odds=odds).encode(), lines)
    return Group(name=f"ndjson {seed}", ddl=to_ddl(schema), files=files, unknown=make.unknown())


def documents(seed: int, size: Size = USUAL) -> Group:
    """Objects in arrays, at a path or one after the other."""
    make = Maker(random.Random(f"documents {seed}"), size)  # noqa: S311  the same for a seed
    schema = make.schema(nested=True)
    at_path = make.one_in(2)

    def document(records: list[bytes]) -> bytes:
        if at_path:
            return b'{"meta": [1, {"x": null}], "r": {"a": [' + b",\n".join(records) + b"]}}\n"
        return make.chance.choice([b"[" + b",\n".join(records) + b"]", b"\n".join(records)])

    files = make.files(lambda odds: make.record(schema.columns, odds=odds).encode(), document, broken=100)
    options = {"recordPath": "r.a"} if at_path else {"multiLine": "true"}
    return Group(name=f"documents {seed}", ddl=to_ddl(schema), files=files, options=options, unknown=make.unknown())


def csv(seed: int, size: Size = USUAL) -> Group:
    """Fields, in a dialect, with headers in any order."""
    make = Maker(random.Random(f"csv {seed}"), size)  # noqa: S311  the same for a seed
    schema = make.schema(nested=False)
    sep, quote, escape = make.chance.choice(
        [(",", '"', '"'), (",", '"', '"'), (";", "'", "\\"), ("\t", '"', "\\"), ("|", '"', '"')]
    )
    options = {"sep": sep, "quote": quote, "escape": escape, "nullValue": "NA", "comment": "#"}

    def field(found: str | None, *, loose: bool = False) -> str:
        if found is None:
            return make.chance.choice(["", "", "NA"])
        text = found.replace("\0", "")  # one of them makes a file binary
        if (
            not make.one_in(4)
            and not loose
            and not set(text) & {sep, quote, "\n", "\r", "#"}
            and text not in {"", "NA"}
        ):
            return text
        inner = text.replace(escape, escape * 2) if escape != quote else text
        return quote + inner.replace(quote, escape + quote) + quote

    columns = list(schema.columns)
    # Each file has its own order, and a column more.
    others = [Column(name, Scalar.STRING) for name in make.chance.sample(STRANGE, make.chance.randrange(3)) if name]
    order = [column for column in [*columns, *others] if column in columns or column.name not in schema.names]

    def record(odds: int) -> bytes:
        # Where unknown fields are refused, most records have none.
        texts = [
            None
            if make.one_in(10) or (c in others and not make.one_in(8))
            else make.text(c.type, odd=odds > 0 and make.one_in(odds))
            for c in order
        ]
        return sep.join(field(text, loose=len(order) == 1) for text in texts).encode()

    def table(records: list[bytes]) -> bytes:
        end = make.chance.choice([b"\n", b"\n", b"\r\n"])
        header = sep.join(field(column.name) for column in order).encode()
        return end.join([header, *records]) + make.chance.choice([b"", end])

    return Group(name=f"csv {seed}", ddl=to_ddl(schema), files=make.files(record, table), format_type=FormatType.CSV,
                 options=options, unknown=make.unknown())  # fmt: skip
