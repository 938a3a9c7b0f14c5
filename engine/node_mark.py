"""Which node types a function is registered as, kept on the function itself.

So a flow can be given the function and needs no registry to know its type, schemas and handles. A wrapper that
copies a function's attributes (``functools.wraps``) is not registered by that. Where two registries know a function
by the same type, the newer registration is the one a flow without a registry checks against.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.node_definition import Executor, NodeDefinition

_ATTRIBUTE: Final = "__refluxo_node_types__"


def mark(node_type: str, definition: NodeDefinition) -> None:
    """Notes on a definition's executor that it is registered under that type.

    A bound method or a built-in takes no attributes: a flow names such a node by its type.
    """
    executor = definition.executor
    marks = {**marks_of(executor), node_type: definition}
    try:
        setattr(executor, _ATTRIBUTE, marks)
    except AttributeError:
        return


def marks_of(executor: Executor) -> Mapping[str, NodeDefinition]:
    """The types an executor is registered under, each with its definition; empty when it is not."""
    marks = getattr(executor, _ATTRIBUTE, None)
    if not isinstance(marks, dict):
        return {}
    return {
        node_type: definition
        for node_type, definition in marks.items()
        if isinstance(definition, NodeDefinition) and definition.executor is executor
    }
