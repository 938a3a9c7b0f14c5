"""A local stack that stops, or cannot start, gives everything back."""

from __future__ import annotations

import socket
import threading

import pytest

from dispatcher.settings import InvalidSettings
from engine.errors import InvalidDefinition
from local import LocalStack
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


def _new_threads(before: set[threading.Thread]) -> set[str]:
    return {thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _binds(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
