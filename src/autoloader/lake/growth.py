"""Columns that a load adds to its table, in the very commit that brings its rows.

The data files name columns by field ids, and they are written before the commit. So the ids are foreseen: they follow
from the table as it was when the load was prepared. Whoever builds the commit looks whether they still do, on the base
that it asserts; two loads that add the same columns foresee the same ids, and the second finds them there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.table import Table

from autoloader.errors import TableMoved
from autoloader.lake.types import iceberg_schema
from autoloader.schema.types import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyiceberg.schema import Schema as IcebergSchema
    from pyiceberg.table import Transaction
    from pyiceberg.types import NestedField


@dataclass(frozen=True, slots=True)
class Growth:
    """The columns that a load adds.

    Attributes:
        columns: all of them.
        foreseen: the schema that its data files were written for.
    """

    columns: tuple[Column, ...]
    foreseen: IcebergSchema


def grown(table: Table, columns: Sequence[Column]) -> Table:
    """The table as it will be with these columns; nothing is sent to the catalog."""
    transaction = table.transaction()
    _add(transaction, columns)
    return Table(
        identifier=table.name(),
        metadata=transaction.table_metadata,
        metadata_location=table.metadata_location,
        io=table.io,
        catalog=table.catalog,
    )


def growing(base: Table, growth: Growth) -> Transaction:
    """A transaction on this base that adds the columns it does not have yet.

    Raises:
        TableMoved: a column has another id or type by now than the data files give it.
    """
    transaction = base.transaction()
    there = {field.name.lower() for field in base.schema().fields}
    _add(transaction, [column for column in growth.columns if column.name.lower() not in there])
    after = transaction.table_metadata.schema()
    for column in growth.columns:
        wanted = _field(growth.foreseen, column.name)
        if wanted is None or _field(after, column.name) != wanted:
            raise TableMoved(
                f"The table {'.'.join(base.name())} got other columns while a load was on its way that adds "
                f"{column.name}: its files are loaded again."
            )
    return transaction


def _add(transaction: Transaction, columns: Sequence[Column]) -> None:
    if not columns:
        return
    with transaction.update_schema() as update:
        for field in iceberg_schema(Schema(tuple(columns))).fields:
            # As a path of one part: a text would be taken apart at its dots.
            update.add_column((field.name,), field.field_type)


def _field(schema: IcebergSchema, name: str) -> NestedField | None:
    return next((field for field in schema.fields if field.name == name), None)
