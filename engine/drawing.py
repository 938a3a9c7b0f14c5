"""Mermaid drawings: of a definition, of a run, and of the states a run can be in.

Owns text alone; whoever shows it renders it (GitHub does, in a ``mermaid`` block). The same definition always gives
the same text. Whatever a definition's author wrote is escaped character by character, so that no id, type or handle
can be anything but a label; Mermaid's own ids are numbers of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from engine.definition import Edge, Node, WorkflowDefinition
from engine.limits import LABEL_CHARACTERS_MAX
from engine.snapshot import Snapshot, Status
from engine.transition import TRANSITIONS

NodeState: TypeAlias = Literal["done", "active", "paused", "error", "failed", "cancelled", "pending"]
"""What a run has come to at a node; ``error`` waits for a retry, ``pending`` has not been reached."""

_SHAPES: Final[Mapping[str, tuple[str, str]]] = {
    "core:trigger": ("([", "])"),
    "core:set": ("(", ")"),
    "core:if": ("{", "}"),
    "core:switch": ("{", "}"),
    "core:loop": ("[/", "\\]"),
    "core:while": ("[/", "\\]"),
    "core:repeat": ("[/", "\\]"),
    "core:wait": ("{{", "}}"),
    "core:sleep": ("{{", "}}"),
    "core:http": ("[/", "/]"),
    "core:signal": ("[/", "/]"),
    "core:parallel": ("[[", "]]"),
    "core:map": ("[[", "]]"),
    "core:workflow": ("[[", "]]"),
    "core:fail": (">", "]"),
}
_SHAPE: Final = ("[", "]")

_STYLES: Final[Mapping[NodeState, str]] = {
    "done": "fill:#d3f2dc,stroke:#1a7f37,color:#0b3d1a",
    "active": "fill:#d6e8ff,stroke:#0969da,color:#0a2e5c,stroke-width:3px",
    "paused": "fill:#fff3c4,stroke:#9a6700,color:#4d3300,stroke-width:3px",
    "error": "fill:#ffe2cc,stroke:#bc4c00,color:#5c2500,stroke-width:3px",
    "failed": "fill:#ffd8d6,stroke:#cf222e,color:#5c0a10",
    "cancelled": "fill:#e8e8ed,stroke:#57606a,color:#24292f",
    "pending": "fill:#ffffff,stroke:#8c959f,color:#57606a,stroke-dasharray:4 3",
}

_AT_CURRENT: Final[Mapping[Status, NodeState]] = {
    Status.ACTIVE: "active",
    Status.PAUSED: "paused",
    Status.ERROR: "error",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}

# Kept as they are: letters, digits, spaces, and _ and - within a word. Mermaid reads labels as Markdown, links and
# icon names included, and marks its own escapes with U+FB02, a degree sign, a pilcrow and a sharp s.
_UNSAFE: Final = re.compile(r"(?<=[A-Za-z0-9])[-_](?=[A-Za-z0-9])|[^\W_\uFB02\u00DF]| |(?P<unsafe>.)", re.DOTALL)


def mermaid(definition: WorkflowDefinition) -> str:
    """A definition as a Mermaid flowchart.

    Edges carry their handles, catch edges are dotted, shapes tell the kinds of nodes.
    """
    return _flowchart(definition, {})


def mermaid_run(definition: WorkflowDefinition, snapshot: Snapshot) -> str:
    """A run as a Mermaid flowchart of its definition, each node in the class of its state.

    A node entered more than once says how often. Nodes of the snapshot that the definition does not have (any more)
    are left out.
    """
    numbers = {node.id: index for index, node in enumerate(definition.nodes)}
    members: dict[NodeState, list[str]] = {}
    for node_id, number in numbers.items():
        members.setdefault(node_state(snapshot, node_id), []).append(f"n{number}")
    visits = {node_id: snapshot.context.visits(node_id) for node_id in numbers}
    if snapshot.current_node_id in visits and not snapshot.status.terminal:
        visits[snapshot.current_node_id] = snapshot.visit
    lines = [_flowchart(definition, visits)]
    for state, style in _STYLES.items():
        if state in members:
            lines += [f"    classDef {state} {style}", f"    class {','.join(members[state])} {state}"]
    return "\n".join(lines)


def node_state(snapshot: Snapshot, node_id: str) -> NodeState:
    """What a run has come to at a node."""
    if node_id == snapshot.current_node_id and snapshot.status in _AT_CURRENT:
        return _AT_CURRENT[snapshot.status]
    newest = snapshot.context.last(node_id)
    if newest is None:
        return "pending"
    return "done" if newest.succeeded else "failed"


def mermaid_states() -> str:
    """The states of a run as a Mermaid state diagram, drawn from the transition table."""
    labels: dict[tuple[Status, Status], list[str]] = {}
    for (source, outcome), target in TRANSITIONS.items():
        labels.setdefault((source, target), []).append(outcome.__name__)
    lines = ["stateDiagram-v2", f"    [*] --> {Status.ACTIVE}"]
    lines += [f"    {source} --> {target}: {', '.join(names)}" for (source, target), names in labels.items()]
    lines += [f"    {status} --> [*]" for status in Status if status.terminal]
    return "\n".join(lines)


def _flowchart(definition: WorkflowDefinition, visits: Mapping[str, int]) -> str:
    numbers = {node.id: index for index, node in enumerate(definition.nodes)}
    lines = ["flowchart TD", '    start((" "))']
    lines += [f"    n{index}{_shape(node, visits.get(node.id, 0))}" for index, node in enumerate(definition.nodes)]
    lines.append(f"    start --> n{numbers[definition.start_node_id]}")
    lines += [_arrow(edge, numbers) for edge in definition.edges]
    return "\n".join(lines)


def _shape(node: Node, visits: int) -> str:
    opening, closing = _SHAPES.get(node.type, _SHAPE)
    count = f" #215;{visits}" if visits > 1 else ""
    return f'{opening}"{_label(node.id)}{count}<br/>{_label(node.type.removeprefix("core:"))}"{closing}'


def _arrow(edge: Edge, numbers: Mapping[str, int]) -> str:
    arrow = "-.->" if edge.catches else "-->"
    label = "" if edge.source_handle is None else f'|"{_label(edge.source_handle)}"|'
    return f"    n{numbers[edge.source]} {arrow}{label} n{numbers[edge.target]}"


def _label(text: str) -> str:
    shown = text if len(text) <= LABEL_CHARACTERS_MAX else f"{text[: LABEL_CHARACTERS_MAX - 1]}\N{HORIZONTAL ELLIPSIS}"
    return _UNSAFE.sub(_escaped, shown) or " "


def _escaped(match: re.Match[str]) -> str:
    unsafe = match.group("unsafe")
    if unsafe is None:
        return match.group()
    return f"#{ord(unsafe)};" if unsafe.isprintable() else " "
