from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.objects.answering import Answering

from autoloader.model import SourceCredentials
from autoloader.objects.s3 import S3Store, open_s3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoloader.settings import Connections


@pytest.fixture
def server() -> Iterator[Answering]:
    """A server that says what the test tells it to say."""
    answering = Answering()
    yield answering
    answering.close()


@pytest.fixture
def store(connections: Connections) -> Iterator[S3Store]:
    """The bucket of the embedded stack, through our own client."""
    opened = open_s3("landing", SourceCredentials(), connections, 16)
    yield opened
    opened.close()
