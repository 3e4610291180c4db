"""The SQL that reads a spool full of records, judges every value by its text, and writes Parquet with field ids."""

from __future__ import annotations

from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING

from autoloader.engines.embedded import values
from autoloader.engines.embedded.bare import bare_columns
from autoloader.engines.embedded.left_out import kept
from autoloader.engines.embedded.sql import literal, quote
from autoloader.engines.embedded.strict_json import UNKNOWN_FIELD
from autoloader.model import (
    UnknownFields,
)
from autoloader.schema.types import Array, Column, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from autoloader.engines.embedded.readers import Layout
    from autoloader.engines.embedded.spool import Segment
    from autoloader.engines.embedded.tags import Tags
    from autoloader.engines.options import CsvOptions, Options
    from autoloader.schema.types import DataType

FILES = "files"
"""Name of the small table (ordinal, path, modified_at) that a statement joins for the metadata columns."""


def key_value(at: int) -> str:
    """The column of ``FILES`` with the typed value of a column that keys tell; ``at``: its place among those."""
    return f"key{at}"


PARTITION = "autoloader_partition"
"""The column that COPY splits files by; it is not written."""

BAD_VALUE = "autoloader: a value is bad"
"""What DuckDB's error says when the fast statement met a value that the contract refuses."""

TWICE = "a key comes twice"
"""In place of the text about unknown fields, which is an object: the exact path is to say where."""

_SHOWN = 101
"""So much of a value, one more than a message has room for."""
_SMALLEST_BUFFER = 1024**2


def ndjson_source(paths: Sequence[Path], longest: int, schema: Schema, tags: Tags, *, raw: bool = False) -> str:
    """A SELECT of ``ordinal, line, text0, text1, …`` from NDJSON spool files, every leaf as text; maybe ``raw``."""
    columns = [(tags.file, "INTEGER"), (tags.line, "BIGINT")]
    told = f", {quote(tags.raw)} AS raw" if raw else ""
    columns += [(column.name, values.text_type(column.type)) for column in schema.columns]
    spec = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns)
    names = [quote(name) for name, _ in columns]
    texts = "".join(f", {name} AS text{at}" for at, name in enumerate(names[2:]))
    spec += f", {literal(tags.raw)}: 'VARCHAR'" if raw else ""
    return (
        f"SELECT {names[0]} AS ordinal, {names[1]} AS line{told}{texts} FROM read_json({_listed(paths)}, "
        f"format = 'newline_delimited', columns = {{{spec}}}, maximum_object_size = {_buffer(longest)})"
    )


def with_unknown_column(schema: Schema, tags: Tags) -> Schema:
    """The schema with one more column, for the text about unknown fields."""
    return Schema((*schema.columns, Column(tags.unknown, Scalar.STRING)))


def csv_source(
    segment: Segment, layout: Layout, schema: Schema, options: CsvOptions, unknown_fields: UnknownFields
) -> str:
    """The same from a CSV spool file whose lines begin with the ordinal and follow one header."""
    spec = ", ".join(["ordinal: 'INTEGER'", *(f"c{at}: 'VARCHAR'" for at in range(len(layout.header)))])
    at = {name: position for position, name in enumerate(layout.header)}
    values_of = [_csv_value(column, at.get(column.name)) for column in schema.columns]
    texts = "".join(f", {value} AS text{position}" for position, value in enumerate(values_of))
    if unknown_fields is not UnknownFields.IGNORE:
        texts += f", {_csv_unknown(layout, unknown_fields)} AS text{len(schema.columns)}"
    nulls = ["", *([options.null_value] if options.null_value else [])]
    return (
        f"SELECT ordinal, NULL::BIGINT AS line{texts} FROM read_csv({_listed([segment.path])}, auto_detect = false, "
        f"header = false, delim = {literal(options.sep)}, quote = {literal(options.quote or '')}, "
        f"escape = {literal(options.escape or '' if options.quote else '')}, new_line = '\\n', strict_mode = true, "
        f"null_padding = false, nullstr = [{', '.join(map(literal, nulls))}], allow_quoted_nulls = false, "
        f"max_line_size = {_buffer(segment.longest)}, columns = {{{spec}}})"
    )


def _csv_value(column: Column, at: int | None) -> str:
    """SQL of a column's text; NULL where the header has no such column and need not have it."""
    return "NULL::VARCHAR" if at is None else values.csv_text(column.type, f"c{at}")


def wide_source(segment: Segment, layout: Layout, schema: Schema, tags: Tags, unknown_fields: UnknownFields) -> str:
    """The same from an NDJSON spool file whose records may have the unknown keys of the layout, all of plain values."""
    keys = [name for name in layout.unknown if name is not None]
    known = [(tags.file, "INTEGER"), (tags.line, "BIGINT")]
    known += [(column.name, values.text_type(column.type)) for column in schema.columns]
    spec = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in [*known, *((key, "JSON") for key in keys)])
    texts = "".join(f", {quote(name)} AS text{at}" for at, name in enumerate(schema.names))
    told = _unknown([(key, f"CAST({quote(key)} AS VARCHAR)") for key in keys], unknown_fields)
    told = f"CASE {' '.join(map(_twice, keys))} ELSE {told} END"
    return (
        f"SELECT {quote(tags.file)} AS ordinal, {quote(tags.line)} AS line{texts}, {told} AS text{len(schema.columns)} "
        f"FROM read_json({_listed([segment.path])}, format = 'newline_delimited', columns = {{{spec}}}, "
        f"maximum_object_size = {_buffer(segment.longest)})"
    )


def _twice(key: str) -> str:
    """SQL of a branch that is taken where an unknown field is an object with a key that comes twice."""
    keys = f"json_keys({quote(key)})"
    found = (
        f"CASE WHEN starts_with(CAST({quote(key)} AS VARCHAR), '{{') THEN len({keys}) > len(list_distinct({keys})) END"
    )
    return f"WHEN {found} THEN {literal(TWICE)}"


def _csv_unknown(layout: Layout, unknown_fields: UnknownFields) -> str:
    fields = [(name, f"to_json(c{at})") for at, name in enumerate(layout.unknown) if name is not None]
    return _unknown(fields, unknown_fields)


def _unknown(fields: Sequence[tuple[str, str]], unknown_fields: UnknownFields) -> str:
    """SQL of the text about unknown fields, as ``unknown.flat_text`` writes it.

    Args:
        fields: names, and SQL of the JSON of their values, which is NULL for NULL.
    """
    fields = sorted(fields)
    if not fields or unknown_fields is UnknownFields.IGNORE:
        return "NULL::VARCHAR"
    if unknown_fields is UnknownFields.FAIL:
        named = " ".join(f"WHEN {field} IS NOT NULL THEN {literal(name)}" for name, field in fields)
        return f"CASE {named} END"
    members = ", ".join(f"{literal(f'{quoted(name)}:')} || {field}" for name, field in fields)
    some = " OR ".join(f"{field} IS NOT NULL" for _, field in fields)
    return f"CASE WHEN {some} THEN '{{' || concat_ws(',', {members}) || '}}' END"


def _listed(paths: Sequence[Path]) -> str:
    return f"[{', '.join(literal(str(path)) for path in paths)}]"


def _buffer(longest: int) -> int:
    """Room for the longest line; DuckDB allocates twice as much for each thread."""
    return max(longest + 64, _SMALLEST_BUFFER)


def longest_line(segments: Sequence[Segment]) -> int:
    """No line of the segments is longer."""
    return max((segment.longest for segment in segments), default=0)


class Judgement:
    """The values of every column and whether the contract takes them, over a source of texts.

    Args:
        schema: the columns that are read.
        options: date and time patterns.
        unknown: the column with the text about unknown fields, if there is one.
        refuses: whether a record is bad by it.
    """

    def __init__(self, schema: Schema, options: Options, *, unknown: str | None = None, refuses: bool = False) -> None:
        self._schema = schema
        self._options = options
        self._unknown = unknown
        self._refuses = refuses

    def typed(self, source: str) -> str:
        """A SELECT that adds the typed values ``typed0, typed1, …`` to the source."""
        typed = "".join(
            f", {values.typed(column.type, f'text{at}', self._options)} AS typed{at}"
            for at, column in enumerate(self._schema.columns)
        )
        return f"SELECT *{typed} FROM ({source})"

    @property
    def bad(self) -> str:
        """SQL over ``typed``: whether any value of a record is bad."""
        each = [self._is_bad(at, column) for at, column in enumerate(self._schema.columns)]
        return " OR ".join(judged for judged in each if judged != "false") or "false"

    def good(self, source: str) -> str:
        """A SELECT of ``ordinal, line, typed0, typed1, …`` that fails with BAD_VALUE at the first bad record."""
        return self._unless(self.bad, self.typed(source))

    def sieved(self, source: str) -> str:
        """The same without the bad records, whose places are told; see ``LeftOut``."""
        return self._sieved(self.bad, self.typed(source))

    def good_bare(self, segment: Segment, tags: Tags) -> str:
        """As ``good``, from NDJSON in which every value is bare, read typed."""
        typed, bad = self._bare(segment, tags)
        return self._unless(bad, typed)

    def sieved_bare(self, segment: Segment, tags: Tags) -> str:
        """As ``sieved``, likewise."""
        typed, bad = self._bare(segment, tags)
        return self._sieved(bad, typed)

    def _bare(self, segment: Segment, tags: Tags) -> tuple[str, str]:
        """A SELECT that reads it, and SQL over that of whether a record is bad."""
        columns = bare_columns(self._schema, self._options)
        spec = ", ".join(
            [
                f"{literal(tags.file)}: 'INTEGER', {literal(tags.line)}: 'BIGINT'",
                *(f"{literal(c.name)}: {literal(c.read_as)}" for c in columns),
            ]
        )
        raw = "".join(f", {quote(c.name)} AS raw{at}" for at, c in enumerate(columns))
        typed = "".join(f", {c.typed} AS typed{at}" for at, c in enumerate(columns))
        read = (
            f"SELECT {quote(tags.file)} AS ordinal, {quote(tags.line)} AS line{raw} "
            f"FROM read_json({_listed([segment.path])}, format = 'newline_delimited', columns = {{{spec}}}, "
            f"maximum_object_size = {_buffer(segment.longest)})"
        )
        bad = " OR ".join(c.bad for c in columns if c.bad != "false") or "false"
        return f"SELECT *{typed} FROM ({read})", bad

    def _unless(self, bad: str, typed: str) -> str:
        where = "" if bad == "false" else f" WHERE CASE WHEN {bad} THEN error({literal(BAD_VALUE)}) ELSE true END"
        return f"SELECT ordinal, line{self._names} FROM ({typed}){where}"

    def _sieved(self, bad: str, typed: str) -> str:
        where = "" if bad == "false" else f" WHERE {kept(bad)}"
        return f"SELECT ordinal, line{self._names} FROM ({typed}){where}"

    @property
    def _names(self) -> str:
        return "".join(f", typed{at}" for at in range(len(self._schema.columns)))

    def bad_files(self, source: str) -> str:
        """A SELECT of the ordinals of all files that hold a bad value."""
        return f"SELECT DISTINCT ordinal FROM ({self.typed(source)}) WHERE {self.bad}"

    def all_bad(self, source: str) -> str:
        """A SELECT of every bad record as ``rejects.SPILLED`` has it, with the first column at fault.

        Args:
            source: with ``raw``.
        """
        found = ""
        for at, column in enumerate(self._schema.columns):
            if (bad := self._is_bad(at, column)) != "false":
                text = f"text{at}"
                why, shown = self._reason(at, column), _shown(column.type, text, _SHOWN)
                name = text if column.name == self._unknown else literal(column.name)
                told = f"{{'column': {name}, 'reason': {why}, 'shown': {shown}}}"
                found += f" WHEN {bad} THEN {told}"
        return (
            f"SELECT ordinal, line, found.column, found.reason, found.shown, NULL::VARCHAR AS message, raw FROM ("
            f"SELECT ordinal, line, raw, CASE{found} END AS found FROM ({self.typed(source)}) WHERE {self.bad})"
        )

    def _is_bad(self, at: int, column: Column) -> str:
        if column.name == self._unknown:
            return f"(text{at} IS NOT NULL)" if self._refuses else f"coalesce(text{at} = {literal(TWICE)}, false)"
        return values.is_bad(column.type, f"text{at}", self._options, value=f"typed{at}")

    def _reason(self, at: int, column: Column) -> str:
        if column.name == self._unknown and not self._refuses:
            return "NULL::VARCHAR"
        if column.name == self._unknown:
            return f"CASE WHEN text{at} IS NOT NULL THEN {literal(UNKNOWN_FIELD)} END"
        return values.reason(column.type, f"text{at}", self._options)

    def first_bad(self, source: str) -> str:
        """A SELECT of ordinal, line, and for each column its reason and text, of each file's first bad record."""
        judged = ""
        for at, column in enumerate(self._schema.columns):
            text = f"text{at}"
            why = self._reason(at, column)
            judged += f", {why} AS reason{at}, {_shown(column.type, text)} AS shown{at}"
        return (
            f"SELECT ordinal, line{judged} FROM (SELECT * FROM ({self.typed(source)}) WHERE {self.bad} "
            f"QUALIFY row_number() OVER (PARTITION BY ordinal ORDER BY line) = 1)"
        )


def _shown(column_type: DataType, text: str, most: int = 65536) -> str:
    nested = isinstance(column_type, (Array, Map, Struct))
    return f"left(CAST(to_json({text}) AS VARCHAR), {most})" if nested else f"left({text}, {most})"
