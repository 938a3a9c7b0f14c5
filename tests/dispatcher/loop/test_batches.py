"""Batches: what nobody can act on is parked, and one record never changes another's outcome."""

from __future__ import annotations

import json
from asyncio import CancelledError
from typing import Any

import pytest

from dispatcher.handler import handle
from dispatcher.limits import ANOTHER_STEP_NEEDS_MS
from dispatcher.messages import Continuation, encode
from engine import Status
from local.poller import FunctionContext
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.wiretap import Crash, lose_the_answer, raising

MALFORMED = {
    "no JSON": "hello",
    "empty but for a space": " ",
    "half a document": '{"workflowId": "run-1"',
    "text": '"run-1"',
    "a number": "7",
    "null": "null",
    "a list": '[{"workflowId": "run-1", "version": 0}]',
    "an empty object": "{}",
    "no version": '{"workflowId": "run-1"}',
    "version as text": '{"workflowId": "run-1", "version": "0"}',
    "version as a boolean": '{"workflowId": "run-1", "version": true}',
    "version with a fraction": '{"workflowId": "run-1", "version": 0.5}',
    "a negative version": '{"workflowId": "run-1", "version": -1}',
    "version is NaN": '{"workflowId": "run-1", "version": NaN}',
    "a version of 5,000 digits": f'{{"workflowId": "run-1", "version": {"9" * 5000}}}',
    "wake is not true": '{"workflowId": "run-1", "wake": "yes"}',
    "an empty id": '{"workflowId": "", "version": 0}',
    "an id that is a number": '{"workflowId": 1, "version": 0}',
    "an id longer than a key": json.dumps({"workflowId": "r" * 3000, "version": 0}),
    "an id with a separator": '{"workflowId": "run#1", "version": 0}',
    "an id with a lone surrogate": '{"workflowId": "\\ud800", "version": 0}',
    "an id with NUL": '{"workflowId": "a\\u0000b", "wake": true}',
    "nested very deeply": "[" * 100_000,
    "as long as the queue takes": '{"workflowId": "' + "x" * (1_048_576 - 16),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_message_is_parked(new_loop: NewLoop, what: str) -> None:
    """It is parked with a reason and acknowledged: it burns no redelivery and touches no run."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    first = loop.receive()
    before = loop.items()
    loop.send(MALFORMED[what])
    messages = loop.receive()
    failed = loop.invoke(messages)
    assert failed == set()
    ((body, reason),) = loop.parked()
    assert MALFORMED[what].startswith(body[:1000])
    assert len(body) > 0.99 * len(MALFORMED[what])
    assert reason
    assert loop.items() == before
    loop.acknowledge([*first, *messages])


def test_one_record_never_changes_anothers_outcome(new_loop: NewLoop) -> None:
    """Good, malformed, unknown, and one whose read fails: only the last comes back, all others are done."""
    loop = new_loop(examples.choice())
    for run in ("good-1", "unlucky", "good-2"):
        loop.start("choice", {"n": 1}, run=run)
    loop.send("no JSON")
    loop.send(Continuation("unknown", 3))
    loop.tap.on("GetItem", "before", lose_the_answer, key="run#unlucky")
    messages = loop.receive()
    unlucky = {message["MessageId"] for message in messages if "unlucky" in message["Body"]}
    failed = loop.invoke(messages)
    assert failed == unlucky
    loop.acknowledge(messages, failed)
    assert loop.snapshot("good-1").status is Status.COMPLETED
    assert loop.snapshot("good-2").status is Status.COMPLETED
    assert loop.snapshot("unlucky").version == 0
    assert len(loop.parked()) == 1
    loop.settle()
    assert loop.snapshot("unlucky").status is Status.COMPLETED


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError"]
)
def test_a_throttled_delivery_comes_back(new_loop: NewLoop, code: str) -> None:
    """Throttling is nobody's failure: the message comes back, the step is executed, the run ends."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    loop.tap.on("UpdateItem", "before", raising(code), times=2)
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.failures == 2


def test_a_record_without_an_id_is_never_named(new_loop: NewLoop) -> None:
    """An empty or unknown id in the answer fails the whole batch: records without one are left out of it."""
    loop = new_loop(examples.choice())
    loop.start("choice", {"n": 1}, run="good")
    loop.start("choice", {"n": 1}, run="unlucky")
    loop.tap.on("GetItem", "before", lose_the_answer, key="run#unlucky")
    records: list[dict[str, Any]] = [
        {"messageId": "", "body": encode(Continuation("unlucky", 0)), "attributes": {}},
        {"body": encode(Continuation("unlucky", 0))},
        {"messageId": "named", "body": encode(Continuation("good", 0))},
    ]
    assert handle(loop.app, {"Records": records}, FunctionContext()) == {"batchItemFailures": []}
    assert loop.snapshot("good").status is Status.COMPLETED


@pytest.mark.parametrize("record", [{}, {"messageId": "m"}, {"messageId": "m", "body": None}, {"body": 7}])
def test_a_record_of_no_known_shape_is_parked(new_loop: NewLoop, record: object) -> None:
    """No shape of a record raises; what holds no message is parked."""
    loop = new_loop(examples.choice())
    loop.start("choice", {"n": 1}, run="good")
    good = {"messageId": "good", "body": encode(Continuation("good", 0)), "attributes": None}
    response = handle(loop.app, {"Records": [record, good]}, FunctionContext())
    assert response == {"batchItemFailures": []}
    assert loop.snapshot("good").status is Status.COMPLETED
    assert len(loop.parked()) == 1


def test_an_empty_batch_is_no_failure(new_loop: NewLoop) -> None:
    """Nothing in, nothing out."""
    loop = new_loop(examples.choice())
    assert handle(loop.app, {"Records": []}, FunctionContext()) == {"batchItemFailures": []}


class _ShortOfTime(FunctionContext):
    """A context whose time is nearly over once it has been asked as often as there is time."""

    def __init__(self, *left_ms: int) -> None:
        super().__init__()
        self._left_ms = list(left_ms)

    def get_remaining_time_in_millis(self) -> int:
        """What is left now."""
        return self._left_ms.pop(0) if len(self._left_ms) > 1 else self._left_ms[0]


def test_a_batch_that_runs_out_of_time_leaves_the_rest_untouched(new_loop: NewLoop) -> None:
    """To be stopped in mid-step would bring back the whole batch: the rest is named and nothing is called for it."""
    loop = new_loop(examples.choice())
    for number in range(4):
        loop.start("choice", {"n": 1}, run=f"run-{number}")
    records = [
        {"messageId": f"m-{number}", "body": encode(Continuation(f"run-{number}", 0)), "attributes": {}}
        for number in range(4)
    ]
    # Asked for the deadline, then before the second, the third and the fourth record.
    context = _ShortOfTime(30_000, ANOTHER_STEP_NEEDS_MS, ANOTHER_STEP_NEEDS_MS - 1)
    loop.tap.clear()
    response = handle(loop.app, {"Records": records}, context)
    assert response == {"batchItemFailures": [{"itemIdentifier": "m-2"}, {"itemIdentifier": "m-3"}]}
    assert [loop.snapshot(f"run-{number}").version for number in range(4)] == [1, 1, 0, 0]
    assert not [call for call in loop.tap.calls if "run-2" in str(call.parameters) or "run-3" in str(call.parameters)]


def test_the_first_record_of_a_batch_has_its_try(new_loop: NewLoop) -> None:
    """However little time there is: a function too short for any step would otherwise never do one."""
    loop = new_loop(examples.choice())
    loop.start("choice", {"n": 1})
    records = [{"messageId": "m", "body": encode(Continuation("run-1", 0))}]
    assert handle(loop.app, {"Records": records}, _ShortOfTime(1000)) == {"batchItemFailures": []}
    assert loop.snapshot().version == 1


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), CancelledError("stop")])
def test_a_node_that_ends_the_process_fails_its_step(new_loop: NewLoop, error: BaseException) -> None:
    """Its policy retries it as any failure, then the run has failed; the process and the rest of its batch go on."""
    loop = new_loop(examples.raising(error))
    loop.start("raising", run="bad")
    loop.settle()
    snapshot = loop.snapshot("bad")
    assert snapshot.status is Status.FAILED
    assert snapshot.error is not None
    assert snapshot.error.error_type == type(error).__name__
    assert loop.executed("bad") == {"raise": 2}
    assert loop.failures == 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Crash])
def test_what_ends_the_process_is_no_failure_of_a_step(new_loop: NewLoop, kind: type[BaseException]) -> None:
    """Whoever runs the process stops it: nothing is decided, and the message comes back."""
    loop = new_loop(examples.raising(kind()))
    loop.start("raising")
    records = [{"messageId": "m", "body": encode(Continuation("run-1", 0))}]
    with pytest.raises(kind):
        handle(loop.app, {"Records": records}, FunctionContext())
    assert loop.head().version == 0


def test_a_poisonous_message_ends_on_the_dead_letter_queue(new_loop: NewLoop) -> None:
    """A message whose delivery never succeeds is delivered five times and then kept for a human."""
    loop = new_loop(examples.choice())
    loop.start("choice", {"n": 1})
    loop.tap.on("GetItem", "before", lose_the_answer, times=100)
    loop.settle()
    assert loop.deliveries == 5
    assert loop.queued(loop.resources.dead_letter_queue_url) == 1
