"""Node types and workflows by name, and the routes by which events start workflows.

A registry is built once, when the user's module is imported, and read from then on. What only some registries need,
the reading of folders say, is imported by the method that needs it.
"""

from __future__ import annotations

import copy
import inspect
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from engine.error_handler import ErrorHandler
from engine.errors import Fault, InvalidDefinition, InvalidRoute, UnknownWorkflow
from engine.json_value import JsonValue
from engine.models import is_model_type
from engine.node_definition import Executor, Handles, NodeDefinition, Schema
from engine.node_mark import mark
from engine.plugin import Plugin
from engine.retry import RetryPolicy
from engine.transform import TransformEngine
from engine.validation import Validator
from engine.workflow_engine import WorkflowEngine

if TYPE_CHECKING:
    # For annotations alone: pydantic's models would make the engine's import a quarter longer.
    from engine.definition import DefinitionSource, WorkflowDefinition
    from engine.route import Route

GlobalsProvider: TypeAlias = Callable[[], Mapping[str, JsonValue]]

_E = TypeVar("_E", bound=Callable[..., Any])


class Registry:
    """Node types and workflows by name; the core node types are in it from the start.

    Args:
        globals_provider: gives the globals (secrets, settings) that expressions and executors read; asked
            once per step, never stored.
        transform_engines: resolve ``{{ }}`` in nodes' data, each the result of the one before; Jexl, with
            ``callbackUrl``, when left out.
        validator: holds inputs and outputs against schemas; pydantic models and JSON Schema when left out.
        error_handler: decides on retries; the nodes' retry policies when left out.
        plugins: are told what happens.
    """

    def __init__(
        self,
        globals_provider: GlobalsProvider | None = None,
        *,
        transform_engines: Sequence[TransformEngine] | None = None,
        validator: Validator | None = None,
        error_handler: ErrorHandler | None = None,
        plugins: Sequence[Plugin] = (),
    ) -> None:
        self._transform_engines = transform_engines
        self._validator = validator
        self._error_handler = error_handler
        self.plugins = tuple(plugins)
        self._workflows: dict[str, WorkflowDefinition] = {}
        self._routes: dict[str, Route] = {}
        self._globals_provider = globals_provider

    @cached_property
    def transform_engines(self) -> tuple[TransformEngine, ...]:
        """What resolves ``{{ }}`` in nodes' data; made when the first workflow comes."""
        return (_jexl(),) if self._transform_engines is None else tuple(self._transform_engines)

    @cached_property
    def _nodes(self) -> dict[str, NodeDefinition]:
        from engine.core_nodes import CORE_NODES  # noqa: PLC0415  (their models are made when the first type is asked for)

        return dict(CORE_NODES)

    @property
    def node_definitions(self) -> Mapping[str, NodeDefinition]:
        """Node definitions by type."""
        return self._nodes

    @property
    def workflows(self) -> Mapping[str, WorkflowDefinition]:
        """Workflows by name, each in its newest version."""
        return self._workflows

    @property
    def routes(self) -> Sequence[Route]:
        """By which events start workflows, in the order they were made."""
        return tuple(self._routes.values())

    def globals(self) -> Mapping[str, JsonValue]:
        """What the provider gives now; empty without one."""
        return self._globals_provider() if self._globals_provider is not None else {}

    def engine(self, workflow: WorkflowDefinition | str, *, check: bool = True) -> WorkflowEngine:
        """An engine for a workflow, over this registry's node types and extensions.

        Raises:
            UnknownWorkflow: there is none of that name.
            InvalidDefinition: unless ``check`` is False, with every fault.
        """
        return WorkflowEngine(
            self.workflow(workflow) if isinstance(workflow, str) else workflow,
            self._nodes,
            self.transform_engines,
            self._validator,
            self._error_handler,
            self.plugins,
            check=check,
        )

    def node(
        self,
        node_type: str,
        *,
        retry_policy: RetryPolicy | Sequence[RetryPolicy] | None = None,
        input: Schema | None = None,  # noqa: A002  (the contract's name)
        output: Schema | None = None,
        handles: Handles | None = None,
        timeout_ms: int | None = None,
        raw: bool | Sequence[str] = False,
        metadata: Mapping[str, JsonValue] | None = None,
    ) -> Callable[[_E], _E]:
        """Registers the decorated function as a node type.

        A pydantic model in the annotation of the first parameter is the input's schema, one in that of the
        result the output's, unless they are given.

        Raises:
            ValueError: the type is taken.
            TypeError: the function takes neither ``(data)`` nor ``(data, step)``.
        """

        def register(executor: _E) -> _E:
            first, result = _annotated_models(executor)
            definition = NodeDefinition(
                executor,
                retry_policy=retry_policy,
                input=input if input is not None else first,
                output=output if output is not None else result,
                handles=handles,
                timeout_ms=timeout_ms,
                raw=raw,
                metadata=metadata,
            )
            self.add_node(node_type, definition)
            return executor

        return register

    def add_node(self, node_type: str, definition: NodeDefinition) -> None:
        """Registers a node type.

        Raises:
            ValueError: the type is taken.
        """
        if node_type in self._nodes:
            raise ValueError(f"node type {node_type!r} is registered already; choose another name")
        self._nodes[node_type] = definition
        mark(node_type, definition)

    def add_node_data(self, document: Mapping[str, object]) -> str:
        """Registers a node type given as JSON: a schema and a workflow that does the work.

        Returns the type's name.

        Raises:
            InvalidDefinition: with every fault found, each with its JSON path.
            ValueError: the type is taken.
        """
        from engine.node_data import node_from_data  # noqa: PLC0415  (loaded when used)

        node_type, definition = node_from_data(document, self.engine)
        self.add_node(node_type, definition)
        return node_type

    def load_entry_points(self) -> tuple[str, ...]:
        """Registers what installed packages offer under ``refluxo.nodes``; see loading.load_entry_points."""
        from engine.loading import load_entry_points  # noqa: PLC0415  (loaded when used)

        return load_entry_points(self)

    def load_folder(self, folder: str | Path) -> None:
        """Registers the node types and workflows of a folder; see loading.load_folder."""
        from engine.loading import load_folder  # noqa: PLC0415  (loaded when used)

        load_folder(self, Path(folder))

    def describe_node_types(self, executors: Collection[str] = ()) -> list[JsonValue]:
        """Every node type as JSON, with schemas, handles and documentation, for an editor.

        ``executors``: types that the engine only describes and the host executes.
        """
        from engine.node_types import describe_all  # noqa: PLC0415  (loaded when used)

        return describe_all(self._nodes, executors)

    def node_type_of(self, executor: Executor) -> str:
        """The type a function is registered under.

        Raises:
            ValueError: it is not registered.
        """
        for node_type, definition in self._nodes.items():
            if definition.executor is executor:
                return node_type
        raise ValueError(f"{executor!r} is not registered; put @registry.node('its-type') above it")

    def parse(self, document: object) -> WorkflowDefinition:
        """Reads a definition from JSON data; one of sound structure is checked when it is added, or its engine made.

        Raises:
            InvalidDefinition: with every fault found, those that only this registry sees among them.
        """
        from engine.checks import parsed  # noqa: PLC0415  (loaded when used)

        return parsed(document, self._nodes, self.transform_engines)

    def add(self, workflow: WorkflowDefinition | DefinitionSource | Mapping[str, object]) -> WorkflowDefinition:
        """Registers a workflow by its name, checked against the node types known by now.

        A flow takes no more changes after this.

        Raises:
            InvalidDefinition: with every fault found, each with its JSON path.
            InvalidFlow: the flow has no nodes, or its start is not one of them.
        """
        from engine.checks import definition_faults  # noqa: PLC0415  (loaded when used)
        from engine.definition import WorkflowDefinition  # noqa: PLC0415

        definition = self.parse(workflow) if isinstance(workflow, Mapping) else _definition(workflow)
        faults = definition_faults(definition, self._nodes, self.transform_engines)
        if definition.name in self._workflows:
            faults += (Fault("$.name", f"workflow {definition.name!r} is registered already"),)
        if faults:
            raise InvalidDefinition(definition.name, faults)
        self._workflows[definition.name] = definition
        if not isinstance(workflow, WorkflowDefinition | Mapping):
            workflow.freeze()
        return definition

    def route(
        self,
        pattern: Mapping[str, object],
        workflow: str,
        *,
        input: JsonValue = "{{ event.detail }}",  # noqa: A002  (the contract's name)
        name: str | None = None,
    ) -> Route:
        """Lets every event that matches a pattern start a run; the stack makes an EventBridge rule of it.

        Args:
            pattern: an EventBridge event pattern.
            workflow: the workflow to start, registered by now.
            input: what the run is given; its expressions read the ``event``.
            name: names the route and its runs; made of workflow and pattern when left out.

        Raises:
            UnknownWorkflow: there is no such workflow; the message lists those there are.
            InvalidRoute: with every fault of the route, each with its JSON path.
        """
        from engine.route import make_route  # noqa: PLC0415  (loaded when used)

        self.workflow(workflow)
        route = make_route(pattern, workflow, input, name, self.transform_engines)
        if route.name in self._routes:
            fault = Fault("$.name", f"there is a route {route.name!r} already; give this one a name of its own")
            raise InvalidRoute(route.name, (fault,))
        self._routes[route.name] = route
        return route

    def with_plugins(self, plugins: Sequence[Plugin]) -> Registry:
        """A copy of the registry as it is now, whose engines tell these plugins too."""
        other = copy.copy(self)
        other.plugins = (*self.plugins, *plugins)
        return other

    def workflow(self, name: str) -> WorkflowDefinition:
        """The workflow of that name.

        Raises:
            UnknownWorkflow: there is none; the message lists those there are.
        """
        try:
            return self._workflows[name]
        except KeyError:
            known = ", ".join(sorted(self._workflows)) or "none"
            raise UnknownWorkflow(f"there is no workflow {name!r}; registered: {known}") from None


def _jexl() -> TransformEngine:
    from engine.callback_transform import CALLBACK_URL  # noqa: PLC0415  (loaded when used)
    from engine.expressions import JexlTransformEngine  # noqa: PLC0415

    return JexlTransformEngine({"callbackUrl": CALLBACK_URL})


def _definition(workflow: WorkflowDefinition | DefinitionSource) -> WorkflowDefinition:
    from engine.definition import WorkflowDefinition  # noqa: PLC0415  (loaded when used)

    return workflow if isinstance(workflow, WorkflowDefinition) else workflow.to_definition()


def _annotated_models(executor: Callable[..., Any]) -> tuple[Schema | None, Schema | None]:
    try:
        hints = typing.get_type_hints(executor if inspect.isroutine(executor) else _call_of(executor))
    except NameError as error:
        raise TypeError(
            f"the annotations of {executor!r} name {error.name!r}, which is not imported at run time; "
            "import it outside `if TYPE_CHECKING`"
        ) from None
    first = next(iter(inspect.signature(executor).parameters), None)
    given, result = hints.get(first) if first is not None else None, hints.get("return")
    return given if is_model_type(given) else None, result if is_model_type(result) else None


def _call_of(executor: object) -> object:
    # An object that can be called is annotated at its call.
    return getattr(executor, "__call__", None)  # noqa: B004  (read, not asked for)
