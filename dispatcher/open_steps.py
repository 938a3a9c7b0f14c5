"""Executions under way, for plugins that must put something back once each has ended.

A node type that is a workflow executes steps within its own step, so they stack. One that is cut off elsewhere than in
its executor, by its deadline or an interrupted process, is never told as ended: it is found when the next begins, or
when the invocation ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from engine import NodeEvent

T = TypeVar("T")


class OpenSteps(Generic[T]):
    """What a plugin keeps for each execution under way, by thread: a laptop's functions share a process."""

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def _stack(self) -> list[tuple[NodeEvent, T]]:
        if not hasattr(self._local, "stack"):
            self._local.stack = []
        stack: list[tuple[NodeEvent, T]] = self._local.stack
        return stack

    @property
    def innermost(self) -> T | None:
        """What is kept for the execution that began last."""
        return self._stack[-1][1] if self._stack else None

    def begin(self, event: NodeEvent, kept: T) -> None:
        """An execution begins; call :meth:`cut_off_before` first."""
        self._stack.append((event, kept))

    def cut_off_before(self, event: NodeEvent) -> Sequence[T]:
        """Takes away, innermost first, those that cannot be under way any more when this one begins."""
        return self._taken_until(lambda outer: event.step.workflow_id == _workflow_id_within(outer))

    def end(self, event: NodeEvent) -> tuple[T | None, Sequence[T]]:
        """Takes away an execution that has ended, and those within it that never did, innermost first."""
        cut_off = self._taken_until(lambda open_event: open_event.step is event.step)
        return (self._stack.pop()[1] if self._stack else None), cut_off

    def take_all(self) -> Sequence[T]:
        """Takes away all there are, innermost first."""
        return self._taken_until(lambda _event: False)

    def _taken_until(self, stays: Callable[[NodeEvent], bool]) -> Sequence[T]:
        stack, taken = self._stack, []
        while stack and not stays(stack[-1][0]):
            taken.append(stack.pop()[1])
        return taken


def _workflow_id_within(outer: NodeEvent) -> str:
    """By what id the steps within a step go by (engine/node_data.py)."""
    return f"{outer.step.workflow_id}/{outer.step.node_id}"
