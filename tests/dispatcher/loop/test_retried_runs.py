"""An operator takes a failed run back to its failed node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from engine import Output, Pause, Registry, Status, Step
from engine.json_value import JsonValue
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import Answer, MotoLoop
from tests.dispatcher.values import incompressible
from tests.dispatcher.virtual_time import DAY
from tests.dispatcher.wiretap import answer_500, crash, lose_the_answer

DOWN = {"down": True}


def _failing(keys: list[str], *, extra: Mapping[str, Any] | None = None) -> Registry:
    """``first >> call >> last``: the call fails while its data says so, twice if it may."""
    made = Registry()

    @made.node("test:call")
    def call(data: Mapping[str, Any], step: Step) -> JsonValue:
        """Fails, or tells the attempt it is."""
        keys.append(step.idempotency_key)
        if data["down"]:
            raise examples.Unavailable(f"attempt {step.attempt}")
        return {"attempt": step.attempt, "visit": step.visit, "data": dict(data)}

    policy = {"retry": {"maxAttempts": 2, "interval": 0}}
    nodes: list[Mapping[str, Any]] = [
        {"id": "first", "type": "core:set", "data": 1},
        {"id": "call", "type": "test:call", "data": DOWN, "policy": policy},
        {"id": "last", "type": "core:set", "data": "{{ previous }}"},
    ]
    if extra is not None:
        nodes[1] = {**nodes[1], **extra}
    examples.add(made, "failing", nodes, [("first", "call"), ("call", "last")])
    return made


def _failed(new_loop: NewLoop, keys: list[str], **settings: int) -> MotoLoop:
    loop = new_loop(_failing(keys), **settings)
    loop.start("failing")
    loop.settle()
    assert loop.snapshot().status is Status.FAILED
    assert loop.executed() == {"first": 1, "call": 2}
    return loop


def _retry(loop: MotoLoop, body: object = None, *, key: str = "retry-1") -> Answer:
    return loop.ask("POST", "/runs/run-1/retry", body, {"idempotency-key": key})


def test_the_failed_node_is_executed_again(new_loop: NewLoop) -> None:
    """At once, its retry policy begun anew, in the same visit; what came before it is not."""
    keys: list[str] = []
    loop = _failed(new_loop, keys)
    version = loop.head().version
    answer = _retry(loop, {"reason": "it is up again"})
    assert (answer.status, answer.body["status"], answer.body["version"]) == (202, "error", version + 1)
    loop.settle()
    assert loop.snapshot().status is Status.FAILED
    assert loop.executed() == {"first": 1, "call": 4}
    assert [result.attempt for result in loop.snapshot().context["call"]] == [1, 2, 3, 4]
    assert loop.snapshot().context.visits("call") == 1
    # It is the same step, with the same data: whoever it calls must know it again.
    assert len(set(keys)) == 1


def test_with_other_data_it_is_another_step(new_loop: NewLoop) -> None:
    """In this run alone: it succeeds, under an idempotency key of its own; the workflow stays as it is."""
    keys: list[str] = []
    loop = _failed(new_loop, keys)
    assert _retry(loop, {"data": {"down": False, "url": "b"}}).status == 202
    loop.settle()
    assert loop.snapshot().output == {"attempt": 3, "visit": 1, "data": {"down": False, "url": "b"}}
    assert len(set(keys[:2])) == 1
    assert keys[2] not in keys[:2]
    loop.start("failing", run="run-2")
    loop.settle()
    assert loop.snapshot("run-2").status is Status.FAILED


def test_the_same_data_is_no_other_step(new_loop: NewLoop) -> None:
    """What was sent under the old key must not be sent again under a new one for nothing."""
    keys: list[str] = []
    loop = _failed(new_loop, keys)
    assert _retry(loop, {"data": DOWN}).status == 202
    loop.settle()
    assert len(keys) == 4
    assert len(set(keys)) == 1


@pytest.mark.parametrize("named", [True, False])
def test_with_a_newer_definition(new_loop: NewLoop, *, named: bool) -> None:
    """By its version, or the one that is registered by now; the run goes on by it."""
    keys: list[str] = []
    loop = _failed(new_loop, keys)
    newer = _failing(keys, extra={"data": {"down": False}})
    loop.deploy(newer)
    version = newer.workflows["failing"].version if named else "latest"
    if named:
        # A version is known once a run has begun with it.
        loop.start("failing", run="other")
    assert _retry(loop, {"definition": version}).status == 202
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    definition = loop.snapshot().definition
    assert definition is not None
    assert definition.version == newer.workflows["failing"].version


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"definition": "no-such-version"}, 404),
        ({"data": "text"}, 400),
        ({"data": {"down": "{{ 1 + }}"}}, 422),
        ({"version": 1}, 400),
        ({"reason": "x" * 501}, 400),
        ([], 400),
    ],
)
def test_a_retry_that_cannot_be(new_loop: NewLoop, body: object, status: int) -> None:
    """It says why, and the run stays failed."""
    loop = _failed(new_loop, [])
    version = loop.head().version
    answer = _retry(loop, body)
    assert answer.status == status, answer.body
    assert (loop.snapshot().status, loop.head().version) == (Status.FAILED, version)
    assert loop.queued() == 0


def test_data_larger_than_an_item_is_refused(new_loop: NewLoop) -> None:
    """A definition is one item: 413, and the run stays failed."""
    loop = _failed(new_loop, [])
    answer = _retry(loop, {"data": {"down": False, "text": incompressible(420 * 1024)}})
    assert answer.status == 413, answer.body
    assert loop.snapshot().status is Status.FAILED


def test_a_definition_without_the_node_is_refused(new_loop: NewLoop) -> None:
    """422 names it."""
    loop = _failed(new_loop, [])
    other = Registry()
    examples.add(other, "failing", [{"id": "elsewhere", "type": "core:set", "data": 1}], [])
    loop.deploy(other)
    answer = _retry(loop, {"definition": "latest"})
    assert (answer.status, "'call'" in str(answer.body)) == (422, True)


def test_only_a_failed_run_is_retried(new_loop: NewLoop) -> None:
    """409 for any other, 404 for none; nothing is written."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    before = loop.items()
    assert _retry(loop).status == 409
    assert loop.ask("POST", "/runs/run-9/retry").status == 404
    assert loop.items() == before
    loop.signal("go")
    loop.settle()
    assert _retry(loop).status == 409


def test_a_retry_repeated_with_its_key_is_one_retry(new_loop: NewLoop) -> None:
    """Even when the run has failed again since; another key is another retry."""
    loop = _failed(new_loop, [])
    _retry(loop)
    assert _retry(loop).status == 202
    loop.settle()
    assert loop.executed()["call"] == 4
    answer = _retry(loop)
    assert (answer.status, answer.body["status"]) == (202, "failed")
    loop.settle()
    assert loop.executed()["call"] == 4
    _retry(loop, key="retry-2")
    loop.settle()
    assert loop.executed()["call"] == 6


@pytest.mark.parametrize("fault", [crash, lose_the_answer, answer_500])
@pytest.mark.parametrize("operation", ["TransactWriteItems", "SendMessage"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fault_at_its_calls(new_loop: NewLoop, operation: str, when: Any, fault: Any) -> None:
    """The caller repeats the request with its key: the run is retried once, and its message is sent."""
    loop = _failed(new_loop, [])
    version = loop.head().version
    loop.tap.clear()
    loop.tap.on(operation, when, fault)
    assert _retry(loop, {"data": {"down": False}}).status == 202
    loop.minutes(8)
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.head().version == version + 3
    assert loop.executed()["call"] == 3


def test_a_payload_is_kept_for_the_retry(new_loop: NewLoop) -> None:
    """The step that had a signal in its hands failed for good: it is given the same one again, under the same key."""
    loop = new_loop(examples.flaky_wait(failures=1))
    made = Registry()
    seen: list[tuple[JsonValue, str]] = []

    @made.node("test:ask")
    def ask(_data: JsonValue, step: Step) -> Output | Pause:
        """Waits, then fails the first time."""
        if step.resumed is None:
            return Pause("go")
        seen.append((step.external_payload, step.idempotency_key))
        if len(seen) == 1:
            raise examples.Unavailable("down")
        return Output({"payload": step.external_payload, "by": step.resumed.by, "signal": step.resumed.signal})

    examples.add(made, "asking", [{"id": "ask", "type": "test:ask"}], [])
    loop.deploy(made)
    loop.start("asking")
    loop.settle()
    loop.signal("go", {"n": 7})
    loop.settle()
    assert loop.snapshot().status is Status.FAILED
    _retry(loop)
    loop.settle()
    assert loop.snapshot().output == {"payload": {"n": 7}, "by": "signal", "signal": "go"}
    assert seen[0] == seen[1]


def test_it_says_who_and_why_in_the_history(new_loop: NewLoop) -> None:
    """One entry, without a result."""
    loop = _failed(new_loop, [])
    _retry(loop, {"reason": "it is up again", "data": {"down": False}})
    loop.settle()
    entries = loop.ask("GET", "/runs/run-1/history").body["entries"]
    assert [entry["kind"] for entry in entries] == [
        *["succeeded", "rescheduled", "failed", "retried", "succeeded", "succeeded"]
    ]
    retried = entries[3]
    assert (retried["actor"], retried["reason"], retried["nodeId"]) == ("anonymous", "it is up again", "call")
    assert "output" not in retried


def test_a_run_about_to_be_removed_is_not_retried(new_loop: NewLoop) -> None:
    """Its removal may be under way: 409 says so."""
    loop = _failed(new_loop, [], retention_days=1)
    loop.time.pass_by(DAY - 1)
    assert _retry(loop).status == 409
    assert loop.snapshot().status is Status.FAILED


def test_a_run_that_was_to_expire_is_kept_when_it_is_retried(new_loop: NewLoop) -> None:
    """The table must not delete it under its feet: the time at which it may go is taken away."""
    loop = _failed(new_loop, [], retention_days=2)
    loop.time.pass_by(40 * 60_000)
    loop.sweep()
    assert "expires_at" in _head_item(loop)
    _retry(loop, {"data": {"down": False}})
    assert "expires_at" not in _head_item(loop)
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED


def _head_item(loop: MotoLoop) -> Mapping[str, Any]:
    (item,) = [item for item in loop.items() if item["sk"]["S"] == "head"]
    return item
