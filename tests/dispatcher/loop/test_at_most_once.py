"""Steps that ask to be executed at most once: claimed before they begin, never begun twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dispatcher.limits import CLAIM_SKEW_MS
from dispatcher.messages import Continuation
from engine import Registry, Status, Step
from engine.json_value import JsonValue
from local.poller import FUNCTION_TIMEOUT_MS
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.virtual_time import SECOND
from tests.dispatcher.wiretap import Crash, crash, lose_the_answer

CLAIM_MS = FUNCTION_TIMEOUT_MS + CLAIM_SKEW_MS


def _once(act: Callable[[Step], JsonValue], *, attempts: int = 5, catch: bool = False) -> Registry:
    """A node that is executed at most once, its policy allowing five attempts, and one that tells what it gave."""
    made = Registry()

    @made.node("test:once")
    def once(_data: JsonValue, step: Step) -> JsonValue:
        """Acts."""
        return act(step)

    policy = {"atMostOnce": True, "retry": {"maxAttempts": attempts, "interval": 1000}}
    nodes: list[Mapping[str, Any]] = [
        {"id": "once", "type": "test:once", "policy": policy},
        {"id": "then", "type": "core:set", "data": "{{ previous }}"},
        {"id": "ask", "type": "core:set", "data": "{{ nodes.once.last.error }}"},
    ]
    edges = [("once", "then"), ("once", "ask", "error:Interrupted")]
    examples.add(made, "once", nodes, edges if catch else edges[:1])
    return made


def _dies(_step: Step) -> JsonValue:
    raise Crash


def test_a_step_that_is_not_disturbed_is_executed_once(new_loop: NewLoop) -> None:
    """Claimed until its function must have been stopped, and a little longer; the commit clears the claim."""
    loop = new_loop(_once(lambda _step: claims.append(loop.head().claim_until_ms)))
    claims: list[int | None] = []
    loop.start("once")
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert claims == [loop.time.now_ms + CLAIM_MS]
    assert loop.head().claim_until_ms is None
    assert loop.executed() == {"once": 1, "then": 1}


def test_a_step_whose_process_died_is_interrupted(new_loop: NewLoop) -> None:
    """It may have taken effect: whatever its policy says of failures, it is not executed again."""
    loop = new_loop(_once(_dies))
    loop.start("once")
    loop.settle()
    snapshot = loop.snapshot()
    assert snapshot.status is Status.FAILED
    assert snapshot.error is not None
    assert snapshot.error.error_type == "Interrupted"
    assert loop.executed() == {"once": 1}
    assert loop.queued(loop.resources.dead_letter_queue_url) == 0


def test_an_interruption_can_be_caught(new_loop: NewLoop) -> None:
    """Somebody looks whether it took effect."""
    loop = new_loop(_once(_dies, catch=True))
    loop.start("once")
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert "twice" in str(loop.snapshot().output)
    assert loop.executed() == {"once": 1, "ask": 1}


def test_nothing_is_recorded_before_the_holder_must_be_gone(new_loop: NewLoop) -> None:
    """A redelivery before that is sent again for the rest of the time, to the second, and then records it."""
    loop = new_loop(_once(_dies))
    loop.start("once")
    loop.deliver()
    loop.purge()
    loop.time.pass_by(10 * SECOND)
    loop.send(Continuation("run-1", 0))
    loop.tap.clear()
    loop.deliver_all()
    (sent,) = [call for call in loop.tap.calls if call.operation == "SendMessage"]
    assert sent.parameters["DelaySeconds"] == (CLAIM_MS - 10 * SECOND) // SECOND
    loop.advance(CLAIM_MS - 10 * SECOND - 1)
    assert loop.snapshot().status is Status.ACTIVE
    loop.advance(1)
    assert loop.snapshot().status is Status.FAILED
    assert loop.executed() == {"once": 1}


def test_a_duplicate_meanwhile_comes_back_later(new_loop: NewLoop) -> None:
    """Delivered while the step is executed, by another process: it is put off, and finds its work done."""
    loop = new_loop(_once(lambda _step: deliver_again()))
    rival = loop.new_process()
    loop.start("once")
    messages = loop.receive()

    def deliver_again() -> JsonValue:
        assert not loop.invoke(messages, rival)
        return "once"

    loop.acknowledge(messages, loop.invoke(messages))
    assert loop.executed() == {"once": 1}
    # The continuation, and the duplicate that was put off.
    assert loop.queued() == 2
    loop.deliver_all()
    assert loop.snapshot().output == "once"
    loop.advance(CLAIM_MS)
    assert loop.queued() == 0
    assert loop.executed() == {"once": 1, "then": 1}
    assert loop.failures == 0


def test_two_that_claim_at_once(new_loop: NewLoop) -> None:
    """Both have read the unclaimed head: one write wins, and that one executes."""
    loop = new_loop(_once(lambda _step: "once"))
    rival = loop.new_process()
    loop.start("once")
    messages = loop.receive()

    def deliver_to_the_rival(_call: object) -> None:
        assert not loop.invoke(messages, rival)

    loop.tap.on("UpdateItem", "before", deliver_to_the_rival, key="claim_id")
    loop.acknowledge(messages, loop.invoke(messages))
    loop.settle()
    assert loop.snapshot().output == "once"
    assert loop.executed() == {"once": 1, "then": 1}


@pytest.mark.parametrize("fault", [crash, lose_the_answer])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("write", ["claim_id", "body"])
def test_a_fault_at_its_writes(new_loop: NewLoop, write: str, when: Any, fault: Any) -> None:
    """At the claim or at the commit: the step is executed once at most, and the run ends."""
    loop = new_loop(_once(lambda _step: "once"))
    loop.start("once")
    loop.tap.on("UpdateItem", when, fault, key=write)
    loop.settle()
    assert loop.snapshot().status in {Status.COMPLETED, Status.FAILED}
    assert loop.executed().get("once", 0) <= 1
    if when == "before" and write == "claim_id":
        assert loop.snapshot().output == "once"


def test_its_own_failure_is_retried_as_its_policy_says(new_loop: NewLoop) -> None:
    """An error it raises tells that it is over: another attempt is another execution, claimed again."""

    def fail_twice(step: Step) -> JsonValue:
        if step.attempt <= 2:
            raise examples.Unavailable(f"attempt {step.attempt}")
        return step.attempt

    loop = new_loop(_once(fail_twice))
    loop.start("once")
    loop.settle()
    assert loop.snapshot().output == 3
    assert loop.executed()["once"] == 3
    assert len([call for call in loop.tap.calls if "claim_id = :claim" in str(call.parameters)]) == 3


def test_other_steps_are_not_claimed(new_loop: NewLoop) -> None:
    """A claim costs a write: who does not ask for one does not pay."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    loop.settle()
    assert not [call for call in loop.tap.calls if "claim_id = " in str(call.parameters)]
