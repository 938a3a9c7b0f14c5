"""Each route: what it takes, what it gives, and what it says of bad input."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from dispatcher.handler import handle
from dispatcher.limits import REQUEST_BODY_BYTES_MAX
from engine import Status
from local.poller import FunctionContext
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import PUBLIC_URL, Answer, MotoLoop
from tests.dispatcher.virtual_time import DAY, MINUTE
from tests.dispatcher.wiretap import lose_the_answer, raising
from workflows import registry as content


@pytest.fixture
def loop(new_loop: NewLoop) -> MotoLoop:
    """A deployment with one run, ``run-1``, that waits."""
    loop = new_loop(examples.wait(timeout_ms=DAY))
    loop.start("wait")
    loop.deliver_all()
    return loop


def _is_problem(answer: Answer, status: int, *paths: str) -> None:
    """A problem document of that status, with these bad fields in order."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.body["type"] == "about:blank"
    assert answer.body["status"] == status
    assert answer.body["title"]
    assert answer.body["detail"]
    assert [fault["path"] for fault in answer.body.get("errors", [])] == list(paths)
    assert all(fault["message"] for fault in answer.body.get("errors", []))


class TestStart:
    """POST /workflows/{name}/runs."""

    def test_starts_a_run(self, loop: MotoLoop) -> None:
        """202, its id, its status, its links, and where it is."""
        answer = loop.http("POST", "/workflows/wait/runs", {"workflowId": "a", "input": {"n": 1}, "tags": {"t": "1"}})
        assert answer.status == 202
        assert answer.headers["location"] == "/runs/a"
        assert answer.body == {
            "workflowId": "a",
            "status": "active",
            "links": {"run": "/runs/a", "resume": "/runs/a/resume"},
        }
        assert loop.snapshot("a").tags == {"t": "1"}

    @pytest.mark.parametrize("body", [None, {}, {"input": None}])
    def test_takes_no_body_at_all(self, loop: MotoLoop, body: object) -> None:
        """A run of its own, with an id of its own."""
        first, second = (loop.http("POST", "/workflows/wait/runs", body) for _ in range(2))
        assert first.status == second.status == 202
        assert first.body["workflowId"] != second.body["workflowId"]

    def test_the_same_start_is_the_same_run(self, loop: MotoLoop) -> None:
        """200 the second time, whatever has become of the run; 409 for other input or another workflow."""
        body = {"workflowId": "a", "input": {"n": 1}}
        assert loop.http("POST", "/workflows/wait/runs", body).status == 202
        loop.settle()
        again = loop.http("POST", "/workflows/wait/runs", body)
        assert (again.status, again.body["status"]) == (200, "paused")
        _is_problem(loop.http("POST", "/workflows/wait/runs", {**body, "input": {"n": 2}}), 409)
        _is_problem(loop.http("POST", "/workflows/wait/runs", {"workflowId": "a"}), 409)
        assert loop.executed("a") == {"before": 1, "wait": 1}

    def test_a_start_whose_message_cannot_be_sent_is_accepted(self, loop: MotoLoop) -> None:
        """The run is there and its mark will see to it: 202, then 200 as ever, and it goes on by itself."""
        body = {"workflowId": "a", "input": 1}
        for status in (202, 200):
            loop.tap.on("SendMessage", "before", raising("ThrottlingException"))
            assert loop.http("POST", "/workflows/wait/runs", body).status == status
        assert loop.queued() == 0
        loop.minutes(8)
        assert loop.snapshot("a").status is Status.PAUSED
        assert loop.executed("a") == {"before": 1, "wait": 1}

    def test_the_order_of_keys_is_no_difference(self, loop: MotoLoop) -> None:
        """Input is compared as JSON, not as text."""
        one, other = b'{"workflowId":"a","input":{"x":1,"y":2}}', b'{"input":{"y":2,"x":1},"workflowId":"a"}'
        assert loop.http("POST", "/workflows/wait/runs", one).status == 202
        assert loop.http("POST", "/workflows/wait/runs", other).status == 200

    def test_an_idempotency_key_stands_for_an_id(self, loop: MotoLoop) -> None:
        """The same key and input: one run. Other input: 409. Another key: another run."""
        start = ("POST", "/workflows/wait/runs")
        first = loop.http(*start, {"input": 1}, {"Idempotency-Key": "k"})
        again = loop.http(*start, {"input": 1}, {"idempotency-key": "k"})
        other = loop.http(*start, {"input": 1}, {"idempotency-key": "l"})
        assert (first.status, again.status, other.status) == (202, 200, 202)
        assert first.body["workflowId"] == again.body["workflowId"] != other.body["workflowId"]
        _is_problem(loop.http(*start, {"input": 2}, {"idempotency-key": "k"}), 409)

    @pytest.mark.parametrize("key", ["", "k" * 256])
    def test_an_idempotency_key_has_a_length(self, loop: MotoLoop, key: str) -> None:
        """1 to 255 characters."""
        _is_problem(loop.http("POST", "/workflows/wait/runs", {}, {"idempotency-key": key}), 400)

    def test_all_wrong_fields_are_named_at_once(self, loop: MotoLoop) -> None:
        """Unknown ones too, each with its path."""
        body = {"workflowId": 7, "tags": {"a": 1, "b": "fine"}, "tenant": "no name", "inputs": {}}
        answer = loop.http("POST", "/workflows/wait/runs", body)
        _is_problem(answer, 400, "$.workflowId", "$.tags.a", "$.tenant", "$.inputs")
        unknown = answer.body["errors"][-1]["message"]
        assert unknown == "there is no such field; there are: input, workflowId, tags, tenant"

    def test_an_id_must_be_a_name(self, loop: MotoLoop) -> None:
        """Ids become parts of keys and paths; the tilde is a child's."""
        for workflow_id in ("", "a b", "a~b", "a/b", "ä", "-a", "r" * 129, "a#b", "a\n"):
            answer = loop.http("POST", "/workflows/wait/runs", {"workflowId": workflow_id})
            _is_problem(answer, 400, "$.workflowId")
            assert answer.body["errors"][0]["message"].startswith("must be 1 to 128 letters")

    def test_a_body_must_be_an_object(self, loop: MotoLoop) -> None:
        """Anything else names the whole body."""
        for body in (b"[]", b'"text"', b"7", b"true"):
            answer = loop.http("POST", "/workflows/wait/runs", body)
            _is_problem(answer, 400, "$")
            assert answer.body["errors"][0]["message"] == "must be a JSON object"

    def test_input_that_breaks_the_schema(self, new_loop: NewLoop) -> None:
        """422, every fault with its path into the input; nothing is written."""
        loop = new_loop(content)
        answer = loop.http("POST", "/workflows/content-approval/runs", {"input": {"title": "", "outages": -1}})
        assert answer.status == 422
        paths = {fault["path"] for fault in answer.body["errors"]}
        assert {"$.input.title", "$.input.outages"} <= paths
        assert any("text" in fault["message"] for fault in answer.body["errors"])
        nothing = loop.http("POST", "/workflows/content-approval/runs", {})
        assert [fault["path"] for fault in nothing.body["errors"]] == ["$.input"]
        assert nothing.body["errors"][0]["message"].startswith("no input was given; ")
        assert loop.items() == []

    def test_a_workflow_nobody_knows(self, loop: MotoLoop) -> None:
        """404, and the ones there are."""
        answer = loop.http("POST", "/workflows/weight/runs", {})
        _is_problem(answer, 404)
        assert "wait" in answer.body["detail"]

    def test_too_many_tags(self, loop: MotoLoop) -> None:
        """Fifty at most."""
        tags = {f"t{number}": "x" for number in range(51)}
        _is_problem(loop.http("POST", "/workflows/wait/runs", {"tags": tags}), 400, "$.tags")


class TestShow:
    """GET /runs/{id}."""

    def test_shows_the_run(self, loop: MotoLoop) -> None:
        """The wire format, the newest result of each node, and the link of its wait."""
        answer = loop.http("GET", "/runs/run-1")
        assert answer.status == 200
        assert answer.headers["etag"] == '"2"'
        assert answer.body["workflowId"] == "run-1"
        assert answer.body["status"] == "paused"
        assert answer.body["version"] == 2
        assert answer.body["output"] is None
        assert answer.body["visits"] == {"before": 1}
        assert answer.body["startedAt"] <= answer.body["lastStartedAt"]
        assert [result["output"] for result in answer.body["context"]["before"]] == [{"step": 1}]
        assert answer.body["wait"]["callbackUrl"].startswith(f"{PUBLIC_URL}/webhooks/")

    def test_an_unchanged_run_is_not_sent_again(self, loop: MotoLoop) -> None:
        """304 while the version is the one the caller has."""
        answer = loop.http("GET", "/runs/run-1", headers={"If-None-Match": '"2"'})
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, None, '"2"')
        assert loop.http("GET", "/runs/run-1", headers={"If-None-Match": '"1"'}).status == 200

    @pytest.mark.parametrize(
        ("known", "status"),
        [('"1", "2"', 304), ('W/"2"', 304), ("*", 304), ('"12"', 200), ("2", 200), ('"1","22"', 200), ("", 200)],
    )
    def test_versions_a_caller_may_have(self, loop: MotoLoop, known: str, status: int) -> None:
        """Any of a list, weak ones too; what is no ETag is none."""
        assert loop.http("GET", "/runs/run-1", headers={"If-None-Match": known}).status == status

    def test_a_hold_is_seen_by_who_has_the_version(self, loop: MotoLoop) -> None:
        """It is no transition, but it is shown: the ETag is another as long as it holds."""
        loop.ask("POST", "/runs/run-1/pause")
        held = loop.http("GET", "/runs/run-1", headers={"If-None-Match": '"2"'})
        assert held.status == 200
        assert held.headers["etag"] != '"2"'
        assert loop.http("GET", "/runs/run-1", headers={"If-None-Match": held.headers["etag"]}).status == 304
        loop.ask("POST", "/runs/run-1/resume")
        assert loop.http("GET", "/runs/run-1").headers["etag"] == '"2"'

    def test_the_newest_result_of_each_node(self, new_loop: NewLoop) -> None:
        """Not the attempts before it."""
        loop = new_loop(examples.retry(1000, failures=2))
        loop.start("retry")
        loop.settle()
        body = loop.http("GET", "/runs/run-1").body
        assert [result["attempt"] for result in body["context"]["flaky"]] == [3]
        assert body["output"] == {"after": 3}

    def test_a_run_nobody_knows(self, loop: MotoLoop) -> None:
        """404."""
        _is_problem(loop.http("GET", "/runs/nobody"), 404)
        _is_problem(loop.http("GET", f"/runs/run-1~{'a2' * 13}"), 404)


class TestIfMatch:
    """POST /runs/{id}/cancel and /retry, for the version that the caller has seen."""

    @pytest.mark.parametrize(
        ("seen", "status"),
        [
            ('"2"', 202),
            ('"1", "2"', 202),
            ("*", 202),
            ('"2-held-1"', 202),
            ('"1"', 412),
            ("2", 412),
            ('"x"', 412),
            ("", 412),
        ],
    )
    def test_a_run_is_cancelled_as_it_was_seen(self, loop: MotoLoop, seen: str, status: int) -> None:
        """412 if it has gone on, and nothing is written."""
        before = loop.items()
        answer = loop.http("POST", "/runs/run-1/cancel", headers={"If-Match": seen})
        assert answer.status == status
        assert (loop.items() == before) == (status == 412)

    def test_a_step_in_between_counts(self, loop: MotoLoop) -> None:
        """The run goes on while the call is made: it is not made again for a version nobody has seen."""
        loop.signal("go")
        rival = loop.new_process()
        messages = loop.receive()
        loop.tap.on(
            "TransactWriteItems", "before", lambda _call: loop.acknowledge(messages, loop.invoke(messages, rival))
        )
        assert loop.http("POST", "/runs/run-1/cancel", headers={"If-Match": '"2"'}).status == 412
        assert loop.snapshot().status is Status.ACTIVE

    def test_a_repeat_is_known_before_its_condition(self, loop: MotoLoop) -> None:
        """The version is the caller's own doing by now."""
        headers = {"If-Match": '"2"', "Idempotency-Key": "k"}
        for _ in range(2):
            assert loop.http("POST", "/runs/run-1/cancel", headers=headers).status == 202

    def test_a_retry_of_another_failure(self, new_loop: NewLoop) -> None:
        """Somebody else has retried it, and it has failed again."""
        loop = new_loop(examples.raising(examples.Unavailable("down")))
        loop.start("raising")
        loop.settle()
        seen = {"If-Match": loop.http("GET", "/runs/run-1").headers["etag"]}
        assert loop.http("POST", "/runs/run-1/retry", headers=seen).status == 202
        loop.settle()
        assert loop.snapshot().status is Status.FAILED
        assert loop.http("POST", "/runs/run-1/retry", headers=seen).status == 412


class TestSignals:
    """POST /runs/{id}/signals/{name} and /runs/{id}/resume."""

    @pytest.mark.parametrize("path", ["/runs/run-1/signals/go", "/runs/run-1/resume"])
    def test_a_payload_is_delivered(self, loop: MotoLoop, path: str) -> None:
        """202, and a link to the run."""
        answer = loop.http("POST", path, {"ok": True})
        assert answer.status == 202
        assert answer.body == {"accepted": True, "repeated": False, "links": {"run": "/runs/run-1"}}
        loop.settle()
        assert loop.snapshot().output == {"got": {"ok": True}}

    @pytest.mark.parametrize("path", ["/runs/nobody/signals/go", "/runs/nobody/resume"])
    def test_a_run_nobody_knows(self, loop: MotoLoop, path: str) -> None:
        """404, nothing written."""
        before = loop.items()
        _is_problem(loop.http("POST", path, {}), 404)
        assert loop.items() == before

    def test_without_a_key_each_call_is_a_signal_of_its_own(self, loop: MotoLoop) -> None:
        """Who may repeat must say so."""
        assert [loop.http("POST", "/runs/run-1/signals/x").body["repeated"] for _ in range(2)] == [False, False]


BODIES = {
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe\xfa",
    "NaN": b'{"input": NaN}',
    "infinity": b'{"input": [1, -Infinity]}',
    "a lone surrogate": b'{"input": {"a": "\\ud800"}}',
    "an integer without end": b'{"input": ' + b"9" * 5000 + b"}",
    "a large integer": b'{"input": ' + b"9" * 2000 + b"}",
    "nested without end": b'{"input": ' + b"[" * 100_000,
    "nested deeply": b'{"input": ' + b"[" * 200 + b"]" * 200 + b"}",
    "two documents": b"{}{}",
}
WRITES = [
    "/workflows/wait/runs",
    "/runs/run-1/signals/go",
    *(f"/runs/run-1/{call}" for call in ("resume", "pause", "cancel", "retry", "fork")),
    "/webhooks/{token}",
]


@pytest.mark.parametrize("path", WRITES)
def test_a_body_that_cannot_be_kept(loop: MotoLoop, path: str) -> None:
    """400 on every route that takes one; nothing is written and nothing sent."""
    path = path.format(token=loop.token())
    before = loop.items()
    for what, body in BODIES.items():
        answer = loop.http("POST", path, body)
        assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json"), what
    assert loop.items() == before
    assert loop.queued() == 0


def test_a_fault_in_a_body_has_its_path(loop: MotoLoop) -> None:
    """Down to the element."""
    answer = loop.http("POST", "/workflows/wait/runs", b'{"input": {"a": [1, NaN]}}')
    _is_problem(answer, 400, "$.input.a[1]")


IDS = ["a%2Fb", "a%20b", "%7E", "a~b", "%2e%2e", "%00", "r" * 200, "%F0%9D%84%9E", "ä", "%ff", "a%0A", "-a", "%"]


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "/runs/{}", "path.id"),
        ("DELETE", "/runs/{}", "path.id"),
        ("GET", "/runs/{}/history", "path.id"),
        *[("POST", f"/runs/{{}}/{call}", "path.id") for call in ("resume", "pause", "cancel", "retry", "fork")],
        ("POST", "/runs/{}/signals/go", "path.id"),
        ("POST", "/runs/run-1/signals/{}", "path.signal"),
        ("POST", "/workflows/{}/runs", "path.name"),
    ],
)
def test_every_id_in_a_path_is_checked_before_use(loop: MotoLoop, method: str, path: str, named: str) -> None:
    """400 with the part that is wrong; no call of AWS is made."""
    loop.tap.clear()
    for bad in IDS:
        _is_problem(loop.http(method, path.format(bad), {}), 400, named)
    assert loop.tap.calls == []


NOWHERE = [
    "/",
    "/run",
    "/runs//",
    "/runs//resume",
    "/runs/run-1/nothing",
    "/v1/health",
    "//",
    "/health/x",
]


def test_where_there_is_nothing(loop: MotoLoop) -> None:
    """404, whatever the method."""
    for path in NOWHERE:
        for method in ("GET", "POST", "DELETE"):
            _is_problem(loop.http(method, path), 404)


NOT_TAKEN = [
    ("GET", "/workflows/wait/runs", "POST, OPTIONS"),
    ("POST", "/runs", "GET, HEAD, OPTIONS"),
    ("DELETE", "/runs/", "GET, HEAD, OPTIONS"),
    ("PUT", "/runs/run-1", "GET, HEAD, DELETE, OPTIONS"),
    ("POST", "/runs/run-1", "GET, HEAD, DELETE, OPTIONS"),
    ("POST", "/runs/run-1/history", "GET, HEAD, OPTIONS"),
    ("GET", "/runs/run-1/pause", "POST, OPTIONS"),
    ("GET", "/runs/run-1/cancel", "POST, OPTIONS"),
    ("DELETE", "/runs/run-1/retry", "POST, OPTIONS"),
    ("PUT", "/runs/run-1/fork", "POST, OPTIONS"),
    ("GET", "/runs/run-1/resume", "POST, OPTIONS"),
    ("PUT", "/runs/run-1/signals/go", "POST, OPTIONS"),
    ("PATCH", "/webhooks/a.b", "POST, GET, HEAD, OPTIONS"),
    ("DELETE", "/workflows/wait", "GET, HEAD, PUT, OPTIONS"),
    ("POST", "/workflows", "GET, HEAD, OPTIONS"),
    ("POST", "/health", "GET, HEAD, OPTIONS"),
    ("get", "/health", "GET, HEAD, OPTIONS"),
    ("", "/health", "GET, HEAD, OPTIONS"),
]


def test_a_method_that_is_not_taken(loop: MotoLoop) -> None:
    """405, and the ones that are."""
    for method, path, allow in NOT_TAKEN:
        answer = loop.http(method, path)
        _is_problem(answer, 405)
        assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    "path", ["/health", "/runs", "/runs/run-1", "/runs/run-1/history", "/workflows", "/node-types"]
)
def test_head_is_get_without_the_body(loop: MotoLoop, path: str) -> None:
    """Status and headers are the same."""
    head, get = (loop.http(method, path) for method in ("HEAD", "GET"))
    assert (head.status, head.headers, head.body) == (get.status, get.headers, None)


def test_head_of_what_is_not_there(loop: MotoLoop) -> None:
    """The status alone tells."""
    answer = loop.http("HEAD", "/runs/nobody")
    assert (answer.status, answer.body) == (404, None)


def test_options_tells_what_a_path_takes(loop: MotoLoop) -> None:
    """204 and its methods; nothing is asked of AWS."""
    loop.tap.clear()
    answer = loop.http("OPTIONS", "/workflows/wait")
    assert (answer.status, answer.body) == (204, None)
    assert answer.headers == {"allow": "GET, HEAD, PUT, OPTIONS"}
    assert loop.tap.calls == []
    _is_problem(loop.http("OPTIONS", "/nowhere"), 404)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "image/png", ""])
def test_a_body_is_json_whatever_it_is_called(loop: MotoLoop, content_type: str) -> None:
    """A form is what curl calls all that it sends unless it is told otherwise: the content decides."""
    answer = loop.http("POST", "/workflows/wait/runs", b'{"input": 1}', {"content-type": content_type})
    assert answer.status == 202


def test_a_body_has_a_size(loop: MotoLoop) -> None:
    """413, and what the most is; nothing is written."""
    before = loop.items()
    body = b'{"input": "' + b"x" * REQUEST_BODY_BYTES_MAX + b'"}'
    for method, path in (
        ("POST", "/workflows/wait/runs"),
        ("POST", "/runs/run-1/signals/go"),
        ("PUT", "/workflows/wait-too"),
    ):
        answer = loop.http(method, path, body)
        _is_problem(answer, 413)
        assert str(REQUEST_BODY_BYTES_MAX) in answer.body["detail"]
    assert loop.items() == before


class TestBase64:
    """API Gateway encodes what it takes for binary."""

    def _post(self, loop: MotoLoop, body: object) -> Answer:
        event = {
            "version": "2.0",
            "rawPath": "/workflows/wait/runs",
            "requestContext": {"http": {"method": "POST"}},
            "body": body,
            "isBase64Encoded": True,
        }
        answer: Any = handle(loop.app, event, FunctionContext())
        return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]))

    def test_is_decoded(self, loop: MotoLoop) -> None:
        """It is the same body."""
        body = base64.b64encode('{"workflowId": "a", "input": "ü"}'.encode()).decode()
        assert self._post(loop, body).status == 202
        assert loop.snapshot("a").input == "ü"

    def test_what_is_none_is_refused(self, loop: MotoLoop) -> None:
        """400 says so."""
        for body in ("!!!", "YQ", "ä", 7, ["a"]):
            _is_problem(self._post(loop, body), 400)


class TestHealth:
    """GET /health."""

    def test_all_is_well(self, loop: MotoLoop) -> None:
        """Table, queue, and no run overdue."""
        answer = loop.http("GET", "/health")
        assert answer.status == 200
        assert answer.body == {"status": "ok", "table": "ok", "queue": "ok", "overdueRuns": 0}

    def test_an_overdue_run_degrades(self, loop: MotoLoop) -> None:
        """Its mark has passed and nobody has looked: 200, for the API itself is well."""
        loop.start("wait", run="late")
        loop.purge()
        loop.time.pass_by(3 * MINUTE)
        answer = loop.http("GET", "/health")
        assert (answer.status, answer.body["status"], answer.body["overdueRuns"]) == (200, "degraded", 1)

    @pytest.mark.parametrize(
        ("operation", "part", "other"), [("GetItem", "table", "queue"), ("GetQueueAttributes", "queue", "table")]
    )
    def test_what_does_not_answer_is_named(self, loop: MotoLoop, operation: str, part: str, other: str) -> None:
        """503, so that whoever watches sees it; the reason is in the log, not in the answer."""
        for fault in (lose_the_answer, raising("AccessDeniedException")):
            loop.tap.on(operation, "before", fault)
            answer = loop.http("GET", "/health")
            assert answer.status == 503
            assert answer.body["status"] == "degraded"
            assert (answer.body[part], answer.body[other]) == ("unreachable", "ok")
            assert "Denied" not in str(answer.body)


OUR_SIDE = {
    500: "Something went wrong on our side; the log has the cause.",
    503: "AWS did not answer in time; send the request again, with the same Idempotency-Key if it had one.",
}


@pytest.mark.parametrize(
    ("fault", "status", "cause"),
    [
        (lose_the_answer, 503, "dynamodb.test"),
        (raising("ThrottlingException"), 503, "ThrottlingException"),
        (raising("AccessDenied"), 500, "AccessDenied"),
    ],
)
def test_trouble_of_ours_is_a_5xx_that_says_nothing_of_us(
    loop: MotoLoop, fault: Any, status: int, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    """503 where trying again may help, 500 where it will not: a fixed text, when to come back, the cause in the log."""
    loop.tap.on("GetItem", "before", fault)
    answer = loop.http("GET", "/runs/run-1")
    _is_problem(answer, status)
    assert answer.body["detail"] == OUR_SIDE[status]
    assert int(answer.headers["retry-after"]) > 0
    assert cause not in str(answer)
    assert cause in caplog.text
    assert loop.snapshot().status is Status.PAUSED
