"""The sweep: finds what has no message any more, once a minute, and does no harm to what has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice

import pytest

from dispatcher.bootstrap import Adapters, App
from dispatcher.due import shard_of
from dispatcher.front_door import StartRequest
from dispatcher.limits import SWEEP_GRACE_MS, SWEEP_MARKS_PER_PAGE, SWEEP_TIME_MAX_MS
from dispatcher.memory import InMemoryBucket, InMemoryRunStore, InMemoryStepQueue
from dispatcher.ports import DueMark
from dispatcher.table_schema import DUE_SHARDS, due_shard
from engine import Status
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.settings import SETTINGS, NoSecret
from tests.dispatcher.virtual_time import DAY, HOUR, MINUTE, SECOND, VirtualTime
from tests.dispatcher.wiretap import Call, crash, lose_the_answer, raising

_NOTHING = {"lookedAt": 0, "sent": 0, "pushed": 0, "removed": 0}


def _mark_in(loop: MotoLoop, run: str = "run-1") -> int:
    """How far ahead a run's mark is, in milliseconds."""
    mark = loop.head(run).due_at_ms
    assert mark is not None
    return mark - loop.time.now_ms


def test_each_lost_message_is_found(new_loop: NewLoop) -> None:
    """The process dies at any call and the queue is purged as well: the sweep alone brings the run to its end."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    loop.settle()
    for call in list(loop.tap.calls):
        run = f"run-{call.index}"
        loop.restart()
        loop.tap.clear()
        loop.tap.at(call.index, "after", crash)
        loop.start("chain", run=run)
        for _ in range(5):
            loop.deliver_all()
            loop.purge()
            # Every mark is at most half an hour ahead.
            loop.time.pass_by(31 * MINUTE)
            loop.sweep()
        loop.settle()
        assert loop.snapshot(run).status is Status.COMPLETED, call
        assert loop.snapshot(run).output == ["a", "b"], call
        assert sum(loop.executed(run).values()) <= 3, call


@pytest.mark.parametrize("failing", range(6))
def test_a_signal_whose_nudge_is_lost_is_found(new_loop: NewLoop, failing: int) -> None:
    """The caller's process dies after any of its calls and never comes back; the queue is purged: still it counts."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    loop.tap.clear()
    loop.tap.at(failing, "after", crash)
    loop.signal("go", 1)
    loop.deliver_all()
    loop.purge()
    for _ in range(3):
        loop.time.pass_by(31 * MINUTE)
        loop.sweep()
        loop.settle()
    assert loop.snapshot().output == {"got": 1}


def test_a_start_whose_message_is_lost_goes_on_within_minutes(new_loop: NewLoop) -> None:
    """A start marks the run two minutes ahead; the grace after that its message counts as lost, and another is sent."""
    loop = new_loop(examples.chain(2))
    loop.start("chain")
    loop.purge()
    loop.minutes(3)
    # The message may be waiting, or hidden while its step runs: the sweep has pushed the mark and sent nothing.
    assert loop.head().version == 0
    assert loop.head().grace_ms == SWEEP_GRACE_MS
    assert loop.deliveries == 0
    loop.minutes(5)
    assert loop.snapshot().status is Status.COMPLETED
    assert set(loop.executed().values()) == {1}
    assert loop.head().grace_ms is None


def test_a_run_in_motion_is_left_alone(new_loop: NewLoop) -> None:
    """Messages are on their way and the mark lies ahead: the sweep sends nothing."""
    loop = new_loop(examples.chain(4))
    loop.start("chain")
    loop.deliver()
    assert loop.sweep() == _NOTHING
    loop.settle()
    assert set(loop.executed().values()) == {1}


def test_the_mark_of_a_run_at_rest_is_removed(new_loop: NewLoop) -> None:
    """Nobody but the sweep removes a mark, and only when the run has ended or waits for the outside alone."""
    loop = new_loop(examples.wait())
    loop.start("wait", run="paused")
    loop.start("wait", run="ended")
    loop.signal("go", 1, run="ended")
    loop.settle()
    assert loop.snapshot("ended").status is Status.COMPLETED
    assert loop.head("ended").due_at_ms is not None
    loop.time.pass_by(31 * MINUTE)
    assert loop.sweep() == {"lookedAt": 2, "sent": 0, "pushed": 0, "removed": 2}
    assert loop.head("ended").due_at_ms is None
    assert loop.head("paused").due_at_ms is None
    assert loop.sweep() == _NOTHING
    # The mark comes back with the next call from outside.
    loop.signal("go", 2, run="paused")
    assert _mark_in(loop, "paused") == 2 * MINUTE
    loop.settle()
    assert loop.snapshot("paused").status is Status.COMPLETED


def test_the_mark_of_a_run_with_an_unread_signal_is_kept(new_loop: NewLoop) -> None:
    """A signal the run waits for is in the inbox: the run is not at rest, and the sweep sends after the grace."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    loop.signal("go", 1)
    loop.purge()
    loop.time.pass_by(2 * MINUTE)
    assert loop.sweep() == {"lookedAt": 1, "sent": 0, "pushed": 1, "removed": 0}
    assert _mark_in(loop) == SWEEP_GRACE_MS
    loop.time.pass_by(SWEEP_GRACE_MS)
    assert loop.sweep() == {"lookedAt": 1, "sent": 1, "pushed": 0, "removed": 0}
    loop.settle()
    assert loop.snapshot().output == {"got": 1}


def test_a_signal_of_another_name_does_not_keep_a_mark(new_loop: NewLoop) -> None:
    """What nobody waits for keeps no run awake."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    loop.signal("another", 1)
    loop.settle()
    loop.time.pass_by(31 * MINUTE)
    assert loop.sweep()["removed"] == 1


def test_a_signal_that_arrives_while_the_mark_is_removed_keeps_it(new_loop: NewLoop) -> None:
    """The sweep saw the run at rest, then a signal came: the removal is conditional on the mark and fails."""
    loop = new_loop(examples.wait())
    loop.start("wait")
    loop.settle()
    loop.time.pass_by(31 * MINUTE)
    rival = loop.new_process()

    def signal_arrives(_call: Call) -> None:
        rival.front_door.signal("run-1", "go", 1, idempotency_key="a")

    loop.tap.on("UpdateItem", "before", signal_arrives)
    assert loop.sweep()["removed"] == 0
    assert loop.head().due_at_ms is not None
    loop.purge()
    loop.minutes(8)
    assert loop.snapshot().output == {"got": 1}


def test_a_mark_that_is_too_early_is_pushed_to_its_time(new_loop: NewLoop) -> None:
    """The mark of the start is older than the wait's timer: the sweep moves it there and sends nothing."""
    loop = new_loop(examples.wait(timeout_ms=3 * DAY))
    loop.start("wait")
    loop.settle()
    loop.time.pass_by(31 * MINUTE)
    assert loop.sweep() == {"lookedAt": 1, "sent": 0, "pushed": 1, "removed": 0}
    assert loop.head().due_at_ms == loop.snapshot().due_at_ms
    assert loop.queued() == 0


def test_the_grace_doubles_up_to_an_hour(new_loop: NewLoop) -> None:
    """A run whose every message is lost is tried again ever more rarely, and never given up."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    seen = []
    for sent in (0, 1, 1, 1, 1, 1):
        loop.purge()
        loop.time.pass_by(_mark_in(loop))
        assert loop.sweep()["sent"] == sent
        seen.append(_mark_in(loop) // MINUTE)
    assert seen == [5, 10, 20, 40, 60, 60]
    loop.deliver_all()
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.head().grace_ms is None


def test_two_sweeps_at_once_send_once(new_loop: NewLoop) -> None:
    """Both find the run late, then its message lost; the mark is moved by one of them, and that one sends."""
    loop = new_loop(examples.chain(1))
    loop.start("chain")
    loop.purge()
    rival = loop.new_process()
    reports = []

    def rival_sweeps(_call: Call) -> None:
        reports.append(rival.sweep.run())

    for pushed, sent in ((1, 0), (0, 1)):
        loop.time.pass_by(_mark_in(loop))
        loop.tap.on("UpdateItem", "before", rival_sweeps)
        assert loop.sweep() == {"lookedAt": 1, "sent": 0, "pushed": 0, "removed": 0}
        assert (reports[-1].pushed, reports[-1].sent) == (pushed, sent)
    assert loop.queued() == 1


def test_a_sweep_that_dies_before_it_sends_makes_the_run_late_not_lost(new_loop: NewLoop) -> None:
    """The mark moves first, by the grace: the next sweep after that sends."""
    loop = new_loop(examples.retry(2 * HOUR))
    loop.start("retry")
    loop.deliver_all()
    loop.time.pass_by(2 * HOUR)
    loop.tap.on("SendMessage", "before", crash)
    loop.sweep()
    assert loop.queued() == 0
    loop.time.pass_by(_mark_in(loop))
    loop.sweep()
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.executed() == {"flaky": 2, "done": 1}


def test_one_run_s_trouble_is_not_another_s(new_loop: NewLoop) -> None:
    """A head that cannot be read now is left for the next sweep; the others are looked after."""
    loop = new_loop(examples.chain(1))
    for number in range(5):
        loop.start("chain", run=f"run-{number}")
    loop.purge()
    for what, ms in (("pushed", 2 * MINUTE), ("sent", SWEEP_GRACE_MS)):
        loop.time.pass_by(ms)
        loop.tap.on("GetItem", "before", lose_the_answer, key="run#run-2")
        assert loop.sweep()[what] == 4
        assert loop.sweep()[what] == 1
    loop.settle()
    assert all(loop.snapshot(f"run-{number}").status is Status.COMPLETED for number in range(5))


def test_a_head_nobody_can_read_does_not_stop_the_sweep(new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """Damaged for good, with an error no port knows: it is logged, and the others are looked after all the same."""
    loop = new_loop(examples.chain(1))
    for number in range(5):
        loop.start("chain", run=f"run-{number}")
    loop.purge()
    loop.dynamodb.update_item(
        TableName=loop.resources.table_name,
        Key={"pk": {"S": "run#run-2"}, "sk": {"S": "head"}},
        UpdateExpression="SET body = :junk",
        ExpressionAttributeValues={":junk": {"B": b"junk"}},
    )
    loop.minutes(8)
    for number in (0, 1, 3, 4):
        assert loop.snapshot(f"run-{number}").status is Status.COMPLETED
    left = [record for record in caplog.records if record.getMessage() == "left for later"]
    assert {record.workflow_id for record in left} == {"run-2"}  # type: ignore[attr-defined]


def test_a_throttled_shard_is_left_for_the_next_sweep(new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with its number, and the other shards are swept."""
    loop = new_loop(examples.chain(1))
    runs = [f"run-{number}" for number in range(5)]
    for run in runs:
        loop.start("chain", run=run)
    throttled = shard_of("run-2", DUE_SHARDS)
    in_it = sum(shard_of(run, DUE_SHARDS) == throttled for run in runs)
    assert in_it < len(runs)
    loop.time.pass_by(2 * MINUTE)
    loop.tap.on("Query", "before", raising("ThrottlingException"), key=f'"{due_shard(throttled)}"')
    assert loop.sweep()["pushed"] == len(runs) - in_it
    (left,) = [record for record in caplog.records if record.getMessage() == "shard left for later"]
    assert left.shard == throttled  # type: ignore[attr-defined]
    assert loop.sweep()["pushed"] == in_it


def test_the_sweep_may_run_at_any_time(new_loop: NewLoop) -> None:
    """A sweep between any two deliveries changes neither the output nor the number of executions."""
    loop = new_loop(examples.wait(timeout_ms=20 * MINUTE))
    loop.start("wait")
    while loop.deliver():
        loop.sweep()
    loop.minutes(21)
    assert loop.snapshot().output == {"late": True}
    assert loop.executed() == {"before": 1, "wait": 2, "late": 1}


def test_a_run_due_within_the_next_minute_gets_its_message_for_the_rest(new_loop: NewLoop) -> None:
    """Between two sweeps lies a minute: the earlier one sends, with the exact rest as delay."""
    loop = new_loop(examples.retry(2 * HOUR))
    loop.start("retry")
    loop.deliver_all()
    loop.time.pass_by(2 * HOUR - 40 * SECOND)
    loop.tap.clear()
    assert loop.sweep()["sent"] == 1
    (sent,) = [call for call in loop.tap.calls if call.operation == "SendMessage"]
    assert sent.parameters["DelaySeconds"] == 40
    # The next sweep finds the mark moved by the grace, and leaves it.
    assert loop.sweep() == _NOTHING
    loop.advance(40 * SECOND)
    assert loop.snapshot().status is Status.COMPLETED


@pytest.mark.parametrize("interval_ms", [10 * MINUTE, 900 * SECOND])
def test_a_timer_within_the_queues_reach_is_never_sent_by_the_sweep(new_loop: NewLoop, interval_ms: int) -> None:
    """Its message is on its way since it was set: the mark goes behind it by the grace, and the run has one chain."""
    loop = new_loop(examples.retry(interval_ms))
    loop.start("retry")
    loop.deliver_all()
    due_at_ms = loop.snapshot().due_at_ms
    assert due_at_ms is not None
    # The mark of the start is too early; then that of the timer is, for it has no grace.
    for to_ms, mark_ms in ((2 * MINUTE, due_at_ms), (interval_ms - 2 * MINUTE - 1, due_at_ms + SWEEP_GRACE_MS)):
        loop.time.pass_by(to_ms)
        assert loop.sweep() == {"lookedAt": 1, "sent": 0, "pushed": 1, "removed": 0}
        assert loop.head().due_at_ms == mark_ms
    assert loop.head().grace_ms == SWEEP_GRACE_MS
    loop.minutes(10)
    assert loop.snapshot().status is Status.COMPLETED
    assert loop.executed() == {"flaky": 2, "done": 1}
    # The start, the retry, and what follows it.
    assert loop.deliveries == 3


def test_a_lost_message_of_a_timer_within_the_queues_reach_is_found(new_loop: NewLoop) -> None:
    """The grace behind its time, the message counts as lost."""
    loop = new_loop(examples.retry(10 * MINUTE))
    loop.start("retry")
    loop.deliver_all()
    loop.purge()
    loop.minutes(14)
    assert loop.executed() == {"flaky": 1}
    loop.minutes(2)
    assert loop.snapshot().status is Status.COMPLETED


def test_a_sweep_that_comes_late_gives_a_short_timer_its_grace_from_now(new_loop: NewLoop) -> None:
    """No sweep ran until the timer had passed: its message may be under way this moment, and none is sent."""
    loop = new_loop(examples.retry(10 * MINUTE))
    loop.start("retry")
    loop.deliver_all()
    loop.time.pass_by(HOUR)
    assert loop.sweep() == {"lookedAt": 1, "sent": 0, "pushed": 1, "removed": 0}
    assert _mark_in(loop) == SWEEP_GRACE_MS
    assert loop.queued() == 1


def test_a_sweep_that_comes_late_moves_no_mark_into_the_past(new_loop: NewLoop) -> None:
    """A far timer has long passed: it is sent at once, and the mark lies ahead by the grace."""
    loop = new_loop(examples.retry(2 * HOUR))
    loop.start("retry")
    loop.deliver_all()
    loop.time.pass_by(3 * HOUR)
    assert loop.sweep()["sent"] == 1
    assert _mark_in(loop) == SWEEP_GRACE_MS
    assert loop.sweep() == _NOTHING
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED


class _SlowStore(InMemoryRunStore):
    """Notes which shards are asked for, and takes its time for each page."""

    def __init__(self, time: VirtualTime, takes_ms: int) -> None:
        super().__init__()
        self._time = time
        self._takes_ms = takes_ms
        self.asked: list[int] = []

    def due_marks(self, shard: int, *, until_ms: int, limit: int, after: DueMark | None = None) -> Sequence[DueMark]:
        """As ever, later."""
        assert limit == SWEEP_MARKS_PER_PAGE
        self.asked.append(shard)
        self._time.pass_by(self._takes_ms)
        return super().due_marks(shard, until_ms=until_ms, limit=limit, after=after)


def _crowded(time: VirtualTime, *, takes_ms: int) -> tuple[App, _SlowStore, int, int]:
    """Started runs, two pages and a half in one shard and one in another; the app, its store, these shards."""
    store = _SlowStore(time, takes_ms)
    app = App(
        SETTINGS,
        Adapters(store, InMemoryStepQueue(lambda: time.now_ms), InMemoryBucket(), NoSecret()),
        examples.chain(1),
    )
    crowded = shard_of("run-0", DUE_SHARDS)
    full = (f"run-{n}" for n in count() if shard_of(f"run-{n}", DUE_SHARDS) == crowded)
    other = next(f"run-{n}" for n in count() if shard_of(f"run-{n}", DUE_SHARDS) != crowded)
    for run in [*islice(full, 5 * SWEEP_MARKS_PER_PAGE // 2), other]:
        app.front_door.start(StartRequest(workflow="chain", workflow_id=run))
    time.pass_by(2 * MINUTE)
    return app, store, crowded, shard_of(other, DUE_SHARDS)


def test_shards_take_turns(time: VirtualTime) -> None:
    """A page of each, then the next page of those that have more: one crowded shard does not starve the others."""
    app, store, crowded, _ = _crowded(time, takes_ms=0)
    report = app.sweep.run()
    assert report.pushed == 5 * SWEEP_MARKS_PER_PAGE // 2 + 1
    assert sorted(store.asked[:DUE_SHARDS]) == list(range(DUE_SHARDS))
    assert store.asked[DUE_SHARDS:] == [crowded] * 2


def test_a_sweep_ends_in_time(time: VirtualTime) -> None:
    """It begins no turn after its time is over; what is left is the next sweep's, which begins with another shard."""
    app, store, _, _ = _crowded(time, takes_ms=SWEEP_TIME_MAX_MS // DUE_SHARDS + 1)
    report = app.sweep.run()
    assert len(store.asked) == DUE_SHARDS
    assert report.pushed == SWEEP_MARKS_PER_PAGE + 1
    first = store.asked[0]
    time.pass_by(MINUTE)
    app.sweep.run()
    assert store.asked[DUE_SHARDS] != first
