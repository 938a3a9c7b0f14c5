"""Node types as data: a JSON Schema and a workflow that does the work, for editors whose users make nodes.

The workflow runs to its end within the one step that uses it. It cannot wait, for a step cannot; one that must is
run by ``core:workflow``, as a child run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic import JsonValue as PydanticJson

from engine.definition import WorkflowDefinition, faults_of
from engine.errors import Fault, InvalidDefinition, NeedsHost, WorkflowFailure
from engine.json_value import JsonValue
from engine.limits import NESTED_STEPS_MAX
from engine.naming import camel_case
from engine.node_definition import Executor, NodeDefinition
from engine.outcome import Output
from engine.schema import faults_of_schema
from engine.snapshot import Snapshot, Status
from engine.step import Host, Step
from engine.workflow_engine import WorkflowEngine


class NodeData(BaseModel):
    """A node type as JSON: ``{type, description?, input?, output?, workflow, metadata?}``."""

    model_config = ConfigDict(extra="forbid", alias_generator=camel_case, validate_by_name=True, defer_build=True)

    type: Annotated[str, Field(min_length=1)]
    description: str | None = None
    input: dict[str, object] | None = None
    output: dict[str, object] | None = None
    workflow: dict[str, object]
    metadata: dict[str, PydanticJson] | None = None


def node_from_data(
    document: object, make_engine: Callable[[WorkflowDefinition], WorkflowEngine]
) -> tuple[str, NodeDefinition]:
    """Reads a node type from JSON data.

    Args:
        document: the node type.
        make_engine: makes the engine of its workflow, checked.

    Returns:
        The type's name and its definition.

    Raises:
        InvalidDefinition: with every fault found, each with its JSON path.
    """
    try:
        data = NodeData.model_validate(document)
    except ValidationError as error:
        raise InvalidDefinition("node type", faults_of(error)) from None
    faults = [
        fault
        for name, schema in (("input", data.input), ("output", data.output))
        if schema is not None
        for fault in faults_of_schema(schema, f"$.{name}")
    ]
    try:
        engine = make_engine(WorkflowDefinition.parse({"name": "node", **data.workflow}))
    except InvalidDefinition as invalid:
        faults += [Fault(f"$.workflow{fault.path[1:]}", fault.message) for fault in invalid.faults]
        raise InvalidDefinition(data.type, tuple(faults)) from None
    if faults:
        raise InvalidDefinition(data.type, tuple(faults))

    executor = _async_executor(engine) if engine.is_async else _executor(engine)
    executor.__doc__ = data.description
    return data.type, NodeDefinition(executor, input=data.input, output=data.output, handles=(), metadata=data.metadata)


def _executor(engine: WorkflowEngine) -> Executor:
    def execute(given: JsonValue, step: Step) -> Output:
        snapshot, host, payload = _initial(engine, given, step), _host(step), given
        for _ in range(NESTED_STEPS_MAX):
            snapshot, payload = engine.execute_step(snapshot, payload, step.globals, host=host), None
            if snapshot.status is not Status.ACTIVE:
                break
        return _end(snapshot)

    return execute


def _async_executor(engine: WorkflowEngine) -> Executor:
    async def execute(given: JsonValue, step: Step) -> Output:
        snapshot, host, payload = _initial(engine, given, step), _host(step), given
        for _ in range(NESTED_STEPS_MAX):
            snapshot, payload = await engine.execute_step_async(snapshot, payload, step.globals, host=host), None
            if snapshot.status is not Status.ACTIVE:
                break
        return _end(snapshot)

    return execute


def _initial(engine: WorkflowEngine, given: JsonValue, step: Step) -> Snapshot:
    return engine.create_initial_snapshot(f"{step.workflow_id}/{step.node_id}", input=given)


def _host(step: Step) -> Host:
    # The step's own key is the nonce within: keys inside differ from any other step's, and repeat with this one.
    # Nothing announces: to plugins these are steps, and no run of their own.
    return Host(
        nonce=step.idempotency_key,
        deadline_ms=step.deadline_ms,
        announces=True,
        executors=step.host.executors,
        raised=step.host.raised,
    )


def _end(snapshot: Snapshot) -> Output:
    if snapshot.status is Status.COMPLETED:
        return Output(snapshot.output)
    if snapshot.status is Status.ACTIVE:
        endless = f"the node's workflow made {NESTED_STEPS_MAX} steps without an end"
        raise WorkflowFailure("NestedStepsExceeded", endless)
    if snapshot.status is Status.PAUSED:
        raise NeedsHost(f"{snapshot.current_node_id!r} waits, which a node cannot; run the workflow by core:workflow")
    # A retry within would have to wait: the error is the step's, and so is the choice to retry it.
    error = snapshot.error
    kind, message = (error.error_type, error.error) if error is not None else (None, None)
    kind = kind or "Error"
    raise WorkflowFailure(kind, (message or "").removeprefix(f"{kind}: "))
