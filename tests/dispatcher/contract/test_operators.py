"""The contract of RunStore, on every backend: holds, and the records of operators' calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.errors import RunFinished
from dispatcher.head import Head, Hold, OperatorCall
from engine import Status
from tests.dispatcher.contract.backends import StoreBackend, head_of

HOLD = Hold("ops", "look into it", 700)
CALL = OperatorCall("key-1", "hold", "ops", "look into it", 700, 0)
RELEASE = replace(CALL, key="key-2", kind="release", reason=None, at_ms=800)


def _loaded(backend: StoreBackend, run: str = "run-1") -> Head:
    head = backend.store.load(run)
    assert head is not None
    return head


class TestHold:
    """set_hold."""

    def test_sets_a_hold_moves_the_mark_and_leaves_the_version(self, backend: StoreBackend) -> None:
        """In one write with the record of the call; the sweep's patience begins anew."""
        backend.store.create(head_of())
        backend.store.move_mark(_loaded(backend), due_at_ms=900, grace_ms=60)
        assert backend.store.set_hold("run-1", HOLD, call=CALL, due_at_ms=500) is True
        head = _loaded(backend)
        assert (head.hold, head.version, head.due_at_ms, head.grace_ms) == (HOLD, 0, 500, None)
        assert backend.store.operator_call("run-1", "key-1") == CALL
        assert backend.in_index() == 1

    @pytest.mark.parametrize("hold", [HOLD, replace(HOLD, reason=None), Hold("ü", "", 0)])
    def test_a_hold_comes_back_as_it_was(self, backend: StoreBackend, hold: Hold) -> None:
        """Actor, reason or none, and time."""
        backend.store.create(head_of(due_at_ms=None))
        backend.store.set_hold("run-1", hold, call=CALL, due_at_ms=500)
        assert _loaded(backend).hold == hold

    def test_lifts_it_once(self, backend: StoreBackend) -> None:
        """A second time there is nothing to lift: False, nothing recorded, the mark stays."""
        backend.store.create(head_of())
        assert backend.store.set_hold("run-1", None, call=RELEASE, due_at_ms=400) is False
        assert backend.store.operator_call("run-1", "key-2") is None
        backend.store.set_hold("run-1", HOLD, call=CALL, due_at_ms=500)
        assert backend.store.set_hold("run-1", None, call=RELEASE, due_at_ms=450) is True
        assert (_loaded(backend).hold, _loaded(backend).due_at_ms) == (None, 450)
        assert backend.store.set_hold("run-1", None, call=replace(RELEASE, key="key-3"), due_at_ms=1) is False
        assert _loaded(backend).due_at_ms == 450

    def test_a_repeated_call_does_nothing(self, backend: StoreBackend) -> None:
        """By its key, whatever has become of the hold since, even when the run has ended."""
        backend.store.create(head_of())
        backend.store.set_hold("run-1", HOLD, call=CALL, due_at_ms=500)
        backend.store.set_hold("run-1", None, call=RELEASE, due_at_ms=450)
        assert backend.store.set_hold("run-1", HOLD, call=CALL, due_at_ms=1) is False
        assert (_loaded(backend).hold, _loaded(backend).due_at_ms) == (None, 450)
        backend.store.commit(head_of(version=1, status=Status.COMPLETED), mark_ms=None)
        assert backend.store.set_hold("run-1", HOLD, call=CALL, due_at_ms=1) is False

    @pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
    @pytest.mark.parametrize("hold", [HOLD, None])
    def test_a_run_that_has_ended_takes_none(self, backend: StoreBackend, status: Status, hold: Hold | None) -> None:
        """RunFinished, whether one is set or lifted; nothing is recorded."""
        backend.store.create(head_of())
        backend.store.commit(head_of(version=1, status=status), mark_ms=None)
        with pytest.raises(RunFinished):
            backend.store.set_hold("run-1", hold, call=CALL, due_at_ms=500)
        assert backend.store.operator_calls("run-1") == []
        assert (_loaded(backend).hold, _loaded(backend).due_at_ms) == (None, 1000)

    def test_a_run_that_never_was_takes_none(self, backend: StoreBackend) -> None:
        """RunFinished, and the run is not made."""
        with pytest.raises(RunFinished):
            backend.store.set_hold("run-1", HOLD, call=CALL, due_at_ms=500)
        assert backend.store.load("run-1") is None
        assert backend.store.operator_call("run-1", "key-1") is None

    def test_a_commit_returns_the_hold_and_the_mark_as_they_are_by_now(self, backend: StoreBackend) -> None:
        """They were set while its step was executed: it leaves both alone, and knows them."""
        backend.store.create(head_of())
        backend.store.set_hold("run-1", HOLD, call=CALL, due_at_ms=500)
        committed = backend.store.commit(head_of(version=1, due_at_ms=1000, hold=None), mark_ms=None)
        assert committed is not None
        assert (committed.hold, committed.due_at_ms) == (HOLD, 500)
        assert (_loaded(backend).hold, _loaded(backend).due_at_ms) == (HOLD, 500)
        # The SDK's own repetition of it is told the same.
        again = backend.store.commit(head_of(version=1, due_at_ms=1000, hold=None), mark_ms=None)
        assert again is not None
        assert (again.hold, again.due_at_ms) == (HOLD, 500)

    def test_a_commit_does_not_bring_back_a_hold_that_was_lifted(self, backend: StoreBackend) -> None:
        """The head was read while the run was held: what counts is the item."""
        backend.store.create(head_of())
        backend.store.set_hold("run-1", HOLD, call=CALL, due_at_ms=500)
        held = _loaded(backend)
        backend.store.set_hold("run-1", None, call=RELEASE, due_at_ms=450)
        committed = backend.store.commit(head_of(version=1, hold=held.hold), mark_ms=7000)
        assert committed is not None
        assert (committed.hold, committed.due_at_ms) == (None, 7000)
        assert _loaded(backend).hold is None


class TestCalls:
    """record, operator_call and operator_calls, and commits that answer a call."""

    def test_a_call_is_recorded_once(self, backend: StoreBackend) -> None:
        """The second of that key changes nothing, be it the very same or another."""
        backend.store.create(head_of())
        assert backend.store.record("run-1", CALL) is True
        assert backend.store.record("run-1", CALL) is False
        assert backend.store.record("run-1", replace(CALL, actor="somebody else")) is False
        assert backend.store.operator_call("run-1", "key-1") == CALL

    @pytest.mark.parametrize(
        "call",
        [
            CALL,
            OperatorCall("key-1", "fork", "arn:aws:iam::1:user/ü", None, 1, 7, target="run-2"),
            OperatorCall("key-1", "cancel", "", "", 0, 0),
        ],
    )
    def test_a_call_comes_back_as_it_was(self, backend: StoreBackend, call: OperatorCall) -> None:
        """With what it says, and without what it does not."""
        backend.store.create(head_of())
        backend.store.record("run-1", call)
        assert backend.store.operator_call("run-1", "key-1") == call
        assert list(backend.store.operator_calls("run-1")) == [call]

    def test_calls_are_told_oldest_first(self, backend: StoreBackend) -> None:
        """By time, then by key, over more than one page; those of other runs are theirs."""
        backend.store.create(head_of())
        calls = [replace(CALL, key=f"key-{number:03d}", at_ms=1000 - number // 2) for number in range(60)]
        for call in calls:
            backend.store.record("run-1", call)
        backend.store.create(head_of("run-10"))
        backend.store.record("run-10", CALL)
        told = backend.store.operator_calls("run-1")
        assert list(told) == sorted(calls, key=lambda call: (call.at_ms, call.key))
        assert backend.store.operator_call("run-1", "key-1") is None

    def test_a_commit_and_its_call_are_one_write(self, backend: StoreBackend) -> None:
        """Both are there, and the head is returned under the mark it was given."""
        backend.store.create(head_of())
        committed = backend.store.commit(head_of(version=1, status=Status.CANCELLED), mark_ms=5000, call=CALL)
        assert committed is not None
        assert (committed.version, committed.due_at_ms) == (1, 5000)
        assert (_loaded(backend).version, _loaded(backend).due_at_ms) == (1, 5000)
        assert _loaded(backend).snapshot.status is Status.CANCELLED
        assert backend.store.operator_call("run-1", "key-1") == CALL

    def test_a_commit_with_a_call_leaves_the_hold(self, backend: StoreBackend) -> None:
        """And knows of it, as any commit does; tries, claim and grace are cleared."""
        backend.store.create(head_of())
        backend.store.set_hold("run-1", HOLD, call=CALL, due_at_ms=500)
        backend.store.count_try(head_of())
        backend.store.claim(head_of(), until_ms=5000, claim_id="first")
        committed = backend.store.commit(head_of(version=1), mark_ms=None, call=replace(CALL, key="key-9"))
        assert committed is not None
        for head in (committed, _loaded(backend)):
            assert (head.hold, head.due_at_ms, head.tries, head.claim_until_ms) == (HOLD, 500, 0, None)

    def test_a_commit_that_loses_records_no_call(self, backend: StoreBackend) -> None:
        """Another writer has this version: nothing is written at all."""
        backend.store.create(head_of())
        backend.store.commit(head_of(version=1), mark_ms=None)
        assert backend.store.commit(head_of(version=1, writer_id="late"), mark_ms=5000, call=CALL) is None
        assert backend.store.operator_call("run-1", "key-1") is None
        assert (_loaded(backend).writer_id, _loaded(backend).due_at_ms) == ("writer-1", 1000)

    def test_a_call_that_was_answered_commits_nothing(self, backend: StoreBackend) -> None:
        """A call of that key is recorded already: None, and the head stays."""
        backend.store.create(head_of())
        backend.store.record("run-1", CALL)
        assert backend.store.commit(head_of(version=1), mark_ms=5000, call=replace(CALL, actor="other")) is None
        assert (_loaded(backend).version, _loaded(backend).due_at_ms) == (0, 1000)
        assert backend.store.operator_call("run-1", "key-1") == CALL

    def test_a_repeated_commit_with_its_call_is_told_it_was_done(self, backend: StoreBackend) -> None:
        """By its writer_id, as any repeated commit."""
        backend.store.create(head_of())
        head = head_of(version=1)
        assert backend.store.commit(head, mark_ms=5000, call=CALL) is not None
        assert backend.store.commit(head, mark_ms=5000, call=CALL) is not None
        assert _loaded(backend).version == 1
