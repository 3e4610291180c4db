"""Recovery of lost loads: in which order, what is left behind, what a person is told and may decide."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from autoloader.errors import CatalogUnavailable, WrongState
from autoloader.lake.data_files import load_location
from autoloader.ledger import loads
from autoloader.ledger.database import transaction
from autoloader.model import FileStatus, Load, LoadState, Outcome, RunStatus
from autoloader.plan import Lease, LoadLimits
from autoloader.recovery import recover

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from tests.workers.conftest import Queue

    from autoloader.model import ClaimedFile, Ingestion, Run

PASSED = Lease(duration=timedelta(milliseconds=1))


def lost_load(queue: Queue, ingestion: Ingestion, *, prepared: bool = True) -> tuple[Run, Load]:
    """A load of two files whose worker died, before or after its outcomes were stored."""
    run = queue.enqueue(ingestion)
    assert queue.turn(queue.parts())
    claimed: tuple[Load, tuple[ClaimedFile, ...]] | None
    with transaction(queue.runtime.database) as connection:
        claimed = loads.claim(
            connection, run, worker="died", lease=PASSED, limits=LoadLimits(), table_name=ingestion.table_name
        )
        assert claimed is not None
        load, files = claimed
        if prepared:
            loads.store_outcomes(
                connection, load.id, [Outcome(file_id=f.file_id, status=FileStatus.SUCCESS) for f in files]
            )
    return run, load


def stored(queue: Queue, ingestion: Ingestion, load: Load) -> Table:
    """A data file of the load in the table's storage, in no snapshot."""
    table = queue.catalog.load_table(f"{ingestion.database}.{ingestion.table}")
    with table.io.new_output(f"{load_location(table, load.id)}/left.parquet").create() as output:
        output.write(b"PAR1")
    return table


def left_in_storage(table: Table, load: Load) -> bool:
    return table.io.new_input(f"{load_location(table, load.id)}/left.parquet").exists()


def expired(queue: Queue) -> list[Load]:
    with transaction(queue.runtime.database) as connection:
        return loads.expire(connection)


def nobody_to_tell(_load: Load) -> None:
    """No cluster works for the load."""


def recovered(queue: Queue) -> list[Load]:
    """Recover what is lost; the loads that only a person can settle."""
    return recover(queue.runtime.database, expired(queue), queue.runtime.lake.open_table, nobody_to_tell)


def state_of(queue: Queue, load: Load) -> Load:
    with transaction(queue.runtime.database) as connection:
        return loads.get(connection, load.id)


@pytest.mark.parametrize("prepared", [True, False])
def test_a_lost_load_that_did_not_land_gives_its_files_back_and_leaves_no_data_file(
    queue: Queue, *, prepared: bool
) -> None:
    ingestion = queue.ingestion("events", files=2)
    run, load = lost_load(queue, ingestion, prepared=prepared)
    table = stored(queue, ingestion, load)
    assert recovered(queue) == []
    assert state_of(queue, load).error_type == "WorkerLost"
    assert not left_in_storage(table, load)
    queue.turns(queue.parts())
    assert queue.run(run).files_succeeded == 2
    assert queue.rows(ingestion) == (2, 2)


def test_a_load_that_was_never_prepared_is_settled_without_a_snapshot(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=2)
    _, load = lost_load(queue, ingestion, prepared=False)
    assert recovered(queue) == []
    assert state_of(queue, load).state is LoadState.FAILED
    table = queue.catalog.load_table(f"{ingestion.database}.{ingestion.table}")
    assert table.metadata.snapshots == []


def test_outcomes_cannot_be_stored_any_more_once_the_load_is_lost(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=2)
    _, load = lost_load(queue, ingestion, prepared=False)
    expired(queue)
    with pytest.raises(Exception, match="taken over"), transaction(queue.runtime.database) as connection:
        loads.store_outcomes(connection, load.id, [])
    assert state_of(queue, load).prepared_at is None


def test_data_files_that_cannot_be_deleted_now_keep_the_load_lost_until_they_can(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=2)
    _, load = lost_load(queue, ingestion)
    table = stored(queue, ingestion, load)
    key = table.io.properties["s3.secret-access-key"]

    def with_a_wrong_key(name: str) -> Table | None:
        opened = queue.runtime.lake.open_table(name)
        assert opened is not None
        opened.io.properties["s3.secret-access-key"] = f"not {key}"
        return opened

    assert recover(queue.runtime.database, expired(queue), with_a_wrong_key, nobody_to_tell) == []
    waiting = state_of(queue, load)
    assert (waiting.state, waiting.error_type) == (LoadState.LOST, "CatalogUnavailable")
    assert recovered(queue) == []
    assert state_of(queue, load).state is LoadState.FAILED
    assert not left_in_storage(table, load)


def test_a_load_that_cannot_be_recovered_keeps_no_other_from_it(queue: Queue) -> None:
    broken, whole = queue.ingestion("broken", files=2), queue.ingestion("whole", files=2)
    _, first = lost_load(queue, broken)
    _, second = lost_load(queue, whole)

    def open_table(name: str) -> Table | None:
        if name == broken.table_name:
            raise ZeroDivisionError
        return queue.runtime.lake.open_table(name)

    assert recover(queue.runtime.database, expired(queue), open_table, nobody_to_tell) == []
    assert state_of(queue, first).state is LoadState.LOST
    assert state_of(queue, second).state is LoadState.FAILED


def test_a_catalog_that_does_not_answer_is_asked_once_in_a_round_and_the_reason_is_kept(queue: Queue) -> None:
    ingestions = [queue.ingestion(name, files=2) for name in ("one", "two")]
    lost = [lost_load(queue, ingestion)[1] for ingestion in ingestions]
    asked: list[str] = []

    def silent(name: str) -> Table | None:
        asked.append(name)
        raise CatalogUnavailable("the catalog does not answer: try again later")

    assert recover(queue.runtime.database, expired(queue), silent, nobody_to_tell) == []
    assert len(asked) == 1
    (told,) = [load for load in (state_of(queue, each) for each in lost) if load.error_type]
    assert (told.state, told.error_type) == (LoadState.LOST, "CatalogUnavailable")
    assert recovered(queue) == []
    assert {state_of(queue, each).state for each in lost} == {LoadState.FAILED}


def test_a_load_of_a_table_that_is_gone_is_over(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=2)
    _, load = lost_load(queue, ingestion)
    queue.catalog.drop_table(f"{ingestion.database}.{ingestion.table}")
    assert recovered(queue) == []
    assert state_of(queue, load).state is LoadState.FAILED


def undecidable(queue: Queue) -> tuple[Ingestion, Load]:
    """A lost load of a table whose history no longer reaches back to when it began."""
    ingestion = queue.ingestion("events", files=20)
    queue.enqueue(ingestion)
    queue.turns(queue.parts())
    queue.arrive("events/more", 2)
    _, load = lost_load(queue, ingestion)
    table = queue.catalog.load_table(f"{ingestion.database}.{ingestion.table}")
    table.maintenance.expire_snapshots().by_id(table.metadata.snapshots[0].snapshot_id).commit()
    queue.sql("UPDATE loads SET started_at = '2001-01-01' WHERE worker = 'died'")
    assert [each.id for each in recovered(queue)] == [load.id]
    return ingestion, load


def test_a_load_that_nobody_can_decide_stays_lost_with_what_to_do(queue: Queue) -> None:
    _, load = undecidable(queue)
    waiting = state_of(queue, load)
    assert (waiting.state, waiting.error_type) == (LoadState.LOST, "HistoryTooShort")
    assert f"autoloader settle {load.id}" in (waiting.error_message or "")
    assert [each.id for each in recovered(queue)] == [load.id], "it is told again and again"


def test_a_person_who_says_that_it_is_not_loaded_has_its_files_loaded(queue: Queue) -> None:
    ingestion, load = undecidable(queue)
    settled = queue.runtime.settle(state_of(queue, load), loaded=False)
    assert settled.state is LoadState.FAILED
    queue.turns(queue.parts())
    again = queue.enqueue(ingestion)
    queue.turns(queue.parts())
    assert queue.run(again).status is RunStatus.SUCCESS
    assert queue.counts(ingestion) == {FileStatus.SUCCESS: 22}
    assert queue.rows(ingestion)[0] == 22


def test_a_person_who_says_that_it_is_loaded_has_its_files_counted_as_such(queue: Queue) -> None:
    ingestion, load = undecidable(queue)
    settled = queue.runtime.settle(state_of(queue, load), loaded=True)
    table = queue.catalog.load_table(f"{ingestion.database}.{ingestion.table}")
    assert (settled.state, settled.snapshot_id) == (LoadState.COMMITTED, table.metadata.current_snapshot_id)
    assert (settled.error_type, settled.error_message) == (None, None)
    assert queue.counts(ingestion) == {FileStatus.SUCCESS: 22}
    with pytest.raises(WrongState, match="only a lost one"):
        queue.runtime.settle(settled, loaded=False)


def test_a_load_whose_data_files_are_in_the_table_has_landed_whatever_the_history_or_a_person_says(
    queue: Queue,
) -> None:
    ingestion = queue.ingestion("events", files=20)
    run = queue.enqueue(ingestion)
    queue.turns(queue.parts())
    table = queue.catalog.load_table(f"{ingestion.database}.{ingestion.table}")
    first = table.metadata.snapshots[0]
    table.maintenance.expire_snapshots().by_id(first.snapshot_id).commit()
    ((load_id, files),) = queue.sql("SELECT id, files FROM loads WHERE snapshot_id = :id", id=first.snapshot_id)
    queue.sql(
        "UPDATE loads SET state = 'LOST', ended_at = NULL, snapshot_id = NULL, started_at = '2001-01-01'"
        " WHERE id = :id",
        id=load_id,
    )
    queue.sql("UPDATE processed_files SET status = 'PROCESSING' WHERE load_id = :id", id=load_id)
    with transaction(queue.runtime.database) as connection:
        lost = loads.get(connection, UUID(str(load_id)))
    with pytest.raises(WrongState, match="has landed"):
        queue.runtime.settle(lost, loaded=False)
    assert recovered(queue) == []
    assert state_of(queue, lost).snapshot_id == first.snapshot_id
    assert queue.counts(ingestion) == {FileStatus.SUCCESS: 20}
    assert (queue.run(run).files_succeeded >= 20, files) == (True, 10)


def test_a_load_that_was_never_sent_cannot_be_called_loaded(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=2)
    _, load = lost_load(queue, ingestion, prepared=False)
    expired(queue)
    with pytest.raises(WrongState, match="never sent"):
        queue.runtime.settle(state_of(queue, load), loaded=True)
