"""Faults of workflow definitions: every one at once, with its JSON path, whatever the document is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine import WorkflowDefinition
from engine.errors import Fault, InvalidDefinition
from engine.json_value import JsonObject
from engine.limits import NAME_CHARACTERS_MAX, NAMES_SHOWN_MAX


def faults_in(document: object) -> dict[str, str]:
    """The faults of a document by path; several at one path are joined."""
    with pytest.raises(InvalidDefinition) as refused:
        WorkflowDefinition.parse(document)
    by_path: dict[str, str] = {}
    for fault in refused.value.faults:
        by_path[fault.path] = f"{by_path[fault.path]}; {fault.message}" if fault.path in by_path else fault.message
    return by_path


def workflow(*edges: JsonObject, **fields: Any) -> JsonObject:
    """A definition of the nodes a, b and c."""
    nodes: Any = [{"id": node_id, "type": "core:set"} for node_id in "abc"]
    return {"nodes": nodes, "edges": list(edges), **fields}


def node(**fields: Any) -> JsonObject:
    """A definition of one node with these fields."""
    return {"nodes": [{"id": "a", "type": "core:set", **fields}]}


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        (None, "$", "dictionary"),
        ([], "$", "dictionary"),
        ({}, "$.nodes", "required"),
        ({"nodes": []}, "$.nodes", "at least one node"),
        ({"nodes": {"a": 1}}, "$.nodes", "tuple"),
        ({"nodes": [7]}, "$.nodes[0]", "dictionary"),
        ({"nodes": [{"type": "x"}]}, "$.nodes[0].id", "required"),
        ({"nodes": [{"id": "a"}]}, "$.nodes[0].type", "required"),
        (node(type=""), "$.nodes[0].type", "at least 1"),
        (node(type="\ud800"), "$.nodes[0].type", "surrogate"),
        (workflow(description="\ud800"), "$.description", "surrogate"),
        (node(id=""), "$.nodes[0].id", "pattern"),
        (node(id="a/b"), "$.nodes[0].id", "pattern"),
        (node(id="a#b"), "$.nodes[0].id", "pattern"),
        (node(id="a\n"), "$.nodes[0].id", "pattern"),
        (node(id="a" * (NAME_CHARACTERS_MAX + 1)), "$.nodes[0].id", "pattern"),
        (node(kind="x"), "$.nodes[0].kind", "Extra"),
        (node(data={"a": [float("nan")]}), "$.nodes[0].data.a[0]", "nan is not JSON"),
        (node(data={1: 2}), "$.nodes[0].data", "the key 1"),
        (node(data={"s": {1}}), "$.nodes[0].data.s", "set is not JSON"),
        (node(metadata=b"x"), "$.nodes[0].metadata", "bytes is not JSON"),
        (node(policy=[]), "$.nodes[0].policy", "dictionary"),
        (node(policy={"timeoutMs": 0}), "$.nodes[0].policy.timeoutMs", "greater than 0"),
        (node(policy={"retries": 1}), "$.nodes[0].policy.retries", "Extra"),
        (node(policy={"retry": 3}), "$.nodes[0].policy.retry", "tuple"),
        (node(policy={"retry": {"interval": 1}}), "$.nodes[0].policy.retry.maxAttempts", "required"),
        (node(policy={"retry": {"maxAttempts": 0, "interval": 1}}), "$.nodes[0].policy.retry", "maxAttempts is 0"),
        (
            node(policy={"retry": [{"maxAttempts": 1, "interval": 1}, {"maxAttempts": 2, "interval": 1.5}]}),
            "$.nodes[0].policy.retry[1].interval",
            "integer",
        ),
        (node(policy={"retry": {"maxAttempts": True, "interval": 1}}), "$.nodes[0].policy.retry.maxAttempts", "int"),
        (workflow(name="two words"), "$.name", "pattern"),
        (workflow(start="z"), "$.start", "no node 'z'; nodes: a, b, c"),
        (workflow(deadlineMs=0), "$.deadlineMs", "greater than 0"),
        (workflow(version="1"), "$.version", "Extra"),
        (workflow({"source": "a", "target": "z"}), "$.edges[0].target", "no node 'z'; nodes: a, b, c"),
        (workflow({"source": "z", "target": "a"}), "$.edges[0].source", "no node 'z'"),
        (workflow({"source": "a"}), "$.edges[0].target", "required"),
        (workflow({"source": "a", "target": "b", "sourceHandle": 1}), "$.edges[0].sourceHandle", "string"),
        (workflow({"source": "a", "target": "b", "sourceHandle": "errors"}), "$.edges[0].sourceHandle", "reserved"),
        (workflow({"source": "a", "target": "b", "sourceHandle": "error-x"}), "$.edges[0].sourceHandle", "reserved"),
        (
            workflow({"source": "a", "target": "b"}, {"source": "a", "target": "c"}),
            "$.edges[1]",
            "the unnamed handle of 'a' already leads to 'b' ($.edges[0])",
        ),
        (
            workflow(
                {"source": "a", "target": "b", "sourceHandle": "error"},
                {"source": "b", "target": "c", "sourceHandle": "error"},
                {"source": "a", "target": "c", "sourceHandle": "error"},
            ),
            "$.edges[2]",
            "handle 'error' of 'a' already leads to 'b'",
        ),
        (
            {"nodes": [{"id": "a", "type": "x"}, {"id": "b", "type": "x"}, {"id": "a", "type": "y"}]},
            "$.nodes[2].id",
            "taken by an earlier node",
        ),
    ],
)
def test_a_fault_is_told_with_its_path(document: object, path: str, said: str) -> None:
    """One mistake is one fault (or more at one place): where it is, and what about it."""
    faults = faults_in(document)
    assert list(faults) == [path]
    assert said in faults[path]


def test_all_faults_are_told_at_once() -> None:
    """Of fields and of structure, readable and not: one error holds them all, so one round mends them."""
    faults = faults_in(
        {
            "name": "two words",
            "start": "nowhere",
            "bogus": 1,
            "nodes": [
                {"id": "a", "type": "", "data": {"n": float("inf")}},
                {"id": "a", "type": "x", "policy": {"retry": {"maxAttempts": "3", "interval": "x", "rate": -1}}},
                {"id": "c d", "type": "x"},
                "node",
            ],
            "edges": [
                {"source": "a", "target": "gone", "sourceHandle": "errors"},
                {"source": "c d", "target": "a"},
                {"source": "c d", "target": "c d"},
                {"source": 1, "target": "a"},
                None,
            ],
        }
    )
    assert set(faults) == {
        "$.name",
        "$.start",
        "$.bogus",
        "$.nodes[0].type",
        "$.nodes[0].data.n",
        "$.nodes[1].id",
        "$.nodes[1].policy.retry",
        "$.nodes[2].id",
        "$.nodes[3]",
        "$.edges[0].target",
        "$.edges[0].sourceHandle",
        "$.edges[2]",
        "$.edges[3].source",
        "$.edges[4]",
    }


def test_the_errors_text_lists_every_fault() -> None:
    """Whoever only prints the error sees each fault with its path on a line of its own."""
    with pytest.raises(InvalidDefinition) as refused:
        WorkflowDefinition.parse(workflow({"source": "x", "target": "y"}, name="order"))
    assert str(refused.value).splitlines()[0] == "workflow 'order' is not valid:"
    assert len(str(refused.value).splitlines()) == 3
    assert refused.value.faults[0] == Fault("$.edges[0].source", "there is no node 'x'; nodes: a, b, c")


def test_model_validate_raises_what_pydantic_raises() -> None:
    """A definition is a pydantic model too: its own way of reading keeps pydantic's error."""
    with pytest.raises(ValidationError, match=r"\$\.edges\[0\]\.target"):
        WorkflowDefinition.model_validate(workflow({"source": "a", "target": "z"}))


def test_many_faults_do_not_each_list_every_node() -> None:
    """The error about a large and wholly wrong workflow stays in proportion to the workflow."""
    count = 2000
    nodes = [{"id": f"n{index}", "type": "x"} for index in range(count)]
    edges = [{"source": f"m{index}", "target": f"m{index}"} for index in range(count)]
    with pytest.raises(InvalidDefinition) as refused:
        WorkflowDefinition.parse({"nodes": nodes, "edges": edges})
    assert len(refused.value.faults) == 2 * count
    assert f"and {count - NAMES_SHOWN_MAX} more" in refused.value.faults[0].message
    assert len(str(refused.value)) < 400 * 2 * count


HOSTILE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=4)
    | st.sampled_from(["a", "core:set", "error", "{{", "\ud800", b"x", object, 10**400]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "type",
                    "data",
                    "policy",
                    "retry",
                    "nodes",
                    "edges",
                    "source",
                    "target",
                    "maxAttempts",
                    "interval",
                ]
            )
            | st.integers(0, 1)
            | st.text(max_size=2),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "nodes": st.lists(
            st.fixed_dictionaries(
                {"id": st.sampled_from(["a", "b", "\n", 7])},
                optional={"type": st.just("x") | HOSTILE, "data": HOSTILE, "policy": HOSTILE, "metadata": HOSTILE},
            )
            | HOSTILE,
            max_size=3,
        )
        | HOSTILE,
        "edges": st.lists(
            st.fixed_dictionaries(
                {"source": st.sampled_from(["a", "b", None])},
                optional={"target": st.sampled_from(["a", "b", 1]), "sourceHandle": HOSTILE},
            )
            | HOSTILE,
            max_size=3,
        )
        | HOSTILE,
        "name": HOSTILE,
        "start": HOSTILE,
        "input": HOSTILE,
        "deadlineMs": HOSTILE,
    },
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(DOCUMENTS | HOSTILE)
def test_any_document_is_a_definition_or_has_faults(document: object) -> None:
    """Whatever comes in: a definition whose JSON is a fixed point, or InvalidDefinition with paths."""
    try:
        definition = WorkflowDefinition.parse(document)
    except InvalidDefinition as refused:
        assert refused.faults  # noqa: PT017  (another outcome is possible)
        assert all(fault.path.startswith("$") and fault.message for fault in refused.faults)  # noqa: PT017
        return
    printed = json.loads(json.dumps(definition.to_json(), allow_nan=False))
    assert WorkflowDefinition.parse(printed).version == definition.version
