"""Faults of a definition that only a registry can see: unknown types, handles no node has, bad schemas."""

from __future__ import annotations

from collections.abc import Mapping

from engine.definition import WorkflowDefinition
from engine.errors import Fault
from engine.node_definition import NodeDefinition
from engine.schema import faults_of_schema


def definition_faults(
    definition: WorkflowDefinition, node_definitions: Mapping[str, NodeDefinition]
) -> tuple[Fault, ...]:
    """Everything wrong with a definition, given the node types it may use."""
    faults: list[Fault] = []
    for index, node in enumerate(definition.nodes):
        if node.type not in node_definitions:
            known = ", ".join(sorted(node_definitions))
            faults.append(
                Fault(f"$.nodes[{index}].type", f"node type {node.type!r} is not registered; there are: {known}")
            )
    for index, edge in enumerate(definition.edges):
        source = definition.node(edge.source)
        known_type = node_definitions.get(source.type) if source is not None else None
        if source is None or known_type is None or edge.source_handle is None or edge.catches:
            continue
        if known_type.handles is not None and edge.source_handle not in known_type.handles:
            exits = ", ".join(repr(handle) for handle in known_type.handles) or "none but the unnamed one"
            faults.append(
                Fault(
                    f"$.edges[{index}].sourceHandle",
                    f"{source.type!r} has no handle {edge.source_handle!r}; it has: {exits}",
                )
            )
    for name, schema in (("input", definition.input), ("output", definition.output)):
        if schema is not None:
            faults.extend(faults_of_schema(schema, f"$.{name}"))
    return tuple(faults)
