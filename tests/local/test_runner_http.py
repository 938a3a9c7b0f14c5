"""LocalRunner and core:http: no test calls anybody by accident."""

from __future__ import annotations

import pytest

from engine import Output, Registry, Step
from engine.core_data import HttpData
from local import LocalRunner
from tests.dispatcher.http_node.server import as_json, serving


def calling(url: str) -> Registry:
    """A workflow of one call."""
    registry = Registry()
    registry.add(
        {"name": "calling", "nodes": [{"id": "ask", "type": "core:http", "data": {"method": "GET", "url": url}}]}
    )
    return registry


def test_without_a_fake_the_step_asks_for_one() -> None:
    """At once, and nothing is sent."""
    with serving(as_json("1")) as server:
        run = LocalRunner(calling(server.url), allowed_networks="127.0.0.0/8").start("calling")
        run.assert_failed("NeedsHost")
    assert run.executed == ["ask"]
    assert "node 'ask' would call a URL" in run.errors("ask")[0]
    assert "runner.fake('core:http', ...)" in run.errors("ask")[0]
    assert not server.received


def test_a_fake_answers() -> None:
    """It is given the data as the real one is, and chooses handles."""
    runner = LocalRunner(calling("https://example.com/"))

    def answer(data: HttpData, step: Step) -> Output:
        return Output({"asked": data.url, "connected": step.connects("rejected")}, "rejected")

    fake = runner.fake("core:http", answer)
    assert runner.start("calling").result() == {"asked": "https://example.com/", "connected": False}
    assert [call.method for call in fake.calls if isinstance(call, HttpData)] == ["GET"]


def test_the_network_is_there_for_whoever_asks_for_it() -> None:
    """By the same rules as in the cloud."""
    with serving(as_json('{"n": 1}')) as server:
        run = LocalRunner(calling(server.url), network=True).start("calling").assert_failed("HttpRefused")
        assert not server.received
        run = LocalRunner(calling(server.url), network=True, allowed_networks="127.0.0.0/8").start("calling")
        result = run.result()
    assert isinstance(result, dict)
    assert result["body"] == {"n": 1}


def test_networks_that_are_none_are_told() -> None:
    """When the runner is made."""
    with pytest.raises(ValueError, match="'here' is no network"):
        LocalRunner(Registry(), allowed_networks="here")
