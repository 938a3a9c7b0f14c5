"""The ports as one process sees them: the shared ones in memory, behind boundaries at which anything may happen.

Nothing is answered here in a port's place, but for an older answer where the port may lag. What the store takes is
shown to the witness, who holds it against the rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from dispatcher.head import Head, Hold, OperatorCall
from dispatcher.messages import Continuation, Message
from dispatcher.ports import (
    DefinitionPointer,
    DueMark,
    PayloadBucket,
    RunPage,
    RunQuery,
    RunStore,
    Sealed,
    Signal,
    StepQueue,
)
from engine.json_value import JsonObject, JsonValue
from tests.simulation.faults import Boundary, Kind
from tests.simulation.process import Process
from tests.simulation.timeline import brief as snapshot_in_brief


def _boundaries(port: str, kind: Kind, methods: str) -> dict[str, Boundary]:
    return {method: Boundary(f"{port}.{method}", kind) for method in methods.split()}


STORE: Final[Mapping[str, Boundary]] = {
    **_boundaries(
        "store",
        Kind.READ,
        "load operator_call operator_calls was_signalled oldest_signal load_sealed keys load_definition load_pointer "
        "pointers check",
    ),
    **_boundaries("store", Kind.LAGGING_READ, "due_marks find"),
    **_boundaries(
        "store",
        Kind.WRITE,
        "create commit count_try claim set_hold record add_signal remove_from_inbox put_sealed move_mark expire remove "
        "set_removing remove_head put_definition put_pointer",
    ),
}
QUEUE: Final[Mapping[str, Boundary]] = {
    **_boundaries("queue", Kind.READ, "oldest_age_ms check"),
    **_boundaries("queue", Kind.WRITE, "send park"),
}
BUCKET: Final[Mapping[str, Boundary]] = {
    **_boundaries("bucket", Kind.READ, "get"),
    **_boundaries("bucket", Kind.WRITE, "put remove"),
}


class Witness(Protocol):
    """Sees what is written, at the moment it is, and raises when it breaks a rule."""

    def created(self, head: Head) -> None:
        """A run has begun."""
        ...

    def committed(self, process: Process, head: Head, call: OperatorCall | None) -> None:
        """A head of the next version has been written."""
        ...

    def recorded(self, workflow_id: str, call: OperatorCall) -> None:
        """A call that changes nothing in the run has been recorded."""
        ...

    def removed(self, workflow_id: str) -> None:
        """A run is gone."""
        ...

    def held(self, workflow_id: str, hold: Hold | None) -> None:
        """A hold has been set or lifted."""
        ...

    def signalled(self, signal: Signal) -> None:
        """A signal has been accepted."""
        ...

    def untaken(self, workflow_id: str, inbox_keys: Sequence[str]) -> None:
        """Items are about to leave the inbox."""
        ...


class FaultyStore:
    """A RunStore for one process over the one that all share."""

    def __init__(
        self, inner: RunStore, process: Process, witness: Witness, marks: dict[int, Sequence[DueMark]]
    ) -> None:
        self._inner = inner
        self._process = process
        self._call = process.call
        self._witness = witness
        self._older_marks = marks
        # A write that is repeated is one write: it is shown once.
        self._witnessed = ""

    def load(self, workflow_id: str) -> Head | None:
        """See RunStore."""

        def load() -> Head | None:
            self._process.seen_ms = self._process.world.clock.now_ms
            return self._inner.load(workflow_id)

        return self._call(STORE["load"], load, workflow_id)

    def create(self, head: Head) -> Head | None:
        """See RunStore."""

        def create() -> Head | None:
            existing = self._inner.create(head)
            if existing is None and head.writer_id != self._witnessed:
                self._witnessed = head.writer_id
                self._witness.created(head)
            return existing

        return self._call(STORE["create"], create, lambda: brief(head))

    def commit(self, head: Head, *, mark_ms: int | None, call: OperatorCall | None = None) -> Head | None:
        """See RunStore."""

        def commit() -> Head | None:
            stored = self._inner.commit(head, mark_ms=mark_ms, call=call)
            if stored is not None and head.writer_id != self._witnessed:
                self._witnessed = head.writer_id
                self._process.seen_ms = self._process.world.clock.now_ms
                self._witness.committed(self._process, head, call)
            return stored

        return self._call(STORE["commit"], commit, lambda: f"{brief(head)} mark={mark_ms} call={call}")

    def count_try(self, head: Head, *, by: int = 1) -> bool:
        """See RunStore."""
        return self._call(
            STORE["count_try"], lambda: self._inner.count_try(head, by=by), lambda: f"{brief(head)} by={by}"
        )

    def claim(self, head: Head, *, until_ms: int, claim_id: str) -> bool:
        """See RunStore."""
        return self._call(
            STORE["claim"],
            lambda: self._inner.claim(head, until_ms=until_ms, claim_id=claim_id),
            lambda: f"{brief(head)} until={until_ms} {claim_id}",
        )

    def set_hold(self, workflow_id: str, hold: Hold | None, *, call: OperatorCall, due_at_ms: int) -> bool:
        """See RunStore."""

        def set_hold() -> bool:
            done = self._inner.set_hold(workflow_id, hold, call=call, due_at_ms=due_at_ms)
            if done:
                self._witness.held(workflow_id, hold)
            return done

        return self._call(STORE["set_hold"], set_hold, lambda: f"{workflow_id} {hold} mark={due_at_ms}")

    def record(self, workflow_id: str, call: OperatorCall) -> bool:
        """See RunStore."""

        def record() -> bool:
            fresh = self._inner.record(workflow_id, call)
            if fresh:
                self._witness.recorded(workflow_id, call)
            return fresh

        return self._call(STORE["record"], record, lambda: f"{call}")

    def operator_call(self, workflow_id: str, key: str) -> OperatorCall | None:
        """See RunStore."""
        return self._call(STORE["operator_call"], lambda: self._inner.operator_call(workflow_id, key), key)

    def operator_calls(self, workflow_id: str) -> Sequence[OperatorCall]:
        """See RunStore."""
        return self._call(STORE["operator_calls"], lambda: self._inner.operator_calls(workflow_id), workflow_id)

    def add_signal(self, signal: Signal, *, due_at_ms: int) -> bool:
        """See RunStore."""

        def add_signal() -> bool:
            fresh = self._inner.add_signal(signal, due_at_ms=due_at_ms)
            if fresh:
                self._witness.signalled(signal)
            return fresh

        return self._call(STORE["add_signal"], add_signal, lambda: f"{signal.name} {signal.payload!r} mark={due_at_ms}")

    def was_signalled(self, workflow_id: str, signal_id: str, *, life: str) -> bool:
        """See RunStore."""
        return self._call(
            STORE["was_signalled"],
            lambda: self._inner.was_signalled(workflow_id, signal_id, life=life),
            f"{workflow_id} {signal_id}",
        )

    def oldest_signal(self, workflow_id: str, names: Sequence[str], *, besides: Sequence[str]) -> Signal | None:
        """See RunStore."""
        return self._call(
            STORE["oldest_signal"],
            lambda: self._inner.oldest_signal(workflow_id, names, besides=besides),
            lambda: f"{list(names)} besides {list(besides)}",
        )

    def remove_from_inbox(self, workflow_id: str, inbox_keys: Sequence[str]) -> None:
        """See RunStore."""
        if not inbox_keys:
            # No call of the service: nothing can happen there.
            self._inner.remove_from_inbox(workflow_id, inbox_keys)
            return

        def remove() -> None:
            self._witness.untaken(workflow_id, inbox_keys)
            self._inner.remove_from_inbox(workflow_id, inbox_keys)

        self._call(STORE["remove_from_inbox"], remove, lambda: f"{list(inbox_keys)}")

    def put_sealed(self, sealed: Sealed) -> None:
        """See RunStore."""
        self._call(
            STORE["put_sealed"],
            lambda: self._inner.put_sealed(sealed),
            lambda: f"{sealed.key} {sealed.digest[:8]} {len(sealed.body)} B",
        )

    def load_sealed(self, workflow_id: str, key: str, *, life: str) -> bytes | None:
        """See RunStore."""
        return self._call(STORE["load_sealed"], lambda: self._inner.load_sealed(workflow_id, key, life=life), key)

    def due_marks(self, shard: int, *, until_ms: int, limit: int, after: DueMark | None = None) -> Sequence[DueMark]:
        """See RunStore."""
        answer = self._inner.due_marks(shard, until_ms=until_ms, limit=limit, after=after)
        older = self._older_marks.get(shard, ())
        if not answer and not older:
            # Fifteen shards of sixteen are empty: what goes wrong there says nothing.
            return answer

        def due_marks() -> Sequence[DueMark]:
            marks = self._inner.due_marks(shard, until_ms=until_ms, limit=limit, after=after)
            self._older_marks[shard] = marks
            return marks

        return self._call(STORE["due_marks"], due_marks, f"{shard} until={until_ms}", older=lambda: older)

    def move_mark(self, head: Head, *, due_at_ms: int | None, grace_ms: int | None) -> bool:
        """See RunStore."""
        return self._call(
            STORE["move_mark"],
            lambda: self._inner.move_mark(head, due_at_ms=due_at_ms, grace_ms=grace_ms),
            lambda: f"{brief(head)} from={head.due_at_ms} to={due_at_ms} grace={grace_ms}",
        )

    def expire(self, head: Head, *, expires_at_s: int) -> bool:
        """See RunStore."""
        return self._call(
            STORE["expire"], lambda: self._inner.expire(head, expires_at_s=expires_at_s), lambda: brief(head)
        )

    def keys(self, workflow_id: str, *, limit: int) -> Sequence[str]:
        """See RunStore."""
        return self._call(STORE["keys"], lambda: self._inner.keys(workflow_id, limit=limit), workflow_id)

    def remove(self, workflow_id: str, keys: Sequence[str]) -> None:
        """See RunStore."""
        self._call(STORE["remove"], lambda: self._inner.remove(workflow_id, keys), lambda: f"{list(keys)}")

    def set_removing(self, head: Head, removing: bool) -> bool:
        """See RunStore."""
        return self._call(
            STORE["set_removing"],
            lambda: self._inner.set_removing(head, removing),
            lambda: f"{brief(head)} {removing}",
        )

    def remove_head(self, head: Head) -> bool:
        """See RunStore."""

        def remove_head() -> bool:
            gone = self._inner.remove_head(head)
            if gone:
                self._witness.removed(head.workflow_id)
            return gone

        return self._call(STORE["remove_head"], remove_head, lambda: brief(head))

    def find(self, query: RunQuery) -> RunPage:
        """See RunStore."""
        return self._call(STORE["find"], lambda: self._inner.find(query), lambda: f"{query}")

    def put_definition(self, name: str, version: str, document: JsonObject) -> None:
        """See RunStore."""
        self._call(
            STORE["put_definition"],
            lambda: self._inner.put_definition(name, version, document),
            f"{name}@{version[:8]}",
        )

    def load_definition(self, name: str, version: str) -> Mapping[str, JsonValue] | None:
        """See RunStore."""
        return self._call(
            STORE["load_definition"], lambda: self._inner.load_definition(name, version), f"{name}@{version[:8]}"
        )

    def load_pointer(self, name: str) -> DefinitionPointer | None:
        """See RunStore."""
        return self._call(STORE["load_pointer"], lambda: self._inner.load_pointer(name), name)

    def pointers(self) -> Sequence[DefinitionPointer]:
        """See RunStore."""
        return self._call(STORE["pointers"], self._inner.pointers)

    def put_pointer(self, pointer: DefinitionPointer, *, previous: str | None) -> bool:
        """See RunStore."""
        return self._call(
            STORE["put_pointer"], lambda: self._inner.put_pointer(pointer, previous=previous), pointer.name
        )

    def check(self) -> None:
        """See RunStore."""
        self._call(STORE["check"], self._inner.check)


class FaultyQueue:
    """A StepQueue for one process over the one that all share."""

    def __init__(self, inner: StepQueue, process: Process) -> None:
        self._inner = inner
        self._call = process.call

    def send(self, message: Message, *, delay_seconds: int = 0, group: str | None = None) -> None:
        """See StepQueue."""
        self._call(
            QUEUE["send"],
            lambda: self._inner.send(message, delay_seconds=delay_seconds, group=group),
            lambda: f"{described(message)} delay={delay_seconds}s",
        )

    def park(self, body: str, *, reason: str) -> None:
        """See StepQueue."""
        self._call(QUEUE["park"], lambda: self._inner.park(body, reason=reason), f"{body} because {reason}")

    def oldest_age_ms(self) -> int:
        """See StepQueue."""
        return self._call(QUEUE["oldest_age_ms"], self._inner.oldest_age_ms)

    def check(self) -> None:
        """See StepQueue."""
        self._call(QUEUE["check"], self._inner.check)


class FaultyBucket:
    """A PayloadBucket for one process over the one that all share."""

    def __init__(self, inner: PayloadBucket, process: Process) -> None:
        self._inner = inner
        self._call = process.call

    def put(self, key: str, body: bytes) -> None:
        """See PayloadBucket."""
        self._call(BUCKET["put"], lambda: self._inner.put(key, body), lambda: f"{key} {len(body)} B")

    def get(self, key: str) -> bytes | None:
        """See PayloadBucket."""
        return self._call(BUCKET["get"], lambda: self._inner.get(key), key)

    def remove(self, prefix: str) -> None:
        """See PayloadBucket."""
        self._call(BUCKET["remove"], lambda: self._inner.remove(prefix), prefix)


def brief(head: Head) -> str:
    """A head in a line of the timeline."""
    return f"{head.workflow_id} {snapshot_in_brief(head.snapshot)}"


def described(message: Message) -> str:
    """A message in a line of the timeline."""
    match message:
        case Continuation(workflow_id, version):
            return f"{workflow_id} v{version}"
        case _:
            return f"{message.workflow_id} wake"
