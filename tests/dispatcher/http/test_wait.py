"""POST /workflows/{name}/runs?wait=N: the output instead of the address, if the run ends in time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dispatcher.errors import Retryable
from dispatcher.head import Head
from dispatcher.http.api import HttpApi
from dispatcher.limits import WAIT_RESERVE_MS, WAIT_SECONDS_MAX
from engine import Registry
from tests.dispatcher import examples
from tests.dispatcher.memory_loop import MemoryLoop
from tests.dispatcher.virtual_time import DAY, MINUTE, SECOND, VirtualTime


class Caller:
    """A deployment whose steps take a tenth of a second each, and a caller who waits for it.

    ``looks`` counts how often the run has been looked at while the caller waited.
    """

    def __init__(self, registry: Registry, time: VirtualTime) -> None:
        self.loop = MemoryLoop(registry, time, pause_ms=self._pause)
        self.time = time
        self.looks = 0
        self.pauses: list[int] = []
        self.works = True

    def _pause(self, ms: int) -> None:
        self.pauses.append(ms)
        ends_at_ms = self.time.now_ms + ms
        while self.time.now_ms < ends_at_ms:
            self.time.pass_by(min(100, ends_at_ms - self.time.now_ms))
            if self.works:
                self.loop.deliver()

    def start(
        self, workflow: str, query: str = "wait=10", body: Mapping[str, object] | None = None, left_ms: int = 29_000
    ) -> Any:
        """A start; the answer with its body read, and how long it took in ``took_ms``."""
        began = self.time.now_ms
        event = {
            "rawPath": f"/workflows/{workflow}/runs",
            "requestContext": {"http": {"method": "POST"}},
            "queryStringParameters": dict(part.split("=") for part in query.split("&") if part),
            "body": json.dumps(body or {}),
        }
        answer = self.loop.app.http_api.handle(event, _Context(left_ms))
        return {**answer, "body": json.loads(str(answer["body"])), "took_ms": self.time.now_ms - began}


class _Context:
    def __init__(self, left_ms: int) -> None:
        self._left_ms = left_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._left_ms


def test_a_run_that_ends_in_time(time: VirtualTime) -> None:
    """200 with its output, soon after it has ended."""
    answer = Caller(examples.chain(4), time).start("chain", body={"workflowId": "a"})
    assert answer["statusCode"] == 200
    assert answer["body"] == {
        "workflowId": "a",
        "status": "completed",
        "output": ["a", "b", "c", "d"],
        "links": {"run": "/runs/a"},
    }
    assert answer["headers"]["location"] == "/runs/a"
    assert 100 < answer["took_ms"] < 1000


def test_a_run_that_fails_in_time(time: VirtualTime) -> None:
    """200 too, for the request has been done: the status tells, and what it failed of."""
    answer = Caller(examples.raising(examples.Unavailable("down")), time).start("raising")
    assert (answer["statusCode"], answer["body"]["status"]) == (200, "failed")
    assert (answer["body"]["error"], answer["body"]["errorType"]) == ("Unavailable: down", "Unavailable")
    assert answer["body"]["output"] is None


def test_a_run_that_does_not_end_in_time(time: VirtualTime) -> None:
    """202 as without it, when the time is over and not long after."""
    caller = Caller(examples.chain(4), time)
    caller.works = False
    answer = caller.start("chain", "wait=3", {"workflowId": "a"})
    assert (answer["statusCode"], answer["body"]["status"]) == (202, "active")
    assert answer["body"]["links"] == {"run": "/runs/a", "resume": "/runs/a/resume"}
    assert 3 * SECOND <= answer["took_ms"] < 3.2 * SECOND


@pytest.mark.parametrize("timeout_ms", [None, DAY])
def test_a_run_that_waits_for_somebody(time: VirtualTime, timeout_ms: int | None) -> None:
    """Nothing comes of waiting for it: 202 at once, with the status it has by now."""
    answer = Caller(examples.wait(timeout_ms=timeout_ms), time).start("wait")
    assert (answer["statusCode"], answer["body"]["status"]) == (202, "paused")
    assert answer["took_ms"] < SECOND


def test_a_run_that_goes_on_by_itself_in_time(time: VirtualTime) -> None:
    """A short sleep, a retry, a wait that times out: those are waited for; longer ones are not."""
    assert Caller(examples.sleep(3 * SECOND), time).start("sleep")["body"]["status"] == "completed"
    assert Caller(examples.retry(2 * SECOND), time).start("retry")["body"]["status"] == "completed"
    assert Caller(examples.wait(timeout_ms=2 * SECOND), time).start("wait")["body"]["output"] == {"late": True}
    for registry, workflow in ((examples.sleep(MINUTE), "sleep"), (examples.retry(MINUTE), "retry")):
        answer = Caller(registry, time).start(workflow)
        assert answer["statusCode"] == 202
        assert answer["took_ms"] < SECOND


def test_a_run_on_hold(time: VirtualTime) -> None:
    """It is at rest as well."""
    caller = Caller(examples.chain(4), time)
    caller.start("chain", "", {"workflowId": "a"})
    caller.loop.hold("a")
    answer = caller.start("chain", body={"workflowId": "a"})
    assert (answer["statusCode"], answer["took_ms"]) == (200, 0)


def test_a_start_repeated_waits_as_well(time: VirtualTime) -> None:
    """200 either way, as without it: with the output once it has ended, at once if it had."""
    caller = Caller(examples.chain(4), time)
    assert caller.start("chain", "", {"workflowId": "a"})["statusCode"] == 202
    ended = caller.start("chain", body={"workflowId": "a"})
    assert (ended["statusCode"], ended["body"]["output"]) == (200, ["a", "b", "c", "d"])
    again = caller.start("chain", body={"workflowId": "a"})
    assert (again["body"], again["took_ms"]) == (ended["body"], 0)
    # One that does not end is told with the status it has.
    waiting = Caller(examples.wait(), time)
    waiting.start("wait", "", {"workflowId": "a"})
    answer = waiting.start("wait", body={"workflowId": "a"})
    assert (answer["statusCode"], answer["body"]["status"], "output" in answer["body"]) == (200, "paused", False)


def test_the_function_s_own_time_is_kept_to(time: VirtualTime) -> None:
    """However long the caller would wait: there is time left to answer in."""
    caller = Caller(examples.chain(4), time)
    caller.works = False
    for left_ms in (10 * SECOND, 2 * SECOND, 100):
        answer = caller.start("chain", "wait=25", left_ms=left_ms)
        assert answer["statusCode"] == 202
        assert answer["took_ms"] <= max(left_ms - WAIT_RESERVE_MS, 0) + 100


def test_the_pauses_grow(time: VirtualTime) -> None:
    """The longest wait costs some thirty looks; the first are close together."""
    caller = Caller(examples.chain(4), time)
    caller.works = False
    caller.start("chain", f"wait={WAIT_SECONDS_MAX}")
    assert caller.pauses[:4] == [50, 75, 112, 169]
    assert max(caller.pauses) == 1000
    assert len(caller.pauses) < 35
    assert sum(caller.pauses) == WAIT_SECONDS_MAX * SECOND


@pytest.mark.parametrize("seconds", ["26", "-1", "1.5", "ten", "²", "999999999999999999999"])
def test_what_cannot_be_waited_for(time: VirtualTime, seconds: str) -> None:
    """400 before anything is started."""
    caller = Caller(examples.chain(4), time)
    answer = caller.start("chain", f"wait={seconds}", {"workflowId": "a"})
    assert (answer["statusCode"], answer["body"]["errors"][0]["path"]) == (400, "query.wait")
    assert caller.loop.store.load("a") is None


def test_nothing_is_waited_for_unless_it_is_said(time: VirtualTime) -> None:
    """Neither without the parameter nor with none of a second."""
    for query in ("", "wait=0", "wait="):
        caller = Caller(examples.chain(4), time)
        assert caller.start("chain", query)["statusCode"] == 202
        assert caller.pauses == []


@pytest.mark.parametrize("failing", [1, 2])
def test_a_look_that_fails_does_not_undo_the_start(
    time: VirtualTime, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """A caller who was told 503 would start it again: 202, for it has been started."""
    caller = Caller(examples.chain(4), time)
    load: Callable[[str], Head | None] = caller.loop.store.load
    looks = iter(range(1, 100))

    def throttled(workflow_id: str) -> Head | None:
        if next(looks) == failing:
            raise Retryable("throttled")
        return load(workflow_id)

    monkeypatch.setattr(caller.loop.store, "load", throttled)
    caller.works = False
    answer = caller.start("chain", body={"workflowId": "a"})
    assert (answer["statusCode"], answer["body"]["status"]) == (202, "active")


def test_without_a_context_the_caller_s_seconds_count_alone(time: VirtualTime) -> None:
    """A host that stops nothing tells no time."""
    caller = Caller(examples.chain(2), time)
    api: HttpApi = caller.loop.app.http_api
    event = {
        "rawPath": "/workflows/chain/runs",
        "requestContext": {"http": {"method": "POST"}},
        "queryStringParameters": {"wait": "5"},
    }
    assert api.handle(event)["statusCode"] == 200
