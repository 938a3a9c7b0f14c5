"""GET /runs and GET /runs/{id}/history, and who is told to have done what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.handler import handle
from dispatcher.limits import HISTORY_PAGE_ENTRIES_MAX, LIST_LIMIT_MAX
from local.poller import FunctionContext
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import Answer, MotoLoop
from tests.dispatcher.virtual_time import HOUR, MINUTE
from tests.dispatcher.wiretap import lose_the_answer


@pytest.fixture
def loop(new_loop: NewLoop) -> MotoLoop:
    """A minute between them: two runs that have ended, one that waits, one that has not begun, oldest first."""
    registry = examples.wait()
    examples.add(registry, "short", [{"id": "only", "type": "core:set", "data": 1}], [])
    loop = new_loop(registry)
    for workflow, run, tags in (
        ("short", "short-1", {"team": "a"}),
        ("short", "short-2", {"team": "b", "urgent": ""}),
        ("wait", "wait-1", None),
        ("wait", "wait-2", {"team": "a"}),
    ):
        loop.ask("POST", f"/workflows/{workflow}/runs", {"workflowId": run, "tags": tags, "tenant": "acme"})
        if run != "wait-2":
            loop.settle()
        loop.time.pass_by(MINUTE)
    return loop


def _list(loop: MotoLoop, query: str = "") -> list[str]:
    answer = loop.http("GET", f"/runs?{query}")
    assert answer.status == 200, answer.body
    return [run["workflowId"] for run in answer.body["runs"]]


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, tz=UTC).isoformat().replace("+", "%2B")


class TestRuns:
    """GET /runs."""

    def test_tells_all_newest_first(self, loop: MotoLoop) -> None:
        """With what a list needs, and no more: neither input nor results."""
        answer = loop.http("GET", "/runs")
        assert answer.body["cursor"] is None
        assert [run["workflowId"] for run in answer.body["runs"]] == ["wait-2", "wait-1", "short-2", "short-1"]
        began = loop.time.now_ms - 4 * MINUTE
        assert answer.body["runs"][3] == {
            "workflowId": "short-1",
            "workflow": "short",
            "status": "completed",
            "currentNodeId": None,
            "version": 1,
            "startedAt": began,
            "lastStartedAt": began,
            "tags": {"team": "a"},
            "tenant": "acme",
        }

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("workflow=wait", ["wait-2", "wait-1"]),
            ("workflow=nothing", []),
            ("status=completed", ["short-2", "short-1"]),
            ("status=paused&workflow=wait", ["wait-1"]),
            ("status=paused&workflow=short", []),
            ("tag=team", ["wait-2", "short-2", "short-1"]),
            ("tag=team=a", ["wait-2", "short-1"]),
            ("tag=team%3Da&workflow=short", ["short-1"]),
            ("tag=urgent", ["short-2"]),
            ("tag=urgent&limit=1", ["short-2"]),
            ("tag=nothing", []),
            ("status=&workflow=&limit=", ["wait-2", "wait-1", "short-2", "short-1"]),
            ("limit=3", ["wait-2", "wait-1", "short-2"]),
        ],
    )
    def test_by_what_is_asked_for(self, loop: MotoLoop, query: str, expected: list[str]) -> None:
        """Each alone and together; what is empty is not asked for."""
        assert _list(loop, query) == expected

    def test_by_time(self, loop: MotoLoop) -> None:
        """From a time on and before another, as milliseconds or as ISO 8601, with an offset or in UTC."""
        began = loop.time.now_ms - 4 * MINUTE
        since, until = began + MINUTE, began + 3 * MINUTE
        expected = ["wait-1", "short-2"]
        assert _list(loop, f"since={since}&until={until}") == expected
        assert _list(loop, f"since={_iso(since)}&until={_iso(until)}") == expected
        assert _list(loop, "since=2026-03-02T09:01&until=2026-03-02T10:03%2B01:00") == expected
        assert _list(loop, f"since={until}&until={since}") == []
        assert _list(loop, f"since={loop.time.now_ms}") == []

    @pytest.mark.parametrize("year", [1, 1969, 2286, 2500, 9999])
    def test_a_time_far_away_is_a_time(self, loop: MotoLoop, year: int) -> None:
        """All runs lie on one side of it."""
        everything, nothing = ["wait-2", "wait-1", "short-2", "short-1"], list[str]()
        past = year < 2026
        assert _list(loop, f"since={year:04d}-12-31") == (everything if past else nothing)
        assert _list(loop, f"until={year:04d}-12-31") == (nothing if past else everything)

    @pytest.mark.parametrize(
        "query", ["", "workflow=short", "status=completed", "status=completed&workflow=short", "tag=team=a"]
    )
    def test_in_pages(self, loop: MotoLoop, query: str) -> None:
        """Each run once; the last page has no cursor, or an empty one behind it."""
        expected = _list(loop, query)
        told: list[str] = []
        cursor: str | None = ""
        for _ in range(10):
            body = loop.http("GET", f"/runs?{query}&limit=1&cursor={cursor}").body
            assert len(body["runs"]) <= 1
            told += [run["workflowId"] for run in body["runs"]]
            cursor = body["cursor"]
            if cursor is None:
                break
        assert cursor is None
        assert told == expected

    def test_the_status_is_the_one_it_has_by_now(self, loop: MotoLoop) -> None:
        """A run that went on is in the other listing."""
        loop.signal("go", 1, run="wait-1")
        loop.settle()
        assert _list(loop, "status=completed") == ["wait-1", "short-2", "short-1"]
        assert _list(loop, "status=paused") == ["wait-2"]

    @pytest.mark.parametrize(
        ("query", "paths"),
        [
            ("status=done", ["query.status"]),
            ("status=COMPLETED", ["query.status"]),
            ("limit=0", ["query.limit"]),
            ("limit=-1", ["query.limit"]),
            ("limit=1.5", ["query.limit"]),
            ("limit=%C2%B2", ["query.limit"]),
            (f"limit={'9' * 5000}", ["query.limit"]),
            ("since=yesterday", ["query.since"]),
            ("until=2026-13-01", ["query.until"]),
            ("wrokflow=short&limit=1", ["query.wrokflow"]),
            ("status=x&since=y&until=z&limit=w", ["query.status", "query.since", "query.until", "query.limit"]),
        ],
    )
    def test_a_query_that_cannot_be_read(self, loop: MotoLoop, query: str, paths: list[str]) -> None:
        """400 with every fault at once; no call of AWS is made."""
        loop.tap.clear()
        answer = loop.http("GET", f"/runs?{query}")
        assert answer.status == 400
        assert sorted(fault["path"] for fault in answer.body["errors"]) == sorted(paths)
        assert loop.tap.calls == []

    @pytest.mark.parametrize("cursor", ["x", "!!", "IyM", "YSNiI2M", "x" * 3000])
    def test_a_cursor_that_nobody_has_given(self, loop: MotoLoop, cursor: str) -> None:
        """400."""
        answer = loop.http("GET", f"/runs?cursor={cursor}")
        assert (answer.status, answer.body["title"]) == (400, "Bad request")
        assert "cursor" in answer.body["detail"]

    def test_a_page_has_an_end(self, loop: MotoLoop) -> None:
        """However many are asked for, no page is longer than the limit."""
        loop.tap.clear()
        assert len(_list(loop, "limit=100000&workflow=short")) == 2
        queries = [call for call in loop.tap.calls if call.operation == "Query"]
        assert queries
        assert max(call.parameters["Limit"] for call in queries) <= LIST_LIMIT_MAX + 2

    def test_an_index_that_does_not_answer(self, loop: MotoLoop) -> None:
        """503."""
        loop.tap.on("Query", "before", lose_the_answer)
        assert loop.http("GET", "/runs").status == 503


def _by(loop: MotoLoop, method: str, path: str, authorizer: object, body: object = None) -> Answer:
    """A request of somebody whom an authorizer knows."""
    event = {
        "version": "2.0",
        "rawPath": path,
        "requestContext": {"http": {"method": method, "path": path}, "authorizer": authorizer},
        "body": json.dumps(body),
    }
    answer: Any = handle(loop.app, event, FunctionContext())
    return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]))


def _history(loop: MotoLoop, run: str, query: str = "") -> Mapping[str, Any]:
    answer = loop.http("GET", f"/runs/{run}/history?{query}")
    assert answer.status == 200, answer.body
    body: Mapping[str, Any] = answer.body
    return body


class TestHistory:
    """GET /runs/{id}/history."""

    def test_tells_each_transition_in_order(self, new_loop: NewLoop) -> None:
        """What it was, where, when, how long, what came of it, and why a wait ended."""
        loop = new_loop(examples.wait())
        loop.start("wait")
        began = loop.time.now_ms
        loop.settle()
        loop.time.pass_by(HOUR)
        loop.signal("go", {"n": 1})
        loop.settle()
        body = _history(loop, "run-1")
        assert (body["workflowId"], body["version"], body["after"]) == ("run-1", 4, None)
        common = {"status": "active", "durationMs": 0}
        assert body["entries"] == [
            {**common, "version": 1, "at": began, "kind": "succeeded", "nodeId": "before", "attempt": 1,
             "output": {"step": 1}},
            {**common, "version": 2, "at": began, "kind": "paused", "nodeId": "wait", "status": "paused"},
            {**common, "version": 3, "at": loop.time.now_ms, "kind": "succeeded", "nodeId": "wait", "attempt": 1,
             "output": {"n": 1}, "resumedBy": "signal", "signal": "go"},
            {**common, "version": 4, "at": loop.time.now_ms, "kind": "succeeded", "nodeId": "after", "attempt": 1,
             "output": {"got": {"n": 1}}, "status": "completed"},
        ]  # fmt: skip

    def test_tells_each_failed_attempt(self, new_loop: NewLoop) -> None:
        """With its error and type; an attempt that will be tried again is told from the last one."""
        loop = new_loop(examples.retry(0, failures=9, attempts=2))
        loop.start("retry")
        loop.settle()
        entries = _history(loop, "run-1")["entries"]
        assert [(entry["kind"], entry["attempt"], entry["errorType"]) for entry in entries] == [
            ("rescheduled", 1, "Unavailable"),
            ("failed", 2, "Unavailable"),
        ]
        assert entries[0]["error"] == "Unavailable: attempt 1"
        assert "output" not in entries[0]

    def test_a_run_that_has_not_begun(self, loop: MotoLoop) -> None:
        """Nothing yet; a hold of it is told all the same."""
        assert _history(loop, "wait-2") == {"workflowId": "wait-2", "version": 0, "entries": [], "after": None}
        loop.http("POST", "/runs/wait-2/pause", {"reason": "not yet"})
        (entry,) = _history(loop, "wait-2")["entries"]
        assert (entry["version"], entry["kind"], entry["reason"]) == (0, "hold", "not yet")

    def test_in_pages(self, loop: MotoLoop) -> None:
        """Each entry and each call once, whatever the page's length; behind the end there is nothing."""
        loop.http("POST", "/runs/wait-1/pause", {"reason": "a"})
        loop.time.pass_by(1)
        loop.http("POST", "/runs/wait-1/resume", {"reason": "b"})
        loop.signal("go", 1, run="wait-1")
        loop.settle()
        everything = _history(loop, "wait-1")["entries"]
        kinds = [entry["kind"] for entry in everything]
        assert kinds == ["succeeded", "paused", "hold", "release", "succeeded", "succeeded"]
        for limit in (1, 2, 3):
            told: list[Any] = []
            after: int | None = 0
            while after is not None:
                body = _history(loop, "wait-1", f"after={after}&limit={limit}")
                told += body["entries"]
                after = body["after"]
            assert told == everything
        assert _history(loop, "wait-1", "after=99")["entries"] == []
        assert _history(loop, "wait-1", f"limit={HISTORY_PAGE_ENTRIES_MAX + 1}")["entries"] == everything

    @pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", f"after={'9' * 20}", "limit=1e3"])
    def test_a_query_that_cannot_be_read(self, loop: MotoLoop, query: str) -> None:
        """400 with the field; nothing is read."""
        loop.tap.clear()
        answer = loop.http("GET", f"/runs/wait-1/history?{query}")
        assert answer.status == 400
        assert [fault["path"] for fault in answer.body["errors"]] == [f"query.{query.partition('=')[0]}"]
        assert loop.tap.calls == []

    def test_a_run_nobody_knows(self, loop: MotoLoop) -> None:
        """404."""
        assert loop.http("GET", "/runs/nobody/history").status == 404


ACTORS = {
    "arn:aws:iam::1:user/mara": {"iam": {"userArn": "arn:aws:iam::1:user/mara", "accountId": "1"}},
    "user-7": {"jwt": {"claims": {"sub": "user-7", "email": "m@example.com"}, "scopes": None}},
    "anonymous": None,
}


@pytest.mark.parametrize("actor", ACTORS)
def test_who_calls_is_told_by_the_authorizer(loop: MotoLoop, actor: str) -> None:
    """An IAM caller by its ARN, a JWT's by its subject, nobody else by anything they say themselves."""
    authorizer = ACTORS[actor]
    assert _by(loop, "POST", "/runs/wait-1/pause", authorizer, {"reason": "why"}).status == 202
    loop.time.pass_by(1)
    assert _by(loop, "POST", "/runs/wait-1/resume", authorizer).status == 202
    loop.time.pass_by(1)
    assert _by(loop, "POST", "/runs/wait-1/cancel", authorizer, {"reason": "enough"}).status == 202
    told = [
        (entry["kind"], entry["actor"], entry.get("reason"))
        for entry in _history(loop, "wait-1")["entries"]
        if "actor" in entry
    ]
    assert told == [("hold", actor, "why"), ("release", actor, None), ("cancelled", actor, "enough")]


@pytest.mark.parametrize("authorizer", ["text", {"iam": 7, "jwt": []}, {"jwt": {"claims": {"sub": 7}}}, {"iam": {}}])
def test_an_authorizer_of_no_known_shape_tells_nobody(loop: MotoLoop, authorizer: object) -> None:
    """The call is answered all the same."""
    assert _by(loop, "POST", "/runs/wait-1/pause", authorizer).status == 202
    assert loop.http("GET", "/runs/wait-1").body["held"]["actor"] == "anonymous"


@pytest.mark.parametrize("call", ["pause", "cancel", "retry", "fork"])
def test_a_reason_has_a_length(loop: MotoLoop, call: str) -> None:
    """500 characters; 400 names the field, and nothing is written."""
    before = loop.items()
    answer = loop.http("POST", f"/runs/wait-1/{call}", {"reason": "x" * 501})
    assert (answer.status, [fault["path"] for fault in answer.body["errors"]]) == (400, ["$.reason"])
    assert loop.items() == before
