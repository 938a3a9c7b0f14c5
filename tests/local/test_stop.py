"""A local stack that stops, or cannot start, gives everything back."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from dispatcher.settings import InvalidSettings
from engine.errors import InvalidDefinition
from local import LocalStack
from local.front import PayloadFormat
from tests.local.http import call

REGISTRY = "tests.local.small_registry:registry"


@pytest.mark.parametrize(
    ("registry", "error", "said"),
    [
        ("no.such:registry", InvalidSettings, "there is no module"),
        ("tests.local.small_registry:nothing", InvalidSettings, "has no 'nothing'"),
        ("tests.local.small_registry:not_a_registry", InvalidSettings, "not a Registry"),
        ("tests.local.small_registry", InvalidSettings, "module:attribute"),
        ("tests.local.broken_registry:registry", InvalidDefinition, "there is no node 'nowhere'"),
    ],
)
def test_a_registry_that_cannot_be_used_leaves_nothing_behind(registry: str, error: type[Exception], said: str) -> None:
    """The error names it; threads and port are given back."""
    before = set(threading.enumerate())
    port = _free_port()
    with pytest.raises(error, match=said), LocalStack(registry=registry, port=port):
        pass
    assert _new_threads(before) == set()
    _binds(port)


def test_a_stack_stops_clean_and_starts_again() -> None:
    """Its threads are gone and its port is free; a second one finds nothing of the first."""
    before = set(threading.enumerate())
    port = _free_port()
    for _ in range(2):
        with LocalStack(registry=REGISTRY, port=port) as stack:
            assert stack.url.endswith(f":{port}")
            assert call(f"{stack.url}/runs/run-1")[0] == 404
            assert call(f"{stack.url}/workflows/small/runs", {"workflowId": "run-1"})[0] == 202
        assert _new_threads(before) == set()
        _binds(port)


def test_how_long_runs_are_kept_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the caller's environment to the functions'; a wrong value is told at once."""
    monkeypatch.setenv("RETENTION_DAYS", "3")
    with LocalStack(registry=REGISTRY) as stack:
        assert stack.environment["RETENTION_DAYS"] == "3"
    monkeypatch.setenv("RETENTION_DAYS", "soon")
    with pytest.raises(InvalidSettings, match="RETENTION_DAYS is 'soon'"), LocalStack(registry=REGISTRY):
        pass


def test_what_is_passed_on_and_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's variables by name, those given besides in full and first; nothing else."""
    monkeypatch.setenv("STEPS_PER_INVOCATION", "3")
    monkeypatch.setenv("RUN_STEPS_MAX", "50")
    monkeypatch.setenv("TENANT_CLAIM", "org")
    with LocalStack(registry=REGISTRY, environment={"RUN_STEPS_MAX": "60", "CORS_ORIGINS": "*"}) as stack:
        settings = stack.app.settings
        assert (settings.steps_per_invocation, settings.run_steps_max) == (3, 60)
        assert stack.environment["CORS_ORIGINS"] == "*"
        assert "TENANT_CLAIM" not in stack.environment


@pytest.mark.parametrize("payload_format", ["1.0", "2.0"])
def test_a_stack_speaks_either_format(payload_format: PayloadFormat) -> None:
    """An HTTP API's events, or a REST API's: the answers are the same."""
    with LocalStack(registry=REGISTRY, payload_format=payload_format) as stack:
        assert call(f"{stack.url}/workflows/small/runs", {"workflowId": "run-1"})[0] == 202
        assert call(f"{stack.url}/runs?workflow=small&limit=1")[1]["runs"][0]["workflowId"] == "run-1"
        assert call(f"{stack.url}/runs/nobody")[0] == 404
        assert call(f"{stack.url}/local/events", [])[0] == 202
        assert call(f"{stack.url}/local/stats")[0] == 200


def test_the_emulator_stands_beside_the_front() -> None:
    """At the next port if that is free, so that it is the same each time; else at another."""
    port = _free_port_before_another()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + 1))
        other.listen()
        with LocalStack(registry=REGISTRY, port=port) as stack:
            assert stack.emulator_url != f"http://127.0.0.1:{port + 1}"
            assert call(f"{stack.url}/health")[1]["status"] == "ok"


def _new_threads(before: set[threading.Thread]) -> set[str]:
    return {thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()}


def _free_port_before_another() -> int:
    while True:
        port = _free_port()
        with contextlib.suppress(OSError, OverflowError):
            _binds(port + 1)
            return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _binds(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
