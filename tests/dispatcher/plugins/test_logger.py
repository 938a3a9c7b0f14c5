"""Logs as JSON lines: each says what it is about, and none what the data was."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from dispatcher.powertools_logger import PowertoolsLogger
from engine import Registry, Step
from engine.json_value import JsonValue
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.plugins.conftest import Lines
from tests.dispatcher.virtual_time import SECOND

CANARY = "canary-5d1c-90aa"

FACTS = {
    "workflow_id",
    "correlation_id",
    "workflow",
    "workflow_version",
    "version",
    "node_id",
    "node_type",
    "visit",
    "attempt",
}


def _about(lines: list[Mapping[str, Any]], message: str) -> list[Mapping[str, Any]]:
    return [line for line in lines if line["message"] == message]


def test_a_step_s_line_says_everything_about_it(new_loop: NewLoop, service: str, lines: Lines) -> None:
    """Which run of what, which node and how often; how long it took, and by what it failed."""
    loop = new_loop(examples.retry(SECOND), plugins=("logger",))
    loop.start("retry")
    loop.deliver_all()
    (failed,) = _about(lines(), "step failed")[:1]
    loop.advance(2 * SECOND)
    executed = _about(lines(), "step executed")
    assert (failed["service"], failed["level"], failed["name"]) == (service, "WARNING", "refluxo.run")
    assert failed.keys() >= FACTS
    told = {name: failed[name] for name in FACTS - {"workflow_version"}}
    assert told == {
        "workflow_id": "run-1",
        "correlation_id": "run-1",
        "workflow": "retry",
        "version": 0,
        "node_id": "flaky",
        "node_type": "test:flaky",
        "visit": 1,
        "attempt": 1,
    }
    assert (failed["error_type"], failed["status"]) == ("Unavailable", "error")
    assert [(line["node_id"], line["attempt"], line["version"]) for line in executed] == [
        ("flaky", 2, 1),
        ("done", 1, 2),
    ]
    assert all(isinstance(line["duration_ms"], int) for line in executed)


def test_every_line_below_refluxo_has_the_same_form(new_loop: NewLoop, service: str, lines: Lines) -> None:
    """Those that were there before too; what stands between steps is about no node of them."""
    loop = new_loop(examples.chain(2), plugins=("logger",))
    loop.start("chain")
    loop.deliver_all()
    written = lines()
    assert {line["service"] for line in written} == {service}
    assert {"refluxo.dispatch", "refluxo.run"} <= {line["name"] for line in written}
    committed = _about(written, "committed")
    assert [(line["workflow_id"], line["version"]) for line in committed] == [("run-1", 1), ("run-1", 2)]
    assert all("attempt" not in line for line in committed)


def _talkative() -> Registry:
    made = Registry(globals_provider=lambda: {"secret": CANARY})

    @made.node("test:talk")
    def talk(_data: JsonValue, step: Step) -> JsonValue:
        logging.getLogger("refluxo.mine").info("by logging")
        Logger().info("by Powertools", extra={"mine": step.visit})
        if step.attempt == 1:
            raise RuntimeError("refused")
        return {"answer": CANARY, "input": step.external_payload}

    data = {"key": "{{ globals.secret }}", "what": CANARY}
    policy = {"retry": {"maxAttempts": 2, "interval": 0}}
    nodes = [
        {"id": "talk", "type": "test:talk", "data": data, "policy": policy},
        {"id": "wait", "type": "core:wait", "data": {"signal": "go"}},
        {"id": "end", "type": "core:set", "data": {"all": "{{ nodes.talk.last.data }}"}},
    ]
    examples.add(made, "talks", nodes, [("talk", "wait"), ("wait", "end")])
    return made


def test_a_node_s_own_lines_say_whose_they_are(new_loop: NewLoop, lines: Lines) -> None:
    """By whichever logger: of the standard library below ``refluxo``, or Powertools' own."""
    loop = new_loop(_talkative(), plugins=("logger",))
    loop.start("talks", {"payload": CANARY})
    loop.deliver_all()
    written = lines()
    for message in ("by logging", "by Powertools"):
        first, second = _about(written, message)
        assert first.keys() >= FACTS
        assert [line["attempt"] for line in (first, second)] == [1, 2]
    assert [line["mine"] for line in _about(written, "by Powertools")] == [1, 1]


@pytest.mark.parametrize("plugins", [("logger",), ("logger", "metrics", "tracer")])
def test_nothing_of_the_data_is_written(new_loop: NewLoop, lines: Lines, plugins: tuple[str, ...]) -> None:
    """Neither input nor output, neither payload nor secret, at any level; not in metrics either."""
    loop = new_loop(_talkative(), plugins=plugins, log_level="DEBUG")
    loop.start("talks", {"payload": CANARY})
    loop.deliver_all()
    loop.signal("go", {"payload": CANARY})
    loop.settle()
    loop.sweep()
    assert CANARY in str(loop.snapshot().to_json())
    written = lines()
    assert len(written) > 10
    assert CANARY not in str(written)


def test_a_run_s_turns_are_told(new_loop: NewLoop, lines: Lines) -> None:
    """Its start, each wait and its end; a failure and a cancellation by their names."""
    made = examples.registry("waits", [{"id": "w", "type": "core:wait"}], [])
    examples.add(made, "fails", [{"id": "f", "type": "core:fail", "data": {"error": "Bad"}}], [])
    examples.add(made, "sets", [{"id": "s", "type": "core:set"}], [])
    loop = new_loop(made, plugins=("logger",))
    for workflow in ("waits", "fails", "sets"):
        loop.start(workflow, run=workflow)
    loop.deliver_all()
    loop.ask("POST", "/runs/waits/cancel", {})
    told = {
        (line["workflow_id"], line["message"], line["status"]) for line in lines() if line["message"].startswith("run ")
    }
    assert told == {
        *((name, "run started", "active") for name in ("waits", "fails", "sets")),
        ("waits", "run waits", "paused"),
        ("waits", "run cancelled", "cancelled"),
        ("fails", "run failed", "failed"),
        ("sets", "run completed", "completed"),
    }


def test_steps_within_a_step_have_their_own_facts(new_loop: NewLoop, lines: Lines) -> None:
    """A node type that is a workflow: of the outer step are the lines after the inner one again."""
    made = Registry(plugins=[PowertoolsLogger("INFO")])
    made.add_node_data({"type": "test:nested", "workflow": {"nodes": [{"id": "inner", "type": "core:set", "data": 1}]}})
    examples.add(made, "nests", [{"id": "outer", "type": "test:nested"}], [])
    loop = new_loop(made)
    loop.start("nests")
    loop.deliver_all()
    executed = _about(lines(), "step executed")
    assert [(line["workflow_id"], line["node_id"]) for line in executed] == [
        ("run-1/outer", "inner"),
        ("run-1", "outer"),
    ]
    assert {line["correlation_id"] for line in executed} == {"run-1"}


def test_the_level_is_the_function_s(new_loop: NewLoop, lines: Lines) -> None:
    """A line for each step is a cost that can be switched off; what goes wrong is still told."""
    loop = new_loop(examples.retry(SECOND), plugins=("logger",), log_level="WARNING")
    loop.start("retry")
    loop.deliver_all()
    loop.advance(2 * SECOND)
    assert {line["level"] for line in lines()} == {"WARNING"}
