"""The engine: pure, embeddable, one step at a time. See docs/concepts.md."""

from engine.definition import Edge, Node, WorkflowDefinition
from engine.node_definition import NodeDefinition
from engine.outcome import Output, Pause, Resumed
from engine.registry import Registry
from engine.retry import RetryPolicy
from engine.snapshot import Context, NodeResult, Snapshot, Status
from engine.step import Host, Step, WaitAddress
from engine.transform import TransformEngine
from engine.workflow_engine import WorkflowEngine

__all__ = [
    "Context",
    "Edge",
    "Host",
    "Node",
    "NodeDefinition",
    "NodeResult",
    "Output",
    "Pause",
    "Registry",
    "Resumed",
    "RetryPolicy",
    "Snapshot",
    "Status",
    "Step",
    "TransformEngine",
    "WaitAddress",
    "WorkflowDefinition",
    "WorkflowEngine",
]
