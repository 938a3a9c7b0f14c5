"""What a committed head calls for, done: whoever finds a head whose effects may not have happened does them again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from dispatcher.due import beyond_the_queue, delay_seconds_until
from dispatcher.head import Head
from dispatcher.messages import Continuation, Wake
from dispatcher.ports import RunStore, StepQueue
from dispatcher.signals import awaited_signal
from engine import Status
from engine.effects import AwaitSignal, EnqueueStep, effects_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadEffects:
    """Performs effects. Each of them may be performed again."""

    store: RunStore
    queue: StepQueue
    now_ms: Callable[[], int]

    def perform(self, head: Head) -> None:
        """Does what a committed head calls for; of a run on hold, only what it owes."""
        if head.snapshot.status is not Status.ACTIVE:
            self.settle_debts(head)
        if head.hold is not None:
            return
        for effect in effects_of(head.snapshot):
            match effect:
                case EnqueueStep(not_before_ms=None):
                    self.queue.send(Continuation(head.workflow_id, head.version), group=head.snapshot.tenant)
                case EnqueueStep(not_before_ms=due_at_ms):
                    # A far timer is the due mark's, unless its time has passed meanwhile: on hold, say.
                    if not head.far or (due_at_ms is not None and due_at_ms <= self.now_ms()):
                        self.send_later(head)
                case AwaitSignal():
                    if awaited_signal(self.store, head) is not None:
                        self.queue.send(Wake(head.workflow_id), group=head.snapshot.tenant)
                case _:
                    assert_never(effect)

    def settle_debts(self, head: Head) -> None:
        """Does what a head owes besides its own continuation: the signals it took leave the inbox."""
        if head.takes:
            self.store.remove_from_inbox(head.workflow_id, [taken.inbox_key for taken in head.takes])

    def send_later(self, head: Head) -> None:
        """Sends the continuation for the time the head is due, unless that is the due mark's business."""
        due_at_ms, now = head.snapshot.due_at_ms, self.now_ms()
        if due_at_ms is None:
            return
        # The mark owns what is beyond the queue, if it is there: another's clock may have seen the time within reach.
        marked = head.due_at_ms is not None and head.due_at_ms <= due_at_ms
        if marked and beyond_the_queue(due_at_ms, now):
            return
        message = Continuation(head.workflow_id, head.version)
        delay_seconds = delay_seconds_until(due_at_ms, now)
        self.queue.send(message, delay_seconds=delay_seconds, group=head.snapshot.tenant)
