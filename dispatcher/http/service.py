"""The calls about the service itself: whether it is well, and what it takes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from dispatcher.errors import DispatchError
from dispatcher.front_door import FrontDoor
from dispatcher.http.request import Request, Response, response_of
from dispatcher.ports import RunStore, StepQueue
from engine.json_value import JsonObject, JsonValue

_LOG: Final = logging.getLogger("refluxo.http")


class ServiceRoutes:
    """Answers who looks after the service."""

    def __init__(
        self, front_door: FrontDoor, store: RunStore, queue: StepQueue, document: Callable[[], JsonObject]
    ) -> None:
        self._front_door = front_door
        self._store = store
        self._queue = queue
        self._document = document

    def health(self, _request: Request) -> Response:
        """Whether table and queue answer, and whether runs are overdue."""
        parts: JsonObject = {}
        for name, check in (("table", self._store.check), ("queue", self._queue.check)):
            try:
                check()
                parts[name] = "ok"
            except DispatchError as error:
                _LOG.warning("unhealthy", extra={"part": name, "reason": str(error)})
                parts[name] = "unreachable"
        well = all(part == "ok" for part in parts.values())
        overdue: JsonValue = self._front_door.overdue() if parts["table"] == "ok" else None
        status = "ok" if well and not overdue else "degraded"
        return response_of(200 if well else 503, {"status": status, **parts, "overdueRuns": overdue})

    def openapi(self, _request: Request) -> Response:
        """Every call, for generators of clients and for people."""
        return response_of(200, self._document())
