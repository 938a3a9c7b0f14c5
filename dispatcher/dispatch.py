"""The Dispatcher: one delivery of one message, and at most one step.

It gathers (load the head, see whether this message may act on it), decides (``execute_step``, pure), and
applies (one conditional write, then the effects the written head calls for). The rules and their numbers are
those of dispatch-protocol.md, "Messages"; each has a trace that breaks the promise without it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from dispatcher.archive import Archive
from dispatcher.catalog import Catalog
from dispatcher.due import beyond_the_queue, delay_seconds_until, mark_after_commit
from dispatcher.errors import DispatchError, ItemTooLarge
from dispatcher.gathering import Gathering, Work
from dispatcher.head import Head
from dispatcher.head_effects import HeadEffects
from dispatcher.history import entry_of
from dispatcher.limits import (
    ANOTHER_STEP_NEEDS_MS,
    CLAIM_SKEW_MS,
    CLAIM_WITHOUT_DEADLINE_MS,
    RUN_STEPS_MAX_DEFAULT,
    STEP_RESERVE_MS,
    STEP_TRIES_MAX,
)
from dispatcher.messages import Delivery
from dispatcher.ports import RunStore, StepQueue
from dispatcher.raised_errors import tell_raised
from dispatcher.step_deadline import StepTimedOut, step_deadline
from dispatcher.webhook_token import WebhookTokens
from engine import Host, Resumed, Snapshot, Status, WaitAddress, WorkflowEngine
from engine.definition_ref import DefinitionRef
from engine.errors import UnknownWorkflow
from engine.json_value import copy_json, read_value
from engine.outcome import Failed, StepError
from engine.transition import advance

_LOG: Final = logging.getLogger("refluxo.dispatch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Executes steps.

    ``steps_per_invocation``: steps executed per message at most, each committed, with one send at the end.
    ``run_steps_max``: transitions after which a run is failed.
    ``executors``: what executes the node types that the engine only describes.
    """

    store: RunStore
    queue: StepQueue
    archive: Archive
    gathering: Gathering
    effects: HeadEffects
    catalog: Catalog
    tokens: WebhookTokens
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    rng: random.Random
    steps_per_invocation: int = 1
    run_steps_max: int = RUN_STEPS_MAX_DEFAULT
    executors: Mapping[str, Callable[..., object]] = field(default_factory=dict)

    def deliver(self, delivery: Delivery, *, deadline_ms: int | None = None) -> None:
        """Handles one delivery. To return is to acknowledge it; to raise is to have it delivered again.

        Args:
            delivery: the message and what the queue says of it.
            deadline_ms: when the platform stops this function, epoch milliseconds.
        """
        # 1. Gather: the head as it is now, and whether this message may act on it.
        work = self.gathering.gather(delivery)
        if work is not None:
            work = self._after_a_crash(work, delivery)
        begun_with = None if work is None or delivery.receive_count <= 1 else work.head
        try:
            self._execute(work, delivery, deadline_ms)
        except DispatchError:
            # The infrastructure failed, not the process: the try that was counted was none of the step's.
            if begun_with is not None:
                self._uncount(begun_with)
            raise

    def _execute(self, work: Work | None, delivery: Delivery, deadline_ms: int | None) -> None:
        """Parts 2 and 3, as often as there are steps for this message."""
        for steps_left in reversed(range(self.steps_per_invocation)):
            if work is not None:
                work = self._claimed(work, delivery, deadline_ms)
            if work is None:
                return
            # 2. Decide: one step. Nothing outside this process has changed when it returns.
            snapshot = self._decide(work, deadline_ms)
            # 3. Apply: commit, then what the committed head calls for.
            head = self._commit(work, snapshot, delivery)
            if head is None:
                return
            goes_on = head.snapshot.status is Status.ACTIVE and head.hold is None
            if not (steps_left and goes_on and self._has_time(deadline_ms)):
                self.effects.perform(head)
                return
            work = Work(head, None, trouble=work.trouble)

    def _has_time(self, deadline_ms: int | None) -> bool:
        return deadline_ms is None or deadline_ms - self.now_ms() >= ANOTHER_STEP_NEEDS_MS

    # --- between gather and decide: executions that were cut off -------------------------------

    def _after_a_crash(self, work: Work, delivery: Delivery) -> Work | None:
        """Counts a redelivery before it executes what an earlier delivery may have died of.

        A receive count alone proves nothing: throttled deliveries raise it too. So the count is the head's.
        """
        if delivery.receive_count <= 1:
            return work
        if work.head.tries >= STEP_TRIES_MAX:
            message = (
                f"the step was cut off {STEP_TRIES_MAX + 1} times: it ran out of memory or time, or ended its process"
            )
            return replace(work, failure=StepError.named("StepCrashed", message))
        return work if self.store.count_try(work.head) else None

    def _uncount(self, head: Head) -> None:
        try:
            self.store.count_try(head, by=-1)
        except DispatchError as error:
            _LOG.warning("a try stays counted", extra={"workflow_id": head.workflow_id, "reason": str(error)})

    def _claimed(self, work: Work, delivery: Delivery, deadline_ms: int | None) -> Work | None:
        """Claims a step that must be executed at most once; whoever comes while it is claimed comes back later."""
        head, now = work.head, self.now_ms()
        until_ms = head.claim_until_ms
        if until_ms is None:
            if work.failure is not None or not self._at_most_once(head):
                return work
            until_ms = (now + CLAIM_WITHOUT_DEADLINE_MS if deadline_ms is None else deadline_ms) + CLAIM_SKEW_MS
            if self.store.claim(head, until_ms=until_ms, claim_id=self.new_id()):
                return work
        elif now >= until_ms:
            message = "an execution was cut off, and the step must not be executed twice"
            return replace(work, failure=StepError.named("Interrupted", message))
        delay_seconds = delay_seconds_until(until_ms, now)
        self.queue.send(delivery.message, delay_seconds=delay_seconds, group=head.snapshot.tenant)
        return None

    def _at_most_once(self, head: Head) -> bool:
        try:
            return self._engine(head).at_most_once(head.snapshot)
        except UnknownWorkflow:
            return False

    # --- 2. decide -----------------------------------------------------------------------------

    def _decide(self, work: Work, deadline_ms: int | None) -> Snapshot:
        head, snapshot = work.head, work.head.snapshot
        if head.version >= self.run_steps_max:
            return self._ended(head, StepError.named("RunStepsExceeded", f"the run made {head.version} transitions"))
        try:
            engine = self._engine(head)
        except UnknownWorkflow as error:
            return self._ended(head, StepError.of(error))
        if work.failure is not None:
            return self._failed(engine, head, work.failure)
        resumed, payload = None, None
        if work.pending is not None and work.pending.resumed is not None:
            # A copy: what a node does to its payload is no business of the head's, nor of the archive's.
            payload = copy_json(read_value(work.pending.payload))
            resumed = Resumed(work.pending.resumed.by, work.pending.resumed.signal, payload)
        elif work.pending is not None:
            payload = copy_json(read_value(snapshot.input))
        trouble = [] if work.trouble is None else work.trouble
        stops_at_ms = self._stops_at_ms(engine, snapshot, deadline_ms)
        try:
            with step_deadline(None if stops_at_ms is None else (stops_at_ms - self.now_ms()) / 1000):
                following = engine.execute_step(
                    snapshot,
                    payload,
                    self.catalog.globals(),
                    now_ms=self.now_ms,
                    rng=self.rng,
                    resumed=resumed,
                    host=self._host(head, stops_at_ms, trouble),
                )
        except StepTimedOut as late:
            following = self._failed(engine, head, StepError.of(late))
        if trouble:
            # The step could not ask what it needed to: nothing is decided, even if its node made light of it.
            raise trouble[0]
        return following

    def _engine(self, head: Head) -> WorkflowEngine:
        return self.catalog.engine(head.snapshot.definition or DefinitionRef("", ""))

    def _stops_at_ms(self, engine: WorkflowEngine, snapshot: Snapshot, deadline_ms: int | None) -> int | None:
        """When the step is stopped: by its own limit, and in time before the platform stops the function."""
        timeout_ms = engine.step_timeout_ms(snapshot)
        ends = [] if timeout_ms is None else [self.now_ms() + timeout_ms]
        if deadline_ms is not None:
            ends.append(deadline_ms - STEP_RESERVE_MS)
        return min(ends, default=None)

    def _host(self, head: Head, stops_at_ms: int | None, trouble: list[DispatchError]) -> Host:
        snapshot = head.snapshot
        here = WaitAddress(snapshot.current_node_id or "", snapshot.visit, snapshot.resumes)
        return Host(
            nonce=head.nonce,
            retry_epoch=head.retry_epoch,
            deadline_ms=stops_at_ms,
            callback_url=lambda address: self._link(head, address, trouble),
            signal_url=lambda signal: self._link(head, here, trouble, signal),
            announces=True,
            executors=self.executors,
            raised=lambda error: tell_raised(error, snapshot),
        )

    def _link(self, head: Head, address: WaitAddress, trouble: list[DispatchError], signal: str | None = None) -> str:
        try:
            return self.tokens.url(head, address, signal)
        except DispatchError as error:
            trouble.append(error)
            raise

    def _failed(self, engine: WorkflowEngine, head: Head, error: StepError) -> Snapshot:
        """A failure that no executor raised: a retry policy, a catch edge or the run's end answers it."""
        now = self.now_ms()
        outcome = engine.failure_outcome(head.snapshot, error, now, rng=self.rng)
        return advance(head.snapshot, outcome, now_ms=now).snapshot

    def _ended(self, head: Head, error: StepError) -> Snapshot:
        return advance(head.snapshot, Failed(error), now_ms=self.now_ms()).snapshot

    # --- 3. apply ------------------------------------------------------------------------------

    def _commit(self, work: Work, snapshot: Snapshot, delivery: Delivery) -> Head | None:
        """Writes the next head; None when another delivery has, whose result counts then."""
        # Signals taken by the commit before this one leave the head with this one: their items go first.
        self.effects.settle_debts(work.head)
        try:
            head = self._write(work, self._next_head(work, snapshot, delivery))
        except ItemTooLarge as too_large:
            failed = self._ended(work.head, StepError.named("PayloadTooLarge", str(too_large)))
            # What this step was about to take stays where it was: beside it the failure might not fit either.
            untaken = replace(work, pending=work.head.pending, takes=())
            head = self._write(untaken, self._next_head(untaken, failed, delivery))
        if head is None:
            _LOG.info("another delivery won", extra={"workflow_id": work.head.workflow_id})
            return None
        self._log_transition(head.snapshot)
        self.catalog.announce(work.head.snapshot, head.snapshot)
        return head

    def _write(self, work: Work, following: Head) -> Head | None:
        """Immutable objects first, then the one conditional write that refers to them."""
        now, due_at_ms = self.now_ms(), following.snapshot.due_at_ms
        # Decided once, here: who is to see to the timer must not depend on when somebody looks.
        following = replace(following, far=due_at_ms is not None and beyond_the_queue(due_at_ms, now))
        prepared, objects = self.archive.prepared(following, loaded=work.head)
        self.archive.put(objects)
        mark_ms = mark_after_commit(following.snapshot, work.head.due_at_ms, now)
        return self.store.commit(prepared, mark_ms=mark_ms)

    def _next_head(self, work: Work, snapshot: Snapshot, delivery: Delivery) -> Head:
        before, pending = work.head.snapshot, work.pending
        resumed = pending.resumed if pending is not None else None
        entry = entry_of(
            before,
            snapshot,
            resumed=resumed.by if resumed is not None else None,
            signal=resumed.signal if resumed is not None else None,
        )
        # What came from outside stays until the step that takes it has succeeded, or waits for more.
        untaken = pending is not None and snapshot.status in {Status.ERROR, Status.FAILED}
        return replace(
            work.head,
            snapshot=snapshot,
            history=work.head.history.with_entry(entry),
            pending=replace(pending, resumes=before.resumes) if untaken and pending is not None else None,
            takes=work.takes,
            by=delivery.message_id,
            writer_id=self.new_id(),
            grace_ms=None,
            tries=0,
            claim_until_ms=None,
        )

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
