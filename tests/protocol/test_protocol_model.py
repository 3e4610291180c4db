"""The protocol holds in every world that can be reached, and each of its precautions is needed."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from tests.protocol.protocol import Protocol, search

PRECAUTIONS = [precaution.name for precaution in fields(Protocol)]


@pytest.mark.parametrize(
    ("rescuers", "sends", "others"),
    [(1, 2, 0), (2, 1, 0), (1, 1, 1)],
    ids=["lost answers", "two rescuers", "another writer"],
)
def test_whatever_dies_stalls_or_is_lost_the_file_is_loaded_once(rescuers: int, sends: int, others: int) -> None:
    found = search(Protocol(), rescuers=rescuers, sends=sends, others=others)
    assert found.fault is None, found.way
    assert found.worlds > 5_000, "the search went through too little to mean anything"


@pytest.mark.parametrize("precaution", PRECAUTIONS)
def test_without_any_one_precaution_something_goes_wrong(precaution: str) -> None:
    found = search(replace(Protocol(), **{precaution: False}), rescuers=2, sends=2)
    assert found.fault is not None
    assert found.way, "a fault has a way that leads to it"
