"""Pages of files as JSON: whatever is asked for, and however little each looks at, together they are all of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from re import match
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ledger.ledgers import SOURCE, Ledger, bad, good, objects, path

from autoloader.ledger import browsing, tenants
from autoloader.ledger.browsing import Wanted
from autoloader.model import FileStatus, Ingestion

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = [f"{folder}/{number}.{kind}" for folder in "ab" for number in range(6) for kind in ("json", "csv")]
PATTERNS = [None, SOURCE, f"{SOURCE}a/", "*.json", f"{SOURCE}b/*csv", "*/3.*", "*nowhere*", "*"]


@pytest.fixture(scope="module")
def known(databases: Any, ledger_template: str) -> Iterator[tuple[Ledger, Ingestion]]:
    """Files in every status but PROCESSING, some of which changed at the same instant."""
    from autoloader.ledger.database import connect

    name, url = databases.create(ledger_template)
    ledger = Ledger(connect(url))
    ingestion = ledger.ingestion(max_file_size_bytes=500)
    ledger.loads_all(ingestion, objects(*NAMES[:8]), *[good, bad] * 4)
    run, _ = ledger.join(ingestion)
    ledger.record(ingestion, run, objects(*NAMES[8:]))
    ledger.record(ingestion, run, objects("b/large.json", "b/larger.csv", size=501))
    assert ledger.listed(run)
    ledger.finishes(run, good)
    ledger.ends(run)
    run, _ = ledger.join(ingestion)
    ledger.record(ingestion, run, objects("a/new.json", "b/new.csv"))
    yield ledger, ingestion
    ledger.engine.dispose()
    databases.drop(name)


def pages(ledger: Ledger, wanted: Wanted, limit: int, most: int) -> list[list[dict[str, Any]]]:
    """Every page, by the place where the one before ended."""
    found, after = [], None
    while True:
        with ledger.transaction() as connection:
            page = browsing.page(connection, wanted, limit=limit, after=after, most=most)
        found.append(json.loads(page.items))
        after = page.following
        if after is None:
            return found


def expected(ledger: Ledger, wanted: Wanted) -> list[str]:
    """What SQL and the standard library say."""
    order = "updated_at, id" if wanted.by_change else "file_path"
    rows = ledger.sql(f"SELECT file_path, status, updated_at FROM processed_files ORDER BY {order}")
    glob = wanted.path_like or "*"
    glob = glob if set(glob) & set("*?") else glob + "*"
    return [
        file_path
        for file_path, status, updated_at in rows
        if match(translate(glob), file_path)
        and wanted.status in {None, status}
        and (wanted.since is None or updated_at >= wanted.since)
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    status=st.sampled_from([None, *FileStatus]),
    like=st.sampled_from(PATTERNS),
    since=st.none() | st.integers(0, 30),
    limit=st.integers(1, 30),
    most=st.integers(1, 30),
)
def test_the_pages_together_are_all_that_was_asked_for_each_file_once(
    known: tuple[Ledger, Ingestion],
    status: FileStatus | None,
    like: str | None,
    since: int | None,
    limit: int,
    most: int,
) -> None:
    ledger, ingestion = known
    instants = [row[0] for row in ledger.sql("SELECT updated_at FROM processed_files ORDER BY updated_at, id")]
    at = None if since is None else instants[min(since, len(instants) - 1)]
    wanted = Wanted(ingestion_id=ingestion.id, status=status, path_like=like, since=at)

    found = pages(ledger, wanted, limit, most)

    assert [file["file_path"] for page in found for file in page] == expected(ledger, wanted)
    assert all(len(page) <= limit for page in found)
    with ledger.transaction() as connection:
        whole = list(browsing.all_of(connection, wanted, limit=100, most=most))
    assert [file.file_path for file in whole] == expected(ledger, wanted)


def test_a_page_looks_at_no_more_than_it_may_and_says_how_far_it_got(known: tuple[Ledger, Ingestion]) -> None:
    ledger, ingestion = known
    with ledger.transaction() as connection:
        page = browsing.page(connection, Wanted(ingestion_id=ingestion.id, path_like="*b/*"), limit=5, most=3)
    assert (page.items, page.following) == ("[]", path("a/1.csv"))


def test_files_of_other_ingestions_are_on_no_page(known: tuple[Ledger, Ingestion]) -> None:
    ledger, _ = known
    other = ledger.ingestion("other")
    for wanted in (
        Wanted(ingestion_id=other.id),
        Wanted(ingestion_id=other.id, path_like="*.json"),
        Wanted(ingestion_id=other.id, since=datetime.now(UTC) - timedelta(days=1)),
    ):
        assert pages(ledger, wanted, 10, 10) == [[]]


def test_a_key_with_a_character_that_the_ledger_cannot_hold_is_told_as_it_is(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    odd = ["a\0b", 'quote"d', "tab\t", "\u2028", "x" * 900]
    ledger.record(ingestion, run, objects(*odd))
    found = pages(ledger, Wanted(ingestion_id=ingestion.id), limit=1, most=10)
    assert sorted(file["file_path"] for page in found for file in page) == sorted(path(name) for name in odd)


def test_where_all_but_a_few_files_are_in_one_status_the_others_tell_how_many_those_are(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects("a", "b", "c"), good, bad, good)
    run, _ = ledger.join(ingestion)
    ledger.record(ingestion, run, objects("a", "b", "c", "d"))
    ledger.record(ingestion, run, objects("a", "b", "c", "d"))
    assert ledger.sql("SELECT files FROM ingestions") == [(4,)]
    counted = ledger.sql("SELECT status, count(*) FROM processed_files GROUP BY status")
    for most in (1, 2, 3, 10_000):
        with ledger.transaction() as connection:
            from autoloader.ledger import files

            assert files.counts(connection, ingestion.id, few=most) == dict(counted)


def test_the_runs_of_a_tenant_come_as_json_a_page_at_a_time(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    made = [ledger.loads_all(ingestion, objects(name)) for name in "abc"]
    with ledger.transaction() as connection:
        first = tenants.runs_page(connection, "default", limit=2)
        assert first.last is not None
        rest = tenants.runs_page(connection, "default", limit=2, before_id=first.last["id"], ingestion_id=ingestion.id)
    told = json.loads(first.items) + json.loads(rest.items)
    assert (len(told), rest.last) == (3, None)
    assert [each["id"] for each in told] == [run.id for run in reversed(made)]
    assert [each["duration_seconds"] for each in told] == [run.duration_seconds for run in reversed(made)]
    assert all("worker" not in each for each in told)
