"""Every file of the corpus: either engine says of it what the reference says, row for row and reject for reject."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.corpus import csv_cases, document_cases, ndjson_cases
from tests.reference.agreement import by_engine, by_reference, differences

from autoloader.engines.tolerance import RECORD_BY_RECORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.corpus.groups import Group

    Put = Callable[[str, bytes | str], str]

GROUPS = [*ndjson_cases.GROUPS, *csv_cases.GROUPS, *document_cases.GROUPS]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_every_file_of_the_corpus_is_what_the_reference_says(loads: Any, put: Put, group: Group) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, group.files.keys(), group.files.values()))
    for tolerant in (True, False) if group.format_type in RECORD_BY_RECORD else (False,):
        expected = by_reference(group.files, group.asked, tolerant=tolerant)
        found = by_engine(loads, group.files, group.asked, tolerant=tolerant)
        assert not (different := differences(expected, found, group.files)), "\n".join(
            [f"{len(different)}", *different[:60]]
        )
