"""The contract of RunStore, on every backend: signals."""

from __future__ import annotations

import pytest

from dispatcher.errors import ItemTooLarge, RunFinished
from dispatcher.limits import INBOX_PAGE_ITEMS, ITEM_BYTES_MAX
from dispatcher.ports import RunStore, Signal
from dispatcher.table_schema import inbox_sort_key
from engine import Status
from tests.dispatcher.contract.backends import StoreBackend, head_of
from tests.dispatcher.values import incompressible


def _signal(signal_id: str = "s1", *, name: str = "go", at: int = 100, payload: object = None) -> Signal:
    return Signal("run-1", name, signal_id, payload, at)  # type: ignore[arg-type]


def _key(signal: Signal) -> str:
    return inbox_sort_key(signal.name, signal.arrived_at_ms, signal.signal_id)


def _oldest(store: RunStore, *names: str, besides: tuple[Signal, ...] = ()) -> Signal | None:
    return store.oldest_signal("run-1", names, besides=[_key(signal) for signal in besides])


class TestInbox:
    """What every RunStore promises of signals."""

    def test_a_signal_comes_back_as_it_was(self, backend: StoreBackend) -> None:
        """Its payload, whatever JSON it is."""
        backend.store.create(head_of())
        signal = _signal(payload={"ä": [1, 2.5, None, True, {"": "\0"}]})
        assert backend.store.add_signal(signal, due_at_ms=500) is True
        assert _oldest(backend.store, "go") == signal

    def test_a_mark_stays_when_a_signal_has_come_since_it_was_read(self, backend: StoreBackend) -> None:
        """Also when the signal has set the very mark that was read: the sweep must notice it."""
        backend.store.create(head_of(due_at_ms=None))
        for number in (1, 2):
            backend.store.add_signal(_signal(f"s{number}"), due_at_ms=500)
            read = backend.store.load("run-1")
            assert read is not None
            backend.store.add_signal(_signal(f"t{number}"), due_at_ms=500)
            assert not backend.store.move_mark(read, due_at_ms=None, grace_ms=None)
            assert not backend.store.expire(read, expires_at_s=1)
        now = backend.store.load("run-1")
        assert now is not None
        assert backend.store.move_mark(now, due_at_ms=None, grace_ms=None)

    def test_a_signal_moves_the_mark(self, backend: StoreBackend) -> None:
        """In the same write: a message lost after it is found by the sweep."""
        backend.store.create(head_of(due_at_ms=None))
        backend.store.add_signal(_signal(), due_at_ms=500)
        head = backend.store.load("run-1")
        assert head is not None
        assert (head.due_at_ms, head.version) == (500, 0)
        assert backend.in_index() == 1

    def test_a_repeated_signal_is_told_and_changes_nothing(self, backend: StoreBackend) -> None:
        """By its id, whatever its payload, its name and its time; even after it was taken."""
        backend.store.create(head_of())
        first = _signal(payload="first")
        backend.store.add_signal(first, due_at_ms=500)
        assert backend.store.add_signal(_signal(payload="second", at=50), due_at_ms=9) is False
        assert _oldest(backend.store, "go") == first
        backend.store.remove_from_inbox("run-1", [_key(first)])
        assert backend.store.add_signal(_signal(payload="third", at=700), due_at_ms=9) is False
        assert _oldest(backend.store, "go") is None
        head = backend.store.load("run-1")
        assert head is not None
        assert head.due_at_ms == 500

    @pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
    def test_a_run_that_has_ended_takes_none(self, backend: StoreBackend, status: Status) -> None:
        """RunFinished, and nothing is written: neither inbox nor dedupe nor mark."""
        backend.store.create(head_of())
        backend.store.commit(head_of(version=1, status=status), mark_ms=None)
        with pytest.raises(RunFinished):
            backend.store.add_signal(_signal(), due_at_ms=500)
        assert _oldest(backend.store, "go") is None
        head = backend.store.load("run-1")
        assert head is not None
        assert head.due_at_ms == 1000
        with pytest.raises(RunFinished):
            backend.store.add_signal(_signal(), due_at_ms=500)

    @pytest.mark.parametrize("status", [Status.ACTIVE, Status.PAUSED, Status.ERROR])
    def test_a_run_that_lives_takes_them(self, backend: StoreBackend, status: Status) -> None:
        """Whether it waits for them or not."""
        backend.store.create(head_of(status=status))
        assert backend.store.add_signal(_signal(), due_at_ms=500) is True

    def test_a_run_that_never_was_takes_none(self, backend: StoreBackend) -> None:
        """RunFinished, and the run is not made; once it is there, the same signal is new."""
        with pytest.raises(RunFinished):
            backend.store.add_signal(_signal(), due_at_ms=500)
        assert backend.store.load("run-1") is None
        backend.store.create(head_of())
        assert backend.store.add_signal(_signal(), due_at_ms=500) is True

    def test_a_payload_too_large_writes_nothing(self, backend: StoreBackend) -> None:
        """Neither inbox nor dedupe nor mark."""
        backend.store.create(head_of())
        with pytest.raises(ItemTooLarge):
            backend.store.add_signal(_signal(payload=incompressible(ITEM_BYTES_MAX + 1)), due_at_ms=500)
        assert _oldest(backend.store, "go") is None
        assert backend.store.add_signal(_signal(payload="small"), due_at_ms=500) is True

    def test_the_oldest_of_several_names(self, backend: StoreBackend) -> None:
        """By arrival, not by name; names that only begin alike are others."""
        backend.store.create(head_of())
        for signal in (
            _signal("1", name="b", at=300),
            _signal("2", name="a", at=400),
            _signal("3", name="a.b", at=100),
            _signal("4", name="c", at=200),
        ):
            backend.store.add_signal(signal, due_at_ms=500)
        for names, expected in (
            (("a", "b"), "1"),
            (("a",), "2"),
            (("a", "b", "c"), "4"),
            (("c", "b"), "4"),
            (("d",), None),
            ((), None),
        ):
            found = _oldest(backend.store, *names)
            assert (found.signal_id if found is not None else None) == expected

    def test_arrival_is_a_number(self, backend: StoreBackend) -> None:
        """999 came before 1000, whatever their digits sort like."""
        backend.store.create(head_of())
        backend.store.add_signal(_signal("later", at=1000), due_at_ms=500)
        backend.store.add_signal(_signal("earlier", at=999), due_at_ms=500)
        found = _oldest(backend.store, "go")
        assert found is not None
        assert found.signal_id == "earlier"

    def test_signals_of_one_millisecond_have_an_order(self, backend: StoreBackend) -> None:
        """By id, the same on every backend and at every look."""
        backend.store.create(head_of())
        for signal_id in ("b", "a", "c"):
            backend.store.add_signal(_signal(signal_id), due_at_ms=500)
        found = _oldest(backend.store, "go")
        assert found is not None
        assert found.signal_id == "a"

    def test_what_is_taken_is_left_out(self, backend: StoreBackend) -> None:
        """A look besides those that a commit took, over more than one page."""
        backend.store.create(head_of())
        signals = [_signal(f"s{number:03d}", at=number) for number in range(INBOX_PAGE_ITEMS + 3)]
        for signal in signals:
            backend.store.add_signal(signal, due_at_ms=500)
        assert _oldest(backend.store, "go", besides=(signals[0],)) == signals[1]
        assert _oldest(backend.store, "go", besides=(signals[1],)) == signals[0]
        assert _oldest(backend.store, "go", besides=tuple(signals[:-1])) == signals[-1]
        assert _oldest(backend.store, "go", besides=tuple(signals)) is None

    def test_what_is_removed_is_gone(self, backend: StoreBackend) -> None:
        """Each key once or often, known or not: what else there is stays."""
        backend.store.create(head_of())
        first, second = _signal("1", at=1), _signal("2", at=2)
        for signal in (first, second):
            backend.store.add_signal(signal, due_at_ms=500)
        for _ in range(2):
            backend.store.remove_from_inbox("run-1", [_key(first), "inbox#go#0#never"])
            assert _oldest(backend.store, "go") == second
        backend.store.remove_from_inbox("run-1", [])
        backend.store.remove_from_inbox("run-9", [_key(second)])
        assert _oldest(backend.store, "go") == second

    def test_runs_have_inboxes_of_their_own(self, backend: StoreBackend) -> None:
        """A run whose id begins like another's sees nothing of it."""
        backend.store.create(head_of("run-1"))
        backend.store.create(head_of("run-10"))
        backend.store.add_signal(Signal("run-10", "go", "s1", None, 1), due_at_ms=500)
        assert _oldest(backend.store, "go") is None
        assert backend.store.add_signal(_signal("s1"), due_at_ms=500) is True
