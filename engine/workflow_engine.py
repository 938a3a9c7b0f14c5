"""Executes one step of one workflow: resolve the data, call the executor, say what it came to.

Owns the path from a snapshot to an outcome. It refuses to save, to wait and to send: the shell does that,
once it has the next snapshot.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NoReturn, TypeAlias, cast

from pydantic import BaseModel, ValidationError

from engine import clock
from engine.checks import definition_faults
from engine.definition import ERROR_HANDLE, WorkflowDefinition, faults_of, valid_name
from engine.errors import (
    ExpressionError,
    Fault,
    IllegalTransition,
    InvalidDefinition,
    InvalidInput,
    InvalidOutput,
    RefluxoError,
    UnknownNodeType,
    UnmatchedHandle,
)
from engine.json_value import JsonValue, checked_copy, copy_json
from engine.limits import STEP_LIMIT
from engine.node_definition import NodeDefinition, Schema
from engine.outcome import (
    DEFAULT_SIGNAL,
    Advanced,
    Caught,
    Completed,
    Failed,
    Outcome,
    Output,
    Pause,
    Rescheduled,
    Resumed,
    StepError,
    Suspended,
    Wait,
)
from engine.retry import RetryPolicy, select
from engine.schema import schema_faults
from engine.snapshot import DefinitionRef, Snapshot, Status
from engine.step import Host, Step
from engine.templates import has_template
from engine.transform import Names, TransformEngine, names_of
from engine.transition import advance

Clock: TypeAlias = Callable[[], int]

_NO_GLOBALS: Final[Mapping[str, JsonValue]] = {}
_HOST: Final = Host()


@dataclass(frozen=True, slots=True)
class _CompiledNode:
    """A node with everything about it looked up once."""

    id: str
    type: str
    data: JsonValue
    definition: NodeDefinition | None
    policies: tuple[RetryPolicy, ...]
    exits: Mapping[str | None, str]
    catches: tuple[tuple[str, str], ...]
    handles: Sequence[str] | None
    resolves: bool


@dataclass(frozen=True, slots=True)
class _Execution:
    """One execution under way."""

    snapshot: Snapshot
    node: _CompiledNode
    step: Step
    names: Names
    rng: random.Random | None
    started_at_ms: int
    clock: Clock


class WorkflowEngine:
    """Runs a workflow step by step over snapshots.

    Args:
        workflow: the definition.
        node_definitions: behaviour of its node types.
        transform_engines: resolve a node's data, each the result of the one before.
        check: False skips the check against ``node_definitions``, for a run that goes on although a type of
            its definition is not registered any more: the step that needs it fails, with the type's name.

    Raises:
        InvalidDefinition: with every fault of the workflow, given the node definitions.
    """

    def __init__(
        self,
        workflow: WorkflowDefinition,
        node_definitions: Mapping[str, NodeDefinition],
        transform_engines: Sequence[TransformEngine] = (),
        *,
        check: bool = True,
    ) -> None:
        if check:
            faults = definition_faults(workflow, node_definitions, transform_engines)
            if faults:
                raise InvalidDefinition(workflow.name, faults)
        self.workflow = workflow
        self._transform_engines = tuple(transform_engines)
        self._nodes = _compile(workflow, node_definitions)
        self._reference = DefinitionRef(workflow.name, workflow.version)

    def create_initial_snapshot(
        self,
        workflow_id: str,
        start_node_id: str | None = None,
        *,
        input: JsonValue = None,  # noqa: A002  (the wire's name)
        metadata: Mapping[str, JsonValue] | None = None,
        tags: Mapping[str, str] | None = None,
        tenant: str | None = None,
        now_ms: int | None = None,
    ) -> Snapshot:
        """The snapshot of a run that has not executed anything yet.

        Raises:
            ValueError: the start node does not exist, or the run's id is empty.
        """
        if not workflow_id:
            raise ValueError("workflow_id must not be empty")
        start = self.workflow.start_node_id if start_node_id is None else start_node_id
        if start not in self._nodes:
            raise ValueError(f"there is no node {start!r}; nodes: {', '.join(self._nodes)}")
        return Snapshot(
            workflow_id=workflow_id,
            status=Status.ACTIVE,
            current_node_id=start,
            last_started_at=clock.now_ms() if now_ms is None else now_ms,
            definition=self._reference,
            input=copy_json(input),
            metadata={} if metadata is None else metadata,
            tags=tags,
            tenant=tenant,
        )

    def execute_step(
        self,
        snapshot: Snapshot,
        external_payload: JsonValue = None,
        globals: Mapping[str, JsonValue] | None = None,  # noqa: A002  (the contract's name)
        *,
        now_ms: int | Clock | None = None,
        rng: random.Random | None = None,
        resumed: Resumed | None = None,
        host: Host = _HOST,
    ) -> Snapshot:
        """Executes the current node once and returns the next snapshot; ``version`` is one higher.

        A paused or error snapshot is executed as if its time had come: whether it has is the shell's question.

        Args:
            snapshot: where the run stands.
            external_payload: what came from outside.
            globals: what expressions and executors read as globals; never stored.
            now_ms: the time, epoch milliseconds, or a clock that tells it.
            rng: the source of jitter.
            resumed: why a paused run goes on; a signal with ``external_payload`` when left out.
            host: what the shell knows of this execution.

        Raises:
            IllegalTransition: the run is terminal.
        """
        execution = self._begin(snapshot, external_payload, globals, now_ms, rng, resumed, host)
        try:
            reported = self._call(execution)
        except Exception as error:  # noqa: BLE001  (whatever a node raises is its failure, as data)
            outcome = self._failure(execution, error)
        else:
            outcome = self._conclude(execution, reported)
        return self._advance(execution, outcome)

    async def execute_step_async(
        self,
        snapshot: Snapshot,
        external_payload: JsonValue = None,
        globals: Mapping[str, JsonValue] | None = None,  # noqa: A002  (the contract's name)
        *,
        now_ms: int | Clock | None = None,
        rng: random.Random | None = None,
        resumed: Resumed | None = None,
        host: Host = _HOST,
    ) -> Snapshot:
        """As :meth:`execute_step`, for hosts that have an event loop."""
        execution = self._begin(snapshot, external_payload, globals, now_ms, rng, resumed, host)
        try:
            reported = self._invoke(execution)
            if inspect.isawaitable(reported):
                reported = await reported
        except Exception as error:  # noqa: BLE001  (whatever a node raises is its failure, as data)
            outcome = self._failure(execution, error)
        else:
            outcome = self._conclude(execution, reported)
        return self._advance(execution, outcome)

    def execute(
        self,
        snapshot: Snapshot | None = None,
        *,
        initial_node_id: str | None = None,
        workflow_id: str = "default",
        external_payload: JsonValue = None,
        globals: Mapping[str, JsonValue] | None = None,  # noqa: A002  (the contract's name)
        step_limit: int = STEP_LIMIT,
        now_ms: int | Clock | None = None,
        rng: random.Random | None = None,
    ) -> Snapshot:
        """Executes steps until the run ends, waits, or has made ``step_limit`` of them.

        A budget is not a failure: after ``step_limit`` steps the snapshot is still active. The payload goes
        to the first step alone.
        """
        if snapshot is None:
            at_ms = now_ms() if callable(now_ms) else now_ms
            snapshot = self.create_initial_snapshot(workflow_id, initial_node_id, input=external_payload, now_ms=at_ms)
        for _ in range(step_limit):
            snapshot = self.execute_step(snapshot, external_payload, globals, now_ms=now_ms, rng=rng)
            external_payload = None
            if snapshot.status is not Status.ACTIVE:
                break
        return snapshot

    def _begin(
        self,
        snapshot: Snapshot,
        external_payload: JsonValue,
        global_values: Mapping[str, JsonValue] | None,
        now_ms: int | Clock | None,
        rng: random.Random | None,
        resumed: Resumed | None,
        host: Host,
    ) -> _Execution:
        if snapshot.status.terminal or snapshot.current_node_id is None:
            raise IllegalTransition(
                f"run {snapshot.workflow_id!r} is {snapshot.status.value}: there is no step to execute"
            )
        now = _clock(now_ms)
        if resumed is None and snapshot.wait is not None:
            resumed = Resumed("signal", snapshot.wait.signal, external_payload)
        resumes = snapshot.resumes + (1 if snapshot.wait is not None else 0)
        values = _NO_GLOBALS if global_values is None else global_values
        node = self._nodes.get(snapshot.current_node_id) or _unknown_node(snapshot.current_node_id)
        step = Step(
            workflow_id=snapshot.workflow_id,
            node_id=node.id,
            attempt=snapshot.attempt,
            visit=snapshot.visit,
            context=snapshot.context,
            external_payload=external_payload,
            resumed=resumed,
            globals=values,
            resumes=resumes,
            wait=snapshot.wait,
            host=host,
        )
        return _Execution(snapshot, node, step, names_of(snapshot, node.data, values), rng, now(), now)

    def _call(self, execution: _Execution) -> object:
        reported = self._invoke(execution)
        if inspect.isawaitable(reported):
            return _run(reported)
        return reported

    def _invoke(self, execution: _Execution) -> object:
        node = execution.node
        definition = node.definition
        if definition is None:
            raise UnknownNodeType(f"node type {node.type!r} is not registered")
        data: object = self._resolve(node, execution.names)
        if definition.input is not None:
            data = _checked_input(definition.input, cast("JsonValue", data))
        if definition.takes_step:
            return definition.executor(data, execution.step)
        return definition.executor(data)

    def _resolve(self, node: _CompiledNode, names: Names) -> JsonValue:
        if not node.resolves or not self._transform_engines:
            return copy_json(node.data)
        data = node.data
        for engine in self._transform_engines:
            data = engine.transform(data, names)
        return data

    def _conclude(self, execution: _Execution, reported: object) -> Outcome:
        try:
            if isinstance(reported, Pause):
                return Suspended(_wait(reported, execution))
            output = reported if isinstance(reported, Output) else Output(reported)
            data = _checked_output(output.data, execution.node.definition)
            target = _target(execution.node, output.next_handle)
        except RefluxoError as error:
            return self._failure(execution, error)
        return Completed(data) if target is None else Advanced(data, target)

    def _failure(self, execution: _Execution, error: BaseException) -> Outcome:
        return self.failure_outcome(execution.snapshot, StepError.of(error), execution.clock(), rng=execution.rng)

    def failure_outcome(
        self, snapshot: Snapshot, error: StepError, now_ms: int, *, rng: random.Random | None = None
    ) -> Outcome:
        """What a failure of the current step comes to: a retry, a catch edge, or the run's end.

        For the shell, which records failures that no executor raised (a step that crashed its function).
        """
        node = self._nodes.get(snapshot.current_node_id or "") or _unknown_node(str(snapshot.current_node_id))
        counts = _counts(snapshot)
        names = names_of(snapshot, node.data, _NO_GLOBALS)
        try:
            selected = select(node.policies, counts, error, lambda value: self._resolve_number(value, names))
            if selected is not None:
                index, policy = selected
                counts = _counted(counts, index)
                wait_ms = policy.wait_ms(
                    counts[index],
                    rng=rng if rng is not None else clock.new_rng(),
                    resolve=lambda value: self._resolve_number(value, names),
                )
                kept = counts if len(node.policies) > 1 else ()
                return Rescheduled(error, now_ms + wait_ms, kept)
        except (ValueError, ExpressionError) as broken:
            error = StepError.named("InvalidRetryPolicy", f"{broken}; the step's own error was {error}")
        for handle, target in node.catches:
            if handle == ERROR_HANDLE or handle.removeprefix(f"{ERROR_HANDLE}:") in error.lineage:
                return Caught(error, target)
        return Failed(error)

    def _resolve_number(self, value: object, names: Names) -> object:
        if not isinstance(value, str):
            return value
        resolved: JsonValue = value
        for engine in self._transform_engines:
            resolved = engine.transform(resolved, names)
        return resolved

    def _advance(self, execution: _Execution, outcome: Outcome) -> Snapshot:
        return advance(
            execution.snapshot, outcome, now_ms=execution.clock(), started_at_ms=execution.started_at_ms
        ).snapshot


def _compile(
    workflow: WorkflowDefinition, node_definitions: Mapping[str, NodeDefinition]
) -> Mapping[str, _CompiledNode]:
    exits: dict[str, dict[str | None, str]] = {node.id: {} for node in workflow.nodes}
    catches: dict[str, list[tuple[str, str]]] = {node.id: [] for node in workflow.nodes}
    for edge in workflow.edges:
        if edge.source_handle is not None and edge.catches:
            catches[edge.source].append((edge.source_handle, edge.target))
        else:
            exits[edge.source][edge.source_handle] = edge.target
    nodes: dict[str, _CompiledNode] = {}
    for node in workflow.nodes:
        definition = node_definitions.get(node.type)
        policies = definition.policies if definition is not None else ()
        if node.policy is not None and node.policy.retry is not None:
            policies = node.policy.retry
        data = checked_copy(node.data)
        nodes[node.id] = _CompiledNode(
            id=node.id,
            type=node.type,
            data=data,
            definition=definition,
            policies=policies,
            exits=exits[node.id],
            catches=tuple(catches[node.id]),
            handles=definition.handles_of(data) if definition is not None else None,
            resolves=(definition is None or not definition.raw) and has_template(data),
        )
    return nodes


def _unknown_node(node_id: str) -> _CompiledNode:
    # A snapshot of another version of the definition: fail the step by name rather than the engine.
    return _CompiledNode(node_id, f"of {node_id!r}, which this definition lacks,", {}, None, (), {}, (), None, False)


def _clock(now_ms: int | Clock | None) -> Clock:
    if now_ms is None:
        return clock.now_ms
    if callable(now_ms):
        return now_ms
    fixed = now_ms
    return lambda: fixed


def _counts(snapshot: Snapshot) -> tuple[int, ...]:
    if snapshot.retry_state is not None:
        # A single policy's count is the number of attempts, as Refluxo writes it.
        return snapshot.retry_state.counts or (snapshot.retry_state.attempts,)
    if snapshot.wait is not None:
        return snapshot.wait.counts or (snapshot.wait.attempt - 1,)
    return ()


def _counted(counts: tuple[int, ...], index: int) -> tuple[int, ...]:
    padded = [*counts, *([0] * (index + 1 - len(counts)))]
    padded[index] += 1
    return tuple(padded)


def _wait(pause: Pause, execution: _Execution) -> Wait:
    now = execution.clock()
    due_at_ms: int | None = None
    by_timer = pause.until is not None
    if pause.until is not None:
        due_at_ms = _moment_ms(pause.until, now)
    if pause.timeout is not None:
        timeout_at_ms = now + _duration_ms(pause.timeout, "timeout")
        by_timer = by_timer and due_at_ms is not None and due_at_ms <= timeout_at_ms
        due_at_ms = timeout_at_ms if due_at_ms is None else min(due_at_ms, timeout_at_ms)
    signal = pause.signal
    if signal is None and pause.until is None:
        signal = DEFAULT_SIGNAL
    if signal is not None and not valid_name(signal):
        raise InvalidOutput(f"Pause.signal: {signal!r} is not a name; letters, digits and _.:@- are")
    return Wait(
        signal=signal,
        due_at_ms=due_at_ms,
        by="timer" if by_timer else "timeout",
        visit=execution.step.visit,
        attempt=execution.step.attempt,
        resumes=execution.step.resumes,
        heartbeat_ms=None if pause.heartbeat is None else _duration_ms(pause.heartbeat, "heartbeat"),
        counts=_counts(execution.snapshot) if execution.step.attempt > 1 else (),
        data=checked_copy(pause.data, "Pause.data"),
    )


def _duration_ms(value: object, field: str) -> int:
    milliseconds = round(value / timedelta(milliseconds=1)) if isinstance(value, timedelta) else value
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int) or milliseconds < 0:
        raise InvalidOutput(f"Pause.{field} is {value!r}; it must be milliseconds or a timedelta, 0 or more")
    return milliseconds


def _moment_ms(moment: object, now_ms: int) -> int:
    if isinstance(moment, timedelta):
        return now_ms + _duration_ms(moment, "until")
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise InvalidOutput("Pause.until has no time zone; use datetime.now(tz=...) or epoch milliseconds")
        return round(moment.timestamp() * 1000)
    if isinstance(moment, bool) or not isinstance(moment, int):
        raise InvalidOutput(
            f"Pause.until is {moment!r}; it must be epoch milliseconds, an aware datetime or a timedelta"
        )
    return moment


def _checked_input(schema: Schema, data: JsonValue) -> object:
    if isinstance(schema, type):
        try:
            return schema.model_validate(data)
        except ValidationError as error:
            _raise_faults(InvalidInput, "data", faults_of(error))
    faults = schema_faults(schema, data)
    if faults:
        _raise_faults(InvalidInput, "data", faults)
    return data


def _checked_output(value: object, definition: NodeDefinition | None) -> JsonValue:
    data = checked_copy(value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value)
    schema = definition.output if definition is not None else None
    if schema is None or (isinstance(schema, type) and isinstance(value, schema)):
        return data
    if isinstance(schema, type):
        try:
            schema.model_validate(data)
        except ValidationError as error:
            _raise_faults(InvalidOutput, "output", faults_of(error))
        return data
    faults = schema_faults(schema, data)
    if faults:
        _raise_faults(InvalidOutput, "output", faults)
    return data


def _raise_faults(kind: type[InvalidInput | InvalidOutput], what: str, faults: tuple[Fault, ...]) -> NoReturn:
    raise kind("; ".join(f"{what}{fault.path[1:]}: {fault.message}" for fault in faults))


def _target(node: _CompiledNode, handle: str | None) -> str | None:
    target = node.exits.get(handle)
    if target is not None or handle is None:
        return target
    if node.handles is not None and handle in node.handles:
        return None
    known = ", ".join(repr(exit_) for exit_ in node.exits if exit_ is not None) or "none"
    raise UnmatchedHandle(f"{node.id!r} chose handle {handle!r}, which has no edge; edges leave by: {known}")


_runner: asyncio.Runner | None = None


def _run(awaitable: Awaitable[object]) -> object:
    """Runs an async executor on the process's one event loop, so that clients bound to it stay usable."""
    global _runner  # noqa: PLW0603  (one loop a process)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        if inspect.iscoroutine(awaitable):
            awaitable.close()
        raise RuntimeError("an event loop is running in this thread: use execute_step_async")
    if _runner is None:
        _runner = asyncio.Runner()

    async def wait_for_it() -> object:
        return await awaitable

    return _runner.run(wait_for_it())
