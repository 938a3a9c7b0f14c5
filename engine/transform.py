"""The transform port: how ``{{ }}`` in a node's data becomes values, and by which names it reads the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeAlias, overload, runtime_checkable

from engine.context import Context, NodeResult
from engine.json_value import JsonValue, read_value
from engine.snapshot import Snapshot

Names: TypeAlias = Mapping[str, object]
"""What an expression may look up: JSON values, and read-only mappings and sequences that stand for them."""


class TransformEngine(Protocol):
    """Turns a node's data, as the definition has it, into what its executor is given."""

    def transform(self, data: JsonValue, names: Names) -> JsonValue:
        """Returns a copy of ``data`` with whatever this engine resolves resolved.

        Raises:
            ExpressionError: an expression cannot be resolved; it is named.
        """
        ...


@runtime_checkable
class TemplateValidator(Protocol):
    """A transform engine that can tell a faulty text before any run has it."""

    def validate_template(self, text: str) -> None:
        """Checks every expression of a text.

        Raises:
            ExpressionError: the first fault, with its position.
        """
        ...


def _seen(result: NodeResult) -> Mapping[str, object]:
    return {"data": result.output, "error": result.error, "timestamp": result.timestamp}


@runtime_checkable
class NameReader(Protocol):
    """A transform engine that can tell which names a text reads."""

    def references(self, text: str) -> Sequence[tuple[str, str | None]]:
        """Each name that is read, and the property read of it where the text tells which."""
        ...


class _ResultsView(Sequence[object]):
    """All results of a node, each looked at when it is asked for."""

    __slots__ = ("_results",)

    def __init__(self, results: Sequence[NodeResult]) -> None:
        self._results = results

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> object: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[object]: ...
    def __getitem__(self, index: int | slice) -> object:
        if isinstance(index, slice):
            return [_seen(result) for result in self._results[index]]
        return _seen(self._results[index])


class _NodeView(Mapping[str, object]):
    """A node that has run, as expressions see it; nothing of it is read before it is asked for."""

    __slots__ = ("_context", "_newest", "_node_id")

    def __init__(self, context: Context, node_id: str, newest: NodeResult) -> None:
        self._context = context
        self._node_id = node_id
        self._newest = newest

    def __getitem__(self, key: str) -> object:
        if key == "last":
            return _seen(self._newest)
        if key == "all":
            return _ResultsView(self._context[self._node_id])
        if key == "output":
            success = self._context.last_success(self._node_id)
            return None if success is None else success.output
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(("last", "all", "output"))

    def __len__(self) -> int:
        return 3


class _NodesView(Mapping[str, object]):
    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    def __getitem__(self, key: str) -> object:
        newest = self._context.last(key)
        if newest is None:
            raise KeyError(key)
        return _NodeView(self._context, key, newest)

    def __iter__(self) -> Iterator[str]:
        return iter(self._context)

    def __len__(self) -> int:
        return len(self._context)


class _RunView(Mapping[str, object]):
    """What expressions read of the run itself; a large input is read only when it is asked for."""

    __slots__ = ("_snapshot",)

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __getitem__(self, key: str) -> object:
        if key == "input":
            return read_value(self._snapshot.input)
        if key == "id":
            return self._snapshot.workflow_id
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(("id", "input"))

    def __len__(self) -> int:
        return 2


NAMES: Final = ("nodes", "previous", "run", "input", "globals")
"""The names an expression may begin with."""

SIGNAL_URL: Final = "@signalUrl"
"""Under this name the host's maker of links is handed to the callbackUrl transform; no expression can spell it."""


class _StepNames(Mapping[str, object]):
    """The names of one step. Nothing of the run is read before an expression asks for it."""

    __slots__ = ("_data", "_globals", "_signal_url", "_snapshot")

    def __init__(
        self,
        snapshot: Snapshot,
        data: JsonValue,
        global_values: Mapping[str, JsonValue],
        signal_url: Callable[[str], str] | None,
    ) -> None:
        self._snapshot = snapshot
        self._data = data
        self._globals = global_values
        self._signal_url = signal_url

    def __getitem__(self, key: str) -> object:
        match key:
            case "nodes":
                return _NodesView(self._snapshot.context)
            case "previous":
                return self._snapshot.output
            case "run":
                return _RunView(self._snapshot)
            case "input":
                return self._data
            case "globals":
                return self._globals
            case "@signalUrl":
                return self._signal_url
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


def names_of(
    snapshot: Snapshot,
    data: JsonValue,
    global_values: Mapping[str, JsonValue],
    signal_url: Callable[[str], str] | None = None,
) -> Names:
    """The names an expression may use while the snapshot's current node is executed."""
    return _StepNames(snapshot, data, global_values, signal_url)
