"""What editors ask of node types: schemas, handles and documentation, as JSON."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Literal

from engine.json_value import JsonObject, JsonValue, checked_copy
from engine.node_definition import NodeDefinition, Schema


def describe(node_type: str, definition: NodeDefinition, *, executed: bool = True) -> JsonObject:
    """One node type.

    ``executed``: whether something here executes it. ``handles`` lists the named exits; null means that they follow
    from the node's data (``handlesByData``) or that none are declared. ``input`` and ``output`` are JSON Schemas, null
    where anything goes; a model's output is described as it is written.
    """
    return {
        "type": node_type,
        "executed": executed,
        "description": inspect.getdoc(definition.executor),
        "input": _schema(definition.input),
        "output": _schema(definition.output, "serialization"),
        "handles": None if definition.handles is None or callable(definition.handles) else list(definition.handles),
        "handlesByData": callable(definition.handles),
        "retry": [checked_copy(policy.to_json()) for policy in definition.policies],
        "timeoutMs": definition.timeout_ms,
        "raw": definition.raw if isinstance(definition.raw, bool) else list(definition.raw),
        "metadata": checked_copy(definition.metadata),
    }


def describe_all(definitions: Mapping[str, NodeDefinition], executors: Collection[str] = ()) -> list[JsonValue]:
    """All node types by name. ``executors``: those that the host executes."""
    return [
        describe(node_type, definition, executed=not definition.hosted or node_type in executors)
        for node_type, definition in sorted(definitions.items(), key=lambda item: item[0])
    ]


def _schema(schema: Schema | None, mode: Literal["validation", "serialization"] = "validation") -> JsonValue:
    if schema is None:
        return None
    return checked_copy(schema.model_json_schema(by_alias=True, mode=mode) if isinstance(schema, type) else schema)
