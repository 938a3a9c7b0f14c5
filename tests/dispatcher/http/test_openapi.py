"""GET /openapi.json: every route is in it, it is valid, and what the API answers is what it says."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from dispatcher.bootstrap import Adapters, App
from dispatcher.front_door import StartRequest
from dispatcher.http.openapi import openapi_document
from dispatcher.http.routes import ROUTES
from dispatcher.memory import InMemoryBucket, InMemoryRunStore, InMemoryStepQueue
from dispatcher.messages import Delivery, decode
from engine import WorkflowDefinition
from local.front import http_event
from tests.dispatcher import examples
from tests.dispatcher.settings import SETTINGS, NoSecret
from tests.dispatcher.virtual_time import BEGINNING

DOCUMENT: Final[Any] = openapi_document()


def test_every_route_is_in_it_and_nothing_else() -> None:
    """By method and path, each with an id of its own."""
    told = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}
    assert told == {(route.method, route.template) for route in ROUTES}
    ids = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids)) == len(ROUTES)


def test_it_is_valid() -> None:
    """As OpenAPI 3.1 defines it."""
    validate(DOCUMENT)


def test_every_parameter_of_a_path_is_described() -> None:
    """And each operation says who may call it and what goes wrong."""
    for path, item in DOCUMENT["paths"].items():
        for operation in item.values():
            named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
            assert operation["summary"]
            assert "5XX" in operation["responses"]
    open_to_all = {path for path, item in DOCUMENT["paths"].items() for o in item.values() if o.get("security") == []}
    assert open_to_all == {"/health", "/webhooks/{token}"}


def test_nothing_else_pays_for_it() -> None:
    """A process that answers other calls never imports it."""
    code = (
        "import sys, dispatcher.http_handler, dispatcher.http.api, dispatcher.http.runs, dispatcher.http.listing, "
        "dispatcher.http.operator, dispatcher.http.definitions, dispatcher.http.service; "
        "print([name for name in sys.modules if 'openapi' in name])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stdout.strip() == "[]"


# --- what the API answers ----------------------------------------------------------------------


class Served:
    """The API over adapters in memory, as a WSGI application; time passes when somebody waits."""

    def __init__(self) -> None:
        self._now_ms = 1_772_442_000_000
        self._requests = itertools.count()
        self._ids = itertools.count()
        registry = examples.wait()
        examples.add(registry, "failing", [{"id": "only", "type": "core:fail", "data": {"error": "E"}}], [])
        examples.add(registry, "short", [{"id": "only", "type": "core:set", "data": "{{ run.input }}"}], [])
        policy = {"retry": {"maxAttempts": 2, "interval": 900_000}}
        flaky = {"id": "only", "type": "test:flaky", "data": {"failures": 1}, "policy": policy}
        examples.add(registry, "flaky", [flaky], [])
        self._queue = InMemoryStepQueue(lambda: self._now_ms)
        adapters = Adapters(
            InMemoryRunStore(),
            self._queue,
            InMemoryBucket(),
            NoSecret(),
            now_ms=lambda: self._now_ms,
            new_id=lambda: f"{next(self._ids):032x}",
            pause_ms=self._pass_by,
        )
        self.app = App(SETTINGS, adapters, registry)
        runs = (("wait", "waits"), ("wait", "held"), ("failing", "failed"), ("short", "ended"), ("flaky", "retried"))
        for workflow, run in runs:
            self.app.front_door.start(StartRequest(workflow=workflow, workflow_id=run, tags={"t": "1"}, tenant="acme"))
        for _ in range(3):
            self._pass_by(1)
        self.app.http_api.handle({"rawPath": "/runs/held/pause", "requestContext": {"http": {"method": "POST"}}})
        self.app.catalog.put(WorkflowDefinition.parse({"name": "put", "nodes": [{"id": "a", "type": "core:set"}]}))

    @property
    def token(self) -> str:
        """The token of a wait."""
        url = self.app.front_door.callback_url(self.app.front_door.show("waits"))
        return str(url).rsplit("/", 1)[-1]

    def _pass_by(self, ms: int) -> None:
        self._now_ms += ms
        for message in self._queue.receive():
            self.app.dispatcher.deliver(Delivery(message.message_id, 1, decode(message.body)))
            self._queue.delete(message.message_id)

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        """One request."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        headers = {name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
        target = f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
        event = http_event(
            environ["REQUEST_METHOD"],
            target.encode("latin-1", "replace").decode("utf-8", "replace"),
            headers,
            environ["wsgi.input"].read(length),
            request_id=str(next(self._requests)),
            now=datetime.fromtimestamp(self._now_ms / 1000, tz=UTC),
        )
        answer: Any = self.app.http_api.handle(event)
        start_response(f"{answer['statusCode']} Said", list(answer["headers"].items()))
        return [answer["body"].encode()]


SERVED: Final = Served()
SCHEMA: Final = schemathesis.openapi.from_wsgi("/openapi.json", SERVED)

KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("waits", "held", "failed", "ended", "retried"),
    "name": ("wait", "short", "failing", "put", "put-1"),
    "signal": ("go", "other"),
}


@SCHEMA.hook
def map_path_parameters(_context: object, parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Most of the names that are drawn stand for ones that exist: a name by chance never does."""
    for name, value in (parameters or {}).items():
        if not isinstance(value, str) or not value:
            continue
        choice = sum(map(ord, value))
        if name == "token" and choice % 3:
            parameters[name] = SERVED.token  # type: ignore[index]
        elif name in KNOWN and choice % 4:
            parameters[name] = KNOWN[name][choice % len(KNOWN[name])]  # type: ignore[index]
    return parameters


@SCHEMA.parametrize()
@settings(
    derandomize=True,
    deadline=None,
    max_examples=25,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_the_api_answers_as_it_says(case: Any) -> None:
    """Whatever is sent: no 5xx, a status and a content type that are told of, and a body of the schema."""
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        unsupported_method,
    ]
    if not case.query:
        # A query's empty parameters say nothing, and a page longer than the longest is cut: neither is an error.
        checks.append(negative_data_rejection)
    case.call_and_validate(checks=checks)


ANSWERS: Final[Sequence[tuple[str, str, object, int, str]]] = [
    ("POST", "/workflows/short/runs?wait=5", {"input": 1}, 200, "Ended"),
    ("POST", "/workflows/failing/runs?wait=5", {}, 200, "Ended"),
    ("POST", "/workflows/wait/runs?wait=5", {}, 202, "Started"),
    ("GET", "/runs/waits", None, 200, "Run"),
    ("GET", "/runs/held", None, 200, "Run"),
    ("GET", "/runs/failed", None, 200, "Run"),
    ("GET", "/runs/retried", None, 200, "Run"),
    ("GET", "/runs/ended", None, 200, "Run"),
    ("GET", "/runs", None, 200, "RunList"),
    ("GET", "/runs/held/history", None, 200, "History"),
    ("GET", "/runs/retried/history", None, 200, "History"),
    ("GET", "/runs/failed/history", None, 200, "History"),
    ("GET", "/webhooks/{token}", None, 200, "WebhookTarget"),
    ("POST", "/webhooks/{token}", {}, 202, "Accepted"),
    ("POST", "/runs/held/signals/other", {}, 202, "Accepted"),
    ("POST", "/runs/held/resume", None, 202, "Accepted"),
    ("POST", "/runs/waits/pause", {"reason": "so"}, 202, "Accepted"),
    ("POST", "/runs/held/cancel", None, 202, "Changed"),
    ("POST", "/runs/ended/fork", {"version": 0}, 202, "Changed"),
    ("POST", "/runs/failed/retry", {}, 202, "Changed"),
    ("DELETE", "/runs/ended", None, 200, "Removed"),
    ("GET", "/workflows", None, 200, "WorkflowList"),
    ("GET", "/workflows/put", None, 200, "StoredWorkflow"),
    ("PUT", "/workflows/new", {"nodes": [{"id": "b", "type": "core:set"}]}, 201, "Put"),
    ("GET", "/node-types", None, 200, "NodeTypeList"),
    ("GET", "/health", None, 200, "Health"),
    ("GET", "/openapi.json", None, 200, "OpenApi"),
    ("GET", "/runs/nobody", None, 404, "Problem"),
    ("PUT", "/workflows/put", {"nodes": []}, 422, "Problem"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "schema"), ANSWERS)
def test_an_answer_is_of_its_schema(method: str, path: str, body: object, status: int, schema: str) -> None:
    """Those that chance seldom brings about: of runs in every state."""
    served = Served()
    data = b"" if body is None else json.dumps(body).encode()
    event = http_event(method, path.format(token=served.token), {}, data, request_id="r", now=BEGINNING)
    answer: Any = served.app.http_api.handle(event)
    assert answer["statusCode"] == status, answer["body"]
    document = {"$ref": f"#/components/schemas/{schema}", "components": DOCUMENT["components"]}
    faults = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(document).iter_errors(_read(answer))
    ]
    assert faults == []


def _read(answer: Mapping[str, str]) -> object:
    return json.loads(answer["body"])
