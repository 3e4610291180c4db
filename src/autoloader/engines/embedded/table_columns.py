"""What is written: the columns of the table, where their values come from, and their field ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.embedded import values
from autoloader.engines.embedded.sql import literal, quote
from autoloader.engines.embedded.statement import FILES, key_value
from autoloader.errors import TableMismatch
from autoloader.model import LOAD_ID, LOADED_AT, RESCUED_DATA, SOURCE_FILE, SOURCE_MODIFIED_AT, SOURCE_ROW
from autoloader.schema.types import Array, Map, Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from autoloader.schema.table import TableShape
    from autoloader.schema.types import Column, DataType, Schema


class TableColumns:
    """What is written: the table's columns that the schema or the metadata gives, in the table's order.

    Args:
        shape: of the table.
        schema: of the ingestion.
        load_id: for ``_load_id``.
        loaded_at: for ``_loaded_at``.
        source_row: whether there is to be a ``_source_row``.
        rescued: whether the text about unknown fields is a column of the table.
        path_columns: names of the columns that keys tell.

    Raises:
        TableMismatch: a column of the schema is not in the table.
    """

    def __init__(
        self,
        shape: TableShape,
        schema: Schema,
        load_id: UUID,
        loaded_at: datetime,
        *,
        source_row: bool = False,
        rescued: bool = False,
        path_columns: Sequence[str] = (),
    ) -> None:
        self._shape = shape
        given = {name: f"typed{position}" for position, name in enumerate(schema.names)}
        given |= {name: key_value(position) for position, name in enumerate(path_columns)}
        theirs = {column.name.casefold() for column in shape.schema.columns}
        lacking = [name for name in given if name.casefold() not in theirs]
        if lacking:
            raise TableMismatch(f"The table lacks the columns {', '.join(lacking)}: add them, or leave them out.")
        metadata = {
            SOURCE_FILE: "path",
            SOURCE_MODIFIED_AT: "modified_at",
            LOAD_ID: literal(str(load_id)),
            LOADED_AT: f"{literal(loaded_at.isoformat())}::TIMESTAMPTZ",
        }
        if source_row:
            metadata[SOURCE_ROW] = "line"
        if rescued:
            metadata[RESCUED_DATA] = f"typed{len(schema.columns)}"
        by_name = metadata | {name.casefold(): sql for name, sql in given.items()}
        self.written = [column for column in shape.schema.columns if column.name.casefold() in by_name]
        self._sql = {
            column.name: f"CAST({by_name[column.name.casefold()]} AS {values.final_type(column.type)})"
            for column in self.written
        }

    def select(self, good: str) -> str:
        """A SELECT of the columns under their names."""
        columns = ", ".join(f"{sql} AS {quote(name)}" for name, sql in self._sql.items())
        return f"SELECT {columns} FROM ({good}) JOIN {FILES} USING (ordinal)"

    @property
    def field_ids(self) -> str:
        """The option FIELD_IDS with the id of every written column, at every depth.

        Raises:
            TableMismatch: the shape does not tell the id of one.
        """
        return _field_ids(self.written, (), self._shape.field_ids)


def _field_ids(columns: Sequence[Column], above: tuple[str, ...], ids: Mapping[tuple[str, ...], int]) -> str:
    return "{" + ", ".join(f"{literal(c.name)}: {_field_id(c.type, (*above, c.name), ids)}" for c in columns) + "}"


def _field_id(column_type: DataType, path: tuple[str, ...], ids: Mapping[tuple[str, ...], int]) -> str:
    if path not in ids:
        raise TableMismatch(f"The table has no field id for {'.'.join(path)}.")
    own = f"__duckdb_field_id: {ids[path]}"
    match column_type:
        case Struct(columns):
            return f"{{{own}, {_field_ids(columns, path, ids)[1:]}"
        case Array(element):
            return f"{{{own}, element: {_field_id(element, (*path, 'element'), ids)}}}"
        case Map(key, value):
            inner = f"key: {_field_id(key, (*path, 'key'), ids)}, value: {_field_id(value, (*path, 'value'), ids)}"
            return f"{{{own}, {inner}}}"
        case _:
            return str(ids[path])
