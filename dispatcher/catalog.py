"""Definitions as runs use them: each run keeps the version it began with, whatever is deployed or put since.

A name that is registered in code is the code's; any other may be put as data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from dispatcher.errors import Retryable, Terminal
from dispatcher.limits import DESCRIPTION_CHARACTERS_MAX, PUT_TRIES
from dispatcher.ports import DefinitionPointer, RunStore
from engine import Registry, WorkflowEngine
from engine.definition_ref import DefinitionRef
from engine.errors import Fault, UnknownWorkflow
from engine.json_value import JsonValue
from engine.naming import valid_name
from engine.plugin import Plugins
from engine.snapshot import Snapshot

if TYPE_CHECKING:
    # For annotations alone: pydantic's models are for whoever reads a definition.
    from engine import WorkflowDefinition

_ENGINES_MAX = 256


class NameOfCode(Terminal):
    """A workflow of that name is registered in code, which alone changes it."""


class AnotherVersion(Terminal):
    """The definition that was to be replaced is not the one there is."""


class KnownWorkflow(NamedTuple):
    """A workflow that a run can be started of, as a list tells it."""

    name: str
    version: str
    description: str | None
    source: Literal["code", "stored"]


class Catalog:
    """Engines by definition; stores a definition when its first run starts.

    ``executors``: node types that the engine only describes and this deployment executes.
    """

    def __init__(self, registry: Registry, store: RunStore, executors: Collection[str] = ()) -> None:
        self._registry = registry
        self._executors = executors
        self._plugins = Plugins(registry.plugins)
        self._store = store
        self._engines: dict[DefinitionRef, WorkflowEngine] = {}
        self._stored: set[DefinitionRef] = set()

    def globals(self) -> Mapping[str, JsonValue]:
        """The registry's globals as of now; never stored."""
        return self._registry.globals()

    def announce(self, before: Snapshot, after: Snapshot) -> None:
        """Calls the plugins' run hooks for a transition that is committed."""
        self._plugins.announce(before, after)

    def newest(self, name: str) -> WorkflowDefinition:
        """The definition that new runs of that name begin with: the registered one, else the one put last.

        Raises:
            UnknownWorkflow: there is none.
        """
        # Read each time: what another process has put counts from the next start on.
        pointer = None if name in self._registry.workflows or not valid_name(name) else self._store.load_pointer(name)
        if pointer is None:
            if name not in self._registry.workflows:
                known = _some([workflow.name for workflow in self.listed()])
                raise UnknownWorkflow(f"there is no workflow {name!r}; there are: {known}")
            return self._registry.workflow(name)
        reference = DefinitionRef(name, pointer.version)
        self._stored.add(reference)
        return self.engine(reference).workflow

    def version(self, name: str, version: str) -> WorkflowDefinition:
        """A version of a definition.

        Raises:
            UnknownWorkflow: it is neither registered nor stored.
        """
        return self.engine(DefinitionRef(name, version)).workflow

    def listed(self) -> Sequence[KnownWorkflow]:
        """Every workflow that a run can be started of, by name."""
        registered = self._registry.workflows
        known = [
            KnownWorkflow(name, definition.version, _in_brief(definition), "code")
            for name, definition in registered.items()
        ]
        known += [
            KnownWorkflow(pointer.name, pointer.version, pointer.description, "stored")
            for pointer in self._store.pointers()
            if pointer.name not in registered
        ]
        return sorted(known)

    def put(
        self, definition: WorkflowDefinition, *, may_replace: Callable[[str | None], bool] = lambda _version: True
    ) -> str | None:
        """Makes a definition the one that new runs of its name begin with.

        Args:
            definition: the definition.
            may_replace: asked with the version there is, None for none, right before it is replaced.

        Returns:
            The version there was before; None when the name is new.

        Raises:
            NameOfCode: the name is registered in code.
            InvalidDefinition: the registry cannot run it.
            AnotherVersion: the version there is may not be replaced.
            ItemTooLarge: the table would refuse it. In all these cases nothing has changed.
        """
        name, version = definition.name, definition.version
        if name in self._registry.workflows:
            raise NameOfCode(f"workflow {name!r} is registered in code: change it there, or choose another name")
        self._registry.engine(definition)
        for _ in range(PUT_TRIES):
            pointer = self._store.load_pointer(name)
            before = None if pointer is None else pointer.version
            if not may_replace(before):
                there = f"version {before}" if before is not None else "none"
                raise AnotherVersion(f"workflow {name!r}: the request is for another state than there is, {there}")
            # The version first, then the one item that tells of it.
            self.pinned(definition)
            wanted = DefinitionPointer(name, version, _in_brief(definition))
            if before == version or self._store.put_pointer(wanted, previous=before):
                return before
        raise Retryable(f"workflow {name!r} is put by others at the same time; try again")

    def node_types(self) -> list[JsonValue]:
        """Every node type as JSON, with schemas, handles and documentation."""
        return self._registry.describe_node_types(self._executors)

    def warnings(self, definition: WorkflowDefinition) -> Sequence[Fault]:
        """What is odd about a definition and no fault."""
        from engine.checks import execution_warnings  # noqa: PLC0415  (not before a definition is read)

        unexecuted = execution_warnings(definition, self._registry.node_definitions, self._executors)
        return (*definition.warnings, *unexecuted)

    def parse(self, document: object) -> WorkflowDefinition:
        """Reads a definition that is to be put.

        Raises:
            InvalidDefinition: its structure is not sound; what else the registry finds is told with it.
        """
        return self._registry.parse(document)

    def pinned(self, definition: WorkflowDefinition) -> WorkflowEngine:
        """The engine of a definition about to be used by a new run, which is stored first."""
        reference = DefinitionRef(definition.name, definition.version)
        if reference not in self._stored:
            self._store.put_definition(reference.name, reference.version, definition.to_json())
            self._stored.add(reference)
        return self.engine(reference)

    def checked(self, definition: WorkflowDefinition) -> DefinitionRef:
        """Stores a definition that a run is to go on with, and gives its reference.

        Raises:
            InvalidDefinition: the registry cannot run it.
        """
        self._registry.engine(definition)
        self.pinned(definition)
        return DefinitionRef(definition.name, definition.version)

    def engine(self, reference: DefinitionRef) -> WorkflowEngine:
        """The engine of the definition a run is pinned to.

        Raises:
            UnknownWorkflow: that version is neither registered nor stored.
        """
        engine = self._engines.get(reference)
        if engine is None:
            # Unchecked: a type that is not registered any more fails the step that needs it, not the run's start.
            engine = self._registry.engine(self._definition(reference), check=False)
            if len(self._engines) >= _ENGINES_MAX:
                self._engines.pop(next(iter(self._engines)))
            self._engines[reference] = engine
        return engine

    def _definition(self, reference: DefinitionRef) -> WorkflowDefinition:
        registered = self._registry.workflows.get(reference.name)
        if registered is not None and registered.version == reference.version:
            return registered
        document = self._store.load_definition(reference.name, reference.version)
        if document is None:
            raise UnknownWorkflow(f"workflow {reference.name!r} has no version {reference.version!r}")
        from engine import WorkflowDefinition  # noqa: PLC0415  (not before a definition is read)

        return WorkflowDefinition.parse(document)


def _some(names: Sequence[str]) -> str:
    from engine.definition import listed  # noqa: PLC0415  (not before something is wrong)

    return listed(names) or "none"


def _in_brief(definition: WorkflowDefinition) -> str | None:
    return None if definition.description is None else definition.description[:DESCRIPTION_CHARACTERS_MAX]
