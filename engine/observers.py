"""Observers, Fluxo's word for plugins that only look: a log, metrics in memory, and several as one."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.json_value import JsonObject
from engine.plugin import NodeEvent, Plugin, Plugins
from engine.snapshot import Snapshot, Status

LATENCY_BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 900_000)
"""Upper bounds of the latency buckets, milliseconds; the last is Lambda's longest timeout."""


class LoggingObserver(Plugin):
    """Writes a line for each thing that happens, with its facts as the record's extra fields."""

    def __init__(self, logger: logging.Logger | None = None, *, level: int = logging.INFO) -> None:
        self._logger = logger if logger is not None else logging.getLogger("refluxo.run")
        self._level = level

    def on_workflow_start(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._run("run started", snapshot)

    def on_after_node_execution(self, event: NodeEvent) -> None:
        """See Plugin."""
        self._logger.log(self._level, "step executed", extra=_facts(event))

    def on_node_error(self, event: NodeEvent) -> None:
        """See Plugin."""
        facts = _facts(event) | {"error": str(event.error), "retried": _is_retried(event)}
        self._logger.log(max(self._level, logging.WARNING), "step failed", extra=facts)

    def on_workflow_pause(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._run("run waits", snapshot)

    def on_workflow_complete(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._run("run completed", snapshot)

    def on_workflow_fail(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._run("run failed", snapshot)

    def on_workflow_cancel(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._run("run cancelled", snapshot)

    def _run(self, message: str, snapshot: Snapshot) -> None:
        facts = {"workflow_id": snapshot.workflow_id, "version": snapshot.version, "status": snapshot.status.value}
        self._logger.log(self._level, message, extra=facts)


def _facts(event: NodeEvent) -> dict[str, object]:
    return {
        "workflow_id": event.step.workflow_id,
        "node_id": event.step.node_id,
        "node_type": event.node_type,
        "visit": event.step.visit,
        "attempt": event.step.attempt,
        "duration_ms": event.duration_ms,
    }


def _is_retried(event: NodeEvent) -> bool:
    return event.after is not None and event.after.status is Status.ERROR


@dataclass(slots=True)
class Distribution:
    """Durations in buckets of fixed bounds: of bounded size however many there were."""

    count: int = 0
    total_ms: int = 0
    max_ms: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_MS) + 1))

    def add(self, duration_ms: int) -> None:
        """Counts one duration."""
        self.count += 1
        self.total_ms += duration_ms
        self.max_ms = max(self.max_ms, duration_ms)
        self.buckets[bisect_left(LATENCY_BOUNDS_MS, duration_ms)] += 1

    def percentile_ms(self, percent: float) -> int:
        """An upper bound of the duration that so many percent do not exceed; 0 when there is none."""
        rank = self.count * percent / 100
        seen = 0
        for bound, number in zip((*LATENCY_BOUNDS_MS, self.max_ms), self.buckets, strict=True):
            seen += number
            if seen and seen >= rank:
                return min(bound, self.max_ms)
        return 0

    def to_json(self) -> JsonObject:
        """Count, mean, percentiles and maximum, in milliseconds."""
        return {
            "count": self.count,
            "meanMs": round(self.total_ms / self.count, 1) if self.count else 0,
            "p50Ms": self.percentile_ms(50),
            "p90Ms": self.percentile_ms(90),
            "p99Ms": self.percentile_ms(99),
            "maxMs": self.max_ms,
        }


class MetricsObserver(Plugin):
    """Counts and latency distributions in memory; ``health()`` is what a page or a probe would show."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: Counter[str] = Counter()
        self._steps: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._latencies: dict[str, Distribution] = {}
        self._all = Distribution()

    def on_workflow_start(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._count_run("started", snapshot)

    def on_workflow_pause(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._count_run("paused", snapshot)

    def on_workflow_complete(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._count_run("completed", snapshot)

    def on_workflow_fail(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._count_run("failed", snapshot)

    def on_workflow_cancel(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._count_run("cancelled", snapshot)

    def on_after_node_execution(self, event: NodeEvent) -> None:
        """See Plugin."""
        with self._lock:
            self._steps["executed"] += 1
            self._measure(event)

    def on_node_error(self, event: NodeEvent) -> None:
        """See Plugin."""
        with self._lock:
            self._steps["executed"] += 1
            self._steps["failed"] += 1
            if _is_retried(event):
                self._steps["retried"] += 1
            if event.error is not None:
                self._errors[event.error.type] += 1
            self._measure(event)

    def _count_run(self, what: str, _snapshot: Snapshot) -> None:
        with self._lock:
            self._runs[what] += 1

    def _measure(self, event: NodeEvent) -> None:
        self._all.add(event.duration_ms)
        self._latencies.setdefault(event.node_type, Distribution()).add(event.duration_ms)

    def health(self) -> JsonObject:
        """Everything counted so far: runs, steps, errors by type, latencies in all and by node type."""
        with self._lock:
            failed, executed = self._steps["failed"], self._steps["executed"]
            return {
                "runs": {what: self._runs[what] for what in ("started", "paused", "completed", "failed", "cancelled")},
                "steps": {what: self._steps[what] for what in ("executed", "failed", "retried")},
                "failureRate": round(failed / executed, 4) if executed else 0,
                "errors": dict(sorted(self._errors.items())),
                "latency": self._all.to_json(),
                "latencyByNodeType": {name: found.to_json() for name, found in sorted(self._latencies.items())},
            }


class CompositeObserver(Plugin):
    """Several observers as one. One that raises does not keep the others from looking."""

    def __init__(self, observers: Sequence[Plugin]) -> None:
        self._observers = Plugins(observers)

    def on_workflow_start(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._observers.tell(lambda observer: observer.on_workflow_start(snapshot))

    def on_before_node_execution(self, event: NodeEvent) -> None:
        """See Plugin."""
        self._observers.tell(lambda observer: observer.on_before_node_execution(event))

    def on_after_node_execution(self, event: NodeEvent) -> None:
        """See Plugin."""
        self._observers.tell(lambda observer: observer.on_after_node_execution(event))

    def on_node_error(self, event: NodeEvent) -> None:
        """See Plugin."""
        self._observers.tell(lambda observer: observer.on_node_error(event))

    def on_workflow_pause(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._observers.tell(lambda observer: observer.on_workflow_pause(snapshot))

    def on_workflow_complete(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._observers.tell(lambda observer: observer.on_workflow_complete(snapshot))

    def on_workflow_fail(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._observers.tell(lambda observer: observer.on_workflow_fail(snapshot))

    def on_workflow_cancel(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        self._observers.tell(lambda observer: observer.on_workflow_cancel(snapshot))
