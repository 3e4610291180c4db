"""A lease that is kept alive while its owner works."""

from __future__ import annotations

import threading
from datetime import timedelta

from autoloader.renewal import Renewal

SOON = timedelta(milliseconds=1)


def test_a_lease_is_renewed_until_its_owner_ends_what_it_is_of() -> None:
    renewed, mine = threading.Semaphore(0), True

    def renew() -> bool:
        renewed.release()
        return mine

    with Renewal(renew, SOON, "a load") as renewal:
        for _ in range(3):
            assert renewed.acquire(timeout=10)
        renewal.stop()
        mine = False
    assert not renewal.lost.is_set()


def test_a_lease_that_another_owns_by_now_is_known_to_be_lost_and_asked_for_no_more() -> None:
    asked = 0

    def renew() -> bool:
        nonlocal asked
        asked += 1
        return False

    with Renewal(renew, SOON, "a load") as renewal:
        assert renewal.lost.wait(timeout=10)
    assert asked == 1
