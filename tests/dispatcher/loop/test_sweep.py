"""The sweep: finds what has no message any more, once a minute, and does no harm to what has."""

from __future__ import annotations

import pytest

from engine import Status
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.virtual_time import DAY, HOUR, MINUTE, SECOND
from tests.dispatcher.wiretap import Call, crash, lose_the_answer

_NOTHING = {"lookedAt": 0, "sent": 0, "pushed": 0, "removed": 0}


def _mark_in(loop: MotoLoop, run: str = "run-1") -> int:
    """How far ahead a run's mark is, in milliseconds."""
    mark = loop.head(run).due_at_ms
    assert mark is not None
    return mark - loop.time.now_ms


def test_each_lost_message_is_found(new_loop: NewLoop) -> None:
    """The process dies at any call and the queue is purged as well: the sweep alone brings the run to its end."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    loop.settle()
    for call in list(loop.tap.calls):
        run = f"run-{call.index}"
        loop.restart()
        loop.tap.clear()
        loop.tap.at(call.index, "after", crash)
        loop.start("chain", run=run)
        for _ in range(5):
            loop.deliver_all()
            loop.purge()
            # Every mark is at most half an hour ahead.
            loop.time.pass_by(31 * MINUTE)
            loop.sweep()
        loop.settle()
        assert loop.snapshot(run).status is Status.COMPLETED, call
        assert loop.snapshot(run).output == ["a", "b"], call
        assert sum(loop.executed(run).values()) <= 3, call


@pytest.mark.parametrize("failing", range(6))
def test_a_signal_whose_nudge_is_lost_is_found(new_loop: NewLoop, failing: int) -> None:
    """The caller's process dies after any of its calls and never comes back; the queue is purged: still it counts."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    loop.tap.clear()
    loop.tap.at(failing, "after", crash)
    loop.signal("go", 1)
    loop.deliver_all()
    loop.purge()
    for _ in range(3):
        loop.time.pass_by(31 * MINUTE)
        loop.sweep()
        loop.settle()
    assert loop.snapshot().output == {"got": 1}


def test_a_start_whose_message_is_lost_goes_on_within_minutes(new_loop: NewLoop) -> None:
    """A start marks the run two minutes ahead; the sweep after that sends."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    loop.purge()
    loop.minutes(1)
    assert loop.head().version == 0
    loop.minutes(2)
    assert loop.snapshot().status is Status.COMPLETED


def test_a_run_in_motion_is_left_alone(new_loop: NewLoop) -> None:
    """Messages are on their way and the mark lies ahead: the sweep sends nothing."""
    loop = new_loop(examples.chain(4))
    loop.start("chain")
    loop.deliver()
    assert loop.sweep() == _NOTHING
    loop.settle()
    assert set(loop.executed().values()) == {1}


def test_the_mark_of_a_run_at_rest_is_removed(new_loop: NewLoop) -> None:
    """Nobody but the sweep removes a mark, and only when the run has ended or waits for the outside alone."""
    loop = new_loop(examples.wait())
    loop.start("wait", run="paused")
    loop.start("wait", run="ended")
    loop.signal("go", 1, run="ended")
    loop.settle()
    assert loop.snapshot("ended").status is Status.COMPLETED
    assert loop.head("ended").due_at_ms is not None
    loop.time.pass_by(31 * MINUTE)
    assert loop.sweep() == {"lookedAt": 2, "sent": 0, "pushed": 0, "removed": 2}
    assert loop.head("ended").due_at_ms is None
    assert loop.head("paused").due_at_ms is None
    assert loop.sweep() == _NOTHING
    # The mark comes back with the next call from outside.
    loop.signal("go", 2, run="paused")
    assert _mark_in(loop, "paused") == 2 * MINUTE
    loop.settle()
    assert loop.snapshot("paused").status is Status.COMPLETED


def test_the_mark_of_a_run_with_an_unread_signal_is_kept(new_loop: NewLoop) -> None:
    """A signal the run waits for is in the inbox: the run is not at rest, and the sweep sends."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    loop.signal("go", 1)
    loop.purge()
    loop.time.pass_by(2 * MINUTE)
    assert loop.sweep() == {"lookedAt": 1, "sent": 1, "pushed": 0, "removed": 0}
    loop.settle()
    assert loop.snapshot().output == {"got": 1}


def test_a_signal_of_another_name_does_not_keep_a_mark(new_loop: NewLoop) -> None:
    """What nobody waits for keeps no run awake."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    loop.signal("another", 1)
    loop.settle()
    loop.time.pass_by(31 * MINUTE)
    assert loop.sweep()["removed"] == 1


def test_a_signal_that_arrives_while_the_mark_is_removed_keeps_it(new_loop: NewLoop) -> None:
    """The sweep saw the run at rest, then a signal came: the removal is conditional on the mark and fails."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    loop.time.pass_by(31 * MINUTE)
    rival = loop.new_process()

    def signal_arrives(_call: Call) -> None:
        rival.front_door.signal("run-1", "go", 1, idempotency_key="a")

    loop.tap.on("UpdateItem", "before", signal_arrives)
    assert loop.sweep()["removed"] == 0
    assert loop.head().due_at_ms is not None
    loop.purge()
    loop.minutes(1)
    assert loop.snapshot().output == {"got": 1}


def test_a_mark_that_is_too_early_is_pushed_to_its_time(new_loop: NewLoop) -> None:
    """The mark of the start is older than the wait's timer: the sweep moves it there and sends nothing."""
    loop = new_loop(examples.wait(timeout_ms=3 * DAY))
    loop.start("wait")
    loop.settle()
    loop.time.pass_by(31 * MINUTE)
    assert loop.sweep() == {"lookedAt": 1, "sent": 0, "pushed": 1, "removed": 0}
    assert loop.head().due_at_ms == loop.snapshot().due_at_ms
    assert loop.queued() == 0


def test_the_grace_doubles_up_to_an_hour(new_loop: NewLoop) -> None:
    """A run whose every message is lost is tried again ever more rarely, and never given up."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    seen = []
    for _ in range(6):
        loop.purge()
        loop.time.pass_by(_mark_in(loop))
        assert loop.sweep()["sent"] == 1
        seen.append(_mark_in(loop) // MINUTE)
    assert seen == [5, 10, 20, 40, 60, 60]
    loop.deliver_all()
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.head().grace_ms is None


def test_two_sweeps_at_once_send_once(new_loop: NewLoop) -> None:
    """Both find the run overdue; the mark is moved by one of them, and that one sends."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    loop.purge()
    loop.time.pass_by(2 * MINUTE)
    rival = loop.new_process()

    def rival_sweeps(_call: Call) -> None:
        assert rival.sweep.run().sent == 1

    loop.tap.on("UpdateItem", "before", rival_sweeps)
    assert loop.sweep()["sent"] == 0
    assert loop.queued() == 1


def test_a_sweep_that_dies_before_it_sends_makes_the_run_late_not_lost(new_loop: NewLoop) -> None:
    """The mark moves first, by the grace: the next sweep after that sends."""
    loop = new_loop(examples.retry(2 * HOUR))
    loop.start("retry")
    loop.deliver_all()
    loop.time.pass_by(2 * HOUR)
    loop.tap.on("SendMessage", "before", crash)
    loop.sweep()
    assert loop.queued() == 0
    loop.time.pass_by(_mark_in(loop))
    loop.sweep()
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.executed() == {"flaky": 2, "done": 1}


def test_one_run_s_trouble_is_not_another_s(new_loop: NewLoop) -> None:
    """A head that cannot be read now is left for the next sweep; the others are looked after."""
    loop = new_loop(examples.chain(1))
    for number in range(5):
        loop.start("chain", run=f"run-{number}")
    loop.purge()
    loop.time.pass_by(2 * MINUTE)
    loop.tap.on("GetItem", "before", lose_the_answer, key="run#run-2")
    assert loop.sweep()["sent"] == 4
    assert loop.sweep()["sent"] == 1
    loop.settle()
    assert all(loop.snapshot(f"run-{number}").status is Status.COMPLETED for number in range(5))


def test_the_sweep_may_run_at_any_time(new_loop: NewLoop) -> None:
    """A sweep between any two deliveries changes neither the output nor the number of executions."""
    loop = new_loop(examples.wait(timeout_ms=20 * MINUTE))
    loop.start("wait")
    while loop.deliver():
        loop.sweep()
    loop.minutes(21)
    assert loop.snapshot().output == {"late": True}
    assert loop.executed() == {"before": 1, "wait": 2, "late": 1}


def test_a_run_due_within_the_next_minute_gets_its_message_for_the_rest(new_loop: NewLoop) -> None:
    """Between two sweeps lies a minute: the earlier one sends, with the exact rest as delay."""
    loop = new_loop(examples.retry(2 * HOUR))
    loop.start("retry")
    loop.deliver_all()
    loop.time.pass_by(2 * HOUR - 40 * SECOND)
    loop.tap.clear()
    assert loop.sweep()["sent"] == 1
    (sent,) = [call for call in loop.tap.calls if call.operation == "SendMessage"]
    assert sent.parameters["DelaySeconds"] == 40
    # The next sweep finds the mark moved by the grace, and leaves it.
    assert loop.sweep() == _NOTHING
    loop.advance(40 * SECOND)
    assert loop.snapshot().status is Status.COMPLETED
