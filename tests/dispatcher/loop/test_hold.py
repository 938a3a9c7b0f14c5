"""A run on hold: no step of it begins until it is let go, and nothing of it is lost meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.messages import Continuation
from dispatcher.operator_calls import Caller
from engine import Registry, Status, Step
from engine.json_value import JsonValue
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import Answer, MotoLoop
from tests.dispatcher.virtual_time import HOUR, MINUTE, SECOND
from tests.dispatcher.wiretap import Call, crash, lose_the_answer, raising


def _hold(loop: MotoLoop, *, key: str = "hold-1") -> Answer:
    return loop.ask("POST", "/runs/run-1/pause", {"reason": "look into it"}, {"idempotency-key": key})


def _release(loop: MotoLoop, body: object = None, *, key: str = "release-1") -> Answer:
    return loop.ask("POST", "/runs/run-1/resume", body, {"idempotency-key": key})


def test_no_step_begins_while_a_run_is_held(new_loop: NewLoop) -> None:
    """Its message goes, its version stays; let go, it goes on where it was."""
    loop = new_loop(examples.chain(3))
    loop.start("chain")
    loop.deliver()
    answer = _hold(loop)
    assert (answer.status, answer.body["repeated"]) == (202, False)
    loop.settle()
    loop.send(Continuation("run-1", 1))
    loop.settle()
    assert loop.executed() == {"a": 1}
    assert loop.head().version == 1
    answer = _release(loop)
    assert (answer.status, answer.body["repeated"]) == (202, False)
    loop.settle()
    assert loop.snapshot().output == ["a", "b", "c"]
    assert set(loop.executed().values()) == {1}


def test_a_hold_is_shown_with_who_and_why(new_loop: NewLoop) -> None:
    """In the run and in the listing, until it is lifted."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    _hold(loop)
    held = {"actor": "anonymous", "reason": "look into it", "at": loop.time.now_ms}
    assert loop.ask("GET", "/runs/run-1").body["held"] == held
    assert loop.ask("GET", "/runs").body["runs"][0]["held"] == held
    _release(loop)
    assert "held" not in loop.ask("GET", "/runs/run-1").body


def test_a_step_under_way_ends_and_the_next_does_not_begin(new_loop: NewLoop) -> None:
    """The hold came while it was executed: its commit preserves the hold, and sends nothing."""
    loop = new_loop(examples.chain(3), steps_per_invocation=3)
    loop.start("chain")
    rival = loop.new_process()

    def held(_call: Call) -> None:
        rival.operator_calls.hold("run-1", Caller(actor="ops"))

    loop.tap.on("UpdateItem", "before", held)
    loop.deliver()
    assert loop.head().version == 1
    assert loop.head().hold is not None
    assert loop.queued() == 0
    loop.minutes(40)
    assert loop.executed() == {"a": 1}
    _release(loop)
    loop.settle()
    assert loop.snapshot().output == ["a", "b", "c"]


def test_signals_arrive_while_a_run_is_held(new_loop: NewLoop) -> None:
    """They are accepted and kept, and taken once it is let go."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    _hold(loop)
    assert loop.signal("go", 7).status == 202
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED
    _release(loop)
    loop.settle()
    assert loop.snapshot().output == {"got": 7}


@pytest.mark.parametrize("away_ms", [10 * MINUTE, 2 * HOUR])
@pytest.mark.parametrize("kind", ["retry", "timeout", "sleep"])
def test_a_timer_waits_for_the_release(new_loop: NewLoop, kind: str, away_ms: int) -> None:
    """Due while the run is held: nothing happens, sweeps included; let go, it fires at once."""
    registries = {
        "retry": lambda: examples.retry(away_ms),
        "timeout": lambda: examples.wait(timeout_ms=away_ms),
        "sleep": lambda: examples.sleep(away_ms),
    }
    loop = new_loop(registries[kind]())
    loop.start({"timeout": "wait"}.get(kind, kind))
    loop.deliver_all()
    executed = loop.executed()
    _hold(loop)
    for _ in range(4):
        loop.advance(away_ms // 2)
        loop.sweep()
        loop.deliver_all()
    assert loop.executed() == executed
    _release(loop)
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED


@pytest.mark.parametrize("away_ms", [10 * MINUTE, 2 * HOUR])
def test_a_timer_that_is_not_due_at_the_release_fires_at_its_time(new_loop: NewLoop, away_ms: int) -> None:
    """Held and let go before it is due: by a message, or by the mark when it is far away."""
    loop = new_loop(examples.wait(timeout_ms=away_ms))
    loop.start("wait")
    loop.deliver_all()
    due_at_ms = loop.snapshot().due_at_ms
    assert due_at_ms is not None
    _hold(loop)
    loop.purge()
    loop.minutes(5)
    _release(loop)
    while due_at_ms - loop.time.now_ms > 12 * MINUTE:
        loop.advance(10 * MINUTE)
        loop.sweep()
    loop.minutes((due_at_ms - loop.time.now_ms) // MINUTE - 1)
    assert loop.snapshot().status is Status.PAUSED
    loop.minutes(3)
    assert loop.snapshot().output == {"late": True}


def test_the_sweep_leaves_a_held_run_at_rest(new_loop: NewLoop) -> None:
    """Its mark goes, and it is not overdue however long it is held; a release brings the mark back."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    _hold(loop)
    loop.purge()
    loop.time.pass_by(31 * MINUTE)
    assert loop.sweep()["removed"] == 1
    assert loop.head().due_at_ms is None
    loop.time.pass_by(HOUR)
    assert loop.sweep()["lookedAt"] == 0
    assert loop.ask("GET", "/health").body["overdueRuns"] == 0
    loop.tap.on("SendMessage", "before", crash)
    _release(loop)
    assert loop.head().due_at_ms == loop.time.now_ms + 2 * MINUTE
    loop.minutes(8)
    assert loop.snapshot().status is Status.COMPLETED


def test_a_release_whose_message_is_lost_is_found(new_loop: NewLoop) -> None:
    """The process dies between the release and its message, and the caller never comes back."""
    loop = new_loop(examples.chain(1))
    for call_index in range(4):
        run = f"run-{call_index}"
        loop.start("chain", run=run)
        loop.ask("POST", f"/runs/{run}/pause")
        loop.settle()
        loop.tap.clear()
        loop.tap.at(call_index, "after", crash)
        loop.ask("POST", f"/runs/{run}/resume", None, {"idempotency-key": "r"})
        loop.purge()
        loop.tap.clear()
        for _ in range(4):
            loop.time.pass_by(31 * MINUTE)
            loop.sweep()
            loop.settle()
        assert loop.snapshot(run).status is Status.COMPLETED, call_index
        assert loop.executed(run) == {"a": 1}


def test_a_hold_and_a_release_repeated_change_nothing(new_loop: NewLoop) -> None:
    """By their keys, and because there is nothing to do; the history tells each of them once."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    assert [_hold(loop, key=key).body["repeated"] for key in ("a", "a", "b")] == [False, True, True]
    loop.time.pass_by(1)
    assert _release(loop, key="c").body["repeated"] is False
    loop.time.pass_by(1)
    # The key of the first hold again, when the run is let go: it was done.
    assert _hold(loop, key="a").body["repeated"] is True
    assert loop.head().hold is None
    assert _hold(loop, key="d").body["repeated"] is False
    kinds = [entry["kind"] for entry in loop.ask("GET", "/runs/run-1/history").body["entries"]]
    assert [kind for kind in kinds if kind in {"hold", "release"}] == ["hold", "release", "hold"]


def test_a_release_repeated_with_its_key_ends_no_wait(new_loop: NewLoop) -> None:
    """The caller was not answered and tries again: the run is not held any more, and goes on waiting."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    _hold(loop)
    assert _release(loop, {"reason": "done"}).body["repeated"] is False
    assert _release(loop, {"reason": "done"}).body["repeated"] is True
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED


@pytest.mark.parametrize("fault", [lose_the_answer, crash])
def test_a_release_whose_answer_is_lost_ends_no_wait(new_loop: NewLoop, fault: Any) -> None:
    """It was done and the caller was told otherwise."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    _hold(loop)
    loop.tap.on("TransactWriteItems", "after", fault)
    assert _release(loop, {"reason": "done"}).status == 202
    loop.settle()
    assert loop.head().hold is None
    assert loop.snapshot().status is Status.PAUSED


@pytest.mark.parametrize("waits", [True, False])
def test_a_resume_repeated_when_the_run_is_held_lifts_nothing(new_loop: NewLoop, waits: bool) -> None:
    """It has delivered its payload, into the wait or ahead of it: a late repeat is no release."""
    loop = new_loop(examples.asking_twice())
    loop.start("asking-twice")
    if waits:
        loop.deliver_all()
    assert _release(loop, {"reason": "go"}).body["repeated"] is False
    _hold(loop)
    assert _release(loop, {"reason": "go"}).body["repeated"] is True
    assert loop.head().hold is not None
    assert _release(loop, key="release-2").body["repeated"] is False
    assert loop.head().hold is None


def test_a_payload_is_not_delivered_to_a_held_run(new_loop: NewLoop) -> None:
    """``resume`` lifts the hold there and takes a reason alone: what would be lost is refused, and the hold stays."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    _hold(loop)
    before = loop.items()
    for payload in ({"ok": True}, {"reason": "fine", "ok": True}, [1], "text", 0):
        answer = _release(loop, payload)
        assert (answer.status, "hold" in answer.body["detail"]) == (409, True)
    assert loop.items() == before


def test_a_run_that_has_ended_is_not_held(new_loop: NewLoop) -> None:
    """409, and 404 for one that never was; nothing is written."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    loop.settle()
    before = loop.items()
    assert _hold(loop).status == 409
    assert loop.ask("POST", "/runs/run-9/pause").status == 404
    assert loop.items() == before


def test_a_message_that_cannot_be_sent_does_not_undo_a_release(new_loop: NewLoop) -> None:
    """The run is let go and its mark will see to it: the caller is told that it was done."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    _hold(loop)
    loop.settle()
    loop.tap.on("SendMessage", "before", raising("ThrottlingException"))
    assert _release(loop).status == 202
    assert loop.queued() == 0
    loop.minutes(8)
    assert loop.snapshot().status is Status.COMPLETED


def test_a_held_run_can_be_cancelled(new_loop: NewLoop) -> None:
    """And then takes neither a release nor a signal."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    _hold(loop)
    assert loop.ask("POST", "/runs/run-1/cancel").body["status"] == "cancelled"
    assert _release(loop).status == 409
    assert loop.signal("go").status == 409
    loop.settle()
    assert loop.snapshot().status is Status.CANCELLED


def test_a_step_that_fails_while_held_is_retried_after_the_release(new_loop: NewLoop) -> None:
    """Its failure is recorded, its retry waits."""
    made = Registry()
    holds: list[MotoLoop] = []

    @made.node("test:held")
    def fail(_data: JsonValue, step: Step) -> JsonValue:
        """Is held while it is executed, and fails."""
        if step.attempt == 1:
            holds[0].new_process().operator_calls.hold("run-1", Caller(actor="ops"))
            raise examples.Unavailable("down")
        return step.attempt

    policy = {"retry": {"maxAttempts": 2, "interval": 5000}}
    examples.add(made, "held", [{"id": "held", "type": "test:held", "policy": policy}], [])
    loop = new_loop(made)
    holds.append(loop)
    loop.start("held")
    loop.settle()
    loop.advance(10 * SECOND)
    assert loop.snapshot().status is Status.ERROR
    _release(loop)
    loop.settle()
    assert loop.snapshot().output == 2
