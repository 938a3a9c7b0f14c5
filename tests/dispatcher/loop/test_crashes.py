"""A process that dies before or after any AWS call, and an answer that gets lost: the run ends all the same.

A run without faults is played first; then once more for each of its calls, with one fault there. Messages
come back when their visibility ends, callers repeat their requests: nobody else helps, no sweep runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from engine import Registry, Status
from tests.dispatcher import examples, long_examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.examples import ARTICLE, DECISION
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.values import incompressible
from tests.dispatcher.wiretap import Action, Call, When, answer_500, crash, lose_the_answer
from workflows import registry as content

# More than stays in a head.
LARGE = incompressible(2000)

WHEN: tuple[When, When] = ("before", "after")

Play = Callable[[MotoLoop, str], None]


def content_approval(loop: MotoLoop, run: str) -> None:
    """Start, step, retry, pausing commit, webhook, resume, completing commit."""
    loop.start("content-approval", ARTICLE, run=run)
    loop.settle()
    assert loop.ask("POST", f"/webhooks/{loop.token(run)}", DECISION).status == 202
    loop.settle()


def early_signal(loop: MotoLoop, run: str) -> None:
    """A signal that is there before the run waits for it."""
    loop.start("wait", run=run)
    assert loop.signal("go", {"n": 1}, run=run).status == 202
    loop.settle()


def timeout(loop: MotoLoop, run: str) -> None:
    """A wait that nobody answers, within the queue's reach."""
    loop.start("wait", run=run)
    loop.settle()


def started_by_key(loop: MotoLoop, run: str) -> None:
    """A start by an Idempotency-Key instead of an id; the caller repeats the same request."""
    answer = loop.ask("POST", "/workflows/chain/runs", {}, {"idempotency-key": run})
    loop.settle()
    assert loop.snapshot(answer.body["workflowId"]).output == ["a", "b"]


def retried(loop: MotoLoop, run: str) -> None:
    """Two failed attempts, then success."""
    loop.start("retry", run=run)
    loop.settle()


def chained(loop: MotoLoop, run: str) -> None:
    """Steps that only follow each other."""
    loop.start("chain", run=run)
    loop.settle()


def sealed(loop: MotoLoop, run: str) -> None:
    """Values of their own, segments, and a step that reads the oldest of them."""
    loop.start("counting", {"text": LARGE}, run=run)
    assert loop.signal("go", {"text": LARGE[:3000]}, run=run).status == 202
    loop.settle()


@dataclass(frozen=True)
class Script:
    """What is played, over which registry, with how many steps to a message."""

    play: Play
    registry: Callable[[], Registry]
    steps_per_invocation: int = 1


SCRIPTS = {
    "content-approval": Script(content_approval, lambda: content),
    "early-signal": Script(early_signal, examples.wait),
    "timeout": Script(timeout, lambda: examples.wait(timeout_ms=60_000)),
    "retry": Script(retried, lambda: examples.retry(5_000, failures=2)),
    "sealed": Script(sealed, lambda: long_examples.counting(4, long_examples.READ), steps_per_invocation=4),
    "three-steps-a-message": Script(chained, lambda: examples.chain(7), steps_per_invocation=3),
}


def report_as_failed(call: Call) -> None:
    """It was done, but the caller hears of a broken connection, or of an error of the service, in turn."""
    (lose_the_answer if call.index % 2 else answer_500)(call)


FAULTS: dict[str, tuple[When, Action]] = {
    "dies before": ("before", crash),
    "dies after": ("after", crash),
    "done but reported as failed": ("after", report_as_failed),
}

# Between two calls there is one place to die: the shorter paths leave out what only repeats that.
CASES = [("content-approval", "dies before")] + [
    (script, fault) for script in SCRIPTS for fault in ("dies after", "done but reported as failed")
]


@pytest.mark.parametrize(("script", "fault"), CASES)
def test_one_fault_at_any_call(new_loop: NewLoop, script: str, fault: str) -> None:
    """Whichever call it hits: the same output, one commit a version, and no step executed more than once more."""
    play, when, action = SCRIPTS[script].play, *FAULTS[fault]
    loop = new_loop(SCRIPTS[script].registry(), steps_per_invocation=SCRIPTS[script].steps_per_invocation)
    play(loop, "fault-free")
    calls = [call for call in loop.tap.calls if call.writes or action is crash]
    expected = _comparable(loop, "fault-free")
    assert calls
    for call in calls:
        run = f"run-{call.index}"
        loop.restart()
        loop.tap.clear()
        loop.tap.at(call.index, when, action)
        play(loop, run)
        _check(loop, run, "fault-free", expected, f"{script}: {fault} {call}")
    assert loop.queued(loop.resources.dead_letter_queue_url) == 0
    assert not loop.parked()


def test_a_start_by_idempotency_key_survives_a_fault_at_any_call(new_loop: NewLoop) -> None:
    """A caller who repeats the request with the same key starts one run, whichever call failed."""
    loop = new_loop(examples.chain(2))
    for index in range(3):
        for name, (when, action) in FAULTS.items():
            loop.restart()
            loop.tap.clear()
            loop.tap.at(index, when, action)
            started_by_key(loop, f"{name} {index}")
            heads = [call for call in loop.tap.calls if call.version == 0 and call.done]
            assert len(heads) == 1, f"{name} call {index}"


def test_two_faults_in_a_row(new_loop: NewLoop) -> None:
    """The redelivery dies as well, at the same call: executions of a step are at most 1 + the faults."""
    loop = new_loop(examples.chain(3))
    chained(loop, "fault-free")
    calls = [call for call in loop.tap.calls if call.operation in {"UpdateItem", "SendMessage"}]
    expected = _comparable(loop, "fault-free")
    for call in calls:
        for when in WHEN:
            run = f"run-{call.index}-{when}"
            loop.restart()
            loop.tap.clear()
            loop.start("chain", run=run)
            loop.tap.on(call.operation, when, crash, times=2)
            loop.settle()
            _check(loop, run, "fault-free", expected, f"twice {when} {call}", faults=2)


def _comparable(loop: MotoLoop, run: str) -> tuple[Status, Any, list[str]]:
    """What no fault may change: the end, the output but for identity, and which results there are in order."""
    snapshot = loop.snapshot(run)
    output = snapshot.output
    if isinstance(output, dict):
        output = {name: value for name, value in output.items() if name not in {"receipt", "key"}}
    return snapshot.status, output, [node for node, _ in snapshot.context.entries()]


def _check(
    loop: MotoLoop, run: str, model: str, expected: tuple[Status, Any, list[str]], trace: str, *, faults: int = 1
) -> None:
    assert _comparable(loop, run) == expected, trace
    assert loop.queued() == 0, trace
    written = loop.tap.versions_written()
    assert written == list(range(loop.head(run).version + 1)), f"{trace}: versions {written}"
    fault_free = loop.executed(model)
    extra = {node: count - fault_free.get(node, 0) for node, count in loop.executed(run).items()}
    assert sum(extra.values()) <= faults, f"{trace}: executed once too often {extra}"
    assert min(extra.values()) >= 0, f"{trace}: not executed {extra}"


def test_the_calls_of_a_path_are_what_the_protocol_says(new_loop: NewLoop) -> None:
    """The faults above hit every call there is: this is the list, so that a new one is noticed."""
    loop = new_loop(content)
    content_approval(loop, "run-1")
    assert [_short(call) for call in loop.tap.calls] == [
        # start: the definition, pinned; the head; the first message
        *["Put", "Put", "Send"],
        # submitted; rating fails, is sent delayed; rating succeeds
        *["Get", "Update", "Send"] * 3,
        # review pauses, then looks for a signal that was early (under two names)
        *["Get", "Update", "Query", "Query"],
        # the caller looks at the run; its link is signed with the secret
        *["Get", "GetSecret"],
        # the webhook: head; inbox and mark in one transaction; the nudge
        *["Get", "Transact", "Send"],
        # the wake: head, inbox, commit, continuation
        *["Get", "Query", "Query", "Update", "Send"],
        # approved removes the signal that review took, before its own commit; published ends the run
        *["Get", "Delete", "Update", "Send"],
        *["Get", "Update"],
    ]


def _short(call: Call) -> str:
    names = {"TransactWriteItems": "Transact", "SendMessage": "Send", "GetSecretValue": "GetSecret"}
    return names.get(call.operation, call.operation.removesuffix("Item"))
