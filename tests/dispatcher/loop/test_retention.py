"""How long a finished run is kept, and that nothing of it is left when it goes."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Status
from tests.dispatcher import examples, long_examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.long_examples import READ
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.values import incompressible
from tests.dispatcher.virtual_time import DAY, HOUR, MINUTE
from tests.dispatcher.wiretap import Call, crash, lose_the_answer

DAYS = 3
MEGABYTE = 1024 * 1024


def _of_runs(loop: MotoLoop) -> list[str]:
    """Sort keys of all items of runs."""
    return sorted(item["sk"]["S"] for item in loop.items() if item["pk"]["S"].startswith("run#"))


def _in_bucket(loop: MotoLoop) -> int:
    return int(loop._observer.s3().list_objects_v2(Bucket=loop.settings.payload_bucket)["KeyCount"])


def _head_item(loop: MotoLoop) -> dict[str, Any]:
    (item,) = [dict(item) for item in loop.items() if item["sk"]["S"] == "head"]
    return item


def _sweeps(loop: MotoLoop, until_ms: int) -> None:
    """Time passes, with a sweep each half hour or so."""
    while loop.time.now_ms < until_ms:
        loop.time.pass_by(min(until_ms - loop.time.now_ms, 12 * HOUR))
        loop.sweep()
        loop.settle()


def test_a_run_that_is_only_its_head_goes_by_the_table_s_own_expiry(new_loop: NewLoop) -> None:
    """It is told the time, in whole seconds and never early, and leaves the due index: it costs nothing more."""
    loop = new_loop(examples.chain(2), retention_days=DAYS)
    loop.start("chain")
    loop.settle()
    ended_at_ms = loop.time.now_ms
    loop.time.pass_by(31 * MINUTE)
    assert loop.sweep()["removed"] == 1
    item = _head_item(loop)
    assert int(item["expires_at"]["N"]) * 1000 >= ended_at_ms + DAYS * DAY
    assert int(item["expires_at"]["N"]) * 1000 < ended_at_ms + DAYS * DAY + 1000
    assert "due_at" not in item
    assert loop.sweep()["lookedAt"] == 0


@pytest.mark.parametrize("kind", ["segments", "blob", "bucket", "signal"])
def test_a_run_with_objects_is_removed_after_its_days(new_loop: NewLoop, kind: str) -> None:
    """Not before; then all of it, the bucket's objects included, and another run's stay."""
    registry = {
        "segments": long_examples.counting(6, READ),
        "blob": long_examples.large(100),
        "bucket": long_examples.large(100),
        "signal": examples.wait(),
    }[kind]
    workflow = next(iter(registry.workflows))
    text = {"text": incompressible({"blob": 20_000, "bucket": MEGABYTE}.get(kind, 10))}
    loop = new_loop(registry, steps_per_invocation=10, retention_days=DAYS)
    loop.start(workflow, text)
    loop.settle()
    loop.signal("go", {"text": "x"})
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    loop.start(workflow, text, run="other")
    loop.settle()
    ended_at_ms = loop.time.now_ms
    _sweeps(loop, ended_at_ms + DAYS * DAY - 1)
    assert loop.snapshot().status is Status.COMPLETED
    assert _in_bucket(loop) == (2 if kind == "bucket" else 0)
    _sweeps(loop, ended_at_ms + DAYS * DAY + HOUR)
    assert [item["pk"]["S"] for item in loop.items() if item["pk"]["S"] == "run#run-1"] == []
    assert loop.ask("GET", "/runs/run-1").status == 404
    assert _in_bucket(loop) == (1 if kind == "bucket" else 0)
    loop.signal("go", {"text": "x"}, run="other")
    loop.settle()
    assert loop.snapshot("other").status is Status.COMPLETED


def test_a_value_in_the_bucket_alone_goes_too(new_loop: NewLoop) -> None:
    """No item of the table tells of it but the head: it is removed all the same."""
    loop = new_loop(examples.choice(), retention_days=DAYS)
    loop.start("choice", {"n": 1, "text": incompressible(MEGABYTE)})
    loop.settle()
    assert _of_runs(loop) == ["head"]
    assert _in_bucket(loop) == 1
    _sweeps(loop, loop.time.now_ms + (DAYS + 1) * DAY)
    # The table's own expiry leaves the bucket as it is: who has objects there is not left to it.
    assert _in_bucket(loop) == 0
    assert _of_runs(loop) == []


def test_a_run_that_goes_on_is_kept(new_loop: NewLoop) -> None:
    """However long it waits: its days begin with its end."""
    loop = new_loop(examples.wait(), retention_days=DAYS)
    loop.start("wait")
    loop.settle()
    _sweeps(loop, loop.time.now_ms + 20 * DAY)
    assert loop.snapshot().status is Status.PAUSED
    loop.signal("go", 1)
    loop.settle()
    _sweeps(loop, loop.time.now_ms + DAYS * DAY - 1)
    assert loop.snapshot().status is Status.COMPLETED


def test_without_a_setting_runs_are_kept_for_ever(new_loop: NewLoop) -> None:
    """No time is set, no mark is left, nothing is removed."""
    loop = new_loop(long_examples.counting(6, READ), steps_per_invocation=10)
    loop.start("counting")
    loop.signal("go", 1)
    loop.settle()
    items = _of_runs(loop)
    _sweeps(loop, loop.time.now_ms + 5 * DAY)
    assert _of_runs(loop) == items
    assert "due_at" not in _head_item(loop)
    assert "expires_at" not in _head_item(loop)


def _expired(new_loop: NewLoop) -> MotoLoop:
    """A run whose time has come, at the moment its sweep is due."""
    loop = new_loop(long_examples.counting(6, READ), steps_per_invocation=10, retention_days=DAYS)
    loop.start("counting", {"text": incompressible(MEGABYTE)})
    loop.signal("go", 1)
    loop.settle()
    loop.time.pass_by(31 * MINUTE)
    loop.sweep()
    loop.time.pass_by(DAYS * DAY)
    loop.tap.clear()
    return loop


def test_a_removal_that_is_cut_short_is_taken_up_again(new_loop: NewLoop) -> None:
    """The process dies at any of its calls: the head is the last to go, so what is left is found."""
    loop = _expired(new_loop)
    loop.sweep()
    loop.settle()
    assert _of_runs(loop) == []
    calls = [call for call in loop.tap.calls if call.writes]
    assert len(calls) > 5
    for call in calls[:: max(len(calls) // 5, 1)]:
        loop = _again(loop, call)
        assert _of_runs(loop) == [], call
        assert _in_bucket(loop) == 0, call


def _again(loop: MotoLoop, call: Call) -> MotoLoop:
    loop.restart()
    loop.tap.clear()
    loop.start("counting", {"text": incompressible(MEGABYTE)})
    loop.signal("go", 1)
    loop.settle()
    loop.time.pass_by(31 * MINUTE)
    loop.sweep()
    loop.time.pass_by(DAYS * DAY)
    loop.tap.clear()
    loop.tap.at(call.index, "after", crash if call.index % 2 else lose_the_answer)
    for _ in range(4):
        loop.sweep()
        loop.settle()
        loop.time.pass_by(DAY)
    return loop


def test_a_run_of_the_same_id_begins_anew(new_loop: NewLoop) -> None:
    """What the first had sealed is gone, or not the second's: it runs as if it were the first."""
    loop = _expired(new_loop)
    loop.sweep()
    loop.settle()
    assert _of_runs(loop) == []
    loop.start("counting", {"other": 1})
    loop.signal("go", 1)
    loop.settle()
    output: Any = loop.snapshot().output
    assert (output["visits"], output["first"]) == (6, 1)


class TestDelete:
    """DELETE /runs/{id}."""

    def test_removes_all_of_a_finished_run(self, new_loop: NewLoop) -> None:
        """200; afterwards nobody knows it, and its id can begin anew."""
        loop = new_loop(long_examples.counting(6, READ), steps_per_invocation=10)
        loop.start("counting", {"text": incompressible(MEGABYTE)})
        loop.signal("go", 1)
        loop.settle()
        loop.ask("GET", "/runs/run-1/history")
        answer = loop.ask("DELETE", "/runs/run-1")
        assert (answer.status, answer.body) == (200, {"workflowId": "run-1", "removed": True})
        assert _of_runs(loop) == []
        assert _in_bucket(loop) == 0
        assert loop.ask("DELETE", "/runs/run-1").status == 404
        loop.start("counting")
        loop.settle()
        assert loop.snapshot().status is Status.PAUSED

    @pytest.mark.parametrize("held", [True, False])
    def test_a_run_that_goes_on_is_not_removed(self, new_loop: NewLoop, *, held: bool) -> None:
        """409 says what to do first."""
        loop = new_loop(examples.wait())
        loop.start("wait")
        loop.settle()
        if held:
            loop.ask("POST", "/runs/run-1/pause")
        before = loop.items()
        answer = loop.ask("DELETE", "/runs/run-1")
        assert (answer.status, "cancel" in answer.body["detail"]) == (409, True)
        assert loop.items() == before

    def test_a_message_that_is_still_on_its_way_finds_nothing(self, new_loop: NewLoop) -> None:
        """It is acknowledged."""
        loop = new_loop(examples.chain(2))
        loop.start("chain")
        loop.ask("POST", "/runs/run-1/cancel")
        assert loop.ask("DELETE", "/runs/run-1").status == 200
        loop.settle()
        assert (loop.failures, _of_runs(loop)) == (0, [])
