"""Observers: lines with facts and no secrets, exact counts from any thread, and none that disturbs another."""

from __future__ import annotations

import json
import logging
import threading
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import CompositeObserver, LoggingObserver, MetricsObserver, NodeEvent, Plugin, Registry, Snapshot
from engine.observers import LATENCY_BOUNDS_MS, Distribution
from tests.engine.one_node import NOW_MS
from tests.engine.recorder import HOOKS, Recorder, eventful_registry, steps_of

RESERVED = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """The extra fields of a record."""
    return {name: value for name, value in record.__dict__.items() if name not in RESERVED}


def test_a_log_has_a_line_for_each_thing_that_happens(caplog: pytest.LogCaptureFixture) -> None:
    """In order, failures as warnings, each under the observer's own logger."""
    with caplog.at_level(logging.DEBUG):
        list(steps_of(eventful_registry([LoggingObserver()]).engine("bad")))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "step failed"),
        ("INFO", "run started"),
        ("INFO", "step executed"),
        ("INFO", "step executed"),
        ("INFO", "run waits"),
        ("INFO", "step executed"),
        ("WARNING", "step failed"),
        ("INFO", "run failed"),
    ]
    assert {record.name for record in caplog.records} == {"refluxo.run"}


def test_a_logs_facts_are_extra_fields(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever collects logs as JSON has them as fields, none of which is one of logging's own."""
    with caplog.at_level(logging.INFO):
        list(steps_of(eventful_registry([LoggingObserver()]).engine("good")))
    by_message = {record.getMessage(): facts_of(record) for record in reversed(caplog.records)}
    step = {"workflow_id": "run-1", "node_id": "try", "node_type": "test:unsteady", "visit": 1}
    assert by_message["step failed"] == step | {
        "attempt": 1,
        "duration_ms": 10,
        "error": "OSError: busy",
        "retried": True,
    }
    assert by_message["step executed"] == step | {"attempt": 2, "duration_ms": 5}
    assert by_message["run started"] == {"workflow_id": "run-1", "version": 0, "status": "active"}
    assert by_message["run waits"] == {"workflow_id": "run-1", "version": 3, "status": "paused"}
    assert by_message["run completed"] == {"workflow_id": "run-1", "version": 5, "status": "completed"}


def test_a_log_is_written_where_and_as_loud_as_it_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The logger and the level of what goes well are the host's choice; failures stay warnings, or louder."""
    mine = logging.getLogger("test.mine")
    for level, failure in ((logging.DEBUG, logging.WARNING), (logging.CRITICAL, logging.CRITICAL)):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "test.mine"):
            list(steps_of(eventful_registry([LoggingObserver(mine, level=level)]).engine("good")))
        assert {record.name for record in caplog.records} == {"test.mine"}
        levels = {record.levelno for record in caplog.records if record.getMessage() != "step failed"}
        assert levels == {level}
        assert [record.levelno for record in caplog.records if record.getMessage() == "step failed"] == [failure]


def test_no_log_line_holds_globals_inputs_or_outputs(caplog: pytest.LogCaptureFixture) -> None:
    """What a run works with is its own; neither messages nor fields nor their representation tell it."""
    registry = Registry(plugins=[LoggingObserver()])
    data = {"out": "{{ globals.secret }}", "in": "{{ run.input }}"}
    nodes = [
        {"id": "it", "type": "core:set", "data": data},
        {"id": "bad", "type": "core:loop", "data": {"items": "{{ globals.secret }}"}},
    ]
    registry.add({"name": "secret", "nodes": nodes, "edges": [{"source": "it", "target": "bad"}]})
    with caplog.at_level(logging.DEBUG):
        registry.engine("secret").execute(external_payload="canary", globals={"secret": "canary"}, now_ms=NOW_MS)
    assert len(caplog.records) == 4
    assert not [record for record in caplog.records if "canary" in f"{record.getMessage()} {facts_of(record)!r}"]


def test_metrics_count_runs_steps_and_errors() -> None:
    """A caught, a retried and a final failure are failures; only the retried one is retried."""
    metrics = MetricsObserver()
    registry = eventful_registry([metrics])
    list(steps_of(registry.engine("good")))
    list(steps_of(registry.engine("bad")))
    health: Any = metrics.health()
    assert health["runs"] == {"started": 2, "paused": 2, "completed": 1, "failed": 1, "cancelled": 0}
    assert health["steps"] == {"executed": 10, "failed": 3, "retried": 2}
    assert health["errors"] == {"Bad": 1, "OSError": 2}
    assert health["failureRate"] == 0.3
    latencies = health["latencyByNodeType"]
    assert {name: latency["count"] for name, latency in latencies.items()} == {
        "core:fail": 1,
        "core:set": 1,
        "test:ask": 4,
        "test:unsteady": 4,
    }
    assert health["latency"]["count"] == sum(latency["count"] for latency in latencies.values())
    assert latencies["test:unsteady"] == {
        "count": 4,
        "meanMs": 7.5,
        "p50Ms": 5,
        "p90Ms": 10,
        "p99Ms": 10,
        "maxMs": 10,
    }


@pytest.mark.parametrize("runs", [0, 3])
def test_health_is_json(runs: int) -> None:
    """A page or a probe can send it as it is, also before anything has happened."""
    metrics = MetricsObserver()
    engine = eventful_registry([metrics]).engine("good")
    for _ in range(runs):
        list(steps_of(engine))
    health = metrics.health()
    assert json.loads(json.dumps(health, allow_nan=False)) == health
    assert set(health) == {"runs", "steps", "failureRate", "errors", "latency", "latencyByNodeType"}


def test_health_is_a_copy() -> None:
    """What a caller does with it is not counted, and what is counted later is not in it."""
    metrics = MetricsObserver()
    engine = eventful_registry([metrics]).engine("good")
    before: Any = metrics.health()
    before["runs"]["started"] = before["errors"]["Made up"] = 99
    list(steps_of(engine))
    assert before["latency"]["count"] == 0
    after: Any = metrics.health()
    assert (after["runs"]["started"], after["errors"]) == (1, {"OSError": 1})


DURATIONS = st.lists(
    st.one_of(
        st.sampled_from(LATENCY_BOUNDS_MS),
        st.sampled_from(LATENCY_BOUNDS_MS).map(lambda bound: bound + 1),
        st.integers(0, 2_000_000),
    ),
    max_size=60,
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(DURATIONS, st.integers(0, 100))
def test_a_percentile_is_that_of_a_naive_model(durations: list[int], percent: int) -> None:
    """The least bound that so many percent do not exceed, and never above the longest there was."""
    distribution = Distribution()
    for duration in durations:
        distribution.add(duration)
    found = distribution.percentile_ms(percent)
    if not durations:
        assert found == 0
        return
    wanted = max(Fraction(len(durations) * percent, 100), Fraction(1))
    bounds = [*LATENCY_BOUNDS_MS, max(durations)]
    naive = next(bound for bound in bounds if sum(duration <= bound for duration in durations) >= wanted)
    assert found == min(naive, max(durations))
    exact = sorted(durations)[max(-(-len(durations) * percent // 100), 1) - 1]
    assert exact <= found <= max(durations)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(DURATIONS)
def test_a_distribution_keeps_sums_and_stays_small(durations: list[int]) -> None:
    """Count, mean and maximum are exact; the room it takes does not grow with what it counts."""
    distribution = Distribution()
    for duration in durations:
        distribution.add(duration)
    told: Any = distribution.to_json()
    assert (told["count"], told["maxMs"]) == (len(durations), max(durations, default=0))
    assert told["meanMs"] == (round(sum(durations) / len(durations), 1) if durations else 0)
    assert told["p50Ms"] <= told["p90Ms"] <= told["p99Ms"] <= told["maxMs"]
    assert len(distribution.buckets) == len(LATENCY_BOUNDS_MS) + 1
    assert sum(distribution.buckets) == len(durations)


def test_counts_from_several_threads_are_exact() -> None:
    """One observer may look at the runs of a whole pool while somebody reads its health."""
    metrics = MetricsObserver()
    engine = eventful_registry([metrics]).engine("good")
    threads, runs = 8, 20
    begin = threading.Barrier(threads)
    seen: list[Any] = []

    def work() -> None:
        begin.wait()
        for number in range(runs):
            list(steps_of(engine, workflow_id=f"run-{number}"))
            seen.append(metrics.health())

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    health: Any = metrics.health()
    total = threads * runs
    assert health["runs"] == {"started": total, "paused": total, "completed": total, "failed": 0, "cancelled": 0}
    assert health["steps"] == {"executed": 5 * total, "failed": total, "retried": total}
    assert health["latency"]["count"] == 5 * total
    assert all(
        sum(each["count"] for each in old["latencyByNodeType"].values()) == old["latency"]["count"] for old in seen
    )


class Raising(Plugin):
    """Raises whatever it is told."""

    def __getattribute__(self, name: str) -> Any:
        if name in HOOKS:
            raise RuntimeError(name)
        return super().__getattribute__(name)


def test_several_observers_are_one() -> None:
    """Each is told what a plugin of its own would be, also beside one that raises; the run is as it was."""
    told: list[str] = []
    alone, first, second = Recorder(), Recorder("1 ", told), Recorder("2 ", told)
    composite = CompositeObserver([first, Raising(), CompositeObserver([second])])
    *_, last = steps_of(eventful_registry([alone, composite]).engine("bad"))
    assert told == [f"{name} {line}" for line in alone.told for name in ("1", "2")]
    assert second.events == alone.events
    assert second.snapshots == alone.snapshots
    *_, undisturbed = steps_of(eventful_registry().engine("bad"))
    assert last.to_json() == undisturbed.to_json()


def test_a_composite_has_every_hook() -> None:
    """A hook that a composite forgot would reach none of its observers."""
    for hook in HOOKS:
        assert hook in vars(CompositeObserver)
        assert hook in vars(Recorder)
    assert set(HOOKS) == {name for name in vars(Plugin) if name.startswith("on_")}


def test_an_observer_needs_no_engine() -> None:
    """Its hooks take values: a host may call them for what it did itself."""
    metrics = MetricsObserver()
    event: NodeEvent = _one_event()
    metrics.on_after_node_execution(event)
    metrics.on_workflow_pause(event.before)
    health: Any = metrics.health()
    assert (health["steps"]["executed"], health["runs"]["paused"]) == (1, 1)


def _one_event() -> NodeEvent:
    recorder = Recorder()
    snapshots: list[Snapshot] = list(steps_of(eventful_registry([recorder]).engine("good")))
    assert snapshots
    return recorder.events[-1]
