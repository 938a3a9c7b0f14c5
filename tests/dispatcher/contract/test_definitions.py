"""The contract of RunStore, on every backend: which version of a workflow new runs begin with."""

from __future__ import annotations

import pytest

from dispatcher.ports import DefinitionPointer, Signal
from tests.dispatcher.contract.backends import StoreBackend, head_of

FIRST = DefinitionPointer("greeting", "1", "Says hello.")
SECOND = DefinitionPointer("greeting", "2")


class TestPointers:
    """put_pointer, load_pointer and pointers."""

    def test_a_name_that_nobody_has_put(self, backend: StoreBackend) -> None:
        """None, and an empty list."""
        assert backend.store.load_pointer("greeting") is None
        assert list(backend.store.pointers()) == []

    def test_a_pointer_is_put_and_moved(self, backend: StoreBackend) -> None:
        """From nothing to the first version, from there to the second, which has no description."""
        assert backend.store.put_pointer(FIRST, previous=None)
        assert backend.store.load_pointer("greeting") == FIRST
        assert backend.store.put_pointer(SECOND, previous="1")
        assert backend.store.load_pointer("greeting") == SECOND

    @pytest.mark.parametrize("previous", [None, "2", "0"])
    def test_it_moves_only_from_where_it_was_read(self, backend: StoreBackend, previous: str | None) -> None:
        """Neither as if it were new nor from a version that it is not at; it stays."""
        backend.store.put_pointer(FIRST, previous=None)
        assert backend.store.put_pointer(DefinitionPointer("greeting", "3"), previous=previous) is False
        assert backend.store.load_pointer("greeting") == FIRST

    def test_one_that_is_not_there_does_not_move(self, backend: StoreBackend) -> None:
        """Nothing is made."""
        assert backend.store.put_pointer(SECOND, previous="1") is False
        assert backend.store.load_pointer("greeting") is None

    @pytest.mark.parametrize("previous", [None, "0"])
    def test_one_that_points_there_already_has_been_put(self, backend: StoreBackend, previous: str | None) -> None:
        """The write was done and its answer lost: the repeat says that it is done."""
        backend.store.put_pointer(FIRST, previous=None)
        assert backend.store.put_pointer(FIRST, previous=previous)

    def test_all_are_told_by_name(self, backend: StoreBackend) -> None:
        """In order, however they came; definitions and runs are none of them."""
        for name in ("b", "a", "B", "c.d@1"):
            assert backend.store.put_pointer(DefinitionPointer(name, "1"), previous=None)
        backend.store.put_definition("z", "1", {"nodes": []})
        backend.store.create(head_of("workflows"))
        assert [pointer.name for pointer in backend.store.pointers()] == ["B", "a", "b", "c.d@1"]

    def test_of_two_who_have_read_the_same_version_one_wins(self, backend: StoreBackend) -> None:
        """The other is told, and what it would have put is not there."""
        backend.store.put_pointer(FIRST, previous=None)
        rivals = [DefinitionPointer("greeting", f"rival-{number}") for number in range(2)]
        assert [backend.store.put_pointer(rival, previous="1") for rival in rivals] == [True, False]
        assert backend.store.load_pointer("greeting") == rivals[0]


class TestWasSignalled:
    """was_signalled."""

    def test_a_signal_is_known_after_it_was_taken(self, backend: StoreBackend) -> None:
        """By its id, in the life of the run that it came to, and in no other."""
        assert backend.store.was_signalled("run-1", "s1", life="life-1") is False
        backend.store.create(head_of())
        signal = Signal("run-1", "go", "s1", {"n": 1}, 100, "life-1")
        assert backend.store.add_signal(signal, due_at_ms=500)
        backend.store.remove_from_inbox("run-1", ["inbox#go#0000000000100#s1"])
        assert backend.store.was_signalled("run-1", "s1", life="life-1") is True
        assert backend.store.was_signalled("run-1", "s1", life="life-2") is False
        assert backend.store.was_signalled("run-1", "s2", life="life-1") is False
        assert backend.store.was_signalled("run-2", "s1", life="life-1") is False
