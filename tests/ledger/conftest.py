from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.ledger.ledgers import Ledger

from autoloader.ledger.database import connect

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    """An empty ledger of the test's own."""
    engine = connect(database_url)
    yield Ledger(engine)
    engine.dispose()
