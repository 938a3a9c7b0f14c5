"""The contract of RunStore, on every backend: runs by workflow and by status, newest first."""

from __future__ import annotations

import base64

import pytest

from dispatcher.errors import InvalidCursor
from dispatcher.ports import RunQuery, RunStore
from engine import Status
from engine.definition_ref import DefinitionRef
from tests.dispatcher.contract.backends import StoreBackend, head_of

WORKFLOWS = ("chain", "chains", "wait")
STATUSES = (Status.ACTIVE, Status.PAUSED, Status.COMPLETED)
START_MS = 1_772_442_000_000
COUNT = 18


def _fill(store: RunStore) -> list[tuple[str, str, Status]]:
    """Runs of some workflows in some statuses, newest first; pairs of them started in the same millisecond."""
    runs = []
    for number in range(COUNT):
        run, workflow = f"run-{number:03d}", WORKFLOWS[number % 3]
        status = STATUSES[number // 3 % 3]
        at = START_MS + number // 2
        store.create(head_of(run, status=status, definition=DefinitionRef(workflow, "1"), started_at_ms=at))
        runs.append((at, workflow, run, status))
    runs.sort(reverse=True)
    return [(run, workflow, status) for _, workflow, run, status in runs]


def _pages(store: RunStore, query: RunQuery) -> list[list[str]]:
    """All pages of a listing."""
    pages = []
    for _ in range(COUNT + 2):
        page = store.find(query)
        pages.append(list(page.workflow_ids))
        if page.cursor is None:
            return pages
        query = RunQuery(query.workflow, query.status, query.since_ms, query.until_ms, query.limit, page.cursor)
    raise AssertionError("pages without end")


class TestFind:
    """find."""

    @pytest.mark.parametrize("status", [None, Status.PAUSED, Status.FAILED])
    @pytest.mark.parametrize("workflow", [None, "chain", "nothing"])
    @pytest.mark.parametrize("limit", [4, 200])
    def test_every_run_is_told_once_newest_first(
        self, backend: StoreBackend, workflow: str | None, status: Status | None, limit: int
    ) -> None:
        """By workflow, by status, by both, by neither; however long a page is, and none is longer."""
        runs = _fill(backend.store)
        expected = [run for run, its, now in runs if workflow in {None, its} and status in {None, now}]
        pages = _pages(backend.store, RunQuery(workflow, status, limit=limit))
        assert [run for page in pages for run in page] == expected
        assert max(map(len, pages)) <= limit

    @pytest.mark.parametrize("query", [RunQuery(), RunQuery("chain"), RunQuery(status=Status.ACTIVE)])
    def test_from_and_until(self, backend: StoreBackend, query: RunQuery) -> None:
        """From that time on, and before that time; paging keeps to both."""
        _fill(backend.store)
        everything = _pages(backend.store, RunQuery(query.workflow, query.status))[0]
        since, until = START_MS + 2, START_MS + 7
        within = [run for run in everything if since <= START_MS + int(run[-3:]) // 2 < until]
        assert within
        pages = _pages(backend.store, RunQuery(query.workflow, query.status, since, until, 2))
        assert [run for page in pages for run in page] == within

    @pytest.mark.parametrize("query", [RunQuery(), RunQuery("chain"), RunQuery(status=Status.ACTIVE)])
    def test_an_empty_time_has_no_runs(self, backend: StoreBackend, query: RunQuery) -> None:
        """From a time on that is not before the other: an empty page, and no error."""
        _fill(backend.store)
        for since, until in ((START_MS + 7, START_MS + 3), (START_MS + 3, START_MS + 3)):
            page = backend.store.find(RunQuery(query.workflow, query.status, since, until))
            assert (list(page.workflow_ids), page.cursor) == ([], None)

    def test_a_table_without_runs(self, backend: StoreBackend) -> None:
        """An empty page."""
        for query in (RunQuery(), RunQuery("chain"), RunQuery(status=Status.ACTIVE), RunQuery("chain", Status.ACTIVE)):
            page = backend.store.find(query)
            assert (list(page.workflow_ids), page.cursor) == ([], None)

    def test_a_run_moves_when_its_status_changes(self, backend: StoreBackend) -> None:
        """Out of one listing, into another, and stays at its place in those that do not ask."""
        runs = ["run-3", "run-2", "run-1"]
        for run in runs:
            backend.store.create(head_of(run, started_at_ms=START_MS + int(run[-1])))
        head = head_of("run-2", version=1, status=Status.PAUSED, started_at_ms=START_MS + 2)
        assert backend.store.commit(head, mark_ms=None) is not None
        find = backend.store.find
        assert find(RunQuery(status=Status.ACTIVE)).workflow_ids == ["run-3", "run-1"]
        assert find(RunQuery(status=Status.PAUSED)).workflow_ids == ["run-2"]
        assert find(RunQuery("chain")).workflow_ids == runs
        assert find(RunQuery()).workflow_ids == runs
        loaded = backend.store.load("run-2")
        assert loaded is not None
        assert backend.store.remove_head(loaded)
        assert find(RunQuery()).workflow_ids == ["run-3", "run-1"]

    def test_a_page_goes_on_behind_runs_that_have_come_since(self, backend: StoreBackend) -> None:
        """A cursor is a place, not a number: what is newer is not told, nothing is told twice."""
        _fill(backend.store)
        first = backend.store.find(RunQuery(limit=5))
        backend.store.create(head_of("newest", started_at_ms=START_MS + 10_000))
        second = backend.store.find(RunQuery(limit=COUNT, cursor=first.cursor))
        assert len({*first.workflow_ids, *second.workflow_ids}) == len(first.workflow_ids) + len(second.workflow_ids)
        assert "newest" not in second.workflow_ids
        assert second.cursor is None

    @pytest.mark.parametrize(
        "cursor",
        [
            "!",
            "a",
            "",
            "AAAA",
            "ü",
            "x" * 5000,
            *(base64.urlsafe_b64encode(p).decode() for p in (b"##", b"a#b", b"\xff")),
        ],
    )
    def test_a_cursor_of_no_listing_is_refused(self, backend: StoreBackend, cursor: str) -> None:
        """InvalidCursor, never an error of the table's or somebody else's page."""
        backend.store.create(head_of())
        with pytest.raises(InvalidCursor):
            backend.store.find(RunQuery(cursor=cursor))
