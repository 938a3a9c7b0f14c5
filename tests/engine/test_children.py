"""Children: definitions inside a node's data keep their expressions, and their faults are told where they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from engine import JexlTransformEngine, Registry, Status, Step, WorkflowDefinition, WorkflowEngine
from engine.core_nodes import CORE_NODES
from engine.errors import InvalidDefinition
from engine.json_value import JsonObject, JsonValue
from tests.engine.one_node import NOW_MS, first_step

CHILD: JsonObject = {
    "name": "child",
    "nodes": [{"id": "a", "type": "core:set", "data": "{{ run.input.of_child }}"}],
    "edges": [],
}
"""A definition whose expression is about the child's own run."""


def given_to(node_type: str, data: JsonValue, payload: JsonValue = None) -> JsonObject:
    """What a host's executor of a core type is given, as JSON without what was left out."""
    seen: list[BaseModel] = []

    def executor(model: BaseModel, _step: Step) -> None:
        seen.append(model)

    node_definitions = {**CORE_NODES, node_type: replace(CORE_NODES[node_type], executor=executor)}
    definition = WorkflowDefinition.parse({"nodes": [{"id": "it", "type": node_type, "data": data}]})
    engine = WorkflowEngine(definition, node_definitions, [JexlTransformEngine()])
    for _ in range(2):
        assert first_step(engine, payload).status is Status.COMPLETED
    assert seen[0] == seen[1]
    document: JsonObject = seen[0].model_dump(mode="json", by_alias=True, exclude_unset=True)
    return document


@pytest.mark.parametrize(
    ("node_type", "data", "given"),
    [
        (
            "core:workflow",
            {"workflow": CHILD, "input": {"of_child": "{{ run.input.n }}"}, "detached": "{{ run.input.n > 1 }}"},
            {"workflow": CHILD, "input": {"of_child": 2}, "detached": True},
        ),
        (
            "core:map",
            {"items": "{{ run.input.list }}", "workflow": CHILD, "maxConcurrency": "{{ run.input.n }}"},
            {"items": ["x"], "workflow": CHILD, "maxConcurrency": 2},
        ),
        (
            "core:parallel",
            {
                "branches": {"one": CHILD, "two": "named@1"},
                "input": "{{ run.input.list[0] }}",
                "join": {"rule": "atLeast", "count": "{{ run.input.n - 1 }}"},
            },
            {"branches": {"one": CHILD, "two": "named@1"}, "input": "x", "join": {"rule": "atLeast", "count": 1}},
        ),
    ],
    ids=["workflow", "map", "parallel"],
)
def test_a_childs_expressions_are_the_childs(node_type: str, data: JsonValue, given: JsonObject) -> None:
    """Left as they are for the child's own run; everything beside the definition is resolved here."""
    assert given_to(node_type, data, {"n": 2, "list": ["x"]}) == given


def test_an_expression_may_read_the_definition_beside_it() -> None:
    """``input`` is the node's own data, the child's definition included, as it is written."""
    given = given_to("core:workflow", {"workflow": CHILD, "input": "{{ input.workflow.nodes[0].data }}"})
    assert given["input"] == "{{ run.input.of_child }}"


def test_a_child_may_have_children() -> None:
    """All the way down nothing is resolved by the first."""
    inner: JsonObject = {
        "nodes": [{"id": "b", "type": "core:workflow", "data": {"workflow": CHILD, "input": "{{ previous }}"}}]
    }
    assert given_to("core:workflow", {"workflow": inner})["workflow"] == inner


def faults_in(node_type: str, data: JsonValue) -> dict[str, str]:
    """What the registry says of a workflow whose second node has that data, by path."""
    nodes: list[JsonValue] = [{"id": "first", "type": "core:set"}, {"id": "it", "type": node_type, "data": data}]
    with pytest.raises(InvalidDefinition) as refused:
        Registry().add({"nodes": nodes})
    return {fault.path: fault.message for fault in refused.value.faults}


def child(*nodes: JsonObject, **rest: JsonValue) -> JsonObject:
    """An inline definition."""
    return {"nodes": list(nodes), **rest}


UNKNOWN: JsonObject = {"id": "a", "type": "test:no"}
OPEN: JsonObject = {"id": "b", "type": "core:set", "data": {"k": ["{{ 1 + }}"]}}
HOLDING: list[tuple[str, str]] = [
    ("core:workflow", "workflow"),
    ("core:map", "workflow"),
    ("core:parallel", "branches.left"),
]


def holding(node_type: str, definition: JsonValue) -> JsonObject:
    """Data of a type that holds a definition."""
    if node_type == "core:parallel":
        return {"branches": {"left": definition, "right": "named"}}
    return {"workflow": definition, **({"items": []} if node_type == "core:map" else {})}


@pytest.mark.parametrize(("node_type", "field"), HOLDING)
@pytest.mark.parametrize(
    ("definition", "paths"),
    [
        (child(UNKNOWN, OPEN), [".nodes[0].type", ".nodes[1].data.k[0]"]),
        (child(OPEN, start="nowhere"), [".start"]),
        (child(), [".nodes"]),
        (child(OPEN | {"data": 1}, colour="red"), [".colour"]),
        (child(OPEN | {"data": 1}, input={"type": 5}), [".input.type"]),
        ({}, [".nodes"]),
        (child({"id": "c", "type": "core:if", "data": {}}), [".nodes[0].data.when"]),
        (
            child({"id": "c", "type": "core:set"}, edges=[{"source": "c", "target": "c", "sourceHandle": "x"}]),
            [".edges[0].sourceHandle"],
        ),
    ],
    ids=["types and expressions", "start", "no nodes", "unknown field", "schema", "empty", "data", "handle"],
)
def test_faults_inside_are_told_with_their_path(
    node_type: str, field: str, definition: JsonObject, paths: list[str]
) -> None:
    """Found when the parent is registered: whole paths, into the definition that is inside."""
    faults = faults_in(node_type, holding(node_type, definition))
    assert list(faults) == [f"$.nodes[1].data.{field}{path}" for path in paths]


def test_faults_of_a_childs_child_are_told_too() -> None:
    """However deep it stands."""
    data = holding("core:workflow", child({"id": "m", "type": "core:map", "data": holding("core:map", child(UNKNOWN))}))
    assert list(faults_in("core:workflow", data)) == ["$.nodes[1].data.workflow.nodes[0].data.workflow.nodes[0].type"]


def test_faults_of_each_branch_and_of_the_data_beside_are_told_at_once() -> None:
    """One error has them all."""
    faults = faults_in(
        "core:parallel", {"branches": {"a": child(UNKNOWN), "b": child(UNKNOWN)}, "join": {"rule": "most"}}
    )
    assert set(faults) == {
        "$.nodes[1].data.branches.a.nodes[0].type",
        "$.nodes[1].data.branches.b.nodes[0].type",
        "$.nodes[1].data.join.rule",
    }


@pytest.mark.parametrize(
    ("node_type", "data", "path"),
    [
        ("core:workflow", {"workflow": 5}, "workflow"),
        ("core:parallel", {"branches": {}}, "branches"),
        ("core:parallel", {"branches": {"a": 5}}, "branches.a"),
        ("core:parallel", {"branches": "{{ run.input }}"}, "branches"),
        ("core:map", {"items": [], "workflow": ["{{ run.input }}"]}, "workflow"),
    ],
)
def test_a_field_that_no_expression_will_fill_is_judged_as_it_is(node_type: str, data: JsonValue, path: str) -> None:
    """Its expressions are left to the child, so what stands there now is what a host would be given."""
    assert list(faults_in(node_type, data)) == [f"$.nodes[1].data.{path}"]


@pytest.mark.parametrize(
    ("node_type", "data", "paths"),
    [
        ("core:map", {"items": "{{ run.input }}"}, ["workflow"]),
        ("core:workflow", {"input": "{{ run.input }}", "colour": "{{ 1 }}"}, ["workflow", "colour"]),
        ("core:http", {"url": "{{ run.input }}", "timeout": 5}, ["method", "timeout"]),
        ("core:http", {"url": "{{ run.input }}", "method": "get"}, ["method"]),
        ("core:switch", {"cases": ["{{ run.input }}"]}, ["value"]),
        ("core:fail", {"message": "{{ run.input }}"}, ["error"]),
        ("core:parallel", {"branches": {"a": "n"}, "join": {"rule": "{{ run.input }}", "most": 1}}, ["join.most"]),
    ],
)
def test_what_is_missing_or_unknown_is_told_beside_expressions(
    node_type: str, data: JsonValue, paths: list[str]
) -> None:
    """No value of theirs could make up for it; so is a wrong value that no expression will change."""
    assert list(faults_in(node_type, data)) == [f"$.nodes[1].data.{path}" for path in paths]


@pytest.mark.parametrize(
    ("node_type", "data"),
    [
        ("core:loop", {"items": "{{ run.input }}"}),
        ("core:repeat", {"times": "{{ run.input }}"}),
        (
            "core:http",
            {"method": "{{ run.input.method }}", "url": "https://{{ run.input.host }}", "timeoutMs": "{{ 5 }}"},
        ),
        (
            "core:http",
            {"method": "GET", "url": "http://x.test", "query": {"a": "{{ run.input }}"}, "headers": "{{ run.input }}"},
        ),
        ("core:sleep", {"ms": "{{ run.input }}"}),
        ("core:sleep", "{{ run.input }}"),
        ("core:map", {"items": ["{{ run.input }}"], "workflow": "named", "maxConcurrency": "{{ 2 }}"}),
        ("core:parallel", {"branches": {"a": "n"}, "join": "{{ run.input }}"}),
        ("core:parallel", {"branches": {"a": "n"}, "join": {"rule": "{{ run.input }}", "count": "{{ 1 }}"}}),
        ("core:workflow", "{{ run.input }}"),
    ],
)
def test_what_an_expression_gives_is_not_judged_before_it_is_known(node_type: str, data: JsonValue) -> None:
    """A check must not refuse what may be right when it runs."""
    definition = Registry().add({"nodes": [{"id": "it", "type": node_type, "data": data}]})
    assert definition.name == "workflow"


class Card(BaseModel):
    """One way to pay."""

    model_config = ConfigDict(extra="forbid")
    by: Literal["card"]
    number: str


class Cash(BaseModel):
    """Another."""

    model_config = ConfigDict(extra="forbid")
    by: Literal["cash"]
    currency: str
    rounded: bool


class Payment(BaseModel):
    """Either."""

    how: Card | Cash
    cents: int


def paying(how: JsonValue) -> JsonObject:
    """A workflow of a type that takes a payment."""
    return {"name": "pay", "nodes": [{"id": "it", "type": "test:pay", "data": {"how": how, "cents": 1}}]}


def paid_by(data: Payment) -> str:
    """Says how."""
    return data.how.by


def paying_registry() -> Registry:
    """Knows the type."""
    registry = Registry()
    registry.node("test:pay")(paid_by)
    return registry


def test_which_of_two_models_is_meant_an_expression_may_decide() -> None:
    """What is missing for the one is not for the other; without expressions each is judged."""
    registry = paying_registry()
    registry.add(paying({"by": "{{ run.input }}", "number": "{{ 'x' }}"}))
    assert registry.engine("pay").execute(external_payload="card", now_ms=NOW_MS).output == "card"
    wrong: list[JsonValue] = [{"by": "cash"}, {"by": "card", "number": "1", "more": 1}]
    for how in wrong:
        with pytest.raises(InvalidDefinition) as refused:
            paying_registry().add(paying(how))
        assert all(fault.path.startswith("$.nodes[0].data.how") for fault in refused.value.faults)


class Wrapping(BaseModel):
    """Data that holds a definition as a model."""

    child: WorkflowDefinition


def test_a_type_of_ones_own_may_hold_a_definition() -> None:
    """Its faults are told as one, at the field."""
    registry = Registry()
    registry.node("test:wrap")(lambda _data: None)
    registry.node("test:typed", input=Wrapping)(lambda _data: None)
    twice = [{"id": "a", "type": "x"}, {"id": "a", "type": "x"}]
    node = {"id": "it", "type": "test:typed", "data": {"child": {"nodes": twice, "start": "b"}}}
    with pytest.raises(InvalidDefinition) as refused:
        registry.add({"nodes": [node]})
    (fault,) = refused.value.faults
    assert fault.path == "$.nodes[0].data.child"
    assert "ids are unique" in fault.message
    assert "there is no node 'b'" in fault.message
