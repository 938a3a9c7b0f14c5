"""What a workflow shape of the corpus is: a definition, a script of what happens outside, and how it must end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from engine.json_value import JsonObject, JsonValue

START_MS = 1_700_000_000_000
"""When every run of the corpus starts, epoch milliseconds."""


@dataclass(frozen=True)
class Signal:
    """While the run waits, its signal arrives, some time after the pause."""

    payload: JsonValue = None
    after_ms: int = 1000


@dataclass(frozen=True)
class Elapsed:
    """While the run waits, nothing comes until the wait's end."""


@dataclass(frozen=True)
class Lifted:
    """While the run waits, an operator ends the wait with a payload of their own."""

    payload: JsonValue = None


@dataclass(frozen=True)
class Cancel:
    """An operator ends the waiting run."""


@dataclass(frozen=True)
class Retry:
    """An operator takes the failed run back to its failed node."""


Event: TypeAlias = Signal | Elapsed | Lifted | Cancel | Retry


@dataclass(frozen=True)
class Shape:
    """A workflow, what happens to it from outside, and what must come of it.

    Args:
        name: how test reports call it.
        definition: the workflow as JSON.
        status: the run's last status.
        executed: ids of the nodes in the order of their executions, separated by spaces; failed attempts and
            executions that paused count.
        output: the run's output.
        error: the error of a failed run, as the wire has it.
        input: the run's input.
        events: what comes from outside, each taken when the run rests.
        waits_ms: how long each retry waited, in order; None where chance decides.
    """

    name: str
    definition: JsonObject
    status: str
    executed: str
    output: JsonValue = None
    error: str | None = None
    input: JsonValue = None
    events: tuple[Event, ...] = ()
    waits_ms: tuple[int, ...] | None = ()


_EDGE = re.compile(r"(?P<source>[\w-]+)(?:\[(?P<handle>[^\]]+)\])? -> (?P<target>[\w-]+)")


def drawn(nodes: Mapping[str, JsonObject], *edges: str, **rest: JsonValue) -> JsonObject:
    """A definition from nodes by id and edges written ``a -> b`` or ``a[handle] -> b``."""
    return {
        "name": "shape",
        "nodes": [{"id": node_id, **node} for node_id, node in nodes.items()],
        "edges": [_edge(text) for text in edges],
        **rest,
    }


def node(node_type: str, data: JsonValue = None, **policy: JsonValue) -> JsonObject:
    """One node: its type, its data and its policy."""
    document: JsonObject = {"type": node_type}
    if data is not None:
        document["data"] = data
    if policy:
        document["policy"] = dict(policy)
    return document


def set_(data: JsonValue) -> JsonObject:
    """A ``core:set`` node, the plainest there is."""
    return node("core:set", data)


def _edge(text: str) -> JsonObject:
    found = _EDGE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not an edge")
    return {
        key: part
        for key, part in (
            ("source", found["source"]),
            ("target", found["target"]),
            ("sourceHandle", found["handle"]),
        )
        if part is not None
    }
