"""The contestant dlt: its documented way from files in a bucket to an Iceberg table, with its settings for speed.

Runs in an environment of its own (``.bench-dlt``). Finds the bucket by ``AWS_*`` and keeps its working folder and the
table's catalog (SQLite) below ``DLT_DATA_DIR``: the REST catalog of the embedded stack keeps tables in a bucket where
dlt may not put its own state, and dlt's filesystem destination wants both in one. ``load.py BUCKET PREFIX TABLE``.
"""

from __future__ import annotations

import os
import sys

from dlt.sources.credentials import AwsCredentials
from dlt.sources.filesystem import filesystem, read_jsonl

import dlt

LINES_AT_ONCE = 10_000

SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "ICEBERG_CATALOG__ICEBERG_CATALOG_NAME": "dlt",
    "ICEBERG_CATALOG__ICEBERG_CATALOG_TYPE": "sql",
    "NORMALIZE__WORKERS": "2",
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "50000",
}
"""Of the settings tried, the fastest: several intermediate files, so that two workers share the normalizing."""

READING = {"default_block_size": 256 * 1024}
"""Of s3fs: it copies a block for every line it gives, and with its own 5 MiB a file of 11 MB takes most of a minute."""


def load(bucket: str, prefix: str, table: str) -> None:
    """Load every file below the prefix into ``bench.table``: read in threads, nested values kept in the row as text."""
    os.environ.update(SETTINGS)
    credentials = AwsCredentials(
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region_name=os.environ["AWS_REGION"],
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
    )
    files = filesystem(
        bucket_url=f"s3://{bucket}/{prefix}", credentials=credentials, file_glob="*.ndjson", kwargs=READING
    )
    events = (files | read_jsonl(chunksize=LINES_AT_ONCE)).with_name(table).parallelize()
    events.apply_hints(write_disposition="append", table_format="iceberg")
    events.max_table_nesting = 0
    pipeline = dlt.pipeline(
        pipeline_name=table,
        destination=dlt.destinations.filesystem(bucket_url=f"s3://{bucket}/dlt", credentials=credentials),
        dataset_name="bench",
    )
    pipeline.run(events).raise_on_failed_jobs()


if __name__ == "__main__":
    load(*sys.argv[1:])
