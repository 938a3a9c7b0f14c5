"""The error handler: the default asks the retry policies, a host's own asks whatever it likes."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

from engine import (
    ErrorHandler,
    PolicyErrorHandler,
    Registry,
    RetryAfter,
    RetryPolicy,
    Snapshot,
    Status,
    Step,
    StepFailure,
    WorkflowEngine,
)
from engine.errors import ExpressionError
from engine.json_value import JsonObject, JsonValue
from engine.limits import RETRY_AFTER_MS_MAX
from engine.outcome import Failed, Rescheduled, StepError
from tests.engine.one_node import NOW_MS, engine_of, first_step, result_of

NOT_A_NUMBER: Any = math.nan
FOR_EVER: Any = math.inf
GROWTH: Any = 1500.25
"""What a handler without types may give."""


class Deciding:
    """Does as a function says and keeps the failures it was asked about."""

    def __init__(self, decide: Any) -> None:
        self.decide = decide
        self.failures: list[StepFailure] = []

    def handle(self, failure: StepFailure) -> RetryAfter | None:
        """See ErrorHandler."""
        self.failures.append(failure)
        decision: RetryAfter | None = self.decide(failure)
        return decision


def disk_full(_data: object) -> None:
    """Always fails."""
    raise OSError("disk full")


def handled_by(handler: ErrorHandler | None, *handles: str, **node: JsonValue) -> WorkflowEngine:
    """An engine whose node ``it`` always fails; behind each handle is a node of its name."""
    registry = Registry(error_handler=handler)
    registry.node("test:it", retry_policy=RetryPolicy(3, interval=7))(disk_full)
    nodes: list[JsonValue] = [{"id": "it", "type": "test:it", **node}]
    nodes.extend({"id": f"to:{handle}", "type": "core:set"} for handle in handles)
    edges: list[JsonValue] = [{"source": "it", "sourceHandle": handle, "target": f"to:{handle}"} for handle in handles]
    registry.add({"name": "w", "nodes": nodes, "edges": edges})
    return registry.engine("w")


def played(engine: WorkflowEngine, **options: Any) -> list[Snapshot]:
    """The snapshots of a run, each retry at its time."""
    snapshots = [first_step(engine, **options)]
    while snapshots[-1].status is Status.ERROR:
        snapshots.append(engine.execute_step(snapshots[-1], now_ms=snapshots[-1].due_at_ms, **options))
    return snapshots


@pytest.mark.parametrize("handler", [None, PolicyErrorHandler()], ids=["left out", "named"])
def test_the_default_asks_the_nodes_policies(handler: ErrorHandler | None) -> None:
    """The type's own policy, or the node's instead of it."""
    snapshots = played(handled_by(handler))
    assert [snapshot.due_at_ms for snapshot in snapshots] == [NOW_MS + 7, NOW_MS + 14, None]
    snapshots = played(handled_by(handler, policy={"retry": {"maxAttempts": 2, "interval": 100}}))
    assert [snapshot.due_at_ms for snapshot in snapshots] == [NOW_MS + 100, None]
    assert played(handled_by(handler, policy={"retry": []}))[0].status is Status.FAILED


def test_each_policy_of_a_list_has_a_count_of_its_own() -> None:
    """One policy needs no count beside the attempts, which is what Refluxo writes; a list does."""

    def fail(_data: object, step: Step) -> None:
        raise [OSError, KeyError, OSError, KeyError, OSError][step.attempt - 1]("x")

    policies = [RetryPolicy(3, 10, retry_on=OSError), RetryPolicy(9, 20, retry_on=KeyError)]
    snapshots = played(engine_of(fail, retry_policy=policies))
    counts = [snapshot.retry_state.counts for snapshot in snapshots if snapshot.retry_state is not None]
    assert counts == [(1,), (1, 1), (2, 1), (2, 2)]
    assert (snapshots[-1].status, len(snapshots)) == (Status.FAILED, 5)
    single = first_step(engine_of(fail, retry_policy=policies[0])).retry_state
    assert single is not None
    assert single.counts == ()


class Throttled(Exception):
    """Asks for a pause."""

    def __init__(self, asked: Any) -> None:
        super().__init__("too many")
        self.retry_after_ms = asked


def throttled(asked: Any, **policy: Any) -> Snapshot:
    """The first step of a node that asks for a pause and may try three times."""

    def fail(_data: object) -> None:
        raise Throttled(asked)

    return first_step(engine_of(fail, retry_policy=RetryPolicy(3, **({"interval": 100} | policy))))


@pytest.mark.parametrize(
    ("asked", "wait_ms"),
    [
        (0, 100),
        (99, 100),
        (100, 100),
        (101, 101),
        (5_000, 5_000),
        (100.2, 101),
        (RETRY_AFTER_MS_MAX, RETRY_AFTER_MS_MAX),
        (RETRY_AFTER_MS_MAX + 1, RETRY_AFTER_MS_MAX),
        (10**400, RETRY_AFTER_MS_MAX),
        (math.inf, RETRY_AFTER_MS_MAX),
        (math.nan, 100),
        (-1, 100),
        (True, 100),
        (None, 100),
        ("5000", 100),
        ([5000], 100),
    ],
)
def test_an_error_may_ask_for_a_pause(asked: Any, wait_ms: int) -> None:
    """The wait is no shorter than that, up to a day; what is no number of milliseconds asks for nothing."""
    snapshot = throttled(asked)
    assert (snapshot.status, snapshot.due_at_ms) == (Status.ERROR, NOW_MS + wait_ms)
    assert result_of(snapshot).error == "Throttled: too many"
    assert Snapshot.from_json(json.loads(json.dumps(snapshot.to_json()))).due_at_ms == NOW_MS + wait_ms


def test_a_pause_that_is_asked_for_is_not_cut_short() -> None:
    """By no cap and no jitter of the policy: it would be asked for again. Nor does it make one attempt more."""
    assert throttled(9_000, max_interval=500).due_at_ms == NOW_MS + 9_000
    assert throttled(9_000, interval=1, jitter="full").due_at_ms == NOW_MS + 9_000
    assert throttled(9_000, retry_on="KeyError").status is Status.FAILED


def test_an_attribute_that_fails_asks_for_nothing() -> None:
    """The step's own error is what counts."""

    class Odd(Exception):
        @property
        def retry_after_ms(self) -> int:
            raise RuntimeError("no")

    def fail(_data: object) -> None:
        raise Odd("odd")

    snapshot = first_step(engine_of(fail, retry_policy=RetryPolicy(2, interval=7)))
    assert (snapshot.due_at_ms, result_of(snapshot).error) == (NOW_MS + 7, "Odd: odd")


def test_a_custom_handler_is_told_what_was_asked_for() -> None:
    """It may wait that long, or not."""
    handler = Deciding(lambda failure: RetryAfter(failure.error.retry_after_ms * 2))
    registry = Registry(error_handler=handler)

    @registry.node("test:it")
    def fail(_data: object) -> None:
        raise Throttled(40)

    registry.add({"name": "w", "nodes": [{"id": "it", "type": "test:it"}]})
    assert first_step(registry.engine("w")).due_at_ms == NOW_MS + 80


def test_a_custom_handler_decides_instead() -> None:
    """When to try again or to give up: the policies are facts to it, not rules."""
    handler = Deciding(lambda failure: RetryAfter(1000 * failure.attempt) if failure.attempt < 4 else None)
    snapshots = played(handled_by(handler))
    assert [snapshot.due_at_ms for snapshot in snapshots] == [NOW_MS + 1000, NOW_MS + 3000, NOW_MS + 6000, None]
    assert snapshots[-1].status is Status.FAILED
    first = handler.failures[0]
    assert first.error == StepError("OSError", "disk full")
    assert {"OSError", "Exception"} <= first.error.lineage
    assert (first.attempt, first.counts, first.policies) == (1, (), (RetryPolicy(3, interval=7),))
    assert (first.snapshot.version, first.snapshot.current_node_id) == (0, "it")


def test_giving_up_takes_a_catch_edge_or_ends_the_run() -> None:
    """What a handler gives up is handled like any failure for good."""
    giving_up = Deciding(lambda _failure: None)
    caught = first_step(handled_by(giving_up, "error:OSError"))
    assert (caught.status, caught.current_node_id) == (Status.ACTIVE, "to:error:OSError")
    assert first_step(handled_by(giving_up, "error:KeyError")).status is Status.FAILED


def test_a_handler_may_keep_counts_of_its_own() -> None:
    """What it asks to be remembered is in the snapshot and told with the next failure of the visit."""
    handler = Deciding(
        lambda failure: RetryAfter(1, (*failure.counts, failure.attempt)) if failure.attempt < 3 else None
    )
    snapshot = first_step(handled_by(handler))
    while snapshot.status is Status.ERROR:
        stored = Snapshot.from_json(json.loads(json.dumps(snapshot.to_json())))
        snapshot = handled_by(handler).execute_step(stored, now_ms=NOW_MS)
    assert [failure.counts for failure in handler.failures] == [(), (1,), (1, 2)]


def test_a_handler_may_read_the_run() -> None:
    """Expressions by ``resolve``, with the names that node data has; jitter by the step's own generator."""
    names = ["{{ run.input.n + 1 }}", "{{ globals.g }}", "{{ input.d }}", "{{ nodes.it.last.error }}", 5, None]
    read: list[object] = []

    def decide(failure: StepFailure) -> None:
        read.extend([failure.resolve(name) for name in names])
        read.append(failure.make_rng().random())

    engine = handled_by(Deciding(decide), data={"d": "{{ 1 }}"})
    first_step(engine, {"n": 1}, globals={"g": "glob"}, rng=random.Random(3))  # noqa: S311  (repeatable)
    assert read == [2, "glob", "{{ 1 }}", None, 5, None, random.Random(3).random()]  # noqa: S311  (repeatable)


def broken_by(broken: Exception) -> Deciding:
    """A handler whose policy cannot be worked out."""

    def decide(_failure: StepFailure) -> RetryAfter:
        raise broken

    return Deciding(decide)


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (broken_by(ValueError("attempts is a fish")), "attempts is a fish"),
        (broken_by(ExpressionError("no such thing", expression="x.y", position=1)), "no such thing at 1 in 'x.y'"),
        (Deciding(lambda _failure: RetryAfter(NOT_A_NUMBER)), "NaN"),
        (Deciding(lambda _failure: RetryAfter(FOR_EVER)), "infinity"),
    ],
    ids=["value", "expression", "no number", "for ever"],
)
def test_a_handler_that_cannot_decide_fails_the_step_by_name(handler: Deciding, said: str) -> None:
    """For good, with what is wrong with the policy and with the step's own error, which is not lost."""
    snapshot = first_step(handled_by(handler))
    error = result_of(snapshot)
    assert (snapshot.status, error.error_type) == (Status.FAILED, "InvalidRetryPolicy")
    assert error.error is not None
    assert said in error.error
    assert error.error.endswith("; the step's own error was OSError: disk full")
    for handle in ("error:InvalidRetryPolicy", "error:OSError"):
        assert first_step(handled_by(handler, handle)).current_node_id == f"to:{handle}"


def test_a_wait_is_whole_milliseconds_in_the_snapshot() -> None:
    """A handler that grows its waits by a factor gives fractions; what is stored can be loaded again."""
    handler = Deciding(lambda failure: RetryAfter(GROWTH**failure.attempt))
    snapshot = first_step(handled_by(handler))
    stored = Snapshot.from_json(json.loads(json.dumps(snapshot.to_json())))
    assert stored.due_at_ms == NOW_MS + 1500


@pytest.mark.parametrize(
    ("policy", "due_after_ms"),
    [
        ({"maxAttempts": "{{ run.input.n }}", "interval": "{{ run.input.n * 100 }}"}, 300),
        ({"maxAttempts": 2, "interval": "{{ globals.slow }}"}, 5000),
        ({"maxAttempts": 2, "interval": "{{ 2.5 }}"}, 2),
        ({"maxAttempts": 2, "interval": 1000, "maxInterval": "{{ run.input.n }}"}, 3),
        ({"maxAttempts": "{{ 1 }}", "interval": 1}, None),
        ({"maxAttempts": "{{ 0 }}", "interval": 1}, None),
    ],
)
def test_numbers_of_a_policy_may_be_expressions(policy: JsonObject, due_after_ms: int | None) -> None:
    """Worked out when the step has failed, over the names that node data has."""
    engine = engine_of(disk_full, policy={"retry": policy})
    snapshot = first_step(engine, {"n": 3}, globals={"slow": 5000})
    assert snapshot.due_at_ms == (None if due_after_ms is None else NOW_MS + due_after_ms)
    assert result_of(snapshot).error_type == "OSError"


@pytest.mark.parametrize("field", ["maxAttempts", "interval", "maxInterval", "rate"])
@pytest.mark.parametrize("given", ["text", "5", -1, -0.5, True, None, [1], {}], ids=repr)
def test_an_expression_that_gives_no_number_breaks_the_policy(field: str, given: JsonValue) -> None:
    """Text, even of digits, negative numbers, truth and nothing: the policy is invalid, by the field's name."""
    policy: JsonObject = {"maxAttempts": 3, "interval": 1, "backoff": "exponential", field: "{{ run.input }}"}
    snapshot = first_step(engine_of(disk_full, policy={"retry": policy}), given)
    error = result_of(snapshot)
    assert (snapshot.status, error.error_type) == (Status.FAILED, "InvalidRetryPolicy")
    assert error.error is not None
    assert field in error.error
    assert error.error.endswith("OSError: disk full")


def test_the_shell_asks_the_same_handler() -> None:
    """For failures that no executor raised, such as a step that took its process with it."""
    handler = Deciding(lambda failure: RetryAfter(50) if failure.attempt == 1 else None)
    engine = handled_by(handler)
    initial = engine.create_initial_snapshot("run-1", now_ms=NOW_MS)
    crashed = StepError.named("StepCrashed", "no word of it")
    assert engine.failure_outcome(initial, crashed, NOW_MS) == Rescheduled(crashed, NOW_MS + 50, ())
    retried = first_step(engine)
    assert engine.failure_outcome(retried, crashed, NOW_MS) == Failed(crashed)
    assert [failure.error.type for failure in handler.failures] == ["StepCrashed", "OSError", "StepCrashed"]
