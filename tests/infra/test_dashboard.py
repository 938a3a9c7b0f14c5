"""The dashboard: what it tells at a glance, read off the stack's template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws_cdk.assertions import Template

from tests.infra.installation import properties

if TYPE_CHECKING:
    from tests.infra.conftest import Synthesize


def widgets(template: Template) -> dict[str, dict[str, Any]]:
    """Title to properties, of each widget; references stand as the ids of their resources."""
    (dashboard,) = properties(template, "AWS::CloudWatch::Dashboard").values()
    parts = dashboard["DashboardBody"]["Fn::Join"][1]
    body = json.loads("".join(part if isinstance(part, str) else str(next(iter(part.values()))[0]) for part in parts))
    return {widget["properties"]["title"]: widget["properties"] for widget in body["widgets"]}


def names(widget: dict[str, Any]) -> set[str]:
    """Names of the metrics that a widget shows or reckons with."""
    return {metric[1] for metric in widget["metrics"] if isinstance(metric[0], str)}


def test_it_tells_of_runs_steps_queue_and_cost(template: Template) -> None:
    """Everything a person looks for first, by the names the functions give their metrics."""
    found = widgets(template)
    assert names(found["Runs by what became of them"]) == {
        "RunsStarted",
        "RunsPaused",
        "RunsCompleted",
        "RunsFailed",
        "RunsCancelled",
    }
    assert names(found["Steps per second"]) == {"StepsExecuted"}
    assert names(found["How long a step takes, in milliseconds"]) == {"StepDuration"}
    statistics = [metric[-1]["stat"] for metric in found["How long a step takes, in milliseconds"]["metrics"]]
    assert statistics == ["p50", "p95", "p99"]
    assert names(found["Steps that raised, and were tried again"]) == {"StepErrors", "StepRetries"}
    assert names(found["Runs overdue"]) == {"RunsOverdue"}
    assert names(found["Age of the oldest message, in seconds"]) == {"ApproximateAgeOfOldestMessage"}
    assert "Estimated US dollars per million steps" in found
    assert len(found["Alarms"]["alarms"]) == len(properties(template, "AWS::CloudWatch::Alarm"))


def test_what_nobody_measures_is_not_shown(synthesize: Synthesize) -> None:
    """Without the functions' own metrics there are those of AWS, and without alarms no word of them."""
    found = widgets(synthesize(plugins="", alarms=False))
    assert "Refluxo" not in json.dumps(found)
    assert set(found) == {
        "Age of the oldest message, in seconds",
        "Messages: due, and parked",
        "Invocations that failed, or were refused",
        "Estimated US dollars a day",
    }
