"""The history of a run: one entry a transition, the newest in the head, older ones sealed in segments.

Owns the form of an entry, of a segment and of the index by node, and the rule by which a segment is sealed. Sealing
is a pure function of the loaded head and of its ``layout``: whoever executes a version, old code or new, seals the
same segment (dispatch-protocol.md, "State"). It refuses to read or write: that is the archive's business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Protocol

from dispatcher.errors import HistoryDamaged
from dispatcher.limits import INDEX_NODES_KEPT, INDEX_NODES_MAX, TAIL_BYTES_MAX
from engine import NodeResult, Snapshot, Status
from engine.context import visit_of
from engine.json_value import Deferred, JsonObject, JsonValue

LAYOUT: Final = 1
"""How history is kept, stored at a run's start; the meaning of a number never changes. 1: a tail of more than
TAIL_BYTES_MAX is sealed, an index of more than INDEX_NODES_MAX nodes is spilled."""


class Owner(NamedTuple):
    """A run whose objects another one refers to, as a fork does; ``life`` is its nonce."""

    workflow_id: str
    life: str


class ValueReader(Protocol):
    """Reads what a reference stands for."""

    def value(self, reference: Reference) -> JsonValue:
        """The value."""
        ...


@dataclass(frozen=True, slots=True)
class Reference:
    """A large value kept outside its head or segment, by the SHA-256 of its JSON.

    Args:
        digest: hexadecimal.
        size: bytes of the body as it is kept, by which its place follows: the table, or the bucket.
        owner: whose value it is; None for the run that refers to it.
        reader: how it is read; None until an archive has opened it.
    """

    digest: str
    size: int
    owner: Owner | None = None
    reader: ValueReader | None = field(default=None, compare=False, repr=False)

    def read(self) -> JsonValue:
        """See Deferred."""
        if self.reader is None:
            raise RuntimeError("this head was not opened by an archive")
        return self.reader.value(self)


class Entry(NamedTuple):
    """One transition: the step that made it, or the operator.

    ``node_id``: where the run stood. ``status``: what it came to. ``has_result``: whether it added ``output`` or
    ``error`` to the context. ``resumed``: why a wait ended. Times are epoch milliseconds, durations milliseconds.
    """

    at_ms: int
    node_id: str | None
    status: Status
    duration_ms: int = 0
    has_result: bool = False
    output: JsonValue | Deferred = None
    error: str | None = None
    error_type: str | None = None
    attempt: int = 1
    resumed: str | None = None
    signal: str | None = None
    actor: str | None = None
    reason: str | None = None

    def result(self, visit: int) -> NodeResult:
        """The result it added; reads the output if it is kept elsewhere."""
        output = self.output.read() if isinstance(self.output, Reference) else self.output
        # An entry is made from a snapshot, whose values are JSON, or read from one.
        return NodeResult(output, self.at_ms, self.attempt, self.error, self.error_type, visit)  # type: ignore[arg-type]


class NodeMark(NamedTuple):
    """What the index knows of a node: its sealed results, its visits, and the newest segment that has one of them."""

    results: int
    visits: int
    segment: int


NO_MARK: Final = NodeMark(0, 0, -1)


@dataclass(frozen=True, slots=True)
class History:
    """The history of a run as its head holds it.

    Args:
        tail: entries since the last seal, in order.
        tail_bytes: of their raw JSON.
        segments: number of sealed segments.
        results: number of results in them.
        index: nodes with sealed results, but for those on the page.
        pages: number of index pages written; the newest counts, and holds what the ones before it held.
        origins: for a fork, whose first segments these are: ``(owner, number of segments)`` up to which.
        lineage: for a fork, all runs it descends from, the nearest last.
    """

    tail: tuple[Entry, ...] = ()
    tail_bytes: int = 0
    segments: int = 0
    results: int = 0
    index: Mapping[str, NodeMark] = field(default_factory=dict)
    pages: int = 0
    origins: tuple[tuple[Owner, int], ...] = ()
    lineage: tuple[Owner, ...] = ()

    def with_entry(self, entry: Entry) -> History:
        """The history after one more transition."""
        return replace(self, tail=(*self.tail, entry))

    def owner_of(self, segment: int) -> Owner | None:
        """Whose segment it is; None for the run's own."""
        return next((owner for owner, below in self.origins if segment < below), None)

    @property
    def needs_seal(self) -> bool:
        """Whether the next commit seals the tail."""
        return self.tail_bytes >= TAIL_BYTES_MAX

    @property
    def needs_page(self) -> bool:
        """Whether sealing the tail spills the index."""
        return len({*self.index, *(entry.node_id for entry in self.tail if entry.has_result)}) > INDEX_NODES_MAX


@dataclass(frozen=True, slots=True)
class Segment:
    """Sealed entries. ``first`` is the version that the first of them made; ``before`` the marks of their nodes."""

    first: int
    entries: tuple[Entry, ...]
    before: Mapping[str, NodeMark]

    @property
    def last(self) -> int:
        """The version that the last of them made."""
        return self.first + len(self.entries) - 1

    def results(self, node_id: str) -> Sequence[tuple[Entry, int]]:
        """The entries that added a result of a node, in order, each with its visit."""
        visits = self.before.get(node_id, NO_MARK).visits
        found = []
        for entry in self.entries:
            if entry.has_result and entry.node_id == node_id:
                visits = visit_of(entry.attempt, visits)
                found.append((entry, visits))
        return found


@dataclass(frozen=True, slots=True)
class Sealing:
    """A tail as it is sealed: the segment, the page if the index is spilled, and the history after it."""

    number: int
    segment: JsonObject
    page: JsonObject | None
    history: History


def entry_of(
    before: Snapshot,
    after: Snapshot,
    *,
    resumed: str | None = None,
    signal: str | None = None,
    actor: str | None = None,
    reason: str | None = None,
) -> Entry:
    """The entry of the transition from one snapshot to the next."""
    duration_ms = after.total_execution_time - before.total_execution_time
    newest = after.context.newest if after.context.length > before.context.length else None
    at_ms = newest[1].timestamp if newest is not None else after.last_started_at + duration_ms
    entry = Entry(
        at_ms=at_ms,
        node_id=before.current_node_id,
        status=after.status,
        duration_ms=duration_ms,
        resumed=resumed,
        signal=signal,
        actor=actor,
        reason=reason,
    )
    if newest is None:
        return entry
    result = newest[1]
    return entry._replace(
        has_result=True,
        output=result.output,
        error=result.error,
        error_type=result.error_type,
        attempt=result.attempt,
    )


def seal(history: History, version: int, page: Mapping[str, NodeMark]) -> Sealing:
    """Seals the tail of a loaded head.

    Args:
        history: of the loaded head.
        version: of the loaded head, which the last entry of the tail made.
        page: the newest index page; empty when there is none.
    """
    number = history.segments
    before: dict[str, NodeMark] = {}
    marks = dict(history.index)
    results = 0
    for entry in history.tail:
        if not entry.has_result or entry.node_id is None:
            continue
        node_id = entry.node_id
        mark = marks.get(node_id) or page.get(node_id, NO_MARK)
        before.setdefault(node_id, mark)
        marks[node_id] = NodeMark(mark.results + 1, visit_of(entry.attempt, mark.visits), number)
        results += 1
    first = version - len(history.tail) + 1
    document: JsonObject = {
        "first": first,
        "before": {node_id: list(mark) for node_id, mark in before.items() if mark != NO_MARK},
        "entries": [entry_to_json(entry) for entry in history.tail],
    }
    sealed = replace(
        history, tail=(), tail_bytes=0, segments=number + 1, results=history.results + results, index=marks
    )
    spilled: JsonObject | None = None
    if len(marks) > INDEX_NODES_MAX:
        # The nodes that ran last stay: they are the likeliest to run again.
        by_age = sorted(marks, key=lambda node_id: (marks[node_id].segment, node_id))
        gone = by_age[: len(marks) - INDEX_NODES_KEPT]
        kept = {node_id: marks[node_id] for node_id in marks if node_id not in set(gone)}
        merged = {**page, **{node_id: marks[node_id] for node_id in gone}}
        spilled = {node_id: list(merged[node_id]) for node_id in sorted(merged)}
        sealed = replace(sealed, index=kept, pages=history.pages + 1)
    return Sealing(number, document, spilled, sealed)


def packed_json(value: JsonValue) -> bytes:
    """JSON as bytes, without spaces, in the order of the value."""
    return json.dumps(value, separators=(",", ":")).encode()


def digest_of(value: JsonValue) -> str:
    """SHA-256 of the JSON, hexadecimal; the same for equal values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(value, separators=(",", ":"), sort_keys=True).encode()).hexdigest()


# --- as JSON ---------------------------------------------------------------------------------------


_STATUSES: Final = {status.value: status for status in Status}


def value_to_json(value: JsonValue | Deferred) -> JsonObject:
    """A value in place, or a reference to it."""
    if isinstance(value, Reference):
        whose = [] if value.owner is None else list(value.owner)
        return {"ref": [value.digest, value.size, *whose]}
    return {"v": value}  # type: ignore[dict-item]  # the only deferred values of a head are references


def value_from_json(document: Mapping[str, JsonValue]) -> JsonValue | Reference:
    """Reads what :func:`value_to_json` wrote."""
    if "ref" not in document:
        return document.get("v")
    return _reference(document["ref"])


def _reference(stored: JsonValue) -> Reference:
    match stored:
        case [str(digest), int(size)]:
            return Reference(digest, size)
        case [str(digest), int(size), str(workflow_id), str(life)]:
            return Reference(digest, size, Owner(workflow_id, life))
    raise HistoryDamaged(f"a reference reads {stored!r}")


def entry_to_json(entry: Entry) -> JsonObject:
    """The stored form of an entry, short, for it is stored with every step; what says nothing is left out."""
    document: JsonObject = {"t": entry.at_ms, "n": entry.node_id}
    if entry.status is not Status.ACTIVE:
        document["s"] = entry.status.value
    if entry.duration_ms:
        document["d"] = entry.duration_ms
    if entry.has_result:
        if entry.error is None or entry.output is not None:
            document.update(_output_to_json(entry.output))
        if entry.attempt != 1:
            document["a"] = entry.attempt
    for name, text in (
        ("e", entry.error),
        ("y", entry.error_type),
        ("r", entry.resumed),
        ("g", entry.signal),
        ("by", entry.actor),
        ("why", entry.reason),
    ):
        if text is not None:
            document[name] = text
    return document


def _output_to_json(output: JsonValue | Deferred) -> JsonObject:
    document = value_to_json(output)
    return {"b": document["ref"]} if "ref" in document else {"o": document["v"]}


def entry_from_json(document: Mapping[str, Any]) -> Entry:
    """Reads what :func:`entry_to_json` wrote. Some fifteen are read with every head: nothing here is done twice."""
    get = document.get
    error, reference = get("e"), get("b")
    return Entry(
        document["t"],
        document["n"],
        _STATUSES[get("s", "active")],
        get("d", 0),
        error is not None or reference is not None or "o" in document,
        get("o") if reference is None else _reference(reference),
        error,
        get("y"),
        get("a", 1),
        get("r"),
        get("g"),
        get("by"),
        get("why"),
    )


def history_to_json(history: History) -> JsonObject:
    """The stored form of a history, within its head."""
    document: JsonObject = {"tail": [entry_to_json(entry) for entry in history.tail], "bytes": history.tail_bytes}
    if history.segments:
        document["segments"] = history.segments
        document["results"] = history.results
        document["index"] = {node_id: list(mark) for node_id, mark in history.index.items()}
    if history.pages:
        document["pages"] = history.pages
    if history.origins:
        document["origins"] = [[*owner, below] for owner, below in history.origins]
    if history.lineage:
        document["lineage"] = [list(owner) for owner in history.lineage]
    return document


def history_from_json(document: Mapping[str, JsonValue]) -> History:
    """Reads what :func:`history_to_json` wrote."""
    return History(
        tail=tuple(entry_from_json(item) for item in _objects(document.get("tail"))),
        tail_bytes=_integer(document, "bytes"),
        segments=_integer(document, "segments"),
        results=_integer(document, "results"),
        index=marks_from_json(document.get("index")),
        pages=_integer(document, "pages"),
        origins=tuple(_origin(item) for item in _list(document.get("origins"))),
        lineage=tuple(_owner(item) for item in _list(document.get("lineage"))),
    )


def segment_from_json(text: bytes) -> Segment:
    """Reads a sealed segment."""
    document = json.loads(text)
    return Segment(
        first=_integer(document, "first"),
        entries=tuple(entry_from_json(item) for item in _objects(document.get("entries"))),
        before=marks_from_json(document.get("before")),
    )


def marks_from_json(document: JsonValue) -> Mapping[str, NodeMark]:
    """Reads an index, or a page of one."""
    marks = {}
    for node_id, stored in document.items() if isinstance(document, dict) else ():
        match stored:
            case [int(results), int(visits), int(segment)]:
                marks[node_id] = NodeMark(results, visits, segment)
            case _:
                raise HistoryDamaged(f"the index of node {node_id!r} reads {stored!r}")
    return marks


def bytes_of(entry: Entry) -> int:
    """What an entry adds to a head, before compression."""
    return len(packed_json(entry_to_json(entry)))


def _origin(stored: JsonValue) -> tuple[Owner, int]:
    match stored:
        case [str(workflow_id), str(life), int(below)]:
            return Owner(workflow_id, life), below
    raise HistoryDamaged(f"an origin reads {stored!r}")


def _owner(stored: JsonValue) -> Owner:
    match stored:
        case [str(workflow_id), str(life)]:
            return Owner(workflow_id, life)
    raise HistoryDamaged(f"an owner reads {stored!r}")


def _integer(document: Mapping[str, JsonValue], name: str, default: int = 0) -> int:
    value = document.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise HistoryDamaged(f"{name} reads {value!r}")
    return value


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _objects(value: JsonValue) -> list[JsonObject]:
    return [item for item in _list(value) if isinstance(item, dict)]
