"""What a connection of the embedded engine does with the SQL it is given."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from autoloader.engines.embedded import sql

if TYPE_CHECKING:
    from pathlib import Path


def _joins(plan: dict[str, Any]) -> list[dict[str, Any]]:
    here = [plan] if plan["name"] == "HASH_JOIN" else []
    return here + [join for child in plan["children"] for join in _joins(child)]


def test_records_stream_past_the_paths_of_their_files_which_are_what_is_held(tmp_path: Path) -> None:
    records = tmp_path / "records.json"
    records.write_text('{"ordinal": 1, "x": "a"}\n' * 100_000)
    read = f"read_json({sql.literal(str(records))}, columns = {{ordinal: 'INTEGER', x: 'VARCHAR'}})"
    with closing(sql.connected(tmp_path, "256MB", 2)) as connection:
        connection.execute("CREATE TABLE files AS SELECT range AS ordinal, 'p' || range AS path FROM range(10_000)")
        statement = f"SELECT path, x FROM (SELECT * FROM {read} WHERE x <> 'b') JOIN files USING (ordinal)"
        ((_, told),) = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}").fetchall()
    ((streams, held),) = [join["children"] for join in _joins(json.loads(told)[0])]
    assert "READ_JSON" in json.dumps(streams)
    assert held["name"] == "SEQ_SCAN"
