"""The store in memory and the one on DynamoDB Local: the same calls in the same order, the same answers.

Each sequence is made of a seed: calls of every method, on few runs with few keys, so that they get into each
other's way. After each call the heads are compared as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any

import pytest

from dispatcher.due import shard_of
from dispatcher.dynamodb_store import DynamoDbRunStore
from dispatcher.errors import DispatchError
from dispatcher.head import Head, Hold, OperatorCall
from dispatcher.memory import InMemoryRunStore
from dispatcher.ports import DefinitionPointer, RunPage, RunQuery, RunStore, Sealed, Signal
from dispatcher.table_schema import DUE_SHARDS, inbox_sort_key, segment_sort_key
from engine import Status
from engine.definition_ref import DefinitionRef
from local.provision import TABLE_NAME, create_table
from tests.dispatcher.contract.backends import head_of
from tests.dispatcher.contract.dynamodb_local import DynamoDbLocal

SEEDS = range(4)
CALLS = 60
RUNS = ("run-1", "run-2", "run-3")
SHARDS = {shard_of(run, DUE_SHARDS) for run in RUNS}
READS = {"due_marks", "find", "definition", "point"}

StoreCall = Callable[[RunStore], object]


@dataclass(frozen=True)
class Choices:
    """Makes calls: each method chooses arguments and returns the call, which both stores then answer."""

    rng: Random

    def run(self) -> str:
        """Any run."""
        return self.rng.choice(RUNS)

    def status(self) -> Status:
        """A status, most often one that lets the run go on."""
        return self.rng.choice((Status.ACTIVE, Status.ACTIVE, Status.ACTIVE, Status.PAUSED, Status.COMPLETED))

    def mark(self) -> int | None:
        """A due mark."""
        return self.rng.choice((None, 500, 2000))

    def operator_call_of(self) -> OperatorCall:
        """An operator's call, of one of few keys."""
        return OperatorCall(self.rng.choice(("k1", "k2", "k3")), "hold", "me", None, self.rng.randrange(9), 1)

    def head(self) -> Callable[[RunStore, str], Head]:
        """The head as it is stored, or as it may have been long ago."""
        fresh, version = self.rng.random() < 0.6, self.rng.randrange(4)

        def read(store: RunStore, run: str) -> Head:
            stored = store.load(run)
            if stored is None:
                return head_of(run, version)
            return stored if fresh else replace(stored, snapshot=stored.snapshot._replace(version=version))

        return read

    def create(self) -> StoreCall:
        """A start."""
        head = head_of(
            self.run(),
            status=self.status(),
            writer_id=self.rng.choice(("a", "b")),
            definition=DefinitionRef(self.rng.choice(("chain", "ring")), "1"),
            started_at_ms=1000 * self.rng.randrange(4),
            due_at_ms=self.mark(),
        )
        return lambda store: store.create(head)

    def commit(self) -> StoreCall:
        """The next version, or any other; sometimes by the writer of the one before, sometimes for an operator."""
        run, head, status, mark = self.run(), self.head(), self.status(), self.mark()
        call = self.operator_call_of() if self.rng.random() < 0.3 else None
        step = self.rng.choice((1, 1, 1, 0, 2))
        # A write that is repeated within a call is DynamoDB's to know: only one without an operator is made again.
        writer_id = self.rng.choice(("a", "b")) if call is None else f"operator-{self.rng.random()}"

        def commit(store: RunStore) -> object:
            before = head(store, run)
            snapshot = before.snapshot._replace(version=before.version + step, status=status)
            return store.commit(replace(before, snapshot=snapshot, writer_id=writer_id), mark_ms=mark, call=call)

        return commit

    def count_try(self) -> StoreCall:
        """A redelivery."""
        run, head = self.run(), self.head()
        return lambda store: store.count_try(head(store, run))

    def claim(self) -> StoreCall:
        """A claim, by one of few."""
        run, head, claim_id = self.run(), self.head(), self.rng.choice(("c1", "c2"))
        return lambda store: store.claim(head(store, run), until_ms=9000, claim_id=claim_id)

    def set_hold(self) -> StoreCall:
        """A hold, or its end."""
        run, call = self.run(), self.operator_call_of()
        hold = Hold("me", "why", 7) if self.rng.random() < 0.5 else None
        return lambda store: store.set_hold(run, hold, call=call, due_at_ms=700)

    def record(self) -> StoreCall:
        """An operator's call that changes nothing, and what is known of calls then."""
        run, call = self.run(), self.operator_call_of()
        return lambda store: (
            store.record(run, call),
            store.operator_call(run, call.key),
            store.operator_call(run, "k1"),
            store.operator_calls(run),
        )

    def add_signal(self) -> StoreCall:
        """A signal, perhaps one that has come before."""
        signal = Signal(
            workflow_id=self.run(),
            name=self.rng.choice(("go", "stop")),
            signal_id=self.rng.choice(("s1", "s2", "s3")),
            payload={"n": self.rng.randrange(9)},
            arrived_at_ms=self.rng.randrange(100, 103),
            life=self.rng.choice(("life-1", "life-2")),
        )
        return lambda store: (
            store.was_signalled(signal.workflow_id, signal.signal_id, life=signal.life),
            store.add_signal(signal, due_at_ms=600),
        )

    def look_into_the_inbox(self) -> StoreCall:
        """The oldest signal, with and without what is taken already; or one is removed."""
        run, removes = self.run(), self.rng.random() < 0.2

        def look(store: RunStore) -> object:
            oldest = store.oldest_signal(run, ["go", "stop"], besides=[])
            if oldest is None:
                return None
            key = inbox_sort_key(oldest.name, oldest.arrived_at_ms, oldest.signal_id)
            if removes:
                store.remove_from_inbox(run, [key])
            return oldest, store.oldest_signal(run, ["go", "stop"], besides=[key])

        return look

    def seal(self) -> StoreCall:
        """A sealed object, perhaps beside another in its place, and what is there then."""
        run, key, life = self.run(), segment_sort_key(self.rng.randrange(3)), self.rng.choice(("life-1", "life-2"))
        content = self.rng.choice(("one", "other"))
        sealed = Sealed(run, key, life, content.encode(), content)
        return lambda store: (
            store.load_sealed(run, key, life="life-1"),
            answered(lambda: store.put_sealed(sealed)),
            store.load_sealed(run, key, life=life),
        )

    def move_mark(self) -> StoreCall:
        """The sweep moves a mark, takes it away, or lets the run expire."""
        run, head, due_at_ms = self.run(), self.head(), self.mark()
        grace_ms = None if due_at_ms is None else self.rng.choice((None, 60))
        if self.rng.random() < 0.3:
            return lambda store: store.expire(head(store, run), expires_at_s=10)
        return lambda store: store.move_mark(head(store, run), due_at_ms=due_at_ms, grace_ms=grace_ms)

    def due_marks(self) -> StoreCall:
        """The shards of all runs."""
        until_ms, limit = self.rng.choice((600, 3000)), self.rng.randrange(1, 3)
        return lambda store: [list(store.due_marks(shard, until_ms=until_ms, limit=limit)) for shard in sorted(SHARDS)]

    def find(self) -> StoreCall:
        """A listing, page by page to its end."""
        query = RunQuery(
            workflow=self.rng.choice((None, "chain", "ring")),
            status=self.rng.choice((None, Status.ACTIVE, Status.PAUSED, Status.COMPLETED)),
            since_ms=self.rng.choice((0, 1000)),
            until_ms=self.rng.choice((None, 1000, 2000)),
            # One page of every run asks 48 shards: pages of one run each would be most of what this test does.
            limit=self.rng.randrange(2, 4),
        )
        return lambda store: listed(store, query)

    def purge(self) -> StoreCall:
        """What there is of a run, less one item; or its head goes."""
        run, head, key = self.run(), self.head(), segment_sort_key(self.rng.randrange(3))
        if self.rng.random() < 0.4:
            return lambda store: store.remove_head(head(store, run))

        def keys_left(store: RunStore) -> object:
            store.remove(run, [key])
            return sorted(store.keys(run, limit=100)), len(store.keys(run, limit=2))

        return keys_left

    def definition(self) -> StoreCall:
        """A definition, perhaps of a version that is there."""
        version, document = self.rng.choice(("1", "2")), {"n": self.rng.randrange(3)}

        def put_and_load(store: RunStore) -> object:
            store.put_definition("chain", version, {**document})
            return store.load_definition("chain", version)

        return put_and_load

    def point(self) -> StoreCall:
        """A pointer moved from where it may be, and all that there are then."""
        pointer = DefinitionPointer(
            self.rng.choice(("chain", "ring")), self.rng.choice(("1", "2")), self.rng.choice((None, "said"))
        )
        previous = self.rng.choice((None, "1", "2"))
        return lambda store: (
            store.put_pointer(pointer, previous=previous),
            store.load_pointer("chain"),
            list(store.pointers()),
        )

    def call(self) -> tuple[str, StoreCall]:
        """Any of these; commits are the most frequent, for most else is about what they leave."""
        makes = [
            *(self.create, self.commit, self.commit, self.commit, self.count_try, self.claim, self.set_hold),
            *(self.record, self.add_signal, self.look_into_the_inbox, self.seal, self.move_mark, self.due_marks),
            *(self.find, self.find, self.purge, self.definition, self.point),
        ]
        make = self.rng.choice(makes)
        return make.__name__, make()


def listed(store: RunStore, query: RunQuery) -> Sequence[str]:
    """The runs of every page. Where a page ends is each store's own business, but none is longer than asked for."""
    found: list[str] = []
    cursor: str | None = None
    for _ in RUNS + RUNS:
        page: RunPage = store.find(replace(query, cursor=cursor))
        assert len(page.workflow_ids) <= query.limit
        found += page.workflow_ids
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError(f"a listing without end: {query}")


def answered(call: Callable[[], object]) -> object:
    """The answer, or the kind of the error."""
    try:
        return call()
    except DispatchError as error:
        return type(error)


def comparable(answer: object) -> Any:
    """An answer such that equal ones are equal: a context is compared by what it holds."""
    match answer:
        case Head():
            return (answer.snapshot.to_json(), replace(answer, snapshot=head_of().snapshot))
        case tuple() | list():
            return [comparable(part) for part in answer]
        case _:
            return answer


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_calls_have_the_same_answers(local_dynamodb: DynamoDbLocal, seed: int) -> None:
    """And leave the same heads."""
    client = local_dynamodb.new_account()
    create_table(client, TABLE_NAME)
    memory, table = InMemoryRunStore(), DynamoDbRunStore(client, TABLE_NAME)
    choices = Choices(Random(seed))  # noqa: S311  (a reproducible choice of calls)
    for number in range(CALLS):
        name, call = choices.call()
        answers = [comparable(answered(partial(call, store))) for store in (memory, table)]
        assert answers[0] == answers[1], f"call {number}, {name}"
        if name not in READS:
            heads = [[comparable(store.load(run)) for run in RUNS] for store in (memory, table)]
            assert heads[0] == heads[1], f"after call {number}, {name}"
