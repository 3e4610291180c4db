"""An ingestion's keys open its bucket to the cluster in one session, and show up nowhere there."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.conftest import EVENTS

from autoloader.engines.spark import session
from autoloader.engines.spark.sources import under
from autoloader.errors import SparkMisconfigured
from autoloader.model import SourceCredentials
from autoloader.objects.hadoop import bucket_settings, scheme_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Landing
    from tests.end_to_end.conftest import User

    from autoloader.engines.spark.session import Cluster
    from autoloader.settings import Connections

KEYS = ("--access-key-id", "env:KEY", "--secret-access-key", "env:SECRET")


def told_by_the_cluster(home: Path) -> str:
    """Its log, and the events that its history and its UI are made of."""
    files = [*(home / "logs").glob("spark*"), *(home / EVENTS).iterdir()]
    assert len(files) > 1
    return "\n".join(file.read_text("utf-8", "replace") for file in files if file.is_file())


CUT = "[truncated(size="
"""What Spark puts into its events in place of a long value that is no text."""


@pytest.mark.parametrize("reader", ["sql", "python"])
def test_a_secret_is_in_no_log_event_error_or_answer_of_a_run_on_spark(
    user: User, with_spark: Connections, home: Path, reader: str
) -> None:
    key, secret = with_spark.s3_access_key_id or "", with_spark.s3_secret_access_key or ""
    spark_token = with_spark.spark_connect_token or ""
    user.environment |= {
        "AUTOLOADER_SPARK_CONNECT_URL": with_spark.spark_connect_url or "",
        "AUTOLOADER_SPARK_CONNECT_TOKEN": spark_token,
        "AUTOLOADER_SPARK_READER": reader,
        "AUTOLOADER_LOG_LEVEL": "debug",
    }
    for at in range(40):
        user.landing.put(f"{at}.json", f'{{"id": {at}}}\n' if at != 7 else "no json\n")
    endpoint = ("--endpoint-url", with_spark.s3_endpoint_url or "", "--region", "us-east-1")
    for name in ("right", "wrong"):
        user.creates(name, "--engine", "spark", "--schema", "id BIGINT", *endpoint, *KEYS)
    right = user.types("run", "right", code=1, KEY=key, SECRET=secret)
    wrong = user.types("test", "wrong", KEY="PLANTEDKEY", SECRET="planted/secret+0==", code=3)
    explained = user.types("explain", user.landing.path + "7.json", "--json")

    assert user.sees("right", "SELECT count(*), sum(id), max(_source_file) FROM rows") == [
        (39, 773, user.landing.path + "9.json")
    ]
    said = "".join(answer.out + answer.err for answer in (right, wrong, explained))
    told = told_by_the_cluster(home)
    assert "SparkListenerConnectOperationStarted" in told, "the events of this run are there"
    if reader == "sql":
        assert f"fs.s3a.bucket.{user.landing.bucket}.secret.key" in told, "they tell that there was a key"
    else:
        programs = re.findall(r'command: \\"(.*?)\\"\\n', told)
        assert programs, "they tell that there was a program"
        assert all(CUT in program and len(program) < 100 for program in programs), "and not what it holds"
    for planted in (secret, spark_token, "PLANTEDKEY", "planted/secret"):
        assert planted not in said
        assert planted not in told


def test_keys_hold_in_their_session_alone_and_are_in_no_plan(
    cluster: Cluster, with_spark: Connections, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autoloader.vault import look_up

    path = landing.put("a.json", "{}\n").replace("s3://", "s3a://")
    keys = SourceCredentials(aws_access_key_id="env:KEY", aws_secret_access_key="env:SECRET", aws_region="us-east-1")
    given = {"KEY": with_spark.s3_access_key_id or "", "SECRET": with_spark.s3_secret_access_key or ""}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = bucket_settings(landing.bucket, keys, look_up)
    right = replace(cluster, bucket=settings, scheme=scheme_of(settings))
    as_right = under(right.scheme, path)
    with session.opened(right, uuid.uuid4()) as spark:
        plan = spark.read.text(as_right)._explain_string(extended=True)
        assert "landing" in plan
        assert given["SECRET"] not in plan
        assert given["SECRET"] not in str(spark.sql("EXPLAIN EXTENDED SELECT * FROM text.`" + as_right + "`").toArrow())

    monkeypatch.setenv("KEY", "PLANTEDKEY")
    monkeypatch.setenv("SECRET", "planted/secret+0==")
    settings = bucket_settings(landing.bucket, keys, look_up)
    barred = replace(cluster, bucket=settings, scheme=scheme_of(settings))
    with session.opened(cluster, uuid.uuid4()) as own, session.opened(barred, uuid.uuid4()) as other:
        assert own.read.text(path).count() == 1, "with the identity of the cluster"
        with pytest.raises(SparkMisconfigured, match="403") as refused, session.translated(barred):
            other.read.text(under(barred.scheme, path)).count()
        assert "planted" not in str(refused.value).lower()
        with pytest.raises(SparkMisconfigured, match="SQL_CONF_NOT_FOUND"), session.translated(cluster):
            own.conf.get(f"fs.s3a.bucket.{landing.bucket}.secret.key")
        assert own.read.text(path).count() == 1, "nobody else is barred"
