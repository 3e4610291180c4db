"""The table of an ingestion: found or made, checked, and handed to engines as data."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.typedef import EMPTY_DICT
from pyiceberg.types import IcebergType, ListType, MapType, StructType
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from autoloader.errors import CatalogUnavailable, TableMismatch, UsageError
from autoloader.lake.answers import translated
from autoloader.lake.catalogs import identifier
from autoloader.lake.fit import WRITABLE_VERSION, differences
from autoloader.lake.partitions import partition_fields, partition_spec
from autoloader.lake.types import iceberg_schema, our_type
from autoloader.model import METADATA_COLUMNS, SOURCE_FILE
from autoloader.schema.table import METADATA, TableShape
from autoloader.schema.types import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from pyiceberg.catalog import Catalog
    from pyiceberg.schema import Schema as IcebergSchema
    from pyiceberg.table import Table

_MAKING = Lock()

SOURCE_FILE_METRICS = f"write.metadata.metrics.column.{SOURCE_FILE}"
"""Iceberg cuts string bounds to 16 characters by default; then ``_source_file`` would prune nothing."""


def load_table(catalog: Catalog, database: str, table: str) -> Table | None:
    """The table, or None when there is none of that name.

    Raises:
        LakeError: the catalog does not answer or refuses.
    """
    name = identifier(database, table)
    with translated(f"reading the table {'.'.join(name)}"):
        try:
            return catalog.load_table(name)
        except (NoSuchTableError, NoSuchNamespaceError):
            return None


def ensure_table(  # noqa: PLR0917  in the order in which people write them down
    catalog: Catalog,
    database: str,
    table: str,
    schema: Schema,
    partition_columns: Sequence[str] = (),
    properties: Mapping[str, str] = EMPTY_DICT,
    *,
    extra: Sequence[Column] = (),
    alone: Callable[[], AbstractContextManager[object]] = lambda: _MAKING,
) -> Table:
    """The ingestion's table, made if it is not there. Many may call at once: one makes it, the others use it.

    Args:
        catalog: from ``open_catalog``.
        database: the namespace; dots part nested ones.
        table: its name there.
        schema: the ingestion's columns, without the metadata columns, which are added at the end.
        partition_columns: a column or a transform each, ``day(at)``; empty takes an existing table's spec as it is.
        properties: for a table that is made here. A table that is there keeps its owner's.
        extra: further columns that the loads fill, added like the metadata columns.
        alone: held while a table is made, so that only one of those who may make it does. Not every catalog sees to
            that: in the embedded one the last of two creators wins and the first one's table is gone with its rows.
            The default keeps out the threads of this process; several processes need a lock that they share.

    Raises:
        UsageError: ``partition_columns``, ``table_properties`` or ``schema_json`` ask for what cannot be.
        TableMismatch: the table is there and does not fit; every difference is listed.
        CatalogUnavailable: the catalog does not answer.
        CatalogMisconfigured: it refuses us or the names.
    """
    wanted = _wanted(schema, extra)
    _check_properties(properties)
    found = load_table(catalog, database, table)
    if found is None:
        with alone():
            found = _found_or_made(catalog, database, table, wanted, partition_columns, properties)
    with translated(f"checking the table {database}.{table}"):
        return _fitted(found, wanted, partition_columns, extra)


def misfits(table: Table, schema: Schema, partition_columns: Sequence[str], extra: Sequence[Column] = ()) -> list[str]:
    """Why an ingestion's table that is there does not fit, as ``ensure_table`` finds it; empty when it does.

    Raises:
        UsageError: as ``ensure_table``.
    """
    return differences(table, _wanted(schema, extra), partition_columns, [column.name for column in extra])


def _wanted(schema: Schema, extra: Sequence[Column]) -> IcebergSchema:
    taken = {name.lower() for name in schema.names} & {*METADATA_COLUMNS, *(column.name for column in extra)}
    if taken:
        raise UsageError(
            f"The schema has {', '.join(sorted(taken))}, which every load adds itself.", field="schema_json"
        )
    return iceberg_schema(Schema((*schema.columns, *METADATA, *extra)))


def _check_properties(properties: Mapping[str, str]) -> None:
    version = properties.get("format-version", str(WRITABLE_VERSION))
    if version not in {"1", str(WRITABLE_VERSION)}:
        raise UsageError(
            f"format-version {version}: 1 and {WRITABLE_VERSION} can be written.", field="table_properties"
        )


@retry(
    # Where several make the same namespace at once, the embedded catalog answers some with a passing 500.
    retry=retry_if_exception_type(CatalogUnavailable),
    wait=wait_random_exponential(multiplier=0.1, max=2),
    stop=stop_after_attempt(6),
    reraise=True,
)
def _found_or_made(  # noqa: PLR0917
    catalog: Catalog,
    database: str,
    table: str,
    wanted: IcebergSchema,
    partition_columns: Sequence[str],
    properties: Mapping[str, str],
) -> Table:
    found = load_table(catalog, database, table)
    if found is None:
        _create(catalog, identifier(database, table), wanted, partition_columns, properties)
        found = load_table(catalog, database, table)
    if found is None:
        raise CatalogUnavailable(f"The table {database}.{table} was made but the catalog does not show it. Try again.")
    return found


def _create(
    catalog: Catalog,
    name: tuple[str, ...],
    wanted: IcebergSchema,
    partition_columns: Sequence[str],
    properties: Mapping[str, str],
) -> None:
    spec = partition_spec(partition_columns, wanted)
    with translated(f"making the table {'.'.join(name)}"):
        for depth in range(1, len(name)):
            _create_namespace(catalog, name[:depth])
        try:
            catalog.create_table(
                name, wanted, partition_spec=spec, properties={SOURCE_FILE_METRICS: "full", **properties}
            )
        except TableAlreadyExistsError:
            return


def _create_namespace(catalog: Catalog, namespace: tuple[str, ...]) -> None:
    if catalog.namespace_exists(namespace):
        return
    try:
        catalog.create_namespace(namespace)
    except NamespaceAlreadyExistsError:
        return


@retry(
    retry=retry_if_exception_type(CommitFailedException),
    wait=wait_random_exponential(multiplier=0.1, max=2),
    stop=stop_after_attempt(8),
    reraise=True,
)
def _fitted(table: Table, wanted: IcebergSchema, partition_columns: Sequence[str], extra: Sequence[Column]) -> Table:
    found = differences(table, wanted, partition_columns, [column.name for column in extra])
    if found:
        raise TableMismatch(mismatch(table, found))
    missing = _missing_metadata(table, extra)
    if missing:
        _add(table, missing)
    return table


def mismatch(table: Table, found: Sequence[str]) -> str:
    """The sentence that says so."""
    return f"The table {'.'.join(table.name())} does not fit: {'; '.join(found)}."


def _missing_metadata(table: Table, extra: Sequence[Column]) -> list[Column]:
    there = {field.name.lower() for field in table.schema().fields}
    return [column for column in (*METADATA, *extra) if column.name not in there]


def _add(table: Table, columns: Sequence[Column]) -> None:
    table.refresh()
    added = iceberg_schema(Schema(tuple(columns)))
    there = {field.name.lower() for field in table.schema().fields}
    with table.transaction() as transaction:
        with transaction.update_schema() as update:
            for field in added.fields:
                if field.name not in there:
                    update.add_column(field.name, field.field_type)
        if SOURCE_FILE_METRICS not in table.properties:
            transaction.set_properties({SOURCE_FILE_METRICS: "full"})


def shape(table: Table) -> TableShape:
    """What an engine needs to know of the table. Columns of types we cannot write are left out: they stay NULL.

    Raises:
        TableMismatch: the table is partitioned in a way that we cannot write.
    """
    columns: list[Column] = []
    ids: dict[tuple[str, ...], int] = {}
    for field in table.schema().fields:
        data_type = our_type(field.field_type)
        if data_type is not None:
            columns.append(Column(field.name, data_type))
            ids[(field.name,)] = field.field_id
            ids.update(_inner_ids((field.name,), field.field_type))
    return TableShape(Schema(tuple(columns)), ids, partition_fields(table.spec(), table.schema()))


def _inner_ids(path: tuple[str, ...], iceberg: IcebergType) -> Iterator[tuple[tuple[str, ...], int]]:
    match iceberg:
        case StructType():
            inner = [(field.name, field.field_id, field.field_type) for field in iceberg.fields]
        case ListType():
            inner = [("element", iceberg.element_id, iceberg.element_type)]
        case MapType():
            inner = [("key", iceberg.key_id, iceberg.key_type), ("value", iceberg.value_id, iceberg.value_type)]
        case _:
            return
    for name, field_id, inner_type in inner:
        yield (*path, name), field_id
        yield from _inner_ids((*path, name), inner_type)
