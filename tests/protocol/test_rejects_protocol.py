"""The rejects of a load are there once, and not without it, in every world that can be reached."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from tests.protocol.rejects import Precautions, search


@pytest.mark.parametrize(("rescuers", "sends", "others"), [(1, 3, 1), (2, 1, 1)], ids=["lost answers", "two rescuers"])
def test_whatever_dies_stalls_or_is_lost_rejects_land_once_with_their_load(
    rescuers: int, sends: int, others: int
) -> None:
    found = search(Precautions(), rescuers=rescuers, sends=sends, others=others)
    assert found.fault is None, found.way
    assert found.worlds > 1_000, "the search went through too little to mean anything"


@pytest.mark.parametrize("precaution", [each.name for each in fields(Precautions)])
def test_without_any_one_precaution_something_goes_wrong(precaution: str) -> None:
    found = search(replace(Precautions(), **{precaution: False}), rescuers=2, sends=2, others=1)
    assert found.fault is not None
    assert found.way, "a fault has a way that leads to it"
