"""Executes one step of one workflow: resolve the data, call the executor, say what it came to.

Owns the path from a snapshot to an outcome. It refuses to save, to wait and to send: the shell does that,
once it has the next snapshot.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from engine import clock
from engine.compiled import CompiledNode, compile_nodes
from engine.definition_ref import DefinitionRef
from engine.error_handler import ErrorHandler, PolicyErrorHandler, StepFailure
from engine.errors import (
    EventLoopRunning,
    ExpressionError,
    IllegalTransition,
    InvalidDefinition,
    InvalidInput,
    InvalidOutput,
    UnknownNodeType,
)
from engine.event_loop import is_cancelled, run_awaitable
from engine.json_value import JsonValue, checked_copy, copy_json
from engine.limits import STEP_LIMIT
from engine.models import is_model
from engine.node_definition import NodeDefinition
from engine.outcome import (
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
)
from engine.pausing import wait_of
from engine.plugin import NodeEvent, Plugin, Plugins
from engine.snapshot import Snapshot, Status
from engine.step import Host, Step
from engine.templates import has_template
from engine.transform import Names, TransformEngine, names_of
from engine.transition import advance
from engine.validation import SchemaValidator, SchemaViolation, Validator

if TYPE_CHECKING:
    # For annotations alone: pydantic's models would make the engine's import a quarter longer.
    import random

    from pydantic import BaseModel

    from engine.definition import WorkflowDefinition

Clock: TypeAlias = Callable[[], int]
"""Tells the time, epoch milliseconds."""

_NO_GLOBALS: Final[Mapping[str, JsonValue]] = {}
_HOST: Final = Host()


class _Execution(NamedTuple):
    """One execution under way."""

    snapshot: Snapshot
    node: CompiledNode
    step: Step
    rng: random.Random | None
    started_at_ms: int
    clock: Clock


class WorkflowEngine:
    """Runs a workflow step by step over snapshots.

    Args:
        workflow: the definition.
        node_definitions: behaviour of its node types.
        transform_engines: resolve a node's data, each the result of the one before.
        validator: holds inputs and outputs against schemas; pydantic models and JSON Schema by default.
        error_handler: decides on retries; the nodes' retry policies by default.
        plugins: are told what happens.
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
        validator: Validator | None = None,
        error_handler: ErrorHandler | None = None,
        plugins: Sequence[Plugin] = (),
        *,
        check: bool = True,
    ) -> None:
        if check:
            from engine.checks import definition_faults  # noqa: PLC0415  (a run that goes on is not checked again)

            faults = definition_faults(workflow, node_definitions, transform_engines)
            if faults:
                raise InvalidDefinition(workflow.name, faults)
        self.workflow = workflow
        self._transform_engines = tuple(transform_engines)
        self._validator = validator if validator is not None else SchemaValidator()
        self._error_handler = error_handler if error_handler is not None else PolicyErrorHandler()
        self._plugins = Plugins(plugins)
        self._has_plugins = bool(plugins)
        # Jexl resolves {{ }} and nothing else, in a copy; of another engine neither is known.
        self._jexl_alone = all(map(_is_jexl, self._transform_engines))
        self._nodes = compile_nodes(workflow, node_definitions, self._may_resolve)
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
            InvalidOutput: JSON cannot hold the input or the metadata.
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
            input=checked_copy(input, "input"),
            metadata={} if metadata is None else {key: checked_copy(item, key) for key, item in metadata.items()},
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
            host: what the shell knows of this execution. One that announces calls :meth:`announce` itself,
                once the returned snapshot is saved; else the run hooks are called here.

        Raises:
            IllegalTransition: the run is terminal.
            EventLoopRunning: the executor is async, and this thread runs an event loop already.
        """
        execution = self._begin(snapshot, external_payload, globals, now_ms, rng, resumed, host)
        try:
            reported = self._invoke(execution)
            if type(reported) is not Output and inspect.isawaitable(reported):
                reported = run_awaitable(reported)
        except EventLoopRunning:
            raise  # the host's mistake, not the node's failure
        except BaseException as error:
            if not _is_of_the_node(error):
                raise
            return self._failed(execution, error)
        return self._reported(execution, reported)

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
        except BaseException as error:
            if not _is_of_the_node(error) or is_cancelled():
                raise
            return self._failed(execution, error)
        return self._reported(execution, reported)

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

    @property
    def is_async(self) -> bool:
        """Whether the executor of any node is async."""
        return any(node.definition is not None and node.definition.is_async for node in self._nodes.values())

    def announce(self, before: Snapshot, after: Snapshot) -> None:
        """Calls the plugins' run hooks (start, pause, complete, fail) for a transition that is saved."""
        if self._has_plugins:
            self._plugins.announce(before, after)

    def step_timeout_ms(self, snapshot: Snapshot) -> int | None:
        """How long the current node may take, milliseconds: its own limit, else its type's; None is no limit.

        The shell's to enforce: the engine has no way to stop an executor.
        """
        node = self.workflow.node(snapshot.current_node_id or "")
        if node is not None and node.policy is not None and node.policy.timeout_ms is not None:
            return node.policy.timeout_ms
        compiled = self._nodes.get(snapshot.current_node_id or "")
        return compiled.definition.timeout_ms if compiled is not None and compiled.definition is not None else None

    def at_most_once(self, snapshot: Snapshot) -> bool:
        """Whether the current node asks not to be executed again once an execution has begun.

        The shell's to see to, as with timeouts.
        """
        node = self.workflow.node(snapshot.current_node_id or "")
        return node is not None and node.policy is not None and node.policy.at_most_once

    def failure_outcome(
        self, snapshot: Snapshot, error: StepError, now_ms: int, *, rng: random.Random | None = None
    ) -> Outcome:
        """What a failure of the current step comes to: a retry, a catch edge, or the run's end.

        For the shell too, which records failures that no executor raised (a step that crashed its function).
        """
        node = self._nodes.get(snapshot.current_node_id or "") or _unknown_node(str(snapshot.current_node_id))
        return self._failure_outcome(node, snapshot, error, now_ms, rng, _NO_GLOBALS)

    # --- before the executor -------------------------------------------------------------------

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
        node_id = snapshot.current_node_id
        if snapshot.status.terminal or node_id is None:
            raise IllegalTransition(
                f"run {snapshot.workflow_id!r} is {snapshot.status.value}: there is no step to execute"
            )
        now = _clock(now_ms)
        wait = snapshot.wait
        if resumed is None and wait is not None:
            resumed = Resumed("signal", wait.signal, external_payload)
        node = self._nodes.get(node_id) or _unknown_node(node_id)
        fresh = wait is None and snapshot.retry_state is None
        step = Step(
            snapshot.workflow_id,
            node_id,
            1 if fresh else snapshot.attempt,
            snapshot.context.visits(node_id) + 1 if fresh else snapshot.visit,
            snapshot.context,
            external_payload,
            resumed,
            _NO_GLOBALS if global_values is None else global_values,
            0 if fresh else snapshot.resumes,
            wait,
            host,
            node.exits,
        )
        if self._has_plugins:
            event = NodeEvent(step, node.type, snapshot)
            self._plugins.tell(lambda plugin: plugin.on_before_node_execution(event))
        return _Execution(snapshot, node, step, rng, now(), now)

    def _invoke(self, execution: _Execution) -> object:
        node, step = execution.node, execution.step
        definition = node.definition
        if definition is None:
            raise UnknownNodeType(f"node type {node.type!r} is not registered")
        if node.resolves:
            names = names_of(execution.snapshot, node.data, step.globals, step.host.signal_url)
            data = self._resolved(node.resolvable if self._jexl_alone else copy_json(node.resolvable), names)
        else:
            data = copy_json(node.resolvable)
        if node.raw_fields and isinstance(data, dict):
            data.update((key, copy_json(item)) for key, item in node.raw_fields.items())
        given: object = data
        if definition.input is not None:
            try:
                given = self._validator.validate(definition.input, data)
            except SchemaViolation as violation:
                raise InvalidInput(_violation(node, "input", violation)) from None
        return definition.executor(given, step) if definition.takes_step else definition.executor(given)

    def _may_resolve(self, data: JsonValue) -> bool:
        return bool(self._transform_engines) and (not self._jexl_alone or has_template(data))

    def _resolved(self, data: JsonValue, names: Names) -> JsonValue:
        for engine in self._transform_engines:
            data = engine.transform(data, names)
        return data

    # --- after the executor --------------------------------------------------------------------

    def _reported(self, execution: _Execution, reported: object) -> Snapshot:
        try:
            outcome = self._outcome(execution, reported)
        except Exception as error:  # noqa: BLE001  (a value may raise while it is read)
            return self._failed(execution, error)
        return self._advanced(execution, outcome, None)

    def _outcome(self, execution: _Execution, reported: object) -> Outcome:
        if isinstance(reported, Pause):
            counts = _counts(execution.snapshot)
            return Suspended(wait_of(reported, execution.step, counts, execution.clock()))
        node = execution.node
        output = reported if isinstance(reported, Output) else Output(reported)
        data = self._checked_output(node, output.data)
        target = node.target(output.next_handle)
        return Completed(data) if target is None else Advanced(data, target)

    def _checked_output(self, node: CompiledNode, value: object) -> JsonValue:
        # A model writes itself as JSON, datetimes and decimals included; anything else must be JSON already.
        # dict first, which most are: asking pydantic costs more than all the rest.
        model = value if not isinstance(value, dict) and is_model(value) else None
        data = checked_copy(value if model is None else _dumped(model))
        schema = node.definition.output if node.definition is not None else None
        if schema is None or (model is not None and isinstance(schema, type) and isinstance(model, schema)):
            return data
        try:
            self._validator.validate(schema, data)
        except SchemaViolation as violation:
            raise InvalidOutput(_violation(node, "output", violation)) from None
        return data

    def _failed(self, execution: _Execution, raised: BaseException) -> Snapshot:
        if execution.step.host.raised is not None:
            execution.step.host.raised(raised)
        error = StepError.of(raised)
        outcome = self._failure_outcome(
            execution.node,
            execution.snapshot,
            error,
            execution.clock(),
            execution.rng,
            execution.step.globals,
        )
        return self._advanced(execution, outcome, error)

    def _failure_outcome(
        self,
        node: CompiledNode,
        snapshot: Snapshot,
        error: StepError,
        now_ms: int,
        rng: random.Random | None,
        global_values: Mapping[str, JsonValue],
    ) -> Outcome:
        def resolve(value: object) -> object:
            if not isinstance(value, str):
                return value
            return self._resolved(value, names_of(snapshot, node.data, global_values))

        failure = StepFailure(
            snapshot,
            error,
            node.policies,
            _counts(snapshot),
            resolve,
            clock.new_rng if rng is None else lambda: rng,
        )
        try:
            decision = self._error_handler.handle(failure)
            wait_ms = 0 if decision is None else round(decision.wait_ms)
        except Exception as broken:  # noqa: BLE001  (a handler that fails must not keep the step from failing)
            decision, wait_ms = None, 0
            # Catch edges about the step's own error still know it.
            kind = "" if isinstance(broken, ValueError | ExpressionError) else f"{type(broken).__name__}: "
            message = f"{kind}{broken}; the step's own error was {error}"
            error = StepError("InvalidRetryPolicy", message, error.lineage | {"InvalidRetryPolicy"})
        if decision is not None:
            return Rescheduled(error, now_ms + wait_ms, decision.counts)
        handler = node.handler_of(error)
        return Failed(error) if handler is None else Caught(error, handler)

    def _advanced(self, execution: _Execution, outcome: Outcome, error: StepError | None) -> Snapshot:
        now_ms = execution.clock()
        before = execution.snapshot
        after = advance(before, outcome, now_ms=now_ms, started_at_ms=execution.started_at_ms).snapshot
        if self._has_plugins:
            duration_ms = max(now_ms - execution.started_at_ms, 0)
            self._plugins.executed(NodeEvent(execution.step, execution.node.type, before, after, error, duration_ms))
            if not execution.step.host.announces:
                self._plugins.announce(before, after)
        return after


def _is_jexl(engine: TransformEngine) -> bool:
    from engine.expressions import JexlTransformEngine  # noqa: PLC0415  (loaded when used)

    return isinstance(engine, JexlTransformEngine)


def _is_of_the_node(error: BaseException) -> bool:
    """Whether what came out of an executor is its own doing: sys.exit() and a cancelled task too, Ctrl-C not."""
    return isinstance(error, Exception | SystemExit | GeneratorExit) or type(error).__name__ == "CancelledError"


def _dumped(model: BaseModel) -> object:
    try:
        return model.model_dump(mode="json", by_alias=True)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidOutput(f"{type(model).__name__} cannot be written as JSON: {error}") from None


def _violation(node: CompiledNode, what: str, violation: SchemaViolation) -> str:
    faults = "; ".join(f"{what}{fault.path[1:]}: {fault.message}" for fault in violation.faults)
    return f"node {node.id!r}: {faults}"


def _unknown_node(node_id: str) -> CompiledNode:
    # A snapshot of another version of the definition: fail the step by name rather than the engine.
    return CompiledNode(id=node_id, type=f"of {node_id!r}, which this definition lacks,")


def _clock(now_ms: int | Clock | None) -> Clock:
    if now_ms is None:
        return clock.now_ms
    if callable(now_ms):
        return now_ms
    fixed = now_ms
    return lambda: fixed


def _counts(snapshot: Snapshot) -> tuple[int, ...]:
    """Failures that each retry policy has answered in this visit.

    A single policy's count is the number of attempts before this one, as Refluxo writes it.
    """
    if snapshot.retry_state is not None:
        return snapshot.retry_state.counts or (snapshot.retry_state.attempts,)
    if snapshot.wait is not None:
        return snapshot.wait.counts or (snapshot.wait.attempt - 1,)
    return ()
