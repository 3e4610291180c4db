"""SQL with a name: the name travels with the statement, and a test explains the plan of each one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import TextClause

STATEMENTS: dict[str, str] = {}
"""What each named statement is for, by name."""


def named(name: str, about: str, sql: str) -> TextClause:
    """A statement whose name shows in ``pg_stat_activity`` and in the server's log.

    Args:
        name: ``module.verb``.
        about: one sentence for the reader of this code and of ``STATEMENTS``.
        sql: the statement; values are bound as ``:name``.
    """
    STATEMENTS[name] = about
    return text(f"/* {name} */ {sql}")
