"""Plugins: code that is told what happens and cannot change it.

A hook that raises is logged and stops nothing. Node hooks are called for each execution, also for one whose
result is dropped because another delivery won; run hooks are called once the transition they are about is
sure, which in a shell is after its commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.outcome import StepError
from engine.snapshot import Snapshot, Status
from engine.step import Step


class NodeEvent(NamedTuple):
    """One execution of a node.

    ``after`` and ``duration_ms`` are there once it has ended, ``error`` when it failed.
    """

    step: Step
    node_type: str
    before: Snapshot
    after: Snapshot | None = None
    error: StepError | None = None
    duration_ms: int = 0


class Plugin:
    """Base of plugins: override the hooks you need."""

    def on_workflow_start(self, snapshot: Snapshot) -> None:
        """A run has made its first step; ``snapshot`` is the one it began with."""

    def on_before_node_execution(self, event: NodeEvent) -> None:
        """A node is about to be executed."""

    def on_after_node_execution(self, event: NodeEvent) -> None:
        """A node has been executed without an error; it may have asked to wait."""

    def on_node_error(self, event: NodeEvent) -> None:
        """An execution failed; ``event.after.status`` says whether it will be retried."""

    def on_workflow_pause(self, snapshot: Snapshot) -> None:
        """A run has begun to wait."""

    def on_workflow_complete(self, snapshot: Snapshot) -> None:
        """A run has ended well."""

    def on_workflow_fail(self, snapshot: Snapshot) -> None:
        """A run has failed."""

    def on_workflow_cancel(self, snapshot: Snapshot) -> None:
        """A run has been cancelled."""


class Plugins:
    """Calls the hooks of several plugins, in order, whatever they do."""

    __slots__ = ("_plugins",)

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = tuple(plugins)

    def tell(self, call: Callable[[Plugin], None]) -> None:
        """Makes a call to each plugin."""
        for plugin in self._plugins:
            try:
                call(plugin)
            except Exception:
                import logging  # noqa: PLC0415  (loaded when used)

                logging.getLogger("refluxo.plugin").exception("a hook of %s raised", type(plugin).__name__)

    def executed(self, event: NodeEvent) -> None:
        """Tells the end of an execution."""
        if event.error is None:
            self.tell(lambda plugin: plugin.on_after_node_execution(event))
        else:
            self.tell(lambda plugin: plugin.on_node_error(event))

    def announce(self, before: Snapshot, after: Snapshot) -> None:
        """Tells what a transition means for the run."""
        if before.version == 0:
            self.tell(lambda plugin: plugin.on_workflow_start(before))
        match after.status:
            case Status.PAUSED:
                self.tell(lambda plugin: plugin.on_workflow_pause(after))
            case Status.COMPLETED:
                self.tell(lambda plugin: plugin.on_workflow_complete(after))
            case Status.FAILED:
                self.tell(lambda plugin: plugin.on_workflow_fail(after))
            case Status.CANCELLED:
                self.tell(lambda plugin: plugin.on_workflow_cancel(after))
            case Status.ACTIVE | Status.ERROR:
                pass
