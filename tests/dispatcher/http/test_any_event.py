"""Whatever a caller sends: an answer, never an exception, and never a 5xx."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dispatcher.bootstrap import Adapters, App
from dispatcher.front_door import StartRequest
from dispatcher.memory import InMemoryBucket, InMemoryRunStore, InMemoryStepQueue
from dispatcher.messages import Delivery, decode
from tests.dispatcher import examples
from tests.dispatcher.settings import SETTINGS, NoSecret
from workflows import registry as content

NOW_MS = 1_772_442_000_000


def _app() -> App:
    registry = examples.wait()
    for definition in content.workflows.values():
        for node_type, node in content.node_definitions.items():
            if node_type not in registry.node_definitions:
                registry.add_node(node_type, node)
        registry.add(definition)
    time = [NOW_MS]

    def pass_by(ms: int) -> None:
        time[0] += ms

    queue = InMemoryStepQueue(lambda: NOW_MS)
    adapters = Adapters(
        InMemoryRunStore(),
        queue,
        InMemoryBucket(),
        NoSecret(),
        now_ms=lambda: time[0],
        pause_ms=pass_by,
    )
    app = App(replace(SETTINGS, cors_origins=("https://app.test",)), adapters, registry)
    for run in ("run-1", "run-2"):
        app.front_door.start(StartRequest(workflow="wait", workflow_id=run))
    while messages := queue.receive():
        for message in messages:
            app.dispatcher.deliver(Delivery(message.message_id, 1, decode(message.body)))
            queue.delete(message.message_id)
    return app


# Lone surrogates included: no UTF-8 has them, but JSON can spell them.
TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
PARTS = (
    st.sampled_from(
        ["workflows", "runs", "wait", "content-approval", "run-1", "signals", "go", "resume", "webhooks", "health", ""]
    )
    | TEXT
)
PATHS = st.lists(PARTS, max_size=5).map(lambda parts: "/" + "/".join(parts))
ROUTES = st.sampled_from(
    [
        ("POST", "/workflows/wait/runs"),
        ("POST", "/workflows/content-approval/runs"),
        ("GET", "/runs/run-1"),
        ("POST", "/runs/run-1/signals/go"),
        ("POST", "/runs/run-1/resume"),
        ("POST", "/runs/run-1/pause"),
        ("POST", "/runs/run-2/cancel"),
        ("POST", "/runs/run-2/retry"),
        ("POST", "/runs/run-2/fork"),
        ("DELETE", "/runs/run-2"),
        ("GET", "/runs/run-1/history"),
        ("GET", "/runs"),
        ("GET", "/health"),
        ("HEAD", "/runs/run-1"),
        ("OPTIONS", "/runs/run-1"),
        ("GET", "/workflows"),
        ("GET", "/workflows/wait"),
        ("PUT", "/workflows/mine"),
        ("PUT", "/workflows/wait"),
        ("GET", "/node-types"),
    ]
)
START = st.fixed_dictionaries(
    {},
    optional={
        "input": JSON,
        "workflowId": TEXT | st.just("run-1") | JSON,
        "tags": st.dictionaries(TEXT, TEXT | JSON, max_size=3) | JSON,
        "tenant": TEXT | JSON,
    },
)
OPERATOR = st.fixed_dictionaries(
    {},
    optional={
        "reason": TEXT | JSON,
        "data": JSON,
        "definition": TEXT | st.just("latest") | JSON,
        "version": st.integers() | JSON,
        "workflowId": TEXT | JSON,
    },
)
NODE = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b"]) | JSON, "type": st.sampled_from(["core:set", "core:wait"]) | JSON},
    optional={"data": JSON, "policy": JSON, "metadata": JSON},
)
EDGE = st.fixed_dictionaries(
    {"source": st.sampled_from(["a", "b"]) | JSON, "target": st.sampled_from(["a", "b"]) | JSON},
    optional={"sourceHandle": TEXT | JSON, "id": JSON},
)
DEFINITION = st.fixed_dictionaries(
    {"nodes": st.lists(NODE, max_size=3) | JSON},
    optional={"edges": st.lists(EDGE, max_size=2) | JSON, "name": st.just("mine") | JSON, "input": JSON, "start": JSON},
)
BODIES = st.none() | TEXT | (JSON | START | OPERATOR | DEFINITION).map(json.dumps) | JSON
QUERY = st.dictionaries(
    st.sampled_from(["workflow", "status", "since", "until", "tag", "limit", "cursor", "after", "wait", "version"]),
    TEXT
    | st.integers().map(str)
    | st.sampled_from(["wait", "active", "2026-03-02", "9999-12-31T23:59Z", "0001-01-01", "IyM", "a=b"]),
    max_size=4,
)
HEADERS = st.dictionaries(
    TEXT | st.sampled_from(["Idempotency-Key", "if-none-match", "if-match", "content-type", "origin"]),
    TEXT | JSON,
    max_size=3,
)


def _event(
    route: tuple[object, object], body: object, headers: object, encoded: object, query: object = None
) -> dict[str, object]:
    method, path = route
    return {
        "version": "2.0",
        "rawPath": path,
        "headers": headers,
        "requestContext": {"http": {"method": method, "path": path}},
        "body": body,
        "isBase64Encoded": encoded,
        "queryStringParameters": query,
    }


WELL_FORMED = st.builds(
    _event,
    ROUTES | st.tuples(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]), PATHS),
    BODIES,
    HEADERS,
    st.booleans(),
    st.none() | QUERY,
)
ANY = st.builds(
    _event, st.tuples(JSON, JSON | PATHS), BODIES | JSON, HEADERS | JSON, JSON, QUERY | JSON
) | st.dictionaries(
    st.sampled_from(["rawPath", "headers", "requestContext", "body", "isBase64Encoded", "queryStringParameters"]), JSON
)

_OPTIONS = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)


def _answers(app: App, event: Mapping[str, object]) -> None:
    answer: Any = app.http_api.handle(event)
    assert 200 <= answer["statusCode"] < 500, answer
    # What goes out has a UTF-8 form, as the platform will want.
    answer["body"].encode()
    if answer["body"]:
        body = json.loads(answer["body"])
        if answer["statusCode"] >= 400:
            assert body["status"] == answer["statusCode"]
            assert {"type", "title", "status", "detail"} <= set(body)
    for value in answer["headers"].values():
        assert "\n" not in value
        assert "\r" not in value


_START = ("POST", "/workflows/wait/runs")


@_OPTIONS
@example(_event(_START, '{"\\ud800": 1}', {}, encoded=False))
@example(_event(_START, '{"tags": {"\\udfff": "a"}}', {}, encoded=False))
@example(_event(_START, "{}", {"Idempotency-Key": "\ud800"}, encoded=False))
@example(_event(("POST", "/runs/run-1/signals/go"), "1", {"Idempotency-Key": "\ud800"}, encoded=False))
@example(_event(("GET", "/\ud800"), None, {}, encoded=False))
@example(_event(_START, "ü", {}, encoded=True))
@given(WELL_FORMED)
def test_any_request(event: Mapping[str, object]) -> None:
    """Any method, path, header and body on the routes there are."""
    _answers(APP, event)


@_OPTIONS
@given(ANY)
def test_any_event(event: Mapping[str, object]) -> None:
    """Events that API Gateway would never make."""
    _answers(APP, event)


APP = _app()
