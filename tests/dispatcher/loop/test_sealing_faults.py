"""Sealed objects when their table or bucket fails: no step is decided on what could not be read or written."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.history import packed_json
from dispatcher.table_schema import segment_sort_key
from engine import Status
from tests.dispatcher import long_examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.long_examples import EXPRESSIONS, READ, SWALLOW
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.values import incompressible
from tests.dispatcher.virtual_time import MINUTE
from tests.dispatcher.wiretap import Call, answer_500, crash, lose_the_answer, raising

FIRST = segment_sort_key(0)


def _waiting(new_loop: NewLoop, then: Any) -> MotoLoop:
    """A run whose next step reads its first results, which are sealed, in a process that has never read them."""
    loop = new_loop(long_examples.counting(4, then), steps_per_invocation=1)
    loop.start("counting")
    loop.signal("go", 1)
    while loop.snapshot().current_node_id != "then":
        loop.deliver()
    assert loop.head().history.segments >= 1
    loop.restart()
    return loop


@pytest.mark.parametrize("then", [READ, EXPRESSIONS, SWALLOW])
@pytest.mark.parametrize("fault", [lose_the_answer, answer_500, raising("AccessDeniedException")])
def test_a_result_that_cannot_be_read_is_nobodys_failure(new_loop: NewLoop, then: Any, fault: Any) -> None:
    """Even when node code makes light of it: nothing is committed, the message comes back, then it is read."""
    loop = _waiting(new_loop, then)
    before = loop.head().version
    loop.tap.on("GetItem", "before", fault, key=FIRST, times=2)
    for failures in (1, 2):
        loop.deliver()
        assert (loop.failures, loop.head().version) == (failures, before)
        loop.time.pass_by(4 * MINUTE)
    loop.settle()
    assert loop.failures == 2
    snapshot = loop.snapshot()
    assert (snapshot.status, snapshot.version) == (Status.COMPLETED, before + 1)
    assert [result.error for result in snapshot.context["then"]] == [None]
    assert "never mind" not in str(snapshot.output)


def test_an_input_that_cannot_be_read_is_nobodys_failure(new_loop: NewLoop) -> None:
    """The bucket does not answer: the first step, which is given it, is delivered again."""
    loop = new_loop(long_examples.large(100))
    loop.start("large", {"text": incompressible(1024 * 1024)})
    loop.restart()
    loop.tap.on("GetObject", "before", answer_500)
    loop.deliver()
    assert (loop.failures, loop.head().version) == (1, 0)
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED
    assert loop.executed() == {"give": 1, "wait": 1}


def test_an_outage_of_the_bucket_is_no_crash(new_loop: NewLoop) -> None:
    """However many deliveries it takes: no process has died, so the step has not crashed."""
    loop = new_loop(long_examples.large(100))
    loop.start("large", {"text": incompressible(1024 * 1024)})
    loop.restart()
    loop.tap.on("GetObject", "before", answer_500, times=4)
    loop.settle()
    assert loop.failures == 4
    assert loop.snapshot().error is None
    assert loop.snapshot().status is Status.PAUSED


def test_what_is_missing_is_damage_and_decides_nothing(new_loop: NewLoop) -> None:
    """A segment that surely is not there is never taken for an empty one: the message goes back, nothing is written."""
    loop = _waiting(new_loop, SWALLOW)
    key = {"pk": {"S": "run#run-1"}, "sk": {"S": FIRST}}
    (gone,) = [dict(item) for item in loop.items() if item["sk"]["S"] == FIRST]
    loop.dynamodb.delete_item(TableName=loop.resources.table_name, Key=key)
    before = loop.head().version
    loop.deliver_all()
    assert (loop.failures, loop.head().version) == (1, before)
    loop.dynamodb.put_item(TableName=loop.resources.table_name, Item=gone)
    loop.settle()
    assert loop.snapshot().output == 1


def _put_another(loop: MotoLoop, number: int) -> dict[str, Any]:
    """Another segment in a place that is to be sealed: history was written by two hands."""
    item: dict[str, Any] = {
        "pk": {"S": "run#run-1"},
        "sk": {"S": segment_sort_key(number)},
        "life": {"S": loop.head().nonce},
        "digest": {"S": "another"},
        "body": {"B": packed_json({"first": 1, "entries": [], "before": {}})},
    }
    loop.dynamodb.put_item(TableName=loop.resources.table_name, Item=item)
    return {"pk": item["pk"], "sk": item["sk"]}


def test_another_segment_in_its_place_commits_nothing(new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """The message goes back and the log says why; once the other is gone, the run goes on as if nothing had been."""
    loop = new_loop(long_examples.counting(4, READ))
    loop.start("counting")
    key = _put_another(loop, 0)
    while not loop.failures:
        loop.deliver()
    stuck = loop.head()
    assert stuck.history.needs_seal
    assert stuck.history.segments == 0
    assert "another object" in caplog.text
    loop.advance(4 * MINUTE)
    assert loop.head().version == stuck.version
    assert loop.failures == 2
    loop.dynamodb.delete_item(TableName=loop.resources.table_name, Key=key)
    loop.settle()
    loop.signal("go", 1)
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED


def _sealing_calls(loop: MotoLoop) -> list[Call]:
    """The calls that put a sealed object."""
    return [call for call in loop.tap.calls if call.operation == "PutItem" and "segment#" in str(call.parameters)]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", [crash, lose_the_answer, answer_500])
def test_a_fault_at_each_sealing(new_loop: NewLoop, when: Any, fault: Any) -> None:
    """Whether it was written or not, the redelivery seals the same: one segment each, the same output, one commit."""
    loop = new_loop(long_examples.counting(7, EXPRESSIONS), steps_per_invocation=4)

    def play(run: str) -> None:
        loop.start("counting", run=run)
        loop.signal("go", 1, run=run)
        loop.settle()

    play("fault-free")
    calls = _sealing_calls(loop)
    assert len(calls) >= 2
    for call in calls:
        run = f"run-{call.index}"
        loop.restart()
        loop.tap.clear()
        loop.tap.at(call.index, when, fault)
        play(run)
        assert loop.snapshot(run).output == {"first": 1, "second": 2, "last": 7}
        assert loop.failures == 1
        loop.failures = 0
        assert loop.tap.versions_written() == list(range(loop.head(run).version + 1))
        head = loop.head(run)
        sealed = [item for item in loop.items() if item["pk"]["S"] == f"run#{run}" and "digest" in item]
        assert len([item for item in sealed if item["sk"]["S"].startswith("segment#")]) == head.history.segments
        assert list(head.snapshot.context.entries())


def test_two_deliveries_seal_the_same(new_loop: NewLoop) -> None:
    """Both seal before either commits: the second finds its own segment there, and loses the commit alone."""
    loop = new_loop(long_examples.counting(4, READ))
    rival = loop.new_process()
    loop.start("counting")

    def deliver_to_the_rival(_call: Call) -> None:
        assert not loop.invoke(messages, rival)

    loop.tap.on("PutItem", "before", deliver_to_the_rival, key="segment#", times=100)
    while messages := loop.receive():
        loop.acknowledge(messages, loop.invoke(messages))
    assert loop.failures == 0
    assert loop.head().history.segments >= 1
    loop.signal("go", 1)
    loop.settle()
    output = loop.snapshot().output
    assert isinstance(output, dict)
    assert (output["first"], output["sum"]) == (1, 10)
