"""How long finished runs are kept, and how they go.

A run that is nothing but its head goes by the table's own expiry. One with objects of its own is removed item by
item, its head last, so that a removal that was cut short is taken up again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dispatcher.head import Head
from dispatcher.limits import PURGE_KEYS_PER_READ, PURGE_TIME_MAX_MS
from dispatcher.messages import Continuation
from dispatcher.ports import PayloadBucket, RunStore, StepQueue
from dispatcher.table_schema import bucket_prefix

_DAY_MS: Final = 24 * 3600 * 1000


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
        if expires_at_ms is None:
            return self.store.move_mark(head, due_at_ms=None, grace_ms=None)
        if not self.store.keys(head.workflow_id, limit=1):
            return self.store.expire(head, expires_at_s=-(-expires_at_ms // 1000))
        if self.now_ms() < expires_at_ms:
            waits = head.due_at_ms == expires_at_ms
            return not waits and self.store.move_mark(head, due_at_ms=expires_at_ms, grace_ms=None)
        # The mark first, as always: a crash in between is late, not lost.
        moved = self.store.move_mark(head, due_at_ms=self.now_ms() + _DAY_MS, grace_ms=None)
        if moved and not self.is_pinned(head):
            self.queue.send(Continuation(head.workflow_id, head.version), group=head.snapshot.tenant)
        return moved

    def purge_if_expired(self, head: Head) -> None:
        """Removes a run whose time has come; sends for the rest when there is too much to do at once."""
        expires_at_ms = self.expires_at_ms(head)
        if expires_at_ms is None or self.now_ms() < expires_at_ms or self.is_pinned(head):
            return
        if not self.purge(head):
            self.queue.send(Continuation(head.workflow_id, head.version), group=head.snapshot.tenant)

    def purge(self, head: Head) -> bool:
        """Removes a finished run and all that belongs to it, as far as there is time; says whether it is gone."""
        ends_at_ms = self.now_ms() + PURGE_TIME_MAX_MS
        while keys := self.store.keys(head.workflow_id, limit=PURGE_KEYS_PER_READ):
            self.store.remove(head.workflow_id, keys)
            if self.now_ms() >= ends_at_ms:
                return False
        self.bucket.remove(bucket_prefix(head.workflow_id))
        return self.store.remove_head(head)

    def is_pinned(self, head: Head) -> bool:
        """Whether another run, forked from this one, still refers to what belongs to it."""
        calls = self.store.operator_calls(head.workflow_id)
        targets = [call.target for call in calls if call.kind == "fork" and call.target is not None]
        return any(self.store.load(target) is not None for target in targets)
