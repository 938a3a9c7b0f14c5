"""The nodes and edges of a flow while it is being written: what ``>>`` and ``["handle"]`` mean.

Owns the mistakes that one line can make with an edge, and raises at that line. It refuses to know how nodes come
about: that is flow.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from engine.definition import Edge, Node
from engine.errors import InvalidFlow
from engine.flow_values import Place
from engine.json_value import checked_copy
from engine.naming import ERROR_HANDLE, is_error_handle
from engine.node_definition import NodeDefinition

_LEAVES_BY_NAME: Final = frozenset({"core:if", "core:switch", "core:loop", "core:while", "core:repeat"})
"""Types that always choose a handle: an unnamed edge out of them would never be taken."""

_Target = TypeVar("_Target", bound="FlowNode | FlowExit")


class FlowNode:
    """A node of a flow: ``node >> other`` makes its unnamed edge, ``node["handle"] >> other`` a named one.

    Made by the methods of a :class:`~engine.flow.Flow`, never directly.
    """

    __slots__ = ("graph", "known", "node")

    def __init__(self, graph: FlowGraph, node: Node, known: NodeDefinition | None) -> None:
        self.graph = graph
        self.node = node
        self.known = known

    def __repr__(self) -> str:
        return f"<FlowNode {self.id!r} ({self.node.type}) of flow {self.graph.name!r}>"

    @property
    def id(self) -> str:
        """The node's id, by which expressions know it."""
        return self.node.id

    @property
    def error(self) -> FlowExit:
        """The exit taken when the node has failed for good, whatever the error."""
        return FlowExit(self, ERROR_HANDLE)

    def catch(self, error: type[BaseException] | str) -> FlowExit:
        """The exit taken when the node has failed for good by that error, or by one derived from it.

        Of several that fit, the one whose edge was written first is taken.

        Raises:
            InvalidFlow: that is neither an exception class nor a name.
        """
        return self[f"{ERROR_HANDLE}:{self._error_name(error)}"]

    def __getitem__(self, handle: str) -> FlowExit:
        """The exit of that name.

        Raises:
            InvalidFlow: the node has no such handle.
        """
        problem = _handle_problem(self, handle)
        if problem is not None:
            raise self.graph.mistake(self.id, problem)
        return FlowExit(self, handle)

    def __rshift__(self, target: _Target) -> _Target:
        """Makes the unnamed edge to ``target`` and gives ``target``, so that chains read from left to right.

        Raises:
            InvalidFlow: the edge cannot be.
        """
        return FlowExit(self, None) >> target

    def __rrshift__(self, sources: Sequence[FlowNode | FlowExit]) -> FlowNode:
        """Makes an edge from each of ``sources`` to this node: ``[a, b["done"]] >> node``.

        Raises:
            InvalidFlow: one of the edges cannot be; none is made.
        """
        self.graph.connect(_exits(sources, self), self)
        return self

    def _error_name(self, error: object) -> str:
        if isinstance(error, type) and issubclass(error, BaseException):
            return error.__name__
        if isinstance(error, str) and error:
            return error
        raise self.graph.mistake(self.id, f"catch({error!r}): give an exception class, or the name of an error")


@dataclass(frozen=True, slots=True)
class FlowExit:
    """One exit of a node; ``handle`` is None for the unnamed one."""

    source: FlowNode
    handle: str | None

    def __rshift__(self, target: _Target) -> _Target:
        """Makes the edge to ``target`` (the node, where it is an exit) and gives ``target``.

        Raises:
            InvalidFlow: the edge cannot be.
        """
        self.source.graph.connect((self,), _node_of(target, self))
        return target

    def __rrshift__(self, sources: Sequence[FlowNode | FlowExit]) -> FlowExit:
        """Makes an edge from each of ``sources`` to this exit's node: ``[a, b] >> node["done"] >> c``.

        Raises:
            InvalidFlow: one of the edges cannot be; none is made.
        """
        self.source.graph.connect(_exits(sources, self.source), self.source)
        return self

    def __str__(self) -> str:
        return repr(self.source.id) if self.handle is None else f"{self.source.id!r}[{self.handle!r}]"


class FlowGraph:
    """The nodes and edges of one flow, in the order they were written."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: dict[str, FlowNode] = {}
        self._edges: dict[tuple[str, str | None], Edge] = {}
        self._frozen = False

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges, in the order they were written."""
        return tuple(self._edges.values())

    def mistake(self, node_id: str | None, problem: str) -> InvalidFlow:
        """The error for a mistake, saying where it is."""
        return Place(self.name, node_id).mistake(problem)

    def freeze(self) -> None:
        """No more nodes and edges from here on."""
        self._frozen = True

    def check_open(self, node_id: str) -> None:
        """Nothing, while nodes and edges may be added.

        Raises:
            InvalidFlow: the flow has been handed over.
        """
        if self._frozen:
            raise self.mistake(node_id, "the flow has been handed over already; write all of it before you add it")

    def add(self, node: Node, known: NodeDefinition | None) -> FlowNode:
        """Adds a node whose id is known to be free."""
        added = FlowNode(self, node, known)
        self.nodes[node.id] = added
        return added

    def connect(self, exits: Sequence[FlowExit], target: FlowNode) -> None:
        """Makes an edge from each exit to a node, or none at all.

        Raises:
            InvalidFlow: one of the edges cannot be.
        """
        made: dict[tuple[str, str | None], Edge] = {}
        for leaving in exits:
            source = leaving.source
            self.check_open(source.id)
            for end in (source, target):
                if end.graph is not self:
                    raise self.mistake(
                        None,
                        f"node {end.id!r} belongs to flow {end.graph.name!r}, and edges join nodes of one flow; "
                        "to run another flow from here, use flow.workflow(id, other)",
                    )
            key = (source.id, leaving.handle)
            taken = self._edges.get(key) or made.get(key)
            if taken is not None:
                raise self.mistake(source.id, _taken_problem(leaving, taken))
            problem = self._problem(leaving)
            if problem is not None:
                raise self.mistake(source.id, problem)
            made[key] = Edge(source=source.id, target=target.id, source_handle=leaving.handle)
        self._edges.update(made)

    def _problem(self, leaving: FlowExit) -> str | None:
        source, handle = leaving.source, leaving.handle
        if handle is None:
            return _unnamed_problem(source)
        if is_error_handle(handle) and (source.id, ERROR_HANDLE) in self._edges:
            return f"{handle!r} would never be taken, for 'error' before it takes every error; write it first"
        return None


def _taken_problem(leaving: FlowExit, taken: Edge) -> str:
    exit_name = "the unnamed exit" if leaving.handle is None else f"handle {leaving.handle!r}"
    return (
        f"{exit_name} leads to {taken.target!r} already, and a handle has one edge; to go one of several ways use "
        "flow.if_ or flow.switch, to go all of them flow.parallel"
    )


def _unnamed_problem(source: FlowNode) -> str | None:
    if source.node.type == "core:fail":
        return "core:fail ends the run, so no edge leads on from it; remove the edge"
    if source.node.type in _LEAVES_BY_NAME:
        return f"{source.node.type} leaves by a handle, never without one: {_choices(source)}"
    return None


def _handle_problem(node: FlowNode, handle: object) -> str | None:
    if not isinstance(handle, str) or not handle:
        return f"{handle!r} is no handle; a handle is a text"
    if is_error_handle(handle):
        prefix, _, error_type = handle.partition(":")
        if handle == ERROR_HANDLE or (prefix == ERROR_HANDLE and error_type):
            return None
        return f"{handle!r} is reserved: handles that begin with 'error' are catch edges, 'error' or 'error:<Type>'"
    declared = _declared(node)
    if declared is None or handle in declared:
        return None
    return f"{node.node.type} has no handle {handle!r}; {_choices(node)}"


def _choices(node: FlowNode) -> str:
    declared = _declared(node)
    if declared is None:
        return f"write {node.id}['its handle'] >> ..."
    if not declared:
        return "it has none but the unnamed one"
    return "write " + " or ".join(f"{node.id}[{handle!r}] >> ..." for handle in declared)


def _declared(node: FlowNode) -> Sequence[str] | None:
    return None if node.known is None else node.known.handles_of(checked_copy(node.node.data))


def _exits(sources: object, target: FlowNode) -> Sequence[FlowExit]:
    if not isinstance(sources, list | tuple) or not sources:
        raise target.graph.mistake(
            target.id, f"{sources!r} cannot lead here; write node >> node, node['handle'] >> node or [a, b] >> node"
        )
    return [_exit_of(source, target) for source in sources]


def _exit_of(source: object, target: FlowNode) -> FlowExit:
    if isinstance(source, FlowExit):
        return source
    if isinstance(source, FlowNode):
        return FlowExit(source, None)
    raise target.graph.mistake(target.id, f"{source!r} cannot lead here: it is neither a node of a flow nor its exit")


def _node_of(target: object, leaving: FlowExit) -> FlowNode:
    if isinstance(target, FlowNode):
        return target
    if isinstance(target, FlowExit):
        return target.source
    graph = leaving.source.graph
    if isinstance(target, list | tuple):
        raise graph.mistake(
            leaving.source.id,
            f"{leaving} cannot lead to {len(target)} nodes at once: a handle has one edge; to go one of several ways "
            "use flow.if_ or flow.switch, to go all of them flow.parallel",
        )
    raise graph.mistake(
        leaving.source.id, f"{target!r} is no node of a flow; give what flow.node(...) and the like return"
    )
