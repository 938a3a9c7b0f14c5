"""Plugins: told everything in order, each fact as it is, and unable to change or stop anything."""

from __future__ import annotations

import asyncio
import logging
from itertools import pairwise
from typing import Any

import pytest

from engine import Host, Plugin, Registry, Snapshot, Status, WorkflowDefinition
from engine.errors import IllegalTransition
from engine.outcome import Cancelled, StepError
from engine.transition import advance
from tests.engine.one_node import NOW_MS
from tests.engine.recorder import HOOKS, Recorder, eventful_registry, steps_of

STORY = [
    *("before try 1.1", "error try 1.1", "start 0"),
    *("before try 1.2", "after try 1.2"),
    *("before ask 1.1", "after ask 1.1", "pause 3"),
    *("before ask 1.1", "after ask 1.1"),
]
"""Both workflows up to their last node."""


class Raising(Plugin):
    """Raises in one of its hooks and does nothing in the others."""

    def __init__(self, hook: str) -> None:
        self.calls = 0
        setattr(self, hook, self._raise)

    def _raise(self, _told: object) -> None:
        self.calls += 1
        raise RuntimeError("a plugin's own trouble")


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("good", ["before end 1.1", "after end 1.1", "complete 5"]),
        ("bad", ["before end 1.1", "error end 1.1", "fail 5"]),
    ],
)
def test_hooks_are_called_in_the_order_of_things(name: str, end: list[str]) -> None:
    """Of each step first what the node did, then what that means for the run; the start once, with the first."""
    recorder = Recorder()
    list(steps_of(eventful_registry([recorder]).engine(name)))
    assert recorder.told == STORY + end


def test_a_node_hook_is_told_the_facts_of_its_execution() -> None:
    """The step, the node's type, the snapshots around it, the error and how long it took by the step's clock."""
    recorder = Recorder()
    snapshots = list(steps_of(eventful_registry([recorder]).engine("good")))
    begun, failed, _, succeeded, *_ = recorder.events
    assert (begun.after, begun.error, begun.duration_ms) == (None, None, 0)
    assert (begun.node_type, begun.before) == ("test:unsteady", snapshots[0])
    assert (failed.before, failed.after, failed.error) == (*snapshots[:2], StepError("OSError", "busy"))
    assert failed.after is not None
    assert failed.after.status is Status.ERROR
    assert (succeeded.before, succeeded.after, succeeded.error) == (*snapshots[1:3], None)
    assert [failed.duration_ms, succeeded.duration_ms] == [10, 5]
    assert [event.step.resumed is not None for event in recorder.events] == [*[False] * 6, *[True] * 2, *[False] * 2]


def test_a_run_hook_is_given_the_snapshot_it_is_about() -> None:
    """The start has the one the run began with, the others the one it came to."""
    recorder = Recorder()
    snapshots = list(steps_of(eventful_registry([recorder]).engine("good")))
    assert recorder.snapshots == [snapshots[0], snapshots[3], snapshots[5]]
    assert [snapshot.status for snapshot in recorder.snapshots] == ["active", "paused", "completed"]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("name", ["good", "bad"])
def test_a_hook_that_raises_is_logged_and_changes_nothing(
    name: str, hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not the run, and not what the plugins after it are told."""
    raising, recorder = Raising(hook), Recorder()
    with caplog.at_level(logging.ERROR, "refluxo.plugin"):
        *_, last = steps_of(eventful_registry([raising, recorder]).engine(name))
    *_, undisturbed = steps_of(eventful_registry().engine(name))
    assert last.to_json() == undisturbed.to_json()
    assert recorder.told[: len(STORY)] == STORY
    assert raising.calls == len(caplog.records)
    untold = {"on_workflow_cancel", {"good": "on_workflow_fail", "bad": "on_workflow_complete"}[name]}
    assert (raising.calls == 0) is (hook in untold)
    for record in caplog.records:
        assert "a hook of Raising raised" in record.getMessage()
        assert record.exc_info is not None
        assert "a plugin's own trouble" in str(record.exc_info[1])


def test_several_plugins_are_told_in_order() -> None:
    """Each hook of all of them before the next hook of any."""
    told: list[str] = []
    list(steps_of(eventful_registry([Recorder("a ", told), Recorder("b ", told)]).engine("good")))
    assert told[::2] == [line.replace("b ", "a ", 1) for line in told[1::2]]
    assert [line[0] for line in told] == ["a", "b"] * (len(told) // 2)


def test_a_host_that_announces_calls_the_run_hooks_itself() -> None:
    """Node hooks are called by each execution; run hooks by ``announce``, once the host has saved the snapshot."""
    recorder = Recorder()
    engine = eventful_registry([recorder]).engine("good")
    snapshots = list(steps_of(engine, host=Host(announces=True)))
    assert recorder.told == [line for line in STORY if "." in line] + ["before end 1.1", "after end 1.1"]
    recorder.told.clear()
    for before, after in pairwise(snapshots):
        engine.announce(before, after)
    assert recorder.told == ["start 0", "pause 3", "complete 5"]


def test_an_execution_whose_result_is_dropped_is_told_all_the_same() -> None:
    """Node hooks are per execution: two deliveries of one step are two executions, and one run's start."""
    recorder = Recorder()
    engine = eventful_registry([recorder]).engine("good")
    initial = engine.create_initial_snapshot("run-1", now_ms=NOW_MS)
    won, _lost = (engine.execute_step(initial, now_ms=NOW_MS, host=Host(announces=True)) for _ in range(2))
    engine.announce(initial, won)
    assert recorder.told == ["before try 1.1", "error try 1.1"] * 2 + ["start 0"]


def test_to_announce_without_plugins_is_nothing() -> None:
    """A host need not ask whether there are any."""
    engine = eventful_registry().engine("good")
    snapshot = engine.create_initial_snapshot("run-1", now_ms=NOW_MS)
    engine.announce(snapshot, engine.execute_step(snapshot, now_ms=NOW_MS))


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_no_hook_is_called_for_a_terminal_run(status: str) -> None:
    """There is no step to execute, so there is nothing to tell."""
    recorder = Recorder()
    engine = eventful_registry([recorder]).engine("bad" if status == "failed" else "good")
    snapshots = list(steps_of(engine))
    ended = snapshots[-1]
    if status == "cancelled":
        ended = advance(snapshots[3], Cancelled("no longer wanted"), now_ms=NOW_MS).snapshot
    recorder.told.clear()
    assert ended.status == status
    with pytest.raises(IllegalTransition):
        engine.execute_step(ended, now_ms=NOW_MS)
    with pytest.raises(IllegalTransition):
        engine.execute(ended, now_ms=NOW_MS)
    assert recorder.told == []


def test_a_cancellation_is_announced() -> None:
    """By whoever commits it; a run that made no step yet has begun with it."""
    recorder = Recorder()
    engine = eventful_registry([recorder]).engine("good")
    snapshots = list(steps_of(engine, host=Host(announces=True)))
    recorder.told.clear()
    for before in (snapshots[3], snapshots[0]):
        engine.announce(before, advance(before, Cancelled("no longer wanted"), now_ms=NOW_MS).snapshot)
    assert recorder.told == ["cancel 4", "start 0", "cancel 1"]


def test_an_error_that_is_caught_fails_no_run() -> None:
    """The node's failure is told, and by ``after`` that the run goes on."""
    recorder = Recorder()
    registry = Registry(plugins=[recorder])
    registry.add(
        {
            "name": "caught",
            "nodes": [
                {"id": "it", "type": "core:fail", "data": {"error": "Bad"}},
                {"id": "after", "type": "core:set", "data": 1},
            ],
            "edges": [{"source": "it", "target": "after", "sourceHandle": "error:Bad"}],
        }
    )
    registry.engine("caught").execute(now_ms=NOW_MS)
    assert recorder.told[:3] == ["before it 1.1", "error it 1.1", "start 0"]
    assert recorder.told[3:] == ["before after 1.1", "after after 1.1", "complete 2"]
    assert recorder.events[1].after is not None
    assert recorder.events[1].after.status is Status.ACTIVE


def test_what_fails_before_its_executor_is_told_too() -> None:
    """A type that is gone, data that cannot be resolved: executions that failed like any other."""
    recorder = Recorder()
    nodes = [{"id": "it", "type": "test:gone", "data": "{{ 1 / 0 }}"}]
    engine = Registry(plugins=[recorder]).engine(WorkflowDefinition.parse({"nodes": nodes}), check=False)
    engine.execute(now_ms=NOW_MS)
    assert recorder.told == ["before it 1.1", "error it 1.1", "start 0", "fail 1"]
    assert recorder.events[0].node_type == "test:gone"


def test_the_async_way_calls_the_same_hooks() -> None:
    """Hosts with an event loop have plugins too."""
    recorder = Recorder()
    engine = eventful_registry([recorder]).engine("good")

    async def play() -> None:
        snapshot = engine.create_initial_snapshot("run-1", now_ms=NOW_MS)
        while not snapshot.status.terminal:
            snapshot = await engine.execute_step_async(snapshot, now_ms=NOW_MS)

    asyncio.run(play())
    assert recorder.told == [*STORY, "before end 1.1", "after end 1.1", "complete 5"]


def test_a_plugin_need_not_override_anything() -> None:
    """The base has every hook and does nothing in it."""
    plain: Any = Plugin()
    snapshots: list[Snapshot] = list(steps_of(eventful_registry([plain]).engine("bad")))
    assert snapshots[-1].status is Status.FAILED
    assert all(getattr(plain, hook)(None) is None for hook in HOOKS)
