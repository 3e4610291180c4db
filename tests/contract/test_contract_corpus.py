"""Every file of the corpus: either engine says of it what the reference says, row for row and reject for reject."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.loads import SparkLoads
from tests.corpus import csv_cases, document_cases, ndjson_cases
from tests.reference.agreement import by_engine, by_reference, differences

from autoloader.engines.tolerance import RECORD_BY_RECORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.corpus.groups import Group

    Put = Callable[[str, bytes | str], str]

GROUPS = [*ndjson_cases.GROUPS, *csv_cases.GROUPS, *document_cases.GROUPS]


STRICT_ON_SPARK = {"what is around lines"}
"""Groups that Spark loads a second time, each bad record failing its file: the worker says which, as it does here."""
BY_LINES_ON_SPARK = {"every text of every type", "what is and is not JSON", "unknown fields kept"}
"""Groups that Spark reads line by line, for a large file is among them; small ones alone it reads whole."""


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_every_file_of_the_corpus_is_what_the_reference_says(loads: Any, put: Put, group: Group) -> None:
    files = chosen(loads, group)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, files.keys(), files.values()))
    for tolerant in policies(loads, group):
        expected = by_reference(files, group.asked, tolerant=tolerant)
        different = differences(expected, by_engine(loads, files, group.asked, tolerant=tolerant), files)
        assert not different, "\n".join([f"{len(different)} files", *different[:60]])


def chosen(loads: Any, group: Group) -> dict[str, bytes]:
    """All files; on Spark, where each takes its time, not those that differ from another one by the last line end."""
    if not isinstance(loads, SparkLoads):
        return dict(group.bodies)
    found = {name: body for name, body in group.bodies.items() if not name.endswith("-last")}
    return found | ({"large": b"{}" + b" " * 2**20 + b"\n"} if group.name in BY_LINES_ON_SPARK else {})


def policies(loads: Any, group: Group) -> list[bool]:
    """Whether bad records are tolerated, load for load."""
    if group.format_type not in RECORD_BY_RECORD:
        return [False]
    strict = not isinstance(loads, SparkLoads) or group.name in STRICT_ON_SPARK
    return [True, False] if strict else [True]
