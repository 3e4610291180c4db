"""Whether a schema suits a format: checked when an ingestion is saved, for a file cannot mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.options import TextOptions
from autoloader.errors import UsageError
from autoloader.schema.names import FIELD
from autoloader.schema.types import Column, Scalar, Schema

if TYPE_CHECKING:
    from autoloader.engines.options import Options

VALUE = "value"
"""The column of a text file where nobody names another, as in Spark."""


def check_fit(options: Options, schema: Schema) -> None:
    """Refuse a schema that no file of the format could fill.

    Raises:
        UsageError: with the field ``schema_json``; the message says which columns belong there.
    """
    if isinstance(options, TextOptions):
        text_column(options, schema)


def text_schema(options: TextOptions) -> Schema:
    """The schema of plain text: one column, and one for the number of the line where the options ask for it."""
    numbers = () if options.line_number is None else (Column(options.line_number, Scalar.BIGINT),)
    return Schema((Column(VALUE, Scalar.STRING), *numbers))


def text_column(options: TextOptions, schema: Schema) -> str:
    """The column that takes the lines of a text file.

    Raises:
        UsageError: the schema is not one STRING, and a BIGINT or INT named by the option ``lineNumber``.
    """
    lines = [column for column in schema.columns if column.name != options.line_number]
    numbers = [column for column in schema.columns if column.name == options.line_number]
    wanted = 0 if options.line_number is None else 1
    if (
        [column.type for column in lines] != [Scalar.STRING]
        or len(numbers) != wanted
        or any(column.type not in {Scalar.BIGINT, Scalar.INT} for column in numbers)
    ):
        number = "" if options.line_number is None else f", {options.line_number} BIGINT"
        raise UsageError(f"schema: text files have one STRING column: value STRING{number}", field=FIELD)
    return lines[0].name
