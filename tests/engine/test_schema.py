"""JSON Schema: faults name the path and the rule, never the value; a faulty schema is itself a fault."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Registry, Status, WorkflowDefinition
from engine.errors import Fault, InvalidDefinition
from engine.json_value import JsonObject, JsonValue
from engine.schema import faults_of_schema, schema_faults
from tests.engine.one_node import PATIENT, engine_of, first_step, result_of

ORDER: JsonObject = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z]+$"},
        "cents": {"type": "integer", "minimum": 1, "maximum": 9},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "kind": {"enum": ["a", "b"]},
        "never": False,
    },
}


@pytest.mark.parametrize(
    ("value", "path", "rule"),
    [
        ([], "$", "type"),
        ({}, "$", "required"),
        ({"id": "x", "extra": 1}, "$", "additionalProperties"),
        ({"id": 5}, "$.id", "type"),
        ({"id": "X"}, "$.id", "pattern"),
        ({"id": "x", "cents": 1.5}, "$.cents", "type"),
        ({"id": "x", "cents": 0}, "$.cents", "minimum"),
        ({"id": "x", "cents": 10}, "$.cents", "maximum"),
        ({"id": "x", "tags": ["a", 1]}, "$.tags[1]", "type"),
        ({"id": "x", "tags": ["a", "a"]}, "$.tags", "uniqueItems"),
        ({"id": "x", "kind": "c"}, "$.kind", "enum"),
    ],
)
def test_a_fault_names_its_path_and_its_rule(value: JsonValue, path: str, rule: str) -> None:
    """Whoever reads it finds the field in the value and the rule in the schema."""
    (fault,) = schema_faults(ORDER, value)
    assert fault.path == path
    assert fault.message.endswith(f"(rule: {rule})")


def test_all_faults_are_told_but_not_without_end() -> None:
    """Several faults come at once; of a thousand, the first twenty."""
    assert len(schema_faults(ORDER, {"id": 5, "cents": 0, "kind": "c"})) == 3
    assert len(schema_faults({"items": {"type": "string"}}, list(range(1000)))) == 20


@pytest.mark.parametrize("field", ["id", "cents", "kind", "never", "tags"])
def test_a_fault_does_not_quote_the_value(field: str) -> None:
    """A secret that breaks a rule must not come into snapshots, logs and answers by way of the message."""
    faults = schema_faults(ORDER, {"id": "x", field: "SECRET-canary"})
    assert faults
    assert "canary" not in "".join(map(str, faults))


def test_a_fitting_value_has_no_faults() -> None:
    """Nothing is nothing."""
    assert schema_faults(ORDER, {"id": "x", "cents": 5, "tags": ["a"], "kind": "b"}) == ()


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "strin"}, "$.type"),
        ({"properties": {"a": {"minimum": "1"}}}, "$.properties.a.minimum"),
        ({"required": "id"}, "$.required"),
        ([], "$"),
        ("object", "$"),
        (5, "$"),
    ],
)
def test_a_faulty_schema_is_told_with_its_path(schema: Any, path: str) -> None:
    """The schema's own mistakes are found before any value is held against it."""
    (fault,) = faults_of_schema(schema, "$")
    assert fault.path == path
    assert "JSON Schema" in fault.message


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "#"}, {"$ref": "#/nowhere"}, {"$ref": "https://example.com/schema"}, {"pattern": "("}, {"type": "strin"}],
    ids=["to itself", "to nothing", "to elsewhere", "broken pattern", "unknown type"],
)
def test_a_schema_that_cannot_be_applied_is_a_fault(schema: JsonObject) -> None:
    """No reference reaches for the network, and none of these is a crash: the value has a fault."""
    (fault,) = schema_faults(schema, "text")
    assert fault.path == "$"
    assert "cannot be applied" in fault.message


@pytest.mark.parametrize("field", ["input", "output"])
def test_a_workflows_own_schemas_are_checked(field: str) -> None:
    """A workflow whose input or output is no JSON Schema is refused, with the path."""
    document: JsonObject = {"nodes": [{"id": "a", "type": "core:set"}], field: {"type": "strin"}}
    with pytest.raises(InvalidDefinition) as refused:
        Registry().add(document)
    assert [fault.path for fault in refused.value.faults] == [f"$.{field}.type"]


@pytest.mark.parametrize("field", ["input", "output"])
def test_a_node_types_schemas_are_checked(field: str) -> None:
    """A type with a faulty schema makes the workflow that uses it invalid, rather than its first run fail."""
    registry = Registry()
    options: Any = {field: {"type": "strin"}}
    registry.node("test:it", **options)(lambda data: data)
    with pytest.raises(InvalidDefinition) as refused:
        registry.add({"nodes": [{"id": "a", "type": "test:it", "data": {"n": "{{ 1 }}"}}]})
    (fault,) = refused.value.faults
    assert fault.path == "$.nodes[0].type"
    assert f"the {field} schema of 'test:it'" in fault.message


def test_a_waits_schema_is_checked() -> None:
    """Found when the workflow is written, and not when somebody answers and the run that waited fails."""
    with pytest.raises(InvalidDefinition) as refused:
        Registry().add({"nodes": [{"id": "w", "type": "core:wait", "data": {"schema": {"type": "strin"}}}]})
    (fault,) = refused.value.faults
    assert fault.path == "$.nodes[0].data.schema"
    assert "not a JSON Schema" in fault.message


@pytest.mark.parametrize(("schema", "kind"), [({"input": ORDER}, "InvalidInput"), ({"output": ORDER}, "InvalidOutput")])
def test_a_value_that_breaks_its_schema_fails_the_step_once(schema: dict[str, Any], kind: str) -> None:
    """The error names the node, the path and the rule, and no policy tries again."""
    engine = engine_of(lambda data: data, {"id": "{{ 'X' }}"}, policy=PATIENT, **schema)
    snapshot = first_step(engine)
    error = result_of(snapshot)
    assert (snapshot.status, error.error_type) == (Status.FAILED, kind)
    assert error.error is not None
    for named in ("it", ".id", "pattern"):
        assert named in error.error


def test_a_schemas_faults_are_a_value() -> None:
    """Faults compare by content, so that tests and callers may hold them against each other."""
    assert faults_of_schema({"type": 1}, "$.x") == faults_of_schema({"type": 1}, "$.x") != (Fault("$", ""),)
    assert WorkflowDefinition.parse({"nodes": [{"id": "a", "type": "x"}], "input": {}}).input == {}
