"""Steps that end their process: counted in the head, and recorded as crashed before they burn messages for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dispatcher.limits import STEP_TRIES_MAX
from engine import Registry, Status
from engine.json_value import JsonValue
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.wiretap import Crash, lose_the_answer, raising

# The first execution, and those that a redelivery begins.
EXECUTIONS = 1 + STEP_TRIES_MAX


def _crashing(times: int, policy: Mapping[str, Any] | None = None, *, catch: str | None = None) -> Registry:
    """A node that ends its process so many times, then gives 1; caught by a node that tells the error."""
    made = Registry()
    left = [times]

    @made.node("test:crash")
    def crash(_data: JsonValue) -> JsonValue:
        """Ends the process."""
        if left[0]:
            left[0] -= 1
            raise Crash
        return 1

    nodes: list[Mapping[str, Any]] = [
        {"id": "crash", "type": "test:crash", **({} if policy is None else {"policy": policy})},
        {"id": "caught", "type": "core:set", "data": "{{ nodes.crash.last.error }}"},
        {"id": "done", "type": "core:set", "data": "{{ previous }}"},
    ]
    edges: list[tuple[str, ...]] = [("crash", "done")]
    if catch is not None:
        edges.append(("crash", "caught", catch))
    examples.add(made, "crashing", nodes, edges)
    return made


def _errors(loop: MotoLoop) -> list[str | None]:
    return [result.error_type for result in loop.snapshot().context["crash"]]


def test_a_step_that_crashes_each_time_fails_its_run(new_loop: NewLoop) -> None:
    """Executed once and again for each redelivery up to the limit; the last delivery records StepCrashed."""
    loop = new_loop(_crashing(99))
    loop.start("crashing")
    loop.settle()
    assert loop.snapshot().status is Status.FAILED
    assert _errors(loop) == ["StepCrashed"]
    assert loop.executed() == {"crash": EXECUTIONS}
    assert loop.head().tries == 0
    assert loop.queued(loop.resources.dead_letter_queue_url) == 0


def test_each_redelivery_is_counted_before_it_executes(new_loop: NewLoop) -> None:
    """So that the count is there when the process dies; the first delivery costs no write for it."""
    loop = new_loop(_crashing(2))
    loop.start("crashing")
    seen = []
    for _ in range(2):
        loop.deliver()
        seen.append(loop.head().tries)
        loop.time.pass_by(181_000)
    assert seen == [0, 1]
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.head().tries == 0
    assert loop.executed()["crash"] == 3


@pytest.mark.parametrize("times", [1, STEP_TRIES_MAX])
def test_a_step_that_crashes_a_few_times_is_no_failure(new_loop: NewLoop, times: int) -> None:
    """Up to the limit it is executed again, and nothing of it is in the history."""
    loop = new_loop(_crashing(times))
    loop.start("crashing")
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert _errors(loop) == [None]
    assert loop.executed()["crash"] == times + 1


def test_a_crash_is_retried_as_the_policy_says(new_loop: NewLoop) -> None:
    """Each attempt may be cut off as often as the next; then the run has failed."""
    policy = {"retry": {"maxAttempts": 2, "interval": 1000, "retryOn": ["StepCrashed"]}}
    loop = new_loop(_crashing(99, policy))
    loop.start("crashing")
    loop.settle()
    assert loop.snapshot().status is Status.FAILED
    assert _errors(loop) == ["StepCrashed"] * 2
    assert loop.executed() == {"crash": 2 * EXECUTIONS}


def test_a_crash_that_passes_is_over_with_the_next_attempt(new_loop: NewLoop) -> None:
    """The policy allows another attempt, and that one succeeds."""
    loop = new_loop(_crashing(EXECUTIONS, {"retry": {"maxAttempts": 2, "interval": 1000}}))
    loop.start("crashing")
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert _errors(loop) == ["StepCrashed", None]


@pytest.mark.parametrize("catch", ["error", "error:StepCrashed"])
def test_a_crash_is_caught_by_an_edge(new_loop: NewLoop, catch: str) -> None:
    """By its type or as any error; the handler reads what happened."""
    loop = new_loop(_crashing(99, catch=catch))
    loop.start("crashing")
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert "cut off" in str(loop.snapshot().output)


def test_a_receive_count_alone_proves_nothing(new_loop: NewLoop) -> None:
    """Four deliveries are throttled before they have read the head: the fifth executes, and all is well."""
    loop = new_loop(_crashing(0))
    loop.start("crashing")
    loop.tap.on("GetItem", "before", lose_the_answer, times=4)
    loop.settle()
    assert loop.failures == 4
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.executed()["crash"] == 1


def test_commits_that_are_throttled_are_no_crashes(new_loop: NewLoop) -> None:
    """The process is alive and says that it could not write: however often, the step has not crashed."""
    loop = new_loop(_crashing(0))
    loop.start("crashing")
    loop.tap.on("UpdateItem", "before", raising("ThrottlingException"), key="body", times=4)
    loop.settle()
    assert loop.failures == 4
    assert loop.snapshot().status is Status.COMPLETED
    assert _errors(loop) == [None]


def test_a_crash_of_one_run_is_not_another_s(new_loop: NewLoop) -> None:
    """Each version has a count of its own."""
    loop = new_loop(_crashing(1))
    for run in ("run-1", "run-2"):
        loop.start("crashing", run=run)
    loop.deliver()
    assert [loop.head(run).tries for run in ("run-1", "run-2")] == [0, 0]
    loop.settle()
    assert {loop.snapshot(run).status for run in ("run-1", "run-2")} == {Status.COMPLETED}
