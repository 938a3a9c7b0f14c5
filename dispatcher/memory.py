"""Table and queue in memory: for tests, and for running workflows inside one process.

They keep the same bytes, under the same conditions, as the adapters for AWS, and the same contract tests run
on both. Nothing here waits: whoever reads the queue says what time it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dispatcher.due import shard_of
from dispatcher.errors import ItemTooLarge, RunFinished, SealBroken
from dispatcher.head import Attributes, Head, Hold, OperatorCall, attributes_of, decode_body, encode_body
from dispatcher.history import value_from_json, value_to_json
from dispatcher.limits import DELAY_SECONDS_MAX, ITEM_BYTES_MAX
from dispatcher.listing import page_of, workflow_at
from dispatcher.messages import Message, encode
from dispatcher.packing import packed, unpacked
from dispatcher.ports import DefinitionPointer, DueMark, RunPage, RunQuery, Sealed, Signal
from dispatcher.table_schema import DUE_SHARDS, call_sort_key, inbox_sort_key, signal_sort_key
from engine.json_value import JsonObject, JsonValue


@dataclass(slots=True)
class _StoredHead:
    body: bytes
    attributes: Attributes
    expires_at_s: int | None = None
    claim_id: str | None = None

    def change(self, **changes: object) -> None:
        self.attributes = replace(self.attributes, **changes)  # type: ignore[arg-type]


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
        self._items: dict[str, dict[str, _StoredSignal | Sealed | OperatorCall | str]] = {}
        self._definitions: dict[tuple[str, str], bytes] = {}
        self._pointers: dict[str, DefinitionPointer] = {}

    # --- heads ---------------------------------------------------------------------------------

    def load(self, workflow_id: str) -> Head | None:
        """See RunStore."""
        stored = self._heads.get(workflow_id)
        return None if stored is None else decode_body(stored.body, stored.attributes)

    def create(self, head: Head) -> Head | None:
        """See RunStore."""
        body = encode_body(head)
        existing = self._heads.get(head.workflow_id)
        if existing is not None:
            found = decode_body(existing.body, existing.attributes)
            return None if existing.attributes.writer_id == head.writer_id else found
        attributes = replace(attributes_of(head), due_at_ms=head.due_at_ms, grace_ms=head.grace_ms)
        self._heads[head.workflow_id] = _StoredHead(body, attributes)
        return None

    def commit(self, head: Head, *, mark_ms: int | None, call: OperatorCall | None = None) -> Head | None:
        """See RunStore."""
        body = encode_body(head)
        stored = self._heads.get(head.workflow_id)
        if stored is None:
            return None
        before = stored.attributes
        if before.version != head.version - 1:
            own = before.version == head.version and before.writer_id == head.writer_id
            return _as_stored(head, before) if own else None
        if call is not None and before.removing:
            return None
        if call is not None:
            items = self._items.setdefault(head.workflow_id, {})
            if call_sort_key(call.key) in items:
                return None
            items[call_sort_key(call.key)] = call
        due_at_ms = before.due_at_ms if mark_ms is None else mark_ms
        stored.body = body
        stored.attributes = replace(
            attributes_of(head), due_at_ms=due_at_ms, hold=before.hold, outside_calls=before.outside_calls
        )
        stored.claim_id = stored.expires_at_s = None
        return _as_stored(head, stored.attributes)

    def count_try(self, head: Head, *, by: int = 1) -> bool:
        """See RunStore."""
        stored = self._current(head)
        if stored is None:
            return False
        stored.change(tries=stored.attributes.tries + by)
        return True

    def claim(self, head: Head, *, until_ms: int, claim_id: str) -> bool:
        """See RunStore."""
        stored = self._current(head)
        if stored is None:
            return False
        if stored.claim_id is None:
            stored.claim_id = claim_id
            stored.change(claim_until_ms=until_ms)
        return stored.claim_id == claim_id

    def _current(self, head: Head) -> _StoredHead | None:
        stored = self._heads.get(head.workflow_id)
        return stored if stored is not None and stored.attributes.version == head.version else None

    # --- operators -----------------------------------------------------------------------------

    def set_hold(self, workflow_id: str, hold: Hold | None, *, call: OperatorCall, due_at_ms: int) -> bool:
        """See RunStore."""
        if self.operator_call(workflow_id, call.key) is not None:
            return False
        stored = self._live(workflow_id)
        if hold is None and stored.attributes.hold is None:
            return False
        self._items.setdefault(workflow_id, {})[call_sort_key(call.key)] = call
        calls = stored.attributes.outside_calls + 1
        stored.change(hold=hold, due_at_ms=due_at_ms, grace_ms=None, outside_calls=calls)
        return True

    def record(self, workflow_id: str, call: OperatorCall) -> bool:
        """See RunStore."""
        stored = self._heads.get(workflow_id)
        if stored is None or stored.attributes.removing:
            raise RunFinished(f"run {workflow_id!r} is removed")
        if self.operator_call(workflow_id, call.key) is not None:
            return False
        self._items.setdefault(workflow_id, {})[call_sort_key(call.key)] = call
        return True

    def operator_call(self, workflow_id: str, key: str) -> OperatorCall | None:
        """See RunStore."""
        call = self._items.get(workflow_id, {}).get(call_sort_key(key))
        return call if isinstance(call, OperatorCall) else None

    def operator_calls(self, workflow_id: str) -> Sequence[OperatorCall]:
        """See RunStore."""
        calls = [item for item in self._items.get(workflow_id, {}).values() if isinstance(item, OperatorCall)]
        return sorted(calls, key=lambda call: (call.at_ms, call.key))

    def _live(self, workflow_id: str) -> _StoredHead:
        stored = self._heads.get(workflow_id)
        if stored is None or stored.attributes.status.terminal:
            raise RunFinished(f"run {workflow_id!r} has ended")
        return stored

    # --- signals -------------------------------------------------------------------------------

    def add_signal(self, signal: Signal, *, due_at_ms: int) -> bool:
        """See RunStore."""
        body = packed(value_to_json(signal.payload), f"signal {signal.signal_id!r}")
        items = self._items.setdefault(signal.workflow_id, {})
        if items.get(signal_sort_key(signal.signal_id)) == signal.life:
            return False
        head = self._live(signal.workflow_id)
        items[signal_sort_key(signal.signal_id)] = signal.life
        key = inbox_sort_key(signal.name, signal.arrived_at_ms, signal.signal_id)
        items[key] = _StoredSignal(body, signal.name, signal.signal_id, signal.arrived_at_ms)
        head.change(due_at_ms=due_at_ms, grace_ms=None, outside_calls=head.attributes.outside_calls + 1)
        return True

    def was_signalled(self, workflow_id: str, signal_id: str, *, life: str) -> bool:
        """See RunStore."""
        return self._items.get(workflow_id, {}).get(signal_sort_key(signal_id)) == life

    def oldest_signal(self, workflow_id: str, names: Sequence[str], *, besides: Sequence[str]) -> Signal | None:
        """See RunStore."""
        candidates = [
            (stored.arrived_at_ms, key, stored)
            for key, stored in self._items.get(workflow_id, {}).items()
            if isinstance(stored, _StoredSignal) and stored.name in names and key not in besides
        ]
        if not candidates:
            return None
        _, _, oldest = min(candidates, key=lambda candidate: candidate[:2])
        payload = value_from_json(unpacked(oldest.body))
        return Signal(workflow_id, oldest.name, oldest.signal_id, payload, oldest.arrived_at_ms)

    def remove_from_inbox(self, workflow_id: str, inbox_keys: Sequence[str]) -> None:
        """See RunStore."""
        self.remove(workflow_id, inbox_keys)

    # --- sealed objects ------------------------------------------------------------------------

    def put_sealed(self, sealed: Sealed) -> None:
        """See RunStore."""
        if len(sealed.body) > ITEM_BYTES_MAX:
            raise ItemTooLarge(f"{sealed.key!r} would take {len(sealed.body)} bytes")
        items = self._items.setdefault(sealed.workflow_id, {})
        existing = items.get(sealed.key)
        if isinstance(existing, Sealed) and existing.life == sealed.life:
            if existing.digest != sealed.digest:
                raise SealBroken(f"run {sealed.workflow_id!r} has another object at {sealed.key!r}")
            return
        items[sealed.key] = sealed

    def load_sealed(self, workflow_id: str, key: str, *, life: str) -> bytes | None:
        """See RunStore."""
        sealed = self._items.get(workflow_id, {}).get(key)
        return sealed.body if isinstance(sealed, Sealed) and sealed.life == life else None

    # --- marks ---------------------------------------------------------------------------------

    def due_marks(self, shard: int, *, until_ms: int, limit: int, after: DueMark | None = None) -> Sequence[DueMark]:
        """See RunStore."""
        marks = [
            DueMark(workflow_id, due_at_ms)
            for workflow_id, stored in self._heads.items()
            if (due_at_ms := stored.attributes.due_at_ms) is not None
            and due_at_ms <= until_ms
            and shard_of(workflow_id, DUE_SHARDS) == shard
        ]
        marks.sort(key=_place_of)
        return [mark for mark in marks if after is None or _place_of(mark) > _place_of(after)][:limit]

    def move_mark(self, head: Head, *, due_at_ms: int | None, grace_ms: int | None) -> bool:
        """See RunStore."""
        stored = self._current(head)
        if stored is None:
            return False
        now = stored.attributes
        if (now.due_at_ms, now.outside_calls) != (head.due_at_ms, head.outside_calls):
            return False
        stored.change(due_at_ms=due_at_ms, grace_ms=grace_ms)
        return True

    # --- the end -------------------------------------------------------------------------------

    def expire(self, head: Head, *, expires_at_s: int) -> bool:
        """See RunStore."""
        if not self.move_mark(head, due_at_ms=None, grace_ms=None):
            return False
        self._heads[head.workflow_id].expires_at_s = expires_at_s
        return True

    def keys(self, workflow_id: str, *, limit: int) -> Sequence[str]:
        """See RunStore."""
        return sorted(self._items.get(workflow_id, {}))[:limit]

    def remove(self, workflow_id: str, keys: Sequence[str]) -> None:
        """See RunStore."""
        items = self._items.get(workflow_id, {})
        for key in keys:
            items.pop(key, None)

    def set_removing(self, head: Head, removing: bool) -> bool:
        """See RunStore."""
        stored = self._current(head)
        if stored is None:
            return False
        stored.change(removing=removing)
        return True

    def remove_head(self, head: Head) -> bool:
        """See RunStore."""
        if self._current(head) is None:
            return False
        del self._heads[head.workflow_id]
        return True

    def find(self, query: RunQuery) -> RunPage:
        """See RunStore."""
        found = [
            stored.attributes.started
            for stored in self._heads.values()
            if query.workflow in {None, workflow_at(stored.attributes.started)}
            and query.status in {None, stored.attributes.status}
        ]
        return page_of(found, query)

    # --- definitions ---------------------------------------------------------------------------

    def put_definition(self, name: str, version: str, document: JsonObject) -> None:
        """See RunStore."""
        self._definitions.setdefault((name, version), packed(document, f"definition {name!r}"))

    def load_definition(self, name: str, version: str) -> Mapping[str, JsonValue] | None:
        """See RunStore."""
        body = self._definitions.get((name, version))
        return None if body is None else unpacked(body)

    def load_pointer(self, name: str) -> DefinitionPointer | None:
        """See RunStore."""
        return self._pointers.get(name)

    def pointers(self) -> Sequence[DefinitionPointer]:
        """See RunStore."""
        return [pointer for _, pointer in sorted(self._pointers.items())]

    def put_pointer(self, pointer: DefinitionPointer, *, previous: str | None) -> bool:
        """See RunStore."""
        existing = self._pointers.get(pointer.name)
        if (None if existing is None else existing.version) != previous:
            return existing is not None and existing.version == pointer.version
        self._pointers[pointer.name] = pointer
        return True

    def check(self) -> None:
        """See RunStore."""


def _place_of(mark: DueMark) -> tuple[int, str]:
    return mark.due_at_ms, mark.workflow_id


def _as_stored(head: Head, attributes: Attributes) -> Head:
    return head.as_stored(due_at_ms=attributes.due_at_ms, hold=attributes.hold, outside_calls=attributes.outside_calls)


@dataclass(slots=True)
class InMemoryBucket:
    """A PayloadBucket in a dictionary."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def put(self, key: str, body: bytes) -> None:
        """See PayloadBucket."""
        self.objects[key] = body

    def get(self, key: str) -> bytes | None:
        """See PayloadBucket."""
        return self.objects.get(key)

    def remove(self, prefix: str) -> None:
        """See PayloadBucket."""
        for key in [key for key in self.objects if key.startswith(prefix)]:
            del self.objects[key]


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message on the in-memory queue. ``visible_at_ms``: not delivered before, epoch milliseconds."""

    message_id: str
    body: str
    visible_at_ms: int
    receive_count: int = 0
    sent_at_ms: int = 0
    group: str | None = None


@dataclass(slots=True)
class InMemoryStepQueue:
    """A StepQueue in a list: delayed messages, at-least-once delivery, visibility given by the reader."""

    now_ms: Callable[[], int]
    messages: list[QueuedMessage] = field(default_factory=list)
    parked: list[tuple[str, str]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def send(self, message: Message, *, delay_seconds: int = 0, group: str | None = None) -> None:
        """See StepQueue."""
        if not 0 <= delay_seconds <= DELAY_SECONDS_MAX:
            raise ValueError(f"delay_seconds is {delay_seconds}; it must be 0 to {DELAY_SECONDS_MAX}")
        now = self.now_ms()
        message_id = f"message-{next(self._numbers)}"
        self.messages.append(
            QueuedMessage(message_id, encode(message), now + delay_seconds * 1000, sent_at_ms=now, group=group)
        )

    def park(self, body: str, *, reason: str) -> None:
        """See StepQueue."""
        self.parked.append((body, reason))

    def oldest_age_ms(self) -> int:
        """See StepQueue."""
        now = self.now_ms()
        return max((now - m.sent_at_ms for m in self.messages if m.visible_at_ms <= now), default=0)

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
