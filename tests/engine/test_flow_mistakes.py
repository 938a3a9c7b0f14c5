"""Each mistake is raised by the line that makes it, and its message names the place, the field and the remedy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from engine import Flow, Registry, RetryPolicy
from engine.errors import InvalidDefinition, InvalidFlow

registry = Registry()


class Charge(BaseModel):
    """What a charge is given."""

    order_id: str
    cents: int


@registry.node("charge-card")
def charge(data: Charge) -> int:
    """Takes the money."""
    return data.cents


@registry.node("count", input={"type": "object", "properties": {"up_to": {"type": "integer"}}}, handles=("more",))
def count(_data: dict[str, Any]) -> int:
    """Counts."""
    return 1


@registry.node("first-name")
@registry.node("second-name")
def twice(data: object) -> object:
    """Is registered under two names."""
    return data


@functools.wraps(charge)
def wrapper(data: Charge) -> int:
    """Looks like ``charge`` and is not registered."""
    return charge(data)


def stranger(data: object) -> object:
    """Is not registered."""
    return data


def other_flow() -> Any:
    """A node of another flow."""
    return Flow("other").set("far", 1)


ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)

Line = Callable[[Any], object]

# Lines that cannot be, in a flow "f" that has the nodes a (core:set), b (core:if), c (core:set, where a leads),
# d (core:set, whose errors are caught) and z (core:fail).
MISTAKES: dict[str, tuple[Line, str]] = {
    # ids
    "an id twice": (
        lambda f: f.set("a", 1),
        "flow 'f', node 'a': the id is taken by a node of type 'core:set'; choose another one",
    ),
    "an id that is none": (lambda f: f.set("a b", 1), "flow 'f': 'a b' is no node id: letters, digits and _.:@-"),
    "an id that is no text": (lambda f: f.node(7, "x"), "flow 'f': 7 is no node id: letters, digits"),
    # types
    "a function that is not registered": (
        lambda f: f.node("n", stranger),
        "node 'n': stranger is not registered; put @registry.node('its-type') above it, or name its type",
    ),
    "a wrapper of a registered function": (
        lambda f: f.node("n", wrapper, {"order_id": "1", "cents": 1}),
        "node 'n': charge is not registered; put @registry.node",
    ),
    "a function of two types": (
        lambda f: f.node("n", twice),
        "node 'n': twice is registered as 'second-name' and 'first-name'; name the one you mean",
    ),
    "a core type that is none": (
        lambda f: f.node("n", "core:iff"),
        "node 'n': there is no node type 'core:iff'; there are: core:fail, core:http, core:if,",
    ),
    "an empty type": (lambda f: f.node("n", ""), "node 'n': there is no node type ''"),
    "a value as an executor": (
        lambda f: f.node("n", {"cents": 1}),
        "node 'n': {'cents': 1} is neither a registered function nor the name of a node type",
    ),
    # data
    "data that is not JSON": (lambda f: f.set("n", {"at": {1, 2}}), "node 'n': data.at: set is not JSON"),
    "data that has NaN": (lambda f: f.set("n", [1, float("nan")]), "node 'n': data[1]: nan is not JSON"),
    "data within itself": (lambda f: f.set("n", ENDLESS), "nested deeper than 100 levels"),
    "a description that no file can hold": (lambda _: Flow("g", description="\ud800"), "flow 'g': description: a lone"),
    "data without a field": (
        lambda f: f.node("n", charge, {"order_id": "7"}),
        "node 'n': data.cents: Field required; its data has the fields order_id, cents",
    ),
    "data against a JSON Schema": (
        lambda f: f.node("n", count, {"up_to": "ten"}),
        "node 'n': data.up_to: the value is not of type 'integer' (rule: type); its data has the fields up_to",
    ),
    "a negative number of rounds": (
        lambda f: f.repeat("n", -1),
        "node 'n': data.times: Input should be greater than or equal to 0",
    ),
    "a method that is none": (lambda f: f.http("n", "FETCH", "https://x"), "node 'n': data.method: Input should be"),
    "a signal that is no name": (
        lambda f: f.wait("n", signal="two words"),
        "node 'n': data.signal: String should match pattern",
    ),
    "a metadata that is not JSON": (
        lambda f: f.set("n", 1, metadata={"f": stranger}),
        "node 'n': metadata.f: function is not JSON",
    ),
    # numbers and times
    "a negative timeout": (
        lambda f: f.node("n", "x", timeout=timedelta(seconds=-1)),
        "node 'n': timeout is datetime.timedelta(days=-1, seconds=86399); it must be a timedelta or milliseconds, 1",
    ),
    "a timeout in words": (
        lambda f: f.wait("n", timeout="1 day"),
        "node 'n': timeout is '1 day'; it must be a timedelta or milliseconds, 0 or more",
    ),
    "a timeout that is a boolean": (lambda f: f.node("n", "x", timeout=True), "node 'n': timeout is True; it must"),
    "a moment without a time zone": (
        lambda f: f.sleep("n", until=datetime(2030, 1, 1, tzinfo=UTC).replace(tzinfo=None)),
        "node 'n': until has no time zone; give one, as datetime(..., tzinfo=UTC)",
    ),
    "a moment in words": (
        lambda f: f.sleep("n", until="tomorrow"),
        "node 'n': until is 'tomorrow'; it must be an aware datetime or epoch milliseconds",
    ),
    "a sleep without an end": (lambda f: f.sleep("n"), "node 'n': give a duration or until, one of the two"),
    "a sleep with two ends": (lambda f: f.sleep("n", 1, until=2), "node 'n': give a duration or until, one of"),
    "a retry that is a number": (
        lambda f: f.node("n", "x", retry=3),
        "node 'n': retry: 3 is no RetryPolicy; give one, or a list of them",
    ),
    "attempts in words": (
        lambda f: f.node("n", "x", retry=RetryPolicy("three", 1)),
        "node 'n': policy.retry.maxAttempts: 'three' is no number; write {{ }} around it",
    ),
    "two bodies": (lambda f: f.http("n", "POST", "x", json={}, body=""), "node 'n': give json or body, not both"),
    # a switch's cases
    "a case twice": (
        lambda f: f.switch("n", 1, [1, "1"]),
        "node 'n': cases: there is a handle '1' already; each case has its own, beside 'default'",
    ),
    "a case called default": (lambda f: f.switch("n", 1, ["default"]), "node 'n': cases: there is a handle 'default'"),
    "a case called error": (
        lambda f: f.switch("n", 1, ["ok", "errored"]),
        "node 'n': cases: 'errored' would be a catch edge: handles that begin with 'error' are reserved",
    ),
    # other workflows
    "a child that is itself": (
        lambda f: f.workflow("n", f),
        "node 'n': workflow: a flow cannot hold itself; give its name, 'f'",
    ),
    "a child without nodes": (lambda f: f.map("n", [], Flow("empty")), "flow 'empty': there are no nodes; add one"),
    "a child that is no workflow": (
        lambda f: f.parallel("n", {"left": {"nodes": [{"id": "x"}]}}),
        "node 'n': branches.left is no workflow: $.nodes[0].type: Field required",
    ),
    "a child that is no name": (lambda f: f.workflow("n", "my child"), "node 'n': workflow: 'my child' is no name"),
    "a join with a typo": (
        lambda f: f.map("n", [], "child", join={"ruel": "all"}),
        "node 'n': join.ruel: Extra inputs are not permitted",
    ),
    "a join by an unknown rule": (
        lambda f: f.map("n", "{{ run.input }}", "child", join={"rule": "some"}),
        "node 'n': join.rule: Input should be 'all', 'first' or 'atLeast'",
    ),
    # handles
    "a handle that a core type lacks": (
        lambda f: f.b["yes"] >> f.d,
        "node 'b': core:if has no handle 'yes'; write b['true'] >> ... or b['false'] >> ...",
    ),
    "a handle that a registered type lacks": (
        lambda f: f.node("n", count)["mroe"],
        "node 'n': count has no handle 'mroe'; write n['more'] >> ...",
    ),
    "a handle of a type without any": (
        lambda f: f.a["next"],
        "node 'a': core:set has no handle 'next'; it has none but the unnamed one",
    ),
    "a case that a switch lacks": (
        lambda f: f.switch("n", "{{ run.input }}", ["gold"])["silver"],
        "node 'n': core:switch has no handle 'silver'; write n['gold'] >> ... or n['default'] >> ...",
    ),
    "a reserved handle": (
        lambda f: f.a["errors"],
        "node 'a': 'errors' is reserved: handles that begin with 'error' are catch edges, 'error' or 'error:<Type>'",
    ),
    "a catch of nothing": (lambda f: f.a["error:"], "node 'a': 'error:' is reserved"),
    "a handle that is a number": (lambda f: f.a[0], "node 'a': 0 is no handle; a handle is a text"),
    "a catch of a value": (
        lambda f: f.a.catch(404),
        "node 'a': catch(404): give an exception class, or the name of an error",
    ),
    "a catch after the one that takes all": (
        lambda f: f.d.catch(KeyError) >> f.a,
        "node 'd': 'error:KeyError' would never be taken, for 'error' before it takes every error; write it first",
    ),
    # edges
    "a second edge": (
        lambda f: f.a >> f.d,
        (
            "node 'a': the unnamed exit leads to 'c' already, and a handle has one edge; to go one of several ways use "
            "flow.if_ or flow.switch, to go all of them flow.parallel"
        ),
    ),
    "a second edge of a handle": (
        lambda f: [f.b["true"], f.b["true"]] >> f.d,
        "node 'b': handle 'true' leads to 'd' already",
    ),
    "an edge to a list": (
        lambda f: f.d >> [f.a, f.c],
        "node 'd': 'd' cannot lead to 2 nodes at once: a handle has one edge; to go one of several ways use flow.if_",
    ),
    "an edge of a handle to a list": (lambda f: f.b["true"] >> [f.a], "node 'b': 'b'['true'] cannot lead to 1 nodes"),
    "an edge to a name": (
        lambda f: f.d >> "a",
        "node 'd': 'a' is no node of a flow; give what flow.node(...) and the like return",
    ),
    "an edge from a value": (
        lambda f: "a" >> f.d,
        "node 'd': 'a' cannot lead here; write node >> node, node['handle'] >> node or [a, b] >> node",
    ),
    "an edge from a list of values": (
        lambda f: ["a"] >> f.d,
        "node 'd': 'a' cannot lead here: it is neither a node of a flow nor its exit",
    ),
    "an edge from a value to an exit": (lambda f: None >> f.b["true"], "node 'b': None cannot lead here"),
    "an edge from no node": (lambda f: [] >> f.d, "node 'd': [] cannot lead here"),
    "an edge to another flow": (
        lambda f: f.d >> other_flow(),
        (
            "flow 'f': node 'far' belongs to flow 'other', and edges join nodes of one flow; to run another flow from "
            "here, use flow.workflow(id, other)"
        ),
    ),
    "an edge from another flow": (lambda f: other_flow() >> f.d, "flow 'other': node 'd' belongs to flow 'f'"),
    "an edge that is never taken": (
        lambda f: f.b >> f.c,
        "node 'b': core:if leaves by a handle, never without one: write b['true'] >> ... or b['false'] >> ...",
    ),
    "an edge after the end": (
        lambda f: f.z >> f.c,
        "node 'z': core:fail ends the run, so no edge leads on from it; remove the edge",
    ),
    # the flow itself
    "a flow without a name": (lambda _: Flow(""), "flow '': '' is no name: letters, digits and _.:@-"),
    "a description that is no text": (lambda _: Flow("g", description=7), "flow 'g': description is 7; it must be"),  # type: ignore[arg-type]
    "an input that is a type": (
        lambda _: Flow("g", input=int),  # type: ignore[arg-type]
        "flow 'g': input: <class 'int'> is neither a pydantic model nor a JSON Schema",
    ),
    "an input that is no schema": (
        lambda _: Flow("g", input={"type": "text"}),
        "flow 'g': input.type: not a JSON Schema: 'text' is not valid",
    ),
    "a deadline of nothing": (lambda _: Flow("g", deadline=0), "flow 'g': deadline is 0; it must be a timedelta or"),
}


class Draft(Flow):
    """The flow that the mistakes are made in, its nodes as attributes."""

    def __init__(self) -> None:
        super().__init__("f")
        self.a, self.b, self.c = self.set("a", 1), self.if_("b", True), self.set("c", 2)
        self.d, self.z = self.set("d", 3), self.fail("z", "Done")
        self.a >> self.c
        self.d.error >> self.c


@pytest.mark.parametrize(("line", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_raised_where_it_is_made(line: Line, message: str) -> None:
    """With where, what and what to do instead; and the flow stays as it was."""
    flow = Draft()
    before = flow.to_json()
    with pytest.raises(InvalidFlow) as caught:
        line(flow)
    assert message in str(caught.value)
    assert flow.to_json()["edges"] == before["edges"]


def test_an_option_with_a_typo_is_an_error() -> None:
    """Options are checked as Python checks keyword arguments."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'retries' for node 'n'"):
        Flow("f").http("n", "GET", "https://example.com", retries=3)  # type: ignore[call-arg]


def test_a_flow_without_nodes_has_no_definition() -> None:
    """There would be nothing to run."""
    with pytest.raises(InvalidFlow, match=r"flow 'f': there are no nodes; add one by flow\.node"):
        Flow("f").to_definition()


def test_a_start_that_is_no_node_is_an_error() -> None:
    """It can be seen only in the whole."""
    flow = Flow("f", start="begin")
    flow.set("a", 1)
    with pytest.raises(InvalidFlow, match="flow 'f': start: there is no node 'begin'; nodes: a"):
        flow.to_definition()


def test_a_flow_that_was_handed_over_takes_no_more() -> None:
    """Whoever took the definition would not see it."""
    mine = Registry()
    flow = Flow("f")
    first = flow.set("a", 1)
    second = flow.set("b", 2)
    mine.add(flow)
    with pytest.raises(InvalidFlow, match="node 'c': the flow has been handed over already; write all of it before"):
        flow.set("c", 3)
    with pytest.raises(InvalidFlow, match="handed over"):
        first >> second
    child = Flow("child")
    child.set("a", 1)
    Flow("parent").workflow("run", child)
    with pytest.raises(InvalidFlow, match="handed over"):
        child.set("b", 2)


def test_a_flow_that_a_registry_refuses_can_be_mended() -> None:
    """Only a flow that was taken is closed."""
    mine = Registry()
    flow = Flow("f")
    flow.node("a", "later")
    with pytest.raises(InvalidDefinition, match="node type 'later' is not registered"):
        mine.add(flow)
    flow.set("b", 1)
    mine.node("later")(stranger)
    mine.add(flow)


def test_with_a_registry_a_type_is_checked_where_it_is_written() -> None:
    """So are a function of another registry, the data, the handles and the expressions."""
    mine = Registry()
    mine.node("count", input={"type": "object", "required": ["up_to"]}, handles=("more",))(lambda _data: 1)
    flow = Flow("f", registry=mine)
    with pytest.raises(InvalidFlow, match="there is no node type 'cuont'; there are: core:fail"):
        flow.node("n", "cuont")
    with pytest.raises(InvalidFlow, match="charge is not registered in the flow's registry; put @registry"):
        flow.node("n", charge)
    with pytest.raises(InvalidFlow, match="node 'n': data: 'up_to' is a required property"):
        flow.node("n", "count")
    with pytest.raises(InvalidFlow, match=r"node 'n': data\.up_to: expected a value, found the end at 13"):
        flow.node("n", "count", {"up_to": "{{ previous +}}"})
    with pytest.raises(InvalidFlow, match="count has no handle 'less'"):
        flow.node("n", "count", {"up_to": 1})["less"]
