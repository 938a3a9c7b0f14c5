"""Faults of a definition that only a registry can see: types, handles, data, expressions and schemas."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pydantic import ValidationError

from engine.core_nodes import inline_definitions
from engine.definition import Node, WorkflowDefinition, listed
from engine.errors import ExpressionError, Fault, InvalidDefinition
from engine.json_path import json_path, location_in
from engine.json_value import JsonValue, checked_copy
from engine.models import said_by
from engine.naming import is_error_handle
from engine.node_definition import NodeDefinition
from engine.schema import faults_of_schema, schema_faults
from engine.templates import has_template, texts_with_template
from engine.transform import NAMES, NameReader, TemplateValidator, TransformEngine


def definition_faults(
    definition: WorkflowDefinition,
    node_definitions: Mapping[str, NodeDefinition],
    transform_engines: Sequence[TransformEngine] = (),
    *,
    alone: bool = False,
) -> tuple[Fault, ...]:
    """Everything wrong with a definition, given the node types and the expressions it may use.

    ``alone``: the definition is a part, a node looked at by itself. What lies outside of it is not missed, and the
    definitions written inside it have been looked at.
    """
    faults: list[Fault] = []
    for index, node in enumerate(definition.nodes):
        known = node_definitions.get(node.type)
        if known is None:
            types = ", ".join(sorted(node_definitions))
            message = f"node type {node.type!r} is not registered; there are: {types}"
            faults.append(Fault(f"$.nodes[{index}].type", message))
            continue
        faults.extend(_type_faults(node, known, f"$.nodes[{index}]"))
        faults.extend(_data_faults(node, known, f"$.nodes[{index}].data", transform_engines))
        if not alone:
            faults.extend(_name_faults(node, known, f"$.nodes[{index}].data", definition, transform_engines))
            faults.extend(_child_faults(node, f"$.nodes[{index}].data", node_definitions, transform_engines))
        faults.extend(_policy_faults(node, f"$.nodes[{index}].policy.retry", transform_engines))
    faults.extend(_handle_faults(definition, node_definitions))
    for name, schema in (("input", definition.input), ("output", definition.output)):
        if schema is not None:
            faults.extend(faults_of_schema(schema, f"$.{name}"))
    return tuple(faults)


def execution_warnings(
    definition: WorkflowDefinition, node_definitions: Mapping[str, NodeDefinition], executors: Collection[str]
) -> tuple[Fault, ...]:
    """Nodes that can be written and not executed. ``executors``: node types that the host executes."""
    return tuple(
        Fault(f"$.nodes[{index}].type", f"{node.type} has no executor yet: a step of it fails with NeedsHost")
        for index, node in enumerate(definition.nodes)
        if (known := node_definitions.get(node.type)) is not None and known.hosted and node.type not in executors
    )


def parsed(
    document: object,
    node_definitions: Mapping[str, NodeDefinition],
    transform_engines: Sequence[TransformEngine] = (),
) -> WorkflowDefinition:
    """Reads a definition whose structure is sound. Of one whose parts do not fit together all else is told too.

    Raises:
        InvalidDefinition: with every fault found, each with its JSON path.
    """
    try:
        return WorkflowDefinition.parse(document)
    except InvalidDefinition as invalid:
        parts = WorkflowDefinition.parts_of(document)
        more = () if parts is None else definition_faults(parts, node_definitions, transform_engines)
        raise InvalidDefinition(invalid.name, (*invalid.faults, *more)) from None


def _type_faults(node: Node, known: NodeDefinition, path: str) -> Sequence[Fault]:
    faults = [
        Fault(f"{path}.type", f"the {name} schema of {node.type!r} at {fault}")
        for name, schema in (("input", known.input), ("output", known.output))
        if schema is not None and not isinstance(schema, type)
        for fault in faults_of_schema(schema, "$")
    ]
    handles = known.handles_of(checked_copy(node.data)) or ()
    reserved = [handle for handle in handles if is_error_handle(handle)]
    return [*faults, *(Fault(path, f"its handle {handle!r} is reserved for catch edges") for handle in reserved)]


def _data_faults(
    node: Node, known: NodeDefinition, path: str, transform_engines: Sequence[TransformEngine]
) -> Sequence[Fault]:
    data = checked_copy(node.data)
    faults = list(_expression_faults(known.resolvable(data), path, transform_engines))
    if isinstance(known.input, type):
        try:
            known.input.model_validate(data)
        except ValidationError as error:
            for item in error.errors(include_url=False, include_input=False):
                kind, location = item["type"], item["loc"]
                if _is_certain(kind, location, data, known):
                    located = json_path(location_in(data, location, missing=kind == "missing"))
                    faults.append(Fault(path + located[1:], said_by(item["msg"])))
    elif known.input is not None and not has_template(known.resolvable(data)):
        faults += [Fault(path + fault.path[1:], fault.message) for fault in schema_faults(known.input, data)]
    return faults


def _is_certain(kind: str, location: tuple[int | str, ...], data: JsonValue, known: NodeDefinition) -> bool:
    """Whether a fault stands whatever the expressions in the data will give.

    What an expression gives is known when it is evaluated; that a part is missing, or one too many, is known now,
    unless it depends on the member of a union that the expressions decide for.
    """
    if known.raw is True or (known.raw and location and location[0] in known.raw):
        return True
    if kind in {"missing", "extra_forbidden"}:
        holder = _deepest(data, location[:-1])
        within_union = len(location_in(data, location[:-1], missing=False)) < len(location) - 1
        return isinstance(holder, dict | list) and not (within_union and has_template(holder))
    return not has_template(_deepest(data, location))


def _deepest(value: JsonValue, location: tuple[int | str, ...]) -> JsonValue:
    """What stands at a location, or as near to it as there is anything."""
    for part in location:
        try:
            value = value[part]  # type: ignore[index]
        except (LookupError, TypeError):
            break
    return value


def _name_faults(
    node: Node,
    known: NodeDefinition,
    path: str,
    definition: WorkflowDefinition,
    transform_engines: Sequence[TransformEngine],
) -> Sequence[Fault]:
    """Names that no run will ever have: a misspelt one would be null for ever, and take the wrong branch silently."""
    faults: list[Fault] = []
    for text_path, text in texts_with_template(known.resolvable(checked_copy(node.data)), path):
        for engine in transform_engines:
            try:
                read = engine.references(text) if isinstance(engine, NameReader) else ()
            except ExpressionError:
                continue  # told already
            for name, member in read:
                if name not in NAMES:
                    faults.append(Fault(text_path, f"there is no name {name!r}; there are: {', '.join(NAMES)}"))
                elif name == "nodes" and member is not None and definition.node(member) is None:
                    known_ids = listed([item.id for item in definition.nodes])
                    faults.append(Fault(text_path, f"nodes.{member}: there is no node {member!r}; nodes: {known_ids}"))
    return faults


def _child_faults(
    node: Node,
    path: str,
    node_definitions: Mapping[str, NodeDefinition],
    transform_engines: Sequence[TransformEngine],
) -> Sequence[Fault]:
    faults: list[Fault] = []
    for child_path, document in inline_definitions(node.type, checked_copy(node.data)):
        try:
            found = definition_faults(WorkflowDefinition.parse(document), node_definitions, transform_engines)
        except InvalidDefinition as invalid:
            found = invalid.faults
        faults += [Fault(f"{path}.{child_path}{fault.path[1:]}", fault.message) for fault in found]
    return faults


def _expression_faults(data: JsonValue, path: str, transform_engines: Sequence[TransformEngine]) -> Sequence[Fault]:
    faults: list[Fault] = []
    for text_path, text in texts_with_template(data, path):
        for engine in transform_engines:
            if isinstance(engine, TemplateValidator):
                try:
                    engine.validate_template(text)
                except ExpressionError as error:
                    faults.append(Fault(text_path, str(error)))
    return faults


def _policy_faults(node: Node, path: str, transform_engines: Sequence[TransformEngine]) -> Sequence[Fault]:
    faults: list[Fault] = []
    policies = node.policy.retry or () if node.policy is not None else ()
    for index, policy in enumerate(policies):
        at = path if len(policies) == 1 else f"{path}[{index}]"
        for name, value in policy.to_json().items():
            if isinstance(value, str) and name in _NUMBERS:
                if not has_template(value):
                    faults.append(Fault(f"{at}.{name}", f"{value!r} is no number; write {{{{ }}}} around it"))
                faults.extend(_expression_faults(value, f"{at}.{name}", transform_engines))
    return faults


_NUMBERS = frozenset({"maxAttempts", "interval", "rate", "maxInterval"})


def _handle_faults(definition: WorkflowDefinition, node_definitions: Mapping[str, NodeDefinition]) -> Sequence[Fault]:
    faults: list[Fault] = []
    for index, edge in enumerate(definition.edges):
        source = definition.node(edge.source)
        known = node_definitions.get(source.type) if source is not None else None
        if source is None or known is None or edge.source_handle is None or edge.catches:
            continue
        handles = known.handles_of(checked_copy(source.data))
        if handles is not None and edge.source_handle not in handles:
            exits = ", ".join(repr(handle) for handle in handles) or "none but the unnamed one"
            message = f"{source.id!r} ({source.type}) has no handle {edge.source_handle!r}; it has: {exits}"
            faults.append(Fault(f"$.edges[{index}].sourceHandle", message))
    return faults
