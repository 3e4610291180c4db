"""Where the columns of a table come from: records, keys of files, or what the schema does not know."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from autoloader.engines import Reading
from autoloader.engines.options import CsvOptions, TextOptions, parse_options
from autoloader.errors import UsageError
from autoloader.model import METADATA_COLUMNS, RESCUED_DATA, SOURCE_ROW, UnknownFields
from autoloader.schema.names import FIELD
from autoloader.schema.table import METADATA, RESCUED, ROW
from autoloader.schema.types import Column, Decimal, Scalar, Schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoloader.engines.options import Options
    from autoloader.model import NewIngestion
    from autoloader.schema.table import TableShape

PATHS = "path_columns"
"""The field of an ingestion that names the columns told by keys."""

_NO_NAME = frozenset("/\0")


def reading_of(ingestion: NewIngestion, schema: Schema) -> Reading:
    """How the files of an ingestion are read.

    Args:
        schema: of the ingestion, settled.
    """
    return Reading(
        format_type=ingestion.format_type,
        options=ingestion.format_options,
        schema=of_records(schema, ingestion.path_columns),
        path_columns=of_keys(schema, ingestion.path_columns),
        unknown_fields=_effective(ingestion),
        bad_records=ingestion.bad_records,
    )


def all_columns(schema: Schema, path_columns: Sequence[str]) -> Schema:
    """The schema with those columns told by keys that it does not have itself."""
    known = set(schema.names)
    added = (column for column in of_keys(schema, path_columns) if column.name not in known)
    return Schema((*schema.columns, *added))


def of_records(schema: Schema, path_columns: Sequence[str]) -> Schema:
    """The columns that records have."""
    return Schema(tuple(column for column in schema.columns if column.name not in path_columns))


def of_keys(schema: Schema, path_columns: Sequence[str]) -> tuple[Column, ...]:
    """The columns told by keys, of the type that the schema says, or STRING."""
    types = {column.name: column.type for column in schema.columns}
    return tuple(Column(name, types.get(name, Scalar.STRING)) for name in path_columns)


def knowing_table(reading: Reading, shape: TableShape) -> Reading:
    """Where unknown fields become columns: those that the table has got by now are known. Others are as they were."""
    if reading.unknown_fields is not UnknownFields.ADD:
        return reading
    ours = (*reading.schema.columns, *reading.path_columns, *METADATA, ROW, RESCUED)
    known = {column.name.casefold() for column in ours}
    more = [column for column in shape.schema.columns if column.name.casefold() not in known]
    return with_columns(reading, more)


def with_columns(reading: Reading, more: Sequence[Column]) -> Reading:
    """The same with further columns, which a CSV header need not have."""
    optional = reading.optional | {column.name for column in more}
    return replace(reading, schema=Schema((*reading.schema.columns, *more)), optional=optional)


def further_columns(ingestion: NewIngestion) -> list[Column]:
    """The columns that the loads fill besides those of the schema and the metadata."""
    options = parse_options(ingestion.format_type, ingestion.format_options)
    rescued = [RESCUED] if _effective(ingestion).keeps else []
    return [*rescued, *([ROW] if options.source_row else [])]


def _effective(ingestion: NewIngestion) -> UnknownFields:
    return effective(ingestion.unknown_fields, parse_options(ingestion.format_type, ingestion.format_options))


def effective(asked: UnknownFields, options: Options) -> UnknownFields:
    """``ignore`` where files do not name their fields: each of them has a place, so none is unknown."""
    nameless = isinstance(options, TextOptions) or (isinstance(options, CsvOptions) and not options.header)
    return UnknownFields.IGNORE if nameless else asked


def check_paths(names: Sequence[str]) -> None:
    """Refuse names of ``path_columns`` that no table and no key could have.

    Raises:
        UsageError: a name that is empty, holds ``/`` or NUL, stands there twice (case folded), or is that of a column
            that the service writes itself.
    """
    reserved = {name.casefold() for name in (*METADATA_COLUMNS, SOURCE_ROW, RESCUED_DATA)}
    seen: set[str] = set()
    for name in names:
        folded = name.casefold()
        if not name.strip() or _NO_NAME & set(name):
            raise UsageError(f"{PATHS}: {name!r} cannot be the name of a folder such as dt=2024-01-15", field=PATHS)
        if folded in reserved:
            raise UsageError(f"{PATHS}: the column {name} is written by the service on every row", field=PATHS)
        if folded in seen:
            raise UsageError(f"{PATHS}: {name} stands there twice; names must differ by more than case", field=PATHS)
        seen.add(folded)


def check_columns(schema: Schema, path_columns: Sequence[str], unknown_fields: UnknownFields) -> None:
    """Refuse a schema whose columns leave no place for the others.

    Raises:
        UsageError: the schema has a column ``_rescued_data`` that is to be written by the service, one whose name
            differs from that of a path column only by case, one told by keys that is no scalar, or none but those.
    """
    if unknown_fields.keeps and RESCUED_DATA in {name.casefold() for name in schema.names}:
        raise UsageError(
            f"schema: with unknown_fields {unknown_fields} the column {RESCUED_DATA} is written by the service: leave "
            "it out, or set unknown_fields to ignore or fail",
            field=FIELD,
        )
    folded = {name.casefold(): name for name in path_columns}
    for column in schema.columns:
        told = folded.get(column.name.casefold())
        if told not in {None, column.name}:
            raise UsageError(
                f"{PATHS}: {told} and the column {column.name} of the schema differ only by case", field=PATHS
            )
        if told and not (isinstance(column.type, Decimal | Scalar)):
            raise UsageError(f"{PATHS}: {told} must be of a simple type, as its value stands in a key", field=PATHS)
    if not of_records(schema, path_columns).columns:
        raise UsageError("schema: it has no column but those of path_columns", field=FIELD)
