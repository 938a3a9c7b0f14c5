"""The HTTP API: finds what answers a request, and makes an answer of whatever happens. The calls are http_routes'.

A route reads its request, makes one call and shapes the answer; errors are problems.py's.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, urlsplit

from dispatcher.archive import Archive
from dispatcher.catalog import Catalog
from dispatcher.front_door import FrontDoor
from dispatcher.http.cors import Cors
from dispatcher.http.event import read_request
from dispatcher.http.problems import RequestFault, problem_of, status_of
from dispatcher.http.request import Request, Response, empty_response, headers_of, response_of, with_header
from dispatcher.http.routes import ROUTES, Route
from dispatcher.http.tenancy import Tenancy
from dispatcher.messages import valid_run_id
from dispatcher.operator_calls import OperatorCalls
from dispatcher.ports import RunStore, StepQueue
from engine.errors import Fault
from engine.json_value import JsonObject
from engine.naming import valid_name

if TYPE_CHECKING:
    # For annotations alone: each of these is loaded by the call that needs it.
    from dispatcher.http.definitions import DefinitionRoutes
    from dispatcher.http.listing import ListingRoutes
    from dispatcher.http.operator import OperatorRoutes
    from dispatcher.http.runs import RunRoutes
    from dispatcher.http.service import ServiceRoutes

_LOG: Final = logging.getLogger("refluxo.http")


class RemainingTime(Protocol):
    """What the API asks of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the platform stops this invocation."""
        ...


@dataclass(frozen=True, kw_only=True)
class AnsweringRooms:
    """What answers, each part made by the first call that needs it."""

    front_door: FrontDoor
    operator_calls: OperatorCalls
    archive: Archive
    catalog: Catalog
    store: RunStore
    queue: StepQueue
    now_ms: Callable[[], int]
    pause_ms: Callable[[int], None]

    @cached_property
    def runs(self) -> RunRoutes:
        """See Rooms."""
        from dispatcher.http.runs import RunRoutes  # noqa: PLC0415  (loaded when used, as are those below)
        from dispatcher.http.wait import Patience  # noqa: PLC0415

        patience = Patience(self.front_door.show, self.now_ms, self.pause_ms)
        return RunRoutes(self.front_door, self.operator_calls, patience)

    @cached_property
    def operators(self) -> OperatorRoutes:
        """See Rooms."""
        from dispatcher.http.operator import OperatorRoutes  # noqa: PLC0415

        return OperatorRoutes(self.operator_calls)

    @cached_property
    def listings(self) -> ListingRoutes:
        """See Rooms."""
        from dispatcher.http.listing import ListingRoutes  # noqa: PLC0415

        return ListingRoutes(self.store, self.archive)

    @cached_property
    def definitions(self) -> DefinitionRoutes:
        """See Rooms."""
        from dispatcher.http.definitions import DefinitionRoutes  # noqa: PLC0415

        return DefinitionRoutes(self.catalog)

    @cached_property
    def service(self) -> ServiceRoutes:
        """See Rooms."""
        from dispatcher.http.service import ServiceRoutes  # noqa: PLC0415

        return ServiceRoutes(self.front_door, self.store, self.queue, _openapi)


def _openapi() -> JsonObject:
    from dispatcher.http.openapi import openapi_document  # noqa: PLC0415  (one call needs it)

    return openapi_document()


class HttpApi:
    """Answers API Gateway events.

    Args:
        rooms: what answers.
        public_url: the API's address as callers see it; its path stands before every path of an event.
        cors_origins: origins of the web pages that may call, or ``*``.
        tenant_claim: the claim of a caller's token that names a tenant.
    """

    def __init__(
        self, rooms: AnsweringRooms, *, public_url: str, cors_origins: Sequence[str], tenant_claim: str | None
    ) -> None:
        self._rooms = rooms
        self._prefix = urlsplit(public_url).path.rstrip("/")
        self._cors = Cors(cors_origins)
        self._tenancy = Tenancy(tenant_claim, rooms.front_door.show)

    def handle(self, event: Mapping[str, object], context: RemainingTime | None = None) -> Response:
        """Answers one event; never raises, whatever the event holds."""
        request = read_request(event, prefix=self._prefix)
        try:
            if context is not None:
                ends_at_ms = self._rooms.now_ms() + context.get_remaining_time_in_millis()
                request = replace(request, ends_at_ms=ends_at_ms)
            response = self._answer(request)
        except Exception as error:  # noqa: BLE001  (the last place that can turn an error into an answer)
            response = _problem(error)
        location = headers_of(response).get("location")
        if location is not None and self._prefix:
            response = with_header(response, "location", self._prefix + location)
        if request.method == "HEAD":
            response = {**response, "body": ""}
        return self._cors.applied(response, request.headers)

    def _answer(self, request: Request) -> Response:
        found = [(route, match) for route in ROUTES if (match := route.pattern.fullmatch(request.path)) is not None]
        if not found:
            raise RequestFault(404, f"there is nothing at {request.method} {request.path}; see GET /openapi.json")
        # HEAD is a GET whose answer is not told.
        method = "GET" if request.method == "HEAD" else request.method
        for route, match in found:
            if route.method == method:
                parameters = {name: unquote(value) for name, value in match.groupdict().items()}
                return self._answer_by(route, replace(request, parameters=parameters))
        allowed = ", ".join(_methods(route for route, _ in found))
        if request.method == "OPTIONS":
            return empty_response(204, {"allow": allowed, **self._cors.preflight(allowed, request.headers)})
        problem = _problem(RequestFault(405, f"{request.path} takes {allowed}"))
        return with_header(problem, "allow", allowed)

    def _answer_by(self, route: Route, request: Request) -> Response:
        _check_parameters(request.parameters)
        if not route.open:
            request = self._tenancy.admitted(request)
            self._tenancy.check_run(request)
        return route.answer(self._rooms, request)


def _problem(error: Exception) -> Response:
    status = status_of(error)
    response = response_of(status, problem_of(error), content_type="application/problem+json")
    if status >= 500:  # noqa: PLR2004
        # The answer does not say what it was: it may tell a stranger of our resources.
        _LOG.error("%s", "unexpected error" if status == 500 else "not now", exc_info=error)  # noqa: PLR2004
        response = with_header(response, "retry-after", "5")
    return response


def _methods(routes: Iterable[Route]) -> Iterator[str]:
    for route in routes:
        yield route.method
        if route.method == "GET":
            yield "HEAD"
    yield "OPTIONS"


# A token carries its own check: base64url parts and a dot.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,2048}\.[A-Za-z0-9_-]{1,128}")

# What is no plain name is checked by its own rule.
_PARAMETERS: Final[Mapping[str, Callable[[str], object]]] = {"token": _TOKEN.fullmatch, "id": valid_run_id}


def _check_parameters(parameters: Mapping[str, str]) -> None:
    faults = [
        Fault(f"path.{name}", f"{value!r} is not valid; {_REMEDY[name == 'token']}")
        for name, value in parameters.items()
        if not _PARAMETERS.get(name, valid_name)(value)
    ]
    if faults:
        if "token" in parameters:
            raise RequestFault(404, "this is not a webhook token", faults)
        raise RequestFault(400, "the path holds something that is no id", faults)


_REMEDY: Final = {
    False: "1 to 128 letters, digits or _.:@- that begin with a letter, a digit or _",
    True: "use the link as it was given",
}
