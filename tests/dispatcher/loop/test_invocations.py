"""Several steps to a message: each is committed, one message is sent at the end."""

from __future__ import annotations

from engine import Status
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.virtual_time import MINUTE


def test_several_steps_a_message(new_loop: NewLoop) -> None:
    """Each step is committed, one message is sent at the end: seven steps, three messages."""
    loop = new_loop(examples.chain(7), steps_per_invocation=3)
    loop.start("chain")
    loop.settle()
    assert loop.snapshot().output == list("abcdefg")
    assert loop.deliveries == 3
    assert loop.tap.versions_written() == list(range(8))
    assert len([call for call in loop.tap.calls if call.operation == "SendMessage"]) == 3


def test_another_step_only_while_there_is_time(new_loop: NewLoop) -> None:
    """A step that used up the function's time is the last of its message: the rest goes by the queue."""
    loop = new_loop(examples.chain(3), steps_per_invocation=3)
    loop.start("chain")
    loop.tap.on("UpdateItem", "after", lambda _call: loop.time.pass_by(25_000))
    loop.deliver()
    assert loop.head().version == 1
    assert loop.queued() == 1
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED


def test_a_wait_ends_a_message(new_loop: NewLoop) -> None:
    """A run that waits is not stepped on, however many steps a message may make."""
    loop = new_loop(examples.wait(timeout_ms=MINUTE), steps_per_invocation=10)
    loop.start("wait")
    loop.deliver_all()
    assert loop.snapshot().status is Status.PAUSED
    assert loop.executed() == {"before": 1, "wait": 1}
    loop.advance(MINUTE)
    assert loop.snapshot().output == {"late": True}
