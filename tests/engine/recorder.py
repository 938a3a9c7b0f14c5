"""A plugin that notes what it is told, and a run in which there is something of everything to tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from engine import Host, NodeEvent, Pause, Plugin, Registry, RetryPolicy, Snapshot, Status, Step, WorkflowEngine
from engine.json_value import JsonObject
from tests.engine.one_node import NOW_MS

HOOKS = (
    "on_workflow_start",
    "on_before_node_execution",
    "on_after_node_execution",
    "on_node_error",
    "on_workflow_pause",
    "on_workflow_complete",
    "on_workflow_fail",
    "on_workflow_cancel",
)
"""Every hook a plugin has."""


class Recorder(Plugin):
    """Notes each call as one line in ``told``, and what it was given."""

    def __init__(self, name: str = "", told: list[str] | None = None) -> None:
        self.name = name
        self.told: list[str] = [] if told is None else told
        self.events: list[NodeEvent] = []
        self.snapshots: list[Snapshot] = []

    def on_workflow_start(self, snapshot: Snapshot) -> None:
        """Notes it."""
        self._run("start", snapshot)

    def on_before_node_execution(self, event: NodeEvent) -> None:
        """Notes it."""
        self._node("before", event)

    def on_after_node_execution(self, event: NodeEvent) -> None:
        """Notes it."""
        self._node("after", event)

    def on_node_error(self, event: NodeEvent) -> None:
        """Notes it."""
        self._node("error", event)

    def on_workflow_pause(self, snapshot: Snapshot) -> None:
        """Notes it."""
        self._run("pause", snapshot)

    def on_workflow_complete(self, snapshot: Snapshot) -> None:
        """Notes it."""
        self._run("complete", snapshot)

    def on_workflow_fail(self, snapshot: Snapshot) -> None:
        """Notes it."""
        self._run("fail", snapshot)

    def on_workflow_cancel(self, snapshot: Snapshot) -> None:
        """Notes it."""
        self._run("cancel", snapshot)

    def _node(self, hook: str, event: NodeEvent) -> None:
        self.told.append(f"{self.name}{hook} {event.step.node_id} {event.step.visit}.{event.step.attempt}")
        self.events.append(event)

    def _run(self, hook: str, snapshot: Snapshot) -> None:
        self.told.append(f"{self.name}{hook} {snapshot.version}")
        self.snapshots.append(snapshot)


def unsteady(_data: object, step: Step) -> object:
    """Fails at its first attempt."""
    if step.attempt == 1:
        raise OSError("busy")
    return {"attempt": step.attempt}


def ask(_data: object, step: Step) -> object:
    """Waits once and gives what came."""
    return Pause("go") if step.resumed is None else step.resumed.payload


def eventful_registry(plugins: Sequence[Plugin] = ()) -> Registry:
    """Knows two workflows that retry and wait; ``good`` ends well and ``bad`` does not."""
    registry = Registry(plugins=plugins)
    registry.node("test:unsteady", retry_policy=RetryPolicy(2, interval=10))(unsteady)
    registry.node("test:ask")(ask)
    for name, end_type in (("good", "core:set"), ("bad", "core:fail")):
        end: JsonObject = {"id": "end", "type": end_type, "data": {"error": "Bad", "message": "it is"}}
        registry.add(
            {
                "name": name,
                "nodes": [{"id": "try", "type": "test:unsteady"}, {"id": "ask", "type": "test:ask"}, end],
                "edges": [{"source": "try", "target": "ask"}, {"source": "ask", "target": "end"}],
            }
        )
    return registry


def steps_of(engine: WorkflowEngine, *, host: Host | None = None, workflow_id: str = "run-1") -> Iterator[Snapshot]:
    """The snapshots of a run to its end, the first included; each reading of its clock is 5 ms after the last."""
    ticks = count(NOW_MS, 5)
    snapshot = engine.create_initial_snapshot(workflow_id, input="in", now_ms=NOW_MS)
    yield snapshot
    while not snapshot.status.terminal:
        payload = "payload" if snapshot.status is Status.PAUSED else None
        snapshot = engine.execute_step(
            snapshot, payload, now_ms=lambda: next(ticks), host=Host() if host is None else host
        )
        yield snapshot
