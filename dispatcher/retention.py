"""How long finished runs are kept, and how they go.

A run that is nothing but its head goes by the table's own expiry. One with objects of its own is removed item by
item, its head last, so that a removal that was cut short is taken up again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dispatcher.errors import Terminal
from dispatcher.head import Head
from dispatcher.limits import MARK_AFTER_OUTSIDE_CALL_MS, PIN_YOUNG_MS, PURGE_KEYS_PER_READ, PURGE_TIME_MAX_MS
from dispatcher.messages import Continuation
from dispatcher.ports import PayloadBucket, RunStore, StepQueue
from dispatcher.table_schema import bucket_prefix, call_sort_key

_DAY_MS: Final = 24 * 3600 * 1000


class RunPinned(Terminal):
    """The run was forked, and its fork needs what it has put away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Removes finished runs. ``days`` None: they are kept for ever."""

    store: RunStore
    bucket: PayloadBucket
    queue: StepQueue
    now_ms: Callable[[], int]
    days: int | None = None

    def expires_at_ms(self, head: Head) -> int | None:
        """When a finished run may go, epoch milliseconds; None for one that stays."""
        if self.days is None or not head.snapshot.status.terminal or not head.history.tail:
            return None
        return head.history.tail[-1].at_ms + self.days * _DAY_MS

    def rest(self, head: Head) -> bool:
        """Takes the mark from a finished run, or sets it to the time at which it goes. Says whether it has."""
        expires_at_ms = self.expires_at_ms(head)
        if head.removing:
            return self._send_for_purge(head)
        if expires_at_ms is None:
            return self.store.move_mark(head, due_at_ms=None, grace_ms=None)
        if not head.in_bucket and not self.store.keys(head.workflow_id, limit=1):
            return self.store.expire(head, expires_at_s=-(-expires_at_ms // 1000))
        if self.now_ms() < expires_at_ms:
            waits = head.due_at_ms == expires_at_ms
            return not waits and self.store.move_mark(head, due_at_ms=expires_at_ms, grace_ms=None)
        return self._send_for_purge(head)

    def _send_for_purge(self, head: Head) -> bool:
        # The mark first, as always: a crash in between is late, not lost.
        moved = self.store.move_mark(head, due_at_ms=self.now_ms() + _DAY_MS, grace_ms=None)
        if moved and not self.is_pinned(head):
            self.queue.send(Continuation(head.workflow_id, head.version), group=head.snapshot.tenant)
        return moved

    def purge_if_expired(self, head: Head) -> None:
        """Removes a run whose time has come; sends for the rest when there is too much to do at once."""
        expires_at_ms = self.expires_at_ms(head)
        if not head.removing and (expires_at_ms is None or self.now_ms() < expires_at_ms):
            return
        try:
            gone = self.purge(head)
        except RunPinned:
            return
        if not gone:
            self.queue.send(Continuation(head.workflow_id, head.version), group=head.snapshot.tenant)

    def purge(self, head: Head) -> bool:
        """Removes a finished run and all that belongs to it, as far as there is time; says whether it is gone.

        Raises:
            RunPinned: a fork of it needs what it has put away. Nothing was removed.
        """
        ends_at_ms = self.now_ms() + PURGE_TIME_MAX_MS
        # A removal that is cut short is the sweep's to go on with.
        again_at_ms = self.now_ms() + MARK_AFTER_OUTSIDE_CALL_MS
        if not self.store.move_mark(head, due_at_ms=again_at_ms, grace_ms=None):
            return False
        # First it is told that the run goes, then who needs it is asked: a fork looks in the other order, and one of
        # the two sees the other.
        if not self.store.set_removing(head, True):
            return False
        if self.is_pinned(head):
            self.store.set_removing(head, False)
            raise RunPinned(f"run {head.workflow_id!r} was forked, and its fork needs what it has put away")
        while keys := self.store.keys(head.workflow_id, limit=PURGE_KEYS_PER_READ):
            self.store.remove(head.workflow_id, keys)
            if self.now_ms() >= ends_at_ms:
                return False
        self.bucket.remove(bucket_prefix(head.workflow_id))
        for ancestor in head.history.lineage:
            calls = self.store.operator_calls(ancestor.workflow_id)
            pins = [call_sort_key(call.key) for call in calls if call.target == head.workflow_id]
            self.store.remove(ancestor.workflow_id, pins)
        return self.store.remove_head(head)

    def is_pinned(self, head: Head) -> bool:
        """Whether another run, forked from this one, still refers to what belongs to it."""
        calls = [call for call in self.store.operator_calls(head.workflow_id) if call.kind == "fork"]
        # A pin is written before its fork: one that is young may have its fork still to come.
        young_ms = self.now_ms() - PIN_YOUNG_MS
        return any(call.at_ms > young_ms or self.store.load(call.target or "") is not None for call in calls)
