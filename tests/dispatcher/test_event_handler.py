"""Events start runs: each once, whatever comes twice, fails for a while, or can never start one."""

from __future__ import annotations

import json
import logging
import random
from typing import Any

import pytest

from dispatcher.errors import Retryable
from dispatcher.event_handler import handle_event
from dispatcher.handler import handle
from engine import Registry, Status
from local import LocalRunner
from local.poller import FunctionContext, failed_ids
from local.runner import EventParked
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.wiretap import Crash, answer_500, crash, lose_the_answer

UPLOAD: dict[str, Any] = {
    "version": "0",
    "id": "e-1",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "time": "2026-03-02T09:00:00Z",
    "detail": {"bucket": {"name": "inbox"}, "object": {"key": "a.csv", "size": 5, "sequencer": "0A"}},
}
TICK: dict[str, Any] = {
    "id": "t-1",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "resources": ["arn:aws:events:us-east-1:1:rule/nightly"],
    "detail": {},
}
OBJECT = {"type": "object", "required": ["key"], "properties": {"key": {"type": "string", "maxLength": 20}}}


def _registry() -> Registry:
    made = examples.registry("keep", [{"id": "a", "type": "core:set", "data": "{{ run.input }}"}], [], input=OBJECT)
    examples.add(made, "audit", [{"id": "a", "type": "core:set", "data": "{{ run.input }}"}], [])
    made.route({"source": ["aws.s3"]}, "keep", input="{{ event.detail.object }}", name="keep")
    made.route({"source": ["aws.s3"], "detail": {"object": {"size": [{"numeric": [">", 1]}]}}}, "audit", name="audit")
    return made


def _handled(loop: MotoLoop, event: dict[str, Any]) -> Any:
    return handle_event(loop.app, event, FunctionContext())


def test_each_matching_route_starts_a_run(new_loop: NewLoop) -> None:
    """With its own input and its own id; both run to their ends, and say where they came from."""
    loop = new_loop(_registry())
    report = _handled(loop, UPLOAD)
    kept, audited = report["started"]
    assert (report["repeated"], report["parked"]) == ([], [])
    loop.settle()
    assert (loop.snapshot(kept).status, loop.snapshot(audited).status) == (Status.COMPLETED, Status.COMPLETED)
    assert loop.snapshot(kept).output == UPLOAD["detail"]["object"]
    assert loop.snapshot(audited).output == UPLOAD["detail"]
    assert loop.snapshot(kept).tags == {"route": "keep", "event": "e-1"}
    assert kept.startswith("keep-")


def test_a_repeated_event_finds_its_runs(new_loop: NewLoop) -> None:
    """Also once they have ended; nothing is executed again."""
    loop = new_loop(_registry())
    started = _handled(loop, UPLOAD)["started"]
    assert _handled(loop, UPLOAD) == {"started": [], "repeated": started, "parked": []}
    loop.settle()
    assert _handled(loop, UPLOAD) == {"started": [], "repeated": started, "parked": []}
    loop.settle()
    assert [loop.executed(run) for run in started] == [{"a": 1}, {"a": 1}]


def test_the_same_change_told_differently_is_a_repeat(new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """S3 may notify twice with another id and more fields; the key is the change's. It is logged, and no error."""
    loop = new_loop(_registry())
    started = _handled(loop, UPLOAD)["started"]
    told = {**UPLOAD, "id": "e-2", "detail": {**UPLOAD["detail"], "reason": "CopyObject"}}
    with caplog.at_level(logging.INFO, "refluxo.events"):
        assert _handled(loop, told) == {"started": [], "repeated": started, "parked": []}
    assert "event repeated with other content" in caplog.messages
    changed = {**UPLOAD, "detail": {"bucket": {"name": "inbox"}, "object": {"key": "a.csv", "sequencer": "0B"}}}
    assert len(_handled(loop, changed)["started"]) == 1


def test_an_event_of_no_route_is_logged_and_no_error(new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """A rule may be broader than its route."""
    loop = new_loop(_registry())
    with caplog.at_level(logging.INFO, "refluxo.events"):
        assert _handled(loop, {**UPLOAD, "source": "shop"}) == {"started": [], "repeated": [], "parked": []}
    (record,) = [record for record in caplog.records if record.message == "no route for an event"]
    assert vars(record)["event_source"] == "shop"
    assert loop.parked() == []


def test_what_can_never_start_a_run_is_parked_and_the_other_route_s_run_is_started(
    new_loop: NewLoop, caplog: pytest.LogCaptureFixture
) -> None:
    """The whole event, with the route and the place of the fault; of its data the log has nothing."""
    loop = new_loop(_registry())
    long = "secret-file-name-that-is-too-long.csv"
    event = {**UPLOAD, "detail": {**UPLOAD["detail"], "object": {"key": long, "size": 5, "sequencer": "0C"}}}
    with caplog.at_level(logging.DEBUG, "refluxo"):
        report = _handled(loop, event)
    assert (len(report["started"]), report["parked"]) == (1, ["keep"])
    ((body, reason),) = loop.parked()
    assert json.loads(body) == event
    assert reason == "route keep: InvalidRunInput: $.input.key"
    assert caplog.records
    assert all(long not in str(vars(record)) for record in caplog.records)


def test_an_input_that_cannot_be_made_is_parked(new_loop: NewLoop) -> None:
    """An expression that this event has nothing for fails each time, and so does an input too large to keep."""
    made = _registry()
    made.route({"source": ["shop"]}, "audit", input="{{ event.detail.n / event.detail.zero }}", name="ratio")
    loop = new_loop(made)
    event = {"id": "x\x00", "detail-type": "Sold", "source": "shop", "detail": {"n": 1, "zero": 0}}
    assert _handled(loop, event)["parked"] == ["ratio"]
    ((body, reason),) = loop.parked()
    assert json.loads(body) == event
    assert reason.startswith("route ratio: ExpressionError")


@pytest.mark.parametrize("fault", [lose_the_answer, answer_500, crash])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("nth", [0, 1])
def test_what_fails_for_a_while_comes_again(new_loop: NewLoop, fault: Any, when: Any, nth: int) -> None:
    """Lambda repeats an event whose handling raised; in the end there is one run for each route, executed once."""
    loop = new_loop(_registry())
    seen = iter(range(9))
    loop.tap.on("PutItem", when, lambda call: fault(call) if next(seen) == nth else None, key="head", times=9)
    report = {"parked": ["it has not come yet"]}
    for _ in range(3):
        try:
            report = _handled(loop, UPLOAD)
            break
        except Retryable:
            continue
        except Crash:
            loop.restart()
    assert report["parked"] == []
    loop.settle()
    runs = {run: loop.executed(run) for run, _ in loop.executions}
    assert len(runs) == 2
    assert all(executed == {"a": 1} for executed in runs.values())


def test_one_route_s_trouble_keeps_no_other_from_starting(new_loop: NewLoop) -> None:
    """It is raised when all routes have had their turn, and nothing is parked for what may yet work."""
    loop = new_loop(_registry())
    loop.tap.on("PutItem", "before", answer_500, key="keep-")
    event = {**UPLOAD, "detail": {**UPLOAD["detail"], "object": {"key": "b", "size": 9, "sequencer": "0D"}}}
    with pytest.raises(Retryable):
        _handled(loop, event)
    again = _handled(loop, event)
    assert [run.partition("-")[0] for run in again["started"]] == ["keep"]
    assert [run.partition("-")[0] for run in again["repeated"]] == ["audit"]


def test_a_queue_may_stand_between(new_loop: NewLoop) -> None:
    """Each message is an event; one that fails is named alone, one that is no event is parked."""
    loop = new_loop(_registry())
    other = {**UPLOAD, "detail": {**UPLOAD["detail"], "object": {"key": "c", "size": 1, "sequencer": "0E"}}}
    bodies = [json.dumps(UPLOAD), "no JSON", "[1]", json.dumps(other)]
    records = [{"messageId": f"m-{number}", "body": body} for number, body in enumerate(bodies)]
    loop.tap.on("PutItem", "before", answer_500, key="keep-")
    assert failed_ids(_handled(loop, {"Records": records})) == {"m-0"}
    assert [body for body, _ in loop.parked()] == ["no JSON", "[1]"]
    assert failed_ids(_handled(loop, {"Records": records[:1]})) == set()
    loop.settle()
    assert len({run for run, _ in loop.executions}) == 3


def test_a_record_of_another_kind_is_parked_whole(new_loop: NewLoop) -> None:
    """A bucket that notifies the function itself: nothing of it is lost, and the reason says what was expected."""
    loop = new_loop(_registry())
    record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": "inbox"}, "object": {"key": "a.csv"}}}
    assert _handled(loop, {"Records": [record]}) == {"batchItemFailures": []}
    ((body, reason),) = loop.parked()
    assert (json.loads(body), "no event" in reason) == (record, True)


def test_a_schedule_is_the_sweep_s_unless_a_route_is_for_it(new_loop: NewLoop) -> None:
    """In the one function for all; the event function knows no sweep, the sweep function no routes."""
    made = _registry()
    loop = new_loop(made)
    assert handle(loop.app, TICK, FunctionContext()) == {"lookedAt": 0, "sent": 0, "pushed": 0, "removed": 0}
    assert _handled(loop, TICK) == {"started": [], "repeated": [], "parked": []}
    made.route({"source": ["aws.events"], "resources": [{"suffix": "rule/nightly"}]}, "audit", name="nightly")
    report: Any = handle(loop.app, TICK, FunctionContext())
    assert report["started"][0].startswith("nightly-")
    sweep = {**TICK, "resources": ["arn:aws:events:us-east-1:1:rule/refluxo-sweep"]}
    assert handle(loop.app, sweep, FunctionContext()) == {"lookedAt": 0, "sent": 0, "pushed": 0, "removed": 0}


def test_the_one_function_for_all_takes_a_dead_letter_for_what_it_is(new_loop: NewLoop) -> None:
    """It executes nothing: a step that kills its function must not be tried for ever."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    body = json.dumps({"workflowId": "run-1", "version": 0})
    record = {"messageId": "m", "body": body, "eventSourceARN": "arn:aws:sqs:us-east-1:1:refluxo-dead-letters"}
    assert handle(loop.app, {"Records": [record]}, FunctionContext()) == {"batchItemFailures": []}
    assert not loop.executed()
    steps = {**record, "eventSourceARN": "arn:aws:sqs:us-east-1:1:refluxo-steps"}
    handle(loop.app, {"Records": [steps]}, FunctionContext())
    assert loop.executed() == {"a": 1}


def test_starting_by_an_event_needs_little(new_loop: NewLoop) -> None:
    """To put items and to send; of what is too large for an item, to put an object."""
    loop = new_loop(_registry())
    loop.tap.clear()
    _handled(loop, UPLOAD)
    _handled(loop, UPLOAD)
    _handled(loop, {**UPLOAD, "detail": {"object": {"key": 1}}})
    used = {f"{call.service}.{call.operation}" for call in loop.tap.calls}
    assert used == {"dynamodb.PutItem", "sqs.SendMessage"}
    loop.tap.clear()
    noise = "".join(random.Random(1).choices("0123456789abcdef", k=900_000))  # noqa: S311  (repeatable)
    _handled(loop, {**UPLOAD, "detail": {**UPLOAD["detail"], "object": {"key": "d", "size": 2, "noise": noise}}})
    assert {call.service for call in loop.tap.calls} == {"dynamodb", "sqs", "s3"}


def test_a_local_runner_takes_events() -> None:
    """A test of one's own hands one over, and gets the runs it starts."""
    runner = LocalRunner(_registry())
    kept, audited = runner.event(UPLOAD)
    assert kept.result() == UPLOAD["detail"]["object"]
    assert audited.result() == UPLOAD["detail"]
    assert runner.event(UPLOAD) == []
    assert runner.event({**UPLOAD, "source": "shop"}) == []
    with pytest.raises(EventParked, match=r"route keep: InvalidRunInput: \$\.input"):
        runner.event({**UPLOAD, "id": "e-9", "detail": {"bucket": {}}})
