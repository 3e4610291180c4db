"""A load of real objects through the embedded engine, and what came out of it as pyarrow and DuckDB read it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow.parquet as pq
import pytest

from autoloader.engines import Progress, Reading, Work
from autoloader.engines.embedded import EmbeddedEngine
from autoloader.model import ClaimedFile, DataFile, FormatType, Outcome, SourceCredentials
from autoloader.objects.s3 import open_s3
from autoloader.schema.parse import parse_schema
from autoloader.schema.table import PartitionField, TableShape
from autoloader.schema.types import Array, Column, DataType, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from autoloader.objects import ObjectStore
    from autoloader.settings import Connections

LOADED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_METADATA = (
    Column("_source_file", Scalar.STRING),
    Column("_source_modified_at", Scalar.TIMESTAMP),
    Column("_load_id", Scalar.STRING),
    Column("_loaded_at", Scalar.TIMESTAMP),
)


class Prefix(Protocol):
    """What a load needs of the fixture ``landing``."""

    prefix: str

    def put(self, name: str, body: bytes | str) -> str: ...


def table_shape(schema: Schema, partition: Sequence[tuple[str, str]] = ()) -> TableShape:
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

    columns = schema.columns + _METADATA
    for column in columns:
        number((column.name,), column.type)
    fields = tuple(PartitionField(f"p_{column}_{at}", column, t) for at, (column, t) in enumerate(partition))
    return TableShape(Schema(columns), ids, fields)


@dataclass
class Result:
    """What one load left."""

    rows: list[dict[str, Any]]
    outcomes: dict[str, Outcome]
    data_files: list[tuple[DataFile, list[dict[str, Any]]]]
    footers: list[pq.ParquetSchema]
    progress: list[Progress]

    def values(self, column: str) -> list[Any]:
        """One column, sorted by its text: rows of several files come in no order."""
        return sorted((row[column] for row in self.rows), key=str)

    def failure(self, name: str) -> tuple[str | None, str | None]:
        """Type and message of a failed file."""
        outcome = self.outcomes[name]
        return outcome.error_type, outcome.error_message


@dataclass
class Loads:
    """Runs loads over the objects below one prefix."""

    landing: Prefix
    store: ObjectStore
    folder: Path
    engine: EmbeddedEngine = field(default_factory=lambda: EmbeddedEngine("512MB", 2, 8, 64 * 1024**2))

    def files(self) -> list[ClaimedFile]:
        """Every object below the prefix, claimed."""
        listed = [found for page in self.store.pages(self.landing.prefix) for found in page]
        return [
            ClaimedFile(file_id=at, path=o.path, size_bytes=o.size_bytes, etag=o.etag, modified_at=o.modified_at)
            for at, o in enumerate(listed)
        ]

    def work(self, ddl: str, **facts: Any) -> Work:
        """A load of everything below the prefix, facts of it changed at will."""
        schema = parse_schema(ddl)
        spool = self.folder / uuid.uuid4().hex
        spool.mkdir()
        options: Mapping[str, str] = facts.pop("options", {})
        usual: dict[str, Any] = {
            "load_id": uuid.uuid4(),
            "loaded_at": LOADED_AT,
            "files": self.files() if "files" not in facts else facts["files"],
            "reading": Reading(format_type=facts.pop("format_type", FormatType.JSON), options=options, schema=schema),
            "shape": table_shape(schema, facts.pop("partition", ())),
            "store": self.store,
            "spool": spool,
            "cancelled": lambda: False,
        }
        return Work(**(usual | facts))

    def load(self, ddl: str, **facts: Any) -> Result:
        """Run it and read what was written with pyarrow."""
        work = self.work(ddl, **facts)
        result = Result([], {}, [], [], [])

        def put(data_file: DataFile) -> None:
            path = data_file.location
            assert not isinstance(path, str)
            rows = pq.read_table(path).to_pylist()
            result.rows.extend(rows)
            result.data_files.append((data_file, rows))
            result.footers.append(pq.ParquetFile(path).schema)
            path.unlink()

        outcomes = self.engine.prepare(work, put, result.progress.append)
        names = {file.file_id: file.path.removeprefix(f"s3://landing/{self.landing.prefix}") for file in work.files}
        result.outcomes = {names[outcome.file_id]: outcome for outcome in outcomes}
        assert len(outcomes) == len(work.files)
        assert [found for found in work.spool.rglob("*") if found.is_file()] == [], "the spool is left empty"
        return result


@pytest.fixture
def loads(landing: Prefix, connections: Connections, tmp_path: Path) -> Iterator[Loads]:
    """Loads from this test's own prefix."""
    store = open_s3("landing", SourceCredentials(), connections, 8)
    yield Loads(landing, store, tmp_path)
    store.close()


@pytest.fixture
def put(landing: Prefix) -> Callable[[str, bytes | str], str]:
    """Write an object below this test's prefix."""
    return landing.put
