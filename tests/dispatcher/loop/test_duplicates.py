"""Messages that come twice, late, for nobody, or ahead of their run: each is acknowledged and changes nothing."""

from __future__ import annotations

import pytest

from dispatcher.messages import Continuation, Message, Wake
from engine import Status
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.examples import ARTICLE, DECISION
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.virtual_time import DAY, SECOND
from tests.dispatcher.wiretap import Call
from workflows import registry as content


def test_each_message_delivered_twice_in_turn(new_loop: NewLoop) -> None:
    """The second delivery finds its work done: no step is executed again, and deliveries stay bounded."""
    loop = new_loop(content)
    loop.start("content-approval", ARTICLE)
    _deliver_all_twice(loop)
    loop.time.pass_by(2 * SECOND)
    _deliver_all_twice(loop)
    loop.ask("POST", f"/webhooks/{loop.token()}", DECISION)
    _deliver_all_twice(loop)
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.executed() == {"submitted": 1, "rating": 2, "review": 2, "approved": 1, "published": 1}
    # Each delivery that crashed would have to send again, so a duplicate does: two messages a version at most.
    assert loop.deliveries <= 4 * loop.head().version
    assert loop.queued() == 0


def _deliver_all_twice(loop: MotoLoop) -> None:
    for _ in range(50):
        messages = loop.receive()
        if not messages:
            return
        assert not loop.invoke(messages)
        loop.acknowledge(messages, loop.invoke(messages))
    raise AssertionError("messages without end")


def test_two_deliveries_at_once(new_loop: NewLoop) -> None:
    """Both load the same version before either commits: one result counts, whole, and the run goes on once."""
    loop = new_loop(examples.chain(4))
    rival = loop.new_process()
    loop.start("chain")

    def deliver_to_the_rival(_call: Call) -> None:
        assert not loop.invoke(messages, rival)

    loop.tap.on("UpdateItem", "before", deliver_to_the_rival, times=100)
    while messages := loop.receive():
        loop.acknowledge(messages, loop.invoke(messages))
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.snapshot().output == ["a", "b", "c", "d"]
    assert loop.head().version == 4
    # The rival won each time, and the loser's write changed nothing.
    assert loop.tap.versions_written() == [0]
    assert loop.executed() == dict.fromkeys("abcd", 2)
    assert loop.failures == 0
    assert loop.queued() == 0


def test_a_loser_sends_nothing(new_loop: NewLoop) -> None:
    """Who loses the race leaves the continuation to the winner: one chain, not two."""
    loop = new_loop(examples.chain(3))
    rival = loop.new_process()
    loop.start("chain")
    messages = loop.receive()
    loop.tap.clear()

    def deliver_to_the_rival(_call: Call) -> None:
        assert not loop.invoke(messages, rival)

    loop.tap.on("UpdateItem", "before", deliver_to_the_rival)
    loop.acknowledge(messages, loop.invoke(messages))
    assert [call.operation for call in loop.tap.calls] == ["GetItem", "UpdateItem"]
    assert loop.queued() == 1


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (Continuation("run-1", 0), "stale"),
        (Continuation("run-1", 1), "stale by one"),
        (Continuation("run-1", 7), "ahead of its run"),
        (Continuation("run-9", 0), "for a run that never was"),
        (Wake("run-9"), "a nudge for a run that never was"),
        (Wake("run-1"), "a nudge for a wait nobody has answered"),
    ],
)
def test_a_message_about_nothing_is_acknowledged(new_loop: NewLoop, message: Message, what: str) -> None:
    """A week later still: it is gone, nothing was executed, nothing was written and nothing sent."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED
    before = loop.items()
    loop.time.pass_by(7 * DAY)
    loop.tap.clear()
    loop.send(message)
    loop.deliver_all()
    assert loop.queued() == 0, what
    assert loop.failures == 0, what
    assert loop.items() == before, what
    assert not [call for call in loop.tap.calls if call.writes], what
    assert loop.executed() == {"before": 1, "wait": 1}, what


@pytest.mark.parametrize("message", [Continuation("run-1", 0), Continuation("run-1", 3), Wake("run-1")])
def test_a_finished_run_stays_as_it_is(new_loop: NewLoop, message: Message) -> None:
    """Terminal is absorbing: whatever comes for the run is acknowledged, and its item stays the same."""
    loop = new_loop(examples.chain(3))
    loop.start("chain")
    loop.settle()
    before = loop.items()
    loop.send(message)
    loop.settle()
    assert loop.items() == before
    assert loop.executed() == dict.fromkeys("abc", 1)


def test_a_nudge_does_not_move_a_run_in_motion(new_loop: NewLoop) -> None:
    """A wake acts on a wait alone: for an active run, or one that waits to retry, it does nothing."""
    loop = new_loop(examples.retry(60 * SECOND))
    loop.start("retry")
    first = loop.receive()
    loop.send(Wake("run-1"))
    loop.deliver_all()
    assert not loop.executed()
    loop.acknowledge(first, loop.invoke(first))
    assert loop.snapshot().status is Status.ERROR
    loop.send(Wake("run-1"))
    loop.deliver_all()
    assert loop.executed() == {"flaky": 1}


def test_a_message_ahead_of_a_restored_table_is_left_to_the_sweep(new_loop: NewLoop) -> None:
    """The table was restored to an older state: messages of its future do nothing, the sweep goes on from there."""
    loop = new_loop(examples.chain(3))
    loop.start("chain")
    loop.purge()
    loop.send(Continuation("run-1", 2))
    loop.deliver_all()
    assert loop.head().version == 0
    loop.minutes(8)
    assert loop.snapshot().status is Status.COMPLETED
    assert set(loop.executed().values()) == {1}


def test_a_head_of_newer_code_is_left_to_newer_code(new_loop: NewLoop) -> None:
    """A deploy is in flight: old code puts the message back for a minute and touches nothing."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    _set_schema(loop, 2)
    before = loop.items()
    loop.deliver_all()
    assert loop.items() == before
    assert loop.failures == 0
    loop.advance(59 * SECOND)
    assert loop.deliveries == 1
    assert not loop.executed()
    _set_schema(loop, 1)
    loop.advance(1 * SECOND)
    assert loop.snapshot().status is Status.COMPLETED


def _set_schema(loop: MotoLoop, schema: int) -> None:
    loop.dynamodb.update_item(
        TableName=loop.resources.table_name,
        Key={"pk": {"S": "run#run-1"}, "sk": {"S": "head"}},
        UpdateExpression="SET #schema = :schema",
        ExpressionAttributeNames={"#schema": "schema"},
        ExpressionAttributeValues={":schema": {"N": str(schema)}},
    )
