"""A table of this room, loads made by hand, and two other tools to read back what they brought."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoloader.lake.catalogs import open_catalog
from autoloader.lake.data_files import Uploader
from autoloader.lake.publish import Change, publish
from autoloader.lake.tables import ensure_table, shape
from autoloader.model import DataFile
from autoloader.schema.types import Column, Scalar, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.table import Table

    from autoloader.settings import Connections

EVENTS = Schema((Column("id", Scalar.BIGINT), Column("kind", Scalar.STRING), Column("at", Scalar.TIMESTAMP)))
NOON = datetime(2024, 1, 15, 12, tzinfo=UTC)
ARROW = {"STRING": pa.string(), "BIGINT": pa.int64(), "TIMESTAMP": pa.timestamp("us", tz="UTC")}


def yes() -> bool:
    """A lease that is always renewed."""
    return True


class Events:
    """One table of events, the loads that go into it, and what is in it."""

    def __init__(self, table: Table, folder: Path, s3: S3Client) -> None:
        self.table = table
        self.folder = folder
        self.s3 = s3

    def again(self) -> Events:
        """The same table through a handle of its own, for another thread."""
        return Events(self.table.catalog.load_table(self.table.name()), self.folder, self.s3)

    def write(
        self, load_id: uuid.UUID, rows: Mapping[str, Sequence[int]], *, kind: str = "a", at: datetime = NOON
    ) -> Path:
        """A Parquet file as an engine writes it: ids by source path."""
        pairs = [(path, i) for path, ids in rows.items() for i in ids]
        columns: dict[str, list[Any]] = {
            "id": [i for _, i in pairs],
            "kind": [kind] * len(pairs),
            "at": [at] * len(pairs),
            "_source_file": [path for path, _ in pairs],
            "_source_modified_at": [at] * len(pairs),
            "_load_id": [str(load_id)] * len(pairs),
            "_loaded_at": [at] * len(pairs),
        }
        made = shape(self.table)
        schema = pa.schema(
            [
                pa.field(c.name, ARROW[str(c.type)], metadata={"PARQUET:field_id": str(made.field_ids[(c.name,)])})
                for c in made.schema.columns
            ]
        )
        path = self.folder / f"{uuid.uuid4()}.parquet"
        pq.write_table(pa.table([columns[name] for name in schema.names], schema=schema), path)
        return path

    def uploaded(
        self, load_id: uuid.UUID, rows: Mapping[str, Sequence[int]], *, partition: tuple[Any, ...] = (), **how: Any
    ) -> DataFileEntry:
        """The file in the table's storage, not yet in the table."""
        path = self.write(load_id, rows, **how)
        file = DataFile(location=path, records=sum(map(len, rows.values())), partition=partition)
        return Uploader(self.table, load_id).upload(file)

    def load(
        self,
        rows: Mapping[str, Sequence[int]],
        *,
        replaced: Mapping[str, Sequence[uuid.UUID]] | None = None,
        overwrite: bool = False,
        load_id: uuid.UUID | None = None,
        **how: Any,
    ) -> uuid.UUID:
        """One whole load: upload and publish."""
        made = load_id or uuid.uuid4()
        change = Change(
            added=[self.uploaded(made, rows, **how)] if rows else [],
            replaced={path: frozenset(loads) for path, loads in (replaced or {}).items()},
            overwrite=overwrite,
        )
        publish(self.table, made, change, yes)
        return made

    def rows(self) -> list[tuple[str, int]]:
        """(file, id) of every row, as PyIceberg reads the table."""
        read = self.table.refresh().scan(selected_fields=("_source_file", "id")).to_arrow()
        return sorted((str(row["_source_file"]), int(row["id"])) for row in read.to_pylist())

    def rows_by_duckdb(self) -> list[tuple[str, int]]:
        """The same by other tools: the data files that the metadata lists, fetched by boto3, read by DuckDB."""
        local = []
        for path in self.paths():
            bucket, key = path.removeprefix("s3://").split("/", 1)
            target = self.folder / f"read-{uuid.uuid4()}.parquet"
            target.write_bytes(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            local.append(str(target))
        if not local:
            return []
        with duckdb.connect() as connection:
            read = connection.execute("SELECT _source_file, id FROM read_parquet($1) ORDER BY ALL", [local])
            return [(str(path), int(i)) for path, i in read.fetchall()]

    def paths(self) -> list[str]:
        """Locations of the data files in the current snapshot."""
        return sorted(task.file.file_path for task in self.table.refresh().scan().plan_files())

    def summaries(self) -> list[dict[str, str]]:
        """Properties of each snapshot that led to main, oldest first."""
        found, snapshot = [], self.table.refresh().current_snapshot()
        while snapshot is not None:
            assert snapshot.summary is not None
            found.append({"operation": snapshot.summary.operation.value, **snapshot.summary.additional_properties})
            parent = snapshot.parent_snapshot_id
            snapshot = self.table.snapshot_by_id(parent) if parent is not None else None
        return found[::-1]

    def stored(self) -> list[str]:
        """Every object below the table's data folder, by boto3."""
        bucket, prefix = self.table.location().removeprefix("s3://").split("/", 1)
        listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/data/")
        keys = (item["Key"] for item in listed.get("Contents", []))
        return sorted(f"s3://{bucket}/{key}" for key in keys if not key.endswith("/"))


@pytest.fixture(scope="session")
def lake(connections: Connections) -> Catalog:
    """The embedded stack's catalog, opened as the project opens it."""
    return open_catalog("lake", connections.catalogs)


@pytest.fixture
def make_events(lake: Catalog, namespace: str, tmp_path: Path, s3: S3Client) -> Callable[..., Events]:
    """Makes a table of events in this test's namespace; takes what ``ensure_table`` takes."""

    def make(name: str = "events", **how: Any) -> Events:
        return Events(ensure_table(lake, namespace, name, EVENTS, **how), tmp_path, s3)

    return make


@pytest.fixture
def events(make_events: Callable[..., Events]) -> Events:
    """An empty, unpartitioned table of events."""
    return make_events()
