"""A flow is exactly the JSON somebody would have written by hand, and runs as that JSON does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from engine import Flow, Registry, RetryPolicy, Status, WorkflowDefinition
from engine.core_data import JoinData
from engine.core_nodes import CORE_NODES

registry = Registry()


class Charge(BaseModel):
    """What a charge is given."""

    order_id: str
    cents: int


class Declined(Exception):
    """The bank said no."""


@registry.node("charge-card")
def charge(data: Charge) -> dict[str, Any]:
    """Takes the money, unless it is too much."""
    if data.cents > 1000:
        raise Declined("too much")
    return {"order": data.order_id, "paid": data.cents}


@registry.node("ask", handles=("yes", "no"))
def ask(data: dict[str, Any]) -> dict[str, Any]:
    """Gives its data."""
    return data


@dataclass(frozen=True)
class Shape:
    """A workflow written twice, and what a run of it comes to."""

    build: Callable[[], Flow]
    document: Mapping[str, Any]
    input: Any = None
    status: Status = Status.COMPLETED
    output: Any = None
    payload: Any = None


def chain() -> Flow:
    """Three in a row, with everything a node may have."""
    flow = Flow(
        "chain",
        input=Charge,
        output={"type": "object"},
        description="three in a row",
        metadata={"team": "shop"},
        deadline=timedelta(hours=1),
    )
    start = flow.trigger("start", metadata={"x": 0, "y": 0})
    pay = flow.node(
        "pay",
        charge,
        {"order_id": "{{ run.input.order_id }}", "cents": "{{ run.input.cents }}"},
        retry=[RetryPolicy(4, timedelta(seconds=1), "exponential", retry_on=(Declined,)), RetryPolicy(2, 5)],
        timeout=timedelta(seconds=20),
        at_most_once=True,
    )
    start >> pay >> flow.set("end", {"paid": "{{ previous.paid }}"})
    return flow


def branch() -> Flow:
    """If, and both ways meet again."""
    flow = Flow("branch")
    big = flow.if_("big", "{{ run.input > 10 }}")
    yes, no = flow.set("yes", "big"), flow.set("no", "small")
    big["true"] >> yes
    big["false"] >> no
    [yes, no] >> flow.set("end", "{{ previous }}!")
    return flow


def switch() -> Flow:
    """One of several ways, each with a node in the same line."""
    flow = Flow("switch", start="which")
    gold, other = flow.set("gold", 1), flow.set("other", 2)
    which = flow.switch("which", "{{ run.input }}", ["gold", 7, True, None])
    which["gold"] >> gold
    [which["7"], which["true"], which["default"]] >> other
    return flow


def loop() -> Flow:
    """A body that leads back."""
    flow = Flow("loop")
    each = flow.loop("each", "{{ run.input }}")
    double = flow.set("double", "{{ nodes.each.last.data.item * 2 }}")
    each["loop"] >> double >> each
    each["done"] >> flow.set("end", "{{ nodes.double.all|length }}")
    return flow


def nested_loops() -> Flow:
    """A loop within a loop, whose exits stand inside chains."""
    flow = Flow("nested")
    outer = flow.repeat("outer", 2)
    inner = flow.loop("inner", ["a", "b"])
    body = flow.set("body", "{{ nodes.outer.last.data.index + nodes.inner.last.data.item }}")
    outer["loop"] >> inner["loop"] >> body >> inner
    inner["done"] >> outer["done"] >> flow.set("end", "{{ nodes.body.output }}")
    return flow


def counting() -> Flow:
    """A condition asked before each round."""
    flow = Flow("counting")
    more = flow.while_("more", "{{ (nodes.count.output || 0) < 2 }}")
    more["loop"] >> flow.set("count", "{{ nodes.more.last.data.index }}") >> more
    return flow


def approval() -> Flow:
    """A wait that may time out."""
    flow = Flow("approval")
    wait = flow.wait("wait", signal="decision", timeout=timedelta(days=1), heartbeat=60_000, schema={"type": "object"})
    wait >> flow.set("end", "{{ nodes.wait.last.data.ok }}")
    wait["timeout"] >> flow.fail("late", "TimedOut", "nobody answered")
    return flow


def catching() -> Flow:
    """Errors by type, then any."""
    flow = Flow("catching")
    pay = flow.node("pay", charge, {"order_id": "7", "cents": 5000})
    pay.catch(Declined) >> flow.set("declined", "{{ nodes.pay.last.error }}")
    pay.catch("TimedOut") >> flow.fail("slow", "Slow")
    pay.error >> flow.set("other", "other")
    return flow


def naps() -> Flow:
    """Sleeps, each in another unit."""
    flow = Flow("naps")
    first = flow.sleep("first", timedelta(minutes=15))
    first >> flow.sleep("second", until=datetime(2030, 1, 1, tzinfo=UTC)) >> flow.sleep("third", "{{ run.input }}")
    return flow


def others() -> Flow:
    """Everything that makes other runs or calls."""
    child = Flow("child")
    child.set("only", "{{ run.input }}")
    flow = Flow("others")
    chained = flow.http(
        "get",
        "GET",
        "https://example.com/{{ run.input.id }}",
        headers={"accept": "application/json"},
        query={"page": 1},
        timeout=timedelta(seconds=5),
        retry=RetryPolicy(2, 100),
    ) >> flow.workflow("one", child, input="{{ previous }}")
    chained = chained >> flow.workflow("name", "child@abc", detached=True, timeout=1000)
    chained = chained >> flow.map(
        "all", "{{ run.input.items }}", child.to_definition(), join=JoinData(rule="atLeast", count=2), max_concurrency=5
    )
    chained = chained >> flow.parallel(
        "both", {"a": "child", "b": child.to_json()}, input=1, join={"rule": "first", "toleratedFailures": 1}
    )
    chained >> flow.signal("tell", "{{ run.input.parent }}", "done", {"ok": True})
    return flow


CHILD = {"name": "child", "nodes": [{"id": "only", "type": "core:set", "data": "{{ run.input }}"}], "edges": []}


def edge(source: str, target: str, handle: str | None = None) -> dict[str, str]:
    """An edge as JSON."""
    found = {"source": source, "target": target}
    return found if handle is None else found | {"sourceHandle": handle}


SHAPES = {
    "chain": Shape(
        chain,
        {
            "name": "chain",
            "description": "three in a row",
            "metadata": {"team": "shop"},
            "deadlineMs": 3_600_000,
            "input": {
                "title": "Charge",
                "description": "What a charge is given.",
                "type": "object",
                "properties": {
                    "order_id": {"title": "Order Id", "type": "string"},
                    "cents": {"title": "Cents", "type": "integer"},
                },
                "required": ["order_id", "cents"],
            },
            "output": {"type": "object"},
            "nodes": [
                {"id": "start", "type": "core:trigger", "metadata": {"x": 0, "y": 0}},
                {
                    "id": "pay",
                    "type": "charge-card",
                    "data": {"order_id": "{{ run.input.order_id }}", "cents": "{{ run.input.cents }}"},
                    "policy": {
                        "retry": [
                            {"maxAttempts": 4, "interval": 1000, "backoff": "exponential", "retryOn": ["Declined"]},
                            {"maxAttempts": 2, "interval": 5},
                        ],
                        "timeoutMs": 20_000,
                        "atMostOnce": True,
                    },
                },
                {"id": "end", "type": "core:set", "data": {"paid": "{{ previous.paid }}"}},
            ],
            "edges": [edge("start", "pay"), edge("pay", "end")],
        },
        input={"order_id": "7", "cents": 100},
        output={"paid": 100},
    ),
    "branch": Shape(
        branch,
        {
            "name": "branch",
            "nodes": [
                {"id": "big", "type": "core:if", "data": {"when": "{{ run.input > 10 }}"}},
                {"id": "yes", "type": "core:set", "data": "big"},
                {"id": "no", "type": "core:set", "data": "small"},
                {"id": "end", "type": "core:set", "data": "{{ previous }}!"},
            ],
            "edges": [
                edge("big", "yes", "true"),
                edge("big", "no", "false"),
                edge("yes", "end"),
                edge("no", "end"),
            ],
        },
        input=11,
        output="big!",
    ),
    "switch": Shape(
        switch,
        {
            "name": "switch",
            "start": "which",
            "nodes": [
                {"id": "gold", "type": "core:set", "data": 1},
                {"id": "other", "type": "core:set", "data": 2},
                {
                    "id": "which",
                    "type": "core:switch",
                    "data": {"value": "{{ run.input }}", "cases": ["gold", 7, True, None]},
                },
            ],
            "edges": [
                edge("which", "gold", "gold"),
                edge("which", "other", "7"),
                edge("which", "other", "true"),
                edge("which", "other", "default"),
            ],
        },
        input=7,
        output=2,
    ),
    "loop": Shape(
        loop,
        {
            "name": "loop",
            "nodes": [
                {"id": "each", "type": "core:loop", "data": {"items": "{{ run.input }}"}},
                {"id": "double", "type": "core:set", "data": "{{ nodes.each.last.data.item * 2 }}"},
                {"id": "end", "type": "core:set", "data": "{{ nodes.double.all|length }}"},
            ],
            "edges": [edge("each", "double", "loop"), edge("double", "each"), edge("each", "end", "done")],
        },
        input=[1, 2, 3],
        output=3,
    ),
    "nested loops": Shape(
        nested_loops,
        {
            "name": "nested",
            "nodes": [
                {"id": "outer", "type": "core:repeat", "data": {"times": 2}},
                {"id": "inner", "type": "core:loop", "data": {"items": ["a", "b"]}},
                {
                    "id": "body",
                    "type": "core:set",
                    "data": "{{ nodes.outer.last.data.index + nodes.inner.last.data.item }}",
                },
                {"id": "end", "type": "core:set", "data": "{{ nodes.body.output }}"},
            ],
            "edges": [
                edge("outer", "inner", "loop"),
                edge("inner", "body", "loop"),
                edge("body", "inner"),
                edge("inner", "outer", "done"),
                edge("outer", "end", "done"),
            ],
        },
        output="1b",
    ),
    "while": Shape(
        counting,
        {
            "name": "counting",
            "nodes": [
                {"id": "more", "type": "core:while", "data": {"when": "{{ (nodes.count.output || 0) < 2 }}"}},
                {"id": "count", "type": "core:set", "data": "{{ nodes.more.last.data.index }}"},
            ],
            "edges": [edge("more", "count", "loop"), edge("count", "more")],
        },
        output={"count": 3},
    ),
    "wait": Shape(
        approval,
        {
            "name": "approval",
            "nodes": [
                {
                    "id": "wait",
                    "type": "core:wait",
                    "data": {
                        "signal": "decision",
                        "timeoutMs": 86_400_000,
                        "heartbeatMs": 60_000,
                        "schema": {"type": "object"},
                    },
                },
                {"id": "end", "type": "core:set", "data": "{{ nodes.wait.last.data.ok }}"},
                {"id": "late", "type": "core:fail", "data": {"error": "TimedOut", "message": "nobody answered"}},
            ],
            "edges": [edge("wait", "end"), edge("wait", "late", "timeout")],
        },
        output=True,
        payload={"ok": True},
    ),
    "catch": Shape(
        catching,
        {
            "name": "catching",
            "nodes": [
                {"id": "pay", "type": "charge-card", "data": {"order_id": "7", "cents": 5000}},
                {"id": "declined", "type": "core:set", "data": "{{ nodes.pay.last.error }}"},
                {"id": "slow", "type": "core:fail", "data": {"error": "Slow"}},
                {"id": "other", "type": "core:set", "data": "other"},
            ],
            "edges": [
                edge("pay", "declined", "error:Declined"),
                edge("pay", "slow", "error:TimedOut"),
                edge("pay", "other", "error"),
            ],
        },
        output="Declined: too much",
    ),
    "sleep": Shape(
        naps,
        {
            "name": "naps",
            "nodes": [
                {"id": "first", "type": "core:sleep", "data": {"ms": 900_000}},
                {"id": "second", "type": "core:sleep", "data": {"until": 1_893_456_000_000}},
                {"id": "third", "type": "core:sleep", "data": {"ms": "{{ run.input }}"}},
            ],
            "edges": [edge("first", "second"), edge("second", "third")],
        },
        input=1000,
        status=Status.PAUSED,
        payload={},
    ),
    "other runs": Shape(
        others,
        {
            "name": "others",
            "nodes": [
                {
                    "id": "get",
                    "type": "core:http",
                    "data": {
                        "method": "GET",
                        "url": "https://example.com/{{ run.input.id }}",
                        "headers": {"accept": "application/json"},
                        "query": {"page": 1},
                        "timeoutMs": 5000,
                    },
                    "policy": {"retry": {"maxAttempts": 2, "interval": 100}},
                },
                {"id": "one", "type": "core:workflow", "data": {"workflow": CHILD, "input": "{{ previous }}"}},
                {
                    "id": "name",
                    "type": "core:workflow",
                    "data": {"workflow": "child@abc", "detached": True},
                    "policy": {"timeoutMs": 1000},
                },
                {
                    "id": "all",
                    "type": "core:map",
                    "data": {
                        "items": "{{ run.input.items }}",
                        "workflow": CHILD,
                        "join": {"rule": "atLeast", "count": 2},
                        "maxConcurrency": 5,
                    },
                },
                {
                    "id": "both",
                    "type": "core:parallel",
                    "data": {
                        "branches": {"a": "child", "b": CHILD},
                        "input": 1,
                        "join": {"rule": "first", "toleratedFailures": 1},
                    },
                },
                {
                    "id": "tell",
                    "type": "core:signal",
                    "data": {"workflowId": "{{ run.input.parent }}", "signal": "done", "payload": {"ok": True}},
                },
            ],
            "edges": [
                edge("get", "one"),
                edge("one", "name"),
                edge("name", "all"),
                edge("all", "both"),
                edge("both", "tell"),
            ],
        },
        input={"id": "7"},
        status=Status.FAILED,
    ),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_flow_is_the_json_written_by_hand(shape: Shape) -> None:
    """The same document, the same version, through the text of a file too."""
    by_hand = WorkflowDefinition.parse(shape.document)
    flow = shape.build()
    assert flow.to_json() == by_hand.to_json()
    assert flow.to_json() == {"edges": [], **shape.document}
    assert flow.to_definition().version == by_hand.version
    assert WorkflowDefinition.parse(json.loads(json.dumps(flow.to_json()))) == flow.to_definition()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_flow_runs_as_its_json_does(shape: Shape) -> None:
    """Both come to the same snapshot, and to the one expected."""
    ends = []
    for definition in (shape.build().to_definition(), WorkflowDefinition.parse(shape.document)):
        engine = registry.engine(definition)
        snapshot = engine.execute(workflow_id="run", external_payload=shape.input, now_ms=1000)
        if shape.payload is not None:
            assert snapshot.status is Status.PAUSED
            snapshot = engine.execute(snapshot, external_payload=shape.payload, now_ms=2000)
        ends.append(snapshot)
    assert ends[0].to_json() == ends[1].to_json()
    assert ends[0].status is shape.status
    if shape.status is Status.COMPLETED:
        assert ends[0].output == shape.output


def test_every_core_type_has_a_method() -> None:
    """What an editor offers can be written in Python too."""
    written = {node["type"] for shape in SHAPES.values() for node in shape.document["nodes"]}
    assert written >= set(CORE_NODES)


def test_a_registry_takes_a_flow() -> None:
    """As it takes a definition, and by the same name."""
    mine = Registry()
    flow = Flow("tiny")
    flow.set("only", 1)
    assert mine.add(flow) == mine.workflow("tiny") == flow.to_definition()


def test_a_flow_needs_no_registry_for_functions() -> None:
    """A registered function carries its type, its schemas and its handles."""
    flow = Flow("carried")
    node = flow.node("ask", ask)
    assert node.node.type == "ask"
    assert node["yes"].handle == "yes"


def test_a_flow_with_a_registry_knows_types_by_name() -> None:
    """With a registry a name is as good as the function."""
    flow = Flow("named", registry=registry)
    assert flow.node("a", "charge-card", Charge(order_id="7", cents=3)).node == flow.node(
        "b", charge, {"order_id": "7", "cents": 3}
    ).node.model_copy(update={"id": "a"})


def test_models_become_json_wherever_they_stand() -> None:
    """As data, within data, and as the input of a child."""
    order = Charge(order_id="7", cents=3)
    flow = Flow("models")
    flow.set("whole", order)
    flow.set("within", {"orders": [order]})
    flow.workflow("child", "other", input=order)
    document: Any = flow.to_json()
    plain = {"order_id": "7", "cents": 3}
    assert [node["data"] for node in document["nodes"]] == [
        plain,
        {"orders": [plain]},
        {"workflow": "other", "input": plain},
    ]


def test_a_flow_without_a_registry_takes_any_type_by_name() -> None:
    """The registry that the flow is added to says whether there is such a type."""
    flow = Flow("unknown")
    flow.node("a", "made-up-later", [1, 2])["anything"] >> flow.set("b", None)
    assert flow.to_json()["nodes"] == [
        {"id": "a", "type": "made-up-later", "data": [1, 2]},
        {"id": "b", "type": "core:set", "data": None},
    ]


def test_a_function_of_two_registries_has_the_type_of_both() -> None:
    """Registering the same function again, by the same name, changes nothing for flows."""
    first, second = Registry(), Registry()

    def work(data: object) -> object:
        return data

    first.node("work")(work)
    second.node("work")(work)
    assert Flow("a").node("n", work).node.type == "work"
    assert Flow("b", registry=first).node("n", work).node.type == "work"


def test_a_fragment_is_a_function() -> None:
    """What recurs within a flow is a Python function that adds its nodes; no id is rewritten behind one's back."""

    def step_with_log(flow: Flow, name: str) -> tuple[Any, Any]:
        first = flow.set(name, name)
        return first, first >> flow.set(f"{name}-log", f"{{{{ nodes['{name}'].output }}}}")

    flow = Flow("fragments")
    _, first_end = step_with_log(flow, "one")
    second_start, _ = step_with_log(flow, "two")
    first_end >> second_start
    assert registry.engine(flow.to_definition()).execute().output == "two"


def test_flows_and_nodes_say_what_they_are() -> None:
    """A repr with the name or the id."""
    flow = Flow("seen")
    assert repr(flow.set("a", 1)) == "<FlowNode 'a' (core:set) of flow 'seen'>"
    assert repr(flow) == "<Flow 'seen' of 1 nodes>"
