"""Loads of real objects through the embedded engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.loads import Loads

from autoloader.model import SourceCredentials
from autoloader.objects.s3 import open_s3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Landing

    from autoloader.settings import Connections


@pytest.fixture
def loads(landing: Landing, connections: Connections, tmp_path: Path) -> Iterator[Loads]:
    """Loads from this test's own prefix."""
    store = open_s3("landing", SourceCredentials(), connections, 8)
    yield Loads(landing, store, tmp_path)
    store.close()


@pytest.fixture
def put(landing: Landing) -> Callable[[str, bytes | str], str]:
    """Write an object below this test's prefix."""
    return landing.put
