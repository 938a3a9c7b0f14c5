"""A workflow's nodes with everything about them looked up once, so that a step does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from engine.errors import UnmatchedHandle
from engine.json_value import JsonValue, checked_copy
from engine.naming import ERROR_HANDLE
from engine.node_definition import NodeDefinition
from engine.outcome import StepError
from engine.retry import RetryPolicy
from engine.templates import has_template

if TYPE_CHECKING:
    # For annotations alone: pydantic's models would make the engine's import a quarter longer.
    from engine.definition import WorkflowDefinition

_NO_FIELDS: Final[Mapping[str, JsonValue]] = MappingProxyType({})
_NO_EXITS: Final[Mapping[str | None, str]] = MappingProxyType({})


class CompiledNode:
    """A node as it is executed. A plain class, whose fields a step reads faster than a named tuple's.

    Args:
        id: the node's id.
        type: its type's name.
        data: its data as the definition has it.
        resolvable: its data less the raw fields.
        raw_fields: fields of its data whose expressions are somebody else's to resolve.
        definition: its behaviour; None when the type is not registered.
        policies: retry policies, its own or else its type's.
        exits: targets by handle; None is the unnamed one.
        catches: catch edges in order, as handle and target.
        resolves: whether its data holds anything that a transform engine may resolve.

    ``handles`` are the named exits its type declares for such data; None when only the executor knows them.
    """

    __slots__ = (
        "catches",
        "data",
        "definition",
        "exits",
        "handles",
        "id",
        "policies",
        "raw_fields",
        "resolvable",
        "resolves",
        "type",
    )

    def __init__(
        self,
        *,
        id: str,  # noqa: A002
        type: str,  # noqa: A002
        data: JsonValue = None,
        resolvable: JsonValue = None,
        raw_fields: Mapping[str, JsonValue] = _NO_FIELDS,
        definition: NodeDefinition | None = None,
        policies: tuple[RetryPolicy, ...] = (),
        exits: Mapping[str | None, str] = _NO_EXITS,
        catches: tuple[tuple[str, str], ...] = (),
        resolves: bool = False,
    ) -> None:
        self.id = id
        self.type = type
        self.data = data
        self.resolvable = resolvable
        self.raw_fields = raw_fields
        self.definition = definition
        self.policies = policies
        self.exits = exits
        self.catches = catches
        self.handles = definition.handles_of(data) if definition is not None else None
        self.resolves = resolves

    def target(self, handle: str | None) -> str | None:
        """The node that a handle leads to; None when the run ends here.

        Raises:
            UnmatchedHandle: the handle has no edge and the type does not declare it.
        """
        target = self.exits.get(handle)
        if target is not None or handle is None:
            return target
        if self.handles is not None and handle in self.handles:
            return None
        known = ", ".join(repr(name) for name in self.exits if name is not None) or "none"
        raise UnmatchedHandle(f"{self.id!r} chose handle {handle!r}, which has no edge; edges leave by: {known}")

    def handler_of(self, error: StepError) -> str | None:
        """The node that a failure leads to: the first catch edge about it, in edge order."""
        for handle, target in self.catches:
            if handle == ERROR_HANDLE or handle.removeprefix(f"{ERROR_HANDLE}:") in error.lineage:
                return target
        return None


def compile_nodes(
    workflow: WorkflowDefinition,
    node_definitions: Mapping[str, NodeDefinition],
    may_resolve: Callable[[JsonValue], bool] = has_template,
) -> Mapping[str, CompiledNode]:
    """The nodes of a workflow by id. ``may_resolve`` says whether a transform engine is to see a node's data."""
    exits: dict[str, dict[str | None, str]] = {node.id: {} for node in workflow.nodes}
    catches: dict[str, list[tuple[str, str]]] = {node.id: [] for node in workflow.nodes}
    for edge in workflow.edges:
        if edge.source_handle is not None and edge.catches:
            catches[edge.source].append((edge.source_handle, edge.target))
        else:
            exits[edge.source][edge.source_handle] = edge.target
    nodes: dict[str, CompiledNode] = {}
    for node in workflow.nodes:
        definition = node_definitions.get(node.type)
        policies = definition.policies if definition is not None else ()
        if node.policy is not None and node.policy.retry is not None:
            policies = node.policy.retry
        data = checked_copy(node.data)
        resolvable = definition.resolvable(data) if definition is not None and definition.raw is not True else data
        raw_fields: Mapping[str, JsonValue] = {}
        if isinstance(data, dict) and isinstance(resolvable, dict):
            raw_fields = {key: item for key, item in data.items() if key not in resolvable}
        nodes[node.id] = CompiledNode(
            id=node.id,
            type=node.type,
            data=data,
            resolvable=resolvable,
            raw_fields=raw_fields,
            definition=definition,
            policies=policies,
            exits=exits[node.id],
            catches=tuple(catches[node.id]),
            resolves=(definition is None or definition.raw is not True) and may_resolve(resolvable),
        )
    return nodes
