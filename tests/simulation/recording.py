"""The engine as the product uses it, with a boundary around each execution and a note of what was decided.

The engine's own methods do the work, so what is decided is what the product decides. The registry makes such engines
and keeps them: compiling one takes longer than a simulated step.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from engine import Host, Registry, Resumed, Snapshot, WorkflowDefinition, WorkflowEngine
from engine.json_value import JsonObject, JsonValue
from engine.workflow_engine import Clock
from tests.simulation.faults import Boundary, Death, Kind
from tests.simulation.nodes import new_simulation_registry
from tests.simulation.process import Process

EXECUTE: Final = Boundary("node.execute", Kind.EXECUTION)


@dataclass(frozen=True, slots=True)
class Decision:
    """One execution of a step: what it was given, when and by whom, and what it came to.

    ``started_ms``, ``ended_ms``: the time as the process saw it.
    """

    process: Process
    before: Snapshot
    payload: JsonValue
    resumed: Resumed | None
    host: Host
    started_ms: int
    ended_ms: int
    after: Snapshot


class Judge(Protocol):
    """Is shown each execution."""

    def executed(self, decision: Decision) -> None:
        """A step has been executed, whatever becomes of it."""
        ...


@dataclass(slots=True)
class Stage:
    """Who executes at the moment, and who judges that; there is one simulation at a time."""

    process: Process | None = None
    judge: Judge | None = None


STAGE: Final = Stage()


def poisonous(_data: JsonValue) -> NoReturn:
    """A node that takes its process with it, each time: it eats all memory, say."""
    assert STAGE.process is not None
    STAGE.process.dead = True
    raise Death


class RecordingEngine(WorkflowEngine):
    """An engine that asks the schedule at each execution, when a simulated process executes a step."""

    def execute_step(
        self,
        snapshot: Snapshot,
        external_payload: JsonValue = None,
        globals: Mapping[str, JsonValue] | None = None,  # noqa: A002
        *,
        now_ms: int | Clock | None = None,
        rng: random.Random | None = None,
        resumed: Resumed | None = None,
        host: Host | None = None,
    ) -> Snapshot:
        """See WorkflowEngine."""
        host = Host() if host is None else host
        process = STAGE.process

        def execute() -> Snapshot:
            return super(RecordingEngine, self).execute_step(
                snapshot, external_payload, globals, now_ms=now_ms, rng=rng, resumed=resumed, host=host
            )

        if process is None:
            return execute()

        def execute_and_note() -> Snapshot:
            started_ms = process.now_ms()
            after = execute()
            decision = Decision(process, snapshot, external_payload, resumed, host, started_ms, process.now_ms(), after)
            process.decision = decision
            if STAGE.judge is not None:
                STAGE.judge.executed(decision)
            return after

        step = f"{snapshot.workflow_id} v{snapshot.version} {snapshot.current_node_id}"
        return process.call(EXECUTE, execute_and_note, f"{step} resumed={resumed}" if resumed else step)


class SimulatedRegistry(Registry):
    """A registry of one workflow, over node types that all simulations share."""

    @classmethod
    def of(cls, definition: WorkflowDefinition) -> SimulatedRegistry:
        """The registry of a deployment whose newest version of a workflow is this one."""
        registry = copy.copy(_SHARED)
        registry._workflows = {definition.name: definition}
        registry._engines = {}
        return registry

    _engines: dict[str, WorkflowEngine]

    def engine(self, workflow: WorkflowDefinition | str, *, check: bool = True) -> WorkflowEngine:
        """See Registry."""
        definition = self.workflow(workflow) if isinstance(workflow, str) else workflow
        known = self._engines.get(definition.version)
        if known is None:
            known = self._engines[definition.version] = RecordingEngine(
                definition, self.node_definitions, self.transform_engines, check=check
            )
        return known


def parsed(document: JsonObject) -> WorkflowDefinition:
    """A definition."""
    return WorkflowDefinition.parse(document)


_SHARED: Final = SimulatedRegistry()
_SHARED.__dict__.update(new_simulation_registry().__dict__)
_SHARED.node("sim:poisonous")(poisonous)
