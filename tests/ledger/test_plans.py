"""Every statement of the ledger is explained where it runs, over 100,000 files: none may read a whole table."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import event
from tests.ledger.ledgers import LEASE, SOURCE, WORKER, Ledger, bad, good, later, objects

from autoloader.errors import NotKnown, WrongState
from autoloader.ledger import (
    browsing,
    evidence,
    figures,
    files,
    idempotency,
    ingestions,
    loads,
    pending,
    queue,
    rejects,
    runs,
    sealing,
    tenants,
    tokens,
    validations,
    verifications,
)
from autoloader.ledger.browsing import Wanted
from autoloader.ledger.database import connect, consistent
from autoloader.ledger.locks import alone, in_turn
from autoloader.ledger.statement import STATEMENTS
from autoloader.model import (
    Clears,
    Difference,
    DifferenceKind,
    FileProspect,
    FileStatus,
    Ingestion,
    IngestionStatus,
    Prospect,
    Reading,
    RefusedRecord,
    RunStatus,
    RunTrigger,
    Scope,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from autoloader.model import ClaimedFile, Run, SourceObject

FILES = 50_000
BIG_TABLES = {"processed_files", "outcomes", "loads", "runs"}
EXPLAINABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "CREATE TEMPORARY TABLE news")
NOT_EXPLAINABLE = {
    "listing.measure_news",
    "listing.drop",
    "outcomes.drop_prepared",
}
"""ANALYZE and DROP have no plan."""

SEED = """
UPDATE ingestions SET files = CASE name WHEN 'small' THEN 40 ELSE 50000 END;

INSERT INTO runs (ingestion_id, tenant_id, trigger, status, started_at, ended_at)
SELECT i.id, 'default', 'manual', 'SUCCESS', now(), now()
FROM ingestions i, generate_series(1, CASE i.name WHEN 'small' THEN 10 ELSE 1500 END) n;

INSERT INTO loads (id, ingestion_id, run_id, state, worker, lease_until, started_at, prepared_at, ended_at, table_name,
    snapshot_id, files, bytes)
SELECT md5(r.id::text)::uuid, r.ingestion_id, r.id, 'COMMITTED', 'w', now(), now(), now(), now(), 'lake.raw.t', r.id,
    25, 1
FROM runs r;

INSERT INTO processed_files (ingestion_id, run_id, file_path, file_size_bytes, file_modified_at, file_etag, status,
    ever_loaded, discovered_at, load_id, snapshot_id, error_type, deferred, updated_at)
SELECT i.id, r.id, :source || lpad(n::text, 6, '0'), 22000, now(), 'v1', s.status, s.status = 'SUCCESS', now(),
    CASE WHEN s.status = 'SUCCESS' THEN md5(r.id::text)::uuid END, CASE WHEN s.status = 'SUCCESS' THEN r.id END,
    CASE WHEN s.status = 'FAILED' THEN 'BadRecord' END, false, now() - n * interval '1 second'
FROM ingestions i,
     LATERAL generate_series(1, CASE i.name WHEN 'large' THEN :files WHEN 'other' THEN :files ELSE 40 END) n,
     LATERAL (SELECT (SELECT min(id) FROM runs WHERE ingestion_id = i.id) + n % 10 AS id) r,
     LATERAL (SELECT CASE WHEN n % 50 = 0 THEN 'FAILED' WHEN n % 50 = 1 THEN 'SKIPPED'
                          WHEN n % 50 = 2 THEN 'DISCOVERED' ELSE 'SUCCESS' END AS status) s;

INSERT INTO outcomes (file_id, run_id, load_id, file_etag, file_size_bytes, file_modified_at, status, records_ingested)
SELECT id, run_id, load_id, file_etag, 1, now(), status, 10 FROM processed_files WHERE status <> 'DISCOVERED';
"""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


@dataclass
class Plans:
    """The plans of the statements that ran, by their text."""

    found: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def explain(self, _conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        """Explain a statement just before it runs, where its temporary tables and its data are."""
        verb = statement.partition("*/ ")[2] if statement.startswith("/*") else statement
        if not verb.lstrip().startswith(EXPLAINABLE):
            return
        with cursor.connection.cursor() as other:
            other.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            (plan,) = other.fetchone()
        self.found.setdefault(statement, []).append(plan[0]["Plan"])

    @property
    def names(self) -> set[str]:
        """The named statements among them."""
        return {statement.split()[1] for statement in self.found if statement.startswith("/* ")}

    def of(self, name: str) -> list[dict[str, Any]]:
        """The nodes of every plan of a named statement."""
        return [
            node
            for statement, plans in self.found.items()
            if statement.startswith(f"/* {name} */")
            for plan in plans
            for node in nodes(plan)
        ]


@contextmanager
def explained(ledger: Ledger) -> Iterator[Plans]:
    plans = Plans()
    event.listen(ledger.engine, "before_cursor_execute", plans.explain)
    yield plans
    event.remove(ledger.engine, "before_cursor_execute", plans.explain)


@pytest.fixture(scope="module")
def large(databases: Any, ledger_template: str) -> Iterator[Ledger]:
    """100,000 files of three ingestions with their history."""
    name, url = databases.create(ledger_template)
    engine = connect(url)
    ledger = Ledger(engine)
    for ingestion in ("large", "other", "small"):
        ledger.ingestion(ingestion)
    for statement in SEED.split(";\n\n"):
        values: dict[str, object] = {"source": SOURCE, "files": FILES} if ":source" in statement else {}
        ledger.sql(statement.rstrip().rstrip(";"), **values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    yield ledger
    engine.dispose()
    databases.drop(name)


def by_name(ledger: Ledger, name: str) -> Ingestion:
    with ledger.transaction() as connection:
        return ingestions.by_name(connection, "default", name)


def arriving(begin: int, end: int, etag: str = "v1") -> list[SourceObject]:
    return objects(*(f"{number:06}" for number in range(begin, end)), etag=etag)


def use_everything(ledger: Ledger) -> None:
    """Every function of the ledger, as workers and people call them."""
    ingestion, small = by_name(ledger, "large"), by_name(ledger, "small")
    run, _ = ledger.join(ingestion)
    ledger.join(ingestion, "worker-2")
    with alone(ledger.engine, "lake.raw.events"), in_turn(ledger.engine, "publish", timedelta(seconds=1)):
        pass
    with ledger.transaction() as connection:
        runs.renew_lead(connection, run.id, WORKER, LEASE)
        runs.take_lead(connection, run.id, "worker-2", LEASE)
    take_turns(ledger, small)
    ledger.record(ingestion, run, arriving(100, 300, "v2"))
    ledger.record(ingestion, run, objects("too-large", size=2**60))
    ledger.record(ingestion, run, arriving(FILES - 2000, FILES + 50), at_most=20)
    ledger.requeue_failed(ingestion, run)
    ledger.listed(run)
    load, claimed = ledger.claims(run, max_files=500)
    with ledger.transaction() as connection:
        loads.renew(connection, load.id, LEASE)
    set_rejects_apart(ledger, load.id)
    put_back, refused, *others = claimed
    ledger.store(load, [later(put_back), bad(refused), *map(good, others)])
    ledger.finish(load)
    failing, _ = ledger.claims(run, max_files=10, at_once=9)
    with ledger.transaction() as connection:
        loads.fail(connection, failing.id, "CatalogUnavailable", "no answer")
    recover(ledger, run)
    ledger.end(run)
    look_at_everything(ledger, ingestion, run.id)
    keep_secrets(ledger, small)
    verify(ledger, small)
    validate(ledger, small)
    with ledger.transaction() as connection:
        files.retry(connection, ingestion.id, [refused.path])
    mend(ledger, ingestion, others[0])
    _, claimed = ledger.claims(run)
    assert any(file.replaces for file in claimed)
    ledger.run(run)
    ledger.load(load.id)
    with ledger.transaction() as connection:
        runs.record_error(connection, run.id, "message", "FileUnreadable")
        runs.fail(connection, run.id, "message", "SourceUnavailable")
        files.retry(connection, small.id)
        ingestions.update(connection, small.id, {"write_mode": "overwrite"})
        ingestions.fix_schema(connection, small.id, "{}")
    ledger.retry(small)
    with ledger.transaction() as connection:
        ingestions.delete(connection, small.id)


def set_rejects_apart(ledger: Ledger, load_id: UUID) -> None:
    with ledger.transaction() as connection:
        rejects.owe(connection, load_id, "lake.raw.events__rejects")
        assert rejects.clears(connection, load_id) is Clears.FILES
        assert rejects.replaced(connection, load_id) == {}
        assert rejects.paths_of(connection, load_id) == []


def mend(ledger: Ledger, ingestion: Ingestion, loaded: ClaimedFile) -> None:
    ledger.sql("UPDATE processed_files SET records_rejected = 1 WHERE id = :id", id=loaded.file_id)
    with ledger.transaction() as connection:
        assert rejects.retry(connection, ingestion.id, [loaded.path]) == 1
        assert rejects.retry(connection, ingestion.id) == 0
        with pytest.raises(NotKnown, match="never seen"):
            rejects.retry(connection, ingestion.id, ["s3://landing/none"])
        with pytest.raises(WrongState, match="no rejects"):
            rejects.retry(connection, ingestion.id, [arriving(5, 6)[0].path])


def recover(ledger: Ledger, run: Run) -> None:
    landed, claimed = ledger.claims(run, max_files=10)
    ledger.store(landed, [good(file) for file in claimed])
    fenced, _ = ledger.claims(run, max_files=10)
    ledger.expire(landed, fenced)
    with ledger.transaction() as connection:
        loads.note(connection, landed.id, "CatalogUnavailable", "no answer")
        loads.settle_committed(connection, landed.id, 7)
        loads.settle_failed(connection, fenced.id)


def take_turns(ledger: Ledger, ingestion: Ingestion) -> None:
    with ledger.transaction() as connection:
        run, _ = runs.enqueue(connection, ingestion.id, RunTrigger.MANUAL)
        due = queue.next_task(connection, "worker-3", LEASE)
        assert due is not None
        assert due.run.id == run.id
        queue.release_lead(connection, run.id, "worker-3")
        queue.postpone(connection, run.id, lambda _: timedelta(minutes=1))
        queue.went_well(connection, run.id)
        runs.cancelled(connection, run.id)
        runs.cancel(connection, run.id)


def keep_secrets(ledger: Ledger, ingestion: Ingestion) -> None:
    with ledger.transaction() as connection:
        ingestions.update(connection, ingestion.id, {"spark_connect_token": "enc:old"})
        sealing.reseal_all(connection, lambda stored: stored.replace("old", "new"))
        _, secret = tokens.create(connection, "default", "plans", Scope.READ)
        assert tokens.any_made(connection)
        assert tokens.find(connection, secret) is not None
        tokens.list_all(connection)
        tokens.revoke(connection, "default", "plans")


def verify(ledger: Ledger, ingestion: Ingestion) -> None:
    with consistent(ledger.engine) as connection:
        evidence.moment(connection)
        evidence.count(connection, ingestion.id)
        assert sum(map(len, evidence.files(connection, ingestion.id))) == 40
        assert list(evidence.brought(connection, ingestion.id))
        (found,) = evidence.loads(connection, ingestion.id)
    with ledger.transaction() as connection:
        known = evidence.known(connection, [UUID(load_id) for load_id, *_ in found], timedelta(minutes=1))
        assert set(known.values()) == {(ingestion.id, False)}
        job, _ = verifications.enqueue(connection, ingestion.id)
        assert verifications.enqueue(connection, ingestion.id) == (job, False)
        assert verifications.take_up(connection, "v", LEASE) is not None
        verifications.renew(connection, job.id, "v", LEASE, Reading(what="table", done=1, total=2))
        different = Difference(kind=DifferenceKind.ROWS_MISSING, message="m", table="t")
        assert verifications.note(connection, job.id, "v", 0, [different])
        verifications.differences_page(connection, job.id, limit=10)
        verifications.get(connection, "default", ingestion.id, job.id)
        verifications.newest(connection, ingestion.id, limit=10, before_id=job.id)
        verifications.release(connection, job.id, "v")
        verifications.fail(connection, job.id, "v", "CatalogUnavailable", "no answer")


def validate(ledger: Ledger, ingestion: Ingestion) -> None:
    with ledger.transaction() as connection:
        listed = [("s3://landing/new", 1, "e", datetime.now(UTC))]
        (waiting,) = pending.pending(connection, ingestion, listed)
        assert ("s3://landing/new", "new") in [(path, word) for path, *_, word in waiting]
        job, _ = validations.enqueue(connection, ingestion.id, max_files=5)
        assert validations.enqueue(connection, ingestion.id, max_files=None) == (job, False)
        assert validations.take_up(connection, "v", LEASE) is not None
        validations.renew(connection, job.id, "v", LEASE, Reading(what="files", done=1, total=2))
        file = FileProspect(file_path="p", file_etag="e", file_size_bytes=1, waiting="new", prospect=Prospect.LOADS)
        assert validations.note_loading(connection, job.id, "v", 0, [file])
        refused = RefusedRecord(file_path="p", line=1, column="id", reason="not_bigint", message="m", raw="r")
        assert validations.note_refused(connection, job.id, "v", 0, [refused])
        validations.files_page(connection, job.id, limit=10)
        validations.refused_page(connection, job.id, limit=10)
        validations.get(connection, "default", ingestion.id, job.id)
        validations.newest(connection, ingestion.id, limit=10, before_id=job.id)
        validations.release(connection, job.id, "v")
        validations.fail(connection, job.id, "v", "CatalogUnavailable", "no answer")


def look_at_everything(ledger: Ledger, ingestion: Ingestion, run_id: int) -> None:
    with ledger.transaction() as connection:
        # Counting an ingestion that is most of the table reads most of the table: another one is counted.
        files.counts(connection, ingestions.by_name(connection, "default", "other").id)
        files.counts(connection, ingestions.by_name(connection, "default", "small").id, few=1)
        files.waiting(connection, ingestion.id)
        files.found_by_run(connection, run_id)
        files.waiting_objects(connection, ingestion.id, limit=100)
        files.failed_in_run(connection, run_id, limit=5)
        files.find(connection, f"{SOURCE}000100")
        files.find(connection, f"{SOURCE}000100", tenant_id="default")
        (file,) = files.find(connection, f"{SOURCE}000100", ingestion.id)
        files.get(connection, file.id)
        files.history(connection, file.id)
        browse(connection, ingestion, file.file_path)
        ingestions.list_all(connection, "default")
        for chosen in (None, ingestion.id):
            runs.list_runs(connection, chosen, limit=20)
            runs.list_runs(connection, chosen, limit=20, before_id=run_id)
        look_as_a_tenant(connection, ingestion, run_id, file.id)


def browse(connection: Connection, ingestion: Ingestion, after: str) -> None:
    now = datetime.now(UTC)
    for status in (None, *FileStatus):
        for like in (None, SOURCE, f"{SOURCE}0100*", f"{SOURCE}0100?7", "*7", "*nowhere*"):
            wanted = Wanted(ingestion_id=ingestion.id, status=status, path_like=like)
            browsing.page(connection, wanted, limit=100, after=None if wanted.by_change else after)
            browsing.page(connection, wanted, limit=100)
            list(browsing.all_of(connection, wanted, limit=20))
            for since in (now, now - timedelta(days=1)):
                lately = Wanted(ingestion_id=ingestion.id, status=status, path_like=like, since=since)
                browsing.page(connection, lately, limit=100)
                browsing.page(connection, lately, limit=100, after=(now - timedelta(hours=1), 7))


def look_as_a_tenant(connection: Connection, ingestion: Ingestion, run_id: int, file_id: int) -> None:
    tenant = ingestion.tenant_id
    tenants.ingestion(connection, tenant, ingestion.id)
    tenants.ingestions(connection, tenant, limit=20, after="a", status=IngestionStatus.ACTIVE)
    tenants.run(connection, tenant, run_id)
    tenants.file(connection, tenant, file_id)
    tenants.lost_loads(connection, tenant)
    with pytest.raises(NotKnown):
        tenants.load(connection, tenant, UUID(int=0))
    figures.lost_loads(connection)
    for chosen in (None, ingestion.id):
        tenants.runs(connection, tenant, limit=20, ingestion_id=chosen)
        for status in (None, *RunStatus):
            tenants.runs_page(connection, tenant, limit=20, ingestion_id=chosen, status=status)
            tenants.runs_page(connection, tenant, limit=20, ingestion_id=chosen, status=status, before_id=run_id)
    figures.standing(connection)
    figures.active_runs(connection)
    at = figures.now(connection)
    figures.ended_runs(connection, at)
    figures.ended_loads(connection, at)
    assert idempotency.claim(connection, tenant, "key", "fingerprint") is None
    idempotency.made(connection, tenant, "key", 1)
    assert idempotency.claim(connection, tenant, "key", "fingerprint") == 1


def test_no_statement_of_the_ledger_reads_a_whole_table(large: Ledger) -> None:
    with explained(large) as plans:
        use_everything(large)
    read_whole = {
        (statement, node["Relation Name"])
        for statement, found in plans.found.items()
        for plan in found
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in BIG_TABLES
    }
    assert read_whole == set()
    assert plans.names == set(STATEMENTS) - NOT_EXPLAINABLE


def test_what_was_just_written_is_joined_as_sets_whatever_the_statistics_say(large: Ledger) -> None:
    ingestion = by_name(large, "other")
    run, _ = large.join(ingestion)
    with explained(large) as plans:
        load, claimed = large.claims(run, max_files=50)
        large.store(load, [good(file) for file in claimed])
        large.finish(load)
    kinds = {node["Node Type"] for node in plans.of("outcomes.take_over")}
    assert "Nested Loop" not in kinds
    assert kinds & {"Hash Join", "Merge Join"}


def test_every_named_statement_says_what_it_is_for() -> None:
    assert all(about.endswith(".") and len(about.split()) > 3 for about in STATEMENTS.values())


def look(connection: Connection, work: str, ingestion: Ingestion) -> None:
    if work == "waiting files":
        browsing.page(connection, Wanted(ingestion_id=ingestion.id, status=FileStatus.DISCOVERED), limit=100)
    if work == "changed files":
        browsing.page(connection, Wanted(ingestion_id=ingestion.id, since=datetime.now(UTC)), limit=100)
    if work == "a pattern":
        browsing.page(connection, Wanted(ingestion_id=ingestion.id, path_like="*nowhere*"), limit=100)
    if work == "failed runs":
        tenants.runs_page(connection, "default", limit=100, ingestion_id=ingestion.id, status=RunStatus.FAILED)


@pytest.mark.parametrize(
    ("work", "name", "index"),
    [
        ("claim", "loads.claim", "processed_files_waiting"),
        ("find", "files.find", "processed_files_path_key"),
        ("history", "files.history", "outcomes_of_file"),
        ("counts", "files.count_few", "processed_files_by_status"),
        ("waiting files", "browsing.by_path", "processed_files_discovered"),
        ("changed files", "browsing.by_change", "processed_files_by_status"),
        ("a pattern", "browsing.fitting_paths", "processed_files_path_key"),
        ("failed runs", "tenants.runs_of_ingestion_in_status", "runs_of_ingestion_in_status"),
    ],
)
def test_the_index_made_for_a_statement_serves_it(large: Ledger, work: str, name: str, index: str) -> None:
    other = by_name(large, "other")
    with large.transaction() as connection:
        run, _ = runs.start_or_join(connection, other.id, RunTrigger.MANUAL, WORKER, LEASE)
    with explained(large) as plans:
        if work == "claim":
            large.claims(run, max_files=5)
        if work == "find":
            large.file(other, "000100")
        if work == "history":
            large.history(other, "000100")
        if work == "counts":
            large.counts(other)
        with large.transaction() as connection:
            look(connection, work, other)
    assert index in {node.get("Index Name") for node in plans.of(name)}


def test_a_large_part_of_a_listing_is_joined_as_a_set_even_before_the_tables_have_statistics(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    found = arriving(0, 5000)
    ledger.record(ingestion, run, found)
    with explained(ledger) as plans:
        ledger.record(ingestion, run, found)
    kinds = {node["Node Type"] for node in plans.of("listing.news_by_range")}
    assert "Nested Loop" not in kinds
    assert kinds & {"Hash Join", "Merge Join"}
