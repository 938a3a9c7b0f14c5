"""The Dispatcher: one delivery of one message, and at most one step.

It gathers (load the head, see whether this message may act on it), decides (``execute_step``, pure), and
applies (one conditional write, then the effects the written head calls for). The rules and their numbers are
those of dispatch-protocol.md, "Messages"; each has a trace that breaks the promise without it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, assert_never

from dispatcher.catalog import Catalog
from dispatcher.due import beyond_the_queue, delay_seconds_until, mark_after_commit
from dispatcher.errors import DispatchError, ItemTooLarge, UnknownSchema
from dispatcher.head import Head, Pending, Taken
from dispatcher.limits import ANOTHER_STEP_NEEDS_MS, RUN_STEPS_MAX_DEFAULT, UNKNOWN_SCHEMA_DELAY_SECONDS
from dispatcher.messages import Continuation, Delivery, Message, Wake
from dispatcher.ports import RunStore, StepQueue
from dispatcher.signals import awaited_signal
from dispatcher.table_schema import inbox_sort_key
from dispatcher.webhook_token import WebhookTokens
from engine import Host, Resumed, Snapshot, Status, WaitAddress
from engine.effects import AwaitSignal, EnqueueStep, effects_of
from engine.errors import UnknownWorkflow
from engine.outcome import Failed, StepError
from engine.snapshot import DefinitionRef
from engine.transition import advance

_LOG: Final = logging.getLogger("refluxo.dispatch")


@dataclass(frozen=True, slots=True)
class _Work:
    """A head this delivery may act on, and what came from outside for its next step."""

    head: Head
    pending: Pending | None
    takes: tuple[Taken, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Executes steps.

    ``steps_per_invocation``: steps executed per message at most, each committed, with one send at the end.
    ``run_steps_max``: transitions after which a run is failed.
    """

    store: RunStore
    queue: StepQueue
    catalog: Catalog
    tokens: WebhookTokens
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    rng: random.Random
    steps_per_invocation: int = 1
    run_steps_max: int = RUN_STEPS_MAX_DEFAULT

    def deliver(self, delivery: Delivery, *, deadline_ms: int | None = None) -> None:
        """Handles one delivery. To return is to acknowledge it; to raise is to have it delivered again.

        Args:
            delivery: the message and what the queue says of it.
            deadline_ms: when the platform stops this function, epoch milliseconds.
        """
        # 1. Gather: the head as it is now, and whether this message may act on it.
        work = self._gather(delivery)
        for steps_left in reversed(range(self.steps_per_invocation)):
            if work is None:
                return
            # 2. Decide: one step. Nothing outside this process has changed when it returns.
            snapshot = self._decide(work, deadline_ms)
            # 3. Apply: commit, then what the committed head calls for.
            head = self._commit(work, snapshot, delivery)
            if head is None:
                return
            if steps_left and snapshot.status is Status.ACTIVE and self._has_time(deadline_ms):
                work = _Work(head, None)
                continue
            self._perform_effects(head)
            return

    def _has_time(self, deadline_ms: int | None) -> bool:
        return deadline_ms is None or deadline_ms - self.now_ms() >= ANOTHER_STEP_NEEDS_MS

    # --- 1. gather -----------------------------------------------------------------------------

    def _gather(self, delivery: Delivery) -> _Work | None:
        head = self._load(delivery.message)
        if head is None:
            return None
        if head.snapshot.status.terminal:
            self._remove_taken(head)
            return None
        if head.by == delivery.message_id:
            # This message's earlier delivery committed and may have died before it sent: do that now.
            self._perform_effects(head)
            return None
        return self._due_work(head, delivery) if _is_current(delivery.message, head) else None

    def _load(self, message: Message) -> Head | None:
        try:
            head = self.store.load(message.workflow_id)
        except UnknownSchema as newer:
            # A deploy is in flight: newer code will be here in a minute.
            _LOG.warning("newer schema", extra={"workflow_id": message.workflow_id, "reason": str(newer)})
            self.queue.send(message, delay_seconds=UNKNOWN_SCHEMA_DELAY_SECONDS)
            return None
        if head is None:
            _LOG.warning("unknown run", extra={"workflow_id": message.workflow_id})
        return head

    def _due_work(self, head: Head, delivery: Delivery) -> _Work | None:
        snapshot = head.snapshot
        match snapshot.status:
            case Status.ACTIVE:
                return _Work(head, head.pending)
            case Status.ERROR:
                if self._is_due(snapshot):
                    return _Work(head, head.pending)
            case Status.PAUSED:
                work = self._ended_wait(head)
                if work is not None:
                    return work
            case _:
                return None
        if isinstance(delivery.message, Continuation):
            self._send_later(head)
        return None

    def _is_due(self, snapshot: Snapshot) -> bool:
        return snapshot.due_at_ms is None or self.now_ms() >= snapshot.due_at_ms

    def _ended_wait(self, head: Head) -> _Work | None:
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
            resumed = Resumed("signal", wait.signal, signal.payload)
            return _Work(head, Pending(resumed), (Taken(signal.signal_id, key),))
        if timer_fired:
            return _Work(head, Pending(Resumed(wait.by)))
        return None

    def _remove_taken(self, head: Head) -> None:
        self.store.remove_from_inbox(head.workflow_id, [taken.inbox_key for taken in head.takes])

    # --- 2. decide -----------------------------------------------------------------------------

    def _decide(self, work: _Work, deadline_ms: int | None) -> Snapshot:
        head, snapshot = work.head, work.head.snapshot
        if head.version >= self.run_steps_max:
            return self._failed(head, StepError.named("RunStepsExceeded", f"the run made {head.version} transitions"))
        reference = snapshot.definition or DefinitionRef("", "")
        try:
            engine = self.catalog.engine(reference)
        except UnknownWorkflow as error:
            return self._failed(head, StepError.of(error))
        resumed = work.pending.resumed if work.pending is not None else None
        payload = snapshot.input if work.pending is not None and resumed is None else None
        trouble: list[DispatchError] = []
        here = WaitAddress(snapshot.current_node_id or "", snapshot.visit, snapshot.resumes)
        host = Host(
            nonce=head.nonce,
            deadline_ms=deadline_ms,
            callback_url=lambda address: self._link(head, address, trouble),
            signal_url=lambda signal: self._link(head, here, trouble, signal),
            announces=True,
        )
        following = engine.execute_step(
            snapshot,
            resumed.payload if resumed is not None else payload,
            self.catalog.globals(),
            now_ms=self.now_ms,
            rng=self.rng,
            resumed=resumed,
            host=host,
        )
        if trouble:
            # The step could not ask what it needed to: nothing is decided, even if its node made light of it.
            raise trouble[0]
        return following

    def _link(self, head: Head, address: WaitAddress, trouble: list[DispatchError], signal: str | None = None) -> str:
        try:
            return self.tokens.url(head, address, signal)
        except DispatchError as error:
            trouble.append(error)
            raise

    def _failed(self, head: Head, error: StepError) -> Snapshot:
        return advance(head.snapshot, Failed(error), now_ms=self.now_ms()).snapshot

    # --- 3. apply ------------------------------------------------------------------------------

    def _commit(self, work: _Work, snapshot: Snapshot, delivery: Delivery) -> Head | None:
        """Writes the next head; None when another delivery has, whose result counts then."""
        following = self._next_head(work, snapshot, delivery)
        # Signals taken by the commit before this one leave the head with this one: their items go first.
        self._remove_taken(work.head)
        mark_ms = mark_after_commit(snapshot, work.head.due_at_ms, self.now_ms())
        try:
            won = self.store.commit(following, mark_ms=mark_ms)
        except ItemTooLarge as too_large:
            failed = self._failed(work.head, StepError.named("PayloadTooLarge", str(too_large)))
            # What this step was about to take stays where it was: beside it the failure might not fit either.
            untaken = replace(work, pending=work.head.pending, takes=())
            following = self._next_head(untaken, failed, delivery)
            won = self.store.commit(following, mark_ms=None)
        if not won:
            _LOG.info("another delivery won", extra={"workflow_id": following.workflow_id})
            return None
        self._log_transition(following.snapshot)
        self.catalog.announce(work.head.snapshot, following.snapshot)
        return following if mark_ms is None else following.marked(mark_ms, None)

    def _next_head(self, work: _Work, snapshot: Snapshot, delivery: Delivery) -> Head:
        # What came from outside stays until the step that takes it has succeeded, or waits for more.
        untaken = snapshot.status in {Status.ERROR, Status.FAILED}
        return replace(
            work.head,
            snapshot=snapshot,
            pending=work.pending if untaken else None,
            takes=work.takes,
            by=delivery.message_id,
            writer_id=self.new_id(),
            grace_ms=None,
        )

    def _perform_effects(self, head: Head) -> None:
        """Does what a committed head calls for. Everything here may be done again."""
        if head.snapshot.status is not Status.ACTIVE:
            self._remove_taken(head)
        for effect in effects_of(head.snapshot):
            match effect:
                case EnqueueStep(not_before_ms=None):
                    self.queue.send(Continuation(head.workflow_id, head.version))
                case EnqueueStep():
                    self._send_later(head)
                case AwaitSignal():
                    if awaited_signal(self.store, head) is not None:
                        self.queue.send(Wake(head.workflow_id))
                case _:
                    assert_never(effect)

    def _send_later(self, head: Head) -> None:
        """Sends the continuation for the time the head is due, unless that is the due mark's business."""
        due_at_ms, now = head.snapshot.due_at_ms, self.now_ms()
        if due_at_ms is None:
            return
        # The mark owns what is beyond the queue, if it is there: another's clock may have seen the time within reach.
        marked = head.due_at_ms is not None and head.due_at_ms <= due_at_ms
        if marked and beyond_the_queue(due_at_ms, now):
            return
        message = Continuation(head.workflow_id, head.version)
        self.queue.send(message, delay_seconds=delay_seconds_until(due_at_ms, now))

    def _log_transition(self, snapshot: Snapshot) -> None:
        facts = {
            "workflow_id": snapshot.workflow_id,
            "version": snapshot.version,
            "status": snapshot.status.value,
            "node_id": snapshot.current_node_id,
        }
        error = snapshot.error
        if error is None:
            _LOG.info("committed", extra=facts)
        else:
            _LOG.warning("step failed", extra={**facts, "error": error.error})


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
