"""Plays a shape to its end, in virtual time, as the shell would: one step, one saved snapshot, the next one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine import NodeDefinition, Resumed, Snapshot, Status, Step, WorkflowDefinition, WorkflowEngine
from engine.json_value import JsonObject, JsonValue
from engine.outcome import Cancelled, Retried
from engine.transition import advance
from tests.engine.corpus.nodes import new_registry
from tests.engine.corpus.shape import START_MS, Cancel, Elapsed, Event, Lifted, Retry, Shape, Signal

STEP_MS = 7
STEPS_MAX = 500


@dataclass(frozen=True)
class Pending:
    """What came from outside and no step has taken yet: the start's payload, or why a wait ended."""

    payload: JsonValue
    resumed: Resumed | None = None


@dataclass(frozen=True)
class Moment:
    """A run between two steps, with everything that its future depends on, and the node that led here."""

    snapshot: Snapshot
    now_ms: int
    events: tuple[Event, ...]
    pending: Pending | None = None
    executed: str | None = None


@dataclass(frozen=True)
class Execution:
    """One call of an executor: which, the how-manieth, and by which key it would call others."""

    node_id: str
    visit: int
    attempt: int
    resumes: int
    idempotency_key: str


@dataclass(frozen=True)
class Play:
    """All moments of a run, the first and the last included, and the calls of executors between them."""

    moments: tuple[Moment, ...]
    executions: tuple[Execution, ...]

    @property
    def executed(self) -> str:
        """Ids of the nodes executed, in order, separated by spaces."""
        return " ".join(moment.executed for moment in self.moments[1:] if moment.executed is not None)

    @property
    def snapshots(self) -> tuple[Snapshot, ...]:
        """The snapshots in order."""
        return tuple(moment.snapshot for moment in self.moments)

    @property
    def last(self) -> Snapshot:
        """The snapshot at the end."""
        return self.moments[-1].snapshot


class Player:
    """Plays one shape, from its start or from any moment of an earlier play."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._executions: list[Execution] = []
        registry = new_registry()
        definitions = {
            node_type: _recorded(definition, self._executions.append)
            for node_type, definition in registry.node_definitions.items()
        }
        self.engine = WorkflowEngine(
            WorkflowDefinition.parse(shape.definition), definitions, registry.transform_engines
        )

    def start(self) -> Moment:
        """The run before its first step."""
        snapshot = self.engine.create_initial_snapshot("run-1", input=self.shape.input, now_ms=START_MS)
        return Moment(snapshot, START_MS, self.shape.events, Pending(self.shape.input))

    def play(self, start: Moment | None = None, *, between: Callable[[Snapshot], Snapshot] | None = None) -> Play:
        """Plays to the end. ``between`` is applied to the snapshot between any two steps, as storage would."""
        moment = self.start() if start is None else start
        self._executions.clear()
        moments = [moment]
        while (following := self.following(moment)) is not None:
            moment = following if between is None else replace(following, snapshot=between(following.snapshot))
            moments.append(moment)
            assert len(moments) < STEPS_MAX, "the shape does not end"
        return Play(tuple(moments), tuple(self._executions))

    def following(self, moment: Moment) -> Moment | None:
        """The next moment; None when the run rests and no event is left."""
        match moment.snapshot.status:
            case Status.ACTIVE:
                return self._stepped(moment)
            case Status.ERROR:
                return self._stepped(replace(moment, now_ms=max(moment.now_ms, moment.snapshot.due_at_ms or 0)))
            case Status.PAUSED | Status.FAILED if moment.events:
                return self._happened(replace(moment, events=moment.events[1:]), moment.events[0])
            case _:
                return None

    def _happened(self, moment: Moment, event: Event) -> Moment:
        wait = moment.snapshot.wait
        match event:
            case Signal(payload, after_ms):
                signal = None if wait is None else wait.signal
                pending = Pending(payload, Resumed("signal", signal, payload))
                return self._stepped(replace(moment, now_ms=moment.now_ms + after_ms, pending=pending))
            case Elapsed():
                assert wait is not None
                assert wait.due_at_ms is not None
                pending = Pending(None, Resumed(wait.by))
                return self._stepped(replace(moment, now_ms=wait.due_at_ms, pending=pending))
            case Lifted(payload):
                return self._stepped(replace(moment, pending=Pending(payload, Resumed("operator", None, payload))))
            case Cancel():
                ended = advance(moment.snapshot, Cancelled("no longer wanted"), now_ms=moment.now_ms)
                return replace(moment, snapshot=ended.snapshot, executed=None)
            case Retry():
                again = advance(moment.snapshot, Retried(), now_ms=moment.now_ms)
                return replace(moment, snapshot=again.snapshot, executed=None)

    def _stepped(self, moment: Moment) -> Moment:
        pending = moment.pending if moment.pending is not None else Pending(None)
        snapshot = self.engine.execute_step(
            moment.snapshot,
            pending.payload,
            now_ms=moment.now_ms,
            rng=random.Random(moment.snapshot.version),  # noqa: S311  (repeatable, not secret)
            resumed=pending.resumed,
        )
        # What came from outside stays until a step has taken it, as the dispatcher's head keeps it.
        kept = moment.pending if snapshot.status in {Status.ERROR, Status.FAILED} else None
        return Moment(snapshot, moment.now_ms + STEP_MS, moment.events, kept, moment.snapshot.current_node_id)


def through_json(snapshot: Snapshot) -> Snapshot:
    """A snapshot as storage gives it back."""
    document: JsonObject = json.loads(json.dumps(snapshot.to_json(), allow_nan=False))
    return Snapshot.from_json(document)


def _recorded(definition: NodeDefinition, record: Callable[[Execution], None]) -> NodeDefinition:
    def executor(data: object, step: Step) -> object:
        record(Execution(step.node_id, step.visit, step.attempt, step.resumes, step.idempotency_key))
        return definition.executor(data, step) if definition.takes_step else definition.executor(data)

    return replace(definition, executor=executor)
