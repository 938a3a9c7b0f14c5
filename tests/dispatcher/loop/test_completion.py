"""Without faults: every workflow comes to its end, each step exactly once."""

from __future__ import annotations

from engine import Status
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.examples import ARTICLE, DECISION
from tests.dispatcher.virtual_time import SECOND
from workflows import registry as content


def test_content_approval_runs_from_start_to_end(new_loop: NewLoop) -> None:
    """The example workflow: a failed attempt, its retry, a webhook, the branch, the output."""
    loop = new_loop(content)
    loop.start("content-approval", ARTICLE)
    loop.deliver_all()
    assert loop.snapshot().status is Status.ERROR
    loop.advance(2 * SECOND)
    assert loop.snapshot().status is Status.PAUSED
    assert loop.ask("POST", f"/webhooks/{loop.token()}", DECISION).status == 202
    loop.deliver_all()
    answer = loop.http("GET", "/runs/run-1")
    assert answer.body["status"] == "completed"
    assert answer.body["output"] == {
        "slug": "on-queues",
        "approved_by": "mara",
        "receipt": answer.body["output"]["receipt"],
    }
    assert loop.executed() == {"submitted": 1, "rating": 2, "review": 2, "approved": 1, "published": 1}
    assert loop.queued() == 0
    assert not loop.parked()


def test_a_step_costs_one_delivery(new_loop: NewLoop) -> None:
    """Deliveries are bounded: one a step, and one more for each retry, with nothing failed."""
    loop = new_loop(content)
    loop.start("content-approval", ARTICLE)
    loop.settle()
    loop.ask("POST", f"/webhooks/{loop.token()}", DECISION)
    loop.settle()
    # submitted, rating twice, review, then the wake (which executes review again), approved, published.
    assert loop.deliveries == 7
    assert loop.failures == 0
    assert loop.tap.versions_written() == list(range(8))


def test_a_chain_runs_each_step_once_in_order(new_loop: NewLoop) -> None:
    """Versions follow each other without a gap, and the output is what the order gives."""
    loop = new_loop(examples.chain(6))
    loop.start("chain")
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.snapshot().output == ["a", "b", "c", "d", "e", "f"]
    assert set(loop.executed().values()) == {1}
    assert loop.deliveries == 6
    assert loop.tap.versions_written() == list(range(7))


def test_many_runs_share_a_batch(new_loop: NewLoop) -> None:
    """A batch holds messages of many runs; each comes to its own end."""
    loop = new_loop(examples.choice())
    for number in range(14):
        loop.start("choice", {"n": number}, run=f"run-{number}")
    loop.settle()
    for number in range(14):
        snapshot = loop.snapshot(f"run-{number}")
        assert snapshot.status is Status.COMPLETED
        assert snapshot.output == ({"big": number} if number > 10 else False)
    assert loop.deliveries == 14 + 3


def test_a_plain_step_is_one_read_one_write_one_send(new_loop: NewLoop) -> None:
    """What a step costs in calls: read the head, commit it, send the continuation."""
    loop = new_loop(examples.chain(3))
    loop.start("chain")
    loop.tap.clear()
    loop.settle()
    step = ["GetItem", "UpdateItem", "SendMessage"]
    assert [call.operation for call in loop.tap.calls] == [*step, *step, *step[:2]]


def test_most_steps_leave_the_due_mark_alone(new_loop: NewLoop) -> None:
    """A start sets the mark near; the first step moves it away; the next ones need not touch it."""
    loop = new_loop(examples.chain(4))
    loop.start("chain")
    loop.settle()
    marks = [
        ":due_at" in call.parameters["ExpressionAttributeValues"]
        for call in loop.tap.calls
        if call.operation == "UpdateItem"
    ]
    assert marks == [True, False, False, False]
