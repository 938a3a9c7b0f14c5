"""A run that is cancelled ends, whatever it is doing, and stays ended."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.messages import Continuation, Wake
from dispatcher.operator_calls import Caller
from engine import Status
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import Answer, MotoLoop
from tests.dispatcher.virtual_time import HOUR, MINUTE, SECOND
from tests.dispatcher.wiretap import Call, answer_500, crash, lose_the_answer


def _cancel(loop: MotoLoop, *, key: str | None = "cancel-1", reason: str | None = "a mistake") -> Answer:
    headers = {} if key is None else {"idempotency-key": key}
    return loop.ask("POST", "/runs/run-1/cancel", {"reason": reason}, headers)


@pytest.mark.parametrize("kind", ["active", "paused", "retrying"])
def test_a_live_run_is_ended(new_loop: NewLoop, kind: str) -> None:
    """One version more, no result more; nothing of it runs afterwards, by message, timer or sweep."""
    registry = {"active": examples.chain(3), "paused": examples.wait(timeout_ms=HOUR), "retrying": examples.retry(HOUR)}
    loop = new_loop(registry[kind])
    loop.start({"active": "chain", "paused": "wait", "retrying": "retry"}[kind])
    loop.deliver()
    if kind != "active":
        loop.deliver_all()
    before, executed = loop.head(), loop.executed()
    answer = _cancel(loop)
    assert (answer.status, answer.body["status"], answer.body["version"]) == (202, "cancelled", before.version + 1)
    loop.settle()
    for _ in range(7):
        loop.advance(10 * MINUTE)
        loop.sweep()
    loop.deliver_all()
    head = loop.head()
    assert (head.snapshot.status, head.version) == (Status.CANCELLED, before.version + 1)
    assert list(head.snapshot.context.entries()) == list(before.snapshot.context.entries())
    assert loop.executed() == executed
    assert head.due_at_ms is None


def test_the_result_of_a_step_under_way_is_dropped(new_loop: NewLoop) -> None:
    """It was executed when the run was cancelled: its commit loses, whole, and its message goes."""
    loop = new_loop(examples.chain(3))
    loop.start("chain")
    rival = loop.new_process()

    def cancelled(_call: Call) -> None:
        rival.operator_calls.cancel("run-1", Caller(actor="ops"))

    loop.tap.on("UpdateItem", "before", cancelled)
    loop.settle()
    assert loop.snapshot().status is Status.CANCELLED
    assert loop.head().version == 1
    assert not list(loop.snapshot().context.entries())
    assert loop.executed() == {"a": 1}
    assert loop.failures == 0


def test_a_step_that_commits_meanwhile_is_followed_by_the_cancel(new_loop: NewLoop) -> None:
    """The cancel finds the run one version on and tries again: both are in the history."""
    loop = new_loop(examples.chain(3))
    loop.start("chain")
    rival = loop.new_process()
    messages = loop.receive()

    def steps(_call: Call) -> None:
        loop.acknowledge(messages, loop.invoke(messages, rival))

    loop.tap.on("TransactWriteItems", "before", steps)
    assert _cancel(loop).body["version"] == 2
    loop.settle()
    kinds = [entry["kind"] for entry in loop.ask("GET", "/runs/run-1/history").body["entries"]]
    assert kinds == ["succeeded", "cancelled"]


def test_it_says_who_and_why(new_loop: NewLoop) -> None:
    """In the history, once."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    _cancel(loop)
    last = loop.ask("GET", "/runs/run-1/history").body["entries"][-1]
    assert (last["kind"], last["actor"], last["reason"]) == ("cancelled", "anonymous", "a mistake")
    assert last["at"] == loop.time.now_ms


@pytest.mark.parametrize("key", ["cancel-1", "cancel-2", None])
def test_repeated_it_changes_nothing(new_loop: NewLoop, key: str | None) -> None:
    """With its key, with another, with none: the run is where the call wants it."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    _cancel(loop)
    before = loop.items()
    answer = _cancel(loop, key=key)
    assert (answer.status, answer.body["status"]) == (202, "cancelled")
    assert loop.items() == before


def test_a_run_that_has_ended_otherwise_is_not_cancelled(new_loop: NewLoop) -> None:
    """409; and 404 for one that never was. Nothing is written."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    loop.settle()
    before = loop.items()
    assert _cancel(loop).status == 409
    assert loop.ask("POST", "/runs/run-9/cancel").status == 404
    assert loop.items() == before


@pytest.mark.parametrize("message", [Continuation("run-1", 0), Continuation("run-1", 2), Wake("run-1")])
def test_a_cancelled_run_stays_cancelled(new_loop: NewLoop, message: Any) -> None:
    """Whatever comes: messages of any version, signals, retries, holds."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.deliver()
    _cancel(loop)
    loop.settle()
    before = loop.items()
    loop.send(message)
    loop.settle()
    for call in ("signals/go", "resume", "retry", "pause"):
        assert loop.ask("POST", f"/runs/run-1/{call}", None).status == 409, call
    assert loop.items() == before
    assert loop.executed() == {"before": 1}


@pytest.mark.parametrize("fault", [crash, lose_the_answer, answer_500])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fault_at_any_of_its_calls(new_loop: NewLoop, when: Any, fault: Any) -> None:
    """The caller repeats the request with its key: cancelled once."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    version = loop.head().version
    loop.tap.clear()
    loop.tap.on("TransactWriteItems", when, fault)
    assert _cancel(loop).status == 202
    loop.advance(5 * SECOND)
    assert (loop.snapshot().status, loop.head().version) == (Status.CANCELLED, version + 1)
    calls = [item for item in loop.items() if item["sk"]["S"].startswith("call#")]
    assert len(calls) == 1


def test_a_signal_that_was_taken_leaves_with_the_run(new_loop: NewLoop) -> None:
    """The commit before took one and its process died: the cancel cleans up behind it."""
    loop = new_loop(examples.asking_twice())
    loop.start("asking-twice")
    loop.settle()
    loop.signal("go", 1)
    loop.tap.on("UpdateItem", "after", crash)
    loop.deliver()
    assert [item for item in loop.items() if item["sk"]["S"].startswith("inbox#")]
    _cancel(loop)
    assert not [item for item in loop.items() if item["sk"]["S"].startswith("inbox#")]
    loop.minutes(2)
    assert loop.snapshot().status is Status.CANCELLED
