"""The engine: pure, embeddable, one step at a time. See docs/concepts.md."""

from engine.definition import Edge, Node, WorkflowDefinition
from engine.error_handler import ErrorHandler, PolicyErrorHandler, RetryAfter, StepFailure
from engine.expressions import JexlTransformEngine
from engine.node_definition import NodeDefinition
from engine.observers import CompositeObserver, LoggingObserver, MetricsObserver
from engine.outcome import Output, Pause, Resumed
from engine.plugin import NodeEvent, Plugin
from engine.registry import Registry
from engine.retry import RetryPolicy
from engine.snapshot import Context, NodeResult, Snapshot, Status
from engine.step import Host, Step, WaitAddress
from engine.transform import TransformEngine
from engine.validation import SchemaValidator, SchemaViolation, Validator
from engine.workflow_engine import WorkflowEngine

__all__ = [
    "CompositeObserver",
    "Context",
    "Edge",
    "ErrorHandler",
    "Host",
    "JexlTransformEngine",
    "LoggingObserver",
    "MetricsObserver",
    "Node",
    "NodeDefinition",
    "NodeEvent",
    "NodeResult",
    "Output",
    "Pause",
    "Plugin",
    "PolicyErrorHandler",
    "Registry",
    "Resumed",
    "RetryAfter",
    "RetryPolicy",
    "SchemaValidator",
    "SchemaViolation",
    "Snapshot",
    "Status",
    "Step",
    "StepFailure",
    "TransformEngine",
    "Validator",
    "WaitAddress",
    "WorkflowDefinition",
    "WorkflowEngine",
]
