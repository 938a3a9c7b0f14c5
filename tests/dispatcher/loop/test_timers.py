"""Retries and timeouts: never before their time, soon after it, however far away it is."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from dispatcher.messages import Continuation
from engine import Pause, Registry, Status, Step
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.virtual_time import DAY, HOUR, MINUTE, SECOND, VirtualTime
from tests.dispatcher.wiretap import crash


def _to(loop: MotoLoop, at_ms: int) -> None:
    """Lets time pass up to a moment, delivering what comes."""
    loop.advance(at_ms - loop.time.now_ms)


def _due(loop: MotoLoop) -> int:
    due_at_ms = loop.snapshot().due_at_ms
    assert due_at_ms is not None
    return due_at_ms


def test_a_retry_comes_at_its_time(new_loop: NewLoop) -> None:
    """Not a millisecond before; at once when it is due."""
    loop = new_loop(examples.retry(5 * SECOND))
    loop.start("retry")
    loop.deliver_all()
    assert _due(loop) == loop.time.now_ms + 5 * SECOND
    _to(loop, _due(loop) - 1)
    assert loop.executed() == {"flaky": 1}
    _to(loop, _due(loop))
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.executed() == {"flaky": 2, "done": 1}


def test_a_delay_is_rounded_up_to_whole_seconds(new_loop: NewLoop) -> None:
    """The queue knows seconds: a message for 1.5 s is sent for 2, so that it does not come back for the rest."""
    loop = new_loop(examples.retry(1500))
    loop.start("retry")
    loop.deliver_all()
    _to(loop, _due(loop))
    assert loop.snapshot().status is Status.ERROR
    loop.advance(500)
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.deliveries == 3


def test_each_attempt_waits_for_its_own_time(new_loop: NewLoop) -> None:
    """Every failed attempt is in the history, each retry as far behind it as the policy says."""
    loop = new_loop(examples.retry(10 * SECOND, failures=2))
    loop.start("retry")
    for _ in range(3):
        loop.advance(10 * SECOND)
    results = loop.snapshot().context["flaky"]
    assert [result.attempt for result in results] == [1, 2, 3]
    assert [result.error_type for result in results] == ["Unavailable", "Unavailable", None]
    gaps = [after.timestamp - before.timestamp for before, after in pairwise(results)]
    assert min(gaps) >= 10 * SECOND


def test_a_step_that_fails_for_good_fails_the_run(new_loop: NewLoop) -> None:
    """After the last attempt the run has failed, and its error is kept as data."""
    loop = new_loop(examples.retry(SECOND, failures=9, attempts=3))
    loop.start("retry")
    loop.settle()
    snapshot = loop.snapshot()
    assert snapshot.status is Status.FAILED
    assert loop.executed() == {"flaky": 3}
    assert snapshot.error is not None
    assert snapshot.error.error == "Unavailable: attempt 3"
    assert loop.queued() == 0


@pytest.mark.parametrize("rest_ms", [4 * SECOND, 1, 700 * SECOND])
def test_a_message_delivered_too_early_is_sent_again_for_the_rest(new_loop: NewLoop, rest_ms: int) -> None:
    """Delays are lower bounds on AWS only nearly; a message may come early, and is put back for the exact rest."""
    loop = new_loop(examples.retry(900 * SECOND))
    loop.start("retry")
    loop.deliver_all()
    loop.purge()
    loop.time.pass_by(_due(loop) - rest_ms - loop.time.now_ms)
    loop.send(Continuation("run-1", loop.head().version))
    loop.tap.clear()
    loop.deliver_all()
    assert loop.executed() == {"flaky": 1}
    (sent,) = [call for call in loop.tap.calls if call.operation == "SendMessage"]
    assert sent.parameters["DelaySeconds"] == -(-rest_ms // 1000)
    loop.advance(-(-rest_ms // 1000) * 1000)
    assert loop.snapshot().status is Status.COMPLETED


@pytest.mark.parametrize(("interval_s", "messages"), [(899, 1), (900, 1), (901, 0)])
def test_the_queue_is_never_asked_for_more_than_it_can(new_loop: NewLoop, interval_s: int, messages: int) -> None:
    """Up to 900 s the queue carries the delay; beyond, the due mark owns it and no message is sent at all."""
    loop = new_loop(examples.retry(interval_s * SECOND))
    loop.start("retry")
    loop.deliver_all()
    assert loop.queued() == messages
    # The mark may be earlier, never later: the sweep pushes it to its true time.
    mark_ms = loop.head().due_at_ms
    assert mark_ms is not None
    assert mark_ms <= _due(loop)


def test_a_clock_that_is_behind_loses_no_timer(new_loop: NewLoop) -> None:
    """To the process that committed, the time was within the queue's reach, so no mark has it; it died before it sent.

    To the one that finds its message again the time is beyond: with a mark behind the timer it sends all the same.
    """
    loop = new_loop(examples.wait(timeout_ms=899 * SECOND))
    loop.start("wait")
    loop.deliver()
    messages = loop.receive()
    loop.tap.on("UpdateItem", "after", crash)
    loop.invoke(messages)
    mark_ms = loop.head().due_at_ms
    assert mark_ms is not None
    assert mark_ms > _due(loop)
    loop.time.pass_by(-10 * SECOND)
    loop.tap.clear()
    loop.acknowledge(messages, loop.invoke(messages))
    (sent,) = [call for call in loop.tap.calls if call.operation == "SendMessage"]
    assert sent.parameters["DelaySeconds"] == 900
    _to(loop, _due(loop) - 1)
    assert loop.snapshot().status is Status.PAUSED
    loop.advance(SECOND)
    assert loop.snapshot().output == {"late": True}


def test_an_early_message_for_a_far_time_is_acknowledged(new_loop: NewLoop) -> None:
    """Further away than a message can be delayed: it goes, the mark has the time, nothing runs early."""
    loop = new_loop(examples.retry(2 * HOUR))
    loop.start("retry")
    loop.deliver_all()
    loop.send(Continuation("run-1", loop.head().version))
    loop.deliver_all()
    assert loop.queued() == 0
    assert loop.executed() == {"flaky": 1}
    loop.minutes(3)
    assert loop.head().due_at_ms == _due(loop)


@pytest.mark.parametrize("away_ms", [16 * MINUTE, 47 * MINUTE, 3 * DAY, 40 * DAY])
@pytest.mark.parametrize("kind", ["retry", "timeout", "sleep"])
def test_a_far_timer_fires_at_its_time(new_loop: NewLoop, kind: str, away_ms: int) -> None:
    """By the sweep and the queue together: not before its time, to the second, at most a minute after."""
    registries = {
        "retry": lambda: examples.retry(away_ms),
        "timeout": lambda: examples.wait(timeout_ms=away_ms),
        "sleep": lambda: examples.sleep(away_ms),
    }
    loop = new_loop(registries[kind]())
    loop.start({"timeout": "wait"}.get(kind, kind))
    loop.deliver_all()
    due_at_ms = _due(loop)
    executed = loop.executed()
    # The mark of the start comes due long before a far timer: the sweep moves it and sends nothing.
    loop.minutes(3)
    for early_ms in (HOUR, 16 * MINUTE, 3 * MINUTE, 2 * MINUTE, MINUTE, 1):
        if due_at_ms - early_ms > loop.time.now_ms:
            _to(loop, due_at_ms - early_ms)
            loop.sweep()
            loop.deliver_all()
    assert loop.time.now_ms == due_at_ms - 1
    assert loop.executed() == executed
    _to(loop, due_at_ms)
    loop.advance(SECOND)
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.snapshot().output == {"retry": {"after": 2}, "timeout": {"late": True}, "sleep": "timer"}[kind]


def test_a_timeout_within_the_queues_reach_needs_no_sweep(new_loop: NewLoop) -> None:
    """A delayed message is on its way from the pausing commit on."""
    loop = new_loop(examples.wait(timeout_ms=10 * MINUTE))
    loop.start("wait")
    loop.deliver_all()
    loop.advance(10 * MINUTE - 1)
    assert loop.snapshot().status is Status.PAUSED
    loop.advance(1)
    assert loop.snapshot().output == {"late": True}


def test_a_timer_of_a_wait_that_was_answered_fires_nothing(new_loop: NewLoop) -> None:
    """The delayed message comes, finds a newer version, and goes."""
    loop = new_loop(examples.wait(timeout_ms=10 * MINUTE))
    loop.start("wait")
    loop.deliver_all()
    loop.signal("go", 1)
    loop.deliver_all()
    assert loop.snapshot().status is Status.COMPLETED
    loop.advance(10 * MINUTE)
    assert loop.queued() == 0
    assert loop.executed() == {"before": 1, "wait": 2, "after": 1}


def test_a_timer_at_the_queues_reach_has_one_message(new_loop: NewLoop, time: VirtualTime) -> None:
    """Whether the queue or the mark keeps it is decided at the commit, not by when its step began."""
    registry = Registry()

    @registry.node("test:slow")
    def slow(_data: object, step: Step) -> object:
        time.pass_by(5)
        return "done" if step.resumed is not None else Pause(until=timedelta(minutes=15))

    registry.add({"name": "slow", "nodes": [{"id": "n", "type": "test:slow"}], "edges": []})
    loop = new_loop(registry)
    loop.start("slow")
    loop.deliver_all()
    loop.minutes(14)
    assert loop.queued() == 1
    loop.minutes(2)
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.executed() == {"n": 2}
