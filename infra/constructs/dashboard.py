"""What a person sees at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.constructs.alarms import HOUR, Alarms
from infra.metrics import InstallationMetrics
from infra.settings import StackSettings

_MINUTE: Final = Duration.minutes(1)
_GRID_WIDTH: Final = 24

_RUNS: Final = ("Started", "Paused", "Completed", "Failed", "Cancelled")
_PERCENTILES: Final = ("p50", "p95", "p99")


class RunsDashboard(Construct):
    """``url`` is where it is. What needs the functions' own metrics is left out where they write none."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StackSettings,
        metrics: InstallationMetrics,
        alarms: Alarms | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        dashboard = cloudwatch.Dashboard(self, "Dashboard", default_interval=Duration.hours(12))
        if alarms is not None:
            dashboard.add_widgets(
                cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms.alarms), width=_GRID_WIDTH, height=3)
            )
        if settings.counts_runs:
            dashboard.add_widgets(*_of_runs(metrics))
            dashboard.add_widgets(*_of_steps(metrics))
        dashboard.add_widgets(*_of_platform(metrics))
        dashboard.add_widgets(*_of_cost(metrics, counts_runs=settings.counts_runs))
        self.url = (
            f"https://{Stack.of(self).region}.console.aws.amazon.com/cloudwatch/home"
            f"#dashboards:name={dashboard.dashboard_name}"
        )


def _of_runs(metrics: InstallationMetrics) -> list[cloudwatch.IWidget]:
    return [
        _graph("Runs by what became of them", 16, [metrics.of_runs(f"Runs{what}") for what in _RUNS]),
        _graph("Runs overdue", 8, [metrics.of_runs("RunsOverdue", statistic="Maximum")]),
    ]


def _of_steps(metrics: InstallationMetrics) -> list[cloudwatch.IWidget]:
    durations = [metrics.of_runs("StepDuration", statistic=name).with_(label=name) for name in _PERCENTILES]
    return [
        _graph("Steps per second", 8, [metrics.steps_per_second]),
        _graph("How long a step takes, in milliseconds", 8, durations),
        _graph(
            "Steps that raised, and were tried again", 8, [metrics.of_runs(f"Step{x}") for x in ("Errors", "Retries")]
        ),
    ]


def _of_platform(metrics: InstallationMetrics) -> list[cloudwatch.IWidget]:
    return [
        _graph("Age of the oldest message, in seconds", 8, [metrics.queue_age]),
        _graph("Messages: due, and parked", 8, [metrics.waiting_messages, metrics.parked_messages]),
        _graph("Invocations that failed, or were refused", 8, [metrics.errors, metrics.throttles]),
    ]


def _of_cost(metrics: InstallationMetrics, *, counts_runs: bool) -> list[cloudwatch.IWidget]:
    per_steps = [metrics.dollars_per_million_steps(HOUR)] if counts_runs else []
    return [
        _graph("Estimated US dollars a day", 12, [metrics.dollars_per_day(HOUR)]),
        *([_graph("Estimated US dollars per million steps", 12, per_steps)] if per_steps else []),
    ]


def _graph(title: str, width: int, shown: Sequence[cloudwatch.IMetric]) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(title=title, width=width, left=list(shown), left_y_axis=cloudwatch.YAxisProps(min=0))
