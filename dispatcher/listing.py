"""Pages of runs, newest first, merged from the shards of an index.

A place in a listing is its sort key there: when the run was started, its workflow, its id.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from dispatcher.errors import InvalidCursor
from dispatcher.ports import RunPage, RunQuery

_AFTER_ALL = "~"

_PLACE = re.compile(r"[0-9]{13}#[^#]{0,128}#[^#]{1,160}")


def bounds(query: RunQuery) -> tuple[str, str]:
    """The oldest place a page may hold, and the one before which it must end.

    Raises:
        InvalidCursor: no page of a listing has given that cursor.
    """
    oldest = f"{query.since_ms:013d}"
    if query.cursor is not None:
        return oldest, _place(query.cursor)
    return oldest, _AFTER_ALL if query.until_ms is None else f"{query.until_ms:013d}"


def page_of(found: Iterable[str], query: RunQuery) -> RunPage:
    """The page of these places that a query asks for."""
    oldest, ends = bounds(query)
    # A run whose status changed while the index was read may have been found in two of them.
    within = sorted({place for place in found if oldest <= place < ends}, reverse=True)
    page = within[: query.limit]
    return RunPage([run_at(place) for place in page], cursor_at(page[-1]) if len(within) > len(page) else None)


def workflow_at(place: str) -> str:
    """The workflow of the run at a place."""
    return place.split("#")[1]


def run_at(place: str) -> str:
    """The id of the run at a place."""
    return place.split("#")[2]


def cursor_at(place: str) -> str:
    """The cursor of a page that ends with this place."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def cursor_before(at_ms: int) -> str:
    """The cursor behind which the runs follow that were started before a time; it names none."""
    return cursor_at(f"{at_ms:013d}##!")


def started_at_ms(cursor: str) -> int:
    """When the run was started whose place a cursor is."""
    return int(_place(cursor)[:13])


def _place(cursor: str) -> str:
    try:
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        place = ""
    if _PLACE.fullmatch(place) is None:
        raise InvalidCursor("cursor: no page of this listing has given it; leave it out to begin anew")
    return place
