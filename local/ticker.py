"""EventBridge's schedule on a laptop: calls the sweep once a period, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Self

_LOG: Final = logging.getLogger("refluxo.local")


class Ticker:
    """Calls ``tick`` every ``period_seconds``. What it raises is logged; the next tick comes all the same."""

    def __init__(self, tick: Callable[[], object], *, period_seconds: float = 60) -> None:
        self._tick = tick
        self._period_seconds = period_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self._period_seconds):
            try:
                self._tick()
            except Exception:  # noqa: BLE001  (the next tick is another chance)
                _LOG.exception("the sweep failed")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=20)
