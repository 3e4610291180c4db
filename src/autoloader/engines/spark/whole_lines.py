"""Small NDJSON files: each is one value of Spark's, and where all its lines are plain they are parsed at once.

To open a file costs Spark as much as to read some hundred lines of it, and most of what it does line by line it then
does file by file. A file with a line that is not plain is cut into its lines, which are looked at one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.spark.ndjson import from_json, typed_record
from autoloader.engines.spark.plain_lines import are_plain
from autoloader.engines.spark.sources import no_larger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql.connect.dataframe import DataFrame

    from autoloader.engines.options import ValueOptions
    from autoloader.model import ClaimedFile
    from autoloader.schema.types import Schema

_SMALL_BYTES = 1024**2
_SMALL_COMPRESSED_BYTES = 64 * 1024
_LINE_ENDS = r"length(value) - length(replace(value, '\n', ''))"
_LINES = rf"{_LINE_ENDS} + CAST(right(value, 1) <> '\n' AS INT)"


def small(files: Sequence[ClaimedFile]) -> bool:
    """Whether all of them are."""
    return all(no_larger(file, _SMALL_BYTES, most_packed=_SMALL_COMPRESSED_BYTES) for file in files)


def lines(texts: DataFrame, schema: Schema, options: ValueOptions) -> DataFrame:
    """The lines of ``texts`` (with ``value``): with ``t``, as ``ndjson.parsed`` has it, or ``value``, the text."""
    record, plain = typed_record(schema), are_plain(schema, options)
    joined = r"""concat('{"r":[', replace(rtrim('\n', value), '\n', ','), '],"e":true}')"""
    # As in ``ndjson.parsed``: some types the parser refuses to be asked for.
    whole = f"CAST(NULL AS STRUCT<r: ARRAY<{record}>, e: BOOLEAN, c: STRING>)"
    if plain != "false":
        whole = f"CASE WHEN {plain} THEN {from_json(joined, f'r ARRAY<{record}>, e BOOLEAN', 'c')} END"
    parsed = texts.selectExpr("path", "modified_at", "value", f"{whole} AS whole")
    at_once = "named_struct('t', x, 'value', CAST(NULL AS STRING))"
    by_line = f"named_struct('t', CAST(NULL AS {record}), 'value', x)"
    sure = f"whole.c IS NULL AND whole.e AND size(whole.r) = {_LINES}"
    # To cut a text Spark decodes it, and what is no UTF-8 would be lost: such a text is one line, which is bad.
    cut = r"CASE WHEN is_valid_utf8(value) THEN split(value, '\n') ELSE array(value) END"
    return parsed.selectExpr(
        "path",
        "modified_at",
        f"inline(CASE WHEN {sure} THEN transform(whole.r, x -> {at_once}) ELSE transform({cut}, x -> {by_line}) END)",
    )
