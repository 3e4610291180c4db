"""libcurl's transfers, many at a time in one thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pycurl

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_WAIT_SECONDS = 0.1
"""libcurl does not wait for descriptors over 1,023, which a process with many connections has: it is asked again soon,
or at once where it waits for none at all."""
_SHORTEST_WAIT_SECONDS = 0.005


class Turning:
    """Some transfers under way. For one thread at a time."""

    def __init__(self) -> None:
        self._multi = pycurl.CurlMulti()

    def start(self, transfer: pycurl.Curl) -> None:
        """Begin with the next turn."""
        self._multi.add_handle(transfer)

    def drop(self, transfer: pycurl.Curl) -> None:
        """End a transfer, or forget one that has ended: then its connection is kept."""
        self._multi.remove_handle(transfer)

    def turn(self) -> Sequence[tuple[pycurl.Curl, int]]:
        """Let everything move that can.

        Returns:
            The transfers that have ended, each with libcurl's code: 0 for a whole answer, whatever it says.
        """
        self._multi.perform()
        _, answered, failed = self._multi.info_read()
        return [*((transfer, 0) for transfer in answered), *((transfer, code) for transfer, code, _ in failed)]

    def wait(self) -> None:
        """Wait until something can move, for a tenth of a second at most."""
        if self._multi.select(_LONGEST_WAIT_SECONDS) < 0:
            time.sleep(_SHORTEST_WAIT_SECONDS)

    def close(self) -> None:
        """Close the connections. No transfer is under way any more."""
        self._multi.close()
