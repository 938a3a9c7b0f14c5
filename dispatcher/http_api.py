"""The HTTP API: routes, what each takes and gives. Speaks API Gateway's HTTP API events, version 2.0.

A route reads its request, makes one call of the front door and shapes the answer; errors are problems.py's.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Final
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from dispatcher.archive import Archive
from dispatcher.errors import DispatchError
from dispatcher.front_door import FrontDoor, Started, StartRequest
from dispatcher.head import Head, hold_to_json
from dispatcher.http_listing import ListingRoutes
from dispatcher.http_operator import OperatorBody, OperatorRoutes, caller_of
from dispatcher.http_request import Request, Response, accepted, read_request, response_of, with_header
from dispatcher.limits import TAGS_MAX
from dispatcher.messages import valid_run_id
from dispatcher.operator_calls import Caller, OperatorCalls
from dispatcher.ports import RunStore, StepQueue
from dispatcher.problems import RequestFault, problem_of, status_of
from engine.definition import faults_of, valid_name
from engine.errors import Fault
from engine.json_value import JsonObject, JsonValue, checked_copy

_LOG: Final = logging.getLogger("refluxo.http")


class StartBody(BaseModel):
    """Body of ``POST /workflows/{name}/runs``."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=False, validate_by_alias=True)

    input: object = None
    workflow_id: str | None = None
    tags: Annotated[dict[str, str], Field(max_length=TAGS_MAX)] | None = None
    tenant: str | None = None

    @field_validator("workflow_id", "tenant")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        if value is not None and not valid_name(value):
            raise ValueError("must be 1 to 128 letters, digits or _.:@- and begin with a letter, a digit or _")
        return value


class HttpApi:
    """Answers API Gateway events."""

    def __init__(
        self,
        front_door: FrontDoor,
        operator_calls: OperatorCalls,
        archive: Archive,
        store: RunStore,
        queue: StepQueue,
    ) -> None:
        self._front_door = front_door
        self._operator_calls = operator_calls
        self._store = store
        self._queue = queue
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[[Request], Response]], ...] = (
            _route("POST", "/workflows/{name}/runs", self._start),
            _route("GET", "/runs/{id}", self._show),
            _route("POST", "/runs/{id}/signals/{signal}", self._signal),
            _route("POST", "/runs/{id}/resume", self._resume),
            _route("POST", "/webhooks/{token}", self._webhook),
            _route("GET", "/webhooks/{token}", self._describe_webhook),
            _route("GET", "/health", self._health),
            *(_route(*route) for route in OperatorRoutes(operator_calls).routes()),
            *(_route(*route) for route in ListingRoutes(store, archive).routes()),
        )

    def handle(self, event: Mapping[str, object]) -> Response:
        """Answers one event; never raises, whatever the event holds."""
        try:
            request = read_request(event)
            return self._answer(request)
        except Exception as error:  # noqa: BLE001  (the last place that can turn an error into an answer)
            status = status_of(error)
            response = response_of(status, problem_of(error), content_type="application/problem+json")
            if status >= 500:  # noqa: PLR2004
                # The answer does not say what it was: it may tell a stranger of our resources.
                _LOG.exception("%s", "unexpected error" if status == 500 else "not now")  # noqa: PLR2004
                response = with_header(response, "retry-after", "5")
            return response

    def _answer(self, request: Request) -> Response:
        allowed: list[str] = []
        for method, pattern, answer in self._routes:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            if method != request.method:
                allowed.append(method)
                continue
            parameters = {name: unquote(value) for name, value in match.groupdict().items()}
            _check_parameters(parameters)
            return answer(replace(request, parameters=parameters))
        if allowed:
            problem = problem_of(RequestFault(405, f"{request.path} takes {', '.join(allowed)}"))
            response = response_of(405, problem, content_type="application/problem+json")
            return with_header(response, "allow", ", ".join(allowed))
        raise RequestFault(404, f"there is nothing at {request.method} {request.path}")

    def _start(self, request: Request) -> Response:
        document = request.json()
        try:
            body = StartBody.model_validate({} if document is None else document)
        except ValidationError as error:
            raise RequestFault(400, "the body is not a start request", faults_of(error)) from None
        started = self._front_door.start(
            StartRequest(
                workflow=request.parameters["name"],
                input=checked_copy(body.input),
                workflow_id=body.workflow_id,
                idempotency_key=request.idempotency_key(),
                tags=body.tags,
                tenant=body.tenant,
            )
        )
        return _started(started)

    def _show(self, request: Request) -> Response:
        head = self._front_door.show(request.parameters["id"])
        etag = f'"{head.version}"'
        if request.headers.get("if-none-match") == etag:
            return {"statusCode": 304, "headers": {"etag": etag}, "body": ""}
        return with_header(response_of(200, self._run_document(head)), "etag", etag)

    def _run_document(self, head: Head) -> JsonObject:
        snapshot = head.snapshot
        document = snapshot.to_json(newest_only=True)
        document["output"] = snapshot.output if snapshot.status.terminal else None
        wait = document.get("wait")
        if isinstance(wait, dict):
            wait["callbackUrl"] = self._front_door.callback_url(head)
        if head.hold is not None and not snapshot.status.terminal:
            document["held"] = hold_to_json(head.hold)
        return document

    def _signal(self, request: Request) -> Response:
        workflow_id, name = request.parameters["id"], request.parameters["signal"]
        key = request.idempotency_key()
        fresh = self._front_door.signal(workflow_id, name, request.json(), idempotency_key=key)
        return accepted(workflow_id, fresh)

    def _resume(self, request: Request) -> Response:
        workflow_id, payload = request.parameters["id"], request.json()
        repeat = Caller(actor=request.actor, key=request.idempotency_key())
        if self._operator_calls.was_released(workflow_id, repeat):
            return accepted(workflow_id, self._operator_calls.release(workflow_id, repeat))
        if self._front_door.show(workflow_id).hold is not None:
            if not (payload is None or (isinstance(payload, dict) and payload.keys() <= {"reason"})):
                detail = (
                    f"run {workflow_id!r} is on hold, and this payload would be lost: "
                    "lift the hold first, by an empty body or a reason, then send it again"
                )
                raise RequestFault(409, detail)
            caller = caller_of(request, OperatorBody)
            return accepted(workflow_id, self._operator_calls.release(workflow_id, caller))
        fresh = self._front_door.resume(workflow_id, payload, idempotency_key=request.idempotency_key())
        return accepted(workflow_id, fresh)

    def _webhook(self, request: Request) -> Response:
        fresh = self._front_door.webhook(request.parameters["token"], request.json())
        return response_of(202, {"accepted": True, "repeated": not fresh})

    def _describe_webhook(self, request: Request) -> Response:
        return response_of(200, self._front_door.describe_webhook(request.parameters["token"]))

    def _health(self, _request: Request) -> Response:
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


def _route(
    method: str, template: str, answer: Callable[[Request], Response]
) -> tuple[str, re.Pattern[str], Callable[[Request], Response]]:
    return method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template) + "/?"), answer


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
        raise RequestFault(404 if "token" in parameters else 400, "the path holds something that is no id", faults)


_REMEDY: Final = {
    False: "1 to 128 letters, digits or _.:@- that begin with a letter, a digit or _",
    True: "use the link as it was given",
}


def _started(started: Started) -> Response:
    workflow_id = started.snapshot.workflow_id
    link = f"/runs/{workflow_id}"
    body: JsonObject = {
        "workflowId": workflow_id,
        "status": started.snapshot.status.value,
        "links": {"run": link, "resume": f"{link}/resume"},
    }
    return with_header(response_of(202 if started.fresh else 200, body), "location", link)
