"""What the queue has given up: sent again, acknowledged or parked."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.dead_letter_handler import handle_dead_letters
from dispatcher.messages import Continuation, Message, Wake, encode
from engine import Status
from local.poller import FunctionContext, failed_ids, queue_event
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.virtual_time import HOUR, MINUTE, SECOND
from tests.dispatcher.wiretap import crash, lose_the_answer


def _consume(loop: MotoLoop, *bodies: Message | str) -> set[str]:
    """Gives messages to the consumer; returns the ids it names."""
    records = [
        {"messageId": f"dead-{number}", "body": body if isinstance(body, str) else encode(body)}
        for number, body in enumerate(bodies)
    ]
    return failed_ids(handle_dead_letters(loop.app, {"Records": records}, FunctionContext()))


def test_a_message_that_was_throttled_is_sent_again(new_loop: NewLoop) -> None:
    """Five deliveries met an outage: the run is well, so its message goes back, and the run ends."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    loop.tap.on("GetItem", "before", lose_the_answer, times=5)
    loop.settle()
    assert loop.queued(loop.resources.dead_letter_queue_url) == 1
    assert not loop.executed()
    assert _consume(loop, Continuation("run-1", 0)) == set()
    assert not loop.executed()
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert not loop.parked()


def test_it_executes_nothing(new_loop: NewLoop) -> None:
    """It writes nothing either: what it finds due it sends, for the run's tenant."""
    loop = new_loop(examples.chain(2))
    loop.ask("POST", "/workflows/chain/runs", {"workflowId": "run-1", "tenant": "acme"})
    loop.purge()
    before = loop.items()
    loop.tap.clear()
    assert _consume(loop, Continuation("run-1", 0)) == set()
    (sent,) = [call for call in loop.tap.calls if call.writes]
    assert (sent.operation, sent.parameters["MessageGroupId"]) == ("SendMessage", "acme")
    assert "DelaySeconds" not in sent.parameters or sent.parameters["DelaySeconds"] == 0
    assert loop.items() == before
    assert not loop.executed()


@pytest.mark.parametrize("body", ["no JSON", "{}", '{"workflowId": "run#1", "version": 0}', "x" * 10_000])
def test_what_nobody_understands_is_parked(new_loop: NewLoop, body: str) -> None:
    """With its reason, where the alarm watches; it is acknowledged and not sent again."""
    loop = new_loop(examples.chain(1))
    assert _consume(loop, body) == set()
    ((parked, reason),) = loop.parked()
    assert parked == body
    assert "MalformedMessage" in reason
    assert loop.queued() == 0


def test_a_head_that_cannot_be_read_is_parked(new_loop: NewLoop) -> None:
    """It is of no form this code ever wrote: somebody must look."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    loop.purge()
    loop.dynamodb.update_item(
        TableName=loop.resources.table_name,
        Key={"pk": {"S": "run#run-1"}, "sk": {"S": "head"}},
        UpdateExpression="SET body = :body",
        ExpressionAttributeValues={":body": {"B": b"damaged"}},
    )
    assert _consume(loop, Continuation("run-1", 0)) == set()
    ((_, reason),) = loop.parked()
    assert "HistoryDamaged" in reason


@pytest.mark.parametrize("message", [Continuation("run-1", 0), Continuation("run-1", 3), Wake("run-1")])
def test_what_is_over_is_acknowledged(new_loop: NewLoop, message: Message) -> None:
    """A finished run, a stale version, a run that never was: nothing is sent, nothing parked, nothing written."""
    loop = new_loop(examples.chain(3))
    loop.start("chain")
    loop.settle()
    before = loop.items()
    assert _consume(loop, message, Continuation("nobody", 1), Wake("nobody")) == set()
    assert loop.items() == before
    assert loop.queued() == 0
    assert not loop.parked()


def test_a_signal_that_nobody_took_is_sent_on(new_loop: NewLoop) -> None:
    """The nudge had died: the run waits for what is in its inbox. A wait for another name is left alone."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    _consume(loop, Wake("run-1"))
    assert loop.queued() == 0
    loop.signal("go", 1)
    loop.purge()
    _consume(loop, Wake("run-1"))
    loop.settle()
    assert loop.snapshot().output == {"got": 1}


def test_a_timer_that_is_not_due_is_sent_for_its_time(new_loop: NewLoop) -> None:
    """For the exact rest, within the queue's reach; beyond it the mark has it."""
    loop = new_loop(examples.retry(10 * MINUTE))
    loop.start("retry")
    loop.deliver_all()
    loop.purge()
    loop.time.pass_by(9 * MINUTE)
    loop.tap.clear()
    _consume(loop, Continuation("run-1", 1))
    (sent,) = [call for call in loop.tap.calls if call.operation == "SendMessage"]
    assert sent.parameters["DelaySeconds"] == 60
    loop.advance(MINUTE)
    assert loop.snapshot().status is Status.COMPLETED
    loop.deploy(examples.retry(2 * HOUR))
    loop.start("retry", run="far")
    loop.deliver_all()
    loop.purge()
    _consume(loop, Continuation("far", 1))
    assert loop.queued() == 0


def test_a_held_run_is_left_alone(new_loop: NewLoop) -> None:
    """The release sends."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    loop.purge()
    loop.ask("POST", "/runs/run-1/pause")
    assert _consume(loop, Continuation("run-1", 0)) == set()
    assert loop.queued() == 0


def test_a_commit_whose_send_was_lost_is_sent(new_loop: NewLoop) -> None:
    """The dead letter is the message whose delivery committed and died each time after: it sends what is next."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    messages = loop.receive()
    loop.tap.on("SendMessage", "before", crash)
    loop.invoke(messages)
    assert loop.head().version == 1
    response: Any = handle_dead_letters(loop.app, queue_event(messages), FunctionContext())
    assert response == {"batchItemFailures": []}
    loop.acknowledge(messages)
    loop.settle()
    assert loop.snapshot().output == ["a", "b"]
    assert loop.executed() == {"a": 1, "b": 1}


def test_one_record_never_changes_anothers_outcome(new_loop: NewLoop) -> None:
    """What cannot be read now comes back; the rest is done."""
    loop = new_loop(examples.chain(1))
    for run in ("run-1", "unlucky"):
        loop.start("chain", run=run)
    loop.purge()
    loop.tap.on("GetItem", "before", lose_the_answer, key="run#unlucky")
    assert _consume(loop, Continuation("unlucky", 0), "no JSON", Continuation("run-1", 0)) == {"dead-0"}
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.snapshot("unlucky").version == 0
    assert len(loop.parked()) == 1


def test_newer_code_s_runs_are_left_to_newer_code(new_loop: NewLoop) -> None:
    """A deploy is in flight: the message is put back for a minute."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    loop.purge()
    loop.dynamodb.update_item(
        TableName=loop.resources.table_name,
        Key={"pk": {"S": "run#run-1"}, "sk": {"S": "head"}},
        UpdateExpression="SET #schema = :schema",
        ExpressionAttributeNames={"#schema": "schema"},
        ExpressionAttributeValues={":schema": {"N": "99"}},
    )
    loop.tap.clear()
    assert _consume(loop, Continuation("run-1", 0)) == set()
    (sent,) = [call for call in loop.tap.calls if call.operation == "SendMessage"]
    assert sent.parameters["DelaySeconds"] == 60 * SECOND // 1000
    assert not loop.parked()
