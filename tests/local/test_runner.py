"""LocalRunner: workflows tested with the real dispatcher, in virtual time, with faults."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from engine import Flow, Registry, RetryPolicy, Status, Step
from engine.json_value import JsonValue
from local import LocalRunner
from local.mortal_ports import Boundary
from local.run import NeverEnds, NotReached, RunFailed


class Declined(Exception):
    """The card was declined."""


class Busy(Exception):
    """The service is busy."""


def orders() -> Registry:
    """Pay, wait for a decision for a day, ship."""
    registry = Registry()

    @registry.node("charge-card", retry_policy=RetryPolicy(3, interval=60_000, retry_on=(Busy,)))
    def charge(data: dict[str, int], step: Step) -> dict[str, JsonValue]:
        if data["cents"] < 0:
            raise Declined("less than nothing")
        if data["cents"] == 13 and step.attempt < 3:
            raise Busy("later")
        return {"cents": data["cents"], "key": step.idempotency_key}

    @registry.node("ship")
    async def ship(_data: JsonValue) -> JsonValue:
        await asyncio.sleep(0)
        return "shipped"

    flow = Flow("order")
    pay = flow.node("pay", charge, {"cents": "{{ run.input.cents }}"})
    wait = flow.wait("approval", signal="decision", timeout=timedelta(days=30))
    approved = flow.if_("approved", "{{ nodes.approval.last.data.ok }}")
    _ = pay >> wait >> approved
    _ = approved["true"] >> flow.node("send", ship)
    _ = wait["timeout"] >> flow.fail("late", "TimedOut", "nobody answered")
    registry.add(flow)
    return registry


def test_a_run_from_start_to_end() -> None:
    """As architecture.md shows it: until it waits, a signal, the result."""
    run = LocalRunner(orders()).start("order", {"cents": 1999})
    assert run.status is Status.ACTIVE
    assert run.until_paused().node_id == "approval"
    run.signal("decision", {"ok": True})
    assert run.result() == "shipped"
    run.assert_executed("pay", "approval", "approved", "send")


def test_thirty_days_pass_at_once() -> None:
    """A timeout is waited for by the clock alone; nothing is slept."""
    runner = LocalRunner(orders(), now=datetime(2026, 1, 1, tzinfo=UTC))
    began_ms = runner.now_ms
    run = runner.start("order", {"cents": 1})
    run.assert_failed("TimedOut")
    assert runner.now_ms - began_ms == timedelta(days=30) // timedelta(milliseconds=1)


def test_time_is_let_pass_by_hand() -> None:
    """``advance`` does what happens meanwhile, and no more."""
    runner = LocalRunner(orders())
    run = runner.start("order", {"cents": 1})
    runner.advance(timedelta(days=29))
    assert run.snapshot.status.value == "paused"
    runner.advance(timedelta(days=2))
    assert run.snapshot.status.value == "failed"


def test_retries_wait_in_virtual_time() -> None:
    """Each failed attempt is there, and so is the time between them."""
    runner = LocalRunner(orders())
    began_ms = runner.now_ms
    run = runner.start("order", {"cents": 13}).until_paused()
    assert run.errors("pay") == ["Busy: later"] * 2
    assert run.executed == ["pay"] * 3
    assert runner.now_ms - began_ms == 120_000


def test_until_a_node() -> None:
    """The node has not been executed yet."""
    run = LocalRunner(orders()).start("order", {"cents": 1}, workflow_id="o-1").signal("decision", {"ok": True})
    assert run.until("send").executed == ["pay", "approval", "approved"]


def test_what_a_run_does_not_reach_is_told_with_its_history() -> None:
    """By whoever expected it: where it is, and what to do about that."""
    run = LocalRunner(orders()).start("order", {"cents": -1})
    with pytest.raises(RunFailed, match="less than nothing"):
        run.result()
    with pytest.raises(NotReached, match="never waits for a signal"):
        run.until_paused()
    with pytest.raises(AssertionError, match="attempt 1 failed"):
        run.assert_executed("pay", "send")


def test_a_wait_without_end_is_no_result() -> None:
    """It says which signal is missing."""
    registry = Registry()
    flow = Flow("ask")
    flow.wait("answer", signal="yes-or-no")
    registry.add(flow)
    with pytest.raises(NotReached, match=r"waiting for 'yes-or-no': run\.signal"):
        LocalRunner(registry).start("ask").result()


def test_a_fake_stands_for_a_node_type() -> None:
    """In one runner; the registry keeps its own, and the calls are told."""
    registry = orders()
    runner = LocalRunner(registry)
    fake = runner.fake("charge-card", {"faked": True})
    run = runner.start("order", {"cents": 5}).until_paused()
    assert run.outputs("pay") == [{"faked": True}]
    assert fake.calls == [{"cents": 5}]
    assert LocalRunner(registry).start("order", {"cents": 5}).until_paused().outputs("pay") != [{"faked": True}]
    with pytest.raises(ValueError, match="charge-card"):
        runner.fake("charge", 1)


def test_a_fake_may_fail() -> None:
    """As the real one would: its policy and its edges are asked."""
    runner = LocalRunner(orders())

    def busy(_data: JsonValue, step: Step) -> JsonValue:
        raise Busy(f"attempt {step.attempt}")

    runner.fake("charge-card", busy)
    run = runner.start("order", {"cents": 5}).assert_failed("Busy")
    assert len(run.errors("pay")) == 3


@pytest.mark.parametrize("boundary", ["load", "save", "send"])
@pytest.mark.parametrize("steps", [1, 3])
def test_a_crash_at_each_version_changes_nothing(boundary: Boundary, steps: int) -> None:
    """The same result; no step is executed more than once more for each death."""
    runner = LocalRunner(orders(), crash_after=boundary, steps_per_invocation=steps)
    run = runner.start("order", {"cents": 7}).until_paused()
    run.signal("decision", {"ok": True})
    assert run.result() == "shipped"
    run.assert_executed("pay", "approval", "approved", "send")
    # Three steps at a time come to the wait, and from there to the end, without a message of their own.
    assert runner.crashes > 0 or (boundary, steps) == ("send", 3)
    assert sum(runner.executions.values()) <= 5 + runner.crashes


def test_every_message_twice_changes_nothing() -> None:
    """The second delivery finds that there is nothing left to do."""
    runner = LocalRunner(orders(), duplicates=True)
    run = runner.start("order", {"cents": 7}).until_paused()
    run.signal("decision", {"ok": True}).signal("decision", {"ok": False})
    assert run.result() == "shipped"
    assert runner.executions[run.workflow_id, "send"] == 1


def test_links_holds_and_forks() -> None:
    """What others do to a run works as over HTTP."""
    runner = LocalRunner(orders())
    run = runner.start("order", {"cents": 7}).until_paused().hold("have a look")
    url = run.callback_url
    assert url is not None
    run.webhook(url, {"ok": True})
    with pytest.raises(NotReached, match="on hold"):
        run.until_ended()
    run.release()
    assert run.result() == "shipped"
    fork = run.fork(version=0)
    assert fork.until_paused().outputs("pay") != run.outputs("pay")
    assert fork.cancel("enough").status is Status.CANCELLED


def test_a_failed_run_is_retried_with_other_data() -> None:
    """The operator's way out; the step is another, so its key is."""
    runner = LocalRunner(orders())
    run = runner.start("order", {"cents": -1}).assert_failed("Declined")
    assert run.retry(data={"cents": 8}).until_paused().outputs("pay")[0]["cents"] == 8  # type: ignore[index,call-overload]


def test_tests_may_be_coroutines() -> None:
    """Async executors run although the test has an event loop."""

    async def test() -> JsonValue:
        run = await LocalRunner(orders()).start("order", {"cents": 7}).until_paused_async()
        return await run.signal("decision", {"ok": True}).result_async()

    assert asyncio.run(test()) == "shipped"


def test_every_call_works_in_a_coroutine() -> None:
    """Also those that are not awaited: an async executor has a loop of its own."""

    async def test() -> None:
        runner = LocalRunner(orders())
        plain, awaited = runner.start("order", {"cents": 7}), runner.start("order", {"cents": 8})
        runner.advance(timedelta(hours=1))
        await runner.advance_async(timedelta(hours=1))
        assert plain.until_paused().signal("decision", {"ok": True}).result() == "shipped"
        assert runner.executions[plain.workflow_id, "send"] == 1
        await awaited.assert_failed_async("TimedOut")

    asyncio.run(test())


def test_a_loop_without_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than to hang the test."""
    monkeypatch.setattr("local.runner.DELIVERIES_MAX", 50)
    registry = Registry()
    registry.add(
        {
            "name": "round",
            "nodes": [{"id": "a", "type": "core:set"}, {"id": "b", "type": "core:set"}],
            "edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "a"}],
        }
    )
    with pytest.raises(NeverEnds):
        LocalRunner(registry).start("round").result()
