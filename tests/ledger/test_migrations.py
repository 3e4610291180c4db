from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from autoloader.errors import LedgerOutdated
from autoloader.ledger.database import REVISION, _alembic, connect, downgrade, require_current, upgrade
from autoloader.ledger.schema_validations import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.ledger.ledgers import Ledger

SHAPES = {
    "columns": """
        SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default, is_identity,
               identity_generation
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'""",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass""",
}


@pytest.fixture
def empty_url(databases: Any) -> Iterator[str]:
    name, url = databases.create()
    yield url
    databases.drop(name)


def shape(url: str) -> dict[str, list[tuple[Any, ...]]]:
    engine = connect(url)
    with engine.begin() as connection:
        found = {
            name: sorted(tuple(map(str, row)) for row in connection.execute(text(sql))) for name, sql in SHAPES.items()
        }
    engine.dispose()
    return found


def test_up_down_up_ends_where_up_ended(empty_url: str) -> None:
    upgrade(empty_url)
    first = shape(empty_url)
    downgrade(empty_url, "base")
    assert shape(empty_url) == {"columns": [], "indexes": [], "constraints": []}
    upgrade(empty_url)
    assert shape(empty_url) == first
    assert len(first["columns"]) > 80


def test_the_migrations_make_the_tables_that_the_models_describe(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_checks_and_indexes_are_those_of_the_models_too(empty_url: str, database_url: str) -> None:
    engine = connect(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        metadata.create_all(connection)
    engine.dispose()
    assert shape(empty_url) == shape(database_url)


def test_many_upgrades_of_one_database_at_once_do_it_once(empty_url: str) -> None:
    errors: list[BaseException] = []

    def up() -> None:
        try:
            upgrade(empty_url)
        except BaseException as error:  # noqa: BLE001  whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    engine = connect(empty_url)
    require_current(engine)
    engine.dispose()


def test_the_program_names_the_newest_revision(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        assert ScriptDirectory.from_config(_alembic(connection)).get_current_head() == REVISION


def test_a_database_without_a_ledger_is_refused_with_what_to_do(empty_url: str) -> None:
    engine = connect(empty_url)
    with pytest.raises(LedgerOutdated, match=r"has no ledger yet: run `autoloader db upgrade`"):
        require_current(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("revision", "message"), [("0000", r"revision 0000.*run `autoloader db upgrade`"), ("9999", r"upgrade the program")]
)
def test_a_ledger_of_another_revision_is_refused_with_what_to_do(ledger: Ledger, revision: str, message: str) -> None:
    require_current(ledger.engine)
    ledger.sql("UPDATE alembic_version SET version_num = :revision", revision=revision)
    with pytest.raises(LedgerOutdated, match=message):
        require_current(ledger.engine)
