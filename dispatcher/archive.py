"""What a run has put away: segments, index pages and large values, read when asked for and kept while they fit.

Sealed objects never change, so one process reads each of them once. A read that fails is the infrastructure's
failure, never a node's: it is noted with the run that was opened, whatever node code makes of it.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeVar

from dispatcher.errors import DispatchError, HistoryDamaged
from dispatcher.head import Head
from dispatcher.history import (
    NO_MARK,
    Entry,
    History,
    NodeMark,
    Owner,
    Reference,
    Segment,
    bytes_of,
    digest_of,
    marks_from_json,
    packed_json,
    seal,
    segment_from_json,
)
from dispatcher.limits import CACHE_BYTES_MAX, INLINE_BYTES_MAX, ITEM_BYTES_MAX
from dispatcher.ports import ANY_LIFE, PayloadBucket, RunStore, Sealed
from dispatcher.table_schema import bucket_key, index_sort_key, segment_sort_key, value_sort_key
from engine import Context, NodeResult
from engine.context import visit_of
from engine.json_value import Deferred, JsonObject, JsonValue

_T = TypeVar("_T")

_NO_MARKS: Final[Mapping[str, NodeMark]] = {}


class Archive:
    """Opens heads, so that what they refer to can be read, and puts away what the next head will refer to.

    One for each process: it holds the cache.
    """

    def __init__(self, store: RunStore, bucket: PayloadBucket, *, cache_bytes_max: int = CACHE_BYTES_MAX) -> None:
        self._store = store
        self._bucket = bucket
        self._cache: OrderedDict[tuple[str, str, str], tuple[object, int]] = OrderedDict()
        self._cache_bytes = 0
        self._cache_bytes_max = cache_bytes_max

    # --- reading -------------------------------------------------------------------------------

    def load(self, workflow_id: str, trouble: list[DispatchError] | None = None) -> Head | None:
        """The head of a run, opened; see :meth:`open`."""
        head = self._store.load(workflow_id)
        return None if head is None else self.open(head, trouble)

    def open(self, head: Head, trouble: list[DispatchError] | None = None) -> Head:
        """The same head, able to read what it refers to.

        Args:
            head: as a store gave it.
            trouble: takes each error of a read, also one that whoever read made light of.
        """
        run = self._run(head, trouble)
        snapshot = head.snapshot
        wait, pending = snapshot.wait, head.pending
        if wait is not None and isinstance(wait.data, Reference):
            wait = wait._replace(data=run.opened(wait.data))
        if pending is not None:
            pending = replace(pending, payload=run.opened(pending.payload))
        snapshot = snapshot._replace(
            context=Context.over(StoredContext(head.history, run)), input=run.opened(snapshot.input), wait=wait
        )
        return replace(head, snapshot=snapshot, pending=pending)

    def opened(
        self, head: Head, value: JsonValue | Deferred, trouble: list[DispatchError] | None = None
    ) -> JsonValue | Deferred:
        """A value that belongs to a run, able to read itself."""
        return self._run(head, trouble).opened(value)

    def segment(self, owner: Owner, number: int) -> Segment:
        """A sealed segment.

        Raises:
            HistoryDamaged: it is not there.
        """
        return self._read(owner, segment_sort_key(number), owner.life, segment_from_json)

    def page(self, owner: Owner, history: History) -> Mapping[str, NodeMark]:
        """The newest index page of a history; empty when it has none."""
        if not history.pages:
            return _NO_MARKS
        return self._read(owner, index_sort_key(history.pages - 1), owner.life, _marks)

    def value(self, owner: Owner, reference: Reference) -> JsonValue:
        """A large value. Not a copy: whoever hands it to others sees to that."""
        whose = reference.owner or owner
        in_bucket = reference.size > ITEM_BYTES_MAX
        return self._read(whose, value_sort_key(reference.digest), None if in_bucket else ANY_LIFE, _loads)

    def _read(self, owner: Owner, key: str, life: str | None, parsed: Callable[[bytes], _T]) -> _T:
        """A sealed object. ``life`` None: it is in the bucket."""
        place = (owner.workflow_id, life or ANY_LIFE, key)
        known = self._cache.get(place)
        if known is not None:
            self._cache.move_to_end(place)
            return known[0]  # type: ignore[return-value]  # a key is always read by the same parser
        if life is None:
            body = self._bucket.get(bucket_key(owner.workflow_id, key))
        else:
            body = self._store.load_sealed(owner.workflow_id, key, life=life)
        if body is None:
            raise HistoryDamaged(f"run {owner.workflow_id!r} refers to {key!r}, which is not there")
        try:
            text = zlib.decompress(body)
            value = parsed(text)
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise HistoryDamaged(f"run {owner.workflow_id!r} has {key!r}, which cannot be read: {error!r}") from None
        self._remember(place, value, len(text))
        return value

    def _remember(self, place: tuple[str, str, str], value: object, size: int) -> None:
        if size > self._cache_bytes_max or place in self._cache:
            return
        self._cache[place] = value, size
        self._cache_bytes += size
        while self._cache_bytes > self._cache_bytes_max:
            _, (_, freed) = self._cache.popitem(last=False)
            self._cache_bytes -= freed

    # --- writing -------------------------------------------------------------------------------

    def stored(self, value: JsonValue | Deferred, owner: Owner, objects: list[Sealed]) -> JsonValue | Deferred:
        """A value as a head or an item refers to it: itself if it is small, else a reference.

        Args:
            value: the value.
            owner: the run it belongs to.
            objects: takes the object that must be put before anything refers to it.
        """
        if isinstance(value, Reference):
            return value
        text = packed_json(value)  # type: ignore[arg-type]  # what is deferred is a reference
        if len(text) <= INLINE_BYTES_MAX:
            return value
        body = zlib.compress(text, level=6)
        if len(body) <= INLINE_BYTES_MAX:
            return value
        digest = digest_of(value)  # type: ignore[arg-type]
        objects.append(Sealed(owner.workflow_id, value_sort_key(digest), ANY_LIFE, body, digest))
        return Reference(digest, len(body))

    def prepared(self, following: Head, *, loaded: Head | None) -> tuple[Head, Sequence[Sealed]]:
        """The next head as it is written, and the objects to put before it.

        Args:
            following: the next head, its newest entry last in the tail.
            loaded: the head it follows, whose tail is sealed when it has grown enough; None at a start.
        """
        owner = following.owner
        objects: list[Sealed] = []
        history = following.history
        if loaded is not None and loaded.history.needs_seal:
            fresh = history.tail[len(loaded.history.tail) :]
            history = replace(self._sealed(loaded, owner, objects), tail=fresh)
        if loaded is not None:
            newest = history.tail[-1]
            newest = newest._replace(output=self.stored(newest.output, owner, objects))
            tail_bytes = history.tail_bytes + bytes_of(newest)
            history = replace(history, tail=(*history.tail[:-1], newest), tail_bytes=tail_bytes)
        snapshot, pending = following.snapshot, following.pending
        snapshot = snapshot._replace(input=self.stored(snapshot.input, owner, objects))
        if snapshot.wait is not None:
            data = self.stored(snapshot.wait.data, owner, objects)
            snapshot = snapshot._replace(wait=snapshot.wait._replace(data=data))
        if pending is not None:
            pending = replace(pending, payload=self.stored(pending.payload, owner, objects))
        in_bucket = following.in_bucket or any(len(sealed.body) > ITEM_BYTES_MAX for sealed in objects)
        prepared = replace(following, snapshot=snapshot, pending=pending, history=history, in_bucket=in_bucket)
        return prepared, objects

    def _sealed(self, loaded: Head, owner: Owner, objects: list[Sealed]) -> History:
        history = loaded.history
        unknown = any(entry.has_result and entry.node_id not in history.index for entry in history.tail)
        page = self.page(owner, history) if unknown or history.needs_page else _NO_MARKS
        sealing = seal(history, loaded.version, page)
        objects.append(_sealed_object(owner, segment_sort_key(sealing.number), sealing.segment))
        if sealing.page is not None:
            objects.append(_sealed_object(owner, index_sort_key(sealing.history.pages - 1), sealing.page))
        return sealing.history

    def put(self, objects: Sequence[Sealed]) -> None:
        """Writes objects, before the head that refers to them.

        Raises:
            SealBroken: another object stands in a place: nothing may be committed.
        """
        for sealed in objects:
            if len(sealed.body) > ITEM_BYTES_MAX:
                self._bucket.put(bucket_key(sealed.workflow_id, sealed.key), sealed.body)
            else:
                self._store.put_sealed(sealed)
            # What was just put away is what the next step reads.
            text = zlib.decompress(sealed.body)
            self._remember((sealed.workflow_id, sealed.life, sealed.key), _parser_of(sealed.key)(text), len(text))

    # --- history -------------------------------------------------------------------------------

    def placed_entries(self, head: Head, *, after: int, limit: int) -> Iterator[PlacedEntry]:
        """Entries in order, from the one that follows version ``after``; at most ``limit``.

        Reads only the segments that hold them.
        """
        history, run = head.history, self._run(head)
        version = after + 1
        first_of_tail = head.version - len(history.tail) + 1
        number = self.segments_until(head, after) if version < first_of_tail else history.segments
        left = limit
        while left > 0 and version <= head.version:
            if version >= first_of_tail:
                place, first, entries = None, first_of_tail, history.tail
            else:
                segment = run.segment(history, number)
                place, first, entries = number, segment.first, segment.entries
                number += 1
            for entry in entries[version - first : version - first + left]:
                yield PlacedEntry(version, place, run.opened_entry(entry))
                version += 1
                left -= 1

    def segments_until(self, head: Head, version: int) -> int:
        """Number of segments whose entries all made that version or an earlier one."""
        history, run = head.history, self._run(head)
        if version >= head.version - len(history.tail):
            return history.segments
        low, high = 0, history.segments - 1
        while low < high:
            middle = (low + high) // 2
            if run.segment(history, middle).last <= version:
                low = middle + 1
            else:
                high = middle
        return low

    def _run(self, head: Head, trouble: list[DispatchError] | None = None) -> _OpenRun:
        return _OpenRun(self, head.owner, [] if trouble is None else trouble)


class PlacedEntry(NamedTuple):
    """An entry of a history: the version it made, and the segment that holds it, None for the head's tail."""

    version: int
    segment: int | None
    entry: Entry


def _sealed_object(owner: Owner, key: str, document: JsonObject) -> Sealed:
    return Sealed(
        owner.workflow_id, key, owner.life, zlib.compress(packed_json(document), level=6), digest_of(document)
    )


def _parser_of(key: str) -> Callable[[bytes], object]:
    kind, _, _ = key.partition("#")
    return {"segment": segment_from_json, "index": _marks}.get(kind, _loads)


def _marks(text: bytes) -> Mapping[str, NodeMark]:
    return marks_from_json(json.loads(text))


def _loads(text: bytes) -> JsonValue:
    value: JsonValue = json.loads(text)
    return value


class _OpenRun:
    """A run whose objects can be read; takes note of each read that fails."""

    def __init__(self, archive: Archive, owner: Owner, trouble: list[DispatchError]) -> None:
        self._archive = archive
        self._owner = owner
        self._trouble = trouble

    def value(self, reference: Reference) -> JsonValue:
        return self._noted(lambda: self._archive.value(self._owner, reference))

    def segment(self, history: History, number: int) -> Segment:
        """A segment whose references say whose they are."""
        owner = history.owner_of(number)
        segment = self._noted(lambda: self._archive.segment(owner or self._owner, number))
        if owner is None:
            return segment
        return replace(segment, entries=tuple(_owned(entry, owner) for entry in segment.entries))

    def page(self, history: History) -> Mapping[str, NodeMark]:
        return self._noted(lambda: self._archive.page(self._owner, history))

    def opened(self, value: JsonValue | Deferred) -> JsonValue | Deferred:
        """The same, able to read itself."""
        return replace(value, reader=self) if isinstance(value, Reference) else value

    def opened_entry(self, entry: Entry) -> Entry:
        return entry._replace(output=self.opened(entry.output)) if isinstance(entry.output, Reference) else entry

    def _noted(self, read: Callable[[], _T]) -> _T:
        try:
            return read()
        except DispatchError as error:
            self._trouble.append(error)
            raise


def _owned(entry: Entry, owner: Owner) -> Entry:
    if isinstance(entry.output, Reference) and entry.output.owner is None:
        return entry._replace(output=replace(entry.output, owner=owner))
    return entry


@dataclass(slots=True)
class StoredContext:
    """The results a head knows of, read when they are asked for. The engine's ContextSource."""

    history: History
    run: _OpenRun
    _tail: dict[str, list[tuple[Entry, int]]] = field(init=False)
    _segments: dict[str, list[tuple[int, int]]] = field(init=False, default_factory=dict)
    """Of each node that was looked into: its segments, newest first, each with the results of it before that."""

    def __post_init__(self) -> None:
        self._tail = {}
        for entry in self.history.tail:
            if entry.has_result and entry.node_id is not None:
                results = self._tail.setdefault(entry.node_id, [])
                before = results[-1][1] if results else self._mark(entry.node_id).visits
                results.append((entry, visit_of(entry.attempt, before)))

    @property
    def length(self) -> int:
        """See ContextSource."""
        return self.history.results + sum(map(len, self._tail.values()))

    def nodes(self) -> Iterator[str]:
        """See ContextSource."""
        pages = self.run.page(self.history) if self.history.pages else _NO_MARKS
        yield from dict.fromkeys((*pages, *self.history.index, *self._tail))

    def count(self, node_id: str) -> int:
        """See ContextSource."""
        return self._mark(node_id).results + len(self._tail.get(node_id, ()))

    def visits(self, node_id: str) -> int:
        """See ContextSource."""
        tail = self._tail.get(node_id)
        return tail[-1][1] if tail else self._mark(node_id).visits

    def result(self, node_id: str, index: int) -> NodeResult:
        """See ContextSource."""
        mark = self._mark(node_id)
        if index >= mark.results:
            entry, visit = self._tail[node_id][index - mark.results]
            return self.run.opened_entry(entry).result(visit)
        number, before = self._place(node_id, mark, index)
        entry, visit = self.run.segment(self.history, number).results(node_id)[index - before]
        return self.run.opened_entry(entry).result(visit)

    def _place(self, node_id: str, mark: NodeMark, index: int) -> tuple[int, int]:
        """The segment that has a result of a node, and how many results of it come before that segment."""
        chain = self._segments.setdefault(node_id, [])
        while not chain or chain[-1][1] > index:
            earlier = mark if not chain else self.run.segment(self.history, chain[-1][0]).before.get(node_id, NO_MARK)
            before = self.run.segment(self.history, earlier.segment).before.get(node_id, NO_MARK).results
            chain.append((earlier.segment, before))
        # Newest first: the first that begins at or before the index.
        return chain[bisect_left(chain, -index, key=lambda place: -place[1])]

    def entries(self) -> Iterator[tuple[str, NodeResult]]:
        """See ContextSource."""
        for number in range(self.history.segments):
            segment = self.run.segment(self.history, number)
            visits = {node_id: mark.visits for node_id, mark in segment.before.items()}
            yield from self._results(segment.entries, visits)
        yield from self._results(self.history.tail, {node_id: self._mark(node_id).visits for node_id in self._tail})

    def _results(self, entries: Sequence[Entry], visits: dict[str, int]) -> Iterator[tuple[str, NodeResult]]:
        for entry in entries:
            if entry.has_result and entry.node_id is not None:
                visits[entry.node_id] = visit_of(entry.attempt, visits.get(entry.node_id, 0))
                yield entry.node_id, self.run.opened_entry(entry).result(visits[entry.node_id])

    def _mark(self, node_id: str) -> NodeMark:
        mark = self.history.index.get(node_id)
        if mark is not None or not self.history.pages:
            return mark or NO_MARK
        return self.run.page(self.history).get(node_id, NO_MARK)
