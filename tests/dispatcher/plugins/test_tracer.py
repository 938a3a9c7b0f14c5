"""Traces, as the X-Ray daemon would be sent them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from aws_lambda_powertools import Tracer
from aws_xray_sdk import global_sdk_config  # type: ignore[import-untyped]
from aws_xray_sdk.core import xray_recorder  # type: ignore[import-untyped]

from dispatcher.plugins import tell_the_end
from dispatcher.powertools_tracer import PowertoolsTracer
from engine import NodeEvent, Registry
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.virtual_time import SECOND
from tests.engine.recorder import Recorder, eventful_registry, steps_of

forget: Final[Callable[[], None]] = Tracer._reset_config
"""Powertools remembers for a process what its first Tracer was told."""

# The SDK opens a socket for its daemon as soon as it is imported. No test sends anything there.
xray_recorder.emitter._socket.close()


class Daemon:
    """Takes what is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send_entity(self, entity: Any) -> None:
        """Takes it."""
        self.sent.append(entity)

    def set_daemon_address(self, address: str) -> None:
        """There is none."""


def _below(entity: Any) -> Iterator[Any]:
    for subsegment in entity.subsegments:
        yield subsegment
        yield from _below(subsegment)


@pytest.fixture
def in_lambda(service: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As Powertools knows it."""
    assert service
    monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
    forget()
    yield
    forget()


@pytest.fixture
def daemon(in_lambda: None) -> Iterator[Daemon]:  # noqa: ARG001
    """A trace under way, and who takes it."""
    daemon, before = Daemon(), xray_recorder.emitter
    xray_recorder.configure(emitter=daemon, sampling=False, streaming_threshold=0)
    global_sdk_config.set_sdk_enabled(True)
    xray_recorder.begin_segment("function")
    yield daemon
    xray_recorder.clear_trace_entities()
    xray_recorder.configure(emitter=before)


def _ended(daemon: Daemon) -> list[dict[str, Any]]:
    """The subsegments sent when the function has ended, as they are sent, in the order of their beginnings."""
    xray_recorder.end_segment()
    found = [subsegment for entity in daemon.sent for subsegment in (entity, *_below(entity))]
    documents = [entity.to_dict() for entity in found if entity.name != "function"]
    return sorted(documents, key=lambda document: document["start_time"])


def test_a_step_is_a_subsegment(new_loop: NewLoop, daemon: Daemon) -> None:
    """With what to search traces by; a failed one is marked, by the error's type alone."""
    loop = new_loop(examples.retry(SECOND), plugins=("tracer",))
    loop.start("retry")
    loop.deliver_all()
    loop.advance(2 * SECOND)
    first, second, third = _ended(daemon)
    assert [first["name"], second["name"], third["name"]] == ["flaky", "flaky", "done"]
    assert first["annotations"] == {
        "workflow": "retry",
        "workflow_id": "run-1",
        "node_id": "flaky",
        "node_type": "test:flaky",
        "visit": 1,
        "attempt": 1,
        "error_type": "Unavailable",
    }
    assert (first["fault"], "fault" in second, second["annotations"]["attempt"]) == (True, False, 2)
    assert "metadata" not in first
    assert all("end_time" in subsegment for subsegment in (first, second, third))


def test_steps_within_a_step_are_within_its_subsegment(new_loop: NewLoop, daemon: Daemon) -> None:
    """And a subsegment that a node has left open ends with its step."""
    made = Registry(plugins=[PowertoolsTracer()])

    @made.node("test:leaky")
    def leaky(_data: object) -> int:
        xray_recorder.begin_subsegment("mine")
        return 1

    made.add_node_data({"type": "test:nested", "workflow": {"nodes": [{"id": "inner", "type": "test:leaky"}]}})
    nodes = [{"id": "outer", "type": "test:nested"}, {"id": "next", "type": "core:set"}]
    examples.add(made, "nests", nodes, [("outer", "next")])
    loop = new_loop(made)
    loop.start("nests")
    loop.deliver_all()
    found = {subsegment["name"]: subsegment for subsegment in _ended(daemon)}
    assert found.keys() == {"outer", "inner", "mine", "next"}
    parents = {name: subsegment["parent_id"] for name, subsegment in found.items()}
    assert parents["mine"] == found["inner"]["id"]
    assert parents["inner"] == found["outer"]["id"]
    assert parents["outer"] == parents["next"]


def _one_event() -> NodeEvent:
    recorder = Recorder()
    list(steps_of(eventful_registry([recorder]).engine("good")))
    return recorder.events[-1]


def test_a_step_that_was_cut_off_is_ended(daemon: Daemon) -> None:
    """When the next one begins, so that it is not within it, or with the invocation."""
    tracer, event = PowertoolsTracer(), _one_event()
    tracer.on_before_node_execution(event)
    tracer.on_before_node_execution(event)
    tell_the_end([tracer])
    first, second = _ended(daemon)
    assert first["parent_id"] == second["parent_id"]
    assert [each["annotations"]["error_type"] for each in (first, second)] == ["CutOff", "CutOff"]


@pytest.mark.parametrize("why", ["not on Lambda", "by the environment"])
def test_without_a_trace_it_is_silent(
    new_loop: NewLoop, service: str, monkeypatch: pytest.MonkeyPatch, why: str, recwarn: pytest.WarningsRecorder
) -> None:
    """On a laptop, and where Powertools' own switch says so."""
    assert service
    forget()
    if why == "by the environment":
        monkeypatch.setenv("LAMBDA_TASK_ROOT", "/var/task")
        monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    loop = new_loop(examples.chain(2), plugins=("tracer",))
    loop.start("chain")
    loop.settle()
    assert loop.executed() == {"a": 1, "b": 1}
    assert not recwarn.list
    forget()
    global_sdk_config.set_sdk_enabled(True)


@pytest.mark.usefixtures("in_lambda")
def test_on_lambda_without_a_segment_nothing_breaks(new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """Tracing may be off for the function: the recorder has nothing to be a part of."""
    xray_recorder.clear_trace_entities()
    xray_recorder.configure(context_missing="IGNORE_ERROR")
    loop = new_loop(examples.chain(2), plugins=("tracer",))
    loop.start("chain")
    loop.settle()
    assert loop.executed() == {"a": 1, "b": 1}
    assert "a hook of" not in caplog.text
