"""Workflow definitions: Refluxo's JSON, checked whole, all faults at once, and named by its content's hash.

Owns structure alone. Whether a node's type exists, and whether its data and handles fit, is asked where a
registry is known (engine/checks.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Final, Literal, Protocol, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from engine.content_hash import content_hash
from engine.errors import Fault, InvalidDefinition, InvalidOutput
from engine.json_path import json_path, location_in
from engine.json_value import JsonObject, JsonValue, checked_copy
from engine.limits import NAMES_SHOWN_MAX
from engine.models import said_by
from engine.naming import ERROR_HANDLE, NAME_PATTERN, camel_case, is_error_handle
from engine.naming import valid_name as valid_name  # noqa: PLC0414  (others import it from here)
from engine.retry import RetryPolicy

Name: TypeAlias = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]


_PARTS_ALONE: Final = object()
"""Pydantic's context where a definition's parts are read and not how they fit together."""


class DefinitionSource(Protocol):
    """Something that makes a definition, as the builder's Flow does."""

    def to_definition(self) -> WorkflowDefinition:
        """The definition as it is now."""

    def freeze(self) -> WorkflowDefinition:
        """The definition, which takes no more changes from here on."""


def _json(value: object) -> JsonValue:
    try:
        return checked_copy(value)
    except InvalidOutput as error:
        path, _, message = str(error).rpartition(": ")
        raise _collected((Fault(path, message),)) from None


def _collected(faults: tuple[Fault, ...]) -> PydanticCustomError:
    # What pydantic collects beside its own errors; faults_of takes the faults out again.
    return PydanticCustomError("workflow", "{text}", {"text": "; ".join(map(str, faults)), "faults": faults})


def _encodable(text: object) -> object:
    return _json(text) if isinstance(text, str) else text


Text: TypeAlias = Annotated[str, BeforeValidator(_encodable)]
"""Text that has a UTF-8 form, so that it can be hashed, stored and sent."""

NotEmptyText: TypeAlias = Annotated[Text, Field(min_length=1)]

Json: TypeAlias = Annotated[object, BeforeValidator(_json)]
"""Whatever JSON can hold, copied."""

Milliseconds: TypeAlias = Annotated[int, Field(gt=0)]
"""A length of time, which is never none."""


def _not_empty(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    # Not Field(min_length=1): that complains of an empty list too when it is the nodes that are faulty.
    if not nodes:
        raise ValueError("a workflow has at least one node")
    return nodes


def _as_list(value: object) -> object:
    return [value] if isinstance(value, Mapping | RetryPolicy) else value


class _Document(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=camel_case,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
    )


class NodePolicy(_Document):
    """How a node's steps are treated: retries, time, claims."""

    retry: Annotated[tuple[RetryPolicy, ...], BeforeValidator(_as_list)] | None = None
    timeout_ms: Milliseconds | None = None
    at_most_once: bool = False
    compensate: Text | None = None


class Node(_Document):
    """One step of a workflow: its type says what is executed, its data with what."""

    id: Name
    type: NotEmptyText
    data: Json = Field(default_factory=dict)
    policy: NodePolicy | None = None
    metadata: Json = None


class Edge(_Document):
    """A way from one node to the next; ``source_handle`` says by which of the source's exits."""

    id: Text | None = None
    source: Text
    target: Text
    source_handle: NotEmptyText | None = None
    target_handle: Text | None = None
    metadata: Json = None

    @property
    def catches(self) -> bool:
        """Whether the edge is taken on a failure."""
        return is_error_handle(self.source_handle)


class WorkflowDefinition(_Document):
    """A workflow as data: what an editor draws, a file holds and a run is pinned to.

    ``model_validate`` raises pydantic's ValidationError with every fault and its JSON path;
    :meth:`parse` raises :class:`~engine.errors.InvalidDefinition` with the same as data.
    """

    nodes: Annotated[tuple[Node, ...], AfterValidator(_not_empty)]
    edges: tuple[Edge, ...] = ()
    name: Name = "workflow"
    description: Text | None = None
    start: Text | None = None
    input: Json = None
    output: Json = None
    deadline_ms: Milliseconds | None = None
    metadata: Json = None

    @model_validator(mode="after")
    def _check_structure(self, info: ValidationInfo) -> Self:
        faults = () if info.context is _PARTS_ALONE else structural_faults(self.nodes, self.edges, self.start)
        if faults:
            raise _collected(faults)
        return self

    @classmethod
    def parse(cls, document: object) -> WorkflowDefinition:
        """Reads a definition from JSON data.

        Raises:
            InvalidDefinition: with every fault found, each with its JSON path.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            name = document.get("name", "workflow") if isinstance(document, Mapping) else "workflow"
            # Of a document with unreadable parts the readable ones are looked at too: all faults at once.
            faults = faults_of(error, document) + structural_faults(*_outline(document))
            raise InvalidDefinition(str(name), tuple(dict.fromkeys(faults))) from None

    @classmethod
    def parts_of(cls, document: object) -> WorkflowDefinition | None:
        """What can be looked at of a faulty document, but not run: its parts, if each can be read, however they fit."""
        try:
            return cls.model_validate(document, context=_PARTS_ALONE)
        except ValidationError:
            return None

    @cached_property
    def start_node_id(self) -> str:
        """The node a run begins with."""
        return self.start if self.start is not None else self.nodes[0].id

    @cached_property
    def version(self) -> str:
        """Hash of the content: stable under the order of keys and formatting, changed by anything else."""
        document = self.to_json()
        if self.start == self.nodes[0].id:
            # Said aloud or left out: the same.
            del document["start"]
        return content_hash(document)

    @cached_property
    def warnings(self) -> tuple[Fault, ...]:
        """What is odd but runs: nodes that nothing leads to."""
        reached = {self.start_node_id}
        frontier = [self.start_node_id]
        targets: dict[str, list[str]] = {}
        for edge in self.edges:
            targets.setdefault(edge.source, []).append(edge.target)
        while frontier:
            for target in targets.get(frontier.pop(), ()):
                if target not in reached:
                    reached.add(target)
                    frontier.append(target)
        return tuple(
            Fault(
                f"$.nodes[{index}]",
                f"{node.id!r} is never reached: no edge leads to it from {self.start_node_id!r}",
            )
            for index, node in enumerate(self.nodes)
            if node.id not in reached
        )

    def node(self, node_id: str) -> Node | None:
        """The node of that id, or None."""
        return self._nodes.get(node_id)

    @cached_property
    def _nodes(self) -> Mapping[str, Node]:
        return {node.id: node for node in self.nodes}

    def with_node_data(self, node_id: str, data: JsonValue) -> WorkflowDefinition:
        """The same definition with other data for one node.

        Raises:
            InvalidDefinition: that makes it a faulty one.
        """
        document = self.to_json()
        nodes = document["nodes"]
        for node in nodes if isinstance(nodes, list) else ():
            if isinstance(node, dict) and node["id"] == node_id:
                node["data"] = data
        return WorkflowDefinition.parse(document)

    def to_json(self) -> JsonObject:
        """The definition as JSON data; what is left at its default is left out."""
        document = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
        document["nodes"] = [_node_to_json(node) for node in self.nodes]
        document["edges"] = [edge.model_dump(mode="json", by_alias=True, exclude_none=True) for edge in self.edges]
        document["name"] = self.name
        return document


def _node_to_json(node: Node) -> JsonObject:
    document: JsonObject = {"id": node.id, "type": node.type}
    if node.data != {}:
        document["data"] = checked_copy(node.data)
    if node.policy is not None:
        policy = node.policy.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude_defaults=True, exclude={"retry"}
        )
        if node.policy.retry is not None:
            retries = [dict(retry.to_json()) for retry in node.policy.retry]
            policy["retry"] = retries[0] if len(retries) == 1 else retries
        if policy:
            document["policy"] = policy
    if node.metadata is not None:
        document["metadata"] = checked_copy(node.metadata)
    return document


def structural_faults(
    nodes: Sequence[Node | None], edges: Sequence[Edge | None], start: str | None
) -> tuple[Fault, ...]:
    """Everything wrong with a definition that can be seen without knowing its node types.

    None stands for a node or an edge that cannot be read.
    """
    faults: list[Fault] = []
    known: set[str] = set()
    for index, node in enumerate(nodes):
        if node is None:
            continue
        if node.id in known:
            faults.append(Fault(f"$.nodes[{index}].id", f"{node.id!r} is taken by an earlier node; ids are unique"))
        known.add(node.id)
    names = listed(list(dict.fromkeys(node.id for node in nodes if node is not None)))
    if start is not None and start not in known:
        faults.append(Fault("$.start", f"there is no node {start!r}; nodes: {names}"))
    return (*faults, *_edge_faults(edges, known, names))


def _edge_faults(edges: Sequence[Edge | None], known: Collection[str], names: str) -> Sequence[Fault]:
    faults: list[Fault] = []
    exits: dict[tuple[str, str | None], tuple[int, str]] = {}
    for index, edge in enumerate(edges):
        if edge is None:
            continue
        ends: tuple[tuple[Literal["source", "target"], str], ...] = (
            ("source", edge.source),
            ("target", edge.target),
        )
        for end, node_id in ends:
            if node_id not in known:
                faults.append(Fault(f"$.edges[{index}].{end}", f"there is no node {node_id!r}; nodes: {names}"))
        handle = edge.source_handle
        if edge.catches and handle != ERROR_HANDLE and not (handle or "").partition(f"{ERROR_HANDLE}:")[2]:
            faults.append(
                Fault(
                    f"$.edges[{index}].sourceHandle",
                    f"{handle!r} is reserved: handles that begin with 'error' are catch edges, "
                    "written 'error' or 'error:<Type>'",
                )
            )
        first, target = exits.setdefault((edge.source, handle), (index, edge.target))
        if first != index:
            exit_name = "the unnamed handle" if handle is None else f"handle {handle!r}"
            faults.append(
                Fault(
                    f"$.edges[{index}]",
                    f"{exit_name} of {edge.source!r} already leads to {target!r} "
                    f"($.edges[{first}]); a handle has one edge",
                )
            )
    return faults


def listed(names: Sequence[str]) -> str:
    """Names for a message, as many as a reader wants to see."""
    rest = len(names) - NAMES_SHOWN_MAX
    return ", ".join(names[:NAMES_SHOWN_MAX]) + (f" and {rest} more" if rest > 0 else "")


def _outline(document: object) -> tuple[list[Node | None], list[Edge | None], str | None]:
    """Ids and edges of a faulty document, as far as they can be read."""
    nodes, edges = (document.get("nodes"), document.get("edges", [])) if isinstance(document, Mapping) else (None, None)
    if not isinstance(nodes, list | tuple) or not isinstance(edges, list | tuple):
        return [], [], None
    start = document.get("start") if isinstance(document, Mapping) else None
    return [_node_outline(node) for node in nodes], [_edge_outline(edge) for edge in edges], _text(start)


def _node_outline(node: object) -> Node | None:
    node_id = node.id if isinstance(node, Node) else _text(node.get("id")) if isinstance(node, Mapping) else None
    return None if node_id is None else Node.model_construct(id=node_id, type="")


def _edge_outline(edge: object) -> Edge | None:
    if not isinstance(edge, Mapping):
        return edge if isinstance(edge, Edge) else None
    source, target, handle = (_text(edge.get(key)) for key in ("source", "target", "sourceHandle"))
    if source is None or target is None or (handle is None and edge.get("sourceHandle") is not None):
        return None
    return Edge.model_construct(source=source, target=target, source_handle=handle)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def faults_of(error: ValidationError, document: object = None) -> tuple[Fault, ...]:
    """Pydantic's errors as faults with JSON paths: those of the document it read, when that is given."""
    faults: list[Fault] = []
    for item in error.errors(include_url=False, include_input=False):
        location = item["loc"]
        if document is not None:
            location = location_in(document, location, missing=item["type"] == "missing")
        path = json_path(location)
        inner = item.get("ctx", {}).get("faults")
        if isinstance(inner, tuple):
            faults.extend(Fault(path + fault.path[1:], fault.message) for fault in inner if isinstance(fault, Fault))
        else:
            faults.append(Fault(path, said_by(item["msg"])))
    return tuple(faults)
