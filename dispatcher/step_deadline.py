"""Stops a step that takes too long, while there is still time to record that it did."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_AGAIN_AFTER_SECONDS = 1.0


class StepTimedOut(Exception):
    """The step was stopped at its deadline."""


@contextmanager
def step_deadline(seconds: float | None) -> Iterator[None]:
    """Raises StepTimedOut in whatever runs inside, once the time is over, and again each second after.

    By a timer of the process (``setitimer``), which interrupts Python code and most calls that wait. Only the main
    thread can be interrupted, which is where Lambda calls a handler; elsewhere nothing is stopped. None: no limit.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: object) -> NoReturn:
        raise StepTimedOut(f"the step was stopped after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), _AGAIN_AFTER_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
