"""The functions' own entry points, over the process's environment, as Lambda calls them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dispatcher import (
    bootstrap,
    dead_letter_handler,
    event_handler,
    handler,
    http_handler,
    queue_handler,
    sweep_handler,
)
from dispatcher.messages import Continuation, encode
from dispatcher.settings import InvalidSettings
from local.front import http_event
from local.poller import FunctionContext
from local.provision import provision
from tests.dispatcher.moto_loop import MotoClients
from tests.dispatcher.virtual_time import BEGINNING


@pytest.fixture
def fresh_process(moto: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:  # noqa: ARG001
    """A process that has built nothing yet, in an account that has nothing yet."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bootstrap.app.cache_clear()
    yield monkeypatch
    bootstrap.app.cache_clear()


def _get(path: str, method: str = "GET", body: bytes = b"") -> dict[str, object]:
    return http_event(method, path, {}, body, request_id="r", now=BEGINNING)


def test_each_function_has_its_entry_point(fresh_process: pytest.MonkeyPatch, observer: MotoClients) -> None:
    """A start, a step, a sweep, an event and a dead letter, each by its function; all of it by the one for all."""
    environment = provision(observer, signing_secret="whsec_test").environment("https://api.test", "workflows:registry")
    for name, value in environment.items():
        fresh_process.setenv(name, value)
    body = json.dumps({"workflowId": "run-1", "input": {"title": "t", "text": "x"}}).encode()
    started: Any = http_handler.handler(_get("/workflows/content-approval/runs", "POST", body), None)
    assert started["statusCode"] == 202
    batch = {"Records": [{"messageId": "m-1", "body": encode(Continuation("run-1", 0))}]}
    assert queue_handler.handler(batch, FunctionContext()) == {"batchItemFailures": []}
    assert sweep_handler.handler({}, None)["lookedAt"] == 0
    upload = {"bucket": {"name": "refluxo-uploads"}, "object": {"key": "in/cat.jpg", "size": 42, "sequencer": "0A"}}
    event = {"id": "e-1", "detail-type": "Object Created", "source": "aws.s3", "detail": upload}
    report: Any = event_handler.handler(event, FunctionContext())
    assert [len(runs) for runs in report.values()] == [1, 0, 0]
    dead = {"Records": [{"messageId": "m-2", "body": encode(Continuation("run-1", 0))}]}
    assert dead_letter_handler.handler(dead, FunctionContext()) == {"batchItemFailures": []}
    shown: Any = handler.handler(_get("/runs/run-1"), FunctionContext())
    assert json.loads(shown["body"])["version"] == 1
    assert bootstrap.app() is bootstrap.app()


def test_an_environment_that_cannot_be_used_is_told_with_every_fault(fresh_process: pytest.MonkeyPatch) -> None:
    """By the first event, not at import; and by the next one again."""
    for name in ("TABLE_NAME", "QUEUE_URL", "PARKED_QUEUE_URL", "PAYLOAD_BUCKET", "PUBLIC_URL", "WEBHOOK_SECRET_ID"):
        fresh_process.delenv(name, raising=False)
    for _ in range(2):
        with pytest.raises(InvalidSettings, match="TABLE_NAME"):
            handler.handler({"Records": []}, FunctionContext())
