"""Node types that the engine only describes are executed by what its host brings."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Host, Output, Registry, Status, Step
from engine.core_data import HttpData
from engine.json_value import JsonObject
from tests.engine.one_node import NOW_MS, core_engine, first_step, result_of

GET: JsonObject = {"method": "GET", "url": "https://{{ run.input }}/"}


def test_the_hosts_executor_is_given_data_and_step() -> None:
    """Resolved, checked and as the model; what it returns is the step's output."""
    given: list[tuple[object, Step]] = []

    def call(data: object, step: Step) -> Output:
        given.append((data, step))
        return Output("answer", "rejected")

    engine = core_engine("core:http", GET, "rejected")
    snapshot = first_step(engine, "example.com", host=Host(executors={"core:http": call}))
    (data, step) = given[0]
    assert data == HttpData.model_validate({"method": "GET", "url": "https://example.com/"})
    assert (step.node_id, step.attempt) == ("it", 1)
    assert (result_of(snapshot).output, snapshot.current_node_id) == ("answer", "to:rejected")


def test_an_executor_of_the_host_may_be_async() -> None:
    """As any other may."""

    async def call(data: HttpData, _step: Step) -> str:
        return data.url

    snapshot = first_step(core_engine("core:http", GET), "a.test", host=Host(executors={"core:http": call}))
    assert snapshot.output == "https://a.test/"


def test_a_type_the_host_does_not_execute_needs_another() -> None:
    """One executor does not stand for the others."""
    host = Host(executors={"core:signal": lambda _data, _step: None})
    snapshot = first_step(core_engine("core:http", GET), "a.test", host=host)
    assert (snapshot.status, result_of(snapshot).error_type) == (Status.FAILED, "NeedsHost")


def test_a_type_given_as_data_has_what_its_step_has() -> None:
    """A workflow within a node reaches the same host."""
    registry = Registry()
    registry.add_node_data(
        {"type": "test:made", "workflow": {"nodes": [{"id": "in", "type": "core:http", "data": GET}]}}
    )
    registry.add({"name": "w", "nodes": [{"id": "it", "type": "test:made", "data": "x.test"}]})
    host = Host(executors={"core:http": lambda data, step: [data.url, step.node_id]})
    assert first_step(registry.engine("w"), host=host).output == ["https://x.test/", "in"]
    assert result_of(first_step(registry.engine("w"))).error_type == "NeedsHost"


@pytest.mark.parametrize(
    ("handles", "connected"),
    [
        ([], []),
        (["rejected"], ["rejected"]),
        (["rejected", None], ["rejected", None]),
        (["error", "error:Busy"], []),
    ],
)
def test_a_step_knows_which_of_its_handles_lead_on(handles: list[str | None], connected: list[str | None]) -> None:
    """Edges that it may choose; a catch edge is none of them."""
    registry = Registry()
    told: list[str | None] = []

    @registry.node("test:it")
    def ask(_data: Any, step: Step) -> None:
        told.extend(handle for handle in ("rejected", None, "error", "error:Busy", "nowhere") if step.connects(handle))

    nodes = [{"id": "it", "type": "test:it"}, *({"id": f"to:{handle}", "type": "core:set"} for handle in handles)]
    edges = [{"source": "it", "target": f"to:{h}"} | ({"sourceHandle": h} if h else {}) for h in handles]
    registry.add({"name": "w", "nodes": nodes, "edges": edges})
    registry.engine("w").execute(now_ms=NOW_MS, step_limit=1)
    assert told == connected
