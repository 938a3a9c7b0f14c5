"""The sweep: once a minute, find runs whose time has come or whose message is lost, and send again.

Owns the removal of due marks: nobody else removes one. Two sweeps at once do no harm; every change of a mark
is conditional on the head and the mark that were read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dispatcher.due import delay_seconds_until
from dispatcher.errors import Retryable, UnknownSchema
from dispatcher.head import Head
from dispatcher.limits import SWEEP_GRACE_MAX_MS, SWEEP_GRACE_MS, SWEEP_MARKS_PER_SHARD, SWEEP_PERIOD_MS
from dispatcher.messages import Continuation
from dispatcher.ports import DueMark, RunStore, StepQueue
from dispatcher.signals import names_awaited
from dispatcher.table_schema import DUE_SHARDS
from engine import Status

_LOG: Final = logging.getLogger("refluxo.sweep")


@dataclass(slots=True)
class SweepReport:
    """What one sweep did."""

    looked_at: int = 0
    sent: int = 0
    pushed: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Looks after due marks."""

    store: RunStore
    queue: StepQueue
    now_ms: Callable[[], int]

    def run(self) -> SweepReport:
        """Handles every mark due within the next period, from the oldest, bounded per shard."""
        report = SweepReport()
        until_ms = self.now_ms() + SWEEP_PERIOD_MS
        for shard in range(DUE_SHARDS):
            for mark in self.store.due_marks(shard, until_ms=until_ms, limit=SWEEP_MARKS_PER_SHARD):
                report.looked_at += 1
                try:
                    self._look_at(mark, report)
                except (Retryable, UnknownSchema) as passing:
                    # One run's trouble is not another's; the next sweep comes back to it.
                    _LOG.warning("left for later", extra={"workflow_id": mark.workflow_id, "reason": str(passing)})
        return report

    def _look_at(self, mark: DueMark, report: SweepReport) -> None:
        head = self.store.load(mark.workflow_id)
        if head is None or head.due_at_ms is None or head.due_at_ms > self.now_ms() + SWEEP_PERIOD_MS:
            return  # the index lagged behind
        if self._at_rest(head):
            report.removed += self.store.move_mark(head, due_at_ms=None, grace_ms=None)
            return
        timer_ms = head.snapshot.due_at_ms
        waits_for_timer = timer_ms is not None and head.due_at_ms <= timer_ms
        if timer_ms is not None and timer_ms > self.now_ms() + SWEEP_PERIOD_MS and not self._signalled(head):
            report.pushed += self.store.move_mark(head, due_at_ms=timer_ms, grace_ms=None)
        elif timer_ms is not None and waits_for_timer and not self._signalled(head):
            # The mark first: a crash in between is late by the grace, not lost.
            if self.store.move_mark(head, due_at_ms=timer_ms + SWEEP_GRACE_MS, grace_ms=SWEEP_GRACE_MS):
                self._send(head, delay_seconds_until(timer_ms, self.now_ms()), report)
        elif head.due_at_ms <= self.now_ms():
            self._send_lost(head, report)

    def _at_rest(self, head: Head) -> bool:
        snapshot = head.snapshot
        if snapshot.status.terminal:
            return True
        waits_outside = snapshot.status is Status.PAUSED and snapshot.due_at_ms is None
        return waits_outside and not self._signalled(head)

    def _signalled(self, head: Head) -> bool:
        snapshot = head.snapshot
        if snapshot.wait is None or snapshot.current_node_id is None:
            return False
        names = names_awaited(snapshot.current_node_id, snapshot.wait)
        besides = [taken.inbox_key for taken in head.takes]
        return self.store.oldest_signal(head.workflow_id, names, besides=besides) is not None

    def _send_lost(self, head: Head, report: SweepReport) -> None:
        """The run should have gone on by now: its message is lost, or very late."""
        grace_ms = min(2 * head.grace_ms, SWEEP_GRACE_MAX_MS) if head.grace_ms else SWEEP_GRACE_MS
        if self.store.move_mark(head, due_at_ms=self.now_ms() + grace_ms, grace_ms=grace_ms):
            _LOG.warning("overdue", extra={"workflow_id": head.workflow_id, "version": head.version})
            self._send(head, 0, report)

    def _send(self, head: Head, delay_seconds: int, report: SweepReport) -> None:
        self.queue.send(Continuation(head.workflow_id, head.version), delay_seconds=delay_seconds)
        report.sent += 1
