"""The contract of RunStore, on every backend: heads, marks and definitions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.due import shard_of
from dispatcher.errors import ItemTooLarge, UnknownSchema
from dispatcher.head import Head, Pending, Taken
from dispatcher.limits import ITEM_BYTES_MAX
from dispatcher.ports import DueMark
from dispatcher.table_schema import DUE_SHARDS
from engine import Resumed, Status
from tests.dispatcher.contract.backends import StoreBackend, head_of
from tests.dispatcher.values import incompressible

SHARD = shard_of("run-1", DUE_SHARDS)


def _ids_of_shard(shard: int, count: int) -> list[str]:
    found = [f"run-{number}" for number in range(1000) if shard_of(f"run-{number}", DUE_SHARDS) == shard]
    return found[:count]


class TestRunStore:
    """What every RunStore promises."""

    def test_a_run_that_never_was_is_none(self, backend: StoreBackend) -> None:
        """Load answers None, and changes nothing."""
        assert backend.store.load("run-1") is None

    def test_a_head_comes_back_as_it_was(self, backend: StoreBackend) -> None:
        """Snapshot, pending payload, taken signals, writer, message and mark."""
        head = head_of(
            pending=Pending(Resumed("signal", "go"), {"a": [1, None, "ü"]}, 2),
            takes=(Taken("id", "inbox#go#1#id"),),
            by="message-1",
            input={"n": 1},
            tags={"team": "a"},
            tenant="acme",
        )
        assert backend.store.create(head) is None
        loaded = backend.store.load("run-1")
        assert loaded is not None
        assert loaded.snapshot.to_json() == head.snapshot.to_json()
        assert replace(loaded, snapshot=head.snapshot) == head

    def test_a_start_s_pending_payload_comes_back(self, backend: StoreBackend) -> None:
        """The one that has no cause but the start, and the one that is not there, are told apart."""
        for run, pending in (("run-1", Pending()), ("run-2", None)):
            backend.store.create(head_of(run, pending=pending))
            loaded = backend.store.load(run)
            assert loaded is not None
            assert loaded.pending == pending

    def test_a_run_is_created_once(self, backend: StoreBackend) -> None:
        """The second writer is given what the first wrote, which stays."""
        first = head_of(writer_id="first")
        backend.store.create(first)
        existing = backend.store.create(head_of(writer_id="second", nonce="other"))
        assert existing is not None
        assert (existing.writer_id, existing.nonce) == ("first", "nonce")
        assert _loaded(backend).nonce == "nonce"

    def test_a_repeated_create_is_the_same_create(self, backend: StoreBackend) -> None:
        """The SDK sends a write again whose answer was lost: by its writer_id it is known, and counts as done."""
        head = head_of()
        assert backend.store.create(head) is None
        assert backend.store.create(head) is None

    def test_a_create_after_the_run_went_on_is_given_the_newer_head(self, backend: StoreBackend) -> None:
        """Who starts an id again sees the run as it is now."""
        backend.store.create(head_of())
        backend.store.commit(head_of(version=1), mark_ms=None)
        existing = backend.store.create(head_of(writer_id="late"))
        assert existing is not None
        assert existing.version == 1

    def test_a_commit_replaces_the_version_before(self, backend: StoreBackend) -> None:
        """Version by version, with by, writer_id and status of the newer one."""
        backend.store.create(head_of())
        assert backend.store.commit(head_of(version=1, by="m-1", status=Status.COMPLETED), mark_ms=None) is not None
        loaded = _loaded(backend)
        assert (loaded.version, loaded.by, loaded.writer_id) == (1, "m-1", "writer-1")
        assert loaded.snapshot.status is Status.COMPLETED

    @pytest.mark.parametrize("version", [0, 1, 3, 4])
    def test_a_commit_of_any_other_version_loses(self, backend: StoreBackend, version: int) -> None:
        """Neither a stale nor an over-hasty one is written; the head stays as it is."""
        backend.store.create(head_of())
        backend.store.commit(head_of(version=1), mark_ms=None)
        before = _loaded(backend)
        assert backend.store.commit(head_of(version=version, writer_id="loser"), mark_ms=5000) is None
        assert _unchanged(backend, before)

    def test_a_commit_for_a_run_that_never_was_loses(self, backend: StoreBackend) -> None:
        """It does not make the run."""
        assert backend.store.commit(head_of(version=1), mark_ms=None) is None
        assert backend.store.load("run-1") is None

    def test_a_repeated_commit_is_the_same_commit(self, backend: StoreBackend) -> None:
        """As with create; but only while the version is still the one it wrote."""
        backend.store.create(head_of())
        head = head_of(version=1)
        assert backend.store.commit(head, mark_ms=None) is not None
        assert backend.store.commit(head, mark_ms=None) is not None
        assert backend.store.commit(replace(head, writer_id="another"), mark_ms=None) is None
        backend.store.commit(head_of(version=2), mark_ms=None)
        assert backend.store.commit(head, mark_ms=None) is None

    def test_a_commit_moves_the_mark_or_leaves_it_where_it_is_by_now(self, backend: StoreBackend) -> None:
        """None leaves what another writer has set since the head was read."""
        backend.store.create(head_of(due_at_ms=1000))
        backend.store.commit(head_of(version=1, due_at_ms=1000), mark_ms=7000)
        assert _loaded(backend).due_at_ms == 7000
        read_before = _loaded(backend)
        assert backend.store.move_mark(read_before, due_at_ms=3000, grace_ms=60)
        backend.store.commit(head_of(version=2, due_at_ms=7000), mark_ms=None)
        assert _loaded(backend).due_at_ms == 3000

    def test_a_commit_clears_the_grace(self, backend: StoreBackend) -> None:
        """The run has moved: the next time it is late, the sweep's patience begins anew."""
        backend.store.create(head_of())
        backend.store.move_mark(_loaded(backend), due_at_ms=2000, grace_ms=300)
        assert _loaded(backend).grace_ms == 300
        backend.store.commit(head_of(version=1), mark_ms=None)
        assert _loaded(backend).grace_ms is None

    def test_a_head_too_large_writes_nothing(self, backend: StoreBackend) -> None:
        """Neither by create nor by commit; the run stays as it was."""
        large = incompressible(ITEM_BYTES_MAX + 1)
        with pytest.raises(ItemTooLarge, match="run-1"):
            backend.store.create(head_of(input=large))
        assert backend.store.load("run-1") is None
        backend.store.create(head_of())
        before = _loaded(backend)
        with pytest.raises(ItemTooLarge, match="run-1"):
            backend.store.commit(head_of(version=1, input=large), mark_ms=5000)
        assert _unchanged(backend, before)

    def test_a_head_of_newer_code_is_not_read(self, backend: StoreBackend) -> None:
        """UnknownSchema, whoever reads it: load, or a create that meets it."""
        backend.store.create(head_of())
        backend.set_schema("run-1", 2)
        with pytest.raises(UnknownSchema, match="newer"):
            backend.store.load("run-1")
        with pytest.raises(UnknownSchema):
            backend.store.create(head_of(writer_id="other"))

    def test_due_marks_are_those_of_a_shard_up_to_a_time_oldest_first(self, backend: StoreBackend) -> None:
        """Each run is in one shard; later marks and other shards are left out; the limit cuts the newest."""
        runs = _ids_of_shard(3, 4)
        for run, mark in zip(runs, (4000, 1000, 3000, 9000), strict=True):
            backend.store.create(head_of(run, due_at_ms=mark))
        backend.store.create(head_of(_ids_of_shard(4, 1)[0], due_at_ms=500))
        marks = backend.store.due_marks(3, until_ms=4000, limit=10)
        assert list(marks) == [DueMark(runs[1], 1000), DueMark(runs[2], 3000), DueMark(runs[0], 4000)]
        assert list(backend.store.due_marks(3, until_ms=4000, limit=2)) == list(marks)[:2]
        assert list(backend.store.due_marks(3, until_ms=999, limit=10)) == []
        assert len(backend.store.due_marks(4, until_ms=500, limit=10)) == 1

    def test_due_marks_go_on_after_one(self, backend: StoreBackend) -> None:
        """In pages, each mark once, also where some are of one millisecond, and when the one before has gone."""
        runs = _ids_of_shard(3, 6)
        for number, run in enumerate(runs):
            backend.store.create(head_of(run, due_at_ms=1000 + number // 3))
        told: list[DueMark] = []
        after: DueMark | None = None
        for _ in range(len(runs) + 1):
            page = backend.store.due_marks(3, until_ms=4000, limit=2, after=after)
            if not page:
                break
            told += page
            after = page[-1]
            gone = backend.store.load(after.workflow_id)
            assert gone is not None
            assert backend.store.move_mark(gone, due_at_ms=None, grace_ms=None)
        assert sorted(mark.workflow_id for mark in told) == sorted(runs)
        assert [mark.due_at_ms for mark in told] == [1000] * 3 + [1001] * 3

    def test_the_index_is_sparse(self, backend: StoreBackend) -> None:
        """A run without a mark is not in it, whether it never had one or lost it."""
        backend.store.create(head_of("run-1", due_at_ms=None))
        backend.store.create(head_of("run-2", due_at_ms=1000))
        assert backend.in_index() == 1
        loaded = backend.store.load("run-2")
        assert loaded is not None
        assert backend.store.move_mark(loaded, due_at_ms=None, grace_ms=None)
        assert backend.in_index() == 0
        reloaded = backend.store.load("run-2")
        assert reloaded is not None
        assert (reloaded.due_at_ms, reloaded.grace_ms) == (None, None)

    def test_a_mark_moves_with_its_grace(self, backend: StoreBackend) -> None:
        """There and back: set with a grace, moved without one, set again where there was none."""
        backend.store.create(head_of())
        for due_at_ms, grace_ms in ((2000, 300), (3000, None), (None, None), (4000, 60)):
            assert backend.store.move_mark(_loaded(backend), due_at_ms=due_at_ms, grace_ms=grace_ms)
            assert (_loaded(backend).due_at_ms, _loaded(backend).grace_ms) == (due_at_ms, grace_ms)
        assert list(backend.store.due_marks(SHARD, until_ms=4000, limit=1)) == [DueMark("run-1", 4000)]

    def test_a_mark_moves_only_as_it_was_read(self, backend: StoreBackend) -> None:
        """Not when the version, not when the mark has changed since; the mark stays."""
        backend.store.create(head_of(due_at_ms=1000))
        read = _loaded(backend)
        backend.store.move_mark(read, due_at_ms=2000, grace_ms=None)
        assert backend.store.move_mark(read, due_at_ms=None, grace_ms=None) is False
        assert _loaded(backend).due_at_ms == 2000
        read = _loaded(backend)
        backend.store.commit(head_of(version=1), mark_ms=None)
        assert backend.store.move_mark(read, due_at_ms=None, grace_ms=None) is False
        assert _loaded(backend).due_at_ms == 2000

    def test_a_mark_set_since_is_not_overwritten(self, backend: StoreBackend) -> None:
        """Read without a mark, marked by a signal in the meantime: the move fails."""
        backend.store.create(head_of(due_at_ms=None))
        read = _loaded(backend)
        assert backend.store.move_mark(read, due_at_ms=2000, grace_ms=None)
        assert backend.store.move_mark(read, due_at_ms=9000, grace_ms=None) is False
        assert _loaded(backend).due_at_ms == 2000

    def test_a_mark_of_a_run_that_never_was_does_not_move(self, backend: StoreBackend) -> None:
        """Nothing is made."""
        assert backend.store.move_mark(head_of(), due_at_ms=1, grace_ms=None) is False
        assert backend.store.load("run-1") is None

    def test_a_definition_never_changes(self, backend: StoreBackend) -> None:
        """The first document of a version stays; other versions and names are others."""
        assert backend.store.load_definition("chain", "1") is None
        backend.store.put_definition("chain", "1", {"nodes": [1]})
        backend.store.put_definition("chain", "1", {"nodes": [2]})
        backend.store.put_definition("chain", "2", {"nodes": [3]})
        assert backend.store.load_definition("chain", "1") == {"nodes": [1]}
        assert backend.store.load_definition("chain", "2") == {"nodes": [3]}
        assert backend.store.load_definition("chai", "n1") is None

    def test_a_definition_too_large_is_refused(self, backend: StoreBackend) -> None:
        """Nothing is stored."""
        with pytest.raises(ItemTooLarge):
            backend.store.put_definition("chain", "1", {"text": incompressible(ITEM_BYTES_MAX + 1)})
        assert backend.store.load_definition("chain", "1") is None

    def test_a_table_that_answers_is_well(self, backend: StoreBackend) -> None:
        """Nothing is raised."""
        backend.store.check()


def _loaded(backend: StoreBackend) -> Head:
    head = backend.store.load("run-1")
    assert head is not None
    return head


def _unchanged(backend: StoreBackend, before: Head) -> bool:
    now = _loaded(backend)
    return replace(now, snapshot=before.snapshot) == before and now.snapshot.to_json() == before.snapshot.to_json()
