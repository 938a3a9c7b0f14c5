"""The engine: pure, embeddable, one step at a time. See docs/concepts.md."""

from engine.definition import Edge, Node, WorkflowDefinition
from engine.definition_diff import Change, definition_diff
from engine.drawing import mermaid, mermaid_run, mermaid_states
from engine.error_handler import ErrorHandler, PolicyErrorHandler, RetryAfter, StepFailure
from engine.expressions import JexlTransformEngine
from engine.flow import Flow
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
    "Change",
    "CompositeObserver",
    "Context",
    "Edge",
    "ErrorHandler",
    "Flow",
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
    "definition_diff",
    "mermaid",
    "mermaid_run",
    "mermaid_states",
]
