"""The files of an ingestion a page at a time, each page in bounded time whatever is asked for.

    a status, how a path begins ────▶ by path, straight from an index
    since an instant, PROCESSING ───▶ by when they changed, straight from an index
    and a pattern beside that ──────▶ the next so many are looked at, and those that fit are kept: a page may hold
                                      fewer than asked for, or none, and says how far it got

A pattern that begins with a wildcard fits no index but one that would slow down every load. So whoever looks for a
needle pages through the hay, and nobody else waits for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from autoloader.ledger import json_pages, records, tenants
from autoloader.ledger.schema import processed_files
from autoloader.ledger.statement import named
from autoloader.model import File, FileStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Connection, TextClause

Place = str | tuple[datetime, int]
"""Where a file stands: its path; or when it changed, and its id."""

MOST = 5_000
"""So many files are looked at for one page where a pattern is to be matched."""

_COLUMNS = records.columns(File, "f")
_TOLD = json_pages.columns(processed_files, *records.names(File))
_KNOWN = f"(CAST(:tenant_id AS text) IS NULL OR {tenants.HAS})"
_WILD = frozenset("*?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which files of an ingestion.

    Attributes:
        tenant_id: of the ingestion; None: whoever's it is.
        path_like: the beginning of a path, or a whole path with ``*`` for any characters and ``?`` for one.
        since: only files whose row changed at this instant or later.
    """

    ingestion_id: int
    tenant_id: str | None = None
    status: FileStatus | None = None
    path_like: str | None = None
    since: datetime | None = None

    @property
    def by_change(self) -> bool:
        """Whether they come in the order in which they changed, not of their paths."""
        return self.since is not None or self.status is FileStatus.PROCESSING


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Files in their order.

    Attributes:
        items: a JSON array of them.
        following: the place after which the next page begins; None where this is the last one.
    """

    items: str
    following: Place | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """How a page is found.

    Attributes:
        statement: gives the rows, as JSON or not.
        reached: how far it looks; None: to the end.
    """

    statement: Callable[..., TextClause]
    values: dict[str, Any]
    reached: Place | None = None


def page(conn: Connection, wanted: Wanted, *, limit: int, after: Place | None = None, most: int = MOST) -> Page:
    """The files that are wanted, as JSON.

    Args:
        limit: at most so many.
        after: only files that stand after this place, where the page before ended; of the kind that the order has.
        most: look at so many files at most, where a pattern is to be matched.

    Raises:
        NotKnown: the tenant has no such ingestion.
    """
    look = _look(conn, wanted, after, most)
    found = json_pages.read(conn, look.statement(wanted.status, as_json=True), look.values, limit=limit)
    if not found.known:
        raise tenants.no_ingestion(wanted.ingestion_id)
    return Page(items=found.items, following=look.reached if found.last is None else _place(wanted, found.last))


def all_of(conn: Connection, wanted: Wanted, *, limit: int, most: int = MOST) -> Iterator[File]:
    """At most ``limit`` of the files that are wanted, through as many pages as it takes; ``most`` as for one."""
    after = None
    while limit > 0:
        look = _look(conn, wanted, after, most)
        found = conn.execute(look.statement(wanted.status, as_json=False), look.values | {"limit": limit}).all()
        yield from map(records.file, found)
        limit, after = limit - len(found), look.reached
        if after is None:
            return


def _place(wanted: Wanted, file: Mapping[str, Any]) -> Place:
    if wanted.by_change:
        return datetime.fromisoformat(file["updated_at"]), file["id"]
    return records.told_path(file["file_path"])


def _look(conn: Connection, wanted: Wanted, after: Place | None, most: int) -> _Look:
    beginning, whole = _likes(records.stored_path(wanted.path_like or ""))
    values = {"ingestion_id": wanted.ingestion_id, "tenant_id": wanted.tenant_id, "most": most}
    values |= {"beginning": beginning, "whole": whole}
    if wanted.by_change:
        at, file_id = after if isinstance(after, tuple) else (wanted.since, 0)
        return _look_at_changes(conn, wanted, values | {"at": at, "id": file_id})
    after_path = records.stored_path(after) if isinstance(after, str) else None
    return _look_at_paths(conn, wanted, values | {"after": after_path})


def _look_at_paths(conn: Connection, wanted: Wanted, values: dict[str, Any]) -> _Look:
    if _WILD.isdisjoint((wanted.path_like or "").rstrip("*")):
        return _Look(statement=_by_path, values=values)
    # Asked for first: what is looked at later may be more than what was there then, but never less.
    end = conn.scalar(_last_path(wanted.status), values)
    reached = None if end is None else records.told_path(end)
    return _Look(statement=_fitting_paths, values=values | {"end": end}, reached=reached)


def _look_at_changes(conn: Connection, wanted: Wanted, values: dict[str, Any]) -> _Look:
    if not wanted.path_like:
        return _Look(statement=_by_change, values=values)
    end = conn.execute(_last_change(wanted.status), values).one_or_none()
    end_at, end_id = (None, None) if end is None else (end.updated_at, end.id)
    reached = None if end is None else (end.updated_at, end.id)
    return _Look(statement=_fitting_changes, values=values | {"end_at": end_at, "end_id": end_id}, reached=reached)


def _in_status(status: FileStatus | None) -> str:
    return "" if status is None else f" AND f.status = '{status}'"


def _paths(status: FileStatus | None) -> str:
    """The files as an index holds them by path."""
    return f"""processed_files f WHERE f.ingestion_id = :ingestion_id{_in_status(status)}
        AND f.file_path LIKE :beginning AND (CAST(:after AS text) IS NULL OR f.file_path > :after)"""


def _changes(columns: str, status: FileStatus | None, most: str, more: str = "") -> str:
    """Files in the order of their changes. The index has this order within each status, so the five are merged."""
    parts = [
        f"""(SELECT {columns} FROM processed_files f
            WHERE f.ingestion_id = :ingestion_id AND f.status = '{each}'
              AND (f.updated_at, f.id) > (coalesce(CAST(:at AS timestamptz), '-infinity'), :id) {more}
            ORDER BY f.updated_at, f.id LIMIT {most})"""
        for each in ((status,) if status else FileStatus)
    ]
    return " UNION ALL ".join(parts)


def _rows(sql: str, *, as_json: bool) -> str:
    return json_pages.page(sql, _TOLD, _KNOWN) if as_json else sql


@cache
def _by_path(status: FileStatus | None, *, as_json: bool) -> TextClause:
    rows = f"SELECT {_COLUMNS} FROM {_paths(status)} ORDER BY f.file_path LIMIT :limit"
    return named(
        "browsing.by_path",
        "The files of an ingestion by path, all or those of one status, perhaps below a folder.",
        _rows(rows, as_json=as_json),
    )


@cache
def _last_path(status: FileStatus | None) -> TextClause:
    return named(
        "browsing.last_path",
        "The last of the next so many paths, where there are so many.",
        f"SELECT f.file_path FROM {_paths(status)} ORDER BY f.file_path OFFSET CAST(:most AS bigint) - 1 LIMIT 1",
    )


@cache
def _fitting_paths(status: FileStatus | None, *, as_json: bool) -> TextClause:
    rows = f"""SELECT {_COLUMNS} FROM (
            SELECT f.file_path FROM {_paths(status)} AND (CAST(:end AS text) IS NULL OR f.file_path <= :end)
              AND f.file_path LIKE :whole
            ORDER BY f.file_path LIMIT :limit) fitting
        JOIN processed_files f ON f.ingestion_id = :ingestion_id AND f.file_path = fitting.file_path
        ORDER BY f.file_path"""
    return named(
        "browsing.fitting_paths",
        "Which of the paths up to one fit a pattern: told by the index alone, then looked up.",
        _rows(rows, as_json=as_json),
    )


@cache
def _by_change(status: FileStatus | None, *, as_json: bool) -> TextClause:
    rows = f"SELECT * FROM ({_changes(_COLUMNS, status, ':limit')}) f ORDER BY f.updated_at, f.id LIMIT :limit"
    return named(
        "browsing.by_change",
        "The files of an ingestion in the order in which they changed.",
        _rows(rows, as_json=as_json),
    )


@cache
def _last_change(status: FileStatus | None) -> TextClause:
    return named(
        "browsing.last_change",
        "The last of the next so many changes, where there are so many.",
        f"""SELECT f.updated_at, f.id FROM ({_changes("f.updated_at, f.id", status, ":most")}) f
        ORDER BY f.updated_at, f.id OFFSET CAST(:most AS bigint) - 1 LIMIT 1""",
    )


@cache
def _fitting_changes(status: FileStatus | None, *, as_json: bool) -> TextClause:
    fits = """AND f.file_path LIKE :whole AND (CAST(:end_at AS timestamptz) IS NULL
                OR (f.updated_at, f.id) <= (CAST(:end_at AS timestamptz), CAST(:end_id AS bigint)))"""
    rows = f"SELECT * FROM ({_changes(_COLUMNS, status, ':limit', fits)}) f ORDER BY f.updated_at, f.id LIMIT :limit"
    return named(
        "browsing.fitting_changes",
        "Which of the changes up to one are of files whose path fits a pattern.",
        _rows(rows, as_json=as_json),
    )


def _likes(pattern: str) -> tuple[str, str]:
    r"""The LIKE patterns of how a glob begins, and of all of it; ``%``, ``_`` and ``\`` in it mean themselves."""
    escaped = pattern.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    beginning = re.split(r"[*?]", escaped, maxsplit=1)[0] + "%"
    return beginning, beginning if _WILD.isdisjoint(pattern) else escaped.replace("*", "%").replace("?", "_")
