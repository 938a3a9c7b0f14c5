"""What a registry sees in a definition: types, handles, data, expressions, policies; each fault with its path."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel

from engine import Output, Registry, WorkflowDefinition, WorkflowEngine
from engine.errors import InvalidDefinition
from engine.json_value import JsonObject, JsonValue


class Charge(BaseModel):
    """What ``test:charge`` takes."""

    order: str
    cents: int


def even(value: int) -> int:
    """A validator with a sentence of its own."""
    if value % 2:
        raise ValueError("must be even")
    return value


class Picky(BaseModel):
    """What ``test:picky`` takes."""

    n: Annotated[int, AfterValidator(even)]


def new_registry() -> Registry:
    """The core types and some whose data and handles are known."""
    registry = Registry()
    registry.node("test:charge")(charge)
    registry.node("test:ports", handles=("left", "right"))(lambda data: data)
    registry.node("test:open")(lambda data: Output(data, "anything"))
    registry.node("test:raw", raw=True)(lambda data: data)
    registry.node("test:limited", input={"properties": {"n": {"maximum": 3}}})(lambda data: data)
    registry.node("test:picky", input=Picky)(lambda data: data)
    registry.node("test:error-port", handles=("error",))(lambda data: data)
    return registry


def charge(data: Charge) -> int:
    """Takes a model."""
    return data.cents


def one(node_type: str, data: JsonValue = None, *handles: str, **fields: JsonValue) -> JsonObject:
    """A workflow of one node, with an edge from each handle back to it."""
    node: JsonObject = {"id": "it", "type": node_type, **fields}
    if data is not None:
        node["data"] = data
    edges: list[JsonValue] = [{"source": "it", "target": "it", "sourceHandle": handle} for handle in handles]
    return {"nodes": [node], "edges": edges}


def faults_in(document: JsonObject) -> dict[str, str]:
    """What the registry says of a workflow, by path."""
    with pytest.raises(InvalidDefinition) as refused:
        new_registry().add(document)
    return {fault.path: fault.message for fault in refused.value.faults}


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        (one("test:unknown"), "$.nodes[0].type", "'test:unknown' is not registered; there are: core:"),
        (one("core:if", {"when": True}, "yes"), "$.edges[0].sourceHandle", "no handle 'yes'; it has: 'true', 'false'"),
        (one("core:set", None, "next"), "$.edges[0].sourceHandle", "it has: none but the unnamed one"),
        (one("test:ports", None, "up"), "$.edges[0].sourceHandle", "it has: 'left', 'right'"),
        (one("core:switch", {"value": 1, "cases": [1]}, "2"), "$.edges[0].sourceHandle", "it has: '1', 'default'"),
        (one("core:switch", {"value": 1, "cases": ["error"]}, "error"), "$.nodes[0]", "'error' is reserved"),
        (one("test:error-port"), "$.nodes[0]", "'error' is reserved"),
        (one("core:if", {}), "$.nodes[0].data.when", "required"),
        (one("core:loop", {"items": "abc"}), "$.nodes[0].data.items", "list"),
        (one("core:repeat", {"times": -1}), "$.nodes[0].data.times", "greater than or equal to 0"),
        (one("core:wait", {"timeout": 1}), "$.nodes[0].data.timeout", "Extra"),
        (one("core:wait", {"signal": "two words"}), "$.nodes[0].data.signal", "pattern"),
        (one("core:sleep", {}), "$.nodes[0].data", "either ms or until"),
        (one("core:sleep", {"ms": 1, "until": 1}), "$.nodes[0].data", "either ms or until"),
        (one("core:fail", {"error": ""}), "$.nodes[0].data.error", "at least 1"),
        (one("core:http", {"method": "get", "url": "http://x.test"}), "$.nodes[0].data.method", "GET"),
        (one("core:http", {"method": "GET", "url": "ftp://x.test"}), "$.nodes[0].data.url", "http://"),
        (one("test:charge", {"order": "7", "cents": "many"}), "$.nodes[0].data.cents", "integer"),
        (one("test:limited", {"n": 4}), "$.nodes[0].data.n", "(rule: maximum)"),
        (one("core:set", {"a": ["{{ 1 + }}"]}), "$.nodes[0].data.a[0]", " at "),
        (one("core:set", "{{ 1 }} and {{ a..b }}"), "$.nodes[0].data", "found '.' at 17"),
        (one("core:set", "{{ open"), "$.nodes[0].data", "not closed at 0"),
        (one("core:set", "{{ 1|nothing }}"), "$.nodes[0].data", "'nothing'"),
        (
            one("core:set", policy={"retry": {"maxAttempts": "3", "interval": 1}}),
            "$.nodes[0].policy.retry.maxAttempts",
            "'3' is no number",
        ),
        (
            one(
                "core:set", policy={"retry": [{"maxAttempts": 2, "interval": 1}, {"maxAttempts": 2, "interval": "{{"}]}
            ),
            "$.nodes[0].policy.retry[1].interval",
            "not closed",
        ),
    ],
)
def test_a_fault_is_told_with_its_path(document: JsonObject, path: str, said: str) -> None:
    """What no run could do right is found before there is a run."""
    faults = faults_in(document)
    assert list(faults) == [path]
    assert said in faults[path]


def test_all_faults_are_told_at_once() -> None:
    """Of every node and every edge, in one error."""
    faults = faults_in(
        {
            "nodes": [
                {"id": "a", "type": "test:unknown"},
                {"id": "b", "type": "core:if", "data": {}},
                {"id": "c", "type": "core:set", "data": ["{{ ( }}", "{{ ) }}"]},
            ],
            "edges": [
                {"source": "b", "target": "a", "sourceHandle": "maybe"},
                {"source": "c", "target": "a", "sourceHandle": "maybe"},
            ],
            "input": {"type": "strin"},
        }
    )
    assert set(faults) == {
        "$.nodes[0].type",
        "$.nodes[1].data.when",
        "$.nodes[2].data[0]",
        "$.nodes[2].data[1]",
        "$.edges[0].sourceHandle",
        "$.edges[1].sourceHandle",
        "$.input.type",
    }


def test_what_does_not_fit_together_is_told_with_what_the_registry_sees() -> None:
    """One error, while the parts can be read; of parts that cannot, the form comes first."""
    nodes: list[JsonValue] = [{"id": "a", "type": "test:unknown"}, {"id": "a", "type": "core:if", "data": {}}]
    faults = faults_in({"nodes": nodes, "edges": [{"source": "a", "target": "b"}]})
    assert set(faults) == {"$.nodes[1].id", "$.edges[0].target", "$.nodes[0].type", "$.nodes[1].data.when"}
    assert set(faults_in({"nodes": [*nodes, {"id": "c"}]})) == {"$.nodes[1].id", "$.nodes[2].type"}


def test_a_validators_own_words_are_told_as_they_are() -> None:
    """Without what pydantic puts before them."""
    assert faults_in({"nodes": []})["$.nodes"] == "a workflow has at least one node"
    assert faults_in(one("test:picky", {"n": 1}))["$.nodes[0].data.n"] == "must be even"


@pytest.mark.parametrize(
    "document",
    [
        one("test:open", None, "whatever"),
        one("core:switch", {"value": 1, "cases": "{{ run.input }}"}, "unknown-before-it-runs"),
        one("core:if", {"when": 1}, "error", "error:Busy"),
        one("test:raw", {"body": "{{ not an expression"}),
        one("test:charge", {"order": "{{ run.input }}", "cents": "{{ 1 }}"}),
        one("core:loop", {"items": "{{ run.input }}"}, "loop", "done"),
        one("core:switch", {"value": 1, "cases": [1, 2.0, True, None, "x"]}, "1", "2", "true", "null", "x", "default"),
    ],
    ids=["handles unknown", "cases by expression", "catch edges", "raw", "data by expression", "loop", "every case"],
)
def test_what_cannot_be_known_before_a_run_is_no_fault(document: JsonObject) -> None:
    """A check must not refuse what may be right when it runs."""
    assert new_registry().add(document).name == "workflow"


def test_an_engine_checks_what_a_registry_checks() -> None:
    """Whoever embeds the engine without a registry is told the same."""
    document = one("core:if", {"when": True}, "yes")
    definition = WorkflowDefinition.parse(document)
    node_definitions: Any = Registry().node_definitions
    with pytest.raises(InvalidDefinition) as refused:
        WorkflowEngine(definition, node_definitions)
    assert [fault.path for fault in refused.value.faults] == ["$.edges[0].sourceHandle"]
    assert WorkflowEngine(definition, node_definitions, check=False).workflow is definition


def test_a_type_that_is_gone_fails_the_step_by_its_name() -> None:
    """A run pinned to a definition whose type is no longer registered says which one, and is never retried."""
    document = one("test:gone", policy={"retry": {"maxAttempts": 5, "interval": 1}})
    engine = Registry().engine(WorkflowDefinition.parse(document), check=False)
    snapshot = engine.execute_step(engine.create_initial_snapshot("r", now_ms=0), now_ms=0)
    assert snapshot.error is not None
    assert snapshot.error.error == "UnknownNodeType: node type 'test:gone' is not registered"
