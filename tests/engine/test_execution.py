"""Executing steps: budgets, clocks, hosts with and without an event loop, and what a step is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine import Host, Pause, Registry, Resumed, Snapshot, Status, Step, WorkflowDefinition, WorkflowEngine
from engine.errors import IllegalTransition
from engine.step import WaitAddress
from tests.engine.corpus import SHAPES, Player
from tests.engine.one_node import NOW_MS, engine_of, first_step, result_of


def endless() -> WorkflowEngine:
    """A workflow that never ends."""
    return Registry().engine(
        WorkflowDefinition.parse(
            {"nodes": [{"id": "a", "type": "core:set"}], "edges": [{"source": "a", "target": "a"}]}
        )
    )


@pytest.mark.parametrize("step_limit", [0, 1, 7])
def test_a_budget_of_steps_is_not_a_failure(step_limit: int) -> None:
    """After the budget the run is still active and can go on from there."""
    snapshot = endless().execute(step_limit=step_limit, now_ms=NOW_MS)
    assert (snapshot.status, snapshot.version) == (Status.ACTIVE, step_limit)
    assert endless().execute(snapshot, step_limit=2, now_ms=NOW_MS).version == step_limit + 2


def test_execute_gives_the_payload_to_the_first_step_alone() -> None:
    """What came from outside is for the step that was waiting for it."""
    nodes = [{"id": node_id, "type": "core:trigger"} for node_id in "ab"]
    definition = WorkflowDefinition.parse({"nodes": nodes, "edges": [{"source": "a", "target": "b"}]})
    snapshot = Registry().engine(definition).execute(external_payload={"n": 1}, workflow_id="mine", now_ms=NOW_MS)
    assert (snapshot.workflow_id, snapshot.input) == ("mine", {"n": 1})
    assert (snapshot.context.outputs("a"), snapshot.context.outputs("b")) == ([{"n": 1}], [None])


def test_execute_stops_where_the_run_waits_and_goes_on_from_there() -> None:
    """A pause ends the call, not the run; the next call ends the pause with its payload."""
    engine = engine_of(lambda _data, step: Pause("go") if step.resumed is None else step.resumed.payload)
    paused = engine.execute(now_ms=NOW_MS)
    assert paused.status is Status.PAUSED
    ended = engine.execute(paused, external_payload="yes", now_ms=NOW_MS)
    assert (ended.status, ended.output) == (Status.COMPLETED, "yes")
    with pytest.raises(IllegalTransition):
        engine.execute(ended, now_ms=NOW_MS)


def test_a_run_may_begin_at_any_node() -> None:
    """The start can be named for one run; one that does not exist is refused, as is a run without an id."""
    nodes = [{"id": node_id, "type": "core:set", "data": node_id} for node_id in "ab"]
    engine = Registry().engine(WorkflowDefinition.parse({"nodes": nodes}))
    assert engine.execute(initial_node_id="b", now_ms=NOW_MS).output == "b"
    with pytest.raises(ValueError, match="there is no node 'c'; nodes: a, b"):
        engine.create_initial_snapshot("r", "c", now_ms=NOW_MS)
    with pytest.raises(ValueError, match="workflow_id"):
        engine.create_initial_snapshot("", now_ms=NOW_MS)


def test_time_comes_from_the_callers_clock() -> None:
    """The result has the time the step ended, and the run's time is the sum of its steps' durations."""
    ticks = iter(range(NOW_MS, NOW_MS + 1000, 10))
    engine = endless()
    snapshot = engine.create_initial_snapshot("r", now_ms=NOW_MS)
    for _ in range(3):
        snapshot = engine.execute_step(snapshot, now_ms=lambda: next(ticks))
    assert [result.timestamp - NOW_MS for result in snapshot.context["a"]] == [10, 30, 50]
    assert (snapshot.last_started_at, snapshot.total_execution_time) == (NOW_MS + 40, 30)


def test_a_clock_that_goes_back_takes_no_time_away() -> None:
    """A step that ends before it began lasted no time."""
    ticks = iter([NOW_MS, NOW_MS - 500, NOW_MS - 500])
    engine = endless()
    snapshot = engine.execute_step(engine.create_initial_snapshot("r", now_ms=NOW_MS), now_ms=lambda: next(ticks))
    assert snapshot.total_execution_time == 0


async def played(player: Player) -> Snapshot:
    """A run without events, by the async way of a step."""
    start = player.start()
    snapshot, payload = start.snapshot, player.shape.input
    while snapshot.status is Status.ACTIVE:
        snapshot = await player.engine.execute_step_async(snapshot, payload, now_ms=NOW_MS)
        payload = None
    return snapshot


@pytest.mark.parametrize("name", ["async executor", "nested loops", "catch by type", "fail node"])
def test_the_async_way_comes_to_the_same(name: str) -> None:
    """Hosts with an event loop get what others get, from plain and from async executors."""
    shape = next(shape for shape in SHAPES if shape.name == name)
    snapshot = asyncio.run(played(Player(shape)))
    assert (snapshot.status, snapshot.output) == (shape.status, shape.output)


def test_async_executors_share_one_event_loop() -> None:
    """A client that is bound to its loop can be used by the next step too."""
    loops: list[int] = []

    async def where(_data: object) -> None:
        loops.append(id(asyncio.get_running_loop()))

    engine = engine_of(where)
    for _ in range(3):
        first_step(engine)
    assert len(set(loops)) == 1


def test_a_step_is_told_what_it_is() -> None:
    """Everything the contract promises an executor, from the first execution to a resumed one."""
    told: list[dict[str, Any]] = []

    def tell(_data: object, step: Step) -> object:
        told.append(
            {
                name: getattr(step, name)
                for name in ("workflow_id", "node_id", "attempt", "visit", "external_payload", "deadline_ms")
            }
            | {"globals": dict(step.globals), "resumed": step.resumed, "url": step.callback_url}
        )
        return Pause("go") if step.resumed is None else "done"

    engine = engine_of(tell)
    addresses: list[WaitAddress] = []

    def url(address: WaitAddress) -> str:
        addresses.append(address)
        return f"https://example.com/{address.node_id}"

    host = Host(deadline_ms=NOW_MS + 9, callback_url=url)
    paused = first_step(engine, {"in": 1}, globals={"g": 1}, host=host)
    engine.execute_step(paused, "payload", now_ms=NOW_MS)
    first, second = told
    assert first == {
        "workflow_id": "run-1",
        "node_id": "it",
        "attempt": 1,
        "visit": 1,
        "external_payload": {"in": 1},
        "deadline_ms": NOW_MS + 9,
        "globals": {"g": 1},
        "resumed": None,
        "url": "https://example.com/it",
    }
    assert addresses == [WaitAddress("it", 1, 0)]
    assert (second["resumed"], second["external_payload"]) == (Resumed("signal", "go", "payload"), "payload")
    assert (second["url"], second["deadline_ms"], second["globals"]) == (None, None, {})


def test_idempotency_keys_differ_by_run_visit_wait_and_epoch() -> None:
    """Two runs of one id have two nonces; an operator's retry with changed data has another epoch."""

    def key(_data: object, step: Step) -> object:
        return step.idempotency_key

    engine = engine_of(key)
    hosts = [Host(), Host(nonce="n1"), Host(nonce="n2"), Host(nonce="n1", retry_epoch=1)]
    keys = [result_of(first_step(engine, host=host)).output for host in hosts]
    assert len(set(map(str, keys))) == len(hosts)
    assert keys == [result_of(first_step(engine, host=host)).output for host in hosts]
    assert all([len(part) for part in str(each).split("-")] == [8, 4, 4, 4, 12] for each in keys)
