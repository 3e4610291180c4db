"""How often and how long to try again when a store is throttled, failing or out of reach."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_random_exponential

from autoloader.errors import SourceUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tenacity.wait import wait_base

Result = TypeVar("Result")
MAX_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """Exponential backoff with full jitter, bounded in tries and in time.

    Attributes:
        attempts: tries in all, the first one included.
        wait: how long to wait before the next try.
        sleep: waits that many seconds.
    """

    attempts: int = 8
    wait: wait_base = field(default_factory=lambda: wait_random_exponential(multiplier=0.2, max=10))
    sleep: Callable[[float], None] = time.sleep

    def call(self, ask: Callable[[], Result]) -> Result:
        """Ask until there is an answer. What goes well at once costs nothing more than the asking.

        Raises:
            SourceUnavailable: it was raised by every try; any other error passes at once.
        """
        try:
            return ask()
        except SourceUnavailable as error:
            return self._again(chain([error], repeat(None)), ask)

    def _again(self, failed: Iterator[SourceUnavailable | None], ask: Callable[[], Result]) -> Result:
        """Go on after a first try that failed: it is counted, and waited for, like the others."""

        def attempt() -> Result:
            error = next(failed)
            if error is not None:
                raise error
            return ask()

        retrying = Retrying(
            stop=stop_after_attempt(self.attempts) | stop_after_delay(MAX_SECONDS),
            wait=self.wait,
            sleep=self.sleep,
            retry=retry_if_exception_type(SourceUnavailable),
            reraise=True,
        )
        try:
            return retrying(attempt)
        except SourceUnavailable as error:
            tries = retrying.statistics["attempt_number"]
            raise SourceUnavailable(f"{error} Tried {tries} times. Try again later.") from error
