"""The engine: pure, embeddable, one step at a time. See docs/concepts.md.

What only authors and onlookers use (the builder, drawings, observers) is imported when it is first asked for: a
function that executes steps does not pay for it. Nor does a workflow without expressions pay for their language.
The definition's models wait too: whoever holds a run's snapshot alone has no use for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from engine.context import Context, ContextView, NodeResult
from engine.error_handler import ErrorHandler, PolicyErrorHandler, RetryAfter, StepFailure
from engine.node_definition import NodeDefinition
from engine.outcome import Output, Pause, Resumed
from engine.plugin import NodeEvent, Plugin
from engine.registry import Registry
from engine.retry import RetryPolicy
from engine.snapshot import Snapshot, Status
from engine.step import Host, Step, WaitAddress
from engine.transform import TransformEngine
from engine.validation import SchemaValidator, SchemaViolation, Validator
from engine.workflow_engine import WorkflowEngine

if TYPE_CHECKING:
    from engine.definition import Edge, Node, WorkflowDefinition
    from engine.diff import Change, definition_diff
    from engine.drawing import mermaid, mermaid_run, mermaid_states
    from engine.expressions import JexlTransformEngine
    from engine.flow import Flow
    from engine.observers import CompositeObserver, LoggingObserver, MetricsObserver

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

_LAZY = {
    "Edge": "engine.definition",
    "Node": "engine.definition",
    "WorkflowDefinition": "engine.definition",
    "Change": "engine.diff",
    "definition_diff": "engine.diff",
    "mermaid": "engine.drawing",
    "mermaid_run": "engine.drawing",
    "mermaid_states": "engine.drawing",
    "Flow": "engine.flow",
    "JexlTransformEngine": "engine.expressions",
    "CompositeObserver": "engine.observers",
    "LoggingObserver": "engine.observers",
    "MetricsObserver": "engine.observers",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
