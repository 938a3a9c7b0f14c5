"""EventBridge's schedule on a laptop: calls a function once a period, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Self

STOP_SECONDS: Final = 2.0
"""How long the end of the stack waits for what is under way: a step that is cut short is executed again."""

_LOG: Final = logging.getLogger("refluxo.local")


class Ticker:
    """Calls ``tick`` every ``period_seconds``. What it raises is logged; the next tick comes all the same.

    ``name``: what is ticking, for the log and the thread.
    """

    def __init__(self, tick: Callable[[], object], *, name: str = "sweep", period_seconds: float = 60) -> None:
        self._tick = tick
        self._period_seconds = period_seconds
        self._stop = threading.Event()
        self._name = name
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self._period_seconds):
            try:
                self._tick()
            except Exception:  # noqa: BLE001  (the next tick is another chance)
                _LOG.exception("the %s failed", self._name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ticks no more; does not wait for a tick that is under way."""
        self._stop.set()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(STOP_SECONDS)
