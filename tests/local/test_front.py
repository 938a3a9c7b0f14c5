"""The front's events are API Gateway's; the poller does with a batch what Lambda does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.front import http_event
from local.poller import FunctionContext, Poller, failed_ids

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


@pytest.mark.parametrize("response", [{}, {"batchItemFailures": None}, {"batchItemFailures": []}])
def test_a_response_without_failures_names_nobody(response: Mapping[str, object]) -> None:
    """Whatever form it has."""
    assert failed_ids(response) == set()


def test_a_batch_is_deleted_but_for_its_failures() -> None:
    """What the handler names comes back, with a higher receive count; the rest is gone."""
    with mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        url = sqs.create_queue(QueueName="steps", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
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
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
        assert sorted(seen) == [("bad", "1"), ("good", "1")]
