"""What an executor may report, and what a step then comes to: values, never flags or exceptions.

``Output`` and ``Pause`` are what users return. The past participles are what the engine makes of it; they
are consumed by one ``match`` in transition.py. These are named tuples: one is made on every step, and an import
makes seven of them in the time of one dataclass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias

from engine.definition_ref import DefinitionRef
from engine.errors import InvalidSnapshot, WorkflowFailure
from engine.json_value import Deferred, JsonObject, JsonValue
from engine.limits import ERROR_CHARACTERS_MAX, RETRY_AFTER_MS_MAX

DEFAULT_SIGNAL = "resume"
"""Name of the signal a wait has when it names none (Refluxo's resume)."""


class Output(NamedTuple):
    """A step's result, and the handle by which the run goes on (None: the edge without a handle)."""

    data: object = None
    next_handle: str | None = None


class Pause(NamedTuple):
    """Asks the run to wait; the same node is executed again when the wait ends.

    Args:
        signal: name of the signal waited for; ``resume`` when there is neither a name nor ``until``.
        timeout: how long to wait at most, in milliseconds or as a timedelta; then ``step.resumed.by`` is
            ``timeout``.
        heartbeat: how long the other side may stay silent.
        until: a moment, epoch milliseconds or an aware datetime, or a timedelta from now; then
            ``step.resumed.by`` is ``timer``.
        data: anything to show to whoever looks at the paused run.
    """

    signal: str | None = None
    timeout: int | timedelta | None = None
    heartbeat: int | timedelta | None = None
    until: int | datetime | timedelta | None = None
    data: object = None


class Resumed(NamedTuple):
    """Why a waiting step is executed again."""

    by: Literal["signal", "timeout", "timer", "operator"]
    signal: str | None = None
    payload: JsonValue = None


class Wait(NamedTuple):
    """A pause as the snapshot keeps it."""

    signal: str | None
    due_at_ms: int | None
    by: Literal["timeout", "timer"]
    visit: int
    attempt: int
    resumes: int
    heartbeat_ms: int | None = None
    counts: tuple[int, ...] = ()
    data: JsonValue | Deferred = None


class StepError:
    """A failure as data: its type, its message, and the names of the types it is a kind of.

    ``retry_after_ms``: how long whoever failed asks to be left alone, milliseconds; 0 when nothing is asked. Two are
    equal whose type and message are: a snapshot keeps no more.
    """

    __slots__ = ("lineage", "message", "retry_after_ms", "type")

    def __init__(
        self,
        type: str,  # noqa: A002
        message: str,
        lineage: frozenset[str] = frozenset(),
        retry_after_ms: int = 0,
    ) -> None:
        self.type = type
        self.message = message
        self.lineage = lineage
        self.retry_after_ms = retry_after_ms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StepError) and (self.type, self.message) == (other.type, other.message)

    def __hash__(self) -> int:
        return hash((self.type, self.message))

    def __repr__(self) -> str:
        return f"StepError(type={self.type!r}, message={self.message!r}, lineage={self.lineage!r})"

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"

    @classmethod
    def of(cls, error: BaseException) -> StepError:
        """Describes a raised error; ``Exception`` and ``BaseException`` count as names too.

        Its attribute ``retry_after_ms``, if it has one, is how long to wait before the next attempt at least.
        """
        if isinstance(error, WorkflowFailure):
            return cls.named(error.error, error.message)
        name = type(error).__name__
        lineage = frozenset(base.__name__ for base in type(error).__mro__ if base is not object)
        return cls(name, _text_of(error), lineage, _retry_after_ms(error))

    @classmethod
    def named(cls, name: str, message: str) -> StepError:
        """Describes a failure that no exception stands for."""
        return cls(name, message, frozenset({name, "Exception"}))


def _retry_after_ms(error: BaseException) -> int:
    try:
        asked: object = getattr(error, "retry_after_ms", None)
    except Exception:  # noqa: BLE001  (an attribute may be a property that fails: the error is the same without it)
        return 0
    # Anything but a number asks for nothing; so does what is no number of milliseconds, NaN among it.
    if isinstance(asked, bool) or not isinstance(asked, int | float) or not asked > 0:
        return 0
    return math.ceil(min(asked, RETRY_AFTER_MS_MAX))


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001  (an error that cannot be read is one all the same)
        text = f"its message cannot be read: {type(broken).__name__}"
    if len(text) > ERROR_CHARACTERS_MAX:
        text = f"{text[:ERROR_CHARACTERS_MAX]} ... ({len(text)} characters in all)"
    # A lone surrogate, which names of files may hold, could be neither stored nor sent.
    return text.encode("utf-8", "replace").decode()


class Advanced(NamedTuple):
    """The step succeeded and an edge leads on."""

    output: JsonValue
    next_node_id: str


class Completed(NamedTuple):
    """The step succeeded and no edge leads on: the run has ended well."""

    output: JsonValue


class Suspended(NamedTuple):
    """The step asked to wait."""

    wait: Wait


class Rescheduled(NamedTuple):
    """The attempt failed and a retry policy allows another one."""

    error: StepError
    retry_at_ms: int
    counts: tuple[int, ...]


class Caught(NamedTuple):
    """The step failed for good and a catch edge leads on."""

    error: StepError
    next_node_id: str


class Failed(NamedTuple):
    """The step failed for good and with it the run."""

    error: StepError


class Cancelled(NamedTuple):
    """An operator, or a parent run, ended the run."""

    reason: str


class Retried(NamedTuple):
    """An operator takes a failed run back to its failed node, to the visit that failed.

    ``resumes``: waits that had ended in that visit. ``definition``: the one the run goes on with, if another.
    """

    resumes: int = 0
    definition: DefinitionRef | None = None


Outcome: TypeAlias = Advanced | Completed | Suspended | Rescheduled | Caught | Failed | Cancelled | Retried


def wait_from_json(document: Mapping[str, JsonValue]) -> Wait:
    """Reads the wire form of a wait (see :func:`wait_to_json`).

    Raises:
        InvalidSnapshot: a field is of the wrong type; it is named.
    """
    signal, by = document.get("signal"), document.get("by", "timeout")
    if signal is not None and not isinstance(signal, str):
        raise InvalidSnapshot(f"wait.signal is {signal!r}; it must be text")
    if not isinstance(by, str) or by not in {"timeout", "timer"}:
        raise InvalidSnapshot(f"wait.by is {by!r}; it must be timeout or timer")
    return Wait(
        signal=signal,
        due_at_ms=_count(document.get("dueAt"), "wait.dueAt"),
        by="timer" if by == "timer" else "timeout",
        visit=_count(document.get("visit", 1), "wait.visit") or 1,
        attempt=_count(document.get("attempt", 1), "wait.attempt") or 1,
        resumes=_count(document.get("resumes", 0), "wait.resumes") or 0,
        heartbeat_ms=_count(document.get("heartbeatMs"), "wait.heartbeatMs"),
        counts=counts_from_json(document.get("counts"), "wait.counts"),
        data=document.get("data"),
    )


def counts_from_json(value: JsonValue, path: str) -> tuple[int, ...]:
    """Reads the failures that each retry policy has answered; empty when there is nothing.

    Raises:
        InvalidSnapshot: it is no list of whole numbers.
    """
    if not isinstance(value, list | None):
        raise InvalidSnapshot(f"{path} is {value!r}; it must be a list of whole numbers")
    return tuple(_count(item, path) or 0 for item in value or ())


def wait_to_json(wait: Wait) -> JsonObject:
    """The wire form of a wait, less its ``data``; what says nothing is left out."""
    document: JsonObject = {
        "signal": wait.signal,
        "by": wait.by,
        "visit": wait.visit,
        "attempt": wait.attempt,
        "resumes": wait.resumes,
    }
    if wait.due_at_ms is not None:
        document["dueAt"] = wait.due_at_ms
    if wait.heartbeat_ms is not None:
        document["heartbeatMs"] = wait.heartbeat_ms
    if wait.counts:
        document["counts"] = list(wait.counts)
    return document


def _count(value: JsonValue, path: str) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | None):
        raise InvalidSnapshot(f"{path} is {value!r}; it must be a whole number")
    return value
