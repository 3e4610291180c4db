"""Pages of rows as JSON, written by PostgreSQL: in Python it takes ten times as long, and holds up everyone else.

What is written is, to the letter, what Pydantic makes of the same values: instants in UTC with a ``Z``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime

from autoloader.ledger import records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Table, TextClause

_INSTANT = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
_NUL_STORED, _NUL_TOLD = records.stored_path("\0"), "\\u0000"


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonPage:
    """Rows as JSON.

    Attributes:
        items: a JSON array of objects.
        last: the last of them where more rows follow; None where they do not.
        known: whether what the rows are of is there, as the statement says it.
    """

    items: str
    last: Mapping[str, Any] | None
    known: bool


def columns(table: Table, *names: str) -> str:
    """Columns of the row ``f`` as they are written in JSON."""
    return ", ".join(_column(table, name) for name in names)


def page(rows: str, columns_told: str, known: str = "true") -> str:
    """SQL that gives rows as one page.

    Args:
        rows: SQL that gives ``:limit`` rows at most, in their order: one more than the page.
        columns_told: what of a row ``f`` is told, as ``columns`` gives it, a SELECT list.
        known: SQL that says whether what the rows are of is there: asked along with them, it takes no time.
    """
    return f"""SELECT coalesce(json_agg(p.item ORDER BY p.place) FILTER (WHERE p.place < :limit), '[]')::text AS items,
        (array_agg(p.item) FILTER (WHERE p.place = CAST(:limit AS bigint) - 1))[1] AS last, count(*) AS found,
        {known} AS known
    FROM (SELECT row_to_json(j) AS item, row_number() OVER () AS place
          FROM ({rows}) f CROSS JOIN LATERAL (SELECT {columns_told}) j) p"""


def read(conn: Connection, statement: TextClause, values: Mapping[str, Any], *, limit: int) -> JsonPage:
    """A page of at most ``limit`` rows, by a statement that ``page`` made."""
    row = conn.execute(statement, dict(values) | {"limit": limit + 1}).one()
    return JsonPage(
        items=row.items.replace(_NUL_STORED, _NUL_TOLD), last=row.last if row.found > limit else None, known=row.known
    )


def _column(table: Table, name: str) -> str:
    if isinstance(table.c[name].type, DateTime):
        return f"replace(to_char(f.{name}, {_INSTANT}), '.000000Z', 'Z') AS {name}"
    return f"f.{name}"
