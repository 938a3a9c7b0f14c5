"""The rules, held against everything that is written at the moment it is.

The ledger goes beside the product: for each run it keeps the state that the pure engine comes to from the same
decisions, without a store, a queue or a fault. What the product commits must be equal to it, step by step; and each
decision that came from outside (why a wait ended, what an operator did) must have had its cause.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from dispatcher.archive import Archive
from dispatcher.errors import HistoryDamaged
from dispatcher.head import Head, Hold, OperatorCall
from dispatcher.history import Reference
from dispatcher.ports import Signal
from dispatcher.signals import names_awaited
from dispatcher.table_schema import inbox_sort_key
from engine import Host, NodeResult, Resumed, Snapshot, Status, WaitAddress, WorkflowEngine
from engine.json_value import JsonValue, read_value
from engine.outcome import Cancelled, Retried, StepError
from engine.snapshot import RetryState
from engine.transition import advance
from tests.simulation.clock import VirtualClock
from tests.simulation.process import Process
from tests.simulation.recording import Decision
from tests.simulation.timeline import Timeline

BY_THE_SHELL: Final = frozenset({"StepCrashed", "Interrupted"})
"""Failures that no executor raises: the shell records them for steps that were cut short."""


class RuleBroken(BaseException):
    """The product has broken a rule; says which. No handler of the product may catch it, so it is no Exception."""


class Evenly(random.Random):
    """Jitter without chance, so that two processes and the ledger agree on it."""

    def uniform(self, a: float, b: float) -> float:
        """The middle."""
        return (a + b) / 2


EVENLY: Final = Evenly()


@dataclass(slots=True)
class Account:
    """What the ledger knows of one run.

    ``snapshot``: the state the pure engine has come to. ``pending``: what the next step must be given, and why.
    ``line``: every state so far, by version. ``moved_ms``: when it last moved.
    """

    nonce: str
    engine: WorkflowEngine
    snapshot: Snapshot
    pending: tuple[JsonValue, Resumed | None]
    statuses: list[Status] = field(default_factory=list)
    accepted: dict[str, tuple[Signal, JsonValue, int]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    executions: Counter[int] = field(default_factory=Counter)
    keys: set[JsonValue] = field(default_factory=set)
    epoch: int = 0
    held_since_ms: int | None = None
    rests: int = 0
    crashed: bool = False
    removed: bool = False
    moved_ms: int = 0
    first_version: int = 0
    line: list[Snapshot] = field(default_factory=list)


class Ledger:
    """Keeps an account of each run. Each method that is shown something raises RuleBroken when that may not be."""

    def __init__(
        self,
        clock: VirtualClock,
        timeline: Timeline,
        engine_of: Callable[[Head], WorkflowEngine],
        globals: Callable[[], dict[str, JsonValue]],  # noqa: A002  (the contract's name)
        archive: Archive,
        rested: Callable[[str, Account], None],
    ) -> None:
        self.accounts: dict[str, Account] = {}
        self._forks: dict[str, str] = {}
        self._clock = clock
        self._timeline = timeline
        self._engine_of = engine_of
        self._globals = globals
        self._archive = archive
        self._rested = rested

    # --- what the ports show -------------------------------------------------------------------

    def created(self, head: Head) -> None:
        """See Witness."""
        known = self.accounts.get(head.workflow_id)
        # A run that is gone may be started again: that is another run, by the same id.
        require(known is None or known.removed, "a run was created twice")
        snapshot = self._archive.open(head).snapshot
        payload = read_value(snapshot.input)
        snapshot = snapshot._replace(input=payload)
        source = self._forks.get(head.workflow_id)
        if source is not None:
            line = self.accounts[source].line
            require(head.version < len(line), f"forked from version {head.version}, which the source has not come to")
            before = line[head.version]
            results = list(before.context.entries())
            try:
                found = list(snapshot.context.entries())
            except HistoryDamaged as damaged:
                raise RuleBroken(f"a fork was made of what is gone: {damaged}") from None
            require(found == results, "a fork has other results than its source")
            require(snapshot.current_node_id == before.current_node_id, "a fork begins elsewhere")
            snapshot = snapshot._replace(context=before.context)
        else:
            require(head.version == 0, f"a run begins at version {head.version}")
        self.accounts[head.workflow_id] = Account(
            nonce=head.nonce,
            engine=self._engine_of(head),
            snapshot=snapshot,
            pending=(payload if head.version == 0 else None, None),
            first_version=head.version,
            line=[] if source is None else self.accounts[source].line[: head.version],
            statuses=[] if source is None else self.accounts[source].statuses[: head.version],
        )
        self.accounts[head.workflow_id].line.append(snapshot)

    def recorded(self, workflow_id: str, call: OperatorCall) -> None:
        """See Witness."""
        if call.kind == "fork" and call.target is not None:
            self._forks[call.target] = workflow_id

    def removed(self, workflow_id: str) -> None:
        """See Witness."""
        account = self.accounts[workflow_id]
        require(account.snapshot.status.terminal, f"a run was removed that is {account.snapshot.status.value}")
        account.removed = True

    def held(self, workflow_id: str, hold: Hold | None) -> None:
        """See Witness."""
        account = self.accounts[workflow_id]
        require(not account.snapshot.status.terminal, "a run that has ended was held or let go")
        account.held_since_ms = None if hold is None else self._clock.now_ms

    def signalled(self, signal: Signal) -> None:
        """See Witness."""
        account = self.accounts[signal.workflow_id]
        require(not account.snapshot.status.terminal, f"signal {signal.name} accepted by a run that has ended")
        require(signal.signal_id not in account.accepted, f"signal {signal.signal_id} accepted twice")
        account.accepted[signal.signal_id] = (signal, self._value(signal), self._clock.now_ms)

    def untaken(self, workflow_id: str, inbox_keys: Sequence[str]) -> None:
        """See Witness."""
        account = self.accounts[workflow_id]
        for signal, _, _ in account.accepted.values():
            if _inbox_key(signal) in inbox_keys:
                require(
                    signal.signal_id in account.taken or account.snapshot.status.terminal,
                    f"signal {signal.signal_id} leaves the inbox untaken",
                )

    def executed(self, decision: Decision) -> None:
        """See Judge. Whatever becomes of it: nobody may execute what a rule forbids."""
        before = decision.before
        account = self.accounts[before.workflow_id]
        account.executions[before.version] += 1
        faults = len(self._timeline.faults)
        require(
            account.executions[before.version] <= 1 + faults,
            f"version {before.version} executed {account.executions[before.version]} times under {faults} faults",
        )
        extra = sum(account.executions.values()) - len(account.executions)
        require(extra <= 2 * faults, f"{extra} executions too many under {faults} faults")
        require(
            account.executions[before.version] == 1 or not account.engine.at_most_once(before),
            "a step that must be executed at most once was executed twice",
        )
        since = account.held_since_ms
        require(
            since is None or since > decision.process.seen_ms,
            f"version {before.version} executed by a process that had seen the run held",
        )
        require(decision.host.nonce == account.nonce, "a step was executed under another run's nonce")
        require(decision.host.retry_epoch <= account.epoch, "a step was executed under a retry that never was")

    def committed(self, process: Process, head: Head, call: OperatorCall | None) -> None:
        """See Witness."""
        account = self.accounts.get(head.workflow_id)
        require(account is not None, f"run {head.workflow_id} was committed but never created")
        assert account is not None
        before, decision = account.snapshot, process.decision
        process.decision = None
        require(head.version == before.version + 1, f"version {head.version} follows {before.version}")
        require(head.nonce == account.nonce, "the nonce changed")
        if call is not None:
            after = self._by_operator(account, head, call)
        elif (cut_off := _cut_off(before, head.snapshot)) is not None:
            after = self._by_the_shell(account, head, cut_off)
        else:
            require(not before.status.terminal, f"{before.status.value} is followed by {head.snapshot.status.value}")
            require(isinstance(decision, Decision), "a commit that no execution led to")
            assert isinstance(decision, Decision)
            after = self._by_a_step(account, head, decision)
        _compare(head.snapshot, after)
        self._take(account, head)
        account.snapshot = after
        account.statuses.append(after.status)
        account.line.append(after)
        account.moved_ms = self._clock.now_ms
        if after.status in {Status.PAUSED, Status.FAILED}:
            account.rests += 1
        if after.status is Status.PAUSED or after.status.terminal:
            self._rested(head.workflow_id, account)

    # --- three ways on -------------------------------------------------------------------------

    def _by_operator(self, account: Account, head: Head, call: OperatorCall) -> Snapshot:
        before = account.snapshot
        require(call.key not in account.calls, f"the operator's call {call.key!r} counted twice")
        account.calls.add(call.key)
        at_ms = head.snapshot.last_started_at
        if call.kind == "cancel":
            require(not before.status.terminal, f"a run that is {before.status.value} was cancelled")
            return advance(before, Cancelled("by an operator"), now_ms=at_ms).snapshot
        require(call.kind == "retry" and before.status is Status.FAILED, f"{call.kind} of a run {before.status.value}")
        state = head.snapshot.retry_state
        resumes = state.resumes if isinstance(state, RetryState) else 0
        account.epoch = head.retry_epoch
        return advance(before, Retried(resumes), now_ms=at_ms).snapshot

    def _by_the_shell(self, account: Account, head: Head, failure: NodeResult) -> Snapshot:
        before = account.snapshot
        assert failure.error_type is not None
        require(not before.status.terminal, f"{before.status.value} is followed by {failure.error_type}")
        node = account.engine.workflow.node(before.current_node_id or "")
        poison = node is not None and node.type == "sim:poisonous"
        require(poison or bool(self._timeline.faults), f"{failure.error_type} although nothing went wrong")
        account.crashed = True
        _, _, message = (failure.error or "").partition(": ")
        at_ms = failure.timestamp
        if before.status is Status.PAUSED:
            account.pending = self._new_cause(account, head, None)
        outcome = account.engine.failure_outcome(
            before, StepError.named(failure.error_type, message), at_ms, rng=EVENLY
        )
        started_ms = head.snapshot.last_started_at
        after = advance(before, outcome, now_ms=at_ms, started_at_ms=started_ms).snapshot
        if after.status not in {Status.ERROR, Status.FAILED}:
            account.pending = (None, None)
        return after

    def _by_a_step(self, account: Account, head: Head, decision: Decision) -> Snapshot:
        before = account.snapshot
        require(decision.before.version == before.version, "a commit of what was decided about another version")
        due_at_ms = before.due_at_ms
        if before.status is Status.PAUSED:
            account.pending = self._new_cause(account, head, decision)
        elif due_at_ms is not None:
            require(
                decision.started_ms >= due_at_ms,
                f"executed {due_at_ms - decision.started_ms} ms before its time",
            )
        payload, resumed = account.pending
        require(
            _told(decision.resumed) == _told(resumed) and decision.payload == payload,
            f"the step was given {decision.resumed} with {decision.payload!r}; it should be {resumed} with {payload!r}",
        )
        after = WorkflowEngine.execute_step(
            account.engine,
            before,
            payload,
            self._globals(),
            now_ms=_Replay(decision.started_ms, decision.ended_ms),
            rng=EVENLY,
            resumed=None if resumed is None else resumed._replace(payload=payload),
            host=Host(nonce=account.nonce, retry_epoch=account.epoch, deadline_ms=decision.host.deadline_ms),
        )
        if after.status not in {Status.ERROR, Status.FAILED}:
            account.pending = (None, None)
        return after

    def _new_cause(self, account: Account, head: Head, decision: Decision | None) -> tuple[JsonValue, Resumed]:
        """Why a wait ended, held against what happened outside."""
        before = account.snapshot
        wait = before.wait
        assert wait is not None
        assert before.current_node_id is not None
        names = names_awaited(WaitAddress(before.current_node_id, wait.visit, wait.resumes), wait.signal)
        fresh = [taken for taken in head.takes if taken.signal_id not in account.taken]
        if fresh:
            require(len(fresh) == 1, "a step took two signals")
            require(fresh[0].signal_id in account.accepted, f"signal {fresh[0].signal_id} was never sent")
            signal, payload, _ = account.accepted[fresh[0].signal_id]
            require(signal.name in names, f"{signal.name} ended a wait for {list(names)}")
            return payload, Resumed("signal", wait.signal)
        require(wait.due_at_ms is not None, "a wait without a timer ended without a signal")
        assert wait.due_at_ms is not None
        if decision is not None:
            early_ms = wait.due_at_ms - decision.started_ms
            require(early_ms <= 0, f"a wait ended {early_ms} ms before its time, without a signal")
            for signal, _, accepted_ms in account.accepted.values():
                require(
                    signal.name not in names
                    or signal.signal_id in account.taken
                    or signal.arrived_at_ms >= wait.due_at_ms
                    or accepted_ms >= decision.process.begun_ms,
                    f"a timeout went before {signal.name}, which had arrived in time",
                )
        return None, Resumed(wait.by)

    def _take(self, account: Account, head: Head) -> None:
        for taken in head.takes:
            require(taken.signal_id in account.accepted, f"signal {taken.signal_id} was never sent")
        account.taken.update(taken.signal_id for taken in head.takes)

    def _value(self, signal: Signal) -> JsonValue:
        payload = signal.payload
        if isinstance(payload, Reference):
            account = self.accounts[signal.workflow_id]
            from dispatcher.history import Owner  # noqa: PLC0415

            return self._archive.value(payload.owner or Owner(signal.workflow_id, account.nonce), payload)
        return read_value(payload)


class _Replay:
    """The clock of one execution: when it began, and from then on when it ended."""

    def __init__(self, started_ms: int, ended_ms: int) -> None:
        self._next, self._ended_ms = started_ms, ended_ms

    def __call__(self) -> int:
        now_ms, self._next = self._next, self._ended_ms
        return now_ms


def _told(resumed: Resumed | None) -> tuple[str, str | None] | None:
    return None if resumed is None else (resumed.by, resumed.signal)


def _cut_off(before: Snapshot, committed: Snapshot) -> NodeResult | None:
    """The failure that the shell has recorded for a step that was cut short, if the commit is of that kind."""
    newest = committed.context.newest
    if newest is None or committed.context.length == before.context.length:
        return None
    return newest[1] if newest[1].error_type in BY_THE_SHELL else None


def _inbox_key(signal: Signal) -> str:
    return inbox_sort_key(signal.name, signal.arrived_at_ms, signal.signal_id)


def _compare(committed: Snapshot, pure: Snapshot) -> None:
    """What is committed and what the pure engine came to, field by field."""
    for name in (
        "status",
        "current_node_id",
        "version",
        "last_started_at",
        "total_execution_time",
        "retry_state",
        "last_node_id",
        "definition",
    ):
        found, expected = getattr(committed, name), getattr(pure, name)
        require(found == expected, f"{name} is {found!r}; without faults it would be {expected!r}")
    wait, pure_wait = committed.wait, pure.wait
    if wait is not None and pure_wait is not None:
        wait, pure_wait = wait._replace(data=None), pure_wait._replace(data=None)
    require(wait == pure_wait, f"wait is {wait!r}; without faults it would be {pure_wait!r}")
    length, pure_length = committed.context.length, pure.context.length
    require(length == pure_length, f"the context has {length} results; without faults it would have {pure_length}")
    newest, pure_newest = committed.context.newest, pure.context.newest
    if newest is not None:
        require(newest == pure_newest, f"the newest result is {newest!r}; without faults it is {pure_newest!r}")


def require(holds: bool, rule: str) -> None:
    """Raises RuleBroken unless a rule holds."""
    if not holds:
        raise RuleBroken(rule)
