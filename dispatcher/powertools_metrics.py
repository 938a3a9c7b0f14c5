"""Metrics by Powertools, in CloudWatch's embedded metric format: one line of JSON an invocation, and no call to AWS.

The names are fixed, for dashboard and alarms read them. The one dimension is the service: each further value of a
dimension would be a metric of its own, and be paid for as one. Which workflows a line is about is metadata of it, for
queries over logs.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from dispatcher.open_steps import OpenSteps
from dispatcher.shell_plugin import ShellPlugin
from engine import Status

if TYPE_CHECKING:
    from dispatcher.sweep import SweepReport
    from engine import NodeEvent, Snapshot

DEFAULT_NAMESPACE: Final = "Refluxo"
"""The namespace when ``POWERTOOLS_METRICS_NAMESPACE`` names none."""

DEFAULT_SERVICE: Final = "refluxo"
"""The dimension ``service`` when ``POWERTOOLS_SERVICE_NAME`` names none."""

_COUNT: Final = "Count"
_MILLISECONDS: Final = "Milliseconds"


class PowertoolsMetrics(ShellPlugin):
    """Counts steps and runs; what an invocation has counted is written at its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._durations_ms: list[int] = []
        self._workflows: set[str] = set()
        self._open: OpenSteps[Snapshot] = OpenSteps()

    def on_before_node_execution(self, event: NodeEvent) -> None:
        """See Plugin."""
        for before in self._open.cut_off_before(event):
            self._count_cut_off(before)
        self._open.begin(event, event.before)

    def on_after_node_execution(self, event: NodeEvent) -> None:
        """See Plugin."""
        self._count_step(event)

    def on_node_error(self, event: NodeEvent) -> None:
        """See Plugin."""
        retried = event.after is not None and event.after.status is Status.ERROR
        self._count_step(event, "StepErrors", *(["StepRetries"] if retried else []))

    def on_workflow_start(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._count(snapshot, "RunsStarted")

    def on_workflow_pause(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._count(snapshot, "RunsPaused")

    def on_workflow_complete(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._count(snapshot, "RunsCompleted")

    def on_workflow_fail(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._count(snapshot, "RunsFailed")

    def on_workflow_cancel(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._count(snapshot, "RunsCancelled")

    def on_sweep(self, report: SweepReport) -> None:
        """See ShellPlugin. A sweep that found none says so: silence would be a sweep that did not run."""
        with self._lock:
            self._counts["RunsOverdue"] += report.overdue

    def on_invocation_end(self) -> None:
        """See ShellPlugin."""
        for before in self._open.take_all():
            self._count_cut_off(before)
        with self._lock:
            counts, self._counts = self._counts, Counter()
            durations_ms, self._durations_ms = self._durations_ms, []
            workflows, self._workflows = self._workflows, set()
        if counts:
            _write(counts, durations_ms, workflows)

    def _count_step(self, event: NodeEvent, *also: str) -> None:
        _, cut_off = self._open.end(event)
        for before in cut_off:
            self._count_cut_off(before)
        self._count(event.before, "StepsExecuted", *also)
        with self._lock:
            self._durations_ms.append(event.duration_ms)

    def _count_cut_off(self, before: Snapshot) -> None:
        """An execution that never ended: it has failed, and how long it took nobody knows."""
        self._count(before, "StepsExecuted", "StepErrors")

    def _count(self, snapshot: Snapshot, *names: str) -> None:
        with self._lock:
            self._counts.update(names)
            if snapshot.definition is not None:
                self._workflows.add(snapshot.definition.name)


def _write(counts: Counter[str], durations_ms: list[int], workflows: set[str]) -> None:
    """Writes a line; a second one when there are more durations than one takes."""
    # Not Powertools' Metrics, whose dimensions are shared with whatever a node makes of that class.
    provider = AmazonCloudWatchEMFProvider()
    provider.namespace = provider.namespace or DEFAULT_NAMESPACE
    provider.service = provider.service or DEFAULT_SERVICE
    if workflows:
        provider.add_metadata("workflows", sorted(workflows))
    for duration_ms in durations_ms:
        provider.add_metric("StepDuration", _MILLISECONDS, duration_ms)
    for name, count in counts.items():
        provider.add_metric(name, _COUNT, count)
    provider.flush_metrics()
