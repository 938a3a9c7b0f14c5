"""What callers may do with runs: start one, look at one, signal one. Knows nothing of HTTP.

Every write here sets the run's due mark in the same write, and only then sends a message: a crash in between
is repaired by the sweep, and by the caller who tries again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dispatcher.archive import Archive
from dispatcher.catalog import Catalog
from dispatcher.due import mark_of_outside_call
from dispatcher.errors import ItemTooLarge, RunFinished, RunNotFound, Terminal
from dispatcher.head import Head, Pending
from dispatcher.messages import Continuation
from dispatcher.ports import RunStore, StepQueue
from dispatcher.signals import deliver, inbox_name, nudge
from dispatcher.table_schema import DUE_SHARDS
from dispatcher.webhook_token import Claims, InvalidToken, WebhookTokens
from engine import Snapshot, WaitAddress
from engine.content_hash import content_hash
from engine.errors import Fault
from engine.json_value import JsonObject, JsonValue
from engine.outcome import DEFAULT_SIGNAL
from engine.schema import schema_faults


class StartConflict(Terminal):
    """A run of that id exists and began with other input."""


class InvalidRunInput(Terminal):
    """The input breaks the workflow's schema; ``faults`` says where."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(map(str, faults)))


class InvalidPayload(InvalidRunInput):
    """A payload breaks the schema of the wait it is for; the run goes on waiting."""


class WaitClosed(Terminal):
    """The wait a webhook is for is over."""


class NothingToResume(Terminal):
    """The run waits for no signal."""


class PayloadTooLargeForRun(Terminal):
    """The payload is larger than the table takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """A start as asked for. ``workflow_id`` None: a fresh id, or one that follows from ``idempotency_key``."""

    workflow: str
    input: JsonValue = None
    workflow_id: str | None = None
    idempotency_key: str | None = None
    tags: Mapping[str, str] | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A run that is there now; ``fresh`` when this call made it."""

    snapshot: Snapshot
    fresh: bool


_NOT_FOUND: Final = "there is no run {!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontDoor:
    """The calls from outside, over the same ports as the dispatcher."""

    store: RunStore
    archive: Archive
    queue: StepQueue
    catalog: Catalog
    tokens: WebhookTokens
    now_ms: Callable[[], int]
    new_id: Callable[[], str]

    def start(self, request: StartRequest) -> Started:
        """Starts a run, or finds the one that the same request has started before.

        Raises:
            UnknownWorkflow: there is no workflow of that name.
            InvalidRunInput: the input breaks the workflow's schema.
            StartConflict: the id is taken by a run with other input, or of another tenant.
            PayloadTooLargeForRun: nothing was written.
        """
        definition = self.catalog.newest(request.workflow)
        if isinstance(definition.input, dict):
            faults = schema_faults(definition.input, request.input)
            if faults:
                none = "no input was given; " if request.input is None else ""
                raise InvalidRunInput(
                    tuple(Fault(f"$.input{fault.path[1:]}", none + fault.message) for fault in faults)
                )
        engine = self.catalog.pinned(definition)
        now = self.now_ms()
        snapshot = engine.create_initial_snapshot(
            self._run_id(request),
            input=request.input,
            tags=request.tags,
            tenant=request.tenant,
            now_ms=now,
        )
        head = Head(
            snapshot=snapshot,
            nonce=self.new_id(),
            input_digest=content_hash([request.workflow, request.input]),
            pending=Pending(),
            writer_id=self.new_id(),
            due_at_ms=mark_of_outside_call(None, now),
            started_at_ms=now,
        )
        try:
            prepared, objects = self.archive.prepared(head, loaded=None)
            self.archive.put(objects)
            existing = self.store.create(prepared)
        except ItemTooLarge as error:
            raise PayloadTooLargeForRun(f"input: {error}; store it elsewhere and pass a reference") from None
        current = existing if existing is not None else head
        if request.tenant is not None and current.snapshot.tenant != request.tenant:
            # No more than that: what it is, is the other tenant's affair.
            raise StartConflict(f"the id {current.workflow_id!r} is taken; choose another")
        if current.input_digest != head.input_digest:
            raise StartConflict(f"run {current.workflow_id!r} exists and began with another workflow or input")
        if current.version == 0:
            # Fresh, or an earlier call that may have died before it sent.
            nudge(self.queue, Continuation(current.workflow_id, 0), group=request.tenant)
        return Started(current.snapshot, existing is None)

    def _run_id(self, request: StartRequest) -> str:
        if request.workflow_id is not None:
            return request.workflow_id
        if request.idempotency_key is not None:
            said = f"{request.workflow}\0{request.idempotency_key}"
            # Two tenants that choose the same key start two runs.
            said = said if request.tenant is None else f"{said}\0{request.tenant}"
            return hashlib.sha256(said.encode()).hexdigest()[:32]
        return self.new_id()

    def show(self, workflow_id: str) -> Head:
        """The head of a run.

        Raises:
            RunNotFound: there is none of that id.
        """
        head = self.archive.load(workflow_id)
        if head is None or head.removing:
            raise RunNotFound(_NOT_FOUND.format(workflow_id))
        return head

    def callback_url(self, head: Head) -> str | None:
        """Capability URL of the wait a run is in; computed, never stored."""
        address, wait = head.wait_address, head.snapshot.wait
        if address is None or wait is None or wait.signal is None:
            return None
        return self.tokens.url(head, address)

    def signal(self, workflow_id: str, name: str, payload: JsonValue, *, idempotency_key: str | None) -> bool:
        """Delivers a named signal; kept if it is early. Returns False for a repeat of the same key.

        Raises:
            RunNotFound: there is no such run.
            RunFinished: the run has ended.
            InvalidPayload: it breaks the schema of the wait the run is in; nothing was written.
            PayloadTooLargeForRun: nothing was written.
        """
        head = self.show(workflow_id)
        signal_id = self.new_id() if idempotency_key is None else _digest(f"signal\0{name}\0{idempotency_key}")
        may_repeat = head.snapshot.status.terminal and idempotency_key is not None
        if may_repeat and self.store.was_signalled(workflow_id, signal_id, life=head.nonce):
            # The run has taken it, perhaps to end by it.
            return False
        return self._deliver_named(_live(head), name, signal_id, payload)

    def _deliver_named(self, head: Head, name: str, signal_id: str, payload: JsonValue) -> bool:
        """Delivers a named signal, held against the schema of the wait that it ends, if the run is in one."""
        address, wait = head.wait_address, head.snapshot.wait
        if address is not None and wait is not None and wait.signal == name:
            self._check_payload(head, address, payload, signal_id)
        return self._deliver(head, name, signal_id, payload)

    def resume(self, workflow_id: str, payload: JsonValue, *, idempotency_key: str | None) -> bool:
        """Ends the wait the run is in; before it waits, delivers the signal ``resume``, kept for a wait of that name.

        Raises:
            NothingToResume: the run sleeps; nothing can be delivered to it.
            RunNotFound, RunFinished, PayloadTooLargeForRun: as for :meth:`signal`.
        """
        head = self.show(workflow_id)
        if head.snapshot.status.terminal and idempotency_key is not None and self.was_resumed(head, idempotency_key):
            return False
        head = _live(head)
        address, wait = head.wait_address, head.snapshot.wait
        if wait is None or address is None:
            # Under the id that it would have in a wait: the repeat of a call that has ended one is no new signal.
            signal_id = self.new_id() if idempotency_key is None else _resume_id(idempotency_key)
            return self._deliver(head, DEFAULT_SIGNAL, signal_id, payload)
        if wait.signal is None:
            raise NothingToResume(f"run {workflow_id!r} sleeps until its time; it waits for no signal")
        return self._end_wait(head, address, payload, idempotency_key=idempotency_key)

    def was_resumed(self, head: Head, idempotency_key: str) -> bool:
        """Whether a :meth:`resume` of that key has delivered its payload before."""
        return self.store.was_signalled(head.workflow_id, _resume_id(idempotency_key), life=head.nonce)

    def webhook(self, token: str, payload: JsonValue) -> bool:
        """Delivers a payload by capability URL; the first one counts. Returns False for a repeat.

        Raises:
            InvalidToken: the token was not made here.
            WaitClosed: the wait is over, or the token has expired.
            InvalidPayload: it breaks the schema of the wait; nothing was written.
            PayloadTooLargeForRun: nothing was written.
        """
        head, claims = self._open_wait(token)
        if claims.signal is None:
            return self._end_wait(head, claims.address, payload)
        link = f"{inbox_name(claims.address)}\0{claims.signal}"
        return self._deliver_named(head, claims.signal, _digest(f"link\0{link}"), payload)

    def _end_wait(
        self, head: Head, address: WaitAddress, payload: JsonValue, *, idempotency_key: str | None = None
    ) -> bool:
        # One wait, one end, by whichever link or call: whatever comes second is a repeat of the first. A caller's own
        # key tells more: its repeat is one also when the run waits anew.
        name = inbox_name(address)
        signal_id = _digest(f"wait\0{name}") if idempotency_key is None else _resume_id(idempotency_key)
        self._check_payload(head, address, payload, signal_id)
        return self._deliver(head, name, signal_id, payload)

    def _check_payload(self, head: Head, address: WaitAddress, payload: JsonValue, signal_id: str) -> None:
        """Holds a payload against the schema of a ``core:wait`` that the run is in, if it has one of plain JSON."""
        snapshot = head.snapshot
        wait = snapshot.wait
        if wait is None or snapshot.definition is None or snapshot.current_node_id != address.node_id:
            return
        node = self.catalog.engine(snapshot.definition).workflow.node(address.node_id)
        data = node.data if node is not None and node.type == "core:wait" else None
        schema = data.get("schema") if isinstance(data, dict) else None
        if isinstance(schema, dict):
            faults = schema_faults(schema, payload)
            # What is a repeat has been taken, by an earlier wait perhaps, whose schema was another.
            if faults and not self.store.was_signalled(head.workflow_id, signal_id, life=head.nonce):
                raise InvalidPayload(faults)

    def describe_webhook(self, token: str) -> JsonObject:
        """What a capability URL is for. Changes nothing. Raises as :meth:`webhook` does."""
        head, claims = self._open_wait(token)
        wait, signal = head.snapshot.wait, claims.signal
        if signal is None and wait is not None and head.snapshot.current_node_id == claims.address.node_id:
            signal = wait.signal
        return {
            "workflowId": head.workflow_id,
            "workflow": head.snapshot.definition.name if head.snapshot.definition is not None else None,
            "nodeId": claims.address.node_id,
            "signal": signal,
            "expiresAt": claims.expires_at_ms,
            "method": "POST",
        }

    def _open_wait(self, token: str) -> tuple[Head, Claims]:
        claims = self.tokens.claims(token)
        head = self.archive.load(claims.workflow_id)
        if head is None:
            # Not told apart from a forged token: who holds no link learns nothing of a run.
            raise InvalidToken("this token was not made for this run")
        self.tokens.verify(token, head.nonce)
        if self.now_ms() >= claims.expires_at_ms or not _still_open(head.snapshot, claims):
            raise WaitClosed("this link has done its work: the wait it was for is over")
        return head, claims

    def _deliver(self, head: Head, name: str, signal_id: str, payload: JsonValue) -> bool:
        try:
            return deliver(
                self.store,
                self.archive,
                self.queue,
                head,
                name=name,
                signal_id=signal_id,
                payload=payload,
                now_ms=self.now_ms(),
            )
        except ItemTooLarge as error:
            raise PayloadTooLargeForRun(f"payload: {error}; store it elsewhere and pass a reference") from None

    def overdue(self) -> int:
        """Runs whose mark has passed, up to one per shard: enough to tell well from ill."""
        now = self.now_ms()
        return sum(len(self.store.due_marks(shard, until_ms=now, limit=1)) for shard in range(DUE_SHARDS))


def _live(head: Head) -> Head:
    if head.snapshot.status.terminal:
        raise RunFinished(f"run {head.workflow_id!r} is {head.snapshot.status.value}; it takes no signals")
    return head


def _still_open(snapshot: Snapshot, claims: Claims) -> bool:
    """Whether the run is in that wait, or has yet to come to it; a signal is open as long as the run is."""
    if snapshot.status.terminal:
        return False
    if claims.signal is not None:
        return True
    address = claims.address
    if snapshot.current_node_id == address.node_id:
        current = snapshot.wait.resumes if snapshot.wait is not None else snapshot.resumes
        return (address.visit, address.resumes) >= (snapshot.visit, current)
    return address.visit > snapshot.context.visits(address.node_id)


def _resume_id(idempotency_key: str) -> str:
    return _digest(f"resume\0{idempotency_key}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
