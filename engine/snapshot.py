"""The whole state of a run as one immutable value, and its wire format (Refluxo's, extended).

Owns the shape of the state and how it is written and read. It refuses to decide what comes next: that is
transition.py, the only module that makes the next snapshot of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from engine.context import Context, NodeResult
from engine.definition_ref import DefinitionRef
from engine.errors import InvalidSnapshot
from engine.json_value import Deferred, JsonObject, JsonValue, read_value
from engine.limits import SCHEMA_VERSION
from engine.outcome import DEFAULT_SIGNAL, Wait, counts_from_json, wait_from_json, wait_to_json


class Status(StrEnum):
    """Where a run stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    ERROR = "error"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in _TERMINAL


_TERMINAL: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


class RetryState(NamedTuple):
    """A failed attempt that will be repeated; only in status ``error``.

    ``attempts`` counts executions so far; ``counts`` the failures that each policy of an ordered list has
    answered; ``resumes`` the waits that ended within this visit.
    """

    node_id: str
    attempts: int
    next_retry_at_ms: int
    counts: tuple[int, ...] = ()
    resumes: int = 0


_NO_METADATA: Final[Mapping[str, JsonValue]] = MappingProxyType({})
_NO_RESULTS: Final = Context()


class Snapshot(NamedTuple):
    """The state of a run between two steps. Times are epoch milliseconds, durations milliseconds.

    A named tuple, for one is made on every step and a frozen dataclass of as many fields takes ten times as long
    to make. Name its fields; their order is no promise.
    """

    workflow_id: str
    status: Status
    current_node_id: str | None
    context: Context = _NO_RESULTS
    version: int = 0
    last_started_at: int = 0
    total_execution_time: int = 0
    metadata: Mapping[str, JsonValue] = _NO_METADATA
    retry_state: RetryState | None = None
    wait: Wait | None = None
    last_node_id: str | None = None
    definition: DefinitionRef | None = None
    input: JsonValue | Deferred = None
    tags: Mapping[str, str] | None = None
    tenant: str | None = None
    parent: Mapping[str, JsonValue] | None = None

    @property
    def output(self) -> JsonValue:
        """Output of the node executed last with success: the run's output, once it has ended."""
        if self.last_node_id is None:
            return None
        newest = self.context.last_success(self.last_node_id)
        return None if newest is None else newest.output

    @property
    def error(self) -> NodeResult | None:
        """The failed attempt because of which the run waits for a retry or has failed."""
        if self.status not in {Status.ERROR, Status.FAILED} or self.current_node_id is None:
            return None
        newest = self.context.last(self.current_node_id)
        return newest if newest is not None and not newest.succeeded else None

    @property
    def attempt(self) -> int:
        """Number of the attempt that the next execution of the current node will be; 1 is the first."""
        if self.retry_state is not None:
            return self.retry_state.attempts + 1
        return self.wait.attempt if self.wait is not None else 1

    @property
    def resumes(self) -> int:
        """Waits of the current visit that have ended when the current node is executed next."""
        if self.retry_state is not None:
            return self.retry_state.resumes
        return self.wait.resumes + 1 if self.wait is not None else 0

    @property
    def visit(self) -> int:
        """Number of the current entry into the current node; 1 is the first."""
        if self.current_node_id is None:
            return 0
        before = self.context.visits(self.current_node_id)
        return max(before, 1) if self.attempt > 1 else before + 1

    @property
    def due_at_ms(self) -> int | None:
        """When the run goes on by itself: a retry's time, a wait's end, or None."""
        if self.retry_state is not None:
            return self.retry_state.next_retry_at_ms
        return self.wait.due_at_ms if self.wait is not None else None

    def to_json(self, *, newest_only: bool = False) -> JsonObject:
        """The wire format. ``newest_only`` keeps one result of each node, as HTTP shows a run."""
        document = self.without_values()
        document["context"] = {
            node_id: [_result_to_json(result) for result in (results[-1:] if newest_only else results)]
            for node_id, results in self.context.items()
        }
        if self.input is not None:
            document["input"] = read_value(self.input)
        wait = document.get("wait")
        if self.wait is not None and self.wait.data is not None and isinstance(wait, dict):
            wait["data"] = read_value(self.wait.data)
        return document

    def without_values(self) -> JsonObject:
        """The wire format less what may be large: the context, the input, and what a wait shows.

        For a shell that keeps those elsewhere.
        """
        document: JsonObject = {
            "schemaVersion": SCHEMA_VERSION,
            "workflowId": self.workflow_id,
            "status": self.status.value,
            "currentNodeId": self.current_node_id,
            "context": {},
            "version": self.version,
            "lastStartedAt": self.last_started_at,
            "totalExecutionTime": self.total_execution_time,
            "metadata": dict(self.metadata),
        }
        if self.retry_state is not None:
            document["retryState"] = _retry_state_to_json(self.retry_state)
        if self.wait is not None:
            document["wait"] = wait_to_json(self.wait)
        if self.last_node_id is not None:
            document["lastNodeId"] = self.last_node_id
        if self.definition is not None:
            document["definition"] = {"name": self.definition.name, "version": self.definition.version}
        if self.tags is not None:
            document["tags"] = dict(self.tags)
        if self.tenant is not None:
            document["tenant"] = self.tenant
        if self.parent is not None:
            document["parent"] = dict(self.parent)
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, JsonValue]) -> Snapshot:
        """Reads the wire format, Refluxo's own snapshots included.

        Raises:
            InvalidSnapshot: a field is missing or of the wrong type (it is named), or the document is of a
                newer schema than this engine knows.
        """
        schema = document.get("schemaVersion", SCHEMA_VERSION)
        if not isinstance(schema, int) or schema > SCHEMA_VERSION:
            raise InvalidSnapshot(f"schemaVersion {schema!r} is newer than {SCHEMA_VERSION}: deploy newer code")
        context = _context_from_json(_mapping(document, "context"))
        status, node_id = _status(document), _optional_text(document, "currentNodeId")
        # Refluxo leaves the state of a retry in the snapshot of the pause that follows it; it is over by then.
        retry_state = _retry_state_from_json(document)
        attempts = retry_state.attempts if retry_state is not None and retry_state.node_id == node_id else 0
        return cls(
            workflow_id=_text(document, "workflowId"),
            status=status,
            current_node_id=node_id,
            context=context,
            version=_integer(document, "version"),
            last_started_at=_integer(document, "lastStartedAt", 0),
            total_execution_time=_integer(document, "totalExecutionTime", 0),
            metadata=_mapping(document, "metadata", {}),
            retry_state=None if status is Status.PAUSED and document.get("wait") is None else retry_state,
            wait=_wait_from_json(document, status, context.visits(node_id or ""), attempts),
            last_node_id=_optional_text(document, "lastNodeId") or _newest_node(context),
            definition=_definition_from_json(document),
            input=document.get("input"),
            tags=_tags_from_json(document),
            tenant=_optional_text(document, "tenant"),
            parent=_mapping(document, "parent") if document.get("parent") is not None else None,
        )


def _result_to_json(result: NodeResult) -> JsonValue:
    document: JsonObject = {"output": result.output, "timestamp": result.timestamp, "attempt": result.attempt}
    if result.error is not None:
        document["error"] = result.error
    if result.error_type is not None:
        document["errorType"] = result.error_type
    return document


def _retry_state_to_json(state: RetryState) -> JsonObject:
    document: JsonObject = {
        "nodeId": state.node_id,
        "attempts": state.attempts,
        "nextRetryAt": state.next_retry_at_ms,
    }
    if state.counts:
        document["counts"] = list(state.counts)
    if state.resumes:
        document["resumes"] = state.resumes
    return document


def _retry_state_from_json(document: Mapping[str, JsonValue]) -> RetryState | None:
    if document.get("retryState") is None:
        return None
    state = _mapping(document, "retryState")
    return RetryState(
        node_id=_text(state, "nodeId", "retryState."),
        attempts=_integer(state, "attempts", prefix="retryState."),
        next_retry_at_ms=_integer(state, "nextRetryAt", 0, prefix="retryState."),
        counts=counts_from_json(state.get("counts"), "retryState.counts"),
        resumes=_integer(state, "resumes", 0, prefix="retryState."),
    )


def _wait_from_json(document: Mapping[str, JsonValue], status: Status, visits: int, attempts: int) -> Wait | None:
    if document.get("wait") is not None:
        return wait_from_json(_mapping(document, "wait"))
    if status is not Status.PAUSED:
        return None
    # Refluxo writes no more of a wait than the status: it ends with a resume.
    visit = max(visits, 1) if attempts else visits + 1
    return Wait(DEFAULT_SIGNAL, None, "timeout", visit=visit, attempt=attempts + 1, resumes=0)


def _definition_from_json(document: Mapping[str, JsonValue]) -> DefinitionRef | None:
    if document.get("definition") is None:
        return None
    reference = _mapping(document, "definition")
    return DefinitionRef(_text(reference, "name", "definition."), _text(reference, "version", "definition."))


def _tags_from_json(document: Mapping[str, JsonValue]) -> Mapping[str, str] | None:
    if document.get("tags") is None:
        return None
    tags = _mapping(document, "tags")
    return {name: _text(tags, name, "tags.") for name in tags}


def _context_from_json(document: Mapping[str, JsonValue]) -> Context:
    # Results keep their order within a node, whatever a skewed clock wrote; between nodes the time decides,
    # and the document's own order where times are equal.
    found: list[tuple[int, int, str, Mapping[str, JsonValue]]] = []
    for node_id, results in document.items():
        if not isinstance(results, list):
            raise InvalidSnapshot(f"context.{node_id} must be a list of results")
        latest = 0
        for index, result in enumerate(results):
            if not isinstance(result, dict):
                raise InvalidSnapshot(f"context.{node_id}[{index}] must be an object")
            timestamp = _integer(result, "timestamp", 0, prefix=f"context.{node_id}[{index}].")
            latest = max(latest, timestamp)
            found.append((latest, timestamp, node_id, result))
    found.sort(key=lambda entry: entry[0])
    context = Context()
    for _, timestamp, node_id, entry in found:
        context = context.appended(
            node_id,
            output=entry.get("output"),
            timestamp=timestamp,
            attempt=_integer(entry, "attempt", 1),
            error=_optional_text(entry, "error"),
            error_type=_optional_text(entry, "errorType"),
        )
    return context


def _newest_node(context: Context) -> str | None:
    node_id = None
    for entry_id, result in context.entries():
        if result.succeeded:
            node_id = entry_id
    return node_id


def _status(document: Mapping[str, JsonValue]) -> Status:
    try:
        return Status(_text(document, "status"))
    except ValueError:
        names = ", ".join(status.value for status in Status)
        raise InvalidSnapshot(f"status is {document.get('status')!r}; it must be one of {names}") from None


def _text(document: Mapping[str, JsonValue], name: str, prefix: str = "") -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise InvalidSnapshot(f"{prefix}{name} is {value!r}; it must be text")
    return value


def _optional_text(document: Mapping[str, JsonValue], name: str) -> str | None:
    return None if document.get(name) is None else _text(document, name)


def _integer(document: Mapping[str, JsonValue], name: str, default: int | None = None, *, prefix: str = "") -> int:
    value = document.get(name, default)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidSnapshot(f"{prefix}{name} is {value!r}; it must be a whole number")
    return value


def _mapping(
    document: Mapping[str, JsonValue], name: str, default: Mapping[str, JsonValue] | None = None
) -> Mapping[str, JsonValue]:
    value = document.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, dict):
        raise InvalidSnapshot(f"{name} is {type(value).__name__}; it must be an object")
    return value
