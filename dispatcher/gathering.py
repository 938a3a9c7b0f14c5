"""The first part of a dispatch: the head as it is now, and whether a message may act on it.

The rules and their numbers are those of dispatch-protocol.md, "Messages". The dispatcher goes on to execute what is
gathered here; the consumer of dead letters sends instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dispatcher.archive import Archive
from dispatcher.errors import DispatchError, UnknownSchema
from dispatcher.head import Head, Pending, Taken
from dispatcher.head_effects import HeadEffects
from dispatcher.limits import UNKNOWN_SCHEMA_DELAY_SECONDS
from dispatcher.messages import Continuation, Delivery, Message, Wake
from dispatcher.ports import RunStore, StepQueue
from dispatcher.retention import Retention
from dispatcher.signals import awaited_signal
from dispatcher.table_schema import inbox_sort_key
from engine import Resumed, Snapshot, Status
from engine.outcome import StepError

_LOG: Final = logging.getLogger("refluxo.dispatch")


@dataclass(frozen=True, slots=True)
class Work:
    """A head that a delivery may act on.

    Args:
        head: opened.
        pending: what came from outside for its next step.
        takes: the signals that step takes.
        failure: what to record in place of an execution.
        trouble: takes each error of a read of what the head refers to.
    """

    head: Head
    pending: Pending | None
    takes: tuple[Taken, ...] = ()
    failure: StepError | None = None
    trouble: list[DispatchError] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """Gathers."""

    store: RunStore
    queue: StepQueue
    archive: Archive
    effects: HeadEffects
    retention: Retention
    now_ms: Callable[[], int]

    def gather(self, delivery: Delivery) -> Work | None:
        """What the delivery may act on; None when there is nothing, and whatever was to be sent has been."""
        trouble: list[DispatchError] = []
        head = self._load(delivery.message, trouble)
        if head is None:
            return None
        if head.snapshot.status.terminal:
            self.effects.settle_debts(head)
            self.retention.purge_if_expired(head)
            return None
        if head.hold is not None:
            return None
        if head.by == delivery.message_id:
            # This message's earlier delivery committed and may have died before it sent: do that now.
            self.effects.perform(head)
            return None
        if not _is_current(delivery.message, head):
            return None
        return self._due_work(head, delivery, trouble)

    def _load(self, message: Message, trouble: list[DispatchError]) -> Head | None:
        try:
            head = self.archive.load(message.workflow_id, trouble)
        except UnknownSchema as newer:
            # A deploy is in flight: newer code will be here in a minute.
            _LOG.warning("newer schema", extra={"workflow_id": message.workflow_id, "reason": str(newer)})
            self.queue.send(message, delay_seconds=UNKNOWN_SCHEMA_DELAY_SECONDS)
            return None
        if head is None:
            _LOG.warning("unknown run", extra={"workflow_id": message.workflow_id})
        return head

    def _due_work(self, head: Head, delivery: Delivery, trouble: list[DispatchError]) -> Work | None:
        snapshot = head.snapshot
        match snapshot.status:
            case Status.ACTIVE:
                return Work(head, head.pending, trouble=trouble)
            case Status.ERROR:
                if self._is_due(snapshot):
                    return Work(head, head.pending, trouble=trouble)
            case Status.PAUSED:
                work = self._ended_wait(head, trouble)
                if work is not None:
                    return work
            case _:
                return None
        if isinstance(delivery.message, Continuation):
            self.effects.send_later(head)
        return None

    def _is_due(self, snapshot: Snapshot) -> bool:
        return snapshot.due_at_ms is None or self.now_ms() >= snapshot.due_at_ms

    def _ended_wait(self, head: Head, trouble: list[DispatchError]) -> Work | None:
        """Why the wait is over, if it is: a signal that arrived in time, else its timer."""
        wait = head.snapshot.wait
        if wait is None:
            return None
        signal = awaited_signal(self.store, head)
        timer_fired = wait.due_at_ms is not None and self.now_ms() >= wait.due_at_ms
        in_time = signal is not None and (
            wait.due_at_ms is None or signal.arrived_at_ms < wait.due_at_ms or not timer_fired
        )
        if signal is not None and in_time:
            key = inbox_sort_key(signal.name, signal.arrived_at_ms, signal.signal_id)
            payload = self.archive.opened(head, signal.payload, trouble)
            pending = Pending(Resumed("signal", wait.signal), payload)
            return Work(head, pending, (Taken(signal.signal_id, key),), trouble=trouble)
        if timer_fired:
            return Work(head, Pending(Resumed(wait.by)), trouble=trouble)
        return None


def _is_current(message: Message, head: Head) -> bool:
    """Whether the message is about the head as it is.

    A stale one is a duplicate; one ahead of its head is of a table that was restored since, whose runs the
    sweep looks after.
    """
    match message:
        case Continuation(version=version):
            return version == head.version
        case Wake():
            return head.snapshot.status is Status.PAUSED
