"""The contract of RunStore, on every backend: how a run goes."""

from __future__ import annotations

import pytest

from dispatcher.errors import RunFinished
from dispatcher.head import Head, OperatorCall
from dispatcher.ports import Sealed, Signal
from engine import Status
from tests.dispatcher.contract.backends import StoreBackend, head_of

CALL = OperatorCall("key-1", "hold", "ops", None, 700, 0)
SEGMENT = Sealed("run-1", "segment#000000000", "nonce", b"body", "digest")


def _loaded(backend: StoreBackend) -> Head:
    head = backend.store.load("run-1")
    assert head is not None
    return head


def _with_all_kinds(backend: StoreBackend) -> None:
    backend.store.create(head_of())
    backend.store.put_sealed(SEGMENT)
    backend.store.put_sealed(Sealed("run-1", "blob#abc", "*", b"value", "abc"))
    backend.store.add_signal(Signal("run-1", "go", "s1", None, 100), due_at_ms=500)
    backend.store.record("run-1", CALL)


class TestExpire:
    """expire."""

    def test_takes_the_mark(self, backend: StoreBackend) -> None:
        """The run leaves the due index and stays as it is until the table deletes it."""
        backend.store.create(head_of())
        backend.store.commit(head_of(version=1, status=Status.COMPLETED), mark_ms=None)
        assert backend.store.expire(_loaded(backend), expires_at_s=99) is True
        head = _loaded(backend)
        assert (head.due_at_ms, head.grace_ms, head.version) == (None, None, 1)
        assert backend.in_index() == 0

    def test_only_the_head_that_was_read(self, backend: StoreBackend) -> None:
        """The version or the mark has changed since, or the run is not there: nothing happens."""
        assert backend.store.expire(head_of(), expires_at_s=99) is False
        assert backend.store.load("run-1") is None
        backend.store.create(head_of())
        read = _loaded(backend)
        backend.store.move_mark(read, due_at_ms=2000, grace_ms=None)
        assert backend.store.expire(read, expires_at_s=99) is False
        read = _loaded(backend)
        backend.store.commit(head_of(version=1), mark_ms=None)
        assert backend.store.expire(read, expires_at_s=99) is False
        assert _loaded(backend).due_at_ms == 2000


class TestRemoving:
    """set_removing."""

    def test_is_told_and_taken_back(self, backend: StoreBackend) -> None:
        """Whoever loads the head sees it; version and mark stay as they are."""
        backend.store.create(head_of())
        for removing in (True, True, False, False):
            assert backend.store.set_removing(_loaded(backend), removing) is True
            head = _loaded(backend)
            assert (head.removing, head.version, head.due_at_ms) == (removing, 0, 1000)

    def test_only_of_the_version_that_was_read(self, backend: StoreBackend) -> None:
        """The run has gone on, or is not there: nothing happens."""
        assert backend.store.set_removing(head_of(), True) is False
        assert backend.store.load("run-1") is None
        backend.store.create(head_of())
        read = _loaded(backend)
        backend.store.commit(head_of(version=1), mark_ms=None)
        assert backend.store.set_removing(read, True) is False
        assert _loaded(backend).removing is False

    def test_no_call_is_recorded_any_more(self, backend: StoreBackend) -> None:
        """A fork that pins the run sees that it goes, and an operator's transition loses: one of the two wins."""
        backend.store.create(head_of())
        backend.store.set_removing(_loaded(backend), True)
        with pytest.raises(RunFinished):
            backend.store.record("run-1", CALL)
        assert backend.store.commit(head_of(version=1), mark_ms=None, call=CALL) is None
        assert backend.store.operator_calls("run-1") == []
        assert _loaded(backend).version == 0
        backend.store.set_removing(_loaded(backend), False)
        assert backend.store.record("run-1", CALL) is True

    def test_a_run_that_never_was_records_no_call(self, backend: StoreBackend) -> None:
        """Nothing is left of what would belong to nobody."""
        with pytest.raises(RunFinished):
            backend.store.record("run-1", CALL)
        assert backend.store.operator_calls("run-1") == []


class TestRemove:
    """keys, remove and remove_head."""

    def test_keys_are_of_all_items_but_the_head(self, backend: StoreBackend) -> None:
        """Signals, their marks, sealed objects, calls; in pages; other runs have their own."""
        assert list(backend.store.keys("run-1", limit=10)) == []
        _with_all_kinds(backend)
        backend.store.create(head_of("run-10"))
        backend.store.record("run-10", CALL)
        keys = set(backend.store.keys("run-1", limit=10))
        expected = {"blob#abc", "call#key-1", "inbox#go#0000000000100#s1", "segment#000000000", "sig#s1"}
        assert keys == expected
        for limit in (1, 2, 4):
            page = backend.store.keys("run-1", limit=limit)
            assert 1 <= len(page) <= limit
            assert set(page) <= expected

    def test_what_is_removed_is_gone(self, backend: StoreBackend) -> None:
        """Once or often; the head stays until it is its turn, and other runs stay as they are."""
        _with_all_kinds(backend)
        backend.store.create(head_of("run-10"))
        backend.store.record("run-10", CALL)
        for _ in range(20):
            keys = backend.store.keys("run-1", limit=2)
            if not keys:
                break
            backend.store.remove("run-1", keys)
            backend.store.remove("run-1", keys)
        assert list(backend.store.keys("run-1", limit=10)) == []
        assert backend.store.load_sealed("run-1", SEGMENT.key, life="nonce") is None
        assert backend.store.oldest_signal("run-1", ["go"], besides=[]) is None
        assert backend.store.operator_calls("run-1") == []
        assert _loaded(backend).version == 0
        assert len(backend.store.operator_calls("run-10")) == 1

    def test_the_head_goes_only_as_the_version_that_was_read(self, backend: StoreBackend) -> None:
        """An operator may have taken the run up again meanwhile. Once it is gone there is nothing to remove."""
        backend.store.create(head_of())
        read = _loaded(backend)
        backend.store.commit(head_of(version=1), mark_ms=None)
        assert backend.store.remove_head(read) is False
        assert backend.store.remove_head(_loaded(backend)) is True
        assert backend.store.load("run-1") is None
        assert backend.in_index() == 0
        assert backend.store.remove_head(read) is False

    def test_a_run_of_the_same_id_begins_anew(self, backend: StoreBackend) -> None:
        """Nothing of the run before it is the new one's."""
        _with_all_kinds(backend)
        backend.store.remove("run-1", backend.store.keys("run-1", limit=10))
        assert backend.store.remove_head(_loaded(backend))
        assert backend.store.create(head_of(nonce="another")) is None
        assert (_loaded(backend).nonce, _loaded(backend).version) == ("another", 0)
        assert backend.store.add_signal(Signal("run-1", "go", "s1", None, 100, "another"), due_at_ms=500) is True

    def test_a_signal_of_an_earlier_life_is_not_a_repeat(self, backend: StoreBackend) -> None:
        """The mark by which a repeat is known names the life it was for."""
        backend.store.create(head_of(nonce="first"))
        assert backend.store.add_signal(Signal("run-1", "go", "s1", 1, 100, "first"), due_at_ms=500) is True
        assert backend.store.add_signal(Signal("run-1", "go", "s1", 1, 100, "first"), due_at_ms=500) is False
        assert backend.store.add_signal(Signal("run-1", "go", "s1", 2, 200, "second"), due_at_ms=500) is True
