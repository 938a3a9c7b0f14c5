"""The builder: a workflow written in Python, which comes to exactly the JSON an editor would hold.

Owns how a node is written. Every mistake that can be seen in one line is raised by that line, with its remedy; what
shows only in the whole (a start that does not exist, an expression of a registry's own transforms) is raised by
:meth:`Flow.to_definition` and by the registry. It refuses to be a second format: there is nothing that a flow can say
and the JSON cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias, TypedDict, Unpack, cast

from pydantic import ValidationError

from engine.checks import definition_faults
from engine.core_data import JoinData
from engine.core_nodes import CORE_NODES
from engine.definition import Node, NodePolicy, WorkflowDefinition, faults_of
from engine.errors import InvalidDefinition
from engine.flow_graph import FlowGraph, FlowNode
from engine.flow_values import (
    NAME_RULE,
    Case,
    Duration,
    Place,
    given,
    is_name,
    join_document,
    json_value,
    milliseconds,
    milliseconds_or_expression,
    moment_or_expression,
    retry_policies,
    schema_document,
    switch_cases,
)
from engine.json_value import JsonObject, JsonValue
from engine.node_definition import Executor, NodeDefinition, Schema
from engine.node_mark import marks_of
from engine.retry import RetryPolicy
from engine.templates import OPENING
from engine.transform import TransformEngine

ChildWorkflow: TypeAlias = "str | Flow | WorkflowDefinition | Mapping[str, object]"
"""What a child run executes: a name, ``name@version``, or a workflow written on the spot."""

_CORE = "core:"


class NodeTypes(Protocol):
    """What a flow asks a registry: a :class:`~engine.registry.Registry` is one."""

    @property
    def node_definitions(self) -> Mapping[str, NodeDefinition]:
        """Node definitions by type."""
        ...

    @property
    def transform_engines(self) -> Sequence[TransformEngine]:
        """What resolves the expressions."""
        ...


class StepOptions(TypedDict, total=False):
    """How the steps of a node are treated, and what an editor keeps about it."""

    retry: RetryPolicy | Sequence[RetryPolicy] | None
    timeout: Duration | None
    at_most_once: bool
    metadata: object


class RequestOptions(TypedDict, total=False):
    """As :class:`StepOptions`, for a node whose timeout is part of its data."""

    retry: RetryPolicy | Sequence[RetryPolicy] | None
    at_most_once: bool
    metadata: object


class Flow:
    """A workflow being written.

    Args:
        name: the workflow's name.
        input: what a run's input must be; a pydantic model or a JSON Schema.
        output: what its output must be; likewise.
        description: for people.
        start: id of the node a run begins with; the first one written when left out.
        metadata: anything for editors; JSON.
        deadline: how long a run may take, milliseconds or a timedelta.
        registry: knows the node types; with it a type given by name, and every expression, is checked where it is
            written. Without it those are checked by ``registry.add(flow)``; functions and core types need none.

    Raises:
        InvalidFlow: one of them cannot be, and what to give instead.
    """

    def __init__(
        self,
        name: str,
        *,
        input: Schema | None = None,  # noqa: A002  (the contract's name)
        output: Schema | None = None,
        description: str | None = None,
        start: str | None = None,
        metadata: object = None,
        deadline: Duration | None = None,
        registry: NodeTypes | None = None,
    ) -> None:
        at = Place(str(name))
        if not is_name(name):
            raise at.mistake(f"{name!r} is no name: {NAME_RULE}")
        if not isinstance(description, str | None):
            raise at.mistake(f"description is {description!r}; it must be text")
        self.name = name
        self._place = at
        self._graph = FlowGraph(name)
        self._registry = registry
        json_value(description, at, "description")
        self._description = description
        self._start = start
        self._input = schema_document(input, at, "input")
        self._output = schema_document(output, at, "output", "serialization")
        self._metadata = json_value(metadata, at, "metadata")
        self._deadline_ms = None if deadline is None else milliseconds(deadline, at, "deadline", least=1)

    def __repr__(self) -> str:
        return f"<Flow {self.name!r} of {len(self._graph.nodes)} nodes>"

    # --- any node --------------------------------------------------------------------------------

    def node(
        self,
        node_id: str,
        executor: Executor | str,
        data: object = None,
        *,
        retry: RetryPolicy | Sequence[RetryPolicy] | None = None,
        timeout: Duration | None = None,
        at_most_once: bool = False,
        metadata: object = None,
    ) -> FlowNode:
        """Adds a node.

        Args:
            node_id: its id, unique in the flow; expressions read its results as ``nodes.<id>``.
            executor: a registered function, or the name of a type.
            data: what the executor is given, JSON with ``{{ }}`` expressions in it; instances of pydantic models
                become JSON; ``{}`` when left out.
            retry: overrides the type's retry policies; an empty list means that nothing is retried.
            timeout: how long one execution may take.
            at_most_once: an execution that was cut off is a failure; it is not executed again.
            metadata: anything for editors; JSON.

        Raises:
            InvalidFlow: one of them cannot be, and what to give instead.
        """
        options = StepOptions(retry=retry, timeout=timeout, at_most_once=at_most_once, metadata=metadata)
        self._check_id(node_id)
        node_type, known = self._type_of(executor, Place(self.name, node_id))
        return self._add(node_id, node_type, known, {} if data is None else data, options)

    # --- core nodes ------------------------------------------------------------------------------

    def trigger(self, node_id: str, *, metadata: object = None) -> FlowNode:
        """Adds ``core:trigger``: begins a run; gives the start's payload."""
        return self._core(node_id, "core:trigger", {}, StepOptions(metadata=metadata))

    def set(self, node_id: str, data: object, *, metadata: object = None) -> FlowNode:
        """Adds ``core:set``: gives its data, resolved."""
        return self._core(node_id, "core:set", data, StepOptions(metadata=metadata))

    def if_(self, node_id: str, when: object, *, metadata: object = None) -> FlowNode:
        """Adds ``core:if``: goes on by ``["true"]`` or ``["false"]``."""
        return self._core(node_id, "core:if", {"when": when}, StepOptions(metadata=metadata))

    def switch(
        self,
        node_id: str,
        value: object,
        cases: Sequence[Case],
        *,
        metadata: object = None,
    ) -> FlowNode:
        """Adds ``core:switch``: goes on by the case equal to ``value``, or by ``["default"]``."""
        data = {"value": value, "cases": switch_cases(cases, Place(self.name, node_id))}
        return self._core(node_id, "core:switch", data, StepOptions(metadata=metadata))

    def loop(self, node_id: str, items: object, *, metadata: object = None) -> FlowNode:
        """Adds ``core:loop``: ``["loop"]`` with ``{item, index}`` for each item, then ``["done"]``.

        The body ends with an edge back: ``each["loop"] >> body >> each``.
        """
        return self._core(node_id, "core:loop", {"items": items}, StepOptions(metadata=metadata))

    def while_(self, node_id: str, when: object, *, metadata: object = None) -> FlowNode:
        """Adds ``core:while``: ``["loop"]`` with ``{index}`` while ``when`` holds, then ``["done"]``."""
        return self._core(node_id, "core:while", {"when": when}, StepOptions(metadata=metadata))

    def repeat(self, node_id: str, times: int | str, *, metadata: object = None) -> FlowNode:
        """Adds ``core:repeat``: ``["loop"]`` with ``{index}`` a number of times, then ``["done"]``."""
        return self._core(node_id, "core:repeat", {"times": times}, StepOptions(metadata=metadata))

    def wait(
        self,
        node_id: str,
        *,
        signal: str | None = None,
        timeout: Duration | str | None = None,
        heartbeat: Duration | str | None = None,
        schema: Schema | None = None,
        metadata: object = None,
    ) -> FlowNode:
        """Adds ``core:wait``: waits for a signal and gives its payload; on a timeout goes on by ``["timeout"]``.

        Args:
            node_id: its id.
            signal: the signal's name; ``resume`` when left out.
            timeout: how long at most; also an expression that gives milliseconds.
            heartbeat: how long the other side may stay silent; likewise.
            schema: what the payload must be.
            metadata: anything for editors.
        """
        at = Place(self.name, node_id)
        data = given(
            signal=signal,
            timeoutMs=milliseconds_or_expression(timeout, at, "timeout", least=0),
            heartbeatMs=milliseconds_or_expression(heartbeat, at, "heartbeat", least=1),
            schema=schema_document(schema, at, "schema"),
        )
        return self._core(node_id, "core:wait", data, StepOptions(metadata=metadata))

    def sleep(
        self,
        node_id: str,
        duration: Duration | str | None = None,
        *,
        until: datetime | int | str | None = None,
        metadata: object = None,
    ) -> FlowNode:
        """Adds ``core:sleep``: for a time, or until a moment (an aware datetime or epoch milliseconds)."""
        at = Place(self.name, node_id)
        if (duration is None) == (until is None):
            raise at.mistake("give a duration or until, one of the two")
        data = given(
            ms=milliseconds_or_expression(duration, at, "duration", least=0),
            until=moment_or_expression(until, at, "until"),
        )
        return self._core(node_id, "core:sleep", data, StepOptions(metadata=metadata))

    def fail(self, node_id: str, error: str, message: str = "", *, metadata: object = None) -> FlowNode:
        """Adds ``core:fail``: fails the run with an error type and message of your own."""
        data = {"error": error, "message": message} if message else {"error": error}
        return self._core(node_id, "core:fail", data, StepOptions(metadata=metadata))

    def http(
        self,
        node_id: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str | None] | None = None,
        query: Mapping[str, object] | None = None,
        json: object = None,
        body: str | None = None,
        timeout: Duration | str | None = None,
        **options: Unpack[RequestOptions],
    ) -> FlowNode:
        """Adds ``core:http``: calls a URL; gives ``{status, headers, body}``.

        4xx goes by ``["rejected"]`` when that is connected; 429, 5xx and network errors are retried.
        """
        at = Place(self.name, node_id)
        if json is not None and body is not None:
            raise at.mistake("give json or body, not both")
        data = {"method": method, "url": url} | given(
            headers=headers,
            query=query,
            json=json,
            body=body,
            timeoutMs=milliseconds_or_expression(timeout, at, "timeout", least=1),
        )
        return self._core(node_id, "core:http", data, cast("StepOptions", options))

    # --- other runs ------------------------------------------------------------------------------

    def workflow(
        self,
        node_id: str,
        workflow: ChildWorkflow,
        *,
        input: object = None,  # noqa: A002  (the data's key)
        detached: bool = False,
        **options: Unpack[StepOptions],
    ) -> FlowNode:
        """Adds ``core:workflow``: runs a workflow as a child run; gives its output.

        Args:
            node_id: its id.
            workflow: a name, ``name@version``, or a flow, a definition or its JSON.
            input: the child's input.
            detached: does not wait for it.
            **options: as those of :meth:`node`.
        """
        child = self._child(workflow, Place(self.name, node_id), "workflow")
        data = {"workflow": child} | given(input=input, detached=detached or None)
        return self._core(node_id, "core:workflow", data, options)

    def parallel(
        self,
        node_id: str,
        branches: Mapping[str, ChildWorkflow],
        *,
        input: object = None,  # noqa: A002  (the data's key)
        join: JoinData | Mapping[str, object] | None = None,
        max_concurrency: int | None = None,
        **options: Unpack[StepOptions],
    ) -> FlowNode:
        """Adds ``core:parallel``: runs each branch as a child run; gives ``{branch: output}``."""
        at = Place(self.name, node_id)
        children = {name: self._child(child, at, f"branches.{name}") for name, child in branches.items()}
        data = {"branches": children} | given(input=input, join=join_document(join, at), maxConcurrency=max_concurrency)
        return self._core(node_id, "core:parallel", data, options)

    def map(
        self,
        node_id: str,
        items: object,
        workflow: ChildWorkflow,
        *,
        join: JoinData | Mapping[str, object] | None = None,
        max_concurrency: int | None = None,
        **options: Unpack[StepOptions],
    ) -> FlowNode:
        """Adds ``core:map``: runs a workflow for each item as child runs; gives their outputs in item order."""
        at = Place(self.name, node_id)
        data = {"items": items, "workflow": self._child(workflow, at, "workflow")} | given(
            join=join_document(join, at), maxConcurrency=max_concurrency
        )
        return self._core(node_id, "core:map", data, options)

    def signal(
        self,
        node_id: str,
        workflow_id: str,
        signal: str,
        payload: object = None,
        **options: Unpack[StepOptions],
    ) -> FlowNode:
        """Adds ``core:signal``: sends a signal to another run."""
        data = {"workflowId": workflow_id, "signal": signal} | given(payload=payload)
        return self._core(node_id, "core:signal", data, options)

    # --- the definition --------------------------------------------------------------------------

    def to_definition(self) -> WorkflowDefinition:
        """The definition as written so far.

        Raises:
            InvalidFlow: the flow has no nodes, or its start is not one of them.
        """
        if not self._graph.nodes:
            raise self._place.mistake("there are no nodes; add one by flow.node(...)")
        if self._start is not None and self._start not in self._graph.nodes:
            nodes = ", ".join(self._graph.nodes)
            raise self._place.mistake(f"start: there is no node {self._start!r}; nodes: {nodes}")
        return WorkflowDefinition(
            nodes=tuple(added.node for added in self._graph.nodes.values()),
            edges=self._graph.edges,
            name=self.name,
            description=self._description,
            start=self._start,
            input=self._input,
            output=self._output,
            deadline_ms=self._deadline_ms,
            metadata=self._metadata,
        )

    def to_json(self) -> JsonObject:
        """The definition as JSON data: what an editor or a file would hold."""
        return self.to_definition().to_json()

    def freeze(self) -> WorkflowDefinition:
        """The definition, and no more changes: whoever has taken the definition would not see them.

        ``registry.add(flow)`` does this, and giving the flow to another one as a child.
        """
        definition = self.to_definition()
        self._graph.freeze()
        return definition

    # --- one node, checked -----------------------------------------------------------------------

    def _core(self, node_id: str, node_type: str, data: object, options: StepOptions) -> FlowNode:
        self._check_id(node_id)
        return self._add(node_id, node_type, CORE_NODES[node_type], data, options)

    def _add(
        self, node_id: str, node_type: str, known: NodeDefinition | None, data: object, options: StepOptions
    ) -> FlowNode:
        unexpected = options.keys() - StepOptions.__optional_keys__
        if unexpected:
            raise TypeError(f"unexpected keyword argument {min(unexpected)!r} for node {node_id!r}")
        at = Place(self.name, node_id)
        timeout = options.get("timeout")
        policy = given(
            retry=retry_policies(options.get("retry"), at),
            timeout_ms=None if timeout is None else milliseconds(timeout, at, "timeout", least=1),
            at_most_once=options.get("at_most_once") or None,
        )
        try:
            node = Node(
                id=node_id,
                type=node_type,
                data=json_value(data, at, "data"),
                policy=NodePolicy.model_validate(policy) if policy else None,
                metadata=json_value(options.get("metadata"), at, "metadata"),
            )
        except ValidationError as error:
            raise at.mistakes(faults_of(error), "$") from None
        self._check_node(node, known, at)
        return self._graph.add(node, known)

    def _check_node(self, node: Node, known: NodeDefinition | None, at: Place) -> None:
        # A type that nobody knows yet takes anything, as core:set does.
        node_types = {node.type: known or CORE_NODES["core:set"]}
        engines = () if self._registry is None else self._registry.transform_engines
        faults = definition_faults(WorkflowDefinition(nodes=(node,), name=self.name), node_types, engines, alone=True)
        if faults:
            raise at.mistakes(faults, "$.nodes[0]", known.input if known is not None else None)

    def _check_id(self, node_id: str) -> None:
        if not is_name(node_id):
            raise self._place.mistake(f"{node_id!r} is no node id: {NAME_RULE}")
        self._graph.check_open(node_id)
        taken = self._graph.nodes.get(node_id)
        if taken is not None:
            raise Place(self.name, node_id).mistake(
                f"the id is taken by a node of type {taken.node.type!r}; choose another one"
            )

    def _type_of(self, executor: object, at: Place) -> tuple[str, NodeDefinition | None]:
        known = CORE_NODES if self._registry is None else self._registry.node_definitions
        if isinstance(executor, str):
            definition = known.get(executor)
            knowable = self._registry is not None or executor.startswith(_CORE) or not executor
            if definition is None and knowable:
                raise at.mistake(f"there is no node type {executor!r}; there are: {', '.join(sorted(known))}")
            return executor, definition
        if not callable(executor):
            raise at.mistake(f"{executor!r} is neither a registered function nor the name of a node type")
        return self._registered(executor, at)

    def _registered(self, executor: Executor, at: Place) -> tuple[str, NodeDefinition]:
        name = getattr(executor, "__name__", repr(executor))
        types = marks_of(executor)
        where = ""
        if self._registry is not None:
            known = self._registry.node_definitions
            types = {node_type: found for node_type, found in known.items() if found.executor == executor}
            where = " in the flow's registry"
        if not types:
            raise at.mistake(
                f"{name} is not registered{where}; put @registry.node('its-type') above it, or name its type"
            )
        if len(types) > 1:
            raise at.mistake(f"{name} is registered as {' and '.join(map(repr, types))}; name the one you mean")
        return next(iter(types.items()))

    def _child(self, workflow: ChildWorkflow, at: Place, field: str) -> JsonValue:
        if isinstance(workflow, Flow):
            if workflow is self:
                raise at.mistake(f"{field}: a flow cannot hold itself; give its name, {self.name!r}")
            return workflow.freeze().to_json()
        if isinstance(workflow, WorkflowDefinition):
            return workflow.to_json()
        if isinstance(workflow, str):
            if not is_name(workflow) and OPENING not in workflow:
                raise at.mistake(f"{field}: {workflow!r} is no name: {NAME_RULE}")
            return workflow
        try:
            WorkflowDefinition.parse(workflow)
        except InvalidDefinition as error:
            raise at.mistake(f"{field} is no workflow: {'; '.join(map(str, error.faults))}") from None
        return json_value(workflow, at, field)
