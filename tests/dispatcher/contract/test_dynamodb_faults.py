"""The RunStore on DynamoDB when answers are lost, late, short or refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from moto.core.models import botocore_stubber

from dispatcher.dynamodb_store import DynamoDbRunStore
from dispatcher.errors import Retryable, RunFinished, Terminal
from dispatcher.head import Hold, OperatorCall
from dispatcher.limits import CONFLICT_TRIES
from dispatcher.ports import DefinitionPointer, RunQuery, RunStore, Sealed, Signal
from dispatcher.table_schema import EXPIRES_AT, LIST_SHARDS, inbox_sort_key
from engine import Status
from tests.dispatcher.contract.backends import DynamoDb, head_of
from tests.dispatcher.wiretap import Action, Call, answer_500, client_error, lose_the_answer, raising

LOST = {"connection lost": lose_the_answer, "answer 500": answer_500}

SIGNAL = Signal("run-1", "go", "s1", {"n": 1}, 100)
HOLD = OperatorCall("key-1", "hold", "ops", None, 700, 0)
SEGMENT = Sealed("run-1", "segment#000000000", "nonce", b"body", "digest")


@pytest.mark.parametrize("fault", LOST)
class TestDoneButReportedAsFailed:
    """A write was done and its answer lost: Retryable, and the same write again counts as done."""

    def test_create(self, table: DynamoDb, fault: str) -> None:
        """The writer knows its own head again."""
        table.tap.on("PutItem", "after", LOST[fault])
        with pytest.raises(Retryable):
            table.store.create(head_of())
        assert table.store.create(head_of()) is None

    def test_commit(self, table: DynamoDb, fault: str) -> None:
        """By writer_id and version: it had won."""
        table.store.create(head_of())
        table.tap.on("UpdateItem", "after", LOST[fault])
        with pytest.raises(Retryable):
            table.store.commit(head_of(version=1), mark_ms=None)
        assert table.store.commit(head_of(version=1), mark_ms=None) is not None

    def test_a_commit_that_another_writer_has_overtaken(self, table: DynamoDb, fault: str) -> None:
        """It was done, but the run went on since: the repeat is a stale writer like any other."""
        table.store.create(head_of())
        table.tap.on("UpdateItem", "after", LOST[fault])
        with pytest.raises(Retryable):
            table.store.commit(head_of(version=1), mark_ms=None)
        assert table.store.commit(head_of(version=2), mark_ms=None) is not None
        assert table.store.commit(head_of(version=1), mark_ms=None) is None

    def test_a_signal(self, table: DynamoDb, fault: str) -> None:
        """The repeat finds it delivered, once."""
        table.store.create(head_of())
        table.tap.on("TransactWriteItems", "after", LOST[fault])
        with pytest.raises(Retryable):
            table.store.add_signal(SIGNAL, due_at_ms=500)
        assert table.store.add_signal(SIGNAL, due_at_ms=500) is False
        assert table.store.oldest_signal("run-1", ["go"], besides=[]) == SIGNAL

    def test_a_definition_and_a_removal(self, table: DynamoDb, fault: str) -> None:
        """Both may be done again."""
        table.tap.on("PutItem", "after", LOST[fault])
        with pytest.raises(Retryable):
            table.store.put_definition("chain", "1", {"a": 1})
        table.store.put_definition("chain", "1", {"a": 1})
        table.store.create(head_of())
        table.store.add_signal(SIGNAL, due_at_ms=500)
        table.tap.on("DeleteItem", "after", LOST[fault])
        key = inbox_sort_key("go", 100, "s1")
        with pytest.raises(Retryable):
            table.store.remove_from_inbox("run-1", [key])
        table.store.remove_from_inbox("run-1", [key])
        assert table.store.oldest_signal("run-1", ["go"], besides=[]) is None

    def test_a_sealed_object(self, table: DynamoDb, fault: str) -> None:
        """It is the same object: the repeat finds it there."""
        table.tap.on("PutItem", "after", LOST[fault])
        with pytest.raises(Retryable):
            table.store.put_sealed(SEGMENT)
        table.store.put_sealed(SEGMENT)
        assert table.store.load_sealed("run-1", SEGMENT.key, life="nonce") == b"body"

    def test_a_claim(self, table: DynamoDb, fault: str) -> None:
        """By its id it is known again; one with an id of its own finds it taken."""
        table.store.create(head_of())
        table.tap.on("UpdateItem", "after", LOST[fault])
        with pytest.raises(Retryable):
            table.store.claim(head_of(), until_ms=5000, claim_id="mine")
        assert table.store.claim(head_of(), until_ms=5000, claim_id="mine") is True
        assert table.store.claim(head_of(), until_ms=5000, claim_id="other") is False

    def test_a_hold_and_a_commit_with_a_call(self, table: DynamoDb, fault: str) -> None:
        """The repeat finds its call recorded: nothing is done twice."""
        table.store.create(head_of())
        table.tap.on("TransactWriteItems", "after", LOST[fault])
        with pytest.raises(Retryable):
            table.store.set_hold("run-1", Hold("ops", None, 1), call=HOLD, due_at_ms=500)
        assert table.store.set_hold("run-1", Hold("ops", None, 1), call=HOLD, due_at_ms=1) is False
        table.tap.on("TransactWriteItems", "after", LOST[fault])
        with pytest.raises(Retryable):
            table.store.commit(head_of(version=1), mark_ms=None, call=replace(HOLD, key="key-2"))
        assert table.store.commit(head_of(version=2), mark_ms=None, call=replace(HOLD, key="key-2")) is None
        head = table.store.load("run-1")
        assert head is not None
        assert (head.version, head.due_at_ms) == (1, 500)

    def test_a_moved_mark(self, table: DynamoDb, fault: str) -> None:
        """The mark is not as it was read any more: the repeat does nothing, and the sweep comes back to the run."""
        table.store.create(head_of())
        head = table.store.load("run-1")
        assert head is not None
        table.tap.on("UpdateItem", "after", LOST[fault])
        with pytest.raises(Retryable):
            table.store.move_mark(head, due_at_ms=2000, grace_ms=None)
        assert table.store.move_mark(head, due_at_ms=2000, grace_ms=None) is False


class TestTheSdksOwnRetry:
    """botocore repeats a request whose answer was a 500: the condition fails because of the first one."""

    @pytest.fixture
    def retrying(self, table: DynamoDb) -> DynamoDbRunStore:
        """A store whose client retries, and whose first conditional write is done and answered with a 500."""
        session_client = table.observer.new_dynamodb(Config(retries={"mode": "legacy", "max_attempts": 1}))
        lost: set[str] = set()

        def lose_first(request: Any, event_name: str, **_: object) -> Any:
            operation = event_name.rsplit(".", 1)[-1]
            if operation in lost or operation not in {"PutItem", "UpdateItem"}:
                return None
            lost.add(operation)
            done = botocore_stubber(event_name, request)
            assert done is not None
            assert done.status_code == 200
            return AWSResponse(request.url, 500, HTTPHeaders(), _Raw(b"{}"))

        events: Any = session_client.meta.events
        events.register_first("before-send", lose_first)
        return DynamoDbRunStore(session_client, table.table_name)

    def test_is_known_as_the_same_write(self, retrying: DynamoDbRunStore) -> None:
        """Create and commit say that they were done; nothing was written twice."""
        assert retrying.create(head_of()) is None
        assert retrying.commit(head_of(version=1), mark_ms=None) is not None
        head = retrying.load("run-1")
        assert head is not None
        assert head.version == 1


class _Raw:
    """A body as urllib3 has it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> list[bytes]:
        """The body in one piece."""
        return [self._body]


class TestAShortAnswer:
    """DynamoDB Local gives no old item with a failed condition: the head is read strongly instead."""

    @pytest.fixture
    def short(self, table: DynamoDb) -> DynamoDb:
        """A table whose failed conditions say nothing of the item in the way."""

        def forget(parsed: dict[str, Any], **_: object) -> None:
            if "Error" in parsed:
                assert parsed.pop("Item")

        client = table.observer.new_dynamodb(Config(retries={"total_max_attempts": 1}))
        client.meta.events.register("after-call", forget)
        return DynamoDb(DynamoDbRunStore(client, table.table_name), table.observer, table.tap, table.table_name)

    def test_a_repeated_write_is_known(self, short: DynamoDb) -> None:
        """As with the old item at hand."""
        assert short.store.create(head_of()) is None
        assert short.store.create(head_of()) is None
        assert short.store.commit(head_of(version=1), mark_ms=None) is not None
        assert short.store.commit(head_of(version=1), mark_ms=None) is not None

    def test_another_writer_is_known(self, short: DynamoDb) -> None:
        """Its head is given, or the commit has lost."""
        short.store.create(head_of())
        existing = short.store.create(head_of(writer_id="other"))
        assert existing is not None
        assert existing.writer_id == "writer-0"
        short.store.commit(head_of(version=1), mark_ms=None)
        assert short.store.commit(head_of(version=1, writer_id="other"), mark_ms=None) is None


def test_what_a_head_does_not_know_survives_a_commit(table: DynamoDb) -> None:
    """An operator's hold is on the item, not in the head: commits and moved marks leave it there."""
    table.store.create(head_of())
    table.set("run-1", "hold", {"S": "because"})
    assert table.store.commit(head_of(version=1), mark_ms=7000)
    head = table.store.load("run-1")
    assert head is not None
    assert table.store.move_mark(head, due_at_ms=None, grace_ms=None)
    assert table.store.add_signal(SIGNAL, due_at_ms=500)
    (item,) = [found for found in table.items() if isinstance(found, dict) and found["sk"]["S"] == "head"]
    assert item["hold"] == {"S": "because"}


CALLS: dict[str, tuple[str, Callable[[RunStore], object]]] = {
    "load": ("GetItem", lambda store: store.load("run-1")),
    "create": ("PutItem", lambda store: store.create(head_of("run-2"))),
    "commit": ("UpdateItem", lambda store: store.commit(head_of(version=1), mark_ms=None)),
    "move_mark": ("UpdateItem", lambda store: store.move_mark(head_of(), due_at_ms=1, grace_ms=None)),
    "add_signal": ("TransactWriteItems", lambda store: store.add_signal(SIGNAL, due_at_ms=1)),
    "commit with a call": ("TransactWriteItems", lambda store: store.commit(head_of(version=1), mark_ms=1, call=HOLD)),
    "count_try": ("UpdateItem", lambda store: store.count_try(head_of())),
    "claim": ("UpdateItem", lambda store: store.claim(head_of(), until_ms=1, claim_id="c")),
    "set_hold": (
        "TransactWriteItems",
        lambda store: store.set_hold("run-1", Hold("ops", None, 1), call=HOLD, due_at_ms=1),
    ),
    "record": ("TransactWriteItems", lambda store: store.record("run-1", HOLD)),
    "operator_call": ("GetItem", lambda store: store.operator_call("run-1", "key-1")),
    "operator_calls": ("Query", lambda store: store.operator_calls("run-1")),
    "put_sealed": ("PutItem", lambda store: store.put_sealed(SEGMENT)),
    "load_sealed": ("GetItem", lambda store: store.load_sealed("run-1", SEGMENT.key, life="nonce")),
    "expire": ("UpdateItem", lambda store: store.expire(head_of(), expires_at_s=1)),
    "set_removing": ("UpdateItem", lambda store: store.set_removing(head_of(), True)),
    "keys": ("Query", lambda store: store.keys("run-1", limit=1)),
    "remove": ("DeleteItem", lambda store: store.remove("run-1", ["segment#a"])),
    "remove_head": ("DeleteItem", lambda store: store.remove_head(head_of())),
    "find": ("Query", lambda store: store.find(RunQuery())),
    "oldest_signal": ("Query", lambda store: store.oldest_signal("run-1", ["go"], besides=[])),
    "remove_from_inbox": ("DeleteItem", lambda store: store.remove_from_inbox("run-1", ["inbox#a"])),
    "due_marks": ("Query", lambda store: store.due_marks(0, until_ms=1, limit=1)),
    "put_definition": ("PutItem", lambda store: store.put_definition("a", "1", {})),
    "load_definition": ("GetItem", lambda store: store.load_definition("a", "1")),
    "load_pointer": ("GetItem", lambda store: store.load_pointer("a")),
    "pointers": ("Query", lambda store: store.pointers()),
    "put_pointer": ("PutItem", lambda store: store.put_pointer(DefinitionPointer("a", "1"), previous=None)),
    "move a pointer": ("PutItem", lambda store: store.put_pointer(DefinitionPointer("a", "2"), previous="1")),
    "was_signalled": ("GetItem", lambda store: store.was_signalled("run-1", "s", life="nonce")),
    "check": ("GetItem", lambda store: store.check()),
}


@pytest.mark.parametrize("method", CALLS)
def test_every_call_is_classified(table: DynamoDb, method: str) -> None:
    """No method lets an error of botocore through: it is Retryable or Terminal, whichever call it is."""
    table.store.create(head_of())
    operation, call = CALLS[method]
    faults: list[tuple[Action, type[Exception]]] = [
        (lose_the_answer, Retryable),
        (raising("ThrottlingException"), Retryable),
        (raising("ProvisionedThroughputExceededException"), Retryable),
        (raising("InternalServerError", status=500), Retryable),
        (raising("AccessDeniedException"), Terminal),
        (raising("ResourceNotFoundException"), Terminal),
    ]
    for fault, kind in faults:
        table.tap.on(operation, "before", fault)
        with pytest.raises(kind):
            call(table.store)


def _cancelled(*codes: str) -> Action:
    def act(call: Call) -> None:
        reasons = [{"Code": code} for code in codes]
        raise client_error(call.operation, "TransactionCanceledException", CancellationReasons=reasons)

    return act


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        (("None", "None", "TransactionConflict"), Retryable),
        (("ThrottlingError", "None", "None"), Retryable),
        (("ProvisionedThroughputExceeded", "TransactionConflict", "None"), Retryable),
        (("None", "None", "ConditionalCheckFailed"), RunFinished),
        (("None", "TransactionConflict", "ConditionalCheckFailed"), RunFinished),
        (("None", "ValidationError", "None"), Terminal),
    ],
)
def test_a_cancelled_signal_is_judged_by_its_reasons(
    table: DynamoDb, reasons: tuple[str, ...], kind: type[Exception]
) -> None:
    """Conflicts pass; a failed condition on the head says that the run has ended; what is invalid stays so."""
    table.store.create(head_of(status=Status.PAUSED))
    table.tap.on("TransactWriteItems", "before", _cancelled(*reasons), times=CONFLICT_TRIES)
    with pytest.raises(kind):
        table.store.add_signal(SIGNAL, due_at_ms=1)


class TestAConflict:
    """Another write of the same item is under way: over in milliseconds, and botocore does not try again."""

    def test_a_signal_gives_way(self, table: DynamoDb) -> None:
        """It is tried three times, and written once."""
        table.store.create(head_of(status=Status.PAUSED))
        conflict = _cancelled("None", "None", "TransactionConflict")
        table.tap.on("TransactWriteItems", "before", conflict, times=CONFLICT_TRIES - 1)
        assert table.store.add_signal(SIGNAL, due_at_ms=500) is True
        assert table.store.oldest_signal("run-1", ["go"], besides=[]) == SIGNAL
        table.tap.clear()
        table.tap.on("TransactWriteItems", "before", conflict, times=CONFLICT_TRIES)
        with pytest.raises(Retryable):
            table.store.add_signal(replace(SIGNAL, signal_id="s2"), due_at_ms=500)
        assert len(table.tap.calls) == CONFLICT_TRIES

    def test_a_repeated_signal_is_a_request_of_its_own(self, table: DynamoDb) -> None:
        """Its token is new: DynamoDB refuses one it has seen within ten minutes with anything else, a later time too.

        (``IdempotentParameterMismatchException``, which moto does not know.)
        """
        table.store.create(head_of(status=Status.PAUSED))
        assert table.store.add_signal(SIGNAL, due_at_ms=500) is True
        assert table.store.add_signal(replace(SIGNAL, arrived_at_ms=101), due_at_ms=501) is False
        calls = [call for call in table.tap.calls if call.operation == "TransactWriteItems"]
        assert len({call.parameters["ClientRequestToken"] for call in calls}) == len(calls)

    def test_a_signal_is_not_tried_again_for_any_other_reason(self, table: DynamoDb) -> None:
        """Throttling is not over in milliseconds."""
        table.store.create(head_of(status=Status.PAUSED))
        reasons = ("ThrottlingError", "None", "TransactionConflict")
        table.tap.clear()
        table.tap.on("TransactWriteItems", "before", _cancelled(*reasons))
        with pytest.raises(Retryable):
            table.store.add_signal(SIGNAL, due_at_ms=500)
        assert len(table.tap.calls) == 1

    def test_a_commit_gives_way(self, table: DynamoDb) -> None:
        """It is tried three times: a step that has been executed is not lost to a signal."""
        table.store.create(head_of())
        conflict = raising("TransactionConflictException")
        table.tap.on("UpdateItem", "before", conflict, times=CONFLICT_TRIES - 1)
        assert table.store.commit(head_of(version=1), mark_ms=None) is not None
        table.tap.clear()
        table.tap.on("UpdateItem", "before", conflict, times=CONFLICT_TRIES)
        with pytest.raises(Retryable):
            table.store.commit(head_of(version=2), mark_ms=None)
        assert len(table.tap.calls) == CONFLICT_TRIES

    def test_a_commit_that_gives_way_to_another_commit_has_lost(self, table: DynamoDb) -> None:
        """What was in its way was no signal: the condition decides at the next try."""
        table.store.create(head_of())

        def another_wins(call: Call) -> None:
            table.tap.clear()
            assert table.store.commit(head_of(version=1, writer_id="other"), mark_ms=None) is not None
            raise client_error(call.operation, "TransactionConflictException")

        table.tap.on("UpdateItem", "before", another_wins)
        assert table.store.commit(head_of(version=1), mark_ms=None) is None


def test_reads_of_a_run_are_strong(table: DynamoDb) -> None:
    """Every read but that of the indexes asks for consistency."""
    table.store.create(head_of())
    table.store.load("run-1")
    table.store.oldest_signal("run-1", ["go"], besides=[])
    table.store.operator_call("run-1", "key-1")
    table.store.operator_calls("run-1")
    table.store.keys("run-1", limit=1)
    table.store.was_signalled("run-1", "s1", life="nonce")
    table.store.load_pointer("chain")
    table.store.pointers()
    reads = [call for call in table.tap.calls if not call.writes]
    assert len(reads) == 8
    assert all(call.parameters["ConsistentRead"] for call in reads)


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_a_run_that_changes_its_status_while_it_is_looked_for_is_told_once(table: DynamoDb, limit: int) -> None:
    """It has been found among the active ones when the paused ones are asked for, and is one of those by then."""
    for number in range(2):
        table.store.create(head_of(f"run-{number}", started_at_ms=1000 + number))

    def pauses(_call: Call) -> None:
        table.store.commit(head_of("run-1", 1, status=Status.PAUSED, started_at_ms=1001), mark_ms=None)

    table.tap.clear()
    table.tap.at(LIST_SHARDS, "before", pauses)
    page = table.store.find(RunQuery(limit=limit))
    assert list(page.workflow_ids) == ["run-1", "run-0"][:limit]


def test_the_shards_of_a_status_are_asked_at_once_and_one_status_after_the_other(table: DynamoDb) -> None:
    """A listing of everything takes as long as six calls, not as forty-eight."""
    together = threading.Barrier(LIST_SHARDS, timeout=10)

    def meet(_call: Call) -> None:
        together.wait()

    table.tap.on("Query", "before", meet, times=len(Status) * LIST_SHARDS)
    assert table.store.find(RunQuery()).workflow_ids == []
    asked = [call.parameters["ExpressionAttributeValues"][":shard"]["S"] for call in table.tap.calls]
    assert [shard.partition("#")[0] for shard in asked] == [status for status in Status for _ in range(LIST_SHARDS)]


def test_a_sealed_object_is_read_cheaply_and_missed_for_sure(table: DynamoDb) -> None:
    """It never changes, so half a read unit is enough to find it; that it is not there, only a strong read knows."""
    table.store.put_sealed(SEGMENT)
    for key, consistent in ((SEGMENT.key, [False]), ("segment#000000009", [False, True])):
        table.tap.clear()
        table.store.load_sealed("run-1", key, life="nonce")
        assert [call.parameters["ConsistentRead"] for call in table.tap.calls] == consistent
    table.tap.clear()
    # The index of sealed objects lags: what the first read gives is an orphan of an earlier life.
    assert table.store.load_sealed("run-1", SEGMENT.key, life="another") is None
    assert [call.parameters["ConsistentRead"] for call in table.tap.calls] == [False, True]


def test_an_expiry_is_the_table_s_to_see_to_and_goes_with_the_next_commit(table: DynamoDb) -> None:
    """A failed run that an operator takes up again must not be deleted under its feet."""
    table.store.create(head_of())
    head = table.store.load("run-1")
    assert head is not None
    assert table.store.expire(head, expires_at_s=99)
    (item,) = table.items()
    assert isinstance(item, dict)
    assert item[EXPIRES_AT] == {"N": "99"}
    assert table.store.commit(head_of(version=1), mark_ms=1, call=HOLD) is not None
    heads = [found for found in table.items() if isinstance(found, dict) and found["sk"]["S"] == "head"]
    assert EXPIRES_AT not in heads[0]
