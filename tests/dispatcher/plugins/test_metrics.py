"""Metrics, as CloudWatch reads them from standard output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dispatcher.plugins import tell_the_end
from dispatcher.powertools_metrics import PowertoolsMetrics
from engine import NodeEvent, Registry
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.plugins.conftest import Lines
from tests.dispatcher.virtual_time import MINUTE, SECOND
from tests.engine.recorder import Recorder, eventful_registry, steps_of

UNITS = {
    "StepsExecuted": "Count",
    "StepDuration": "Milliseconds",
    "StepRetries": "Count",
    "StepErrors": "Count",
    "RunsStarted": "Count",
    "RunsPaused": "Count",
    "RunsCompleted": "Count",
    "RunsFailed": "Count",
    "RunsCancelled": "Count",
    "RunsOverdue": "Count",
}
"""What dashboard and alarms are made of."""


def _values(line: Mapping[str, Any]) -> dict[str, float]:
    """Sums by metric, of a line that is held against the format on the way."""
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert isinstance(line["_aws"]["Timestamp"], int)
    assert (directive["Namespace"], directive["Dimensions"]) == ("RefluxoTest", [["service"]])
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert units.items() <= UNITS.items()
    assert all(len(line[name]) <= 100 for name in units)
    return {name: sum(line[name]) for name in units}


def test_an_invocation_writes_one_line(new_loop: NewLoop, service: str, lines: Lines) -> None:
    """With what happened in it; the workflow is metadata, not a dimension to pay for."""
    loop = new_loop(examples.retry(SECOND), plugins=("metrics",))
    loop.start("retry")
    assert lines() == []
    loop.deliver_all()
    (line,) = lines()
    assert (line["service"], line["workflows"]) == (service, ["retry"])
    assert isinstance(line["StepDuration"], list)
    values = _values(line)
    del values["StepDuration"]
    assert values == {"StepsExecuted": 1, "StepErrors": 1, "StepRetries": 1, "RunsStarted": 1}
    loop.advance(2 * SECOND)
    later = [_values(line) for line in lines()]
    assert [line["StepsExecuted"] for line in later] == [1, 1]
    assert "RunsStarted" not in later[0]
    assert later[-1]["RunsCompleted"] == 1


def _everything() -> Registry:
    made = examples.retry(SECOND)
    examples.add(made, "waits", [{"id": "w", "type": "core:wait"}], [])
    examples.add(made, "fails", [{"id": "f", "type": "core:fail", "data": {"error": "Bad"}}], [])
    return made


def test_every_metric_is_there_by_its_name_and_unit(new_loop: NewLoop, lines: Lines) -> None:
    """Over an hour in which everything happens: retried, completed, failed, waiting, cancelled, and overdue."""
    loop = new_loop(_everything(), plugins=("metrics",))
    for workflow in ("retry", "waits", "fails"):
        loop.start(workflow, run=workflow)
    loop.deliver_all()
    loop.advance(2 * SECOND)
    loop.ask("POST", "/runs/waits/cancel", {"reason": "enough"})
    loop.start("retry", run="lost")
    loop.purge()
    for _ in range(3):
        loop.advance(15 * MINUTE)
        loop.sweep()
        loop.deliver_all()
    written = lines()
    totals: dict[str, float] = {}
    for line in written:
        for name, value in _values(line).items():
            totals[name] = totals.get(name, 0) + value
    assert totals.keys() == UNITS.keys()
    del totals["StepDuration"]
    assert totals == {
        "StepsExecuted": 8,
        "StepRetries": 2,
        "StepErrors": 3,
        "RunsStarted": 4,
        "RunsPaused": 1,
        "RunsCompleted": 2,
        "RunsFailed": 1,
        "RunsCancelled": 1,
        "RunsOverdue": 1,
    }


def test_a_sweep_that_finds_nothing_says_so(new_loop: NewLoop, lines: Lines) -> None:
    """Silence would be a sweep that does not run."""
    loop = new_loop(examples.chain(1), plugins=("metrics",))
    loop.sweep()
    (line,) = lines()
    assert _values(line) == {"RunsOverdue": 0}
    assert "workflows" not in line


def test_durations_are_values_of_one_line(new_loop: NewLoop, lines: Lines) -> None:
    """However many steps an invocation has made, up to the hundred values that a line takes."""
    loop = new_loop(examples.chain(5), plugins=("metrics",), steps_per_invocation=5)
    loop.start("chain")
    loop.deliver_all()
    (line,) = lines()
    assert len(line["StepDuration"]) == 5
    assert line["StepsExecuted"] == [5]


def _one_event() -> NodeEvent:
    recorder = Recorder()
    list(steps_of(eventful_registry([recorder]).engine("good")))
    return recorder.events[-1]


@pytest.mark.usefixtures("service")
def test_more_than_a_line_takes_goes_into_the_next(lines: Lines) -> None:
    """CloudWatch takes a hundred values of a metric in a line; none is lost, and counts are told once."""
    metrics, event = PowertoolsMetrics(), _one_event()
    for _ in range(250):
        metrics.on_before_node_execution(event)
        metrics.on_after_node_execution(event)
    tell_the_end([metrics])
    written = lines()
    assert [len(line["StepDuration"]) for line in written] == [100, 100, 50]
    assert [line.get("StepsExecuted") for line in written] == [None, None, [250]]
    tell_the_end([metrics])
    assert lines() == []


def test_an_execution_that_was_cut_off_is_an_error(lines: Lines) -> None:
    """Nobody told its end: it is counted when the next one begins, or with the invocation."""
    metrics, event = PowertoolsMetrics(), _one_event()
    metrics.on_before_node_execution(event)
    metrics.on_before_node_execution(event)
    metrics.on_after_node_execution(event)
    metrics.on_before_node_execution(event)
    tell_the_end([metrics])
    (line,) = lines()
    values = _values(line)
    assert (values["StepsExecuted"], values["StepErrors"], len(line["StepDuration"])) == (3, 2, 1)


def test_what_was_counted_is_written_when_the_handler_raises(new_loop: NewLoop, lines: Lines) -> None:
    """And not again by the next invocation."""
    loop = new_loop(examples.chain(1), plugins=("metrics",))
    loop.start("chain")

    def handle() -> None:
        with loop.app.invocation():
            loop.app.catalog.announce(loop.snapshot(), loop.snapshot())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        handle()
    assert [_values(line) for line in lines()] == [{"RunsStarted": 1}]
    with loop.app.invocation():
        pass
    assert lines() == []


def test_names_not_given_have_defaults(new_loop: NewLoop, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudWatch refuses a line without a namespace, and one without a dimension would be nobody's."""
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE")
    monkeypatch.delenv("POWERTOOLS_SERVICE_NAME")
    new_loop(examples.chain(1), plugins=("metrics",)).sweep()
    (line,) = lines()
    assert (line["_aws"]["CloudWatchMetrics"][0]["Namespace"], line["service"]) == ("Refluxo", "refluxo")
