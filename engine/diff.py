"""What is different between two definitions, as data.

Nodes are told apart by their ids and edges by their exits (a source and its handle), so the order in which a document
lists them, or its keys, makes no difference. Two orders do mean something and are compared: which node is the start,
and which of a node's catch edges is tried first. It refuses to guess: a renamed node is one removed and one added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine.definition import Edge, WorkflowDefinition
from engine.json_value import JsonObject, JsonValue

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    Args:
        kind: whether the place is new, gone or holds something else.
        path: a JSON Path (RFC 9535) that selects the place in the newer document, or in the older one when it is
            gone; nodes and edges are selected by what they are, not by their index.
        before: what was there; None where nothing was.
        after: what is there now; None where nothing is.
    """

    kind: Literal["added", "removed", "changed"]
    path: str
    before: JsonValue = None
    after: JsonValue = None

    def to_json(self) -> JsonObject:
        """The change as JSON data; ``before`` is left out where nothing was, ``after`` where nothing is."""
        document: JsonObject = {"kind": self.kind, "path": self.path}
        if self.kind != "added":
            document["before"] = self.before
        if self.kind != "removed":
            document["after"] = self.after
        return document

    def __str__(self) -> str:
        before, after = (json.dumps(value, ensure_ascii=False) for value in (self.before, self.after))
        match self.kind:
            case "added":
                return f"+ {self.path}: {after}"
            case "removed":
                return f"- {self.path}: {before}"
            case "changed":
                return f"~ {self.path}: {before} -> {after}"


def definition_diff(old: WorkflowDefinition, new: WorkflowDefinition) -> tuple[Change, ...]:
    """Every difference: top-level fields first, then nodes by id, then edges by exit; empty when there is none.

    Objects are compared down to the innermost fields, lists whole. ``$.start`` is the node a run begins with, whether
    the definition says so or leaves it at the first one.
    """
    return (
        *_place_changes(_top_level(old), _top_level(new)),
        *_place_changes(_nodes(old), _nodes(new)),
        *_place_changes(_edges(old), _edges(new)),
        *_order_changes(_catches(old), _catches(new)),
    )


def _place_changes(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> Iterator[Change]:
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            yield Change("added", path, after=after[path])
        elif path not in after:
            yield Change("removed", path, before=before[path])
        else:
            yield from _value_changes(path, before[path], after[path])


def _value_changes(path: str, before: JsonValue, after: JsonValue) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _place_changes(_members(path, before), _members(path, after))
    elif not _same(before, after):
        yield Change("changed", path, before, after)


def _members(path: str, value: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    return {
        f"{path}.{key}" if _PLAIN_NAME.fullmatch(key) else f"{path}[{_quoted(key)}]": item
        for key, item in value.items()
    }


def _same(before: JsonValue, after: JsonValue) -> bool:
    # To Python, True equals 1; to JSON it does not. That 1.0 equals 1 is true of both.
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(_same(before[key], after[key]) for key in before)
    return before == after


def _top_level(definition: WorkflowDefinition) -> Mapping[str, JsonValue]:
    document = definition.to_json() | {"start": definition.start_node_id}
    return _members("$", {key: value for key, value in document.items() if key not in {"nodes", "edges"}})


def _nodes(definition: WorkflowDefinition) -> Mapping[str, JsonValue]:
    paths = [f"$.nodes[?@.id=={_quoted(node.id)}]" for node in definition.nodes]
    return dict(zip(paths, _listed(definition, "nodes"), strict=True))


def _edges(definition: WorkflowDefinition) -> Mapping[str, JsonValue]:
    paths = [_exit_path(edge) for edge in definition.edges]
    return dict(zip(paths, _listed(definition, "edges"), strict=True))


def _listed(definition: WorkflowDefinition, field: Literal["nodes", "edges"]) -> Sequence[JsonValue]:
    documents = definition.to_json()[field]
    return documents if isinstance(documents, list) else []


def _exit_path(edge: Edge) -> str:
    handle = "!@.sourceHandle" if edge.source_handle is None else f"@.sourceHandle=={_quoted(edge.source_handle)}"
    return f"$.edges[?@.source=={_quoted(edge.source)} && {handle}]"


def _catches(definition: WorkflowDefinition) -> Mapping[str, list[str]]:
    handles: dict[str, list[str]] = {}
    for edge in definition.edges:
        if edge.source_handle is not None and edge.catches:
            handles.setdefault(edge.source, []).append(edge.source_handle)
    return handles


def _order_changes(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> Iterator[Change]:
    for source in sorted(before.keys() & after.keys()):
        # An added or a removed edge is a change of its own; here only those that stayed count.
        old = [handle for handle in before[source] if handle in after[source]]
        new = [handle for handle in after[source] if handle in before[source]]
        if old != new:
            path = f"$.edges[?@.source=={_quoted(source)}].sourceHandle"
            yield Change("changed", path, [*old], [*new])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
