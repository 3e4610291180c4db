"""Validations that workers do: the queue is that of verifications; what is found is kept, nothing else is written."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.patience import eventually

from autoloader.ledger import validations
from autoloader.ledger.database import transaction
from autoloader.model import Prospect, VerificationStatus
from autoloader.plan import Lease
from autoloader.validating.jobs import take_turn

if TYPE_CHECKING:
    from tests.workers.conftest import Queue

    from autoloader.model import Ingestion, Validation

LEASE = Lease(duration=timedelta(minutes=1))


def job(queue: Queue, ingestion: Ingestion, max_files: int | None = None) -> Validation:
    with transaction(queue.runtime.database) as connection:
        return validations.enqueue(connection, ingestion.id, max_files=max_files)[0]


def state(queue: Queue, of: Validation) -> Validation:
    with transaction(queue.runtime.database) as connection:
        return validations.get(connection, of.tenant_id, of.ingestion_id, of.id)


def turn(queue: Queue, stopping: threading.Event | None = None) -> bool:
    return take_turn(queue.runtime._means(), "v", LEASE, stopping or threading.Event())


def test_workers_do_validations_beside_their_runs(queue: Queue) -> None:
    queued = job(queue, queue.ingestion("events", files=3))

    with queue.working(queue.parts()):
        eventually(lambda: state(queue, queued).ended_at, "the validation ends")

    ended = state(queue, queued)
    assert ended.status is VerificationStatus.SUCCESS
    assert ended.report is not None
    assert (ended.report.is_clean, ended.report.waiting, ended.report.records) == (True, {"new": 3}, 3)
    assert queue.sql("SELECT count(*) FROM processed_files") == [(0,)]


def test_what_would_not_load_is_told_first_and_raw_texts_that_the_ledger_cannot_hold_are_written_out(
    queue: Queue,
) -> None:
    ingestion = queue.ingestion("events", files=3, schema_json="id BIGINT")
    queue.landing.put("events/0009.json", b'{"id": "x\\u0000"}\n{"id": 1}\n{"id": "\xff"}\n')
    queued = job(queue, ingestion)

    assert turn(queue)

    ended = state(queue, queued)
    assert ended.report is not None
    assert ended.report.files == {Prospect.LOADS: 3, Prospect.FAILS: 1}
    found = queue.sql("SELECT file_path, prospect FROM validation_files ORDER BY number")
    assert [prospect for _, prospect in found] == ["fails", "loads", "loads", "loads"]
    refused = queue.sql("SELECT line, reason, message FROM validation_refused ORDER BY line")
    assert [(line, reason) for line, reason, _ in refused] == [(1, "not_bigint"), (3, "malformed")]
    assert "\0" not in refused[0][2]


def test_at_most_so_many_files_are_read(queue: Queue) -> None:
    queued = job(queue, queue.ingestion("events", files=3), max_files=2)

    assert turn(queue)

    report = state(queue, queued).report
    assert report is not None
    assert (report.validated, report.waiting) == (2, {"new": 3})


def test_a_validation_that_cannot_look_fails_with_the_reason(queue: Queue) -> None:
    queued = job(queue, queue.ingestion("events", source_path="s3://no-such-bucket-here/x/"))

    assert turn(queue)

    ended = state(queue, queued)
    assert (ended.status, ended.error_type) == (VerificationStatus.FAILED, "BucketNotFound")
    assert not turn(queue)


def test_a_worker_that_is_told_to_stop_leaves_its_validation_to_the_next_one(queue: Queue) -> None:
    queued, stopping = job(queue, queue.ingestion("events", files=1)), threading.Event()
    stopping.set()

    assert turn(queue, stopping)
    assert state(queue, queued).status is VerificationStatus.RUNNING

    assert turn(queue)
    assert state(queue, queued).status is VerificationStatus.SUCCESS
