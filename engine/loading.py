"""Node types and workflows from elsewhere: installed packages, and a folder. Called at start-up, never by a step.

This is the one module of the engine that reads files.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol

from engine.definition import WorkflowDefinition
from engine.errors import Fault, InvalidDefinition
from engine.node_definition import NodeDefinition

ENTRY_POINT_GROUP: Final = "refluxo.nodes"

_LEFT_OUT: ContextVar[frozenset[Path]] = ContextVar("_LEFT_OUT", default=frozenset())


@contextmanager
def leaving_out_faulty(files: Iterable[Path]) -> Iterator[None]:
    """While the block lasts, folders are loaded without those of these files that are faulty: somebody else tells."""
    token = _LEFT_OUT.set(frozenset(path.resolve() for path in files))
    try:
        yield
    finally:
        _LEFT_OUT.reset(token)


class Registrar(Protocol):
    """What takes node types and workflows: a Registry."""

    def add_node(self, node_type: str, definition: NodeDefinition) -> None:
        """Registers a node type."""
        ...

    def add_node_data(self, document: Mapping[str, object]) -> str:
        """Registers a node type given as JSON."""
        ...

    def add(self, workflow: Mapping[str, object]) -> WorkflowDefinition:
        """Registers a workflow."""
        ...


def load_entry_points(registry: Registrar, group: str = ENTRY_POINT_GROUP) -> tuple[str, ...]:
    """Registers the node types that installed packages offer.

    An entry point is a function ``register(registry)``, or a NodeDefinition whose type is the entry point's name.

    Returns:
        The names of the entry points, in the order of their loading.

    Raises:
        TypeError: an entry point is neither; it is named.
    """
    found = sorted(entry_points(group=group), key=lambda entry: entry.name)
    for entry in found:
        loaded = entry.load()
        if isinstance(loaded, NodeDefinition):
            registry.add_node(entry.name, loaded)
        elif callable(loaded):
            loaded(registry)
        else:
            raise TypeError(f"entry point {entry.name!r} of {group!r} must be register(registry) or a NodeDefinition")
    return tuple(entry.name for entry in found)


def load_folder(registry: Registrar, folder: Path) -> None:
    """Registers what a folder holds, in the order of names, Python before JSON.

    A ``.py`` file offers ``register(registry)``. A ``.json`` file is a workflow (it has ``nodes``) or a node type as
    data (it has ``type`` and ``workflow``). Names that begin with an underscore or a dot are left alone.

    Raises:
        FileNotFoundError: there is no such folder.
        TypeError: a module has no ``register``; it is named.
        InvalidDefinition: a JSON file is none of the two, or is faulty, or is no JSON; the message names it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    files = sorted(path for path in folder.iterdir() if path.name[0] not in "._")
    for path in files:
        if path.suffix == ".py":
            _register_of(path)(registry)
    documents = [(path, document) for path in files if path.suffix == ".json" if (document := _read(path)) is not None]
    # Node types first: the workflows may use them.
    for path, document in sorted(documents, key=lambda entry: "nodes" in entry[1]):
        try:
            if "nodes" in document:
                registry.add(document)
            else:
                registry.add_node_data(document)
        except InvalidDefinition as invalid:
            if not _is_left_out(path):
                raise InvalidDefinition(f"{path.name}: {invalid.name}", invalid.faults) from None


def _register_of(path: Path) -> Callable[[Registrar], object]:
    module = _import(path)
    register = getattr(module, "register", None)
    if not callable(register):
        raise TypeError(f"{path} has no function register(registry)")
    found: Callable[[Registrar], object] = register
    return found


def _import(path: Path) -> ModuleType:
    # The same file name in two folders is two modules.
    name = f"refluxo_nodes_{path.stem}_{hashlib.sha256(bytes(path.resolve())).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TypeError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic and dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


def _read(path: Path) -> dict[str, object] | None:
    """What a file holds; None for a faulty one that is left out."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(document, dict):
            return document
        fault = Fault("$", "must be an object")
    except (ValueError, RecursionError) as error:
        fault = Fault("$", f"not JSON: {error}")
    if _is_left_out(path):
        return None
    raise InvalidDefinition(path.name, (fault,))


def _is_left_out(path: Path) -> bool:
    return path.resolve() in _LEFT_OUT.get()
