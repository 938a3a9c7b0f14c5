"""What the shell needs of the world, as small protocols. Adapters know this file, never each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from dispatcher.head import Head, Hold, OperatorCall
from dispatcher.messages import Message
from engine import Status
from engine.json_value import Deferred, JsonObject, JsonValue

ANY_LIFE: Final = "*"
"""The life of an object that is the same in every life of a run."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal in a run's inbox, or on its way there. ``arrived_at_ms``: epoch milliseconds.

    ``life`` is the nonce of the run it is for: one of the same id that comes later is another run.
    """

    workflow_id: str
    name: str
    signal_id: str
    payload: JsonValue | Deferred
    arrived_at_ms: int
    life: str = ANY_LIFE


@dataclass(frozen=True, slots=True)
class DueMark:
    """An entry of the due index."""

    workflow_id: str
    due_at_ms: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """An immutable object of a run: a segment, a page of its node index, or one large value.

    It is written before the head that refers to it. ``digest`` is that of its content. ``life`` is the run's nonce,
    for a later run of the same id has other segments; ANY_LIFE for a value, whose key tells its content.
    """

    workflow_id: str
    key: str
    life: str
    body: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs to list, newest first.

    Args:
        workflow: only runs of that workflow.
        status: only runs in that status.
        since_ms: only runs started at that time or later, epoch milliseconds.
        until_ms: only runs started before that time.
        limit: runs of one page at most.
        cursor: the ``cursor`` of the page before.
    """

    workflow: str | None = None
    status: Status | None = None
    since_ms: int = 0
    until_ms: int | None = None
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class RunPage:
    """Ids of runs, newest first. ``cursor`` None: there are no more."""

    workflow_ids: Sequence[str]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class DefinitionPointer:
    """Which version of a workflow's stored definition new runs begin with. ``description``: for lists, cut short."""

    name: str
    version: str
    description: str | None = None


class RunStore(Protocol):
    """Runs with all that belongs to them, and definitions. Every read of a head is a strong one.

    Every method may raise Retryable (nothing is known to have happened) or Terminal.
    """

    def load(self, workflow_id: str) -> Head | None:
        """The head, or None when there is no such run; its context is closed until an Archive opens it.

        Raises:
            UnknownSchema: it was written by newer code.
        """
        ...

    def create(self, head: Head) -> Head | None:
        """Writes a new run's head unless there is one of that id: then that one is returned, else None.

        Raises:
            ItemTooLarge: nothing was written.
        """
        ...

    def commit(self, head: Head, *, mark_ms: int | None, call: OperatorCall | None = None) -> Head | None:
        """Replaces the head of the version before, in one conditional write; None when another writer won.

        Returns the head as it is stored now: under the due mark and the hold it has by now. The due mark is moved
        to ``mark_ms`` in the same write, or left where it is by now when that is None. Tries, claim and grace are
        cleared; whatever else an item holds stays as it is. A write of this same ``writer_id`` that was done but
        reported as failed counts as done.

        Args:
            head: the next version.
            mark_ms: where the due mark goes, epoch milliseconds.
            call: an operator's call that this transition answers, recorded in the same transaction; None is also
                the answer when a call of that key is recorded already, or the run's removal has begun.

        Raises:
            ItemTooLarge: nothing was written.
        """
        ...

    def count_try(self, head: Head, *, by: int = 1) -> bool:
        """Adds to the tries of this version, before it is executed again; False when it has moved on."""
        ...

    def claim(self, head: Head, *, until_ms: int, claim_id: str) -> bool:
        """Claims this version for one execution; False when it has moved on or is claimed.

        A claim of this same ``claim_id`` that was done but reported as failed counts as done.
        """
        ...

    def set_hold(self, workflow_id: str, hold: Hold | None, *, call: OperatorCall, due_at_ms: int) -> bool:
        """Holds a run or, with None, lets it go; leaves its version alone and moves its due mark.

        Returns False when there is nothing to do: a call of that key is recorded already, or there is no hold to
        lift.

        Raises:
            RunFinished: there is no such run, or it has ended. Nothing was written.
        """
        ...

    def record(self, workflow_id: str, call: OperatorCall) -> bool:
        """Records a call that changes nothing of the run itself; False when one of that key is recorded already.

        Raises:
            RunFinished: there is no such run, or its removal has begun. Nothing was written.
        """
        ...

    def operator_call(self, workflow_id: str, key: str) -> OperatorCall | None:
        """The recorded call of that key, or None."""
        ...

    def operator_calls(self, workflow_id: str) -> Sequence[OperatorCall]:
        """All recorded calls of a run, oldest first."""
        ...

    def add_signal(self, signal: Signal, *, due_at_ms: int) -> bool:
        """Puts a signal into the inbox and moves the run's due mark, at once or not at all.

        Returns False when a signal of that id has come before; the inbox is left alone then.

        Raises:
            RunFinished: there is no such run, or it has ended. Nothing was written.
            ItemTooLarge: nothing was written.
        """
        ...

    def was_signalled(self, workflow_id: str, signal_id: str, *, life: str) -> bool:
        """Whether a signal of that id has come to that life of a run, taken by now or not."""
        ...

    def oldest_signal(self, workflow_id: str, names: Sequence[str], *, besides: Sequence[str]) -> Signal | None:
        """The oldest signal in the inbox with one of the names, leaving out the inbox keys in ``besides``."""
        ...

    def remove_from_inbox(self, workflow_id: str, inbox_keys: Sequence[str]) -> None:
        """Removes inbox items; what is gone already is no error."""
        ...

    def put_sealed(self, sealed: Sealed) -> None:
        """Puts an immutable object unless it is there already.

        Raises:
            SealBroken: another object stands in its place. Nothing was written.
        """
        ...

    def load_sealed(self, workflow_id: str, key: str, *, life: str) -> bytes | None:
        """The body of a sealed object of that life of a run, by its exact key; None when it is surely not there."""
        ...

    def due_marks(self, shard: int, *, until_ms: int, limit: int, after: DueMark | None = None) -> Sequence[DueMark]:
        """Marks of a shard up to a time, oldest first, those that come after a mark if one is given.

        Eventually consistent: look at the head.
        """
        ...

    def move_mark(self, head: Head, *, due_at_ms: int | None, grace_ms: int | None) -> bool:
        """Moves, or with None removes, the mark.

        Only if neither version nor mark have changed since ``head``, and no signal, hold or release has come.
        """
        ...

    def expire(self, head: Head, *, expires_at_s: int) -> bool:
        """Removes the mark of a run at its end, which the table may delete after that time (epoch seconds).

        On the conditions of :meth:`move_mark`.
        """
        ...

    def keys(self, workflow_id: str, *, limit: int) -> Sequence[str]:
        """Sort keys of items of a run besides its head, read strongly."""
        ...

    def remove(self, workflow_id: str, keys: Sequence[str]) -> None:
        """Removes items of a run other than its head; what is gone already is no error."""
        ...

    def set_removing(self, head: Head, removing: bool) -> bool:
        """Tells that the removal of a run has begun, or that it is given up; False when it is not this version."""
        ...

    def remove_head(self, head: Head) -> bool:
        """Removes the head, the last item of a run to go; False when it is not this version any more."""
        ...

    def find(self, query: RunQuery) -> RunPage:
        """Ids of runs, newest first. Eventually consistent, without a scan.

        Raises:
            InvalidCursor: the cursor is none of this query's.
        """
        ...

    def put_definition(self, name: str, version: str, document: JsonObject) -> None:
        """Stores a version of a definition unless it is there; it never changes."""
        ...

    def load_definition(self, name: str, version: str) -> Mapping[str, JsonValue] | None:
        """A stored version of a definition, or None."""
        ...

    def load_pointer(self, name: str) -> DefinitionPointer | None:
        """The pointer of a name, read strongly, or None."""
        ...

    def pointers(self) -> Sequence[DefinitionPointer]:
        """All pointers, by name."""
        ...

    def put_pointer(self, pointer: DefinitionPointer, *, previous: str | None) -> bool:
        """Points a name at a version that is stored, in one conditional write.

        Args:
            pointer: where it is to point.
            previous: the version it points at as far as the caller knows; None: it is not there yet.

        Returns:
            False when it points at another version by now. One that points where it should counts as put: a write
            that was done but reported as failed.
        """
        ...

    def check(self) -> None:
        """Raises unless the table answers."""
        ...


class PayloadBucket(Protocol):
    """Where values go that no item of the table can hold. Keys name their content, so writing twice is no harm."""

    def put(self, key: str, body: bytes) -> None:
        """Writes an object."""
        ...

    def get(self, key: str) -> bytes | None:
        """An object's body, or None."""
        ...

    def remove(self, prefix: str) -> None:
        """Removes all objects whose key begins with a prefix."""
        ...


class StepQueue(Protocol):
    """The queue of steps, and the place where what nobody can act on is parked."""

    def send(self, message: Message, *, delay_seconds: int = 0, group: str | None = None) -> None:
        """Sends a message, to be delivered after a delay of at most 900 seconds.

        ``group``: whose message it is, for a fair share between many (SQS fair queues).
        """
        ...

    def park(self, body: str, *, reason: str) -> None:
        """Puts a message nobody can act on where the alarm watches."""
        ...

    def oldest_age_ms(self) -> int:
        """How long the oldest message has been waiting to be delivered, as far as is known; 0 for an empty queue."""
        ...

    def check(self) -> None:
        """Raises unless the queue answers."""
        ...


class SecretSource(Protocol):
    """Where the signing secret of webhook tokens comes from."""

    def signing_secret(self) -> bytes:
        """The secret; read once a process."""
        ...
