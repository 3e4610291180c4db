from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ledger.ledgers import MODIFIED, Ledger, bad, good, later, objects

from autoloader.errors import LeaseLost, NotKnown
from autoloader.ledger import browsing, files, ingestions
from autoloader.model import FileStatus, ListingCounts, OnChangedFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from autoloader.model import Ingestion, SourceObject

ROWS = "SELECT xmin, * FROM processed_files WHERE ingestion_id = :id ORDER BY id"


def test_new_files_wait_with_everything_the_bucket_says(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    assert ledger.record(ingestion, run, objects("a.json", "b.json", size=22)) == ListingCounts(listed=2, new=2)
    file = ledger.file(ingestion, "a.json")
    assert (file.status, file.file_size_bytes, file.file_etag) == (FileStatus.DISCOVERED, 22, "v1")
    assert (file.file_modified_at, file.run_id, file.retry_count) == (MODIFIED, run.id, 0)
    assert (file.load_id, file.snapshot_id, file.processed_at) == (None, None, None)


def test_what_is_unchanged_is_not_written_at_all(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects("a.json", "b.json"), good, bad)
    before = ledger.sql(ROWS, id=ingestion.id)
    run, _ = ledger.join(ingestion)
    found = [replace(known, modified_at=known.modified_at + timedelta(days=1)) for known in objects("a.json", "b.json")]
    assert ledger.record(ingestion, run, found) == ListingCounts(listed=2, unchanged=2)
    assert ledger.sql(ROWS, id=ingestion.id) == before


def test_a_file_that_is_too_large_is_skipped_with_the_reason_until_the_limit_is_raised(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(max_file_size_bytes=100)
    run, _ = ledger.join(ingestion)
    found = [*objects("fits.json", size=100), *objects("big.json", size=101)]
    assert ledger.record(ingestion, run, found) == ListingCounts(listed=2, new=1, skipped=1)
    big = ledger.file(ingestion, "big.json")
    assert (big.status, big.error_type) == (FileStatus.SKIPPED, "TooLarge")
    assert (big.error_message or "").startswith("the file has 101 bytes, more than max_file_size_bytes = 100: raise")
    assert ledger.record(ingestion, run, found) == ListingCounts(listed=2, unchanged=2)
    with ledger.transaction() as connection:
        raised = ingestions.update(connection, ingestion.id, {"max_file_size_bytes": 101})
    assert ledger.record(raised, run, found) == ListingCounts(listed=2, unchanged=1, requeued=1)
    big = ledger.file(ingestion, "big.json")
    assert (big.status, big.error_type, big.error_message) == (FileStatus.DISCOVERED, None, None)
    assert [version.error_type for version in ledger.history(ingestion, "big.json")] == ["TooLarge"]


def test_an_archive_is_skipped_with_the_reason_and_what_to_do(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    names = ["a.zip", "B.TAR.GZ", "c/d.tgz", "e.tar", "f.7z"]
    found = objects(*names, "zip", "tar.json", "a.zip/b.json", "a.json.gz")
    assert ledger.record(ingestion, run, found) == ListingCounts(listed=9, new=4, skipped=5)
    for name in names:
        file = ledger.file(ingestion, name)
        assert (file.status, file.error_type) == (FileStatus.SKIPPED, "Archive")
        assert "unpack it in the bucket" in (file.error_message or "")
        assert [version.error_type for version in ledger.history(ingestion, name)] == ["Archive"]
    assert ledger.record(ingestion, run, found) == ListingCounts(listed=9, unchanged=9)
    changed = ledger.record(ingestion, run, objects("a.zip", etag="v2"))
    assert changed == ListingCounts(listed=1, skipped=1)
    assert ledger.file(ingestion, "a.zip").error_type == "Archive"


@pytest.mark.parametrize("before", [good, bad])
def test_another_etag_is_a_new_version_that_waits(ledger: Ledger, before: object) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects("a.json"), before)
    run, _ = ledger.join(ingestion)
    assert ledger.record(ingestion, run, objects("a.json", etag="v2", size=7)) == ListingCounts(listed=1, changed=1)
    file = ledger.file(ingestion, "a.json")
    assert (file.status, file.file_etag, file.file_size_bytes, file.run_id) == ("DISCOVERED", "v2", 7, run.id)
    assert (file.load_id, file.snapshot_id, file.records_ingested, file.error_type) == (None, None, 0, None)
    assert (file.processed_at, file.processing_started_at, file.bytes_read) == (None, None, 0)
    assert [version.file_etag for version in ledger.history(ingestion, "a.json")] == ["v1"]


def test_a_new_version_has_no_retries_behind_it(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects("a.json"), bad)
    ledger.loads_all(ingestion, objects("a.json"), bad)
    assert ledger.file(ingestion, "a.json").retry_count == 1
    ledger.discover(ingestion, objects("a.json", etag="v2"))
    assert ledger.file(ingestion, "a.json").retry_count == 0


@pytest.mark.parametrize(
    ("policy", "status", "error_type", "counts"),
    [
        (OnChangedFile.REPLACE, "DISCOVERED", None, ListingCounts(listed=1, changed=1)),
        (OnChangedFile.APPEND, "DISCOVERED", None, ListingCounts(listed=1, changed=1)),
        (OnChangedFile.IGNORE, "SKIPPED", "ChangedIgnored", ListingCounts(listed=1, skipped=1)),
        (OnChangedFile.FAIL, "FAILED", "ChangedRefused", ListingCounts(listed=1, refused=1)),
    ],
)
def test_the_policy_decides_about_a_version_after_one_that_is_loaded(
    ledger: Ledger, policy: OnChangedFile, status: str, error_type: str | None, counts: ListingCounts
) -> None:
    ingestion = ledger.ingestion(on_changed_file=policy)
    ledger.loads_all(ingestion, objects("a.json"))
    run, _ = ledger.join(ingestion)
    changed = objects("a.json", etag="v2")
    assert ledger.record(ingestion, run, changed) == counts
    assert ledger.record(ingestion, run, changed) == ListingCounts(listed=1, unchanged=1)
    file = ledger.file(ingestion, "a.json")
    assert (file.status, file.error_type, file.file_etag) == (status, error_type, "v2")
    told = [(version.file_etag, version.status, version.error_type) for version in ledger.history(ingestion, "a.json")]
    assert told == [("v1", "SUCCESS", None)] + ([("v2", status, error_type)] if error_type else [])
    counted = ledger.run(run)
    assert (counted.files_skipped, counted.files_failed) == (counts.skipped, counts.refused)
    assert counted.files_discovered == 1


@pytest.mark.parametrize("policy", [OnChangedFile.IGNORE, OnChangedFile.FAIL])
def test_the_policy_says_nothing_about_a_path_of_which_nothing_was_loaded(
    ledger: Ledger, policy: OnChangedFile
) -> None:
    ingestion = ledger.ingestion(on_changed_file=policy)
    ledger.loads_all(ingestion, objects("a.json"), bad)
    run, _ = ledger.join(ingestion)
    assert ledger.record(ingestion, run, objects("a.json", etag="v2")).changed == 1


def test_a_refused_change_is_not_tried_again_by_itself_and_is_when_a_person_asks(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(on_changed_file=OnChangedFile.FAIL)
    first = ledger.loads_all(ingestion, objects("a.json"))
    changed = objects("a.json", etag="v2")
    refused = ledger.ends(ledger.discover(ingestion, changed))
    assert (refused.status, refused.files_failed, refused.files_processed) == ("FAILED", 1, 1)
    run = ledger.discover(ingestion, changed)
    assert ledger.claim(run) is None
    assert ledger.retry(ingestion, "a.json") == 1
    _, (file,) = ledger.claims(run)
    (brought,) = ledger.sql("SELECT id FROM loads WHERE run_id = :id", id=first.id)
    assert file.replaces == brought


def test_a_changed_file_that_is_too_large_is_skipped(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(max_file_size_bytes=100)
    ledger.loads_all(ingestion, objects("a.json"))
    run, _ = ledger.join(ingestion)
    assert ledger.record(ingestion, run, objects("a.json", etag="v2", size=101)).skipped == 1
    assert ledger.file(ingestion, "a.json").error_type == "TooLarge"


def test_a_file_in_a_load_is_left_alone_and_its_new_version_is_seen_by_the_next_listing(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("a.json"))
    load, (file,) = ledger.claims(run)
    ledger.pass_lead(run)
    ledger.join(ingestion)
    changed = objects("a.json", etag="v2")
    assert ledger.record(ingestion, run, changed) == ListingCounts(listed=1, unchanged=1)
    ledger.store(load, [good(file)])
    ledger.finish(load)
    assert ledger.file(ingestion, "a.json").file_etag == "v1"
    assert ledger.record(ingestion, run, changed) == ListingCounts(listed=1, changed=1)


def test_a_version_that_was_never_tried_stays_in_the_history(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    for etag in ("v1", "v2", "v3"):
        ledger.record(ingestion, run, objects("a.json", etag=etag))
    ledger.listed(run)
    ledger.finishes(run, good)
    told = [(v.file_etag, v.status, v.error_type) for v in ledger.history(ingestion, "a.json")]
    assert told == [("v1", "SKIPPED", "Superseded"), ("v2", "SKIPPED", "Superseded"), ("v3", "SUCCESS", None)]
    assert ledger.ends(run).files_skipped == 0


def test_a_file_that_was_put_back_waits_again_when_the_next_listing_sees_it(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects("a.json", "b.json", "gone.json"), later)
    assert ledger.sql("SELECT count(*) FROM processed_files WHERE deferred") == [(3,)]
    run, _ = ledger.join(ingestion)
    found = [*objects("a.json"), *objects("b.json", etag="v2")]
    assert ledger.record(ingestion, run, found) == ListingCounts(listed=2, changed=1, requeued=1)
    _, claimed = ledger.claims(run)
    assert {file.etag for file in claimed} == {"v1", "v2"}


def test_a_file_that_was_put_back_and_is_not_listed_any_more_is_tried_once_in_the_next_run(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects("gone.json"), later)
    run = ledger.discover(ingestion, [])
    _, (file,) = ledger.claims(run)
    assert file.path.endswith("gone.json")


def test_a_file_put_back_in_this_run_waits_for_the_next_one(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    ledger.record(ingestion, run, objects("a.json"))
    ledger.finishes(run, later)
    assert ledger.record(ingestion, run, objects("a.json")) == ListingCounts(listed=1, unchanged=1)
    ledger.listed(run)
    assert ledger.claim(run) is None
    ledger.ends(run)


def test_only_the_leader_records_a_listing(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    ledger.pass_lead(run)
    ledger.record(ingestion, run, objects("a.json"))
    ledger.join(ingestion, "worker-2")
    ledger.record(ingestion, run, objects("a.json", etag="v2"), worker="worker-2")
    with pytest.raises(LeaseLost, match="worker-1 does not lead run"):
        ledger.record(ingestion, run, objects("a.json"))
    assert ledger.file(ingestion, "a.json").file_etag == "v2"
    ledger.listed(run, "worker-2")
    with pytest.raises(LeaseLost):
        ledger.record(ingestion, run, objects("b.json"), worker="worker-2")


def test_a_listing_of_a_deleted_ingestion_is_refused(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    ledger.sql("DELETE FROM runs")
    ledger.sql("DELETE FROM ingestions")
    with pytest.raises(NotKnown, match="events was deleted"):
        ledger.record(ingestion, run, objects("a.json"))


def test_at_most_so_much_news_is_recorded_in_the_order_of_the_paths(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    found = objects("c.json", "a.json", "d.json", "b.json")
    assert ledger.record(ingestion, run, found, at_most=2).new == 2
    assert ledger.sql("SELECT file_path FROM processed_files ORDER BY id") == [
        ("s3://landing/events/a.json",),
        ("s3://landing/events/b.json",),
    ]
    assert ledger.record(ingestion, run, found, at_most=0).new == 0
    assert ledger.record(ingestion, run, found).new == 2


def test_the_same_path_of_two_ingestions_is_two_files(ledger: Ledger) -> None:
    one, two = ledger.ingestion("one"), ledger.ingestion("two")
    for ingestion in (one, two):
        ledger.loads_all(ingestion, objects("a.json"))
    assert ledger.file(one, "a.json").id != ledger.file(two, "a.json").id


ODD = [
    " leading and trailing ",
    "a+b%20c%2Fd",
    "#?*[x]{y}",
    "quote'\"`",
    "back\\slash\\n\\N",
    "tab\tnew\nline\rreturn",
    "nul\0byte",
    "\x01\x1f\x7f\x85",
    "é",
    "e\u0301",
    "💥\u2028\ufeff",
    "\\.",
    "x" * 1000,
    "%s%%:name",
    "..",
    "a//b",
]


def test_every_key_is_kept_as_it_is(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    found = objects(*ODD)
    run = ledger.discover(ingestion, found)
    _, claimed = ledger.claims(run)
    assert {file.path for file in claimed} == {known.path for known in found}
    with ledger.transaction() as connection:
        listed = list(browsing.all_of(connection, browsing.Wanted(ingestion_id=ingestion.id), limit=100))
        assert {file.file_path for file in listed} == {known.path for known in found}
        for known in found:
            assert [file.file_path for file in files.find(connection, known.path)] == [known.path]


def test_known_odd_keys_are_unchanged_when_they_are_listed_again(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects(*ODD))
    run, _ = ledger.join(ingestion)
    assert ledger.record(ingestion, run, objects(*ODD)) == ListingCounts(listed=len(ODD), unchanged=len(ODD))


KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\U0010ffff"), min_size=1, max_size=8)
LISTINGS = st.dictionaries(KEYS, st.tuples(st.sampled_from(["v1", "v2"]), st.integers(0, 200)), max_size=20)


def listed_objects(listing: dict[str, tuple[str, int]]) -> list[SourceObject]:
    return [found for key, (etag, size) in listing.items() for found in objects(key, etag=etag, size=size)]


def state(ledger: Ledger, ingestion: Ingestion) -> list[tuple[object, ...]]:
    return ledger.sql(
        "SELECT f.file_path, f.file_etag, f.file_size_bytes, f.status, f.error_type, f.error_message, f.retry_count, "
        "(SELECT array_agg((o.file_etag, o.status, o.error_type)::text ORDER BY o.id) FROM outcomes o "
        "WHERE o.file_id = f.id) FROM processed_files f WHERE f.ingestion_id = :id ORDER BY f.file_path",
        id=ingestion.id,
    )


def sliced(found: Sequence[SourceObject], cuts: list[int]) -> list[Sequence[SourceObject]]:
    at = [0, *sorted(cut % (len(found) + 1) for cut in cuts), len(found)]
    return [found[begin:end] for begin, end in pairwise(at)]


@given(
    first=LISTINGS,
    second=LISTINGS,
    cuts=st.lists(st.integers(0, 100), max_size=4),
    order=st.randoms(use_true_random=False),
    few=st.integers(0, 25),
    policy=st.sampled_from(OnChangedFile),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_listing_means_the_same_in_one_part_in_many_in_any_order_and_twice(
    ledger: Ledger,
    first: dict[str, tuple[str, int]],
    second: dict[str, tuple[str, int]],
    cuts: list[int],
    order: Random,
    few: int,
    policy: OnChangedFile,
) -> None:
    fields = {"max_file_size_bytes": 150, "on_changed_file": policy}
    (number,) = ledger.sql("SELECT count(*) FROM ingestions")[0]
    whole, parts = ledger.ingestion(f"whole-{number}", **fields), ledger.ingestion(f"parts-{number}", **fields)
    sums = {}
    for ingestion in (whole, parts):
        run, _ = ledger.join(ingestion)
        ledger.record(ingestion, run, listed_objects(first))
        ledger.listed(run)
        if ledger.counts(ingestion).get(FileStatus.DISCOVERED):
            ledger.finishes(run, good)
        ledger.end(run)
    found = listed_objects(second)
    run, _ = ledger.join(whole)
    sums["whole"] = ledger.record(whole, run, found)
    run, _ = ledger.join(parts)
    order.shuffle(found)
    pieces = [ledger.record(parts, run, part, looked_up=few) for part in sliced(found, cuts)]
    sums["parts"] = sum(pieces, ListingCounts())
    assert sums["parts"] == sums["whole"]
    assert state(ledger, parts) == state(ledger, whole)
    before = ledger.sql(ROWS, id=parts.id)
    again = [ledger.record(parts, run, part, looked_up=few) for part in sliced(found, cuts)]
    assert sum(again, ListingCounts()) == ListingCounts(listed=len(found), unchanged=len(found))
    assert ledger.sql(ROWS, id=parts.id) == before
