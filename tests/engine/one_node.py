"""Runs of one node, for tests that look at a single step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import NodeResult, Registry, Snapshot, WorkflowDefinition, WorkflowEngine
from engine.json_value import JsonObject, JsonValue

NOW_MS = 1_700_000_000_000
PATIENT: JsonObject = {"retry": {"maxAttempts": 5, "interval": 10}}
"""A policy that would retry anything that may be retried."""


def engine_of(
    executor: Callable[..., Any], data: JsonValue = None, *, policy: JsonObject | None = None, **options: Any
) -> WorkflowEngine:
    """An engine whose only node ``it`` is executed by ``executor``; options are those of ``Registry.node``."""
    registry = Registry()
    registry.node("test:it", **options)(executor)
    node: JsonObject = {"id": "it", "type": "test:it", "data": {} if data is None else data}
    if policy is not None:
        node["policy"] = policy
    return registry.engine(WorkflowDefinition.parse({"nodes": [node]}))


def core_engine(node_type: str, data: JsonValue, *handles: str, policy: JsonObject | None = None) -> WorkflowEngine:
    """An engine whose first node ``it`` is of a core type, with a node ``to:<handle>`` behind each handle."""
    node: JsonObject = {"id": "it", "type": node_type, "data": data}
    if policy is not None:
        node["policy"] = policy
    nodes: list[JsonValue] = [node]
    nodes.extend({"id": f"to:{handle}", "type": "core:set"} for handle in handles)
    edges: list[JsonValue] = [{"source": "it", "sourceHandle": handle, "target": f"to:{handle}"} for handle in handles]
    return Registry().engine(WorkflowDefinition.parse({"nodes": nodes, "edges": edges}))


def first_step(engine: WorkflowEngine, payload: JsonValue = None, **options: Any) -> Snapshot:
    """The snapshot after the first step; the payload is the run's input too."""
    initial = engine.create_initial_snapshot("run-1", input=payload, now_ms=NOW_MS)
    return engine.execute_step(initial, payload, now_ms=NOW_MS, **options)


def result_of(snapshot: Snapshot) -> NodeResult:
    """The newest result of the node ``it``."""
    newest = snapshot.context.last("it")
    assert newest is not None
    return newest
