"""Table and queue in memory: for tests, and for running workflows inside one process.

They keep the same bytes, under the same conditions, as the adapters for AWS, and the same contract tests run
on both. Nothing here waits: whoever reads the queue says what time it is.
"""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dispatcher.due import shard_of
from dispatcher.errors import ItemTooLarge, RunFinished
from dispatcher.head import HEAD_SCHEMA, Head, decode_body, encode_body
from dispatcher.limits import DELAY_SECONDS_MAX, ITEM_BYTES_MAX
from dispatcher.messages import Message, encode
from dispatcher.ports import DueMark, Signal
from dispatcher.table_schema import DUE_SHARDS, inbox_sort_key
from engine import Status
from engine.json_value import JsonObject, JsonValue


@dataclass(slots=True)
class _StoredHead:
    body: bytes
    version: int
    writer_id: str
    by: str | None
    status: Status
    due_at_ms: int | None
    grace_ms: int | None
    schema: int = HEAD_SCHEMA


@dataclass(frozen=True, slots=True)
class _StoredSignal:
    body: bytes
    name: str
    signal_id: str
    arrived_at_ms: int


class InMemoryRunStore:
    """A RunStore in dictionaries."""

    def __init__(self) -> None:
        self._heads: dict[str, _StoredHead] = {}
        self._signals: dict[str, set[str]] = {}
        self._inboxes: dict[str, dict[str, _StoredSignal]] = {}
        self._definitions: dict[tuple[str, str], bytes] = {}

    def load(self, workflow_id: str) -> Head | None:
        """See RunStore."""
        stored = self._heads.get(workflow_id)
        return None if stored is None else _decoded(stored)

    def create(self, head: Head) -> Head | None:
        """See RunStore."""
        body = encode_body(head)
        existing = self._heads.get(head.workflow_id)
        if existing is not None:
            return None if existing.writer_id == head.writer_id else _decoded(existing)
        self._heads[head.workflow_id] = _StoredHead(
            body, head.version, head.writer_id, head.by, head.snapshot.status, head.due_at_ms, head.grace_ms
        )
        return None

    def commit(self, head: Head, *, mark_ms: int | None) -> bool:
        """See RunStore."""
        body = encode_body(head)
        stored = self._heads.get(head.workflow_id)
        if stored is None:
            return False
        if stored.version != head.version - 1:
            return stored.version == head.version and stored.writer_id == head.writer_id
        stored.body = body
        stored.version = head.version
        stored.writer_id = head.writer_id
        stored.by = head.by
        stored.status = head.snapshot.status
        stored.grace_ms = None
        if mark_ms is not None:
            stored.due_at_ms = mark_ms
        return True

    def add_signal(self, signal: Signal, *, due_at_ms: int) -> bool:
        """See RunStore."""
        body = zlib.compress(json.dumps(signal.payload).encode())
        if len(body) > ITEM_BYTES_MAX:
            raise ItemTooLarge(f"signal {signal.signal_id!r} would take {len(body)} bytes")
        known = self._signals.setdefault(signal.workflow_id, set())
        if signal.signal_id in known:
            return False
        head = self._heads.get(signal.workflow_id)
        if head is None or head.status.terminal:
            raise RunFinished(f"run {signal.workflow_id!r} has ended")
        known.add(signal.signal_id)
        key = inbox_sort_key(signal.name, signal.arrived_at_ms, signal.signal_id)
        self._inboxes.setdefault(signal.workflow_id, {})[key] = _StoredSignal(
            body, signal.name, signal.signal_id, signal.arrived_at_ms
        )
        head.due_at_ms, head.grace_ms = due_at_ms, None
        return True

    def oldest_signal(self, workflow_id: str, names: Sequence[str], *, besides: Sequence[str]) -> Signal | None:
        """See RunStore."""
        candidates = [
            (stored.arrived_at_ms, key, stored)
            for key, stored in self._inboxes.get(workflow_id, {}).items()
            if stored.name in names and key not in besides
        ]
        if not candidates:
            return None
        _, _, oldest = min(candidates, key=lambda candidate: candidate[:2])
        payload: JsonValue = json.loads(zlib.decompress(oldest.body))
        return Signal(workflow_id, oldest.name, oldest.signal_id, payload, oldest.arrived_at_ms)

    def remove_from_inbox(self, workflow_id: str, inbox_keys: Sequence[str]) -> None:
        """See RunStore."""
        for key in inbox_keys:
            self._inboxes.get(workflow_id, {}).pop(key, None)

    def due_marks(self, shard: int, *, until_ms: int, limit: int) -> Sequence[DueMark]:
        """See RunStore."""
        marks = [
            DueMark(workflow_id, stored.due_at_ms)
            for workflow_id, stored in self._heads.items()
            if stored.due_at_ms is not None
            and stored.due_at_ms <= until_ms
            and shard_of(workflow_id, DUE_SHARDS) == shard
        ]
        return sorted(marks, key=lambda mark: mark.due_at_ms)[:limit]

    def move_mark(self, head: Head, *, due_at_ms: int | None, grace_ms: int | None) -> bool:
        """See RunStore."""
        stored = self._heads.get(head.workflow_id)
        if stored is None or stored.version != head.version or stored.due_at_ms != head.due_at_ms:
            return False
        stored.due_at_ms, stored.grace_ms = due_at_ms, grace_ms
        return True

    def put_definition(self, name: str, version: str, document: JsonObject) -> None:
        """See RunStore."""
        body = zlib.compress(json.dumps(document).encode())
        if len(body) > ITEM_BYTES_MAX:
            raise ItemTooLarge(f"definition {name!r} would take {len(body)} bytes")
        self._definitions.setdefault((name, version), body)

    def load_definition(self, name: str, version: str) -> Mapping[str, JsonValue] | None:
        """See RunStore."""
        body = self._definitions.get((name, version))
        if body is None:
            return None
        document: dict[str, JsonValue] = json.loads(zlib.decompress(body))
        return document

    def check(self) -> None:
        """See RunStore."""


def _decoded(stored: _StoredHead) -> Head:
    return decode_body(
        stored.body,
        schema=stored.schema,
        by=stored.by,
        writer_id=stored.writer_id,
        due_at_ms=stored.due_at_ms,
        grace_ms=stored.grace_ms,
    )


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message on the in-memory queue. ``visible_at_ms``: not delivered before, epoch milliseconds."""

    message_id: str
    body: str
    visible_at_ms: int
    receive_count: int = 0


@dataclass(slots=True)
class InMemoryStepQueue:
    """A StepQueue in a list: delayed messages, at-least-once delivery, visibility given by the reader."""

    now_ms: Callable[[], int]
    messages: list[QueuedMessage] = field(default_factory=list)
    parked: list[tuple[str, str]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def send(self, message: Message, *, delay_seconds: int = 0) -> None:
        """See StepQueue."""
        if not 0 <= delay_seconds <= DELAY_SECONDS_MAX:
            raise ValueError(f"delay_seconds is {delay_seconds}; it must be 0 to {DELAY_SECONDS_MAX}")
        visible_at_ms = self.now_ms() + delay_seconds * 1000
        self.messages.append(QueuedMessage(f"message-{next(self._numbers)}", encode(message), visible_at_ms))

    def park(self, body: str, *, reason: str) -> None:
        """See StepQueue."""
        self.parked.append((body, reason))

    def check(self) -> None:
        """See StepQueue."""

    def receive(self, *, batch_size: int = 10, visibility_ms: int = 30_000) -> list[QueuedMessage]:
        """Messages visible now, oldest first; each stays invisible for a while, until it is deleted."""
        now = self.now_ms()
        visible = sorted((m for m in self.messages if m.visible_at_ms <= now), key=lambda m: m.visible_at_ms)
        received = []
        for message in visible[:batch_size]:
            taken = replace(message, visible_at_ms=now + visibility_ms, receive_count=message.receive_count + 1)
            self.messages[self.messages.index(message)] = taken
            received.append(taken)
        return received

    def delete(self, message_id: str) -> None:
        """Acknowledges a message; one that is gone already is no error."""
        self.messages = [message for message in self.messages if message.message_id != message_id]

    def next_visible_at_ms(self) -> int | None:
        """When the next message becomes visible, epoch milliseconds; None when the queue is empty."""
        return min((message.visible_at_ms for message in self.messages), default=None)
