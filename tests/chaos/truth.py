"""Is every file in the table exactly once? Asked of bucket, table and ledger, with DuckDB and boto3.

This is a second opinion beside ``autoloader verify``: it shares no code with it, and it knows what was put into the
bucket.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from tests.chaos.scene import Scene

    from autoloader.model import Ingestion


def require_exactly_once(scene: Scene, *, foreign_rows: int = 0) -> None:
    """Fail unless tables, ledger and bucket agree to the row.

    Args:
        foreign_rows: rows without a source file, which other writers appended to the table of the first ingestion.
    """
    by_table: defaultdict[str, list[Ingestion]] = defaultdict(list)
    for ingestion in scene.ingestions:
        by_table[f"{ingestion.database}.{ingestion.table}"].append(ingestion)
    faults: list[str] = []
    for name, feeding in by_table.items():
        table = scene.catalog.load_table(name)
        faults += _faults_of_rows(scene, table, feeding, foreign_rows if scene.ingestions[0] in feeding else 0)
        faults += _faults_of_snapshots(scene, table, feeding)
        faults += faults_of_storage(scene, table)
    faults += _faults_of_ledger(scene)
    for ingestion in scene.ingestions:
        faults += scene.verified(ingestion)
    assert not faults, "\n".join([*faults, scene.state(), scene.crew.everything_said()])


def _faults_of_rows(scene: Scene, table: Table, feeding: list[Ingestion], foreign_rows: int) -> list[str]:
    expected = [
        (path, number) for ingestion in feeding for path, ids in _contents(scene, ingestion).items() for number in ids
    ]
    with duckdb.connect() as database:
        columns = ("_source_file", "id")
        database.register("found", table.scan(selected_fields=columns).to_arrow())
        paths, numbers = [path for path, _ in expected], [number for _, number in expected]
        columns_of_expected = {"path": pa.array(paths, pa.string()), "id": pa.array(numbers, pa.int64())}
        database.register("expected", pa.table(columns_of_expected))
        known = ", ".join(f"'{path}'" for path in scene.gone) or "''"
        ours = f"SELECT _source_file, id FROM found WHERE _source_file IS NOT NULL AND _source_file NOT IN ({known})"
        extra = database.execute(f"{ours} EXCEPT ALL SELECT path, id FROM expected").fetchall()
        missing = database.execute(f"SELECT path, id FROM expected EXCEPT ALL ({ours})").fetchall()
        (foreign,) = database.execute("SELECT count(*) FROM found WHERE _source_file IS NULL").fetchone() or (0,)
    faults = [f"row twice or unknown: {row}" for row in extra] + [f"row missing: {row}" for row in missing]
    if foreign != foreign_rows:
        faults.append(f"{foreign} rows of other writers, not {foreign_rows}")
    return faults


def _contents(scene: Scene, ingestion: Ingestion) -> dict[str, list[int]]:
    return {path: ids for path, ids in scene.content.items() if path.startswith(ingestion.source_path)}


def _faults_of_snapshots(scene: Scene, table: Table, feeding: list[Ingestion]) -> list[str]:
    """Each committed load has one snapshot, and each snapshot of ours its committed load."""
    marked: defaultdict[str, list[int]] = defaultdict(list)
    for snapshot in table.metadata.snapshots:
        mark = snapshot.summary.additional_properties.get("autoloader.load-id") if snapshot.summary else None
        if mark is not None:
            marked[mark].append(snapshot.snapshot_id)
    ids = [ingestion.id for ingestion in feeding]
    committed = scene.sql(
        "SELECT id, snapshot_id FROM loads WHERE ingestion_id = ANY(:ids) AND state = 'COMMITTED'"
        " AND snapshot_id IS NOT NULL",
        ids=ids,
    )
    told = {str(load): [snapshot] for load, snapshot in committed}
    return [] if told == marked else [f"loads {told} and snapshots {dict(marked)} differ"]


def faults_of_storage(scene: Scene, table: Table) -> list[str]:
    """Every data file that loads wrote is named by a snapshot."""
    # Most manifests are those of the snapshot before: each is read once.
    manifests = {
        manifest.manifest_path: manifest
        for snapshot in table.metadata.snapshots
        for manifest in snapshot.manifests(table.io)
    }
    named = {
        entry.data_file.file_path
        for manifest in manifests.values()
        for entry in manifest.fetch_manifest_entry(table.io)
    }
    where = urlsplit(table.location_provider().data_path)
    bucket, prefix = where.netloc, where.path.lstrip("/")
    pages = scene.landing.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    stored = {f"s3://{bucket}/{found['Key']}" for page in pages for found in page.get("Contents", [])}
    # What other writers left behind lies in no folder; a name that ends with a slash is an empty folder.
    ours = [path for path in sorted(stored - named) if "/" in path.removeprefix(f"s3://{bucket}/{prefix}/")]
    return [f"orphaned data file: {path}" for path in ours if not path.endswith("/")]


def _faults_of_ledger(scene: Scene) -> list[str]:
    """Every file of the bucket is SUCCESS with all its rows, nothing is stuck, and the counters say the same."""
    faults = [f"load {row} is still open" for row in scene.sql("SELECT id, state FROM loads WHERE ended_at IS NULL")]
    faults += [f"run {row} has not ended" for row in scene.sql("SELECT id, status FROM runs WHERE ended_at IS NULL")]
    found: dict[str, tuple[Any, ...]] = {
        path: (status, records)
        for path, status, records in scene.sql("SELECT file_path, status, records_ingested FROM processed_files")
    }
    for path, ids in scene.content.items():
        if found.get(path) != ("SUCCESS", len(ids)):
            faults.append(f"the ledger says {found.get(path)} of {path}, which holds {len(ids)} rows")
    faults += [
        f"{path} is {said[0]}, although it is gone"
        for path, said in found.items()
        if path in scene.gone and said[0] in {"PROCESSING", "DISCOVERED"}
    ]
    return faults
