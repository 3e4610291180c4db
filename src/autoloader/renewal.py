"""A lease kept alive by a thread of its own while its owner works."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import structlog

from autoloader.errors import LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from types import TracebackType

log = structlog.get_logger(__name__)


class Renewal:
    """Calls ``renew`` every so often until it is closed, or until the answer is no.

    Args:
        renew: extends the lease in the ledger; False when another owns the outcome now.
        every: the time between two calls.
        what: names the lease in the log.

    Attributes:
        lost: set once the lease is known to be lost.
    """

    def __init__(self, renew: Callable[[], bool], every: timedelta, what: str) -> None:
        self.lost = threading.Event()
        self._renew = renew
        self._every = every
        self._what = what
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"renew {what}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Renew no more: for an owner about to end what the lease is of, whose end is no loss."""
        self._stop.set()
        self._thread.join()

    def renew(self) -> bool:
        """Renew now; False when another owns the outcome."""
        held = self._renew()
        if not held:
            self.lost.set()
        return held

    def _keep(self) -> None:
        while not self._stop.wait(self._every.total_seconds()):
            try:
                if not self.renew():
                    log.warning("lease.lost", what=self._what)
                    return
            except LedgerUnavailable as error:
                # The lease may outlive the outage: the next round decides, and the publisher asks again anyway.
                log.warning("lease.not_renewed", what=self._what, reason=str(error))
