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
from dispatcher.errors import DispatchError
from dispatcher.head import Head
from dispatcher.head_effects import HeadEffects
from dispatcher.limits import (
    SWEEP_GRACE_MAX_MS,
    SWEEP_GRACE_MS,
    SWEEP_MARKS_PER_PAGE,
    SWEEP_PERIOD_MS,
    SWEEP_TIME_MAX_MS,
)
from dispatcher.messages import Continuation
from dispatcher.ports import DueMark, RunStore, StepQueue
from dispatcher.retention import Retention
from dispatcher.signals import awaited_signal
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
    overdue: int = 0
    """Runs whose message counts as lost."""
    queue_age_ms: int | None = None
    """Age of the queue's oldest message, once it was asked for."""

    @property
    def done(self) -> int:
        """Marks that are not where they were."""
        return self.sent + self.pushed + self.removed


@dataclass(frozen=True, slots=True)
class _Page:
    """Marks of a shard, those after a mark, or the first."""

    shard: int
    after: DueMark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Looks after due marks."""

    store: RunStore
    queue: StepQueue
    effects: HeadEffects
    retention: Retention
    now_ms: Callable[[], int]

    def run(self) -> SweepReport:
        """Handles the marks due within the next period, from the oldest, as long as there is time.

        Shards take turns, and another begins each time, so that none starves when there is too much to do.
        """
        report = SweepReport()
        started_at_ms = self.now_ms()
        first = started_at_ms // SWEEP_PERIOD_MS % DUE_SHARDS
        pages = [_Page((first + number) % DUE_SHARDS) for number in range(DUE_SHARDS)]
        while pages and self.now_ms() - started_at_ms < SWEEP_TIME_MAX_MS:
            following = [self._sweep_page(page, started_at_ms + SWEEP_TIME_MAX_MS, report) for page in pages]
            pages = [page for page in following if page is not None]
        return report

    def _sweep_page(self, page: _Page, ends_at_ms: int, report: SweepReport) -> _Page | None:
        """Handles a page of a shard's marks. The page after it, or None when there is none to look at now."""
        until_ms = self.now_ms() + SWEEP_PERIOD_MS
        try:
            marks = self.store.due_marks(page.shard, until_ms=until_ms, limit=SWEEP_MARKS_PER_PAGE, after=page.after)
        except DispatchError as error:
            _LOG.warning("shard left for later", extra={"shard": page.shard, "reason": str(error)})
            return None
        for mark in marks:
            if self.now_ms() >= ends_at_ms:
                return None
            report.looked_at += 1
            try:
                self._look_at(mark, report)
            except Exception:  # noqa: BLE001  (one run's trouble is not another's; the next sweep comes back to it)
                _LOG.exception("left for later", extra={"workflow_id": mark.workflow_id})
        # From where this page ended: what could not be seen to stays behind, and hides nothing.
        return _Page(page.shard, marks[-1]) if len(marks) == SWEEP_MARKS_PER_PAGE else None

    def _look_at(self, mark: DueMark, report: SweepReport) -> None:
        head = self.store.load(mark.workflow_id)
        now = self.now_ms()
        if head is None or head.due_at_ms is None or head.due_at_ms > now + SWEEP_PERIOD_MS:
            return  # the index lagged behind
        if head.snapshot.status.terminal:
            self.effects.settle_debts(head)
            report.removed += self.retention.rest(head)
            return
        if self._at_rest(head):
            report.removed += self.store.move_mark(head, due_at_ms=None, grace_ms=None)
            return
        timer_ms = head.snapshot.due_at_ms
        if timer_ms is None or head.due_at_ms > timer_ms or awaited_signal(self.store, head) is not None:
            self._see_to_lateness(head, report)
        elif timer_ms > now + SWEEP_PERIOD_MS:
            report.pushed += self.store.move_mark(head, due_at_ms=timer_ms, grace_ms=None)
        elif not head.far:
            # Within the queue's reach when it was committed: a message is on its way, and only its loss is ours.
            due_at_ms = max(timer_ms, now) + SWEEP_GRACE_MS
            report.pushed += self.store.move_mark(head, due_at_ms=due_at_ms, grace_ms=SWEEP_GRACE_MS)
        # The mark first: a crash in between is late by the grace, not lost.
        elif self.store.move_mark(head, due_at_ms=max(timer_ms, now) + SWEEP_GRACE_MS, grace_ms=SWEEP_GRACE_MS):
            self._send(head, delay_seconds_until(timer_ms, now), report)

    def _at_rest(self, head: Head) -> bool:
        snapshot = head.snapshot
        if head.hold is not None:
            return True
        waits_outside = snapshot.status is Status.PAUSED and snapshot.due_at_ms is None
        return waits_outside and awaited_signal(self.store, head) is None

    def _see_to_lateness(self, head: Head, report: SweepReport) -> None:
        """The run should go on by a message of its own: gives it the grace, then counts the message as lost."""
        mark_ms, now = head.due_at_ms, self.now_ms()
        if mark_ms is None or mark_ms > now:
            return
        if head.grace_ms is None:
            # Whoever set the mark did not add the grace: a message may be waiting, or hidden while its step runs.
            due_at_ms = mark_ms + SWEEP_GRACE_MS
            if due_at_ms > now:
                report.pushed += self.store.move_mark(head, due_at_ms=due_at_ms, grace_ms=SWEEP_GRACE_MS)
                return
        if self._queue_age_ms(report) > (head.grace_ms or SWEEP_GRACE_MS):
            # The queue itself is behind: the message is waiting in it, and another would only make it longer.
            due_at_ms = now + (head.grace_ms or SWEEP_GRACE_MS)
            report.pushed += self.store.move_mark(head, due_at_ms=due_at_ms, grace_ms=head.grace_ms or SWEEP_GRACE_MS)
            return
        grace_ms = min(2 * head.grace_ms, SWEEP_GRACE_MAX_MS) if head.grace_ms else SWEEP_GRACE_MS
        if self.store.move_mark(head, due_at_ms=now + grace_ms, grace_ms=grace_ms):
            report.overdue += 1
            _LOG.warning("overdue", extra={"workflow_id": head.workflow_id, "version": head.version})
            self._send(head, 0, report)

    def _queue_age_ms(self, report: SweepReport) -> int:
        """Asked for once a sweep, and only when a message counts as lost."""
        if report.queue_age_ms is None:
            try:
                report.queue_age_ms = self.queue.oldest_age_ms()
            except DispatchError as error:
                # To send what was not lost is harmless; not to send what was is not.
                _LOG.warning("age of the queue unknown", extra={"reason": str(error)})
                report.queue_age_ms = 0
        return report.queue_age_ms

    def _send(self, head: Head, delay_seconds: int, report: SweepReport) -> None:
        message = Continuation(head.workflow_id, head.version)
        self.queue.send(message, delay_seconds=delay_seconds, group=head.snapshot.tenant)
        report.sent += 1
