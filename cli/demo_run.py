"""One run of the demo as it is seen from outside, and what of it is worth telling.

Owns the words. It is given what ``GET /runs/{id}`` and ``GET /runs/{id}/history`` answer, and asks for nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from cli.demo_examples import Example
from cli.moments import clock, length
from cli.plain_text import plain, plain_json

Tone: TypeAlias = Literal["done", "wait", "retry", "call", "wrong"]
"""What kind of thing happened; a screen has a mark and a colour for each."""

TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})

_ERROR_CHARACTERS_MAX: Final = 110
_OUTPUT_CHARACTERS_MAX: Final = 120


@dataclass(frozen=True, slots=True)
class Happening:
    """Something worth telling. ``at_ms``: epoch milliseconds; ``workflow``: whose run it is of."""

    at_ms: int
    workflow: str
    tone: Tone
    text: str


@dataclass(slots=True)
class DemoRun:
    """A run that is followed. ``workflow_id`` is None until it has been started."""

    example: Example
    workflow_id: str | None = None
    document: Mapping[str, object] = field(default_factory=dict)
    version: int = 0
    """Up to which version the history has been read."""
    steps: int = 0
    attempts: int = 0
    retries: int = 0
    started_at_ms: int = 0
    last_at_ms: int = 0
    end_told: bool = False

    @property
    def status(self) -> str:
        """The run's status as the API calls it; ``-`` before it has been started."""
        return str(self.document.get("status", "-"))

    @property
    def ended(self) -> bool:
        """Whether it has ended, and all of its history has been read."""
        return self.status in TERMINAL and self.version >= _number(self.document, "version")

    @property
    def went_well(self) -> bool:
        """Whether it completed with the output that the example expects."""
        output = self.document.get("output")
        if self.status != "completed" or not isinstance(output, Mapping):
            return False
        return all(output.get(name) == value for name, value in self.example.expects.items())

    def seconds(self, now_ms: int) -> float:
        """How long it has taken, or takes already."""
        if self.workflow_id is None:
            return 0.0
        return max((self.last_at_ms if self.ended else now_ms) - self.started_at_ms, 0) / 1000

    def waits_for(self, now_ms: int) -> str:
        """What it waits for now, in few words; empty when it does not."""
        if self.workflow_id is None:
            return "a file"
        wait, retry = _mapping(self.document.get("wait")), _mapping(self.document.get("retryState"))
        if self.status == "error":
            return f"attempt {_number(retry, 'attempts') + 1}, {_left(_number(retry, 'nextRetryAt'), now_ms)}"
        if self.status != "paused":
            return ""
        signal = wait.get("signal")
        return f"signal {plain(signal)}" if signal is not None else f"its hour, {_left(_number(wait, 'dueAt'), now_ms)}"

    def begin(self, workflow_id: str, at_ms: int) -> None:
        """It has been started."""
        self.workflow_id = workflow_id
        self.started_at_ms = self.last_at_ms = at_ms

    def take(self, document: Mapping[str, object], entries: Sequence[Mapping[str, object]]) -> Iterator[Happening]:
        """Takes what is new: the document, then the entries of the history after those taken before.

        Entries newer than the document are left for the next time: only the document says how long a wait is.
        """
        self.document = document
        for entry in entries:
            version = _number(entry, "version")
            if not self.version < version <= _number(document, "version"):
                continue
            self.version = version
            self.last_at_ms = _number(entry, "at")
            self._count(entry)
            told = self._told(entry)
            if told is not None:
                yield self._happening(*told)
        if self.ended and not self.end_told:
            self.end_told = True
            yield self._end()

    def _count(self, entry: Mapping[str, object]) -> None:
        if "attempt" not in entry:
            return
        self.attempts += 1
        self.steps += entry.get("kind") == "succeeded"
        self.retries += entry.get("kind") == "rescheduled"

    def _told(self, entry: Mapping[str, object]) -> tuple[Tone, str] | None:
        node = plain(entry.get("nodeId"))
        newest = _number(entry, "version") == _number(self.document, "version")
        match entry.get("kind"):
            case "rescheduled":
                due_ms = _number(_mapping(self.document.get("retryState")), "nextRetryAt") if newest else 0
                again = f", again in {length(due_ms - self.last_at_ms)}" if due_ms else ""
                return "retry", f"{node} failed{again}: {_error(entry)}"
            case "caught":
                return "retry", f"{node} failed, goes another way: {_error(entry)}"
            case "failed":
                return "wrong", f"{node}: {_error(entry)}"
            case "paused":
                return "wait", f"{node}: {self._wait_text(newest=newest)}"
            case "succeeded":
                text = _success(entry)
                return None if text is None else ("done", f"{node}: {text}")
            case _:
                return None

    def _wait_text(self, *, newest: bool) -> str:
        wait = _mapping(self.document.get("wait")) if newest else {}
        if wait.get("signal") is not None:
            return f"waits for signal {plain(wait['signal'])}, nothing runs"
        due_ms = _number(wait, "dueAt")
        if 0 < due_ms <= self.last_at_ms:
            return "its hour has passed: it is caught up with"
        return f"sleeps until {clock(due_ms, self.last_at_ms)}, nothing runs" if due_ms else "waits, nothing runs"

    def _end(self) -> Happening:
        if self.went_well:
            return self._happening("done", f"completed: {plain_json(self.document['output'], _OUTPUT_CHARACTERS_MAX)}")
        return self._happening("wrong", f"{self.status}, and should not have: {self.outcome}")

    @property
    def outcome(self) -> str:
        """Its output, or why there is none, on one line."""
        if self.status == "completed":
            return plain_json(self.document.get("output"))
        errors = [
            str(result["error"])
            for results in _mapping(self.document.get("context")).values()
            for result in (results if isinstance(results, list) else [])
            if isinstance(result, Mapping) and result.get("error") is not None
        ]
        return plain(errors[-1]) if errors else self.status

    def _happening(self, tone: Tone, text: str) -> Happening:
        return Happening(self.last_at_ms, self.example.workflow, tone, text)


def _success(entry: Mapping[str, object]) -> str | None:
    """What is worth telling of a step that succeeded, if anything is."""
    resumed_by, attempt = entry.get("resumedBy"), entry.get("attempt")
    if resumed_by is not None:
        return {"signal": "the answer is here", "timer": "awake", "timeout": "nobody answered"}.get(str(resumed_by))
    return f"attempt {attempt} did it" if isinstance(attempt, int) and attempt > 1 else None


def _error(entry: Mapping[str, object]) -> str:
    return plain(entry.get("error"), _ERROR_CHARACTERS_MAX)


def _left(due_ms: int, now_ms: int) -> str:
    return length(due_ms - now_ms) if due_ms > now_ms else "now"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _number(document: Mapping[str, object], name: str) -> int:
    value = document.get(name)
    return value if isinstance(value, int) else 0
