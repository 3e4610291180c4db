"""The embedded engine in a cluster's tasks: what is handed over, told, refused, and left to Spark's own readers."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.loads import LOADED_AT, Loads

from autoloader.engines.spark import TaskEngine, asking, tasks
from autoloader.engines.spark.asking import Memory
from autoloader.engines.spark.task import DISTRIBUTION, program
from autoloader.engines.spark.tasks import SHARE_COST, shared
from autoloader.errors import LeaseLost, SparkMisconfigured, SparkUnavailable
from autoloader.lake.data_files import discard, files_below, load_location
from autoloader.model import BadRecords, ClaimedFile, DataFile, FileStatus, OnBadRecord, SourceCredentials
from autoloader.objects.elsewhere import Elsewhere

if TYPE_CHECKING:
    from tests.contract.loads import SparkLoads

    from autoloader.engines import Engine
    from autoloader.engines.spark.session import Cluster
    from autoloader.settings import Connections

DDL = "id BIGINT, s STRING"


def claimed(sizes: list[int]) -> list[ClaimedFile]:
    return [
        ClaimedFile(file_id=at, path=f"s3://b/{at}", size_bytes=size, etag="e", modified_at=LOADED_AT)
        for at, size in enumerate(sizes)
    ]


@given(st.lists(st.integers(0, 3 * SHARE_COST), min_size=1, max_size=200))
def test_every_file_is_in_one_share_and_no_share_is_empty_or_much_over_the_others(sizes: list[int]) -> None:
    files = claimed(sizes)
    shares = shared(files)
    assert [file for share in shares for file in share] == files
    assert all(shares)
    largest = max(sizes) + SHARE_COST + 16 * 1024 * len(sizes)
    assert all(sum(file.size_bytes for file in share) <= largest for share in shares)


def test_files_of_several_tasks_come_back_as_one_load_with_its_rejects(
    in_tasks: SparkLoads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SHARE_COST", 60_000)
    for at in range(5):
        lines = [json.dumps({"id": at * 1000 + row, "s": "x" * 30}) for row in range(1000)]
        lines[at] = '{"id": "no number"}'
        in_tasks.landing.put(f"{at}.json", "\n".join(lines))
    in_tasks.landing.put("empty.json", "")
    in_tasks.landing.put("broken.json.gz", gzip.compress(b'{"id": 1}\n' * 99)[:-9])

    quarantine = BadRecords(policy=OnBadRecord.QUARANTINE)
    result = in_tasks.load(DDL, bad_records=quarantine)

    assert len(result.data_files) >= 5, "of tasks of their own"
    assert sorted(cast("list[int]", result.values("id")), key=int) == sorted(
        at * 1000 + row for at in range(5) for row in range(1000) if row != at
    )
    assert sorted((r["_source_file"][-6:], r["line"], r["raw"]) for r in result.rejects) == [
        (f"{at}.json", at + 1, '{"id": "no number"}') for at in range(5)
    ]
    assert {name: outcome.status for name, outcome in result.outcomes.items()} == {
        **{f"{at}.json": FileStatus.SUCCESS for at in range(5)},
        "empty.json": FileStatus.SUCCESS,
        "broken.json.gz": FileStatus.FAILED,
    }
    assert result.outcomes["3.json"].records_ingested == 999
    assert result.outcomes["3.json"].records_rejected == 1
    assert result.outcomes["3.json"].duration is not None
    assert sum(done.files for done in result.progress) == 7
    assert sum(done.records for done in result.progress) == 5 * 999
    assert sum(done.bytes for done in result.progress) == sum(file.size_bytes for file in in_tasks.files())


def test_the_load_s_folder_holds_its_data_files_and_nothing_else_and_goes_when_it_is_discarded(
    in_tasks: SparkLoads,
) -> None:
    in_tasks.landing.put("a.json", '{"id": 1}\nnothing\n')
    work = in_tasks.work(DDL, bad_records=BadRecords(policy=OnBadRecord.QUARANTINE))
    made: list[Any] = []
    in_tasks.engine.prepare(work, made.append, lambda _: None)
    table = in_tasks.tables[work.table_name]
    stored = files_below(table, load_location(table, work.load_id))
    assert [each.location for each in made if isinstance(each, DataFile)] == stored
    assert table.refresh().metadata.snapshots == []
    assert discard(table, work.load_id) == 1
    assert files_below(table, load_location(table, work.load_id)) == []


def test_a_file_that_changed_or_vanished_meanwhile_fails_alone(in_tasks: SparkLoads) -> None:
    for name in ("same", "changed", "vanished"):
        in_tasks.landing.put(f"{name}.json", '{"id": 1}\n')
    files = in_tasks.files()
    in_tasks.landing.put("changed.json", '{"id": 2}\n')
    in_tasks.landing.delete("vanished.json")  # type: ignore[attr-defined]
    result = in_tasks.load(DDL, files=files)
    assert [row["_source_file"].rpartition("/")[2] for row in result.rows] == ["same.json"]
    assert result.failure("changed.json")[0] == "FileChanged"
    assert result.failure("vanished.json")[0] == "FileVanished"


def test_a_load_that_is_called_off_ends(in_tasks: SparkLoads) -> None:
    in_tasks.landing.put("a.json", '{"id": 1}\n')
    with pytest.raises(LeaseLost):
        in_tasks.engine.prepare(
            in_tasks.work(DDL, cancelled=lambda: True), lambda made: pytest.fail(str(made)), lambda _: None
        )


def test_what_a_recoverer_abandons_cannot_go_on(in_tasks: SparkLoads) -> None:
    in_tasks.landing.put("a.json", '{"id": 1}\n')
    work = in_tasks.work(DDL)
    in_tasks.engine.abandon(work.load_id)
    with pytest.raises(SparkUnavailable):
        in_tasks.engine.prepare(work, lambda made: pytest.fail(str(made)), lambda _: None)


def falls_back(loads: SparkLoads, cluster: Cluster, source: Elsewhere, own_readers: Engine) -> None:
    """A load that tasks cannot do is done by Spark's own readers, and the next one does not even ask."""
    loads.landing.put("a.json", '{"id": 1}\n')
    memory, exact = Memory(), Loads(loads.landing, loads.store, loads.folder).engine
    asked = replace(loads, engine=TaskEngine(cluster, source, exact, own_readers, memory=memory))
    assert asked.load(DDL).values("id") == [1]
    assert memory.of(cluster.url, source.bucket)
    not_asked = TaskEngine(replace(cluster, url="sc://localhost:1"), source, exact, own_readers, memory=memory)
    memory.keep("sc://localhost:1", source.bucket, "known")
    assert replace(loads, engine=not_asked).load(DDL).values("id") == [1]


def test_a_cluster_with_another_version_reads_by_itself_or_is_refused(
    in_tasks: SparkLoads, on_spark: SparkLoads, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "version", lambda _: "999.9")
    in_tasks.landing.put("a.json", '{"id": 1}\n')
    with pytest.raises(SparkMisconfigured, match=r"999\.9 here.*AUTOLOADER_SPARK_READER"):
        in_tasks.load(DDL)
    assert isinstance(in_tasks.engine, TaskEngine)
    falls_back(in_tasks, cluster, in_tasks.engine._source, on_spark.engine)


def test_a_cluster_whose_tasks_may_not_read_the_bucket_reads_it_by_itself(
    in_tasks: SparkLoads, on_spark: SparkLoads, cluster: Cluster, connections: Connections
) -> None:
    endpoint = connections.s3_endpoint_url
    keys = SourceCredentials(endpoint_url=endpoint, aws_access_key_id="nobody", aws_secret_access_key="planted")
    source = Elsewhere(bucket="landing", credentials=keys, concurrency=2)
    in_tasks.landing.put("a.json", '{"id": 1}\n')
    exact = Loads(in_tasks.landing, in_tasks.store, in_tasks.folder).engine
    in_tasks.engine = TaskEngine(cluster, source, exact, on_spark.engine, required=True)
    with pytest.raises(SparkMisconfigured, match="In a task of the cluster") as refused:
        in_tasks.load(DDL)
    assert "planted" not in str(refused.value)
    falls_back(in_tasks, cluster, source, on_spark.engine)


RUNS_IT = """
import pickle, sys
import pyarrow as pa
sys.modules["autoloader"] = None  # as if it were not installed
run = pickle.load(sys.stdin.buffer)
numbers = pa.RecordBatch.from_pydict({"id": [0, 1]})
print([row["message"] for batch in run(iter([numbers])) for row in batch.to_pylist() if row["kind"] == "absent"])
"""


@pytest.mark.parametrize("asked", [version(DISTRIBUTION), "999.9"])
def test_a_python_without_autoloader_understands_what_it_is_sent_and_says_so(asked: str, cluster: Cluster) -> None:
    from pyspark import cloudpickle

    assert cluster.url, "Spark is here"
    sent = cloudpickle.dumps(program(b"", asked))
    done = subprocess.run([sys.executable, "-c", RUNS_IT], input=sent, capture_output=True, check=True)
    said = done.stdout.decode()
    assert said.count(DISTRIBUTION) == 2
    assert ("cannot import" if asked != "999.9" else "999.9 here") in said
