"""Lists a page at a time: a cursor says where the next page begins, whatever is added or removed meanwhile."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import Query, Response

from autoloader.errors import UsageError
from autoloader.model import RejectPlace

Item = TypeVar("Item")
Place = str | int | tuple[datetime, int]
MOST_ITEMS = 1000
MOST_ID = 2**63 - 1

Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="At most so many items.")]
Cursor = Annotated[
    str | None, Query(max_length=4096, description="`next_cursor` of the page before; leave it out for the first.")
]


def cut(found: Sequence[Item], limit: int, place: Callable[[Item], Place]) -> tuple[Sequence[Item], str | None]:
    """A page and the cursor of the next one, None where this is the last.

    Args:
        found: one item more than a page, where there is one.
        place: where an item stands in the order of the list.
    """
    page = found[:limit]
    return page, written(place(page[-1])) if len(found) > limit else None


def told(items: str, following: Place | None) -> Response:
    """The answer that is a page whose items are JSON already."""
    cursor = "null" if following is None else f'"{written(following)}"'
    return Response(f'{{"items":{items},"next_cursor":{cursor}}}', media_type="application/json")


def after_name(cursor: str | None) -> str | None:
    """The name or path after which the page begins.

    Raises:
        UsageError: not a cursor of such a list.
    """
    place = _read(cursor)
    if place is not None and not isinstance(place, str):
        raise _refused()
    return place


def after_change(cursor: str | None) -> tuple[datetime, int] | None:
    """The change after which the page begins: its instant, and the id of what changed.

    Raises:
        UsageError: not a cursor of such a list.
    """
    match _read(cursor):
        case None:
            return None
        case [str(at), int(changed)] if type(changed) is int and 0 <= changed <= MOST_ID:
            return _instant(at), changed
        case _:
            raise _refused()


def before_id(cursor: str | None) -> int | None:
    """The id before which the page begins.

    Raises:
        UsageError: not a cursor of such a list.
    """
    place = _read(cursor)
    if place is not None and (type(place) is not int or not 0 <= place <= MOST_ID):
        raise _refused()
    return place


def after_reject(cursor: str | None) -> RejectPlace | None:
    """Where in a rejects table the page begins.

    Raises:
        UsageError: not a cursor of such a list.
    """
    match _read(cursor):
        case None:
            return None
        case [int(snapshot), int(manifest), int(data_file), int(row)] if min(manifest, data_file, row) >= 0:
            return RejectPlace(snapshot, manifest, data_file, row)
        case _:
            raise _refused()


def reject_cursor(place: RejectPlace) -> str:
    """The cursor of the page that begins there."""
    return _encoded([place.snapshot_id, place.manifest, place.data_file, place.row])


def written(place: Place) -> str:
    """The cursor of the page that begins after, or before, this place."""
    told = [place[0].isoformat(), place[1]] if isinstance(place, tuple) else place
    return _encoded(told)


def _encoded(place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _read(cursor: str | None) -> object:
    if cursor is None:
        return None
    try:
        place: object = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        str(place).encode()
    except (binascii.Error, ValueError, RecursionError):
        raise _refused() from None
    if place is None:
        raise _refused()
    return place


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refused() from None


def _refused() -> UsageError:
    return UsageError("cursor: give the `next_cursor` of a page of this list as it was, or none", field="cursor")
