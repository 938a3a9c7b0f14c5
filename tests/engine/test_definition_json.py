"""The JSON form of a definition: a fixed point, with a version that follows its content."""

from __future__ import annotations

import json
import random
from typing import Any

from engine import WorkflowDefinition
from engine.json_value import JsonObject


def workflow(*edges: JsonObject, **fields: Any) -> JsonObject:
    """A definition of the nodes a, b and c."""
    nodes: Any = [{"id": node_id, "type": "core:set"} for node_id in "abc"]
    return {"nodes": nodes, "edges": list(edges), **fields}


def node(**fields: Any) -> JsonObject:
    """A definition of one node with these fields."""
    return {"nodes": [{"id": "a", "type": "core:set", **fields}]}


FULL: JsonObject = {
    "name": "order",
    "description": "Takes an order.",
    "start": "b",
    "input": {"type": "object", "default": None},
    "output": {"type": ["string", "null"]},
    "deadlineMs": 1000,
    "metadata": {"team": None},
    "nodes": [
        {"id": "a", "type": "core:set", "data": {"none": None, "list": [None, {}]}, "metadata": {"x": 1, "y": None}},
        {
            "id": "b",
            "type": "core:set",
            "data": None,
            "policy": {
                "retry": {"maxAttempts": 3, "interval": "{{ 1 }}", "rate": 1.5, "backoff": "exponential"},
                "timeoutMs": 50,
                "atMostOnce": True,
                "compensate": "a",
            },
        },
        {"id": "c", "type": "core:set", "policy": {"retry": [{"maxAttempts": 1, "interval": 0}] * 2}},
    ],
    "edges": [
        {"id": "e1", "source": "b", "target": "a", "sourceHandle": "x", "targetHandle": "in", "metadata": {"z": None}},
        {"source": "b", "target": "c", "sourceHandle": "error:Busy"},
    ],
}


def test_a_definition_prints_what_it_read() -> None:
    """Every field, camelCase and nulls inside data included, comes out as it went in."""
    assert WorkflowDefinition.parse(FULL).to_json() == FULL


def test_printing_is_a_fixed_point() -> None:
    """What is printed is read as the same definition, with the same version."""
    for document in (FULL, node(), workflow({"source": "a", "target": "b"}, start="a")):
        definition = WorkflowDefinition.parse(document)
        again = WorkflowDefinition.parse(json.loads(json.dumps(definition.to_json())))
        assert (again, again.version, again.to_json()) == (definition, definition.version, definition.to_json())


def test_names_may_be_written_as_python_does() -> None:
    """Code may use the fields' Python names; the JSON is camelCase all the same."""
    definition = WorkflowDefinition.parse(
        {
            "nodes": [{"id": "a", "type": "x", "policy": {"timeout_ms": 5, "at_most_once": True}}],
            "edges": [{"source": "a", "target": "a", "source_handle": "again"}],
            "deadline_ms": 9,
        }
    )
    assert definition.to_json() == {
        "name": "workflow",
        "deadlineMs": 9,
        "nodes": [{"id": "a", "type": "x", "policy": {"timeoutMs": 5, "atMostOnce": True}}],
        "edges": [{"source": "a", "target": "a", "sourceHandle": "again"}],
    }


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same JSON value with the keys of every object in another order."""
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


def test_a_version_is_stable_under_formatting_and_changed_by_content() -> None:
    """The hash ignores the order of keys; any changed value, even deep in data, is another version."""
    version = WorkflowDefinition.parse(FULL).version
    for seed in range(5):
        assert WorkflowDefinition.parse(shuffled(FULL, random.Random(seed))).version == version  # noqa: S311
    changed = json.loads(json.dumps(FULL).replace('"list": [null', '"list": [0'))
    assert WorkflowDefinition.parse(changed).version != version
    assert len(version) == 32


def test_a_definition_keeps_nothing_of_the_document_it_was_read_from() -> None:
    """The caller may change their document; a definition with a hash must not change under it."""
    data: dict[str, Any] = {"list": [1]}
    definition = WorkflowDefinition.parse(node(data=data))
    data["list"].append(2)
    assert definition.nodes[0].data == {"list": [1]}


def test_an_unreachable_node_is_a_warning() -> None:
    """It is odd but it runs: the definition is valid and says what is odd."""
    definition = WorkflowDefinition.parse(workflow({"source": "a", "target": "b"}))
    assert [fault.path for fault in definition.warnings] == ["$.nodes[2]"]
    assert "never reached" in definition.warnings[0].message
    handled = workflow({"source": "a", "target": "b"}, {"source": "b", "target": "c", "sourceHandle": "error"})
    assert WorkflowDefinition.parse(handled).warnings == ()


def test_the_first_node_is_the_start_unless_another_is_named() -> None:
    """``start`` names the node a run begins with."""
    assert WorkflowDefinition.parse(workflow()).start_node_id == "a"
    assert WorkflowDefinition.parse(workflow(start="c")).start_node_id == "c"
