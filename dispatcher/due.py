"""Where a run's due mark stands: the safety net under every message.

Owns the arithmetic of dispatch-protocol.md, "Due marks and the sweep". A run has a mark while something must
happen without a message (a timer beyond the queue's reach), and always while it is not at rest.
"""

from __future__ import annotations

import zlib

from dispatcher.limits import (
    DELAY_SECONDS_MAX,
    MARK_AFTER_OUTSIDE_CALL_MS,
    MARK_MOVED_TO_MS,
    MARK_MOVED_WHEN_NEARER_THAN_MS,
)
from engine import Snapshot, Status


def shard_of(workflow_id: str, shards: int) -> int:
    """The due shard of a run: fixed for its life."""
    return zlib.crc32(workflow_id.encode()) % shards


def mark_after_commit(snapshot: Snapshot, mark_ms: int | None, now_ms: int) -> int | None:
    """Where a step's commit moves the mark to, or None to leave it where it is.

    An active run moves a mark that is near, far enough ahead that most steps need not. Any other commit moves
    it only to an earlier time, for a timer beyond the queue's reach: a signal may be setting the mark at the
    same moment, and the sweep pushes a mark that is too early to its true time.
    """
    if snapshot.status is Status.ACTIVE:
        near = mark_ms is None or mark_ms < now_ms + MARK_MOVED_WHEN_NEARER_THAN_MS
        return now_ms + MARK_MOVED_TO_MS if near else None
    if snapshot.status.terminal:
        return None
    due_at_ms = snapshot.due_at_ms
    if due_at_ms is not None and beyond_the_queue(due_at_ms, now_ms) and (mark_ms is None or due_at_ms < mark_ms):
        return due_at_ms
    return now_ms + MARK_MOVED_TO_MS if mark_ms is None else None


def mark_of_outside_call(mark_ms: int | None, now_ms: int) -> int:
    """Where a start, a signal or an operator's call sets the mark.

    Never later than it is, and never equal to it: a sweep that is about to remove the mark of a run at rest
    does so on condition of the mark it has read, and must notice the call.
    """
    ahead = now_ms + MARK_AFTER_OUTSIDE_CALL_MS
    return ahead if mark_ms is None else min(ahead, mark_ms - 1)


def beyond_the_queue(due_at_ms: int, now_ms: int) -> bool:
    """Whether a time is further away than a message can be delayed."""
    return due_at_ms - now_ms > DELAY_SECONDS_MAX * 1000


def delay_seconds_until(due_at_ms: int, now_ms: int) -> int:
    """Delay of a message that must not arrive before a time: rounded up, at least 1 while there is any rest."""
    rest_ms = due_at_ms - now_ms
    return 0 if rest_ms <= 0 else min(max(1, -(-rest_ms // 1000)), DELAY_SECONDS_MAX)
