"""A run as it was at an earlier version, from its history: what a fork begins with."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from dispatcher.archive import Archive
from dispatcher.errors import Terminal
from dispatcher.head import Head
from dispatcher.history import NO_MARK, Entry, History, NodeMark, Owner, Reference, bytes_of
from engine import Snapshot, Status
from engine.context import visit_of
from engine.json_value import Deferred, JsonValue
from engine.snapshot import RetryState


class NoSuchVersion(Terminal):
    """A run cannot be forked from that version."""


class Rewound(NamedTuple):
    """A run at an earlier version. The history refers to what the source and its ancestors have put away."""

    snapshot: Snapshot
    history: History


def rewound(archive: Archive, source: Head, version: int, *, now_ms: int) -> Rewound:
    """The run as it was when it had made ``version`` transitions and a step was about to be executed.

    Reads the history up to there. A step that was about to be retried is retried at once, its policies begun anew.

    Raises:
        NoSuchVersion: the run has no such version, or no step was about to be executed then.
    """
    if not 0 <= version <= source.version:
        raise NoSuchVersion(f"version is {version}; run {source.workflow_id!r} has versions 0 to {source.version}")
    owner = source.owner
    newest: Entry | None = None
    node_id = source.snapshot.current_node_id
    total_ms, last_success = 0, None
    segments = archive.segments_until(source, version)
    marks: dict[str, NodeMark] = {}
    tail: list[Entry] = []
    for placed in archive.placed_entries(source, after=0, limit=version + 1):
        entry = placed.entry
        if placed.version > version:
            node_id = entry.node_id
            break
        newest, total_ms = entry, total_ms + entry.duration_ms
        if entry.has_result and entry.error is None:
            last_success = entry.node_id
        if placed.segment is None or placed.segment >= segments:
            tail.append(entry._replace(output=_of(owner, entry.output)))
        elif entry.has_result and entry.node_id is not None:
            mark = marks.get(entry.node_id, NO_MARK)
            visits = visit_of(entry.attempt, mark.visits)
            marks[entry.node_id] = NodeMark(mark.results + 1, visits, placed.segment)
    snapshot = source.snapshot._replace(
        current_node_id=node_id,
        version=version,
        input=_of(owner, source.snapshot.input),
        last_node_id=last_success,
        total_execution_time=total_ms,
        wait=None,
        retry_state=None,
    )
    history = History(
        tail=tuple(tail),
        tail_bytes=sum(map(bytes_of, tail)),
        segments=segments,
        results=sum(mark.results for mark in marks.values()),
        index=marks,
        origins=_origins(source.history, owner, segments),
        lineage=(*source.history.lineage, owner),
    )
    return Rewound(_about_to_execute(snapshot, newest, now_ms), history)


def _about_to_execute(snapshot: Snapshot, newest: Entry | None, now_ms: int) -> Snapshot:
    status = Status.ACTIVE if newest is None else newest.status
    if snapshot.current_node_id is None or status not in {Status.ACTIVE, Status.ERROR}:
        raise NoSuchVersion(
            f"at version {snapshot.version} run {snapshot.workflow_id!r} was {status.value}: no step was about to be "
            "executed; its history tells where one was"
        )
    if newest is None or status is Status.ACTIVE:
        return snapshot._replace(status=Status.ACTIVE)
    retry_state = RetryState(snapshot.current_node_id, newest.attempt if newest.has_result else 0, now_ms, (0,))
    return snapshot._replace(status=status, retry_state=retry_state)


def _origins(history: History, owner: Owner, segments: int) -> tuple[tuple[Owner, int], ...]:
    inherited = tuple((whose, min(below, segments)) for whose, below in history.origins)
    reached = max((below for _, below in inherited), default=0)
    return (*inherited, (owner, segments)) if segments > reached else inherited


def _of(owner: Owner, value: JsonValue | Deferred) -> JsonValue | Deferred:
    """A value, if it is kept elsewhere, as another run refers to it."""
    if isinstance(value, Reference):
        return replace(value, owner=value.owner or owner, reader=None)
    return value
