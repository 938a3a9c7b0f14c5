"""The real HTTP API over memory, served on a port of this machine: what the command talks to in its tests.

Time is virtual and moves when somebody asks: each request lets a second pass first, with all that happens meanwhile.
So whoever watches a run sees each of its states, and nobody waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from dispatcher.handler import handle
from engine import Registry
from local import LocalRunner
from local.front import Front

SECOND_MS = 1000


class Context:
    """What Lambda tells a function."""

    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        """Enough."""
        return 30_000


@dataclass(slots=True)
class Service(AbstractContextManager["Service"]):
    """A deployment that answers at ``url``.

    Args:
        registry: its workflows.
        before: called with each event before it is answered; what it returns, if anything, is the answer.
        pace_ms: how much time each request lets pass.
    """

    registry: Registry
    before: Callable[[Mapping[str, object]], Mapping[str, object] | None] = lambda _: None
    pace_ms: int = SECOND_MS
    events: list[Mapping[str, object]] = field(default_factory=list)
    runner: LocalRunner = field(init=False)
    _front: Front = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.runner = LocalRunner(self.registry)
        self._front = Front(self._answer)

    @property
    def url(self) -> str:
        """Its address."""
        return self._front.url

    def change_settings(self, **settings: object) -> None:
        """As a new deployment would, over the same table."""
        self.runner._settings = replace(self.runner._settings, **settings)  # type: ignore[arg-type]
        self.runner._outside = self.runner._new_app(mortal=False)
        self.runner._process = self.runner._new_app(mortal=True)

    def __enter__(self) -> Self:
        self._front.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._front.__exit__(kind, error, trace)

    def _answer(self, event: Mapping[str, object]) -> Mapping[str, object]:
        with self._lock:
            self.events.append(event)
            answer = self.before(event)
            if answer is not None:
                return answer
            self.runner.advance(self.pace_ms)
            response = handle(self.runner.app, event, Context())
            assert isinstance(response, dict)
            return response


def when_looked_at(times: int, act: Callable[[], object]) -> Callable[[Mapping[str, object]], None]:
    """What a service does before it answers: something, once, at the given request from now on."""
    left = iter(range(times - 1, -1, -1))

    def before(_: Mapping[str, object]) -> None:
        if next(left, None) == 0:
            act()

    return before
