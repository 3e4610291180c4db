"""``engine: auto`` as a user meets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from autoloader.lake.staged import STAGING

if TYPE_CHECKING:
    from tests.end_to_end.conftest import User

NOWHERE = "sc://localhost:1"


@pytest.mark.parametrize("named", [False, True])
def test_small_loads_of_auto_are_done_here_whether_a_cluster_is_named_or_not(user: User, *, named: bool) -> None:
    user.environment["AUTOLOADER_LOG_LEVEL"] = "info"
    if named:
        user.environment["AUTOLOADER_SPARK_CONNECT_URL"] = NOWHERE
    user.landing.put("a.json", '{"id": 1}\n')
    user.creates("events", "--engine", "auto", "--schema", "id BIGINT")
    assert user.types("show", "events", "--json").json["ingestion"]["engine"] == "auto"

    run = user.types("run", "events")

    assert user.sees("events", "SELECT id FROM rows") == [(1,)]
    assert ("load.engine_chosen" in run.err) is named, "where no cluster is named, there is nothing to choose"
    properties = user.catalog.load_table(f"{user.namespace}.events").properties
    assert (properties.get(STAGING) == "true") is named, "another load of it may be Spark's"


def test_a_test_of_auto_looks_at_the_cluster_where_one_is_named(user: User) -> None:
    user.landing.put("a.json", '{"id": 1}\n')
    user.creates("events", "--engine", "auto", "--schema", "id BIGINT")
    assert user.types("test", "events", "--json").json["spark"] == []
    assert NOWHERE in user.types("test", "events", code=3, AUTOLOADER_SPARK_CONNECT_URL=NOWHERE).err
