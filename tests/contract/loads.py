"""A load of real objects through an engine, and what came out of it as pyarrow reads it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

import pyarrow.parquet as pq

from autoloader.engines import Progress, Reading, Work
from autoloader.engines.embedded import EmbeddedEngine
from autoloader.engines.fields import all_columns, of_keys, of_records
from autoloader.lake.data_files import load_folder
from autoloader.lake.intake import Intake
from autoloader.lake.staged import allow_staging, staged_rows
from autoloader.lake.tables import ensure_table, shape
from autoloader.model import BadRecords, ClaimedFile, DataFile, FormatType, Made, Outcome, Rejects, UnknownFields
from autoloader.schema.parse import parse_schema
from autoloader.schema.table import RESCUED, ROW, PartitionField, TableShape
from autoloader.schema.types import Array, Column, DataType, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.table import Table

    from autoloader.engines import Engine
    from autoloader.objects import ObjectStore

LOADED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
METADATA = (
    Column("_source_file", Scalar.STRING),
    Column("_source_modified_at", Scalar.TIMESTAMP),
    Column("_load_id", Scalar.STRING),
    Column("_loaded_at", Scalar.TIMESTAMP),
)


class Prefix(Protocol):
    """What a load needs of the fixture ``landing``."""

    prefix: str

    def put(self, name: str, body: bytes | str) -> str: ...


def table_shape(schema: Schema, partition: Sequence[tuple[str, str]] = (), extra: Sequence[Column] = ()) -> TableShape:
    """The table of a schema, its field ids numbered as they come but not from 1."""
    ids: dict[tuple[str, ...], int] = {}

    def number(path: tuple[str, ...], column_type: DataType) -> None:
        ids[path] = 100 + len(ids)
        match column_type:
            case Struct(columns):
                for column in columns:
                    number((*path, column.name), column.type)
            case Array(element):
                number((*path, "element"), element)
            case Map(key, value):
                number((*path, "key"), key)
                number((*path, "value"), value)
            case _:
                pass

    columns = (*schema.columns, *METADATA, *extra)
    for column in columns:
        number((column.name,), column.type)
    fields = tuple(PartitionField(f"p_{column}_{at}", column, t) for at, (column, t) in enumerate(partition))
    return TableShape(Schema(columns), ids, fields)


def added_columns(unknown: UnknownFields, options: Mapping[str, str]) -> list[Column]:
    """Columns that settings of an ingestion add to its table."""
    return [*([RESCUED] if unknown.keeps else []), *([ROW] if options.get("sourceRow") == "true" else [])]


@dataclass
class Result:
    """What one load left."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    data_files: list[tuple[DataFile, list[dict[str, Any]]]] = field(default_factory=list)
    footers: list[pq.ParquetSchema] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)

    def values(self, column: str) -> list[Any]:
        """One column, sorted by its text: rows of several files come in no order."""
        return sorted((row[column] for row in self.rows), key=str)

    def failure(self, name: str) -> tuple[str | None, str | None]:
        """Type and message of a failed file."""
        outcome = self.outcomes[name]
        return outcome.error_type, outcome.error_message

    def took(self, made: DataFile, source: Any, names: Sequence[str]) -> None:
        """A data file came out; its columns are those of these names."""
        rows = pq.read_table(source).rename_columns(list(names)).to_pylist()
        assert len(rows) == made.records
        self.rows.extend(rows)
        self.data_files.append((made, rows))
        self.footers.append(pq.ParquetFile(source).schema)


@dataclass
class Loads:
    """Runs loads over the objects below one prefix, on the embedded engine."""

    landing: Prefix
    store: ObjectStore
    folder: Path
    engine: Engine = field(default_factory=lambda: EmbeddedEngine("512MB", 2, 8, 64 * 1024**2))

    def files(self) -> list[ClaimedFile]:
        """Every object below the prefix, claimed."""
        listed = [found for page in self.store.pages(self.landing.prefix) for found in page]
        return [
            ClaimedFile(file_id=at, path=o.path, size_bytes=o.size_bytes, etag=o.etag, modified_at=o.modified_at)
            for at, o in enumerate(listed)
        ]

    def work(self, ddl: str, **facts: Any) -> Work:
        """A load of everything below the prefix, facts of it changed at will."""
        schema, paths = parse_schema(ddl), facts.pop("path_columns", ())
        unknown = facts.pop("unknown_fields", UnknownFields.IGNORE)
        spool = self.folder / uuid.uuid4().hex
        spool.mkdir()
        options: Mapping[str, str] = facts.pop("options", {})
        usual: dict[str, Any] = {
            "load_id": uuid.uuid4(),
            "table_name": "lake.nowhere.at_all",
            "loaded_at": LOADED_AT,
            "files": self.files() if "files" not in facts else facts["files"],
            "reading": Reading(
                format_type=facts.pop("format_type", FormatType.JSON),
                options=options,
                schema=of_records(schema, paths),
                path_columns=of_keys(schema, paths),
                unknown_fields=unknown,
                bad_records=facts.pop("bad_records", BadRecords()),
            ),
            "shape": table_shape(
                all_columns(schema, paths), facts.pop("partition", ()), added_columns(unknown, options)
            ),
            "store": self.store,
            "spool": spool,
            "cancelled": lambda: False,
        }
        return Work(**(usual | facts))

    def load(self, ddl: str, **facts: Any) -> Result:
        """Run it and read what was written with pyarrow."""
        return self.carry_out(self.work(ddl, **facts))

    def carry_out(self, work: Work) -> Result:
        """Run this load."""
        result = Result()
        outcomes = self.engine.prepare(work, lambda made: self.put(work, made, result), result.progress.append)
        names = {file.file_id: file.path.removeprefix(f"s3://landing/{self.landing.prefix}") for file in work.files}
        result.outcomes = {names[outcome.file_id]: outcome for outcome in outcomes}
        assert len(outcomes) == len(work.files)
        assert [found for found in work.spool.rglob("*") if found.is_file()] == [], "the spool is left empty"
        return result

    def put(self, work: Work, made: Made, result: Result) -> None:
        """Read a finished data file and remove it."""
        if isinstance(made, Rejects):
            self.took_rejects(made, result)
            return
        assert isinstance(made, DataFile), work
        path = made.location
        assert not isinstance(path, str)
        result.took(made, path, work.shape.schema.names)
        path.unlink()

    def took_rejects(self, made: Rejects, result: Result) -> None:
        """Read the rejects and remove them."""
        result.rejects += pq.read_table(made.location).to_pylist()
        assert len(result.rejects) == made.records
        made.location.unlink()


@dataclass(kw_only=True)
class SparkLoads(Loads):
    """The same on Spark, into real tables."""

    catalog: Catalog
    namespace: str
    tables: dict[str, Table] = field(default_factory=dict)

    def work(self, ddl: str, **facts: Any) -> Work:
        """A load into a table made for it."""
        name = f"t{uuid.uuid4().hex[:12]}"
        if "shape" not in facts:
            partition = [_form(column, transform) for column, transform in facts.pop("partition", ())]
            columns = all_columns(parse_schema(ddl), facts.get("path_columns", ()))
            unknown = facts.get("unknown_fields", UnknownFields.IGNORE)
            extra = added_columns(unknown, facts.get("options", {}))
            made = ensure_table(self.catalog, self.namespace, name, columns, partition, extra=extra)
            facts["shape"] = shape(made)
            self.tables[f"lake.{self.namespace}.{name}"] = allow_staging(made)
        work = super().work(ddl, **({"table_name": f"lake.{self.namespace}.{name}"} | facts))
        table = self.tables.get(work.table_name)
        if table is None:
            return work
        return replace(work, folder=load_folder(table, work.load_id), staged=lambda: staged_rows(table, work.load_id))

    def put(self, work: Work, made: Made, result: Result) -> None:
        """Read what would be published."""
        if isinstance(made, Rejects):
            self.took_rejects(made, result)
            return
        table = self.tables[work.table_name]
        for entry in Intake(table, work.load_id).take(made):
            with table.io.new_input(entry.file_path).open() as stream:
                result.took(self._as_data_file(entry), cast("Any", stream), work.shape.schema.names)

    def _as_data_file(self, entry: DataFileEntry) -> DataFile:
        return DataFile(
            location=entry.file_path,
            records=entry.record_count,
            partition=tuple(entry.partition[at] for at in range(len(entry.partition))),
        )


def _form(column: str, transform: str) -> str:
    """``day(at)``, ``bucket(16, id)``, as an ingestion has it."""
    name, _, width = transform.removesuffix("]").partition("[")
    return f"{name}({width}, {column})" if width else column if name == "identity" else f"{name}({column})"
