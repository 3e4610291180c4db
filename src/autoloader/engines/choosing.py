"""The engine ``auto``: for each load the one that suits it, by the rule ``plan.is_for_spark``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from autoloader.model import EngineName
from autoloader.plan import is_for_spark

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from autoloader.engines import Engine, Progress, Work
    from autoloader.model import Made, Outcome

log = structlog.get_logger(__name__)


class Choosing:
    """One of two engines, chosen by the files of the load and by nothing else.

    Args:
        embedded: for small loads and small files.
        spark: for large ones.
    """

    def __init__(self, embedded: Engine, spark: Engine) -> None:
        self._embedded = embedded
        self._spark = spark

    def prepare(self, work: Work, put: Callable[[Made], None], report: Callable[[Progress], None]) -> Sequence[Outcome]:
        """See ``Engine.prepare``."""
        sizes = [file.size_bytes for file in work.files if file.size_bytes]
        large = is_for_spark(len(sizes), sum(sizes))
        name = EngineName.SPARK if large else EngineName.EMBEDDED
        log.info("load.engine_chosen", engine=str(name), files=len(sizes), bytes=sum(sizes))
        return (self._spark if large else self._embedded).prepare(work, put, report)

    def abandon(self, load_id: UUID) -> None:
        """Whichever it was that took the load."""
        self._embedded.abandon(load_id)
        self._spark.abandon(load_id)
