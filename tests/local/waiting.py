"""Waiting in real time, for tests of what really runs: asks again and again, and gives up loudly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tests.local.http import SECONDS_MAX, call

_T = TypeVar("_T")


def until(ask: Callable[[], _T], reached: Callable[[_T], bool] = bool) -> _T:
    """The first answer that is as wanted."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        answer = ask()
        if reached(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"after {SECONDS_MAX} seconds still {answer!r}")
        threading.Event().wait(0.05)


def until_run(url: str, run: str, reached: Callable[[Any], bool]) -> Any:
    """The run as soon as it is as wanted, asked over HTTP."""
    return until(lambda: call(f"{url}/runs/{run}")[1], reached)


def until_status(url: str, run: str, status: str) -> Any:
    """The run as soon as it has that status."""
    return until_run(url, run, lambda document: document.get("status") == status)
