"""Files that change or vanish between the listing and the reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.chaos.truth import require_exactly_once
from tests.patience import eventually

from autoloader.failpoints import Step

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.scene import Scene


@pytest.mark.parametrize("step", [pytest.param(Step.RUN_LISTED, marks=pytest.mark.chaos), Step.LOAD_CLAIMED])
def test_a_file_that_changes_before_it_is_read_is_loaded_in_its_new_version_and_never_as_a_mix(
    scene: Scene, tmp_path: Path, step: Step
) -> None:
    events = scene.ingestion()
    for number in range(3):
        scene.put(f"events/{number}.json", rows=3)
    run = scene.enqueue(events)
    scene.crew.start(f"{step}=wait:{tmp_path / 'go'}")
    eventually((tmp_path / "go.reached").exists, "the worker is there")
    changed = scene.put("events/1.json", rows=5)
    (tmp_path / "go").touch()
    scene.ended(run)
    scene.settle()
    require_exactly_once(scene)
    reasons = scene.sql(
        "SELECT o.error_type FROM outcomes o JOIN processed_files f ON f.id = o.file_id WHERE f.file_path = :path"
        " ORDER BY o.id",
        path=changed,
    )
    assert reasons[0] == ("FileChanged",), "the first attempt met another version than the one that was claimed"
    assert reasons[-1] == (None,)


def test_a_file_that_vanishes_before_it_is_read_fails_alone_and_says_so(scene: Scene, tmp_path: Path) -> None:
    events = scene.ingestion()
    for number in range(3):
        scene.put(f"events/{number}.json")
    run = scene.enqueue(events)
    scene.crew.start(f"{Step.LOAD_CLAIMED}=wait:{tmp_path / 'go'}")
    eventually((tmp_path / "go.reached").exists, "the worker is there")
    scene.delete("events/1.json")
    (tmp_path / "go").touch()
    ended = scene.ended(run)
    assert (ended.files_succeeded, ended.files_failed) == (2, 1)
    assert scene.sql("SELECT error_type FROM processed_files WHERE status = 'FAILED'") == [("FileVanished",)]
    require_exactly_once(scene)
