"""Which rows the ledger claims to be in which table: what loads brought, less what later loads took away.

The rejects of a load are rows of another table, to which the same holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoloader.verifying.workbench import Workbench

_EXPECTED = """
CREATE TABLE expected AS
WITH ended AS (
    SELECT b.file_id, b.load, b.rows, b.place, l.target, l.clears, l.ended_at
    FROM brought b JOIN loads l ON l.load = b.load JOIN files f ON f.id = b.file_id WHERE l.state = 'COMMITTED'
    UNION ALL
    SELECT b.file_id, b.load, b.rejects, b.place, l.target || '__rejects', l.clears, l.ended_at
    FROM brought b JOIN loads l ON l.load = b.load JOIN files f ON f.id = b.file_id WHERE l.state = 'COMMITTED'
), newest AS (
    -- A load that clears its files' earlier rows leaves of each file what it brought itself.
    SELECT file_id, target, max(place) FILTER (clears <> 'nothing') AS place FROM ended GROUP BY file_id, target
), emptied AS (
    SELECT target, max(ended_at) AS at FROM ended WHERE clears = 'table' GROUP BY target
)
SELECT e.target, e.file_id, e.load, CAST(sum(e.rows) AS BIGINT) AS rows
FROM ended e JOIN newest n ON n.file_id = e.file_id AND n.target = e.target LEFT JOIN emptied t ON t.target = e.target
WHERE e.rows > 0 AND (n.place IS NULL OR e.place >= n.place) AND (t.at IS NULL OR e.ended_at >= t.at)
GROUP BY ALL"""
_CONTRADICTIONS = """
CREATE TABLE contradictions AS
SELECT f.id AS file_id, f.load, f.rows, l.state, b.rows AS brought
FROM files f LEFT JOIN brought b ON b.file_id = f.id AND b.load = f.load LEFT JOIN loads l ON l.load = f.load
WHERE f.status = 'SUCCESS' AND (b.rows IS NULL OR b.rows <> f.rows OR l.state IS DISTINCT FROM 'COMMITTED')"""
_CLAIMED = """
INSERT INTO expected SELECT ?, c.file_id, c.load, c.rows FROM contradictions c
WHERE c.rows > 0 AND c.brought IS NULL"""
_TARGETS = """
SELECT target FROM (SELECT DISTINCT target FROM expected
    UNION SELECT DISTINCT rejects_target FROM loads WHERE rejects_target IS NOT NULL AND state = 'COMMITTED'
    UNION SELECT DISTINCT target FROM loads WHERE state IN ('RUNNING', 'LOST') UNION SELECT ?) ORDER BY target"""


def expect(bench: Workbench, table_name: str) -> list[str]:
    """Work out the rows that the ledger claims, and where it contradicts itself.

    A file that is SUCCESS by a load of which nothing else is known still claims its rows.

    Args:
        table_name: the ingestion's table as it is now.

    Returns:
        The tables to look into: an ingestion may have been pointed at another one since it first ran.
    """
    bench.run(_EXPECTED)
    bench.run(_CONTRADICTIONS)
    bench.run(_CLAIMED, table_name)
    return [target for (target,) in bench.rows(_TARGETS, table_name)]
