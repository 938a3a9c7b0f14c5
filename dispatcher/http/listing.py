"""The routes that list: runs, newest first, and what became of one of them, in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from dispatcher.archive import Archive
from dispatcher.errors import RunNotFound
from dispatcher.head import Head, OperatorCall, hold_to_json
from dispatcher.history import Entry
from dispatcher.http.problems import RequestFault
from dispatcher.http.request import Request, Response, response_of
from dispatcher.limits import (
    HISTORY_PAGE_ENTRIES,
    HISTORY_PAGE_ENTRIES_MAX,
    LIST_LIMIT_MAX,
    SOUGHT_PAGE_RUNS,
    SOUGHT_PAGES_PER_CALL,
)
from dispatcher.listing import cursor_at, cursor_before, started_at_ms
from dispatcher.ports import RunPage, RunQuery, RunStore
from dispatcher.table_schema import started_sort_key
from engine import Status
from engine.errors import Fault
from engine.json_value import JsonObject, JsonValue, read_value

_MOMENT_MS_MAX: Final = 10**13 - 1
"""The last moment of thirteen digits, as places in a listing are written: in the year 2286."""


class ListingRoutes:
    """Answers who looks for runs."""

    def __init__(self, store: RunStore, archive: Archive) -> None:
        self._store = store
        self._archive = archive

    def runs(self, request: Request) -> Response:
        """Runs, newest first."""
        query = _Query(request)
        asked = RunQuery(
            workflow=query.text("workflow"),
            status=query.status(),
            since_ms=query.moment_ms("since") or 0,
            until_ms=query.moment_ms("until"),
            limit=query.count("limit", 50, most=LIST_LIMIT_MAX),
            cursor=query.text("cursor"),
        )
        tag, tenant = query.text("tag"), request.tenant
        query.check()
        everybody = tag is None and tenant is None
        heads, cursor = self._page(asked) if everybody else self._page_sought(asked, tag, tenant)
        # The index is a little behind: the head has the last word.
        runs: list[JsonValue] = [
            _summary(head) for head in heads if not head.removing and asked.status in {None, head.snapshot.status}
        ]
        return response_of(200, {"runs": runs, "cursor": cursor})

    def _page(self, asked: RunQuery) -> tuple[Sequence[Head], str | None]:
        page = self._store.find(asked)
        return list(self._heads(page)), page.cursor

    def _page_sought(self, asked: RunQuery, tag: str | None, tenant: str | None) -> tuple[Sequence[Head], str | None]:
        """A page of the runs that have a tag or are one tenant's, looked for among all, some pages a call."""
        found: list[Head] = []
        cursor = asked.cursor
        for _ in range(SOUGHT_PAGES_PER_CALL):
            page = self._store.find(replace(asked, cursor=cursor, limit=max(asked.limit, SOUGHT_PAGE_RUNS)))
            for head in self._heads(page):
                if _has_tag(head, tag) and tenant in {None, head.snapshot.tenant}:
                    found.append(head)
                    if len(found) == asked.limit:
                        return found, cursor_at(_place_of(head))
            cursor = page.cursor
            if cursor is None:
                return found, None
        return (found, cursor) if tenant is None else _cut(found, str(cursor), asked.cursor)

    def _heads(self, page: RunPage) -> Iterator[Head]:
        for workflow_id in page.workflow_ids:
            head = self._store.load(workflow_id)
            if head is not None:
                yield head

    def history(self, request: Request) -> Response:
        """What became of a run, in order."""
        query = _Query(request)
        after = query.count("after", 0, least=0)
        limit = query.count("limit", HISTORY_PAGE_ENTRIES, most=HISTORY_PAGE_ENTRIES_MAX)
        query.check()
        workflow_id = request.parameters["id"]
        head = self._archive.load(workflow_id)
        if head is None or head.removing:
            raise RunNotFound(f"there is no run {workflow_id!r}")
        placed = list(self._archive.placed_entries(head, after=after, limit=limit))
        last = placed[-1].version if placed else after
        calls = [call for call in self._store.operator_calls(workflow_id) if call.kind in {"hold", "release", "fork"}]
        entries: list[JsonValue] = list(
            itertools.chain(
                _calls_at(calls, 0) if after == 0 else (),
                *((_entry(place.version, place.entry), *_calls_at(calls, place.version)) for place in placed),
            )
        )
        return response_of(
            200,
            {
                "workflowId": workflow_id,
                "version": head.version,
                "entries": entries,
                "after": last if last < head.version else None,
            },
        )


class _Query:
    """Reads the query of a request, and remembers what was wrong with each part of it."""

    def __init__(self, request: Request) -> None:
        self._values = request.query
        self._asked: list[str] = []
        self._faults: list[Fault] = []

    def text(self, name: str) -> str | None:
        self._asked.append(name)
        return self._values.get(name) or None

    def status(self) -> Status | None:
        value = self.text("status")
        if value is not None and value not in set(Status):
            self._fault("status", value, f"one of {', '.join(Status)}")
            return None
        return None if value is None else Status(value)

    def count(self, name: str, default: int, *, least: int = 1, most: int | None = None) -> int:
        value = self.text(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdecimal()) or len(value) > 15 or int(value) < least:  # noqa: PLR2004
            self._fault(name, value, f"a whole number of {least} or more")
            return default
        return int(value) if most is None else min(int(value), most)

    def moment_ms(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if value.isascii() and value.isdecimal() and len(value) <= 13:  # noqa: PLR2004  (until the year 2286)
            return int(value)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self._fault(name, value, "epoch milliseconds or an ISO 8601 time")
            return None
        at_ms = round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        return min(max(at_ms, 0), _MOMENT_MS_MAX)

    def check(self) -> None:
        """Raises RequestFault with every fault there was; what nobody asked for is one, for it is a typo."""
        known = ", ".join(self._asked)
        unknown = [name for name in self._values if name not in self._asked]
        self._faults += [Fault(f"query.{name}", f"there is no such parameter; there are {known}") for name in unknown]
        if self._faults:
            raise RequestFault(400, "the query cannot be read", self._faults)

    def _fault(self, name: str, value: str, remedy: str) -> None:
        self._faults.append(Fault(f"query.{name}", f"{value!r} is not valid; it must be {remedy}"))


def _cut(found: Sequence[Head], cursor: str, before: str | None) -> tuple[Sequence[Head], str]:
    """Ends a page where no other tenant's run is given away: a cursor is a place, and a place tells a run's id."""
    if found and cursor == cursor_at(_place_of(found[-1])):
        return found, cursor
    # The next page begins with the whole of the millisecond in which this one ends.
    ends_at_ms = started_at_ms(cursor)
    following = cursor_before(ends_at_ms + 1)
    if following == before:
        # More runs in one millisecond than a call looks through: the rest of them is passed over.
        return found, cursor_before(ends_at_ms)
    return [head for head in found if head.started_at_ms > ends_at_ms], following


def _place_of(head: Head) -> str:
    definition = head.snapshot.definition
    return started_sort_key(head.started_at_ms, definition.name if definition is not None else "", head.workflow_id)


def _has_tag(head: Head, tag: str | None) -> bool:
    if tag is None:
        return True
    name, _, value = tag.partition("=")
    tags = head.snapshot.tags or {}
    return name in tags and value in {"", tags[name]}


def _summary(head: Head) -> JsonObject:
    snapshot = head.snapshot
    document: JsonObject = {
        "workflowId": head.workflow_id,
        "workflow": snapshot.definition.name if snapshot.definition is not None else None,
        "status": snapshot.status.value,
        "currentNodeId": snapshot.current_node_id,
        "version": head.version,
        "startedAt": head.started_at_ms,
        "lastStartedAt": snapshot.last_started_at,
    }
    if head.hold is not None and not snapshot.status.terminal:
        document["held"] = hold_to_json(head.hold)
    if snapshot.tags:
        document["tags"] = dict(snapshot.tags)
    if snapshot.tenant is not None:
        document["tenant"] = snapshot.tenant
    return document


def _entry(version: int, entry: Entry) -> JsonObject:
    document: JsonObject = {
        "version": version,
        "at": entry.at_ms,
        "kind": _kind(entry),
        "nodeId": entry.node_id,
        "status": entry.status.value,
        "durationMs": entry.duration_ms,
    }
    if entry.has_result:
        document["attempt"] = entry.attempt
        if entry.error is None:
            document["output"] = read_value(entry.output)
    for name, text in (
        ("error", entry.error),
        ("errorType", entry.error_type),
        ("resumedBy", entry.resumed),
        ("signal", entry.signal),
        ("actor", entry.actor),
        ("reason", entry.reason),
    ):
        if text is not None:
            document[name] = text
    return document


def _kind(entry: Entry) -> str:
    if entry.status is Status.CANCELLED:
        return "cancelled"
    if not entry.has_result:
        return "retried" if entry.status is Status.ERROR else "paused"
    if entry.error is None:
        return "succeeded"
    return {Status.ERROR: "rescheduled", Status.FAILED: "failed"}.get(entry.status, "caught")


def _calls_at(calls: Sequence[OperatorCall], version: int) -> Iterator[JsonObject]:
    for call in calls:
        if call.version == version:
            document: JsonObject = {"version": version, "at": call.at_ms, "kind": call.kind, "actor": call.actor}
            if call.reason is not None:
                document["reason"] = call.reason
            if call.target is not None:
                document["target"] = call.target
            yield document
