"""What the shell needs of the world, as small protocols. Adapters know this file, never each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dispatcher.head import Head
from dispatcher.messages import Message
from engine.json_value import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal in a run's inbox, or on its way there. ``arrived_at_ms``: epoch milliseconds."""

    workflow_id: str
    name: str
    signal_id: str
    payload: JsonValue
    arrived_at_ms: int


@dataclass(frozen=True, slots=True)
class DueMark:
    """An entry of the due index."""

    workflow_id: str
    due_at_ms: int


class RunStore(Protocol):
    """Runs, signals and definitions. Every read of a run is a strong one.

    Every method may raise Retryable (nothing is known to have happened) or Terminal.
    """

    def load(self, workflow_id: str) -> Head | None:
        """The head, or None when there is no such run. Raises UnknownSchema for one of newer code."""
        ...

    def create(self, head: Head) -> Head | None:
        """Writes a new run's head unless there is one of that id: then that one is returned, else None.

        Raises:
            ItemTooLarge: nothing was written.
        """
        ...

    def commit(self, head: Head, *, mark_ms: int | None) -> bool:
        """Replaces the head of the version before, in one conditional write; False when another writer won.

        The due mark is moved to ``mark_ms`` in the same write, or left where it is by now when that is None.

        Whatever an item holds that a Head does not know (an operator's hold) stays as it is. A write of this
        same ``writer_id`` that was done but reported as failed counts as done.

        Raises:
            ItemTooLarge: nothing was written.
        """
        ...

    def add_signal(self, signal: Signal, *, due_at_ms: int) -> bool:
        """Puts a signal into the inbox and moves the run's due mark, at once or not at all.

        Returns False when a signal of that id has come before; the inbox is left alone then.

        Raises:
            RunFinished: there is no such run, or it has ended. Nothing was written.
            ItemTooLarge: nothing was written.
        """
        ...

    def oldest_signal(self, workflow_id: str, names: Sequence[str], *, besides: Sequence[str]) -> Signal | None:
        """The oldest signal in the inbox with one of the names, leaving out the inbox keys in ``besides``."""
        ...

    def remove_from_inbox(self, workflow_id: str, inbox_keys: Sequence[str]) -> None:
        """Removes inbox items; what is gone already is no error."""
        ...

    def due_marks(self, shard: int, *, until_ms: int, limit: int) -> Sequence[DueMark]:
        """Marks of a shard up to a time, oldest first. Eventually consistent: look at the head."""
        ...

    def move_mark(self, head: Head, *, due_at_ms: int | None, grace_ms: int | None) -> bool:
        """Moves, or with None removes, the mark; only if neither version nor mark have changed since ``head``."""
        ...

    def put_definition(self, name: str, version: str, document: JsonObject) -> None:
        """Stores a version of a definition unless it is there; it never changes."""
        ...

    def load_definition(self, name: str, version: str) -> Mapping[str, JsonValue] | None:
        """A stored version of a definition, or None."""
        ...

    def check(self) -> None:
        """Raises unless the table answers."""
        ...


class StepQueue(Protocol):
    """The queue of steps, and the place where what nobody can act on is parked."""

    def send(self, message: Message, *, delay_seconds: int = 0) -> None:
        """Sends a message, to be delivered after a delay of at most 900 seconds."""
        ...

    def park(self, body: str, *, reason: str) -> None:
        """Puts a message nobody can act on where the alarm watches."""
        ...

    def check(self) -> None:
        """Raises unless the queue answers."""
        ...


class SecretSource(Protocol):
    """Where the signing secret of webhook tokens comes from."""

    def signing_secret(self) -> bytes:
        """The secret; read once a process."""
        ...
