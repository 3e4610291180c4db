"""What only an engine on a cluster has: switching to it and back, being stopped, and being sent away."""

from __future__ import annotations

import io
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract.conftest import Nobody

from autoloader import defining
from autoloader.engines.spark import SparkEngine, session
from autoloader.engines.spark.sources import changed, named_in, readable, source, theirs
from autoloader.errors import LeaseLost, SparkMisconfigured, SparkUnavailable, UsageError
from autoloader.lake.data_files import discard
from autoloader.model import EngineName, FileStatus, FormatType, SourceCredentials, Staged, UnknownFields
from autoloader.objects.hadoop import bucket_settings, scheme_of
from autoloader.runtime import Runtime
from autoloader.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from tests.conftest import Landing
    from tests.contract.loads import Loads, SparkLoads

    from autoloader.engines.spark.session import Cluster
    from autoloader.settings import Connections


def test_an_ingestion_goes_on_as_if_nothing_happened_when_its_engine_is_switched_and_back(
    with_spark: Connections, database_url: str, landing: Landing, namespace: str, catalog: Catalog, tmp_path: Path
) -> None:
    class Silent:
        def listing(self, counts: Any) -> None: ...
        def waiting(self, files: int, size_bytes: int) -> None: ...
        def progress(self, done: Any) -> None: ...

    draft = {"name": "e", "source_path": landing.path, "format_type": "json", "database": namespace, "table": "e"}
    with Runtime(Settings(home=tmp_path), replace(with_spark, database_url=database_url)) as runtime:
        ingestion = defining.create(
            runtime.database, draft | {"schema_json": "id BIGINT"}, runtime.lake.check_table, runtime.vault
        )
        landing.put("old.json", '{"id": 0}\n')
        for at, engine in enumerate(["embedded", "spark", "embedded", "spark"]):
            landing.put(f"{at}.json", f'{{"id": {at}}}\n')
            landing.put("old.json", f'{{"id": {100 + at}}}\n{{"id": {200 + at}}}\n')
            ingestion = defining.edit(
                runtime.database, ingestion, {"engine": engine}, runtime.lake.check_table, runtime.vault
            )
            run = runtime.run(ingestion, observer=Silent(), stopping=Event())
            assert (run.status, run.files_succeeded, run.files_failed) == ("SUCCESS", 2, 0), run.errors
            rows = catalog.load_table((namespace, "e")).scan().to_arrow().column("id").to_pylist()
            assert sorted(map(str, rows)) == sorted(map(str, [*range(at + 1), 100 + at, 200 + at])), "the old rows left"


def test_a_load_that_is_called_off_is_interrupted_and_leaves_nothing_once_it_is_discarded(on_spark: SparkLoads) -> None:
    on_spark.landing.put("a.json", '{"id": 1}\n')
    work = on_spark.work("id BIGINT", cancelled=lambda: True)
    with pytest.raises(LeaseLost):
        on_spark.engine.prepare(work, lambda _: None, lambda _: None)
    table = on_spark.tables[work.table_name]
    discard(table, work.load_id)
    assert table.refresh().metadata.snapshots == []


def test_what_was_staged_and_never_published_can_be_thrown_away(on_spark: SparkLoads) -> None:
    on_spark.landing.put("a.json", '{"id": 1}\n')
    work = on_spark.work("id BIGINT")
    made: list[Any] = []
    on_spark.engine.prepare(work, made.append, lambda _: None)
    table = on_spark.tables[work.table_name]
    assert table.refresh().current_snapshot() is None, "main shows nothing of it"
    assert len(table.metadata.snapshots) == 1
    assert discard(table, work.load_id) == 3, "a data file, a manifest, a list"
    assert table.refresh().metadata.snapshots == []


def test_a_file_that_changed_or_vanished_while_spark_read_fails_alone(on_spark: SparkLoads) -> None:
    for name in ("same", "changed", "vanished"):
        on_spark.landing.put(f"{name}.json", '{"id": 1}\n')
    files = on_spark.files()
    on_spark.landing.put("changed.json", '{"id": 2}\n')
    on_spark.landing.delete("vanished.json")  # type: ignore[attr-defined]
    result = on_spark.load("id BIGINT", files=files)
    assert [row["_source_file"].rpartition("/")[2] for row in result.rows] == ["same.json"]
    assert result.outcomes["same.json"].status is FileStatus.SUCCESS
    assert result.failure("changed.json")[0] == "FileChanged"
    assert result.failure("vanished.json")[0] == "FileVanished"


def test_a_wrong_token_or_a_server_that_is_not_there_fails_the_load_and_says_so(cluster: Cluster) -> None:
    wrong = replace(cluster, token="not the token")
    with pytest.raises(SparkMisconfigured, match="spark_connect_token") as refused, session.opened(wrong, uuid.uuid4()):
        pass
    assert "not the token" not in str(refused.value)
    nowhere = replace(cluster, url="sc://localhost:1")
    with pytest.raises(SparkUnavailable), session.opened(nowhere, uuid.uuid4()):
        pass


def test_keys_of_an_ingestion_reach_the_reader_of_its_bucket_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "the key")
    monkeypatch.setenv("SECRET", "the secret")
    from autoloader.vault import look_up

    keys = SourceCredentials(aws_access_key_id="env:KEY", aws_secret_access_key="env:SECRET", endpoint_url="http://s")
    options = bucket_settings("b", keys, look_up)
    own = "fs.s3a.bucket.b."
    assert (options[f"{own}access.key"], options[f"{own}secret.key"]) == ("the key", "the secret")
    scheme = scheme_of(options)
    assert options[f"fs.{scheme}.impl"].endswith(".S3AFileSystem"), "no client is shared with other readers"
    monkeypatch.setenv("SECRET", "another secret")
    assert scheme_of(bucket_settings("b", keys, look_up)) != scheme != scheme_of({}) == "s3a"
    assert bucket_settings("b", SourceCredentials(), look_up) == {}, "the cluster's own identity"


def test_sparks_names_of_files_are_told_from_ours(on_spark: SparkLoads) -> None:
    (file,) = [replace(each) for each in _one(on_spark, "a b+c%20é.json")]
    assert theirs(file.path).endswith("/a%20b+c%2520é.json")
    assert readable(file)
    assert not readable(replace(file, path="s3://b/_hidden.json"))
    assert not readable(replace(file, path="s3://b/what?.json"))
    assert not readable(replace(file, path="s3://b/x.zst"))
    names = [on_spark.landing.put(f"dt={day}/{n}.json", "{}") for day in range(3) for n in range(20)]
    found = [each for each in on_spark.files() if each.path in names]
    given = source(found, on_spark.store)
    assert given.by_folder
    folder = on_spark.landing.path.replace("s3://", "s3a://")  # type: ignore[attr-defined]
    assert given.paths == [f"{folder}dt={day}/" for day in range(3)]
    assert not source(found[:20], on_spark.store).by_folder, "a few are named one by one"


def test_files_in_a_crowd_of_others_are_named_one_by_one(on_spark: SparkLoads) -> None:
    for name in range(33):
        on_spark.landing.put(f"{name:02}.json", '{"id": 1}')
    found = on_spark.files()
    given = source(found, on_spark.store)
    assert given.by_folder
    assert given.others == []
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: on_spark.landing.put(f"old/{at}.json", ""), range(30 * 33)))
    given = source(found, on_spark.store)
    assert not given.by_folder
    assert len(given.paths) == len(found)
    wrong = replace(found[0], etag="other")
    assert changed(on_spark.store, [wrong, *found[1:]], by_folder=False) == [wrong]
    result = on_spark.load("id BIGINT", files=found)
    assert result.values("id") == [1] * 33


def test_what_else_is_in_the_folder_is_left_out_whether_it_was_there_or_comes_meanwhile(
    on_spark: SparkLoads, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in range(40):
        on_spark.landing.put(f"{name:02}.json", f'{{"id": {name}}}')
    some = [file for file in on_spark.files() if file.path[-7:] >= "05.json"]
    others = source(some, on_spark.store).others
    assert others is not None
    assert [name[-7:] for name in others] == [f"0{name}.json" for name in range(5)]
    assert source(some[:15], on_spark.store).by_folder is False
    assert on_spark.load("id BIGINT", files=some).values("id") == sorted(range(5, 40), key=str)
    monkeypatch.setattr("autoloader.engines.spark.engine.source", lambda *given: replace(source(*given), others=[]))
    assert on_spark.load("id BIGINT", files=some).values("id") == sorted(range(5, 40), key=str), (
        "as if nobody had seen them"
    )


def test_spark_names_the_files_that_it_cannot_read(on_spark: SparkLoads) -> None:
    (file,) = _one(on_spark, "7.json")
    given = source([replace(file, path="s3://b/dt=1/7.json")], on_spark.store)
    assert named_in("while reading file s3a://b/dt=1/7.json. SQLSTATE", given.files) == ["s3a://b/dt=1/7.json"]


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"T": pa.array([[1]]), "s": ["a"], "id": pa.array([1], pa.int32())}), sink)
    return sink.getvalue()


ORDINARY: list[tuple[FormatType, dict[str, str], str, list[bytes | str]]] = [
    (FormatType.JSON, {}, "id BIGINT, s STRING, p STRUCT<x: INT>", ['{"id": 1, "s": "a", "p": {"x": 1}}\n{"z": 1}\n']),
    (FormatType.JSON, {"encoding": "latin-1"}, "id BIGINT, s STRING", ['{"id": 1, "s": "é"}\n'.encode("latin-1")]),
    (
        FormatType.JSON,
        {"multiLine": "true"},
        "id BIGINT, s STRING",
        ['[{"id": 1, "s": "a"},\n {"id": 2}]', '{"id": 3}'],
    ),
    (FormatType.CSV, {}, "id BIGINT, s STRING", ['id,s\n1,"a ""b"", c"\n', "s,more,id\r\nx,,2\r\n"]),
    (FormatType.CSV, {"header": "false", "sep": "|", "encoding": "latin-1"}, "id BIGINT, s STRING", [b"1|\xe9\n"]),
    (FormatType.CSV, {"header": "false", "quote": "'", "escape": "\\"}, "id BIGINT, s STRING", ["1,'it\\'s'\n"]),
    (FormatType.PARQUET, {}, "id BIGINT, s STRING, t ARRAY<BIGINT>", [_parquet()]),
]


def test_ordinary_files_are_read_by_the_cluster_alone(on_spark: SparkLoads, cluster: Cluster) -> None:
    on_spark.engine = SparkEngine(cluster, Nobody())
    for at, (format_type, options, ddl, bodies) in enumerate(ORDINARY):
        for name, body in enumerate(bodies):
            on_spark.landing.put(f"{at}/{name}", body)
        files = [file for file in on_spark.files() if f"/{at}/" in file.path]
        result = on_spark.load(ddl, format_type=format_type, options=options, files=files)
        assert {outcome.status for outcome in result.outcomes.values()} == {FileStatus.SUCCESS}
        assert len(result.rows) >= len(bodies)


def test_a_token_is_sealed_and_never_goes_to_another_server(tmp_path: Path) -> None:
    from autoloader.vault import Vault

    vault = Vault(Settings(home=tmp_path))
    draft = {"name": "a", "source_path": "s3://bucket/", "format_type": "json", "database": "d", "table": "t"}
    spark = draft | {"engine": EngineName.SPARK}
    with pytest.raises(UsageError, match="spark_connect_token"):
        defining.define(spark | {"spark_connect_url": "sc://h:1/;token=x y"}, vault)
    sealed = defining.define(spark | {"spark_connect_url": "sc://h:1", "spark_connect_token": "abc"}, vault)
    assert "abc" not in repr(sealed)
    assert sealed.spark_connect_token is not None
    assert sealed.spark_connect_token.startswith("enc:")
    assert defining.as_draft(sealed)["spark_connect_token"] == "***"
    moved = defining.as_draft(sealed) | {"spark_connect_url": "sc://elsewhere:1"}
    with pytest.raises(UsageError, match="anew"):
        defining.define(moved, vault, sealed)


def _one(loads: Loads, name: str) -> list[Any]:
    loads.landing.put(name, '{"id": 1}\n')
    return loads.files()


NESTED = "id BIGINT, n INT, page STRUCT<path: STRING>, all ARRAY<STRUCT<n: INT>>, by MAP<STRING, STRUCT<n: INT>>"


@pytest.mark.parametrize(
    ("format_type", "ddl", "body", "options"),
    [
        (FormatType.JSON, "id BIGINT, p STRUCT<q: INT>", '{"id": 1, "p": {"q": null}}\n{"id": null}\n', {}),
        (FormatType.JSON, NESTED, '{"id": 1, "page": {"path": "x"}, "all": [{"n": 1}], "by": {"a": {"n": 2}}}\n', {}),
        (FormatType.JSON, NESTED, '[{"id": 1, "all": []}, {"page" : {"path": null}, "by": {}}]', {"multiLine": "true"}),
        (FormatType.CSV, "id BIGINT, s STRING", 's,id\nx,1\n"y",2\n', {}),
    ],
)
def test_where_nothing_is_unknown_spark_itself_loads_the_file_with_what_its_key_tells(
    on_spark: SparkLoads, format_type: FormatType, ddl: str, body: str, options: dict[str, str], landing: Landing
) -> None:
    landing.put("dt=2024-01-15/where=a%2Fb/a", body)
    work = on_spark.work(
        f"{ddl}, dt DATE",
        format_type=format_type,
        options=options,
        path_columns=("dt", "where"),
        unknown_fields=UnknownFields.RESCUE,
    )
    made: list[Any] = []
    on_spark.engine.prepare(work, made.append, lambda _: None)
    assert [type(each) for each in made] == [Staged]
    discard(on_spark.tables[work.table_name], work.load_id)
