"""The OpenAPI 3.1 document: made of the routes there are, the models of their bodies, and what is said of each here.

A route without a word here is an error of the first call, and of the tests. Nothing else imports this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from pydantic import BaseModel

from dispatcher.http.bodies import ForkBody, OperatorBody, RetryBody, StartBody
from dispatcher.http.openapi_schemas import component_schemas, ref
from dispatcher.http.routes import ROUTES, Route
from dispatcher.limits import (
    HISTORY_PAGE_ENTRIES_MAX,
    IDEMPOTENCY_KEY_CHARACTERS_MAX,
    LIST_LIMIT_MAX,
    WAIT_SECONDS_MAX,
)
from engine import Status, WorkflowDefinition
from engine.json_value import JsonObject, JsonValue
from engine.naming import NAME_PATTERN

API_VERSION: Final = "1"


class _Operation(NamedTuple):
    """What is said of a route. ``answers``: schema by status; None is an answer without a body."""

    summary: str
    answers: Mapping[int, str | None]
    faults: Sequence[int] = ()
    body: type[BaseModel] | None = None
    takes_payload: bool = False
    parameters: Sequence[str] = ()
    headers: Sequence[str] = ()
    description: str = ""


_OPERATIONS: Final[Mapping[tuple[str, str], _Operation]] = {
    ("POST", "/workflows/{name}/runs"): _Operation(
        "Start a run",
        {200: "EndedOrStarted", 202: "Started"},
        (400, 403, 404, 409, 413, 422),
        StartBody,
        parameters=("wait", "Idempotency-Key"),
        headers=("Location",),
        description="The same `workflowId` or `Idempotency-Key` with the same input is the same run: 200. "
        "With `wait`, 200 with its output if it ends in time.",
    ),
    ("GET", "/runs"): _Operation(
        "List runs, newest first",
        {200: "RunList"},
        (400, 403),
        parameters=("workflow", "status", "since", "until", "tag", "limit", "cursor"),
    ),
    ("GET", "/runs/{id}"): _Operation(
        "Show a run", {200: "Run", 304: None}, (400, 403, 404), parameters=("If-None-Match",), headers=("ETag",)
    ),
    ("GET", "/runs/{id}/history"): _Operation(
        "Tell what became of a run, in order", {200: "History"}, (400, 403, 404), parameters=("after", "entries")
    ),
    ("POST", "/runs/{id}/signals/{signal}"): _Operation(
        "Deliver a signal",
        {202: "Accepted"},
        (400, 403, 404, 409, 413, 422),
        takes_payload=True,
        parameters=("Idempotency-Key",),
        description="Kept if it is early. Held against the schema of the wait that it would end.",
    ),
    ("POST", "/runs/{id}/resume"): _Operation(
        "Lift a hold, or else deliver the body to the current wait",
        {202: "Accepted"},
        (400, 403, 404, 409, 413, 422),
        takes_payload=True,
        parameters=("Idempotency-Key",),
    ),
    ("POST", "/runs/{id}/pause"): _Operation(
        "Hold a run: no step begins until the hold is lifted",
        {202: "Accepted"},
        (400, 403, 404, 409, 413),
        OperatorBody,
        parameters=("Idempotency-Key",),
    ),
    ("POST", "/runs/{id}/cancel"): _Operation(
        "End a run",
        {202: "Changed"},
        (400, 403, 404, 409, 412, 413),
        OperatorBody,
        parameters=("Idempotency-Key", "If-Match"),
    ),
    ("POST", "/runs/{id}/retry"): _Operation(
        "Execute the failed node of a failed run again",
        {202: "Changed"},
        (400, 403, 404, 409, 412, 413, 422),
        RetryBody,
        parameters=("Idempotency-Key", "If-Match"),
    ),
    ("POST", "/runs/{id}/fork"): _Operation(
        "Start a new run from a version of this one",
        {200: "Changed", 202: "Changed"},
        (400, 403, 404, 409, 413),
        ForkBody,
        parameters=("Idempotency-Key",),
        headers=("Location",),
    ),
    ("DELETE", "/runs/{id}"): _Operation(
        "Remove a run that has ended, and all that belongs to it",
        {200: "Removed", 202: "Removed"},
        (400, 403, 404, 409),
        description="202: there is more of it than one call removes; ask again.",
    ),
    ("POST", "/webhooks/{token}"): _Operation(
        "Deliver a payload by capability URL", {202: "Accepted"}, (400, 404, 409, 410, 413, 422), takes_payload=True
    ),
    ("GET", "/webhooks/{token}"): _Operation(
        "Tell what a capability URL is for; changes nothing", {200: "WebhookTarget"}, (404, 410)
    ),
    ("GET", "/workflows"): _Operation("List workflows by name", {200: "WorkflowList"}, (403,)),
    ("GET", "/workflows/{name}"): _Operation(
        "Show the definition that new runs begin with, or any version",
        {200: "StoredWorkflow", 304: None},
        (400, 403, 404),
        parameters=("version", "If-None-Match"),
        headers=("ETag",),
    ),
    ("PUT", "/workflows/{name}"): _Operation(
        "Make a definition the one that new runs begin with",
        {200: "Put", 201: "Put"},
        (400, 403, 409, 412, 413, 422),
        WorkflowDefinition,
        parameters=("If-Match", "If-None-Match"),
        headers=("ETag", "Location"),
        description="Runs under way keep the version they began with. A name that is registered in code is not to be "
        "had: 409. `name` may be left out; `version`, as GET tells it, is passed over.",
    ),
    ("GET", "/node-types"): _Operation("List node types with schemas and handles", {200: "NodeTypeList"}, (403,)),
    ("GET", "/openapi.json"): _Operation("This document", {200: "OpenApi"}, (403,)),
    ("GET", "/health"): _Operation(
        "Tell whether table and queue answer, and how many runs are overdue", {200: "Health", 503: "Health"}
    ),
}

_ABOUT_FAULTS: Final = {
    400: "The request cannot be read; `errors` says where.",
    403: "The caller is of no tenant, or may not do this.",
    404: "There is none.",
    409: "It is in no state for that.",
    410: "The link has done its work.",
    412: "There is another version than the request is about.",
    413: "Too large.",
    422: "The content is not valid; `errors` has each fault with its path.",
}


def _query(schema: JsonObject, description: str) -> JsonObject:
    return {"in": "query", "schema": schema, "description": description}


def _header(description: str, schema: JsonObject | None = None) -> JsonObject:
    return {"in": "header", "schema": schema or {"type": "string"}, "description": description}


_NAME: Final[JsonObject] = {"type": "string", "pattern": f"^{NAME_PATTERN}$"}
_MOMENT: Final[JsonObject] = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "format": "date-time"}]}

# An entry is named as its parameter unless it says otherwise.
_PARAMETERS: Final[Mapping[str, JsonObject]] = {
    "wait": _query({"type": "integer", "minimum": 0, "maximum": WAIT_SECONDS_MAX}, "Seconds to wait for its end."),
    "workflow": _query(_NAME, "Only runs of that workflow."),
    "status": _query({"type": "string", "enum": [status.value for status in Status]}, "Only runs in that status."),
    "since": _query(_MOMENT, "Only runs started then or later: epoch milliseconds or ISO 8601."),
    "until": _query(_MOMENT, "Only runs started before: epoch milliseconds or ISO 8601."),
    "tag": _query({"type": "string"}, "Only runs with that tag: `name` or `name=value`."),
    "limit": _query({"type": "integer", "minimum": 1, "maximum": LIST_LIMIT_MAX}, "Runs of a page at most."),
    "cursor": _query({"type": "string"}, "The `cursor` of the page before."),
    "after": _query({"type": "integer", "minimum": 0, "maximum": 10**14}, "The `after` of the page before."),
    "entries": {
        **_query({"type": "integer", "minimum": 1, "maximum": HISTORY_PAGE_ENTRIES_MAX}, "Entries of a page at most."),
        "name": "limit",
    },
    "version": _query(_NAME, "A version, as a run or a list tells it."),
    "Idempotency-Key": _header(
        "Known again when the call is repeated.",
        {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_CHARACTERS_MAX, "pattern": r"^[!-~]+$"},
    ),
    "If-Match": _header("Only if this is the version there is."),
    "If-None-Match": _header("Only if none of these is the version there is; `*`: only if there is none."),
}

_PATH_PARAMETERS: Final[Mapping[str, JsonObject]] = {
    "name": _NAME,
    "signal": _NAME,
    "id": {"type": "string", "pattern": f"^{NAME_PATTERN}(~[a-z2-7]{{26}})?$"},
    "token": {"type": "string", "pattern": r"^[A-Za-z0-9_-]{1,2048}\.[A-Za-z0-9_-]{1,128}$"},
}

_RESPONSE_HEADERS: Final[Mapping[str, JsonObject]] = {
    "Location": {"schema": {"type": "string"}, "description": "Where it is."},
    "ETag": {"schema": {"type": "string"}, "description": "Its version."},
}


@cache
def openapi_document() -> JsonObject:
    """The document."""
    paths: dict[str, JsonValue] = {}
    for route in ROUTES:
        item = paths.setdefault(route.template, {})
        if isinstance(item, dict):
            item[route.method.lower()] = _operation(route, _OPERATIONS[route.method, route.template])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Refluxo",
            "version": API_VERSION,
            "description": "Durable workflows: starts, shows, signals and operates runs.",
        },
        "paths": paths,
        "components": {
            "schemas": {
                **component_schemas(),
                "EndedOrStarted": {"anyOf": [ref("Ended"), ref("Started")]},
            },
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4, where the API's authorizer is IAM.",
                },
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
        "security": [{"signature": []}, {"token": []}],
    }


def _operation(route: Route, said: _Operation) -> JsonObject:
    operation: JsonObject = {
        "operationId": _operation_id(route),
        "summary": said.summary,
        "responses": _responses(said, faults=said.faults if not route.open else [f for f in said.faults if f != 403]),  # noqa: PLR2004
    }
    if said.description:
        operation["description"] = said.description
    names = [part[1:-1] for part in route.template.split("/") if part.startswith("{")]
    parameters: list[JsonValue] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_PARAMETERS[name]} for name in names
    ]
    parameters += [{"name": name, **_PARAMETERS[name]} for name in said.parameters]
    if parameters:
        operation["parameters"] = parameters
    if said.body is not None or said.takes_payload:
        schema: JsonObject = {"description": "Any JSON."} if said.body is None else ref(said.body.__name__)
        content: JsonObject = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"content": content, "required": route.method == "PUT"}
    if route.open:
        operation["security"] = []
    return operation


def _operation_id(route: Route) -> str:
    parts = [part.strip("{}").replace("-", "_").replace(".", "_") for part in route.template.split("/") if part]
    return "_".join([route.method.lower(), *parts])


def _responses(said: _Operation, faults: Sequence[int]) -> JsonObject:
    responses: JsonObject = {}
    for status, name in sorted(said.answers.items()):
        response: JsonObject = {"description": "As asked for." if name is not None else "The caller has this version."}
        if name is not None:
            response["content"] = {"application/json": {"schema": ref(name)}}
        headers = [header for header in said.headers if header == "ETag" or status != 304]  # noqa: PLR2004
        if headers:
            response["headers"] = {header: _RESPONSE_HEADERS[header] for header in headers}
        responses[str(status)] = response
    for status in faults:
        responses[str(status)] = _problem(_ABOUT_FAULTS[status])
    responses["5XX"] = _problem("Trouble on our side. 503: try again, with the same Idempotency-Key.")
    return responses


def _problem(description: str) -> JsonObject:
    return {"description": description, "content": {"application/problem+json": {"schema": ref("Problem")}}}
