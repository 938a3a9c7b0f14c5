"""The contract of RunStore, on every backend: what is noted of a step before it is executed."""

from __future__ import annotations

from dispatcher.head import Head
from tests.dispatcher.contract.backends import StoreBackend, head_of


def _loaded(backend: StoreBackend) -> Head:
    head = backend.store.load("run-1")
    assert head is not None
    return head


class TestTries:
    """count_try."""

    def test_each_try_is_counted(self, backend: StoreBackend) -> None:
        """One each time, for everybody who looks; version and mark stay as they are."""
        backend.store.create(head_of())
        for tries in (1, 2, 3):
            assert backend.store.count_try(head_of()) is True
            assert _loaded(backend).tries == tries
        assert (_loaded(backend).version, _loaded(backend).due_at_ms) == (0, 1000)

    def test_a_try_that_was_none_is_taken_back(self, backend: StoreBackend) -> None:
        """The process is alive and says that its infrastructure failed: that was no crash."""
        backend.store.create(head_of())
        for by, tries in ((1, 1), (1, 2), (-1, 1), (-1, 0), (1, 1)):
            assert backend.store.count_try(head_of(), by=by) is True
            assert _loaded(backend).tries == tries

    def test_a_try_of_another_version_is_not_counted(self, backend: StoreBackend) -> None:
        """The run has moved on, or has never been: the delivery is stale."""
        assert backend.store.count_try(head_of()) is False
        assert backend.store.load("run-1") is None
        backend.store.create(head_of())
        backend.store.commit(head_of(version=1), mark_ms=None)
        assert backend.store.count_try(head_of()) is False
        assert backend.store.count_try(head_of(version=2)) is False
        assert _loaded(backend).tries == 0

    def test_a_commit_clears_the_count(self, backend: StoreBackend) -> None:
        """It is of one version alone; the head that the commit returns knows it too."""
        backend.store.create(head_of())
        backend.store.count_try(head_of())
        committed = backend.store.commit(head_of(version=1, tries=1), mark_ms=None)
        assert committed is not None
        assert (committed.tries, _loaded(backend).tries) == (0, 0)
        assert backend.store.count_try(head_of(version=1)) is True
        assert _loaded(backend).tries == 1


class TestClaim:
    """claim."""

    def test_the_first_claim_wins(self, backend: StoreBackend) -> None:
        """The second loses, and changes nothing: neither holder nor time."""
        backend.store.create(head_of())
        assert backend.store.claim(head_of(), until_ms=5000, claim_id="first") is True
        assert _loaded(backend).claim_until_ms == 5000
        assert backend.store.claim(head_of(), until_ms=9000, claim_id="second") is False
        assert _loaded(backend).claim_until_ms == 5000

    def test_one_s_own_claim_counts_as_done(self, backend: StoreBackend) -> None:
        """The SDK repeats a write whose answer was lost; by the claim's id it is known again."""
        backend.store.create(head_of())
        assert backend.store.claim(head_of(), until_ms=5000, claim_id="mine") is True
        assert backend.store.claim(head_of(), until_ms=5000, claim_id="mine") is True
        assert _loaded(backend).claim_until_ms == 5000

    def test_a_claim_has_no_end_of_its_own(self, backend: StoreBackend) -> None:
        """Its time tells others when the holder must be gone; who comes then finds it, and does not get it."""
        backend.store.create(head_of())
        backend.store.claim(head_of(), until_ms=1, claim_id="first")
        assert backend.store.claim(head_of(), until_ms=10**13, claim_id="second") is False

    def test_a_claim_is_of_one_version(self, backend: StoreBackend) -> None:
        """A stale or an early one loses; a commit clears it, and the next version can be claimed."""
        assert backend.store.claim(head_of(), until_ms=5000, claim_id="none") is False
        backend.store.create(head_of())
        assert backend.store.claim(head_of(version=1), until_ms=5000, claim_id="early") is False
        backend.store.claim(head_of(), until_ms=5000, claim_id="first")
        committed = backend.store.commit(head_of(version=1, claim_until_ms=5000), mark_ms=None)
        assert committed is not None
        assert (committed.claim_until_ms, _loaded(backend).claim_until_ms) == (None, None)
        assert backend.store.claim(head_of(), until_ms=5000, claim_id="first") is False
        assert backend.store.claim(head_of(version=1), until_ms=7000, claim_id="second") is True
        assert _loaded(backend).claim_until_ms == 7000

    def test_marks_tries_and_claims_leave_each_other_alone(self, backend: StoreBackend) -> None:
        """Each is a change of its own to the same item."""
        backend.store.create(head_of())
        backend.store.claim(head_of(), until_ms=5000, claim_id="first")
        backend.store.count_try(head_of())
        assert backend.store.move_mark(_loaded(backend), due_at_ms=2000, grace_ms=60)
        head = _loaded(backend)
        assert (head.claim_until_ms, head.tries, head.due_at_ms, head.grace_ms) == (5000, 1, 2000, 60)
