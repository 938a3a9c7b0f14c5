"""Values beyond each limit end in a clear terminal error, never retried, with nothing half written."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from dispatcher.front_door import PayloadTooLargeForRun
from dispatcher.limits import ITEM_BYTES_MAX, REQUEST_BODY_BYTES_MAX
from engine import Status
from engine.limits import ERROR_CHARACTERS_MAX
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.memory_loop import MemoryLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.values import incompressible
from tests.dispatcher.virtual_time import DAY, VirtualTime

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


def test_an_error_longer_than_an_item_is_cut(new_loop: NewLoop) -> None:
    """An exception's text is kept in the head: its beginning is, and its length is told."""
    text = incompressible(ITEM_BYTES_MAX)
    loop = new_loop(examples.raising(examples.Unavailable(text)))
    loop.start("raising")
    loop.settle()
    assert _failed_with(loop) == "Unavailable"
    error = loop.snapshot().error
    assert error is not None
    assert text[:ERROR_CHARACTERS_MAX] in str(error.error)
    assert f"{len(text)} characters" in str(error.error)
    assert loop.failures == 0


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


def test_tags_larger_than_an_item_start_nothing(new_loop: NewLoop) -> None:
    """What is not a value of its own stays in the head: 413, nothing of the run is written, nothing sent."""
    loop = new_loop(examples.chain(1))
    body = {"workflowId": "run-1", "tags": {"note": incompressible(ITEM_BYTES_MAX + 1024)}}
    answer = loop.http("POST", "/workflows/chain/runs", body)
    assert answer.status == 413, answer.body
    assert not [item for item in loop.items() if item["pk"]["S"].startswith("run#")]
    assert loop.queued() == 0


def test_a_run_filled_to_the_limit_still_says_why_it_ended(time: VirtualTime) -> None:
    """Its tags leave no room for a result: PayloadTooLarge is recorded, in the room kept for closing; no retry.

    In memory, since moto counts an item's old body beside its new one.
    """
    loop = MemoryLoop(examples.growing(incompressible(400, "result")), time)
    text = incompressible(ITEM_BYTES_MAX)
    fits, too_long = 0, len(text)
    while too_long - fits > 100:
        middle = (fits + too_long) // 2
        try:
            loop.start("growing", run=f"probe-{middle:06d}", tags={"note": text[:middle]})
            fits = middle
        except PayloadTooLargeForRun:
            too_long = middle
    loop.queue.messages.clear()
    loop.start("growing", run="probe-fits--", tags={"note": text[: fits - 200]})
    loop.settle()
    head = loop.head("probe-fits--")
    assert (head.snapshot.status, head.version) == (Status.FAILED, 1)
    assert head.snapshot.error is not None
    assert head.snapshot.error.error_type == "PayloadTooLarge"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/workflows/wait/runs"),
        ("POST", "/runs/run-1/signals/go"),
        ("POST", "/runs/run-1/resume"),
        ("POST", "/runs/run-1/retry"),
        ("POST", "/webhooks/{token}"),
    ],
)
def test_a_request_too_large_is_refused(new_loop: NewLoop, method: str, path: str) -> None:
    """413 for a body over 4 MiB, whichever the route; nothing is written."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    path = path.format(token=loop.token())
    before = loop.items()
    answer = loop.http(method, path, b'"' + b"x" * (REQUEST_BODY_BYTES_MAX - 1) + b'"')
    assert (answer.status, answer.body["title"]) == (413, "Content too large")
    assert loop.items() == before
    assert loop.queued() == 0


def test_a_request_as_large_as_it_may_be_is_taken(new_loop: NewLoop) -> None:
    """4 MiB to the byte: started, and read by the run."""
    loop = new_loop(examples.choice())
    empty = json.dumps({"workflowId": "run-1", "input": {"n": 1, "text": ""}}).encode()
    text = incompressible(REQUEST_BODY_BYTES_MAX // 2)[: REQUEST_BODY_BYTES_MAX - len(empty)]
    body = empty.replace(b'"text": ""', b'"text": "' + text.encode() + b'"')
    assert len(body) == REQUEST_BODY_BYTES_MAX
    assert loop.http("POST", "/workflows/choice/runs", body).status == 202
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.ask("GET", "/runs/run-1").body["input"] == {"n": 1, "text": text}


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
