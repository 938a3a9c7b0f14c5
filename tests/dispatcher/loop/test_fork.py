"""A fork: a new run from an earlier version of another, which it leaves as it is."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.head import Head
from engine import Status
from tests.dispatcher import examples, long_examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.long_examples import EXPRESSIONS
from tests.dispatcher.moto_loop import Answer, MotoLoop
from tests.dispatcher.values import incompressible
from tests.dispatcher.virtual_time import DAY, HOUR
from tests.dispatcher.wiretap import answer_500, crash, lose_the_answer


def _fork(loop: MotoLoop, body: object = None, *, key: str | None = None, run: str = "run-1") -> Answer:
    return loop.ask("POST", f"/runs/{run}/fork", body, {} if key is None else {"idempotency-key": key})


def _forked(loop: MotoLoop, body: object = None, *, key: str | None = None, run: str = "run-1") -> str:
    answer = _fork(loop, body, key=key, run=run)
    assert answer.status == 202, answer.body
    made: str = answer.body["workflowId"]
    assert answer.headers["location"] == f"/runs/{made}"
    assert answer.body["links"] == {"run": f"/runs/{made}", "source": f"/runs/{run}"}
    return made


def _kept(loop: MotoLoop, run: str, kind: str) -> list[str]:
    return [
        item["sk"]["S"]
        for item in loop.items()
        if item["pk"]["S"] == f"run#{run}" and item["sk"]["S"].startswith(f"{kind}#")
    ]


def _done(loop: MotoLoop, length: int = 4) -> MotoLoop:
    loop.start("chain")
    loop.settle()
    assert loop.head().version == length
    return loop


@pytest.mark.parametrize("version", [0, 1, 3])
def test_it_goes_on_from_a_version(new_loop: NewLoop, version: int) -> None:
    """What had come about by then it has, the rest it executes; the source stays as it is."""
    loop = _done(new_loop(examples.chain(4)))
    before = loop.head()
    made = _forked(loop, {"version": version})
    loop.settle()
    snapshot = loop.snapshot(made)
    assert (snapshot.status, snapshot.version, snapshot.output) == (Status.COMPLETED, 4, ["a", "b", "c", "d"])
    assert loop.executed(made) == dict.fromkeys("abcd"[version:], 1)
    assert _same(loop.head(), before)
    old = list(before.snapshot.context.entries())
    assert list(snapshot.context.entries())[:version] == old[:version]


def _same(head: Head, before: Head) -> bool:
    return head.snapshot.to_json() == before.snapshot.to_json() and head.version == before.version


def test_without_a_version_it_is_the_last_step_that_is_done_again(new_loop: NewLoop) -> None:
    """Of a run that has ended, the one that ended it: for a failed run the step that failed."""
    loop = _done(new_loop(examples.chain(4)))
    made = _forked(loop)
    loop.settle()
    assert loop.executed(made) == {"d": 1}
    loop.deploy(examples.retry(0, failures=9, attempts=2))
    loop.start("retry", run="failed")
    loop.settle()
    assert loop.snapshot("failed").status is Status.FAILED
    made = _forked(loop, run="failed")
    assert loop.snapshot(made).current_node_id == "flaky"
    loop.settle()
    assert loop.executed(made)["flaky"] >= 1


def test_a_live_run_is_forked_where_it_is(new_loop: NewLoop) -> None:
    """Both go on, neither disturbs the other."""
    loop = new_loop(examples.chain(4))
    loop.start("chain")
    loop.deliver()
    made = _forked(loop)
    assert loop.head(made).version == 1
    loop.settle()
    for run in ("run-1", made):
        assert loop.snapshot(run).output == ["a", "b", "c", "d"]
    assert loop.executed("run-1") == dict.fromkeys("abcd", 1)
    assert loop.executed(made) == dict.fromkeys("bcd", 1)


def test_a_waiting_run_is_forked_before_its_wait(new_loop: NewLoop) -> None:
    """The fork waits for itself: a signal to one is not the other's."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    made = _forked(loop)
    loop.settle()
    assert loop.snapshot(made).status is Status.PAUSED
    loop.signal("go", "source")
    loop.settle()
    assert loop.snapshot(made).status is Status.PAUSED
    loop.signal("go", "fork", run=made)
    loop.settle()
    assert (loop.snapshot().output, loop.snapshot(made).output) == ({"got": "source"}, {"got": "fork"})


def test_without_a_version_the_newest_at_which_a_step_was_to_be_executed(new_loop: NewLoop) -> None:
    """Cancelled while it waited, waiting for the second time, about to retry: there is such a version."""
    loop = new_loop(examples.asking_twice())
    loop.start("asking-twice")
    loop.settle()
    loop.signal("go", 1)
    loop.settle()
    assert (loop.snapshot().status, loop.head().version) == (Status.PAUSED, 2)
    assert loop.head(_forked(loop)).version == 0
    loop.ask("POST", "/runs/run-1/cancel")
    assert loop.head(_forked(loop)).version == 0
    loop.deploy(examples.retry(HOUR))
    loop.start("retry", run="retrying")
    loop.deliver_all()
    assert (loop.snapshot("retrying").status, loop.head("retrying").version) == (Status.ERROR, 1)
    made = _forked(loop, run="retrying")
    loop.deliver_all()
    assert loop.executed(made)["flaky"] >= 1


@pytest.mark.parametrize(("body", "status"), [({"version": 4}, 409), ({"version": 9}, 409), ({"version": -1}, 400)])
def test_a_version_at_which_no_step_was_to_be_executed(new_loop: NewLoop, body: object, status: int) -> None:
    """The end, the future, before the beginning; nothing is made."""
    loop = _done(new_loop(examples.chain(4)))
    before = loop.items()
    assert _fork(loop, body).status == status
    assert loop.items() == before


@pytest.mark.parametrize("body", [{"version": True}, {"version": "1"}, {"workflowId": "a b"}, {"data": {}}, []])
def test_a_body_that_is_none(new_loop: NewLoop, body: object) -> None:
    """400 with the field."""
    loop = _done(new_loop(examples.chain(4)))
    assert _fork(loop, body).status == 400


def test_its_steps_have_keys_of_their_own(new_loop: NewLoop) -> None:
    """What is executed again takes effect again."""
    loop = new_loop(examples.retry(0, failures=0))
    loop.start("retry")
    loop.settle()
    made = _forked(loop, {"version": 0})
    loop.settle()
    outputs: list[Any] = [loop.snapshot(run).context.outputs("flaky")[0] for run in ("run-1", made)]
    assert outputs[0]["key"] != outputs[1]["key"]


def test_it_is_named_by_the_caller(new_loop: NewLoop) -> None:
    """An id that is taken by another run is refused; by the same fork it is a repeat."""
    loop = _done(new_loop(examples.chain(4)))
    loop.start("chain", run="taken")
    assert _forked(loop, {"workflowId": "mine", "version": 1}) == "mine"
    assert _fork(loop, {"workflowId": "mine", "version": 1}).status == 200
    assert _fork(loop, {"workflowId": "mine", "version": 2}).status == 409
    assert _fork(loop, {"workflowId": "taken"}).status == 409
    loop.settle()
    assert loop.executed("mine") == dict.fromkeys("bcd", 1)


def test_repeated_with_its_key_it_is_one_fork(new_loop: NewLoop) -> None:
    """Also when the source has gone on meanwhile, so that the newest version is another by now."""
    loop = new_loop(examples.chain(4))
    loop.start("chain")
    loop.deliver()
    made = _forked(loop, key="fork-1")
    loop.settle()
    again = _fork(loop, key="fork-1")
    assert (again.status, again.body["workflowId"]) == (200, made)
    other = _fork(loop, key="fork-2")
    assert other.status == 202
    assert other.body["workflowId"] != made
    loop.settle()
    assert loop.executed(made) == dict.fromkeys("bcd", 1)


@pytest.mark.parametrize("fault", [crash, lose_the_answer, answer_500])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fault_at_each_of_its_calls(new_loop: NewLoop, when: Any, fault: Any) -> None:
    """The caller repeats the request with its key: one fork, and it runs."""
    loop = _done(new_loop(examples.chain(4)))
    loop.tap.clear()
    _forked(loop, {"version": 2}, key="fault-free")
    calls = [call for call in loop.tap.calls if call.writes]
    assert len(calls) >= 3
    loop.settle()
    for call in calls:
        key = f"key-{call.index}"
        loop.restart()
        loop.tap.clear()
        loop.tap.at(call.index, when, fault)
        answer = _fork(loop, {"version": 2}, key=key)
        assert answer.status in {200, 202}
        loop.minutes(8)
        made = answer.body["workflowId"]
        assert loop.snapshot(made).output == ["a", "b", "c", "d"]
        assert loop.executed(made) == dict.fromkeys("cd", 1)
        assert _fork(loop, {"version": 2}, key=key).body["workflowId"] == made


def _long(new_loop: NewLoop) -> MotoLoop:
    """A finished run with sealed history and an input kept elsewhere."""
    loop = new_loop(long_examples.counting(12, EXPRESSIONS), steps_per_invocation=30, retention_days=1)
    loop.start("counting", {"text": incompressible(20_000), "n": 7})
    loop.signal("go", 1)
    loop.settle()
    assert loop.head().history.segments >= 4
    return loop


def test_it_shares_what_its_source_has_put_away(new_loop: NewLoop) -> None:
    """Segments and values are not copied; a fresh process reads them, also for a fork of the fork."""
    loop = _long(new_loop)
    version = loop.head().version - 1
    run = "run-1"
    for _ in range(3):
        made = _forked(loop, {"version": version}, run=run)
        loop.restart()
        loop.settle()
        snapshot = loop.snapshot(made)
        assert snapshot.output == {"first": 1, "second": 2, "last": 12}
        assert list(snapshot.context.entries())[:-1] == list(loop.snapshot().context.entries())[:-1]
        assert snapshot.to_json()["input"] == {"text": incompressible(20_000), "n": 7}
        assert len(_kept(loop, made, "segment")) <= 1
        assert not _kept(loop, made, "blob")
        run = made


def test_a_fork_in_the_middle_seals_its_own(new_loop: NewLoop) -> None:
    """It counts on from where it was forked, and what it seals does not touch its source's."""
    loop = _long(new_loop)
    before = [item for item in loop.items() if item["sk"]["S"].startswith("segment#")]
    made = _forked(loop, {"version": 11})
    loop.signal("go", 1, run=made)
    loop.restart()
    loop.settle()
    snapshot = loop.snapshot(made)
    assert snapshot.output == {"first": 1, "second": 2, "last": 12}
    mine, its = ([(node, r.output) for node, r in loop.snapshot(r_).context.entries()] for r_ in (made, "run-1"))
    assert mine == its
    assert _kept(loop, made, "segment")
    assert [i for i in loop.items() if i["sk"]["S"].startswith("segment#") and i["pk"]["S"] == "run#run-1"] == before
    entries = loop.ask("GET", f"/runs/{made}/history?limit=1000").body["entries"]
    assert [entry["version"] for entry in entries] == list(range(1, snapshot.version + 1))


def test_its_source_is_not_removed_before_it(new_loop: NewLoop) -> None:
    """DELETE is refused as long as a fork, or a fork's fork, needs it; afterwards it goes, and so does everything."""
    loop = _long(new_loop)
    made = _forked(loop, {"version": 11}, key="a")
    again = _forked(loop, {"version": 11}, key="b", run=made)
    for run in (made, again):
        loop.ask("POST", f"/runs/{run}/cancel")
    loop.settle()
    for run in ("run-1", made):
        answer = loop.ask("DELETE", f"/runs/{run}")
        assert (answer.status, "fork" in answer.body["detail"]) == (409, True)
    # The child in the middle goes only after its own; the source as long as any of the two is there.
    for run in (again, made, "run-1"):
        assert loop.ask("DELETE", f"/runs/{run}").status == 200
    assert not [item for item in loop.items() if item["pk"]["S"].startswith("run#")]


def test_its_source_outlives_its_days_as_long_as_it_is_there(new_loop: NewLoop) -> None:
    """Retention waits for the fork, and looks again each day."""
    loop = _long(new_loop)
    made = _forked(loop, {"version": 11})
    loop.settle()
    for _ in range(4):
        loop.time.pass_by(DAY)
        loop.sweep()
        loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert _kept(loop, "run-1", "segment")
    loop.ask("POST", f"/runs/{made}/cancel")
    for _ in range(8):
        loop.time.pass_by(DAY)
        loop.sweep()
        loop.settle()
    assert not [item for item in loop.items() if item["pk"]["S"].startswith("run#")]


def test_the_source_tells_of_its_fork(new_loop: NewLoop) -> None:
    """In its history: who, why, and which run."""
    loop = _done(new_loop(examples.chain(4)))
    made = _forked(loop, {"version": 1, "reason": "try again"})
    told = [entry for entry in loop.ask("GET", "/runs/run-1/history").body["entries"] if entry["kind"] == "fork"]
    assert [(entry["target"], entry["reason"], entry["actor"]) for entry in told] == [(made, "try again", "anonymous")]


def test_a_run_that_never_was(new_loop: NewLoop) -> None:
    """404."""
    loop = new_loop(examples.chain(1))
    assert _fork(loop, run="run-9").status == 404
