"""From records as texts to the columns of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.spark import values
from autoloader.engines.spark.keys import path_of
from autoloader.engines.spark.sql import either, literal, quote
from autoloader.errors import TableMismatch
from autoloader.model import LOAD_ID, LOADED_AT, SOURCE_FILE, SOURCE_MODIFIED_AT
from autoloader.schema.printing import type_ddl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql.connect.dataframe import DataFrame

    from autoloader.engines import Work
    from autoloader.engines.options import ValueOptions
    from autoloader.engines.spark.keys import KeyColumns


def judged(
    records: DataFrame,
    work: Work,
    options: ValueOptions,
    keys: KeyColumns,
    *,
    record: str,
    suspicious: str,
) -> DataFrame:
    """The rows of the table; those of a record that is not surely good have no ``_load_id``.

    Args:
        records: with ``path``, ``modified_at`` and the texts.
        keys: the columns that keys tell.
        record: SQL of the struct of texts.
        suspicious: SQL: the record as a whole is in doubt.
    """
    columns = work.reading.schema.columns
    texts = {column.name: f"{record}.{quote(column.name)}" for column in columns}
    found = {column.name: values.typed(column.type, texts[column.name], options) for column in columns}
    # What is carried from here on is copied for each record: no text, and nothing twice.
    typed = records.selectExpr(
        "path",
        "modified_at",
        f"({suspicious}) AS doubted",
        f"{record} AS texts",
        *(f"{value} AS typed{at}" for at, value in enumerate(found.values())),
        *keys.typed(),
    )
    bad = either(
        values.is_bad(c.type, f"texts.{quote(c.name)}", options, value=f"typed{at}") for at, c in enumerate(columns)
    )
    return typed.selectExpr(*written(work, either(["doubted", bad, *keys.bad()])))


def judged_unless_plain(
    lines: DataFrame,
    work: Work,
    options: ValueOptions,
    keys: KeyColumns,
    *,
    plain: str,
    ahead: Sequence[str],
    suspicious: str,
    corrupt: str,
) -> DataFrame:
    """The same of lines of which most are ``plain``: what is done for the others is one branch, and costs them nothing.

    Args:
        lines: with ``path``, ``modified_at`` and ``plain``; with ``j.r``, its texts, if it is not.
        plain: SQL: the record of a line that is, typed.
        ahead: SQL of what that wants to know: ``… AS name``.
        suspicious: SQL: the line, which is not plain, is in doubt.
        corrupt: the field of the record that is set where it could not be read.
    """
    columns = work.reading.schema.columns
    texts = {column.name: f"j.r.{quote(column.name)}" for column in columns}
    typed = (f"{literal(c.name)}, {values.typed(c.type, texts[c.name], options)}" for c in columns)
    # Each of these steps calls the parser, so Spark copies what it carries for each of them.
    looked_at = lines.selectExpr("*", *ahead, f"CASE WHEN NOT plain THEN named_struct({', '.join(typed)}) END AS v")
    bad = (values.is_bad(c.type, texts[c.name], options, value=f"v.{quote(c.name)}") for c in columns)
    told = f"{literal(corrupt)}, CASE WHEN {either([suspicious, *bad])} THEN '' END"
    judged = f"named_struct({', '.join(f'{literal(c.name)}, v.{quote(c.name)}' for c in columns)}, {told})"
    records = looked_at.selectExpr(
        "path", "modified_at", f"CASE WHEN plain THEN {plain} ELSE {judged} END AS record", *keys.typed()
    )
    found = records.selectExpr(
        "*",
        f"(record IS NULL OR record.{quote(corrupt)} IS NOT NULL) AS doubted",
        *(f"record.{quote(column.name)} AS typed{at}" for at, column in enumerate(columns)),
    )
    return found.selectExpr(*written(work, either(["doubted", *keys.bad()])))


def written(work: Work, bad: str) -> list[str]:
    """SQL of every column of the table, by name, over ``path``, ``modified_at`` and ``typed0``, ``key0`` and so on.

    Args:
        bad: SQL: the record is not surely good.

    Raises:
        TableMismatch: a column of the schema is not in the table.
    """
    theirs = {column.name.casefold(): column for column in work.shape.schema.columns}
    ours = [(column, f"typed{at}") for at, column in enumerate(work.reading.schema.columns)]
    ours += [(column, f"key{at}") for at, column in enumerate(work.reading.path_columns)]
    lacking = [column.name for column, _ in ours if column.name.casefold() not in theirs]
    if lacking:
        raise TableMismatch(f"The table lacks the columns {', '.join(lacking)}: add them, or leave them out.")
    given = {
        SOURCE_FILE: path_of(work.files),
        SOURCE_MODIFIED_AT: "modified_at",
        LOAD_ID: f"CASE WHEN NOT ({bad}) THEN {literal(str(work.load_id))} END",
        LOADED_AT: f"TIMESTAMP {literal(work.loaded_at.isoformat())}",
    }
    for column, value in ours:
        wanted = theirs[column.name.casefold()]
        given[wanted.name] = values.conformed(column.type, wanted.type, value)
    return [
        f"{given.get(column.name, f'CAST(NULL AS {type_ddl(column.type)})')} AS {quote(column.name)}"
        for column in work.shape.schema.columns
    ]
