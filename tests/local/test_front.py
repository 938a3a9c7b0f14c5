"""The front's events are API Gateway's; the poller does with a batch what Lambda does."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from moto import mock_aws

from local.front import BODY_BYTES_MAX, Front, HttpHandler, http_event, rest_event
from local.poller import FunctionContext, Poller, failed_ids
from local.provision import RECEIVES_MAX, provision
from tests.dispatcher.moto_loop import MotoClients
from tests.dispatcher.virtual_time import SECOND, virtual_time

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _event(target: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> dict[str, Any]:
    return http_event("POST", target, headers or {}, body, request_id="r-1", now=NOW)


def test_an_event_has_the_parts_of_payload_format_2() -> None:
    """Path as it was sent, headers in lower case, the query twice, the time in two forms."""
    event = _event("/runs/a%2Fb?tag=x&tag=y&empty=", {"Host": "api.test", "User-Agent": "test"}, b"{}")
    assert event["version"] == "2.0"
    assert event["rawPath"] == "/runs/a%2Fb"
    assert event["rawQueryString"] == "tag=x&tag=y&empty="
    assert event["queryStringParameters"] == {"tag": "x,y", "empty": ""}
    assert event["headers"] == {"host": "api.test", "user-agent": "test"}
    assert (event["body"], event["isBase64Encoded"]) == ("{}", False)
    context = event["requestContext"]
    assert context["http"]["method"] == "POST"
    assert context["domainName"] == "api.test"
    assert context["timeEpoch"] == 1_772_442_000_000
    assert context["time"] == "02/Mar/2026:09:00:00 +0000"


def test_what_is_not_there_is_left_out() -> None:
    """No query, no body."""
    event = _event("/health")
    assert "queryStringParameters" not in event
    assert "body" not in event


def test_bytes_that_are_no_text_are_encoded() -> None:
    """As API Gateway does with what it takes for binary."""
    event = _event("/", body=b"\xff\xfe")
    assert (event["body"], event["isBase64Encoded"]) == ("//4=", True)


def test_an_event_of_a_rest_api_has_the_parts_of_payload_format_1() -> None:
    """Headers as they were sent, single values and several, what is missing as null."""
    headers = {"Host": "api.test", "X-Thing": "1"}
    event: dict[str, Any] = rest_event("PUT", "/runs/a%2Fb?tag=x&tag=y", headers, b"{}", request_id="r-1", now=NOW)
    assert (event["httpMethod"], event["path"]) == ("PUT", "/runs/a%2Fb")
    assert event["headers"] == headers
    assert event["multiValueHeaders"] == {"Host": ["api.test"], "X-Thing": ["1"]}
    assert event["queryStringParameters"] == {"tag": "y"}
    assert event["multiValueQueryStringParameters"] == {"tag": ["x", "y"]}
    assert (event["body"], event["isBase64Encoded"]) == ("{}", False)
    assert event["requestContext"]["httpMethod"] == "PUT"
    assert event["requestContext"]["requestTimeEpoch"] == 1_772_442_000_000
    bare: dict[str, Any] = rest_event("GET", "/health", {}, b"", request_id="r-2", now=NOW)
    assert (bare["body"], bare["queryStringParameters"]) == (None, None)
    assert "version" not in bare


def _exchange(
    handle: HttpHandler, method: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, list[tuple[str, str]], bytes]:
    """One request of a front over that handler: status, headers and body of the answer."""
    with Front(handle) as front:
        connection = http.client.HTTPConnection(front.url.removeprefix("http://"), timeout=10)
        try:
            connection.putrequest(method, "/here")
            for name, value in (headers or {}).items():
                for each in value.split("|"):
                    connection.putheader(name, each)
            connection.endheaders(body)  # type: ignore[arg-type]
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


def test_a_header_sent_twice_is_one_with_commas() -> None:
    """As API Gateway joins them; and any method reaches the handler, that of a preflight too."""
    seen: list[Mapping[str, Any]] = []

    def handle(event: Mapping[str, object]) -> Mapping[str, object]:
        seen.append(event)
        return {"statusCode": 204}

    status, _, body = _exchange(handle, "OPTIONS", headers={"X-Thing": "a|b"})
    assert (status, body) == (204, b"")
    assert seen[0]["headers"]["x-thing"] == "a,b"
    assert seen[0]["requestContext"]["http"]["method"] == "OPTIONS"


def test_an_answer_may_have_several_headers_of_a_name() -> None:
    """By either format's way, and cookies."""
    answer = {
        "statusCode": 200,
        "headers": {"content-type": "text/plain"},
        "multiValueHeaders": {"x-thing": ["a", "b"]},
        "cookies": ["c=1", "d=2"],
        "body": "aGk=",
        "isBase64Encoded": True,
    }
    _, headers, body = _exchange(lambda _event: answer, "GET")
    assert body == b"hi"
    assert [value for name, value in headers if name in {"x-thing", "set-cookie"}] == ["a", "b", "c=1", "d=2"]


def test_a_function_that_fails_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    """As API Gateway words it, and the log tells why."""

    def handle(_event: Mapping[str, object]) -> Mapping[str, object]:
        raise RuntimeError("no luck")

    status, _, body = _exchange(handle, "GET")
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})
    assert "no luck" in caplog.text
    assert "GET /here" in caplog.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Transfer-Encoding": "chunked"}, 411),
        ({"Content-Length": "many"}, 411),
        ({"Content-Length": str(BODY_BYTES_MAX + 1)}, 413),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused(headers: Mapping[str, str], status: int) -> None:
    """No function is asked, and the connection ends, for the rest of it would be taken for a request."""
    answered, found, _ = _exchange(lambda _event: {"statusCode": 200}, "POST", headers=headers)
    assert answered == status
    assert ("Connection", "close") in found


@pytest.mark.parametrize("response", [{}, {"batchItemFailures": None}, {"batchItemFailures": []}])
def test_a_response_without_failures_names_nobody(response: Mapping[str, object]) -> None:
    """Whatever form it has."""
    assert failed_ids(response) == set()


def test_a_batch_is_deleted_but_for_its_failures() -> None:
    """What the handler names is hidden, comes back after a second, with a higher receive count; the rest is gone."""
    with virtual_time() as time, mock_aws():
        clients = MotoClients()
        sqs, url = clients.sqs(), provision(clients, signing_secret="whsec_test").queue_url
        for body in ("good", "bad"):
            sqs.send_message(QueueUrl=url, MessageBody=body)
        seen: list[tuple[str, str]] = []

        def handle(event: Mapping[str, Any], context: FunctionContext) -> Mapping[str, object]:
            assert context.get_remaining_time_in_millis() > 0
            records = event["Records"]
            seen.extend((record["body"], record["attributes"]["ApproximateReceiveCount"]) for record in records)
            bad = [record["messageId"] for record in records if record["body"] == "bad"]
            return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in bad]}

        poller = Poller(sqs, url, handle)
        assert poller.poll_once() == 2
        assert (poller.counts.batches, poller.counts.deliveries, poller.counts.failures) == (1, 2, 1)
        assert poller.poll_once() == 0
        time.pass_by(2 * SECOND)
        assert poller.poll_once() == 1
        assert sorted(seen) == [("bad", "1"), ("bad", "2"), ("good", "1")]


def test_what_a_function_is_at_is_hidden_from_others() -> None:
    """For the time that the cloud's queue gives it; then it is delivered again, for whoever had it must be dead."""
    with virtual_time() as time, mock_aws():
        clients = MotoClients()
        sqs, url = clients.sqs(), provision(clients, signing_secret="whsec_test").queue_url
        sqs.send_message(QueueUrl=url, MessageBody="slow")
        others: list[int] = []

        def receive() -> int:
            return len(sqs.receive_message(QueueUrl=url).get("Messages", []))

        def handle(_event: Mapping[str, object], _context: FunctionContext) -> Mapping[str, object]:
            for passed in (0, 179, 2):
                time.pass_by(passed * SECOND)
                others.append(receive())
            return {}

        Poller(sqs, url, handle).poll_once()
        assert others == [0, 0, 1]


def test_a_batch_has_ten_messages_at_most() -> None:
    """As Lambda's has."""
    with mock_aws():
        clients = MotoClients()
        sqs, url = clients.sqs(), provision(clients, signing_secret="whsec_test").queue_url
        for number in range(12):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))
        poller = Poller(sqs, url, lambda _event, _context: {})
        assert [poller.poll_once() for _ in range(3)] == [10, 2, 0]


def test_a_function_that_dies_is_called_again_until_the_message_is_a_dead_letter() -> None:
    """Its whole batch comes back soon, five times in all, as the stack's queues have it."""
    with virtual_time() as time, mock_aws():
        clients = MotoClients()
        resources = provision(clients, signing_secret="whsec_test")
        sqs = clients.sqs()
        sqs.send_message(QueueUrl=resources.queue_url, MessageBody="deadly")

        def die(_event: Mapping[str, object], _context: FunctionContext) -> Mapping[str, object]:
            raise SystemExit("out of memory")

        poller = Poller(sqs, resources.queue_url, die)
        for _ in range(RECEIVES_MAX):
            with pytest.raises(SystemExit):
                poller.poll_once()
            time.pass_by(2 * SECOND)
        assert poller.poll_once() == 0
        assert poller.counts.failures == RECEIVES_MAX
        dead = sqs.receive_message(QueueUrl=resources.dead_letter_queue_url)["Messages"]
        assert [message["Body"] for message in dead] == ["deadly"]
