"""The local stack, really started: one process, real HTTP, real queue, real time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local import LocalStack
from local.stack import PortTaken
from tests.local.http import SECONDS_MAX, call

REGISTRY = "tests.local.small_registry:registry"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """One stack for all tests of this file. Nothing of it outlives the file."""
    with LocalStack(registry=REGISTRY) as stack:
        yield stack


def _until(stack: LocalStack, run: str, reached: Callable[[Any], bool]) -> Any:
    """The run as soon as it is as wanted: asked over HTTP, for this is the one test in real time."""
    document: Any = None
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        _, document = call(f"{stack.url}/runs/{run}")
        if reached(document):
            return document
        threading.Event().wait(0.05)
    raise AssertionError(f"run {run!r} is still {document}")


def test_a_workflow_runs_over_http(stack: LocalStack) -> None:
    """Start, a failed attempt and its retry, a wait, its webhook, the end: by nothing but HTTP."""
    status, started = call(f"{stack.url}/workflows/small/runs", {"workflowId": "run-1"})
    assert (status, started["workflowId"]) == (202, "run-1")
    paused = _until(stack, "run-1", lambda run: run["status"] == "paused")
    link = paused["wait"]["callbackUrl"]
    assert link.startswith(stack.url)
    assert call(link)[1]["workflowId"] == "run-1"
    assert call(link, {"ok": True})[0] == 202
    ended = _until(stack, "run-1", lambda run: run["status"] == "completed")
    assert ended["output"] == {"got": {"ok": True}}
    assert [result["attempt"] for result in ended["context"]["flaky"]] == [2]
    assert call(link, {"ok": False})[0] == 410
    _, stats = call(f"{stack.url}/local/stats")
    assert stats["deliveries"] >= 4
    assert stats["failures"] == 0


def test_the_front_speaks_as_api_gateway_does(stack: LocalStack) -> None:
    """Health, unknown paths and methods, bodies that are no JSON, over real HTTP."""
    assert call(f"{stack.url}/health")[1]["status"] == "ok"
    assert call(f"{stack.url}/nowhere")[0] == 404
    assert call(f"{stack.url}/health", method="DELETE")[0] == 405
    assert call(f"{stack.url}/workflows/small/runs", {"input": "x" * 300_000})[0] == 413


def test_a_taken_port_is_told_at_once(stack: LocalStack) -> None:
    """With the port, and what to do."""
    port = int(stack.url.rsplit(":", 1)[1])
    with pytest.raises(PortTaken, match=f"port {port} is in use"), LocalStack(registry=REGISTRY, port=port):
        pass
