"""What an operator may do to a run: hold it and let it go, cancel it, retry it, fork it, remove it.

Each call carries an actor, a reason and a key by which its repetition is known, and is recorded with the run. As with
every call from outside, the due mark is set in the same write and the message is sent after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from dispatcher.archive import Archive
from dispatcher.catalog import Catalog
from dispatcher.due import mark_of_outside_call
from dispatcher.errors import Retryable, RunFinished, RunNotFound, Terminal
from dispatcher.head import CallKind, Head, Hold, OperatorCall, Pending
from dispatcher.head_effects import HeadEffects
from dispatcher.history import entry_of
from dispatcher.limits import FORK_VERSIONS_SEARCHED, OPERATOR_TRIES, REASON_CHARACTERS_MAX
from dispatcher.ports import RunStore
from dispatcher.retention import Retention
from dispatcher.rewind import rewound
from engine import Snapshot, Status
from engine.definition_ref import DefinitionRef
from engine.errors import Fault, InvalidDefinition
from engine.json_value import JsonValue
from engine.outcome import Cancelled, Retried
from engine.transition import advance

if TYPE_CHECKING:
    from engine import WorkflowDefinition


class NotPossible(Terminal):
    """The run is in no state in which the call makes sense; the message says which it is in."""


class RunMovedOn(Terminal):
    """The call is for another version of the run than there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, and why.

    ``key``: the ``Idempotency-Key``; None for a call that is not repeated. ``versions``: the run's, of which it must
    have one for the call to be made; None: whichever it has.
    """

    actor: str = "anonymous"
    reason: str | None = None
    key: str | None = None
    versions: frozenset[int] | None = None

    def __post_init__(self) -> None:
        if self.reason is not None and len(self.reason) > REASON_CHARACTERS_MAX:
            raise ValueError(f"reason has {len(self.reason)} characters; the most is {REASON_CHARACTERS_MAX}")


class Change(NamedTuple):
    """What an operator's call makes of a run."""

    snapshot: Snapshot
    retry_epoch: int


_EXPIRY_MARGIN_MS: Final = 60 * 60_000
"""A failed run is not retried in its last hour: its removal may be under way by a clock that is ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCalls:
    """The calls."""

    store: RunStore
    archive: Archive
    effects: HeadEffects
    catalog: Catalog
    retention: Retention
    now_ms: Callable[[], int]
    new_id: Callable[[], str]

    # --- hold ----------------------------------------------------------------------------------

    def hold(self, workflow_id: str, caller: Caller) -> bool:
        """Holds a run: a step that is being executed ends, none begins. Returns False for a repeat.

        Raises:
            RunNotFound: there is no such run.
            RunFinished: the run has ended.
        """
        head = self._run(workflow_id)
        if head.hold is not None:
            return False
        call = self._call("hold", head, caller)
        mark_ms = mark_of_outside_call(head.due_at_ms, self.now_ms())
        return self.store.set_hold(
            workflow_id, Hold(caller.actor, caller.reason, call.at_ms), call=call, due_at_ms=mark_ms
        )

    def was_released(self, workflow_id: str, caller: Caller) -> bool:
        """Whether a call of that key has let the run go before."""
        key = None if caller.key is None else self._key("release", caller.key)
        return key is not None and self.store.operator_call(workflow_id, key) is not None

    def release(self, workflow_id: str, caller: Caller) -> bool:
        """Lets a run go on. Returns False when it is not held, or for a repeat; what follows is sent either way.

        Raises:
            RunNotFound: there is no such run.
            RunFinished: the run has ended.
        """
        head = self._run(workflow_id)
        call = self._call("release", head, caller)
        mark_ms = mark_of_outside_call(head.due_at_ms, self.now_ms())
        lifted = self.store.set_hold(workflow_id, None, call=call, due_at_ms=mark_ms)
        recorded = call if lifted else self.store.operator_call(workflow_id, call.key)
        # As it is now: a step may have committed while it was held.
        head = self._run(workflow_id)
        # A repeat may be of a call that died before it sent; once the run has moved on, that is of no matter.
        if head.hold is None and (lifted or (recorded is not None and recorded.version == head.version)):
            self._perform(head)
        return lifted

    # --- cancel --------------------------------------------------------------------------------

    def cancel(self, workflow_id: str, caller: Caller) -> Snapshot:
        """Ends a run; a step that is being executed then is dropped. A cancelled run stays as it is.

        Raises:
            RunNotFound: there is no such run.
            RunMovedOn: it is at none of the caller's versions.
            RunFinished: it has ended otherwise.
        """

        def cancelled(head: Head) -> Change | None:
            status = head.snapshot.status
            if status is Status.CANCELLED:
                return None
            if status.terminal:
                raise RunFinished(f"run {workflow_id!r} is {status.value}; it cannot be cancelled")
            ended = advance(head.snapshot, Cancelled(caller.reason or ""), now_ms=self.now_ms())
            return Change(ended.snapshot, head.retry_epoch)

        return self._transition(workflow_id, "cancel", caller, cancelled).snapshot

    # --- retry ---------------------------------------------------------------------------------

    def retry(
        self,
        workflow_id: str,
        caller: Caller,
        *,
        data: Mapping[str, JsonValue] | None = None,
        definition: str | None = None,
    ) -> Snapshot:
        """Takes a failed run back to its failed node, which is executed again, its retry policies begun anew.

        Args:
            workflow_id: the run.
            caller: who and why.
            data: the node's data from now on, in this run alone.
            definition: the version to go on with; ``latest`` is the one registered now.

        Raises:
            RunNotFound: there is no such run.
            RunMovedOn: it is at none of the caller's versions.
            NotPossible: it has not failed, or is about to be removed.
            InvalidDefinition: the definition lacks the node, or cannot be used with that data.
            UnknownWorkflow: there is no such version.
        """

        def retried(head: Head) -> Change:
            self._check_retriable(head)
            reference = self._definition_for(head, data, definition)
            resumes = head.pending.resumes if head.pending is not None else 0
            snapshot = advance(head.snapshot, Retried(resumes, reference), now_ms=self.now_ms()).snapshot
            changed = reference is not None and self._data_differs(head, reference)
            return Change(snapshot, head.retry_epoch + changed)

        return self._transition(workflow_id, "retry", caller, retried).snapshot

    def _check_retriable(self, head: Head) -> None:
        if head.removing:
            raise NotPossible(f"run {head.workflow_id!r} is being removed")
        if head.snapshot.status is not Status.FAILED:
            raise NotPossible(f"run {head.workflow_id!r} is {head.snapshot.status.value}; only a failed run is retried")
        expires_at_ms = self.retention.expires_at_ms(head)
        if expires_at_ms is not None and self.now_ms() >= expires_at_ms - _EXPIRY_MARGIN_MS:
            raise NotPossible(f"run {head.workflow_id!r} is about to be removed; fork it, or start another")

    def _definition_for(
        self, head: Head, data: Mapping[str, JsonValue] | None, version: str | None
    ) -> DefinitionRef | None:
        pinned = head.snapshot.definition
        if pinned is None or (data is None and version is None):
            return None
        definition = self._definition(pinned, version)
        node_id = head.snapshot.current_node_id or ""
        if definition.node(node_id) is None:
            fault = Fault(
                "definition", f"version {definition.version} has no node {node_id!r}, at which the run failed"
            )
            raise InvalidDefinition(definition.name, (fault,))
        if data is not None:
            definition = definition.with_node_data(node_id, dict(data))
        return self.catalog.checked(definition)

    def _definition(self, pinned: DefinitionRef, version: str | None) -> WorkflowDefinition:
        if version is None:
            return self.catalog.engine(pinned).workflow
        if version == "latest":
            return self.catalog.newest(pinned.name)
        return self.catalog.engine(DefinitionRef(pinned.name, version)).workflow

    def _data_differs(self, head: Head, reference: DefinitionRef) -> bool:
        node_id, pinned = head.snapshot.current_node_id or "", head.snapshot.definition
        if pinned is None:
            return True
        before = self.catalog.engine(pinned).workflow.node(node_id)
        after = self.catalog.engine(reference).workflow.node(node_id)
        return before is None or after is None or before.data != after.data

    # --- fork ----------------------------------------------------------------------------------

    def fork(
        self, workflow_id: str, caller: Caller, *, version: int | None = None, new_id: str | None = None
    ) -> tuple[Head, bool]:
        """Starts a new run from a version of this one at which a step was about to be executed.

        It shares what the run had put away by then, and has idempotency keys of its own: what is executed again takes
        effect again.

        Args:
            workflow_id: the run to fork.
            caller: who and why.
            version: from where; the newest such version when None, for a failed run the step that failed.
            new_id: id of the new run; a fresh one, or one that follows from the caller's key, when None.

        Returns:
            The new run, and whether this call made it.

        Raises:
            RunNotFound: there is no such run.
            NoSuchVersion: no step was about to be executed at that version.
            NotPossible: the new id is taken.
        """
        source = self._run(workflow_id)
        call = self._call("fork", source, caller)
        recorded = self.store.operator_call(workflow_id, call.key)
        if recorded is None:
            target = new_id or self._id_of_fork(workflow_id, caller)
            at = self._version_to_fork(source) if version is None else version
            recorded = replace(call, target=target, from_version=at)
        target, at = recorded.target or "", recorded.from_version or 0
        now = self.now_ms()
        snapshot, history = rewound(self.archive, source, at, now_ms=now)
        # The pins first: nothing that the fork refers to may be removed once it may be there.
        for owner in history.lineage:
            self.store.record(owner.workflow_id, recorded)
        head = Head(
            snapshot=snapshot._replace(workflow_id=target, last_started_at=now),
            nonce=self.new_id(),
            input_digest=hashlib.sha256(f"fork\0{workflow_id}\0{source.nonce}\0{at}".encode()).hexdigest(),
            pending=Pending() if at == 0 else None,
            writer_id=self.new_id(),
            due_at_ms=mark_of_outside_call(None, now),
            history=history,
            started_at_ms=now,
        )
        existing = self.store.create(head)
        if existing is not None and existing.input_digest != head.input_digest:
            raise NotPossible(f"the id {target!r} is taken by another run")
        current = existing if existing is not None else head
        if current.version == at:
            self._perform(current)
        return current, existing is None

    def _id_of_fork(self, workflow_id: str, caller: Caller) -> str:
        if caller.key is None:
            return self.new_id()
        return hashlib.sha256(f"fork\0{workflow_id}\0{caller.key}".encode()).hexdigest()[:32]

    def _version_to_fork(self, source: Head) -> int:
        """The newest version at which a step was about to be executed."""
        after = max(source.version - FORK_VERSIONS_SEARCHED, 0)
        about_to_execute = [
            place.version
            for place in self.archive.placed_entries(source, after=after, limit=FORK_VERSIONS_SEARCHED)
            if place.entry.status in {Status.ACTIVE, Status.ERROR}
        ]
        return about_to_execute[-1] if about_to_execute else after

    # --- remove --------------------------------------------------------------------------------

    def remove(self, workflow_id: str) -> bool:
        """Removes a finished run and all that belongs to it; False when there is more than fits one call.

        Raises:
            RunNotFound: there is no such run.
            NotPossible: it has not ended.
            RunPinned: a fork of it still needs it.
        """
        head = self._run(workflow_id)
        if not head.snapshot.status.terminal:
            raise NotPossible(f"run {workflow_id!r} is {head.snapshot.status.value}; cancel it first")
        return self.retention.purge(head)

    # --- what they have in common --------------------------------------------------------------

    def _run(self, workflow_id: str) -> Head:
        head = self.archive.load(workflow_id)
        if head is None:
            raise RunNotFound(f"there is no run {workflow_id!r}")
        return head

    def _call(self, kind: CallKind, head: Head, caller: Caller) -> OperatorCall:
        key = self.new_id() if caller.key is None else self._key(kind, caller.key)
        return OperatorCall(key, kind, caller.actor, caller.reason, self.now_ms(), head.version)

    def _key(self, kind: CallKind, key: str) -> str:
        return hashlib.sha256(f"{kind}\0{key}".encode()).hexdigest()[:32]

    def _transition(
        self, workflow_id: str, kind: CallKind, caller: Caller, decide: Callable[[Head], Change | None]
    ) -> Head:
        """Commits a transition of an operator's, again when a step has committed in between.

        ``decide`` returns None when the run is where the call wants it.
        """
        for _ in range(OPERATOR_TRIES):
            head = self._run(workflow_id)
            call = self._call(kind, head, caller)
            recorded = None if caller.key is None else self.store.operator_call(workflow_id, call.key)
            if recorded is not None:
                if head.version == recorded.version + 1:
                    # The call may have died before it sent.
                    self._perform(head)
                return head
            if caller.versions is not None and head.version not in caller.versions:
                raise RunMovedOn(f"run {workflow_id!r} is at version {head.version} by now")
            change = decide(head)
            if change is None:
                return head
            committed = self._commit(head, change, caller, call)
            if committed is not None:
                self.catalog.announce(head.snapshot, committed.snapshot)
                self._perform(committed)
                return committed
        raise Retryable(f"run {workflow_id!r} goes on faster than it can be changed; hold it first, or try again")

    def _commit(self, head: Head, change: Change, caller: Caller, call: OperatorCall) -> Head | None:
        entry = entry_of(head.snapshot, change.snapshot, actor=caller.actor, reason=caller.reason)
        following = replace(
            head,
            snapshot=change.snapshot,
            history=head.history.with_entry(entry),
            retry_epoch=change.retry_epoch,
            takes=(),
            far=False,
            by=None,
            writer_id=self.new_id(),
            grace_ms=None,
            tries=0,
            claim_until_ms=None,
        )
        # Signals taken by the commit before this one leave the head with this one: their items go first.
        self.effects.settle_debts(head)
        prepared, objects = self.archive.prepared(following, loaded=head)
        self.archive.put(objects)
        return self.store.commit(prepared, mark_ms=mark_of_outside_call(head.due_at_ms, self.now_ms()), call=call)

    def _perform(self, head: Head) -> None:
        """Effects of what is written; when they fail the due mark sees to them."""
        try:
            self.effects.perform(head)
        except Retryable:
            return
