"""Whose rows a snapshot holds: counted by source file and load, data file by data file, in bounded memory."""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import ManifestContent

from autoloader.lake.answers import translated
from autoloader.lake.deletes import Deletes
from autoloader.lake.rewriting import OldFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from pyiceberg.manifest import ManifestEntry, ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

Identity = tuple[str | None, str | None]
"""``_source_file`` and ``_load_id`` of a row."""
AT_ONCE = 8
"""Data files read at a time: most of the time goes by waiting for the storage."""
LARGE = 200_000
"""Rows of a data file from which on it is read alone, and what was counted is handed over part by part."""
_SHAPE: dict[str, pa.DataType] = {"path": pa.string(), "load": pa.string(), "rows": pa.int64()}
COLUMNS = pa.schema(_SHAPE)


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows of a data file have which identity. A large data file comes in parts.

    Attributes:
        location: of the data file.
        counted: ``path``, ``load`` and ``rows``, as ``COLUMNS`` says; NULL where a row has none.
        last: no part of the same data file follows.
    """

    location: str
    counted: pa.Table
    last: bool


def manifests_at(table: Table, snapshot: Snapshot) -> list[ManifestFile]:
    """The manifests of a snapshot.

    Raises:
        CatalogUnavailable: the storage does not answer.
    """
    with translated(f"reading snapshot {snapshot.snapshot_id} of {'.'.join(table.name())}"):
        return snapshot.manifests(table.io)


def entries_of(table: Table, manifest: ManifestFile) -> list[ManifestEntry]:
    """What a manifest says is there.

    Raises:
        CatalogUnavailable: the storage does not answer.
    """
    with translated(f"reading the manifests of {'.'.join(table.name())}"):
        return manifest.fetch_manifest_entry(table.io)


def data_files(manifests: Sequence[ManifestFile]) -> int:
    """How many data files there are."""
    return sum(
        (manifest.added_files_count or 0) + (manifest.existing_files_count or 0)
        for manifest in manifests
        if manifest.content == ManifestContent.DATA
    )


def rows(table: Table, manifests: Sequence[ManifestFile]) -> Iterator[Rows]:
    """The rows of a snapshot as readers see them, several data files at a time.

    Args:
        manifests: as ``manifests_at`` gives them.

    Raises:
        TableMismatch: a data file is not Parquet, or there are deletes that cannot be followed.
        CatalogUnavailable: the storage does not answer, or a file was removed from it meanwhile.
    """
    deletes = Deletes(
        table,
        (entry for each in manifests if each.content == ManifestContent.DELETES for entry in entries_of(table, each)),
    )
    with ThreadPoolExecutor(AT_ONCE, "counting") as pool:
        under_way: deque[Future[list[Rows]]] = deque()
        try:
            for entry in _data_entries(table, manifests):
                if entry.data_file.record_count > LARGE:
                    yield from _parts(table, entry, deletes)
                    continue
                under_way.append(pool.submit(_whole, table, entry, deletes))
                if len(under_way) > AT_ONCE:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        finally:
            for waiting in under_way:
                waiting.cancel()


def _data_entries(table: Table, manifests: Sequence[ManifestFile]) -> Iterator[ManifestEntry]:
    for manifest in manifests:
        if manifest.content == ManifestContent.DATA:
            yield from entries_of(table, manifest)


def _whole(table: Table, entry: ManifestEntry, deletes: Deletes) -> list[Rows]:
    return list(_parts(table, entry, deletes))


def _parts(table: Table, entry: ManifestEntry, deletes: Deletes) -> Iterator[Rows]:
    counted: Counter[Identity] = Counter()
    for batch in OldFile(table, entry.data_file, deletes.of(entry)).identities():
        if isinstance(batch, int):
            counted[None, None] += batch
        else:
            _count(batch, counted)
        if len(counted) > LARGE:
            yield Rows(entry.data_file.file_path, _arrow(counted), last=False)
            counted.clear()
    yield Rows(entry.data_file.file_path, _arrow(counted), last=True)


def _arrow(counted: Counter[Identity]) -> pa.Table:
    columns = [[path for path, _ in counted], [load for _, load in counted], list(counted.values())]
    return pa.table(columns, schema=COLUMNS)


def _count(batch: pa.RecordBatch, counted: Counter[Identity]) -> None:
    """Each of the two columns becomes numbers, and a pair of numbers one number, which Arrow counts."""
    (files, file_codes), (loads, load_codes) = (_coded(batch.column(number)) for number in range(2))
    pairs = pc.add(pc.multiply(file_codes, pa.scalar(len(loads), pa.int64())), load_codes)
    counts: Any = pc.value_counts(pairs)
    for pair in counts.to_pylist():
        file, load = divmod(pair["values"], len(loads))
        counted[files[file], loads[load]] += pair["counts"]


def _coded(column: pa.Array[Any]) -> tuple[list[str | None], pa.Array[Any]]:
    """The different values of a column, NULL at the end, and the place of each row's value among them."""
    encoded: Any = column.cast(pa.string()).dictionary_encode()
    values: list[str | None] = [*encoded.dictionary.to_pylist(), None]
    return values, pc.fill_null(encoded.indices.cast(pa.int64()), len(values) - 1)
