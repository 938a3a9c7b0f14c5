"""The engine: pure, embeddable, one step at a time. See docs/concepts.md.

Each name is imported when it is first asked for: a function that holds a run's snapshot alone pays neither for the
builder nor for the models of definitions, and a workflow without expressions does not pay for their language.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.context import Context, ContextView, NodeResult
    from engine.definition import Edge, Node, WorkflowDefinition
    from engine.diff import Change, definition_diff
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
    from engine.route import Route
    from engine.snapshot import Snapshot, Status
    from engine.step import Host, Step, WaitAddress
    from engine.transform import TransformEngine
    from engine.validation import SchemaValidator, SchemaViolation, Validator
    from engine.workflow_engine import WorkflowEngine

__all__ = [
    "Change",
    "CompositeObserver",
    "Context",
    "ContextView",
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
    "Route",
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

_HOMES = {
    "Context": "engine.context",
    "ContextView": "engine.context",
    "NodeResult": "engine.context",
    "Edge": "engine.definition",
    "Node": "engine.definition",
    "WorkflowDefinition": "engine.definition",
    "Change": "engine.diff",
    "definition_diff": "engine.diff",
    "mermaid": "engine.drawing",
    "mermaid_run": "engine.drawing",
    "mermaid_states": "engine.drawing",
    "ErrorHandler": "engine.error_handler",
    "PolicyErrorHandler": "engine.error_handler",
    "RetryAfter": "engine.error_handler",
    "StepFailure": "engine.error_handler",
    "JexlTransformEngine": "engine.expressions",
    "Flow": "engine.flow",
    "NodeDefinition": "engine.node_definition",
    "CompositeObserver": "engine.observers",
    "LoggingObserver": "engine.observers",
    "MetricsObserver": "engine.observers",
    "Route": "engine.route",
    "Output": "engine.outcome",
    "Pause": "engine.outcome",
    "Resumed": "engine.outcome",
    "NodeEvent": "engine.plugin",
    "Plugin": "engine.plugin",
    "Registry": "engine.registry",
    "RetryPolicy": "engine.retry",
    "Snapshot": "engine.snapshot",
    "Status": "engine.snapshot",
    "Host": "engine.step",
    "Step": "engine.step",
    "WaitAddress": "engine.step",
    "TransformEngine": "engine.transform",
    "SchemaValidator": "engine.validation",
    "SchemaViolation": "engine.validation",
    "Validator": "engine.validation",
    "WorkflowEngine": "engine.workflow_engine",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
