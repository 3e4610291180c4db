"""The bare limit: the same files into the same kind of table, as fast as a script on the same libraries can do it.

List, fetch, parse typed, write Parquet, one commit. It keeps no ledger, checks no value beyond what DuckDB's typed
reader checks, cannot tell which row came from which file, and one bad file stops it. Files are joined into pieces of
the spool, because DuckDB needs about a millisecond for every file that it opens.

``limit.py load PREFIX NAMESPACE.TABLE`` loads, ``limit.py list PREFIX`` only lists; both print one line of JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import duckdb
import obstore
from pyiceberg.schema import Schema
from pyiceberg.types import (
    BooleanType,
    DecimalType,
    DoubleType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

from place import BUCKET, open_bucket, open_lake

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from obstore import ObjectMeta
    from pyiceberg.table import Table

FETCHES_AT_ONCE = 16
PIECE_BYTES = 64 * 1024**2
COLUMNS = (
    "{id: 'BIGINT', \"at\": 'TIMESTAMPTZ', user: 'VARCHAR', kind: 'VARCHAR', amount: 'DECIMAL(10,2)', score: 'DOUBLE', "
    "ok: 'BOOLEAN', device: 'STRUCT(os VARCHAR, version VARCHAR, ip VARCHAR)', tags: 'VARCHAR[]', url: 'VARCHAR'}"
)
SCHEMA = Schema(
    NestedField(1, "id", LongType()),
    NestedField(2, "at", TimestamptzType()),
    NestedField(3, "user", StringType()),
    NestedField(4, "kind", StringType()),
    NestedField(5, "amount", DecimalType(10, 2)),
    NestedField(6, "score", DoubleType()),
    NestedField(7, "ok", BooleanType()),
    NestedField(
        8,
        "device",
        StructType(
            NestedField(11, "os", StringType()),
            NestedField(12, "version", StringType()),
            NestedField(13, "ip", StringType()),
        ),
    ),
    NestedField(9, "tags", ListType(14, StringType(), element_required=False)),
    NestedField(10, "url", StringType()),
)


def load(prefix: str, identifier: str) -> int:
    """Load every object below the prefix into a new table, in one snapshot.

    Returns:
        How many objects there were.
    """
    table = open_lake().create_table(identifier, schema=SCHEMA)
    objects = listing(prefix)
    with tempfile.TemporaryDirectory() as spool, ThreadPoolExecutor(1) as parser:
        parsed = [parser.submit(write_piece, piece, table) for piece in pieces(objects, Path(spool))]
        locations = [future.result() for future in parsed]
    table.add_files(locations, check_duplicate_files=False)
    return len(objects)


def listing(prefix: str) -> Sequence[ObjectMeta]:
    """Every object below the prefix."""
    return [meta for page in obstore.list(open_bucket(BUCKET), prefix, chunk_size=1000) for meta in page]


def pieces(objects: Sequence[ObjectMeta], spool: Path) -> Iterator[Path]:
    """Fetch the objects, many at once, and join them into files of about ``PIECE_BYTES``, handed over once full."""
    store = open_bucket(BUCKET)

    def fetch(meta: ObjectMeta) -> obstore.Bytes:
        return obstore.get(store, meta["path"]).bytes()

    if objects and max(meta["size"] for meta in objects) > PIECE_BYTES:
        yield from (stream(store, meta, spool / f"{number}.ndjson") for number, meta in enumerate(objects))
        return
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as fetchers:
        waiting: Iterator[Future[obstore.Bytes]] = as_completed([fetchers.submit(fetch, meta) for meta in objects])
        yield from join(waiting, spool)


def join(bodies: Iterator[Future[obstore.Bytes]], spool: Path) -> Iterator[Path]:
    """Write bodies one after the other; begin a new piece when one is full."""
    number, size, piece = 0, 0, (spool / "0.ndjson").open("wb")
    for body in bodies:
        size += piece.write(body.result())
        if size >= PIECE_BYTES:
            piece.close()
            yield Path(piece.name)
            number, size = number + 1, 0
            piece = (spool / f"{number}.ndjson").open("wb")
    piece.close()
    if size:
        yield Path(piece.name)


def stream(store: obstore.store.S3Store, meta: ObjectMeta, target: Path) -> Path:
    """Copy one large object to the spool without holding it in memory."""
    with target.open("wb") as file:
        for chunk in obstore.get(store, meta["path"]).stream(min_chunk_size=8 * 1024**2):
            file.write(chunk)
    return target


def write_piece(piece: Path, table: Table) -> str:
    """Parse one piece, write it as Parquet and put it into the table's folder.

    Returns:
        The location of the new data file.
    """
    parquet = piece.with_suffix(".parquet")
    with duckdb.connect(config={"memory_limit": "512MB", "preserve_insertion_order": False}) as connection:
        connection.execute(
            f"COPY (FROM read_json('{piece}', format = 'newline_delimited', columns = {COLUMNS})) "
            f"TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)"
        )
    piece.unlink()
    location = f"{table.location()}/data/{piece.stem}.parquet"
    parts = urlsplit(location)
    obstore.put(open_bucket(parts.netloc), parts.path.lstrip("/"), parquet)
    parquet.unlink()
    return location


def main(arguments: Sequence[str]) -> None:
    """Load or list, and say how long it took without the start of the interpreter and the imports."""
    began = time.perf_counter()
    match arguments:
        case ["load", prefix, identifier]:
            objects = load(prefix, identifier)
        case ["list", prefix]:
            objects = len(listing(prefix))
        case _:
            sys.exit("limit.py load PREFIX NAMESPACE.TABLE | limit.py list PREFIX")
    print(json.dumps({"seconds": time.perf_counter() - began, "objects": objects}))


if __name__ == "__main__":
    main(sys.argv[1:])
