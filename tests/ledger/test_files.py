from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fnmatch import translate
from re import match
from typing import TYPE_CHECKING, Any

import pytest
from tests.ledger.ledgers import SOURCE, Ledger, bad, good, later, objects, path

from autoloader.errors import NotKnown, WrongState
from autoloader.ledger import browsing, files, loads
from autoloader.model import FileStatus, LoadState, OnChangedFile, Waiting, WriteMode

if TYPE_CHECKING:
    from autoloader.model import File, Ingestion


def listed(ledger: Ledger, ingestion: Ingestion, limit: int = 100, most: int = 1000, **wanted: Any) -> list[File]:
    with ledger.transaction() as connection:
        chosen = browsing.Wanted(ingestion_id=ingestion.id, **wanted)
        return list(browsing.all_of(connection, chosen, limit=limit, most=most))


def names(found: list[File]) -> list[str]:
    return [file.file_path.removeprefix(SOURCE) for file in found]


def test_failed_files_are_tried_again_by_later_runs_until_their_retries_are_used_up(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(max_retries=2)
    ledger.loads_all(ingestion, objects("a.json"), bad)
    for retries in (1, 2):
        run = ledger.loads_all(ingestion, objects("a.json"), bad)
        assert run.files_failed == 1
        assert ledger.file(ingestion, "a.json").retry_count == retries
    run = ledger.discover(ingestion, objects("a.json"))
    assert ledger.claim(run) is None
    assert ledger.ends(run).files_discovered == 0
    assert len(ledger.history(ingestion, "a.json")) == 3


def test_a_file_that_failed_in_this_run_is_not_tried_again_in_it(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    ledger.record(ingestion, run, objects("a.json"))
    ledger.finishes(run, bad)
    assert ledger.requeue_failed(ingestion, run) == 0


def test_a_person_lets_failed_files_be_tried_again_with_all_their_retries(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(max_retries=0)
    ledger.loads_all(ingestion, objects("a.json", "b.json", "c.json"), bad, bad, good)
    assert ledger.retry(ingestion, "a.json", "a.json") == 1
    file = ledger.file(ingestion, "a.json")
    assert (file.status, file.retry_count, file.error_type) == (FileStatus.DISCOVERED, 0, None)
    assert ledger.retry(ingestion) == 1
    assert ledger.retry(ingestion) == 0
    run = ledger.loads_all(ingestion, objects("a.json", "b.json", "c.json"))
    assert (run.files_succeeded, run.files_discovered) == (2, 2)


def test_paths_that_cannot_be_retried_are_named_and_nothing_is_changed(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects("a.json", "b.json"), bad, good)
    with pytest.raises(NotKnown, match=r"never seen by this ingestion: s3://landing/events/x.json, .*y.json;"):
        ledger.retry(ingestion, "a.json", "x.json", "y.json")
    with pytest.raises(WrongState, match=r"only FAILED files can be retried: .*b.json \(SUCCESS\)"):
        ledger.retry(ingestion, "a.json", "b.json")
    with pytest.raises(NotKnown, match="and 3 more"):
        ledger.retry(ingestion, *(f"{number}.json" for number in range(8)))
    assert ledger.file(ingestion, "a.json").status is FileStatus.FAILED
    with ledger.transaction() as connection, pytest.raises(NotKnown, match="no ingestion 404"):
        files.retry(connection, 404)


def test_a_retry_never_adds_a_second_load_to_a_run_that_overwrites(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(write_mode=WriteMode.OVERWRITE)
    run = ledger.discover(ingestion, objects("a.json", "b.json"))
    ledger.finishes(run, good, bad)
    with pytest.raises(WrongState, match="overwriting its table"):
        ledger.retry(ingestion)
    ledger.ends(run)
    assert ledger.retry(ingestion) == 1


def test_counts_and_what_waits(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(max_file_size_bytes=500)
    other = ledger.ingestion("other")
    ledger.loads_all(ingestion, objects("a.json", "b.json", "put-back.json"), good, bad, later)
    ledger.discover(other, objects("a.json"))
    run, _ = ledger.join(ingestion)
    ledger.record(ingestion, run, [*objects("c.json", "d.json", size=500), *objects("big.json", size=501)])
    assert ledger.counts(ingestion) == {"SUCCESS": 1, "FAILED": 1, "DISCOVERED": 3, "SKIPPED": 1}
    with ledger.transaction() as connection:
        assert files.waiting(connection, ingestion.id) == Waiting(files=2, bytes=1000)
        assert files.waiting(connection, 404) == Waiting(files=0, bytes=0)
        sample = files.waiting_objects(connection, ingestion.id, limit=2)
    assert sample == objects("c.json", "d.json", size=500)


def test_files_are_listed_by_path_a_page_at_a_time(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    ledger.record(ingestion, run, objects("b", "a", "B", "é", "a/1", "Z"))
    assert names(listed(ledger, ingestion)) == ["B", "Z", "a", "a/1", "b", "é"]
    assert names(listed(ledger, ingestion, limit=4)) == ["B", "Z", "a", "a/1"]


def test_files_are_listed_by_status_and_by_when_they_changed(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects("a.json", "b.json", "c.json"), good, bad, good)
    assert names(listed(ledger, ingestion, status=FileStatus.SUCCESS)) == ["a.json", "c.json"]
    assert names(listed(ledger, ingestion, status=FileStatus.FAILED)) == ["b.json"]
    ((now,),) = ledger.sql("SELECT clock_timestamp()")
    assert listed(ledger, ingestion, since=now) == []
    ledger.retry(ingestion, "b.json")
    assert names(listed(ledger, ingestion, since=now)) == ["b.json"]
    assert len(listed(ledger, ingestion, since=datetime.now(UTC) - timedelta(days=1))) == 3


LIKE = [
    "a.json",
    "a.jsonl",
    "A.json",
    "dt=1/a.json",
    "dt=1/b.csv",
    "100%.json",
    "100x.json",
    "a_b",
    "axb",
    "a\\b",
    "[a]",
]


@pytest.mark.parametrize(
    "wanted",
    [SOURCE, f"{SOURCE}a", f"{SOURCE}a*", f"{SOURCE}*.json", "*b*", f"{SOURCE}a?b", f"{SOURCE}100%", f"{SOURCE}100%*",
     f"{SOURCE}a_b", f"{SOURCE}a\\b", f"{SOURCE}a\\*", "*/dt=?/*", "nothing*", f"{SOURCE}[a]", "*"],
)  # fmt: skip
def test_a_path_is_matched_as_a_beginning_or_as_a_glob(ledger: Ledger, wanted: str) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    ledger.record(ingestion, run, objects(*LIKE))
    glob = wanted if "*" in wanted or "?" in wanted else wanted + "*"
    expected = sorted(name for name in LIKE if match(translate(glob.replace("[", "[[]")), path(name)))
    assert names(listed(ledger, ingestion, path_like=wanted)) == expected


def test_a_path_is_found_in_every_ingestion_that_knows_it(ledger: Ledger) -> None:
    one, two = ledger.ingestion("one"), ledger.ingestion("two")
    for ingestion in (one, two):
        ledger.discover(ingestion, objects("a.json"))
    with ledger.transaction() as connection:
        assert [file.ingestion_id for file in files.find(connection, path("a.json"))] == [one.id, two.id]
        assert [file.ingestion_id for file in files.find(connection, path("a.json"), two.id)] == [two.id]
        assert files.find(connection, path("b.json")) == []
        (file,) = files.find(connection, path("a.json"), one.id)
        assert files.get(connection, file.id) == file
        with pytest.raises(NotKnown, match="no file 404"):
            files.get(connection, 404)


def test_the_failed_files_of_a_run_are_those_that_are_still_failed(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(max_retries=0)
    first = ledger.loads_all(ingestion, objects("a.json", "b.json"), bad)
    second = ledger.loads_all(ingestion, objects("a.json", "b.json", "c.json"), bad)
    ledger.retry(ingestion, "a.json")
    with ledger.transaction() as connection:
        assert names(files.failed_in_run(connection, first.id, limit=9)) == ["b.json"]
        assert names(files.failed_in_run(connection, second.id, limit=9)) == ["c.json"]


def test_the_history_tells_every_version_and_attempt(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(on_changed_file=OnChangedFile.REPLACE, max_file_size_bytes=1000)
    ledger.loads_all(ingestion, objects("a.json"), bad)
    ledger.loads_all(ingestion, objects("a.json"), good, snapshot_id=11)
    ledger.ends(ledger.discover(ingestion, objects("a.json", etag="v2", size=1001)))
    run = ledger.discover(ingestion, objects("a.json", etag="v3"))
    lost, _ = ledger.claims(run)
    ledger.expire(lost)
    with ledger.transaction() as connection:
        loads.settle_failed(connection, lost.id)
    ledger.finishes(run, good, snapshot_id=12)

    history = ledger.history(ingestion, "a.json")
    told = [(v.file_etag, v.status, v.load_state, v.snapshot_id, v.error_type) for v in history]
    assert told == [
        ("v1", "FAILED", "COMMITTED", None, "BadRecord"),
        ("v1", "SUCCESS", "COMMITTED", 11, None),
        ("v2", "SKIPPED", None, None, "TooLarge"),
        ("v3", "DISCOVERED", "FAILED", None, "WorkerLost"),
        ("v3", "SUCCESS", "COMMITTED", 12, None),
    ]
    assert [version.load_id for version in history].count(None) == 1
    assert [version.recorded_at for version in history] == sorted(version.recorded_at for version in history)
    assert (history[1].records_ingested, history[1].bytes_read, history[1].duration_ms) == (10, 100, 7)
    assert history[2].file_size_bytes == 1001


def test_the_history_does_not_claim_what_an_open_load_has_only_prepared(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("a.json"))
    load, (file,) = ledger.claims(run)
    ledger.store(load, [good(file)])
    (version,) = ledger.history(ingestion, "a.json")
    assert (version.status, version.load_state) == (FileStatus.PROCESSING, LoadState.RUNNING)
    ledger.expire(load)
    (version,) = ledger.history(ingestion, "a.json")
    assert (version.status, version.load_state) == (FileStatus.PROCESSING, LoadState.LOST)
