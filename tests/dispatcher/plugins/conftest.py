"""Powertools in a test: its environment, and the process's loggers as they were before."""

from __future__ import annotations

import itertools
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

_NUMBERS = itertools.count(1)

Lines = Callable[[], list[Mapping[str, Any]]]


@pytest.fixture(scope="session", autouse=True)
def _no_socket_left() -> Iterator[None]:
    """The X-Ray SDK opens a socket when it is imported, and never closes it."""
    yield
    sdk: Any = sys.modules.get("aws_xray_sdk.core")
    if sdk is not None:
        sdk.xray_recorder.emitter._socket.close()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A service of this test's own: Powertools keeps a logger for each for as long as the process lives."""
    name = f"refluxo-test-{next(_NUMBERS)}"
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", name)
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "RefluxoTest")
    logger = logging.getLogger("refluxo")
    handlers, propagate, level = list(logger.handlers), logger.propagate, logger.level
    yield name
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


@pytest.fixture
def lines(service: str, capsys: pytest.CaptureFixture[str]) -> Lines:
    """The lines written since it was last asked for, each JSON."""
    assert service

    def read() -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return read
