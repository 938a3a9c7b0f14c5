"""History kept in segments is the history in memory: for any run, wherever its tail is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.archive import Archive, PlacedEntry
from dispatcher.head import Head
from dispatcher.history import (
    Entry,
    History,
    NodeMark,
    Owner,
    Reference,
    entry_from_json,
    entry_of,
    entry_to_json,
    history_from_json,
    history_to_json,
    packed_json,
    seal,
)
from dispatcher.limits import INDEX_NODES_KEPT, INDEX_NODES_MAX, TAIL_BYTES_MAX
from dispatcher.memory import InMemoryBucket, InMemoryRunStore
from engine import Context, Status
from engine.json_value import JsonValue, read_value
from engine.outcome import Advanced, Caught, Outcome, Rescheduled, StepError, Suspended, Wait
from engine.transition import advance
from tests.dispatcher.contract.backends import head_of
from tests.dispatcher.values import incompressible

_OPTIONS = settings(derandomize=True, deadline=None, max_examples=40)


class Made(NamedTuple):
    """One step of a made-up run: what it came to, where it went, and whether the next one reads the head anew."""

    kind: str
    output: JsonValue
    goes_to: int
    reload: bool = True


def _outcome(step: Made, now: int) -> Outcome:
    node_id = f"n{step.goes_to}"
    error = StepError.named("Unavailable", f"{step.output}")
    match step.kind:
        case "advanced":
            return Advanced(step.output, node_id)
        case "caught":
            return Caught(error, node_id)
        case "rescheduled":
            return Rescheduled(error, now, (1,))
    return Suspended(Wait("go", None, "timeout", 1, 1, 0, data=step.output))


@dataclass
class Line:
    """A run, played on a store and, beside it, in memory alone."""

    store: InMemoryRunStore = field(default_factory=InMemoryRunStore)
    bucket: InMemoryBucket = field(default_factory=InMemoryBucket)
    model: Context = field(default_factory=Context)

    def play(self, steps: Sequence[Made]) -> Head:
        """Plays steps from the start; returns the newest head as a fresh process reads it."""
        archive = self.archive()
        self.store.create(head_of(current_node_id="n0", nonce="life"))
        head = self.read()
        model = head.snapshot._replace(context=Context())
        for number, step in enumerate(steps, start=1):
            outcome = _outcome(step, number)
            after = advance(head.snapshot, outcome, now_ms=number).snapshot
            entry = entry_of(head.snapshot, after)
            following = replace(head, snapshot=after, history=head.history.with_entry(entry), writer_id=f"w{number}")
            prepared, objects = archive.prepared(following, loaded=head)
            archive.put(objects)
            committed = self.store.commit(prepared, mark_ms=None)
            assert committed is not None
            head = self.read() if step.reload else committed
            model = advance(model, outcome, now_ms=number).snapshot
        self.model = model.context
        return self.read()

    def archive(self) -> Archive:
        """A fresh process's, which remembers nothing."""
        return Archive(self.store, self.bucket)

    def read(self) -> Head:
        """The head, opened by a fresh process."""
        head = self.archive().load("run-1")
        assert head is not None
        return head


SMALL = st.integers(0, 9)
VALUES = SMALL | st.sampled_from(["", "x" * 900, "y" * 3000]) | SMALL.map(lambda n: incompressible(700, str(n)))


def _steps(nodes: int) -> st.SearchStrategy[list[Made]]:
    kinds = st.sampled_from(["advanced", "advanced", "advanced", "caught", "rescheduled", "suspended"])
    return st.lists(st.builds(Made, kinds, VALUES, st.integers(0, nodes - 1), st.booleans()), max_size=50)


def _same(stored: Context, model: Context) -> None:
    """Whatever can be asked of a context has the same answer."""
    assert set(stored) == set(model)
    assert len(list(stored)) == len(stored) == len(model)
    assert stored.length == model.length
    for node_id in [*model, "never"]:
        assert (node_id in stored) == (node_id in model)
        assert stored.visits(node_id) == model.visits(node_id)
        assert stored.last(node_id) == model.last(node_id)
        assert stored.last_success(node_id) == model.last_success(node_id)
        assert stored.outputs(node_id) == model.outputs(node_id)
        results, expected = stored[node_id], model[node_id]
        assert results == expected
        count = len(expected)
        for index in {0, count // 2, count - 1, -1, -count}:
            if -count <= index < count:
                assert results[index] == expected[index]
        for part in (slice(None), slice(1, -1), slice(None, None, -2), slice(-3, None)):
            assert list(results[part]) == list(expected[part])
        with pytest.raises(IndexError):
            results[count]
    assert list(stored.entries()) == list(model.entries())


@_OPTIONS
@given(_steps(4))
def test_a_context_of_few_nodes_is_the_one_in_memory(steps: list[Made]) -> None:
    """Each with many results, over several segments: nodes, counts, visits, results, slices and their order."""
    line = Line()
    head = line.play(steps)
    _same(head.snapshot.context, line.model)
    # What decides when the tail is sealed next is counted along, and is what it would be counted anew.
    assert head.history.tail_bytes == sum(len(packed_json(entry_to_json(entry))) for entry in head.history.tail)


@_OPTIONS
@given(_steps(30), st.integers(0, 60))
def test_a_history_is_told_from_anywhere(steps: list[Made], after: int) -> None:
    """From any version, as long as one likes: each entry once, in order, with the version it made."""
    line = Line()
    head = line.play(steps)
    archive = line.archive()
    everything = list(archive.placed_entries(head, after=0, limit=1000))
    assert [placed.version for placed in everything] == list(range(1, len(steps) + 1))
    assert [_brief(placed) for placed in everything] == [_expected(step) for step in steps]
    for limit in (1, 5, 1000):
        part = list(archive.placed_entries(head, after=after, limit=limit))
        assert part == everything[after : after + limit]
    whole = archive.segments_until(head, after)
    until = [placed for placed in everything if placed.segment is not None and placed.segment < whole]
    assert all(placed.version <= after for placed in until)
    rest = [placed.segment for placed in everything if placed.version > after and placed.segment is not None]
    assert min(rest, default=whole) >= whole


def _brief(placed: PlacedEntry) -> tuple[str, object]:
    entry = placed.entry
    if not entry.has_result:
        return "suspended", None
    if entry.error is None:
        return "advanced", read_value(entry.output)
    return {Status.ACTIVE: "caught", Status.ERROR: "rescheduled"}[entry.status], None


def _expected(step: Made) -> tuple[str, object]:
    return step.kind, step.output if step.kind == "advanced" else None


def _many_nodes(count: int) -> list[Made]:
    """Each node once, then some of the first again, then one of them for good."""
    numbers = [*range(1, count), *range(20), *([5] * 30)]
    return [Made("advanced", {"n": number, "pad": "x" * 200}, number) for number in numbers]


def test_more_nodes_than_a_head_has_room_for() -> None:
    """The index is spilled to pages and found again: of old nodes, of nodes that came back, of one that runs on."""
    line = Line()
    head = line.play(_many_nodes(3 * INDEX_NODES_MAX))
    assert head.history.pages >= 3
    assert len(head.history.index) <= INDEX_NODES_MAX
    _same(head.snapshot.context, line.model)


@_OPTIONS
@given(_steps(6))
def test_sealing_is_a_function_of_the_loaded_head(steps: list[Made]) -> None:
    """Whoever executes a version, and whatever comes of it: the same segment and page, the same history after it."""
    line = Line()
    # A tail that is not long enough by now is one by a text that is stored where it stands.
    head = line.play([*steps, Made("advanced", "z" * TAIL_BYTES_MAX, 1)])
    assert head.history.needs_seal
    outcomes: list[Outcome] = [Advanced("one", "n1"), Caught(StepError.named("E", "two"), "n2")]
    snapshots = [advance(head.snapshot, outcome, now_ms=now).snapshot for now, outcome in enumerate(outcomes, 900)]
    objects, histories = [], []
    for number, after in enumerate(snapshots):
        following = replace(
            head, snapshot=after, history=head.history.with_entry(entry_of(head.snapshot, after)), writer_id=str(number)
        )
        prepared, sealed = line.archive().prepared(following, loaded=head)
        objects.append([(one.key, one.digest, one.life, one.body) for one in sealed])
        histories.append(replace(prepared.history, tail=(), tail_bytes=0))
    assert objects[0] == objects[1]
    assert objects[0][0][0] == f"segment#{head.history.segments:09d}"
    assert histories[0] == histories[1]


NAMES = st.sampled_from(["a", "b", "ü", "x" * 100])
TEXTS = st.none() | st.text(max_size=20)
REFERENCES = st.builds(
    Reference, NAMES, st.integers(0, 10**7), st.none() | st.builds(Owner, NAMES, NAMES), reader=st.none()
)
JSON_VALUES = st.none() | st.integers() | st.text(max_size=10) | st.just({"ref": ["a", 1]}) | st.just({"v": [1.5]})
ENTRIES = st.builds(
    Entry,
    at_ms=st.integers(0, 10**13),
    node_id=st.none() | NAMES,
    status=st.sampled_from(Status),
    duration_ms=st.integers(0, 10**6),
    resumed=TEXTS,
    signal=TEXTS,
    actor=TEXTS,
    reason=TEXTS,
) | st.builds(
    Entry,
    at_ms=st.integers(0, 10**13),
    node_id=NAMES,
    status=st.sampled_from(Status),
    has_result=st.just(True),
    output=JSON_VALUES | REFERENCES,
    attempt=st.integers(1, 100),
)
FAILURES = ENTRIES.map(lambda entry: entry._replace(has_result=True, output=None, error="E: it broke", error_type="E"))
MARKS = st.dictionaries(
    NAMES, st.builds(NodeMark, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), max_size=3
)
HISTORIES = st.builds(
    History,
    tail=st.lists(ENTRIES | FAILURES, max_size=4).map(tuple),
    tail_bytes=st.integers(0, 9999),
    segments=st.integers(1, 99),
    results=st.integers(0, 99),
    index=MARKS,
    pages=st.integers(0, 9),
    origins=st.lists(st.tuples(st.builds(Owner, NAMES, NAMES), st.integers(1, 9)), max_size=2).map(tuple),
    lineage=st.lists(st.builds(Owner, NAMES, NAMES), max_size=2).map(tuple),
)


@_OPTIONS
@given(ENTRIES | FAILURES)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    """Values in place and references, with all that it says and nothing that it does not."""
    assert entry_from_json(entry_to_json(entry)) == entry


@_OPTIONS
@given(HISTORIES)
def test_a_history_comes_back_as_it_was(history: History) -> None:
    """Tail, index, pages, origins and lineage."""
    assert history_from_json(history_to_json(history)) == history


@_OPTIONS
@given(HISTORIES, MARKS)
def test_a_history_read_again_is_sealed_alike(history: History, page: dict[str, NodeMark]) -> None:
    """The head as it was written and as it is read: one segment, whichever it was made of."""
    version = len(history.tail) + 7
    read = history_from_json(history_to_json(history))
    assert seal(read, version, page) == seal(history, version, page)


def test_the_page_keeps_who_ran_last() -> None:
    """One node too many: all but the newest nodes are spilled, and nothing that a page held is lost."""
    old = {f"old{number:03d}": NodeMark(1, 1, number) for number in range(INDEX_NODES_MAX)}
    page = {"older": NodeMark(7, 3, 0), "back": NodeMark(2, 2, 0)}
    tail = tuple(Entry(1, name, Status.ACTIVE, has_result=True, output=1) for name in ("back", "new"))
    history = History(tail=tail, segments=INDEX_NODES_MAX, results=99, index=old, pages=1)
    assert history.needs_page
    sealing = seal(history, 500, page)
    kept, spilled = sealing.history.index, sealing.page
    assert spilled is not None
    assert len(kept) == INDEX_NODES_KEPT
    assert kept["back"] == NodeMark(3, 3, INDEX_NODES_MAX)
    assert kept["new"] == NodeMark(1, 1, INDEX_NODES_MAX)
    assert set(kept) - {"back", "new"} == set(sorted(old)[-(INDEX_NODES_KEPT - 2) :])
    assert set(spilled) >= {"older", *(set(old) - set(kept))}
    assert spilled["older"] == [7, 3, 0]
    assert (sealing.history.pages, sealing.history.segments) == (2, INDEX_NODES_MAX + 1)
    assert sealing.segment["first"] == 499


@pytest.mark.parametrize(("missing", "sealed"), [(1, False), (0, True), (-1, True)])
def test_a_tail_is_sealed_once_it_has_grown_enough(missing: int, sealed: bool) -> None:
    """At TAIL_BYTES_MAX of JSON to the byte: that number is part of the layout, and its meaning never changes."""
    text = "x" * (TAIL_BYTES_MAX - missing - len('{"t":1,"n":"n0","o":""}'))
    head = Line().play([Made("advanced", text, 0)])
    assert head.history.needs_seal is sealed
    assert History().needs_seal is False
