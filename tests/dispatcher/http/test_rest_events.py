"""Events of payload format 1.0, which REST APIs send, are the same requests; so are those below a stage's name."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.bootstrap import App
from dispatcher.handler import handle
from dispatcher.http.event import read_request
from dispatcher.http.request import Identity
from local.poller import FunctionContext
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop

ARN = "arn:aws:sts::123456789012:assumed-role/editors/mara"


def _rest(method: str = "GET", path: str = "/runs", **event: Any) -> dict[str, Any]:
    """An event as a REST API at its own address sends it, from the stage ``prod``."""
    context = {"stage": "prod", "path": f"/prod{path}", "httpMethod": method, "identity": {"userArn": None}}
    context |= event.pop("context", {})
    return {
        "httpMethod": method,
        "path": path,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": context,
    } | event


@pytest.fixture
def loop(new_loop: NewLoop) -> MotoLoop:
    """A deployment."""
    return new_loop(examples.wait())


def _ask(loop: MotoLoop, event: Mapping[str, object]) -> Any:
    answer: Any = handle(loop.app, event, FunctionContext())
    # What a REST API takes for an answer: anything else is a 502 (AWS, "Output format of a Lambda function").
    assert set(answer) <= {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
    assert isinstance(answer["statusCode"], int)
    assert isinstance(answer["body"], str)
    assert all(isinstance(value, str) for value in answer["headers"].values())
    return answer


def test_a_run_is_started_and_shown(loop: MotoLoop) -> None:
    """Method, path, body and headers are where 1.0 has them."""
    body = json.dumps({"input": 1})
    event = _rest("POST", "/workflows/wait/runs", body=body, multiValueHeaders={"Idempotency-Key": ["k"]})
    first, again = _ask(loop, event), _ask(loop, event)
    assert (first["statusCode"], again["statusCode"]) == (202, 200)
    shown = _ask(loop, _rest(path=first["headers"]["location"]))
    assert json.loads(shown["body"])["input"] == 1


def test_a_body_in_base64(loop: MotoLoop) -> None:
    """As a REST API sends it whose media types are binary."""
    body = base64.b64encode(b'{"workflowId": "a", "input": 1}').decode()
    assert _ask(loop, _rest("POST", "/workflows/wait/runs", body=body, isBase64Encoded=True))["statusCode"] == 202
    assert loop.snapshot("a").input == 1


@pytest.mark.parametrize(
    "event",
    [
        {"multiValueQueryStringParameters": {"limit": ["0"]}},
        {"queryStringParameters": {"limit": "0"}, "multiValueQueryStringParameters": None},
        {"queryStringParameters": {"limit": "1"}, "multiValueQueryStringParameters": {"limit": ["1", "0"]}},
    ],
)
def test_a_query_is_read(loop: MotoLoop, event: Mapping[str, Any]) -> None:
    """From either place; the values of a repeated name are joined, as payload 2.0 does it."""
    answer = _ask(loop, _rest(**event))
    assert (answer["statusCode"], json.loads(answer["body"])["errors"][0]["path"]) == (400, "query.limit")


@pytest.mark.parametrize(
    ("headers", "multiple", "expected"),
    [
        ({"If-Match": '"1"'}, None, '"1"'),
        ({"If-Match": '"2"'}, {"If-Match": ['"1"', '"2"']}, '"1", "2"'),
        (None, {"IF-MATCH": ['"1"']}, '"1"'),
    ],
)
def test_headers_are_read(headers: object, multiple: object, expected: str) -> None:
    """From either place, whatever the case of their names; repeated ones are one list (RFC 9110, section 5.3)."""
    assert read_request(_rest(headers=headers, multiValueHeaders=multiple)).headers == {"if-match": expected}


@pytest.mark.parametrize(
    ("event", "prefix", "path"),
    [
        (_rest(), "", "/runs"),
        (_rest(), "/prod", "/runs"),
        # A stage whose name is a path of ours.
        (_rest(path="/runs/a", context={"stage": "runs", "path": "/runs/runs/a"}), "/runs", "/runs/a"),
        # A custom domain, with and without a mapping.
        (_rest(path="/runs", context={"path": "/runs"}), "", "/runs"),
        (_rest(path="/flows/runs", context={"path": "/flows/runs"}), "/flows", "/runs"),
        (_rest(path="/flows", context={"path": "/flows"}), "/flows", "/"),
        (_rest(path="/flowsome", context={"path": "/flowsome"}), "/flows", "/flowsome"),
        # An HTTP API of payload 1.0 tells its version, and leaves the stage in the path.
        (_rest(path="/prod/runs", context={"path": "/prod/runs"}, version="1.0"), "", "/runs"),
        (_rest(path="/runs", context={"path": "/runs", "stage": "$default"}, version="1.0"), "", "/runs"),
        # Payload 2.0.
        ({"rawPath": "/prod/runs", "requestContext": {"stage": "prod", "http": {}}}, "", "/runs"),
        ({"rawPath": "/runs", "requestContext": {"stage": "$default", "http": {}}}, "", "/runs"),
        ({"rawPath": "/flows/runs", "requestContext": {"stage": "$default", "http": {}}}, "/flows", "/runs"),
        ({"rawPath": "/prod", "requestContext": {"stage": "prod", "http": {}}}, "", "/"),
    ],
)
def test_a_path_is_read_below_what_stands_before_it(event: Mapping[str, object], prefix: str, path: str) -> None:
    """A stage's name or a custom domain's mapping is not part of any route."""
    assert read_request(event, prefix=prefix).path == path


@pytest.mark.parametrize(
    ("context", "identity"),
    [
        ({}, Identity()),
        ({"identity": {"userArn": ARN}}, Identity(ARN, signed=True)),
        ({"authorizer": {"claims": {"sub": "mara"}}}, Identity("mara", {"sub": "mara"})),
        ({"authorizer": {"principalId": "mara", "t": "a"}}, Identity("mara", {"principalId": "mara", "t": "a"})),
        ({"authorizer": {"claims": {"sub": 7}}}, Identity("anonymous", {"sub": 7})),
        ({"authorizer": {"claims": {"sub": "m"}}, "identity": {"userArn": ARN}}, Identity("m", {"sub": "m"})),
        ({"authorizer": {}, "identity": {"userArn": ARN}}, Identity(ARN, signed=True)),
        ({"authorizer": "mara", "identity": []}, Identity()),
    ],
)
def test_who_calls(context: Mapping[str, object], identity: Identity) -> None:
    """By AWS credentials, by a token, through a Lambda authorizer, or nobody; a token tells more than an ARN."""
    assert read_request(_rest(context=context)).identity == identity


def test_a_lambda_authorizer_of_an_http_api_is_known() -> None:
    """What it says of its caller counts as claims."""
    said = {"sub": "mara", "tenant": "acme"}
    event = {"requestContext": {"http": {}, "authorizer": {"lambda": said}}}
    assert read_request(event).identity == Identity("mara", said)


def test_where_a_run_is_has_the_prefix_of_the_public_address(loop: MotoLoop) -> None:
    """A browser resolves Location from the root; the links of a body are the API's own, below its address."""
    settings = replace(loop.settings, public_url="https://api.test/prod")
    app = App(settings, loop.app.adapters, loop.registry)
    answer: Any = handle(app, _rest("POST", "/workflows/wait/runs", body='{"workflowId": "a"}'), FunctionContext())
    assert answer["headers"]["location"] == "/prod/runs/a"
    assert json.loads(answer["body"])["links"]["run"] == "/runs/a"
