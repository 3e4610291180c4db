"""Lines so plain that one expression both tells them and takes them apart: their values are casts of its groups.

It is a whitelist, as the screen of the embedded engine is: an object with the keys of the schema in the schema's order,
each at most once, with values in the usual form of their type. Such a line never sees a JSON parser, but for arrays and
strings with escapes; every other line is read as texts and looked at closely. So a gap here costs time and never a
value.

In Java's syntax. Repetitions of groups are possessive: such a one is a loop, any other recurses for every turn.
Repetitions of one class are not: those Java runs fastest as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.engines.spark.pieces import MARK, Pieces
from autoloader.engines.spark.sql import either, literal
from autoloader.schema.types import Array, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyspark.sql.connect.dataframe import DataFrame

    from autoloader.engines.options import ValueOptions
    from autoloader.schema.types import Column, DataType, Schema

_MOST_LEAVES = 500
"""A pattern is matched by recursion over its parts."""
CUT = f"split(CASE WHEN plain THEN value END, {MARK})"
"""SQL: the pieces of a line that is marked. It is written out wherever it is wanted: Spark does it once for all."""
_CARRIED = ("path", "modified_at", "value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plain:
    """How plain lines of one schema are told, and what comes of them.

    Attributes:
        whole: of objects that have all their fields, which are told in half the time. Its pieces are those of
            ``CUT``.
        sparse: of objects that may lack some. Its pieces are in a column ``pieces``.
    """

    whole: Pieces
    sparse: Pieces

    @property
    def needs_parser(self) -> str:
        """SQL over a plain line that is marked: a cast does not give every value of it."""
        return either([r"instr(value, '\\') > 0", self.whole.opened])

    def marked(self, lines: DataFrame) -> DataFrame:
        """``lines`` with ``plain``; where it is true, ``value`` holds the pieces of the line in place of its text.

        Args:
            lines: with ``path``, ``modified_at`` and ``value``.
        """
        fit = f"startswith(value, '{{') AND octet_length(value) <= {RECORD_LIMIT_BYTES} AND is_valid_utf8(value)"
        once = lines.selectExpr(*_CARRIED, f"CASE WHEN {fit} THEN {_replaced('value', self.whole)} END AS once")
        again = f"CASE WHEN startswith(once, '{{') THEN {_replaced('once', self.sparse)} ELSE once END AS marked"
        found = once.selectExpr(*_CARRIED, again)
        plain = f"coalesce(startswith(marked, {MARK}), false) AS plain"
        return found.selectExpr("path", "modified_at", "coalesce(marked, value) AS value", plain)


def _replaced(text: str, pieces: Pieces) -> str:
    """Each line by itself, from its begin: groups of a match that failed further ahead would keep what they held."""
    whole = rf"\A{pieces.form}\r?\z"
    return f"regexp_replace({text}, {literal(whole)}, {pieces.replacement})"


def plain_form(schema: Schema, options: ValueOptions) -> Plain | None:
    """How lines of this schema are told; None where no expression can."""
    leaves = [leaf for column in schema.columns for leaf in _leaves(column.type)]
    formats = {Scalar.DATE: options.date_format, Scalar.TIMESTAMP: options.timestamp_format}
    formats[Scalar.TIMESTAMP_NTZ] = options.timestamp_format
    told = all(map(Pieces.takes, (column.type for column in schema.columns))) and all(
        not isinstance(leaf, Scalar) or formats.get(leaf) is None for leaf in leaves
    )
    if len(leaves) > _MOST_LEAVES or not told or not all(map(_writes_as_it_is, _names(schema.columns))):
        return None
    return Plain(
        whole=Pieces(schema.columns, sparse=False, of=CUT), sparse=Pieces(schema.columns, sparse=True, of="pieces")
    )


def _names(columns: Sequence[Column]) -> Iterator[str]:
    for column in columns:
        yield column.name
        yield from _names_within(column.type)


def _names_within(column_type: DataType) -> Iterator[str]:
    match column_type:
        case Struct(columns):
            yield from _names(columns)
        case Array(element):
            yield from _names_within(element)
        case _:
            return


def _leaves(column_type: DataType) -> Iterator[DataType]:
    match column_type:
        case Struct(columns):
            for column in columns:
                yield from _leaves(column.type)
        case Array(element):
            yield from _leaves(element)
        case _:
            yield column_type


def _writes_as_it_is(name: str) -> bool:
    """A key that JSON must escape is looked at closely."""
    return name.isprintable() and not {'"', "\\"} & set(name)
