"""The ledger against a model of it: a bucket that changes, loads that land or not, owners that come back too late.

The model keeps what a reader of the contract would expect: the status of each file, the rows in the table. After every
step the database must say the same, and nothing that may not be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.ledger.ledgers import LEASE, MODIFIED, Ledger, bad, good, later, path

from autoloader.errors import LeaseLost
from autoloader.ledger import loads
from autoloader.model import FileStatus, LoadState, OnChangedFile, Outcome, SourceObject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from autoloader.model import ClaimedFile, Ingestion, Load, Run

MAX_BYTES = 100
MAX_RETRIES = 1
NAMES = st.sampled_from("abc")
SIZES = st.sampled_from([1, 1, 1, 0, MAX_BYTES + 1])
MOST = st.integers(1, 3)
STEPS = st.sampled_from([3, 3, 3, 2, 1, 0])
RESULTS = st.lists(st.sampled_from([good, good, good, bad, later, partial(good, records=0)]), min_size=3, max_size=3)
POLICIES = st.sampled_from([OnChangedFile.REPLACE, *OnChangedFile])
REFUSED = {OnChangedFile.IGNORE: ("SKIPPED", "ChangedIgnored"), OnChangedFile.FAIL: ("FAILED", "ChangedRefused")}

NOTHING_IMPOSSIBLE = """
SELECT 'in a load that is over' FROM processed_files f LEFT JOIN loads l ON l.id = f.load_id
    WHERE f.status = 'PROCESSING' AND coalesce(l.state, '') NOT IN ('RUNNING', 'LOST')
UNION ALL SELECT 'rows without a snapshot' FROM processed_files
    WHERE status = 'SUCCESS' AND snapshot_id IS NULL AND records_ingested > 0
UNION ALL SELECT 'in two open loads' FROM outcomes o JOIN loads l ON l.id = o.load_id
    WHERE l.state IN ('RUNNING', 'LOST') GROUP BY o.file_id HAVING count(*) > 1
UNION ALL SELECT 'an open load whose file is elsewhere' FROM outcomes o JOIN loads l ON l.id = o.load_id
    JOIN processed_files f ON f.id = o.file_id
    WHERE l.state IN ('RUNNING', 'LOST') AND (f.status <> 'PROCESSING' OR f.load_id <> l.id)
UNION ALL SELECT 'an outcome left open' FROM outcomes o JOIN loads l ON l.id = o.load_id
    WHERE l.state IN ('COMMITTED', 'FAILED') AND o.status = 'PROCESSING'
UNION ALL SELECT 'a failed load that brought rows' FROM outcomes o JOIN loads l ON l.id = o.load_id
    WHERE l.state = 'FAILED' AND (o.status <> 'DISCOVERED' OR o.error_type IS NULL)
UNION ALL SELECT 'decided without an outcome' FROM processed_files f
    WHERE f.status IN ('SUCCESS', 'FAILED', 'SKIPPED') AND NOT EXISTS (SELECT FROM outcomes o
        WHERE o.file_id = f.id AND o.file_etag = f.file_etag AND o.status = f.status)
UNION ALL SELECT 'an outcome of no file' FROM outcomes o
    WHERE NOT EXISTS (SELECT FROM processed_files f WHERE f.id = o.file_id)
UNION ALL SELECT 'an ended run with an open load' FROM loads l JOIN runs r ON r.id = l.run_id
    WHERE l.state IN ('RUNNING', 'LOST') AND r.status = 'SUCCESS'
"""


@dataclass
class Known:
    """A file as the model knows it."""

    etag: str
    size: int
    status: str
    error_type: str | None = None
    ever_loaded: bool = False
    deferred: bool = False
    retries: int = 0
    run: int = 0


@dataclass
class Attempt:
    """A load as the model knows it. ``landed``: it is in the table, whatever the ledger knows."""

    load: Load
    claimed: tuple[ClaimedFile, ...]
    state: LoadState = LoadState.RUNNING
    stored: list[Outcome] = field(default_factory=list)
    landed: bool = False

    def results(self) -> Iterator[tuple[str, ClaimedFile, Outcome]]:
        """Name, file and stored outcome of each file."""
        outcomes = {outcome.file_id: outcome for outcome in self.stored}
        for file in self.claimed:
            yield file.path[-1], file, outcomes[file.file_id]


class LedgerMachine(RuleBasedStateMachine):
    """One ingestion on a ledger that all examples share."""

    ledger: ClassVar[Ledger]

    @initialize(policy=POLICIES, names=st.sets(NAMES, min_size=2))
    def begins(self, policy: OnChangedFile, names: set[str]) -> None:
        ((number,),) = self.ledger.sql("SELECT count(*) FROM ingestions")
        self.ledger.sql("UPDATE runs SET status = 'CANCELLED', ended_at = now() WHERE ended_at IS NULL")
        self.ledger.sql("UPDATE loads SET state = 'FAILED', ended_at = now() WHERE ended_at IS NULL")
        self.ledger.sql("DELETE FROM processed_files")
        self.ledger.sql("DELETE FROM outcomes")
        self.policy = policy
        self.ingestion: Ingestion = self.ledger.ingestion(
            f"n{number}", on_changed_file=policy, max_file_size_bytes=MAX_BYTES, max_retries=MAX_RETRIES
        )
        self.bucket: dict[str, tuple[str, int]] = {}
        self.version = 0
        self.files: dict[str, Known] = {}
        self.attempts: list[Attempt] = []
        self.table: list[tuple[str, str, UUID]] = []
        self.run: Run | None = None
        self.discovers_changes(dict.fromkeys(sorted(names), 1), set())

    # The bucket and discovery

    @rule(changed=st.dictionaries(NAMES, SIZES), gone=st.sets(NAMES, max_size=1))
    def discovers_changes(self, changed: dict[str, int], gone: set[str]) -> None:
        for name, size in changed.items():
            self.version += 1
            self.bucket[name] = (f"v{self.version}", size)
        for name in gone:
            self.bucket.pop(name, None)
        self.discovers()

    def discovers(self) -> None:
        """A new run lists, or, where one goes on, someone who takes the lead of it."""
        if self.run is not None:
            self.the_run_ends_when_it_is_settled()
        if self.run is not None:
            self.ledger.pass_lead(self.run)
        run, leads = self.ledger.join(self.ingestion)
        assert leads
        self.run = run
        self.ledger.record(self.ingestion, run, [_object(name, *seen) for name, seen in self.bucket.items()])
        for name, (etag, size) in self.bucket.items():
            self._expect_listed(name, etag, size, run.id)
        requeued = sum(self._requeues(known, run.id) for known in self.files.values())
        assert self.ledger.requeue_failed(self.ingestion, run) == requeued
        assert self.ledger.listed(run)
        for known in self.files.values():
            if known.deferred and known.run < run.id:
                known.deferred, known.run = False, run.id

    def _expect_listed(self, name: str, etag: str, size: int, run: int) -> None:
        known = self.files.get(name)
        if known is None:
            self.files[name] = Known(etag, size, *_fitting(size), run=run)
        elif known.etag == etag and known.deferred and known.run != run:
            known.deferred, known.run, known.error_type = False, run, None
        elif known.etag != etag and known.status != "PROCESSING":
            known.etag, known.size, known.retries, known.deferred, known.run = etag, size, 0, False, run
            verdict = REFUSED.get(self.policy) if known.ever_loaded else None
            known.status, known.error_type = verdict or _fitting(size)

    def _requeues(self, known: Known, run: int) -> bool:
        failed_before = known.status == "FAILED" and known.error_type != "ChangedRefused" and known.run != run
        if not failed_before or known.retries >= MAX_RETRIES:
            return False
        known.status, known.error_type, known.retries, known.run = "DISCOVERED", None, known.retries + 1, run
        return True

    @precondition(lambda self: any(known.status == "FAILED" for known in self.files.values()))
    @rule()
    def a_person_asks_for_a_retry(self) -> None:
        failed = [known for known in self.files.values() if known.status == "FAILED"]
        assert self.ledger.retry(self.ingestion) == len(failed)
        for known in failed:
            known.status, known.error_type, known.retries = "DISCOVERED", None, 0

    # A worker

    def _waiting(self) -> list[str]:
        return [name for name, known in self.files.items() if known.status == "DISCOVERED" and not known.deferred]

    @rule(changed=st.dictionaries(NAMES, SIZES, min_size=1), most=MOST, results=RESULTS, steps=STEPS)
    def a_version_comes_and_is_claimed(
        self, changed: dict[str, int], most: int, results: list[Any], steps: int
    ) -> None:
        self.discovers_changes(changed, set())
        if self._waiting():
            self.claims(most, results, steps)

    @precondition(lambda self: self.run is not None and self._waiting())
    @rule(most=MOST, results=RESULTS, steps=STEPS)
    def claims(self, most: int, results: list[Any], steps: int) -> None:
        """A worker claims, and goes on by some of its steps."""
        assert self.run is not None
        waiting = self._waiting()
        load, claimed = self.ledger.claims(self.run, max_files=most)
        assert len(claimed) == min(most, len(waiting))
        for file in claimed:
            name = file.path[-1]
            known = self.files[name]
            assert name in waiting
            assert (file.etag, file.size_bytes) == (known.etag, known.size)
            known.status, known.error_type, known.run = "PROCESSING", None, self.run.id
        self.attempts.append(Attempt(load, claimed))
        self._goes_on(self.attempts[-1], results, steps)

    @precondition(lambda self: self.run is not None and not self._waiting())
    @rule()
    def claims_in_vain(self) -> None:
        assert self.run is not None
        assert self.ledger.claim(self.run) is None

    def _in(self, *states: LoadState) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.state in states]

    @precondition(lambda self: self._in(LoadState.RUNNING))
    @rule(data=st.data(), results=RESULTS, steps=st.integers(1, 3))
    def an_owner_goes_on(self, data: st.DataObject, results: list[Any], steps: int) -> None:
        self._goes_on(data.draw(st.sampled_from(self._in(LoadState.RUNNING))), results, steps)

    def _goes_on(self, attempt: Attempt, results: list[Any], steps: int) -> None:
        """Store the outcomes, publish, finish: so many of these that are still to be done."""
        for _ in range(steps):
            if attempt.state is not LoadState.RUNNING:
                return
            if not attempt.stored:
                attempt.stored = [result(file) for result, file in zip(results, attempt.claimed, strict=False)]
                self.ledger.store(attempt.load, attempt.stored)
            elif not attempt.landed:
                assert self._renews(attempt)
                self._lands(attempt)
            else:
                assert self.ledger.finish(attempt.load, 7)
                self._expect_committed(attempt)

    def _renews(self, attempt: Attempt) -> bool:
        with self.ledger.transaction() as connection:
            return loads.renew(connection, attempt.load.id, LEASE)

    def _lands(self, attempt: Attempt) -> None:
        """The commit to the table, whoever learns of it."""
        attempt.landed = True
        for name, file, outcome in attempt.results():
            if outcome.status is FileStatus.SUCCESS:
                self.table = [row for row in self.table if row[0] != name or row[2] not in file.replaces]
                self.table += [(name, file.etag, attempt.load.id)] * (outcome.records_ingested > 0)

    @precondition(lambda self: any(not attempt.landed for attempt in self._in(LoadState.RUNNING)))
    @rule(data=st.data())
    def an_owner_gives_up(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from([a for a in self._in(LoadState.RUNNING) if not a.landed]))
        with self.ledger.transaction() as connection:
            assert loads.fail(connection, attempt.load.id, "SpoolFull", "no room")
        self._expect_put_back(attempt)

    # Silence and recovery

    @precondition(lambda self: self._in(LoadState.RUNNING))
    @rule(data=st.data())
    def a_lease_passes(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(self._in(LoadState.RUNNING)))
        self.ledger.pass_lease(attempt.load)
        assert not self._renews(attempt)
        attempt.state = LoadState.LOST
        assert {load.id for load in self.ledger.expire()} == {a.load.id for a in self._in(LoadState.LOST)}

    @precondition(lambda self: self._in(LoadState.LOST))
    @rule(data=st.data())
    def a_recoverer_settles(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(self._in(LoadState.LOST)))
        with self.ledger.transaction() as connection:
            if attempt.landed:
                assert loads.settle_committed(connection, attempt.load.id, 7)
            else:
                assert loads.settle_failed(connection, attempt.load.id)
        if attempt.landed:
            self._expect_committed(attempt)
        else:
            self._expect_put_back(attempt)

    @precondition(lambda self: self._in(LoadState.LOST, LoadState.COMMITTED, LoadState.FAILED))
    @rule(data=st.data())
    def a_zombie_tries_everything(self, data: st.DataObject) -> None:
        """The owner of a load that is not its own any more, and recoverers of one that is settled: all in vain."""
        attempt = data.draw(st.sampled_from(self._in(LoadState.LOST, LoadState.COMMITTED, LoadState.FAILED)))
        load_id = attempt.load.id
        assert not self._renews(attempt)
        with pytest.raises(LeaseLost):
            self.ledger.store(attempt.load, [good(file) for file in attempt.claimed])
        assert not self.ledger.finish(attempt.load, 8)
        with self.ledger.transaction() as connection:
            assert not loads.fail(connection, load_id, "SpoolFull", "no room")
            if attempt.state is not LoadState.LOST:
                assert not loads.settle_committed(connection, load_id, 8)
                assert not loads.settle_failed(connection, load_id)

    @precondition(lambda self: self._in(LoadState.RUNNING))
    @rule(data=st.data())
    def a_recoverer_is_too_early(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(self._in(LoadState.RUNNING)))
        with self.ledger.transaction() as connection:
            assert not loads.settle_failed(connection, attempt.load.id)
            assert not loads.settle_committed(connection, attempt.load.id, 8)

    def _expect_committed(self, attempt: Attempt) -> None:
        attempt.state = LoadState.COMMITTED
        for name, _, outcome in attempt.results():
            known = self.files[name]
            known.status, known.error_type = outcome.status.value, outcome.error_type
            known.deferred = outcome.status is FileStatus.DISCOVERED
            known.ever_loaded |= outcome.status is FileStatus.SUCCESS

    def _expect_put_back(self, attempt: Attempt) -> None:
        attempt.state = LoadState.FAILED
        for file in attempt.claimed:
            self.files[file.path[-1]].status = "DISCOVERED"

    @precondition(lambda self: self.run is not None)
    @rule()
    def the_run_ends_when_it_is_settled(self) -> None:
        assert self.run is not None
        loading = [name for name, known in self.files.items() if known.status == "PROCESSING"]
        ended = self.ledger.end(self.run)
        assert (ended is None) == bool(loading or self._waiting())
        if ended is not None:
            self._check_counters(ended)
            self.run = None

    def _check_counters(self, ended: Run) -> None:
        last = self.ledger.sql(
            "SELECT DISTINCT ON (o.file_id) o.status, o.records_ingested FROM outcomes o "
            "WHERE o.run_id = :id ORDER BY o.file_id, o.id DESC",
            id=ended.id,
        )
        statuses = [status for status, _ in last]
        assert ended.files_succeeded == statuses.count("SUCCESS")
        assert ended.files_failed == statuses.count("FAILED")
        assert ended.files_skipped == statuses.count("SKIPPED")
        assert ended.files_processed == ended.files_succeeded + ended.files_failed
        assert ended.files_discovered == len(last)
        assert ended.records_ingested == sum(records for _, records in last)
        assert ended.status == ("FAILED" if ended.files_failed and not ended.files_succeeded else "SUCCESS")

    # What always holds

    @invariant()
    def every_file_is_where_the_model_says(self) -> None:
        rows = self.ledger.sql(
            "SELECT right(file_path, 1), file_etag, file_size_bytes, status, error_type, ever_loaded, deferred, "
            "retry_count FROM processed_files"
        )
        told = {name: tuple(facts) for name, *facts in rows}
        assert len(told) == len(rows)
        expected = {
            name: (k.etag, k.size, k.status, k.error_type, k.ever_loaded, k.deferred, k.retries)
            for name, k in self.files.items()
        }
        assert told == expected
        assert sum(self.ledger.counts(self.ingestion).values()) == len(self.files)

    @invariant()
    def nothing_impossible_is_in_the_ledger(self) -> None:
        assert self.ledger.sql(NOTHING_IMPOSSIBLE) == []

    @invariant()
    def every_version_is_in_the_table_once_and_old_ones_have_left(self) -> None:
        assert len({(name, etag) for name, etag, _ in self.table}) == len(self.table)
        if self.policy is not OnChangedFile.APPEND:
            assert len({name for name, _, _ in self.table}) == len(self.table)


def _fitting(size: int) -> tuple[str, str | None]:
    return ("SKIPPED", "TooLarge") if size > MAX_BYTES else ("DISCOVERED", None)


def _object(name: str, etag: str, size: int) -> SourceObject:
    return SourceObject(path=path(name), size_bytes=size, etag=etag, modified_at=MODIFIED)


@pytest.mark.no_cover
@pytest.mark.timeout(300)
def test_the_ledger_does_what_its_model_does(ledger: Ledger) -> None:
    LedgerMachine.ledger = ledger
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            phases=(Phase.reuse, Phase.generate),  # each step is a transaction: shrinking would take minutes
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
