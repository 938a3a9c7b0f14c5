"""Definitions as runs use them: each run keeps the version it began with, whatever is deployed since."""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher.ports import RunStore
from engine import Registry, WorkflowDefinition, WorkflowEngine
from engine.definition_ref import DefinitionRef
from engine.errors import UnknownWorkflow
from engine.json_value import JsonValue
from engine.plugin import Plugins
from engine.snapshot import Snapshot

_ENGINES_MAX = 256


class Catalog:
    """Engines by definition; stores a definition when its first run starts."""

    def __init__(self, registry: Registry, store: RunStore) -> None:
        self._registry = registry
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
        """The registered definition of that name.

        Raises:
            UnknownWorkflow: there is none.
        """
        return self._registry.workflow(name)

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
        return WorkflowDefinition.parse(document)
