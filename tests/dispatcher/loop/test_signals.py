"""Signals and resumes: early, twice, too late, racing a timeout; each is taken once, or refused aloud."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.messages import Wake
from engine import Status
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.virtual_time import HOUR, MINUTE, SECOND
from tests.dispatcher.wiretap import Call, crash, raising


def _inbox(loop: MotoLoop) -> list[str]:
    return [item["sk"]["S"] for item in loop.items() if item["sk"]["S"].startswith("inbox#")]


def test_an_early_signal_is_kept(new_loop: NewLoop) -> None:
    """A signal that comes before its wait ends the wait as soon as it begins."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    answer = loop.signal("go", {"n": 1})
    assert (answer.status, answer.body["accepted"], answer.body["repeated"]) == (202, True, False)
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.snapshot().output == {"got": {"n": 1}}
    assert not _inbox(loop)


def test_a_resume_before_the_wait_and_twice(new_loop: NewLoop) -> None:
    """A resume without a name is the signal ``resume``; it waits for its wait, and a repeat changes nothing."""
    loop = new_loop(examples.wait(signal=None))
    loop.start("wait")
    answers = [loop.ask("POST", "/runs/run-1/resume", {"n": 1}, {"idempotency-key": "a"}) for _ in range(2)]
    assert [(answer.status, answer.body["repeated"]) for answer in answers] == [(202, False), (202, True)]
    loop.settle()
    assert loop.snapshot().output == {"got": {"n": 1}}
    assert loop.executed() == {"before": 1, "wait": 2, "after": 1}


def test_a_resume_goes_to_the_wait_the_run_is_in(new_loop: NewLoop) -> None:
    """While the run waits, a resume answers that wait, whatever its signal's name is."""
    loop = new_loop(examples.wait(signal="decision"))
    loop.start("wait")
    loop.settle()
    assert loop.ask("POST", "/runs/run-1/resume", "yes").status == 202
    loop.settle()
    assert loop.snapshot().output == {"got": "yes"}


def test_a_double_click_ends_one_wait(new_loop: NewLoop) -> None:
    """Two resumes of the wait the run is in are one, with or without a key; the wait behind it goes on waiting."""
    loop = new_loop(examples.two_waits())
    loop.start("two-waits")
    loop.settle()
    answers = [loop.ask("POST", "/runs/run-1/resume", number) for number in range(3)]
    assert [(answer.status, answer.body["repeated"]) for answer in answers] == [(202, False), (202, True), (202, True)]
    loop.settle()
    assert (loop.snapshot().status, loop.snapshot().current_node_id) == (Status.PAUSED, "second")
    assert not _inbox(loop)
    assert loop.ask("POST", "/runs/run-1/resume", 7).body["repeated"] is False
    loop.settle()
    assert loop.snapshot().output == {"got": [0, 7]}


def test_a_resume_repeated_with_its_key_ends_no_later_wait(new_loop: NewLoop) -> None:
    """The caller was not answered and tries again, when the first has been taken and the run waits anew."""
    loop = new_loop(examples.two_waits())
    loop.start("two-waits")
    loop.settle()
    for repeated in (False, True):
        answer = loop.ask("POST", "/runs/run-1/resume", "once", {"idempotency-key": "a"})
        assert (answer.status, answer.body["repeated"]) == (202, repeated)
        loop.settle()
    assert (loop.snapshot().status, loop.snapshot().current_node_id) == (Status.PAUSED, "second")


@pytest.mark.parametrize("path", ["/runs/run-1/signals/go", "/runs/run-1/resume", "/webhooks/{token}"])
def test_a_signal_whose_wake_cannot_be_sent_is_accepted(new_loop: NewLoop, path: str) -> None:
    """It is written, and its mark will see to it: a caller told to try again would signal twice."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    loop.tap.on("SendMessage", "before", raising("ThrottlingException"))
    answer = loop.http("POST", path.format(token=loop.token()), 1)
    assert (answer.status, answer.body["repeated"]) == (202, False)
    assert loop.queued() == 0
    loop.minutes(8)
    assert loop.snapshot().output == {"got": 1}


def test_a_signal_repeated_with_its_key_is_taken_once(new_loop: NewLoop) -> None:
    """The same key is the same signal, even after it was taken; two waits need two signals."""
    loop = new_loop(examples.two_waits())
    loop.start("two-waits")
    loop.settle()
    assert loop.signal("go", 1, key="a").body["repeated"] is False
    assert loop.signal("go", 1, key="a").body["repeated"] is True
    loop.settle()
    assert loop.signal("go", 1, key="a").body["repeated"] is True
    loop.settle()
    assert loop.snapshot().current_node_id == "second"
    loop.signal("go", 2, key="b")
    loop.settle()
    assert loop.snapshot().output == {"got": [1, 2]}


def test_early_signals_are_taken_oldest_first(new_loop: NewLoop) -> None:
    """Two signals of one name answer two waits in the order they came."""
    loop = new_loop(examples.two_waits())
    loop.start("two-waits")
    loop.signal("go", "first", key="z")
    loop.time.pass_by(1)
    loop.signal("go", "second", key="a")
    loop.settle()
    assert loop.snapshot().output == {"got": ["first", "second"]}
    assert not _inbox(loop)


def test_a_signal_of_another_name_is_left_alone(new_loop: NewLoop) -> None:
    """What the run does not wait for stays in the inbox and moves nothing."""
    loop = new_loop(examples.wait(signal="go"))
    loop.start("wait")
    loop.settle()
    loop.signal("stop", 1)
    loop.signal("go.on", 1)
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED
    assert len(_inbox(loop)) == 2
    assert loop.executed()["wait"] == 1


def test_a_signal_to_a_finished_run_is_refused(new_loop: NewLoop) -> None:
    """409, and nothing is written."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    loop.settle()
    before = loop.items()
    assert loop.signal("go").status == 409
    assert loop.ask("POST", "/runs/run-1/resume").status == 409
    assert loop.items() == before
    assert loop.queued() == 0


@pytest.mark.parametrize("path", ["/runs/run-1/signals/go", "/runs/run-1/resume"])
def test_a_repeat_is_known_after_the_end(new_loop: NewLoop, path: str) -> None:
    """Its first try may be what has ended the run: whoever was not answered is told that it was taken."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    assert loop.ask("POST", path, 1, {"idempotency-key": "k"}).status == 202
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    again = loop.ask("POST", path, 1, {"idempotency-key": "k"})
    assert (again.status, again.body["repeated"]) == (202, True)
    assert loop.ask("POST", path, 1, {"idempotency-key": "another"}).status == 409
    assert loop.queued() == 0


@pytest.mark.parametrize("early", [True, False])
def test_a_resume_repeated_while_the_run_goes_on_ends_no_later_wait(new_loop: NewLoop, early: bool) -> None:
    """The first try came in the wait and its repeat between two, or the other way round: it is one payload."""
    nodes: list[dict[str, object]] = [
        {"id": "first", "type": "core:wait"},
        {"id": "between", "type": "core:set", "data": 1},
        {"id": "second", "type": "core:wait"},
    ]
    loop = new_loop(examples.registry("nameless", nodes, [("first", "between"), ("between", "second")]))
    loop.start("nameless")

    def resume() -> bool:
        answer = loop.ask("POST", "/runs/run-1/resume", "x", {"idempotency-key": "k"})
        assert answer.status == 202
        repeated: bool = answer.body["repeated"]
        return repeated

    if not early:
        loop.deliver_all()
    assert resume() is False
    while loop.snapshot().current_node_id != "between":
        loop.deliver()
    assert resume() is True
    loop.settle()
    assert (loop.snapshot().status, loop.snapshot().current_node_id) == (Status.PAUSED, "second")
    assert resume() is True
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED


def test_a_run_that_ends_while_its_signal_is_written(new_loop: NewLoop) -> None:
    """The run was live when the caller looked and has ended when the signal is written: 409, nothing written."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    rival = loop.new_process()
    messages = loop.receive()

    def run_ends(_call: Call) -> None:
        loop.acknowledge(messages, loop.invoke(messages, rival))

    loop.tap.on("TransactWriteItems", "before", run_ends)
    assert loop.signal("go").status == 409
    assert loop.snapshot().status is Status.COMPLETED
    assert not _inbox(loop)


def test_a_signal_that_arrives_between_pause_and_commit(new_loop: NewLoop) -> None:
    """It is written while the step that pauses is under way; the run looks again after its commit."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.deliver()

    def signal_arrives(_call: Call) -> None:
        loop.signal("go", "in time")
        # Its nudge comes while the run does not wait yet, and does nothing.
        loop.deliver()

    loop.tap.on("UpdateItem", "before", signal_arrives)
    loop.settle()
    assert loop.snapshot().output == {"got": "in time"}


def test_a_resume_of_a_run_that_sleeps_is_refused(new_loop: NewLoop) -> None:
    """A timer takes no payload: 409 says so."""
    loop = new_loop(examples.sleep(HOUR))
    loop.start("sleep")
    loop.settle()
    answer = loop.ask("POST", "/runs/run-1/resume", 1)
    assert answer.status == 409
    assert "sleeps" in answer.body["detail"]


@pytest.mark.parametrize(
    ("before_due_ms", "output"), [(1, {"got": "signal"}), (0, {"late": True}), (-1, {"late": True})]
)
def test_a_signal_races_its_timeout(new_loop: NewLoop, before_due_ms: int, output: object) -> None:
    """A signal that arrived before the due time wins, however late the timer is delivered; at it or after, it lost."""
    loop = new_loop(examples.wait(timeout_ms=10 * MINUTE))
    loop.start("wait")
    loop.deliver_all()
    due_at_ms = loop.snapshot().due_at_ms
    assert due_at_ms is not None
    loop.time.pass_by(due_at_ms - before_due_ms - loop.time.now_ms)
    # Its nudge is lost; the timer finds it.
    loop.tap.on("SendMessage", "before", crash)
    loop.signal("go", "signal")
    loop.tap.clear()
    loop.time.pass_by(5 * SECOND)
    loop.settle()
    assert loop.snapshot().output == output
    assert loop.snapshot().status is Status.COMPLETED


def test_a_payload_survives_the_failures_of_the_step_that_takes_it(new_loop: NewLoop) -> None:
    """The step that takes a signal fails twice: its retries are given the same payload, and the same key."""
    loop = new_loop(examples.flaky_wait(failures=2))
    loop.start("flaky-wait")
    loop.settle()
    loop.signal("go", {"n": 7})
    loop.settle()
    output: Any = loop.snapshot().output
    assert output["payload"] == {"n": 7}
    assert len(output["keys"]) == 1
    assert loop.executed() == {"ask": 4}
    assert not _inbox(loop)


def test_a_wait_begun_again_is_another_wait(new_loop: NewLoop) -> None:
    """A node that asks twice takes two signals, the second not before the first."""
    loop = new_loop(examples.asking_twice())
    loop.start("asking-twice")
    loop.settle()
    loop.signal("go", 1, key="a")
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED
    wait = loop.snapshot().wait
    assert wait is not None
    assert wait.resumes == 1
    loop.signal("go", 2, key="b")
    loop.settle()
    assert loop.snapshot().output == 2


def test_a_signal_that_a_commit_has_taken_is_not_taken_again(new_loop: NewLoop) -> None:
    """The process dies between the commit that took it and its removal: whoever comes next leaves it out."""
    loop = new_loop(examples.asking_twice())
    loop.start("asking-twice")
    loop.settle()
    loop.signal("go", 1, key="a")
    loop.tap.on("UpdateItem", "after", crash)
    loop.deliver()
    assert len(_inbox(loop)) == 1
    loop.send(Wake("run-1"))
    loop.deliver()
    assert loop.executed() == {"ask": 2}
    loop.settle()
    assert loop.executed() == {"ask": 2}
    assert loop.snapshot().status is Status.PAUSED
    assert not _inbox(loop)


def test_a_signal_taken_by_the_last_step_is_removed(new_loop: NewLoop) -> None:
    """The process dies right after the commit that ends the run: the redelivery cleans up behind it."""
    loop = new_loop(examples.asking_twice())
    loop.start("asking-twice")
    loop.settle()
    loop.signal("go", 2, key="a")
    loop.tap.on("UpdateItem", "after", crash)
    loop.deliver()
    assert loop.snapshot().status is Status.COMPLETED
    assert len(_inbox(loop)) == 1
    loop.settle()
    assert not _inbox(loop)
    assert loop.executed() == {"ask": 2}
