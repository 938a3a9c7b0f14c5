"""What a run has come to so far: the results of its nodes, shared by all snapshots of its line.

Owns how results are kept and found. A context is a value: appending makes the next one and leaves this one as it was,
without copying what they share (docs/decisions/0004).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, Self, overload

from engine.json_value import JsonValue, copy_json


class NodeResult(NamedTuple):
    """What one attempt of a step came to. A named tuple: one is made on every step and kept.

    ``visit`` counts the entries into the node so far; it is derived, never written.
    """

    output: JsonValue
    timestamp: int
    attempt: int = 1
    error: str | None = None
    error_type: str | None = None
    visit: int = 1

    @property
    def succeeded(self) -> bool:
        """Whether the attempt has an output to go on with."""
        return self.error is None


class ContextSource(Protocol):
    """Where a shell keeps the older results of a run, so that a snapshot need not carry them.

    It never changes: what is appended comes after it. Whatever a method raises goes through the engine to the shell
    unless node code swallows it, so a shell that must know keeps note of its own failures.
    """

    @property
    def length(self) -> int:
        """Number of results of all nodes."""
        ...

    def nodes(self) -> Iterator[str]:
        """Ids of the nodes that have results."""
        ...

    def count(self, node_id: str) -> int:
        """Number of results of a node."""
        ...

    def visits(self, node_id: str) -> int:
        """How often the node has been entered and has left a result."""
        ...

    def result(self, node_id: str, index: int) -> NodeResult:
        """One result of a node, counted from 0, the oldest; always one of ``count``."""
        ...

    def entries(self) -> Iterator[tuple[str, NodeResult]]:
        """All results in the order they came about."""
        ...


class _NothingBefore:
    """The source of a run whose results are all at hand."""

    length = 0

    def nodes(self) -> Iterator[str]:
        return iter(())

    def count(self, node_id: str) -> int:  # noqa: ARG002
        return 0

    def visits(self, node_id: str) -> int:  # noqa: ARG002
        return 0

    def result(self, node_id: str, index: int) -> NodeResult:
        raise IndexError(f"{node_id}[{index}]")

    def entries(self) -> Iterator[tuple[str, NodeResult]]:
        return iter(())


_NOTHING_BEFORE: Final[ContextSource] = _NothingBefore()


class _Log:
    """Results of a run in order, shared by all snapshots of its line; each sees its own first part of it.

    ``before``: what came before the first of them.
    """

    __slots__ = ("before", "by_node", "entries", "lock")

    def __init__(self, before: ContextSource = _NOTHING_BEFORE) -> None:
        self.before = before
        self.entries: list[tuple[str, NodeResult]] = []
        self.by_node: dict[str, list[int]] = {}
        self.lock = threading.Lock()


class NodeResults(Sequence[NodeResult]):
    """The results of one node, oldest first, as one snapshot sees them."""

    __slots__ = ("_before", "_count_before", "_entries", "_length", "_node_id", "_positions")

    def __init__(self, log: _Log, node_id: str, length: int) -> None:
        self._before = log.before
        self._count_before = log.before.count(node_id)
        self._node_id = node_id
        self._entries = log.entries
        self._positions = log.by_node.get(node_id, ())
        self._length = length

    def __len__(self) -> int:
        return self._count_before + self._length

    @overload
    def __getitem__(self, index: int) -> NodeResult: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[NodeResult]: ...
    def __getitem__(self, index: int | slice) -> NodeResult | Sequence[NodeResult]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        if index < self._count_before:
            return self._before.result(self._node_id, index)
        return self._entries[self._positions[index - self._count_before]][1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NodeResults):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # compared by content, which may hold lists


class Context(Mapping[str, Sequence[NodeResult]]):
    """Results by node: read-only, append by making the next one, without copying.

    All contexts of one line of steps share a log; each knows how much of it is its own. Appending to the
    newest is an append to the log; appending to an older one (a fork of history) copies its part first.
    A node that never ran has an empty sequence, not a KeyError. What a shell keeps elsewhere is read through a
    ContextSource, when it is asked for.
    """

    __slots__ = ("_length", "_log")

    def __init__(self) -> None:
        self._log = _Log()
        self._length = 0

    @classmethod
    def over(cls, source: ContextSource) -> Self:
        """The context whose results, so far, are all in a source."""
        return cls._view(_Log(source), 0)

    @classmethod
    def _view(cls, log: _Log, length: int) -> Self:
        context = cls.__new__(cls)
        context._log = log
        context._length = length
        return context

    def __getitem__(self, node_id: str) -> NodeResults:
        positions = self._log.by_node.get(node_id)
        return NodeResults(self._log, node_id, 0 if positions is None else self._count(positions))

    def __iter__(self) -> Iterator[str]:
        before = self._log.before
        yield from before.nodes()
        for node_id, positions in list(self._log.by_node.items()):
            if self._count(positions) and not before.count(node_id):
                yield node_id

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, node_id: object) -> bool:
        return isinstance(node_id, str) and self.visits(node_id) > 0

    def __repr__(self) -> str:
        return f"<Context of {self.length} results>"

    @property
    def length(self) -> int:
        """Number of results of all nodes."""
        return self._log.before.length + self._length

    def _count(self, positions: list[int]) -> int:
        # Nearly always the newest view asks, for which every position counts.
        if not positions or positions[-1] < self._length:
            return len(positions)
        low, high = 0, len(positions)
        while low < high:
            middle = (low + high) // 2
            if positions[middle] < self._length:
                low = middle + 1
            else:
                high = middle
        return low

    def _newest(self, node_id: str) -> NodeResult | None:
        """Newest result of a node in the log, or None when it has none there."""
        positions = self._log.by_node.get(node_id)
        if positions is None:
            return None
        position = positions[-1]
        if position >= self._length:
            # Not the newest view of the log: others have gone on since.
            count = self._count(positions)
            if count == 0:
                return None
            position = positions[count - 1]
        return self._log.entries[position][1]

    def last(self, node_id: str) -> NodeResult | None:
        """Newest result of a node, failed attempts included, or None."""
        newest = self._newest(node_id)
        if newest is None and self._log.before is not _NOTHING_BEFORE:
            before = self._log.before
            count = before.count(node_id)
            return before.result(node_id, count - 1) if count else None
        return newest

    def last_success(self, node_id: str) -> NodeResult | None:
        """Newest result of a node that has an output, or None. Looks past failed attempts, which are few."""
        newest = self.last(node_id)
        if newest is None or newest.error is None:
            return newest
        return next((result for result in reversed(self[node_id]) if result.error is None), None)

    def outputs(self, node_id: str) -> Sequence[JsonValue]:
        """Outputs of a node's successes, oldest first."""
        return [result.output for result in self[node_id] if result.succeeded]

    def visits(self, node_id: str) -> int:
        """How often the node has been entered and has left a result."""
        newest = self._newest(node_id)
        return newest.visit if newest is not None else self._log.before.visits(node_id)

    def entries(self) -> Iterator[tuple[str, NodeResult]]:
        """All results in the order they came about."""
        yield from self._log.before.entries()
        for position in range(self._length):
            yield self._log.entries[position]

    @property
    def newest(self) -> tuple[str, NodeResult] | None:
        """The result appended last to what the source holds, with its node; None when there is none."""
        return self._log.entries[self._length - 1] if self._length else None

    def appended(
        self,
        node_id: str,
        *,
        output: JsonValue,
        timestamp: int,
        attempt: int,
        error: str | None = None,
        error_type: str | None = None,
    ) -> Context:
        """The context with one more result; this one stays as it is."""
        before = self.visits(node_id)
        visit = visit_of(attempt, before)
        result = NodeResult(output, timestamp, attempt, error, error_type, visit)
        log, length = self._log, self._length
        # An empty context may be shared by many runs: the first result begins a log of the run's own.
        if length:
            with log.lock:
                if length == len(log.entries):
                    _append(log, node_id, result)
                    return Context._view(log, length + 1)
        own = _Log(log.before)
        for entry_id, entry in log.entries[:length]:
            _append(own, entry_id, entry)
        _append(own, node_id, result)
        return Context._view(own, length + 1)


def visit_of(attempt: int, visits_before: int) -> int:
    """The visit an attempt belongs to: the first attempt of an entry opens one, its later ones belong to it."""
    return visits_before + 1 if attempt == 1 or visits_before == 0 else visits_before


def _append(log: _Log, node_id: str, result: NodeResult) -> None:
    positions = log.by_node.get(node_id)
    if positions is None:
        positions = log.by_node[node_id] = []
    positions.append(len(log.entries))
    log.entries.append((node_id, result))


class ContextView(Mapping[str, Sequence[NodeResult]]):
    """A context as executors see it: what they read is a copy, so that nothing they do to it changes history.

    A node that never ran has an empty sequence, not a KeyError.
    """

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    def __getitem__(self, node_id: str) -> Sequence[NodeResult]:
        return _CopiedResults(self._context[node_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._context)

    def __len__(self) -> int:
        return len(self._context)

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._context

    def __repr__(self) -> str:
        return f"<results of {len(self)} nodes>"

    def last(self, node_id: str) -> NodeResult | None:
        """Newest result of a node, failed attempts included, or None."""
        return _copied(self._context.last(node_id))

    def last_success(self, node_id: str) -> NodeResult | None:
        """Newest result of a node that has an output, or None."""
        return _copied(self._context.last_success(node_id))

    def outputs(self, node_id: str) -> Sequence[JsonValue]:
        """Outputs of a node's successes, oldest first."""
        return [copy_json(output) for output in self._context.outputs(node_id)]


class _CopiedResults(Sequence[NodeResult]):
    """Results, each copied when it is asked for."""

    __slots__ = ("_results",)

    def __init__(self, results: Sequence[NodeResult]) -> None:
        self._results = results

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> NodeResult: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[NodeResult]: ...
    def __getitem__(self, index: int | slice) -> NodeResult | Sequence[NodeResult]:
        if isinstance(index, slice):
            return _CopiedResults(self._results[index])
        result = self._results[index]
        return result._replace(output=copy_json(result.output))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(result.timestamp for result in self._results))


def _copied(result: NodeResult | None) -> NodeResult | None:
    return None if result is None else result._replace(output=copy_json(result.output))
