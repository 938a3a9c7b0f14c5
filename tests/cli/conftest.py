"""The command as somebody at a terminal has it, and a service for it to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import refluxo
from engine import Flow, Registry, RetryPolicy
from tests.cli.service import Service

Cli = Callable[..., Result]


class Overloaded(Exception):
    """The other side is busy."""


def shop() -> Registry:
    """Workflows of every kind of end: one that completes, waits, retries, loops or fails."""
    registry = Registry()
    calls: list[object] = []

    @registry.node("shop:flaky", retry_policy=RetryPolicy(3, interval=2000, retry_on=("Overloaded",)))
    def flaky(data: dict[str, Any]) -> object:
        calls.append(data)
        if len(calls) < 2:
            raise Overloaded("503")
        return {"charged": data["cents"]}

    order = Flow("order", description="Charges, asks, ships.")
    pay = order.node("pay", flaky, {"cents": "{{ run.input.cents || 1 }}"})
    approval = order.wait("approval", signal="decision")
    ok = order.if_("ok", "{{ nodes.approval.last.data.ok }}")
    _ = pay >> approval >> ok
    _ = ok["true"] >> order.node("ship", "core:set", {"shipped": True})
    _ = ok["false"] >> order.fail("refused", "Refused", "somebody said no")
    registry.add(order)

    quick = Flow("quick")
    quick.node("echo", "core:set", {"said": "{{ run.input }}"})
    registry.add(quick)

    loop = Flow("loop")
    each = loop.node("each", "core:loop", {"items": [1, 2, 3]})
    body = loop.node("body", "core:set", {"n": "{{ nodes.each.last.data.item }}"})
    _ = each["loop"] >> body >> each
    registry.add(loop)
    return registry


@pytest.fixture
def service() -> Iterator[Service]:
    """A deployment of the shop."""
    with Service(shop()) as running:
        yield running


@pytest.fixture
def cli(service: Service, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Calls the command, with the service at REFLUXO_URL and no credentials of this machine."""
    for name in ("REFLUXO_TOKEN", "REFLUXO_REGISTRY", "AWS_PROFILE", "AWS_REGION", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REFLUXO_URL", service.url)

    def call(*arguments: str, input: str | None = None) -> Result:  # noqa: A002  (click's name)
        result = CliRunner().invoke(refluxo, list(arguments), input=input, prog_name="refluxo")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call
