"""What a statement leaves out is told once, in memory or in a file, and never by the next one."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from autoloader.engines.embedded import sql
from autoloader.engines.embedded.left_out import LeftOut, kept

if TYPE_CHECKING:
    from pathlib import Path

FEW, MANY = 1_000, 10**7


def test_each_statement_tells_its_own_places_wherever_the_log_is(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    with closing(sql.connected(tmp_path, "256MB", 2)) as connection:
        left_out = LeftOut(connection, folder)
        for ordinal, most in enumerate((FEW, FEW, MANY, MANY, FEW, MANY)):
            left_out.begin(most)
            rows = f"SELECT {ordinal} AS ordinal, line FROM range(1, 101) lines(line)"
            left = connection.execute(f"SELECT count(*) FROM ({rows}) WHERE {kept('line % 50 = 0')}").fetchall()
            assert (left, list(left_out.places())) == ([(98,)], [(ordinal, 50), (ordinal, 100)])
            assert folder.exists() == (ordinal >= 2)
        left_out.close()
    assert not folder.exists()
