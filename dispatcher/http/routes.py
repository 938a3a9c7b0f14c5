"""Every call there is: method, path, who may make it, and what answers it. One table, which OpenAPI is made from too.

What answers is loaded when the first such call comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from dispatcher.http.request import Request, Response

if TYPE_CHECKING:
    # For annotations alone: each of these is loaded by the call that needs it.
    from dispatcher.http.definitions import DefinitionRoutes
    from dispatcher.http.listing import ListingRoutes
    from dispatcher.http.operator import OperatorRoutes
    from dispatcher.http.runs import RunRoutes
    from dispatcher.http.service import ServiceRoutes


class Rooms(Protocol):
    """What answers, by subject."""

    @property
    def runs(self) -> RunRoutes:
        """Starts, shows and signals runs."""
        ...

    @property
    def operators(self) -> OperatorRoutes:
        """Holds, cancels, retries, forks and removes them."""
        ...

    @property
    def listings(self) -> ListingRoutes:
        """Lists runs, and what became of one."""
        ...

    @property
    def definitions(self) -> DefinitionRoutes:
        """Definitions and node types."""
        ...

    @property
    def service(self) -> ServiceRoutes:
        """Tells of the service itself."""
        ...


@dataclass(frozen=True, slots=True)
class Route:
    """One call.

    Args:
        method: in capitals.
        template: the path, its parameters in braces.
        answer: gives the answer.
        open: whether it is for everybody, with or without credentials.
    """

    method: str
    template: str
    answer: Callable[[Rooms, Request], Response]
    open: bool = False
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template) + "/?"
        object.__setattr__(self, "pattern", re.compile(pattern))


ROUTES: Final = (
    Route("POST", "/workflows/{name}/runs", lambda rooms, request: rooms.runs.start(request)),
    Route("GET", "/runs", lambda rooms, request: rooms.listings.runs(request)),
    Route("GET", "/runs/{id}", lambda rooms, request: rooms.runs.show(request)),
    Route("GET", "/runs/{id}/history", lambda rooms, request: rooms.listings.history(request)),
    Route("POST", "/runs/{id}/signals/{signal}", lambda rooms, request: rooms.runs.signal(request)),
    Route("POST", "/runs/{id}/resume", lambda rooms, request: rooms.runs.resume(request)),
    Route("POST", "/runs/{id}/pause", lambda rooms, request: rooms.operators.hold(request)),
    Route("POST", "/runs/{id}/cancel", lambda rooms, request: rooms.operators.cancel(request)),
    Route("POST", "/runs/{id}/retry", lambda rooms, request: rooms.operators.retry(request)),
    Route("POST", "/runs/{id}/fork", lambda rooms, request: rooms.operators.fork(request)),
    Route("DELETE", "/runs/{id}", lambda rooms, request: rooms.operators.remove(request)),
    Route("POST", "/webhooks/{token}", lambda rooms, request: rooms.runs.webhook(request), open=True),
    Route("GET", "/webhooks/{token}", lambda rooms, request: rooms.runs.describe_webhook(request), open=True),
    Route("GET", "/workflows", lambda rooms, request: rooms.definitions.all(request)),
    Route("GET", "/workflows/{name}", lambda rooms, request: rooms.definitions.show(request)),
    Route("PUT", "/workflows/{name}", lambda rooms, request: rooms.definitions.put(request)),
    Route("GET", "/node-types", lambda rooms, request: rooms.definitions.node_types(request)),
    Route("GET", "/openapi.json", lambda rooms, request: rooms.service.openapi(request)),
    Route("GET", "/health", lambda rooms, request: rooms.service.health(request), open=True),
)
