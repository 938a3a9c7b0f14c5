"""Values beyond each limit end in a clear terminal error, never retried, with nothing half written."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dispatcher.bootstrap import Adapters, App
from dispatcher.front_door import PayloadTooLargeForRun, StartRequest
from dispatcher.limits import ITEM_BYTES_MAX
from dispatcher.memory import InMemoryRunStore, InMemoryStepQueue
from dispatcher.messages import Delivery, decode
from engine import Status
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.settings import SETTINGS, NoSecret
from tests.dispatcher.values import incompressible
from tests.dispatcher.virtual_time import DAY, MINUTE, VirtualTime

TOO_LARGE = incompressible(ITEM_BYTES_MAX + 1024)

# Each fits an item, both together do not. (moto counts bytes as base64, so its items hold a quarter less.)
LARGE = incompressible(160 * 1024)
ALSO_LARGE = incompressible(210 * 1024, "also")

NOT_JSON = {
    "NaN": math.nan,
    "infinity": -math.inf,
    "a NaN inside": {"a": [1, {"b": math.nan}]},
    "a lone surrogate": "\ud800",
    "a lone surrogate in a key": {"\udfff": 1},
    "an integer of 5,000 digits": 10**5000,
    "a set": {1},
    "bytes": b"x",
    "a key that is a number": {1: "one"},
    "nested very deeply": None,
}


def _deep() -> object:
    value: object = 0
    for _ in range(500):
        value = [value]
    return value


def _failed_with(loop: MotoLoop) -> str | None:
    """Type of the error a run has failed with."""
    snapshot = loop.snapshot()
    assert snapshot.status is Status.FAILED
    assert snapshot.error is not None
    return snapshot.error.error_type


@pytest.mark.parametrize("what", NOT_JSON)
def test_a_result_that_json_cannot_hold_fails_the_step(new_loop: NewLoop, what: str) -> None:
    """The run fails with InvalidOutput; the step is executed once although its policy would allow five."""
    loop = new_loop(examples.returning(_deep() if what.startswith("nested") else NOT_JSON[what]))
    loop.start("returning")
    loop.settle()
    assert _failed_with(loop) == "InvalidOutput"
    assert loop.executed() == {"value": 1}
    assert loop.failures == 0


@pytest.mark.parametrize("value", ["a\0b", "𝄞", "\x7f\x1b", -(2**4000), 1e308, [], {"": {}}])
def test_odd_values_pass_through_unchanged(new_loop: NewLoop, value: Any) -> None:
    """What JSON can hold comes back as it was, NUL included."""
    loop = new_loop(examples.returning(value))
    loop.start("returning")
    loop.settle()
    assert loop.snapshot().output == value
    assert loop.ask("GET", "/runs/run-1").body["output"] == value


def test_a_result_larger_than_an_item_fails_the_run(new_loop: NewLoop) -> None:
    """PayloadTooLarge, recorded in the history, by a commit of the version before; never retried."""
    loop = new_loop(examples.returning(TOO_LARGE))
    loop.start("returning")
    loop.settle()
    assert _failed_with(loop) == "PayloadTooLarge"
    assert loop.head().version == 1
    assert loop.executed() == {"value": 1}
    assert loop.failures == 0


def test_an_error_longer_than_an_item_fails_the_run(new_loop: NewLoop) -> None:
    """An exception's text is a value as well."""
    loop = new_loop(examples.raising(examples.Unavailable(TOO_LARGE)))
    loop.start("raising")
    loop.settle()
    assert loop.snapshot().status is Status.FAILED
    assert loop.failures == 0


def test_a_run_grown_to_the_limit_still_says_why_it_failed(time: VirtualTime) -> None:
    """Each result fits, all of them do not: the commit that closes the run has room of its own.

    In memory, since moto counts an item's old body beside its new one.
    """
    registry = examples.growing(incompressible(30 * 1024))
    queue = InMemoryStepQueue(lambda: time.now_ms)
    app = App(SETTINGS, Adapters(InMemoryRunStore(), queue, NoSecret()), registry)
    app.front_door.start(StartRequest(workflow="growing", workflow_id="run-1"))
    while messages := queue.receive():
        for message in messages:
            app.dispatcher.deliver(Delivery(message.message_id, message.receive_count, decode(message.body)))
            queue.delete(message.message_id)
    snapshot = app.front_door.show("run-1").snapshot
    assert snapshot.status is Status.FAILED
    assert snapshot.error is not None
    assert snapshot.error.error_type == "PayloadTooLarge"
    assert snapshot.version > 8


@pytest.mark.parametrize("kind", ["sleep", "timeout"])
def test_a_wait_beyond_the_year_9999_is_refused(new_loop: NewLoop, kind: str) -> None:
    """No date is written for its end: the step fails for good, and says what to leave out."""
    for_ever = 8000 * 366 * DAY
    loop = new_loop(examples.sleep(for_ever) if kind == "sleep" else examples.linked_wait([], timeout_ms=for_ever))
    loop.start("sleep" if kind == "sleep" else "linked-wait")
    loop.settle()
    assert _failed_with(loop) == "InvalidOutput"
    assert sum(loop.executed().values()) == 1
    error = loop.snapshot().error
    assert error is not None
    assert "9999" in str(error.error)


def test_a_signal_too_large_beside_what_the_run_holds_fails_it(new_loop: NewLoop) -> None:
    """Head and payload fit alone, not together: the run fails and says so, and the payload is not lost."""
    loop = new_loop(examples.big_wait(LARGE))
    loop.start("big-wait")
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED
    loop.new_process().front_door.signal("run-1", "go", ALSO_LARGE, idempotency_key="a")
    loop.settle()
    assert _failed_with(loop) == "PayloadTooLarge"
    assert loop.failures == 0
    assert len([item for item in loop.items() if item["sk"]["S"].startswith("inbox#")]) == 1


def test_a_payload_too_large_for_a_failed_attempt_fails_the_run(new_loop: NewLoop) -> None:
    """The payload must stay in the head until its step succeeds; where it cannot, the run fails and says so."""
    loop = new_loop(examples.big_wait(LARGE, fails=True))
    loop.start("big-wait")
    loop.settle()
    loop.new_process().front_door.signal("run-1", "go", ALSO_LARGE, idempotency_key="a")
    loop.settle()
    assert _failed_with(loop) == "PayloadTooLarge"
    assert loop.failures == 0


def test_an_input_too_large_starts_nothing(new_loop: NewLoop) -> None:
    """Nothing but the definition is written, nothing is sent."""
    loop = new_loop(examples.chain(1))
    with pytest.raises(PayloadTooLargeForRun, match="pass a reference"):
        loop.app.front_door.start(StartRequest(workflow="chain", input=TOO_LARGE, workflow_id="run-1"))
    assert not [item for item in loop.items() if item["pk"]["S"].startswith("run#")]
    assert loop.queued() == 0


def test_a_signal_too_large_writes_nothing(new_loop: NewLoop) -> None:
    """Neither inbox nor mark nor message."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    before = loop.items()
    with pytest.raises(PayloadTooLargeForRun, match="pass a reference"):
        loop.app.front_door.signal("run-1", "go", TOO_LARGE, idempotency_key=None)
    assert loop.items() == before
    assert loop.queued() == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/workflows/wait/runs"),
        ("POST", "/runs/run-1/signals/go"),
        ("POST", "/runs/run-1/resume"),
        ("POST", "/webhooks/{token}"),
    ],
)
def test_a_request_too_large_is_refused(new_loop: NewLoop, method: str, path: str) -> None:
    """413 for a body over 256 KB, whichever the route; nothing is written."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    path = path.format(token=loop.token())
    before = loop.items()
    answer = loop.http(method, path, b'"' + b"x" * (256 * 1024) + b'"')
    assert (answer.status, answer.body["title"]) == (413, "Content too large")
    assert loop.items() == before
    assert loop.queued() == 0


def test_a_run_that_never_ends_is_ended(new_loop: NewLoop) -> None:
    """RUN_STEPS_MAX transitions, then the run fails by itself: the last guard against a loop without end."""
    loop = new_loop(examples.endless(), run_steps_max=7)
    loop.start("endless")
    loop.settle()
    assert _failed_with(loop) == "RunStepsExceeded"
    assert loop.head().version == 8
    assert sum(loop.executed().values()) == 7


@pytest.mark.parametrize("per_invocation", [1, 3, 10])
def test_the_cap_counts_steps_not_messages(new_loop: NewLoop, per_invocation: int) -> None:
    """However many steps a message makes, the run ends after the same number of them."""
    loop = new_loop(examples.endless(), run_steps_max=7, steps_per_invocation=per_invocation)
    loop.start("endless")
    loop.settle()
    assert loop.snapshot().version == 8
    assert sum(loop.executed().values()) == 7


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
