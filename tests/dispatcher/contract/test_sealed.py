"""The contract of RunStore, on every backend: objects that never change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.errors import ItemTooLarge, SealBroken
from dispatcher.limits import ITEM_BYTES_MAX
from dispatcher.ports import ANY_LIFE, RunStore, Sealed
from tests.dispatcher.contract.backends import StoreBackend, head_of

SEGMENT = Sealed("run-1", "segment#000000000", "life-1", b"\x00body\xff", "digest-1")


def _body(store: RunStore, sealed: Sealed) -> bytes | None:
    return store.load_sealed(sealed.workflow_id, sealed.key, life=sealed.life)


class TestSealed:
    """What every RunStore promises of sealed objects."""

    def test_what_was_never_put_is_none(self, backend: StoreBackend) -> None:
        """And that is sure: a caller takes it for damage."""
        assert _body(backend.store, SEGMENT) is None
        backend.store.create(head_of())
        assert _body(backend.store, SEGMENT) is None

    def test_an_object_comes_back_as_it_was(self, backend: StoreBackend) -> None:
        """Byte for byte, whether the head of its run is there or not."""
        backend.store.put_sealed(SEGMENT)
        assert _body(backend.store, SEGMENT) == SEGMENT.body

    def test_the_same_object_again_is_no_harm(self, backend: StoreBackend) -> None:
        """The digest says that it is the same: an earlier delivery wrote it and died. What is there stays."""
        backend.store.put_sealed(SEGMENT)
        backend.store.put_sealed(SEGMENT)
        backend.store.put_sealed(replace(SEGMENT, body=b"compressed by another library"))
        assert _body(backend.store, SEGMENT) == SEGMENT.body

    def test_another_object_in_its_place_breaks_the_seal(self, backend: StoreBackend) -> None:
        """SealBroken, and nothing is written: history would be damaged."""
        backend.store.put_sealed(SEGMENT)
        with pytest.raises(SealBroken, match="segment#000000000"):
            backend.store.put_sealed(replace(SEGMENT, body=b"other", digest="digest-2"))
        assert _body(backend.store, SEGMENT) == SEGMENT.body

    def test_a_later_life_of_the_run_has_other_objects(self, backend: StoreBackend) -> None:
        """An orphan of a run that was removed is overwritten; it is not the new run's while it is there."""
        backend.store.put_sealed(SEGMENT)
        later = replace(SEGMENT, life="life-2", body=b"later", digest="digest-2")
        assert _body(backend.store, later) is None
        backend.store.put_sealed(later)
        assert _body(backend.store, later) == b"later"
        assert _body(backend.store, SEGMENT) is None

    def test_a_value_is_the_same_in_every_life(self, backend: StoreBackend) -> None:
        """Its key tells its content."""
        value = Sealed("run-1", "blob#abc", ANY_LIFE, b"value", "abc")
        for _ in range(2):
            backend.store.put_sealed(value)
            assert _body(backend.store, value) == b"value"

    def test_objects_have_keys_and_runs_of_their_own(self, backend: StoreBackend) -> None:
        """Neither another key nor another run is looked at, however alike they begin."""
        others = [replace(SEGMENT, key="segment#000000001"), replace(SEGMENT, workflow_id="run-10")]
        for number, other in enumerate(others):
            backend.store.put_sealed(replace(other, body=str(number).encode(), digest=str(number)))
        assert _body(backend.store, SEGMENT) is None
        backend.store.put_sealed(SEGMENT)
        assert [_body(backend.store, other) for other in others] == [b"0", b"1"]

    def test_an_object_larger_than_an_item_is_refused(self, backend: StoreBackend) -> None:
        """ItemTooLarge, and nothing is written: it belongs in the bucket."""
        large = replace(SEGMENT, body=b"x" * (ITEM_BYTES_MAX + 16 * 1024))
        with pytest.raises(ItemTooLarge):
            backend.store.put_sealed(large)
        assert _body(backend.store, SEGMENT) is None

    def test_objects_are_no_signals_and_no_heads(self, backend: StoreBackend) -> None:
        """They share the run's partition with what else belongs to it."""
        backend.store.create(head_of())
        backend.store.put_sealed(SEGMENT)
        head = backend.store.load("run-1")
        assert head is not None
        assert head.version == 0
        assert backend.store.oldest_signal("run-1", ["segment", "000000000"], besides=[]) is None
        assert backend.store.operator_calls("run-1") == []
