"""api-aggregation: three calls and one answer; services that are down now and then, and a customer nobody knows."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from dispatcher.http_node.errors import HttpUnavailable
from engine import Output
from engine.core_data import HttpData
from engine.json_value import JsonValue
from local import LocalRunner
from local.mortal_ports import Boundary
from tests.workflows import BOUNDARIES, NewRunner, pair

GIVEN = {"api": "https://shop.example", "customer": "C-7"}
ANSWER = {"customer": "Ada", "orders": 2, "euros": 29.5, "currency": "BRL", "spent": 177}


@dataclass(slots=True)
class Services:
    """The three of them. ``outages``: how many calls for orders find them down; ``asked``: which URLs were called."""

    outages: int = 0
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: HttpData) -> JsonValue | Output:
        """Answers as ``core:http`` does."""
        self.asked.append(request.url)
        _, _, path = request.url.partition("https://shop.example/")
        match path:
            case "customers/C-7":
                return _body({"name": "Ada", "currency": "BRL"})
            case "orders" if request.query == {"customer": "C-7"}:
                if self.outages:
                    self.outages -= 1
                    raise HttpUnavailable("503", retry_after_ms=60_000)
                return _body({"orders": [{"cents": 1950}, {"cents": 1000}]})
            case "rates/BRL":
                return _body({"rate": 6})
            case _:
                return Output({"status": 404, "headers": {}, "body": None}, "rejected")


def _body(body: JsonValue) -> JsonValue:
    return {"status": 200, "headers": {}, "body": body}


def test_three_answers_become_one(refluxo_runner: LocalRunner) -> None:
    """Each service is asked once; the sum is converted by the rate of the customer's currency."""
    services = Services()
    refluxo_runner.fake("core:http", services)
    run = refluxo_runner.start("api-aggregation", GIVEN)
    assert run.result() == ANSWER
    assert services.asked == [f"https://shop.example/{path}" for path in ("customers/C-7", "orders", "rates/BRL")]


def test_a_service_that_is_down_is_left_alone_as_long_as_it_asks(refluxo_runner: LocalRunner) -> None:
    """Retry-After: a minute, twice; only the orders are asked again."""
    services = Services(outages=2)
    refluxo_runner.fake("core:http", services)
    began = refluxo_runner.now_ms
    run = refluxo_runner.start("api-aggregation", GIVEN)
    assert run.result() == ANSWER
    assert refluxo_runner.now_ms - began >= 120_000
    run.assert_executed("customer", "orders", "orders", "orders", "rate", "answer")


def test_a_service_that_stays_down_fails_the_run(refluxo_runner: LocalRunner) -> None:
    """After five attempts."""
    refluxo_runner.fake("core:http", Services(outages=99))
    run = refluxo_runner.start("api-aggregation", GIVEN).assert_failed("HttpUnavailable")
    assert len(run.errors("orders")) == 5


def test_a_customer_nobody_knows_is_an_answer_too(refluxo_runner: LocalRunner) -> None:
    """By the handle `rejected`: nothing is retried, and nothing else is asked."""
    services = Services()
    refluxo_runner.fake("core:http", services)
    run = refluxo_runner.start("api-aggregation", {**GIVEN, "customer": "C-9"})
    assert run.result() == {"customer": "C-9", "unknown": True}
    assert len(services.asked) == 1


@pytest.mark.parametrize("crash_after", BOUNDARIES)
def test_dying_processes_and_duplicates_change_nothing(new_refluxo_runner: NewRunner, crash_after: Boundary) -> None:
    """A call may be made twice; its answer counts once."""
    calm, rough = pair(new_refluxo_runner, crash_after)
    for runner in (calm, rough):
        runner.fake("core:http", Services(outages=1))
    runs = [runner.start("api-aggregation", GIVEN, workflow_id="same").until_ended() for runner in (calm, rough)]
    assert rough.crashes
    assert [run.result() for run in runs] == [ANSWER, ANSWER]
    assert runs[1].executed.count("answer") == 1
