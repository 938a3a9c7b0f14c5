"""The transform port: how ``{{ }}`` in a node's data becomes values, and by which names it reads the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol, TypeAlias, overload, runtime_checkable

from engine.json_value import JsonValue
from engine.snapshot import Context, NodeResult, Snapshot

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


class _View(Mapping[str, object]):
    """A read-only object for expressions, whose values are worked out when they are asked for."""

    __slots__ = ()
    _KEYS: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[str]:
        return iter(self._KEYS)

    def __len__(self) -> int:
        return len(self._KEYS)


class _ResultView(_View):
    __slots__ = ("_result",)
    _KEYS = ("data", "error", "timestamp")

    def __init__(self, result: NodeResult) -> None:
        self._result = result

    def __getitem__(self, key: str) -> object:
        if key == "data":
            return self._result.output
        if key == "error":
            return self._result.error
        if key == "timestamp":
            return self._result.timestamp
        raise KeyError(key)


class _ResultsView(Sequence[object]):
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
            return [_ResultView(result) for result in self._results[index]]
        return _ResultView(self._results[index])


class _NodeView(_View):
    __slots__ = ("_context", "_node_id")
    _KEYS = ("last", "all", "output")

    def __init__(self, context: Context, node_id: str) -> None:
        self._context = context
        self._node_id = node_id

    def __getitem__(self, key: str) -> object:
        if key == "last":
            newest = self._context.last(self._node_id)
            return None if newest is None else _ResultView(newest)
        if key == "all":
            return _ResultsView(self._context[self._node_id])
        if key == "output":
            success = self._context.last_success(self._node_id)
            return None if success is None else success.output
        raise KeyError(key)


class _NodesView(Mapping[str, object]):
    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    def __getitem__(self, key: str) -> object:
        if key not in self._context:
            raise KeyError(key)
        return _NodeView(self._context, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._context)

    def __len__(self) -> int:
        return len(self._context)


SIGNAL_URL: Final = "@signalUrl"
"""Under this name the host's maker of links is handed to the callbackUrl transform; no expression can spell it."""


def names_of(
    snapshot: Snapshot,
    data: JsonValue,
    global_values: Mapping[str, JsonValue],
    signal_url: Callable[[str], str] | None = None,
) -> Names:
    """The names an expression may use while the snapshot's current node is executed."""
    return {
        "nodes": _NodesView(snapshot.context),
        "previous": snapshot.output,
        "run": {"id": snapshot.workflow_id, "input": snapshot.input},
        "input": data,
        "globals": global_values,
        SIGNAL_URL: signal_url,
    }
