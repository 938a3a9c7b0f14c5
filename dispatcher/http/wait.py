"""Waits a little for a run, for callers who would rather have its output than its address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dispatcher.errors import DispatchError
from dispatcher.head import Head
from dispatcher.http.problems import RequestFault
from dispatcher.http.request import Request
from dispatcher.limits import (
    WAIT_FIRST_PAUSE_MS,
    WAIT_PAUSE_GROWTH,
    WAIT_PAUSE_MAX_MS,
    WAIT_RESERVE_MS,
    WAIT_SECONDS_MAX,
)
from engine.errors import Fault

_PARAMETER: Final = "wait"


def wait_seconds(request: Request) -> int:
    """How long the caller would wait; 0 when nothing is said.

    Raises:
        RequestFault: it is no number of seconds that can be waited for.
    """
    text = request.query.get(_PARAMETER) or "0"
    if text.isascii() and text.isdecimal() and len(text) <= len(str(WAIT_SECONDS_MAX)):
        seconds = int(text)
        if seconds <= WAIT_SECONDS_MAX:
            return seconds
    fault = Fault(
        f"query.{_PARAMETER}", f"{text!r} is not valid; it must be a whole number of seconds up to {WAIT_SECONDS_MAX}"
    )
    raise RequestFault(400, "the query cannot be read", [fault])


@dataclass(frozen=True, slots=True)
class Patience:
    """Looks at a run again and again. ``show`` reads a head strongly, ``pause_ms`` lets time pass."""

    show: Callable[[str], Head]
    now_ms: Callable[[], int]
    pause_ms: Callable[[int], None]

    def head_in_time(self, request: Request, workflow_id: str, seconds: int) -> Head | None:
        """The run once it has ended, or as it is when waiting any longer is of no use.

        None when it could not be looked at: it has been started all the same.
        """
        until_ms = self.now_ms() + seconds * 1000
        if request.ends_at_ms is not None:
            until_ms = min(until_ms, request.ends_at_ms - WAIT_RESERVE_MS)
        pause_ms = float(WAIT_FIRST_PAUSE_MS)
        try:
            while True:
                head, now_ms = self.show(workflow_id), self.now_ms()
                if _rests(head, until_ms) or now_ms >= until_ms:
                    return head
                self.pause_ms(min(round(pause_ms), until_ms - now_ms))
                pause_ms = min(pause_ms * WAIT_PAUSE_GROWTH, WAIT_PAUSE_MAX_MS)
        except DispatchError:
            return None


def _rests(head: Head, until_ms: int) -> bool:
    """Whether nothing will happen before that time unless somebody makes it happen."""
    snapshot = head.snapshot
    if snapshot.status.terminal or head.hold is not None:
        return True
    if snapshot.wait is None and snapshot.retry_state is None:
        return False
    return snapshot.due_at_ms is None or snapshot.due_at_ms > until_ms
