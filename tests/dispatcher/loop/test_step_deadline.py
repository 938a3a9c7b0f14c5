"""A step that takes too long is stopped, while there is time to record it. Real time, a twentieth of a second each."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

import pytest

from dispatcher.handler import handle
from dispatcher.limits import STEP_RESERVE_MS
from dispatcher.messages import Continuation, encode
from dispatcher.step_deadline import StepTimedOut, step_deadline
from engine import Registry, Status, Step
from engine.json_value import JsonValue
from local.poller import FUNCTION_TIMEOUT_MS, FunctionContext
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop

LIMIT_MS = 50


def _spin() -> NoReturn:
    while True:
        pass


def _spinning(policy: Mapping[str, Any], *, swallows: bool = False, times: int = 99) -> Registry:
    """A node that never comes back, so many times; of a type that has a limit of its own, too."""
    made = Registry()
    left = [times]

    def spin(_data: JsonValue, step: Step) -> JsonValue:
        """Spins, or tells its deadline."""
        if not left[0]:
            return step.deadline_ms
        left[0] -= 1
        if swallows:
            with suppress(StepTimedOut):
                _spin()
        _spin()

    made.node("test:spin")(spin)
    made.node("test:spin-shortly", timeout_ms=LIMIT_MS)(spin)
    for name, node_type in (("spin", "test:spin"), ("spin-shortly", "test:spin-shortly")):
        examples.add(made, name, [{"id": "spin", "type": node_type, "policy": policy}], [])
    return made


def _is_timed_out(loop: MotoLoop) -> bool:
    error = loop.snapshot().error
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    return error is not None and error.error_type == "StepTimedOut"


def test_a_step_is_stopped_at_its_own_limit(new_loop: NewLoop) -> None:
    """The run fails with StepTimedOut; the process and its next step live."""
    loop = new_loop(_spinning({"timeoutMs": LIMIT_MS}))
    loop.start("spin")
    loop.settle()
    assert loop.snapshot().status is Status.FAILED
    assert _is_timed_out(loop)
    assert (loop.executed(), loop.failures) == ({"spin": 1}, 0)


def test_a_node_type_has_a_limit_for_all_its_nodes(new_loop: NewLoop) -> None:
    """Unless the node has its own."""
    loop = new_loop(_spinning({}))
    loop.start("spin-shortly")
    loop.settle()
    assert _is_timed_out(loop)


def test_a_step_that_was_stopped_is_retried_as_its_policy_says(new_loop: NewLoop) -> None:
    """It is a failure like any other, by its name."""
    retry = {"maxAttempts": 3, "interval": 0, "retryOn": ["StepTimedOut"]}
    loop = new_loop(_spinning({"timeoutMs": LIMIT_MS, "retry": retry}, times=2))
    loop.start("spin")
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert [result.error_type for result in loop.snapshot().context["spin"]] == ["StepTimedOut"] * 2 + [None]
    # What the node is told is when it will be stopped.
    assert loop.snapshot().output == loop.time.now_ms + LIMIT_MS


def test_a_node_that_makes_light_of_it_is_stopped_again(new_loop: NewLoop) -> None:
    """A second later: nothing that catches errors outlives its time for long."""
    loop = new_loop(_spinning({"timeoutMs": LIMIT_MS}, swallows=True))
    loop.start("spin")
    loop.settle()
    assert _is_timed_out(loop)


class _NearlyOver(FunctionContext):
    """A function that is stopped soon."""

    def get_remaining_time_in_millis(self) -> int:
        """What is left."""
        return STEP_RESERVE_MS + LIMIT_MS


def test_a_step_is_stopped_in_time_before_its_function(new_loop: NewLoop) -> None:
    """Without a limit of its own as well: what is kept back is enough to record it."""
    loop = new_loop(_spinning({}))
    loop.start("spin")
    records = [{"messageId": "m", "body": encode(Continuation("run-1", 0))}]
    assert handle(loop.app, {"Records": records}, _NearlyOver()) == {"batchItemFailures": []}
    assert loop.snapshot().status is Status.FAILED
    assert _is_timed_out(loop)


@pytest.mark.parametrize(("policy", "left_ms"), [({}, FUNCTION_TIMEOUT_MS - STEP_RESERVE_MS), ({"timeoutMs": 7}, 7)])
def test_a_step_knows_when_it_is_stopped(new_loop: NewLoop, policy: Mapping[str, Any], left_ms: int) -> None:
    """``step.deadline_ms``: its own limit, or the function's end less what is kept back, whichever comes first."""
    loop = new_loop(_spinning(policy, times=0))
    loop.start("spin")
    loop.settle()
    assert loop.snapshot().output == loop.time.now_ms + left_ms


def test_nothing_is_stopped_in_time() -> None:
    """Who is done in time is not disturbed afterwards, and whoever had the signal has it again."""
    before = signal.getsignal(signal.SIGALRM)
    with step_deadline(60):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 50
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
    with step_deadline(None):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_deadline_that_has_passed_stops_at_once() -> None:
    """Zero and less would switch the timer off."""
    for seconds in (0.0, -5.0):
        with pytest.raises(StepTimedOut), step_deadline(seconds):
            _spin()


def test_only_the_main_thread_can_be_stopped() -> None:
    """Elsewhere there is no way to: the step goes on, and nothing breaks."""
    came_out = []

    def run() -> None:
        with step_deadline(0.001):
            came_out.append(sum(range(100_000)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert came_out == [sum(range(100_000))]
