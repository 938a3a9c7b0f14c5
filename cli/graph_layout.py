"""Where each node of a workflow stands in a drawing of text: columns, branches, and references for the rest.

Owns the order and the nesting alone; graph_view.py draws. Each node stands once. What is reached on one way only
stands under the node before it; where ways join, the joint stands below the node at which they parted (its immediate
dominator), in the same column. Every other edge, a loop's way back above all, is a reference to where its target
stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from engine import Edge, WorkflowDefinition

_NESTED_MAX: Final = 6
"""Branches within branches from which on the largest branch goes on in the column: else a drawing grows too wide."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A way out of a node. ``column`` is what stands on it, None when its target stands elsewhere."""

    edge: Edge
    column: Column | None


@dataclass(frozen=True, slots=True)
class Place:
    """A node in its column.

    Args:
        node_id: the node.
        branches: its ways out, but for the one that leads to the next place of the column.
        via: the edge by which the place before leads here, if one does.
        joined: whether a branch of the place before leads here.
    """

    node_id: str
    branches: tuple[Branch, ...]
    via: Edge | None
    joined: bool


Column: TypeAlias = tuple[Place, ...]


def columns_of(definition: WorkflowDefinition) -> Sequence[Column]:
    """The columns of a drawing: first what the start leads to, then what nothing leads to."""
    columns: list[Column] = []
    placed: set[str] = set()
    for root in (definition.start_node_id, *(node.id for node in definition.nodes)):
        if root not in placed:
            column = _Flow(definition, root, placed).column(root)
            columns.append(column)
            placed.update(node_ids(column))
    return columns


def node_ids(column: Column) -> Iterator[str]:
    """The nodes of a column and of its branches, in the order of the drawing."""
    for place in column:
        yield place.node_id
        for branch in place.branches:
            yield from node_ids(branch.column or ())


class _Flow:
    """What one node leads to, and by which nodes each way there must come."""

    def __init__(self, definition: WorkflowDefinition, root: str, elsewhere: set[str]) -> None:
        self._exits: Mapping[str, list[Edge]] = {node.id: [] for node in definition.nodes}
        for edge in definition.edges:
            self._exits[edge.source].append(edge)
        self._root = root
        self._elsewhere = elsewhere

    @cached_property
    def _order(self) -> Mapping[str, int]:
        """Reverse postorder: but for ways back, a node comes after all that lead to it."""
        finished: list[str] = []
        seen = {self._root, *self._elsewhere}
        path = [(self._root, iter(self._exits[self._root]))]
        while path:
            node_id, edges = path[-1]
            edge = next((each for each in edges if each.target not in seen), None)
            if edge is None:
                finished.append(node_id)
                path.pop()
            else:
                seen.add(edge.target)
                path.append((edge.target, iter(self._exits[edge.target])))
        return {node_id: index for index, node_id in enumerate(reversed(finished))}

    @cached_property
    def _entries(self) -> Mapping[str, list[Edge]]:
        entries: dict[str, list[Edge]] = {node_id: [] for node_id in self._order}
        for source in self._order:
            for edge in self._exits[source]:
                if edge.target in entries:
                    entries[edge.target].append(edge)
        return entries

    @cached_property
    def _dominators(self) -> Mapping[str, str]:
        """The immediate dominator of each node (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm)."""
        found = {self._root: self._root}
        changed = True
        while changed:
            changed = False
            for node_id in list(self._order)[1:]:
                sources = [edge.source for edge in self._entries[node_id] if edge.source in found]
                nearest = sources[0]
                for source in sources[1:]:
                    nearest = self._common(found, nearest, source)
                if found.get(node_id) != nearest:
                    found[node_id] = nearest
                    changed = True
        return found

    def _common(self, found: Mapping[str, str], one: str, other: str) -> str:
        while one != other:
            while self._order[one] > self._order[other]:
                one = found[one]
            while self._order[other] > self._order[one]:
                other = found[other]
        return one

    @cached_property
    def _sizes(self) -> Mapping[str, int]:
        """How many nodes each node dominates, itself included."""
        sizes = dict.fromkeys(self._order, 1)
        for node_id in reversed(list(self._order)[1:]):
            sizes[self._dominators[node_id]] += sizes[node_id]
        return sizes

    @cached_property
    def _joints(self) -> Mapping[str, list[str]]:
        joints: dict[str, list[str]] = {}
        for node_id in list(self._order)[1:]:
            if not any(self._is_inline(edge) for edge in self._entries[node_id]):
                joints.setdefault(self._dominators[node_id], []).append(node_id)
        return joints

    def _dominates(self, one: str, other: str) -> bool:
        while self._order[other] > self._order[one]:
            other = self._dominators[other]
        return one == other

    def _is_inline(self, edge: Edge) -> bool:
        """Whether the edge is the one way to its target, ways back from there aside."""
        if edge.target not in self._order or edge.target == self._root:
            return False
        forward = [each for each in self._entries[edge.target] if not self._dominates(edge.target, each.source)]
        return forward == [edge] and self._dominators[edge.target] == edge.source

    def _returns(self, edge: Edge) -> bool:
        """Whether what the edge leads to leads back to where it began: the body of a loop."""
        return any(
            self._dominates(edge.target, entry.source) for entry in self._entries[edge.source] if entry is not edge
        )

    def column(self, first: str, depth: int = 0) -> Column:
        """What stands below one another, beginning with a node that stands in no other column."""
        places: list[Place] = []
        pending: list[tuple[str, Edge | None]] = [(first, None)]
        while pending:
            node_id, via = pending.pop(0)
            if places and via is None:
                via = self._straight(places, node_id)
            main = self._main(node_id, depth)
            branches = tuple(
                Branch(edge, self.column(edge.target, depth + 1) if self._is_inline(edge) else None)
                for edge in self._exits[node_id]
                if edge is not main
            )
            joined = bool(places) and any(_leads_to(branch, node_id) for branch in places[-1].branches)
            places.append(Place(node_id, branches, via, joined))
            following: list[tuple[str, Edge | None]] = [(main.target, main)] if main is not None else []
            following += [(joint, None) for joint in self._joints.get(node_id, ())]
            pending = following + pending
        return tuple(places)

    def _main(self, node_id: str, depth: int) -> Edge | None:
        """The way out that goes on in the same column, if one stands out."""
        inline = [edge for edge in self._exits[node_id] if self._is_inline(edge) and not self._returns(edge)]
        by_size = sorted(inline, key=lambda edge: -self._sizes[edge.target])
        if not by_size:
            return None
        if depth < _NESTED_MAX:
            plain = [edge for edge in inline if edge.source_handle is None]
            if plain:
                return plain[0]
        rest = sum(self._sizes[edge.target] for edge in by_size[1:])
        return by_size[0] if depth >= _NESTED_MAX or self._sizes[by_size[0].target] > rest else None

    def _straight(self, places: list[Place], node_id: str) -> Edge | None:
        """The edge from the last place to the next, taken out of the branches of the last."""
        last = places[-1]
        branch = next((each for each in last.branches if each.column is None and each.edge.target == node_id), None)
        if branch is None:
            return None
        rest = tuple(each for each in last.branches if each is not branch)
        places[-1] = Place(last.node_id, rest, last.via, last.joined)
        return branch.edge


def _leads_to(branch: Branch, node_id: str) -> bool:
    if branch.column is None:
        return branch.edge.target == node_id
    return any(_leads_to(inner, node_id) for place in branch.column for inner in place.branches)
