"""The local stack, really started: one process, real HTTP, real queue, real time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from local import LocalStack
from local.emulator import EmulatorClients
from local.provision import (
    BUCKET_NAME,
    DEAD_LETTER_QUEUE_NAME,
    DEAD_RECEIVES_MAX,
    PARKED_QUEUE_NAME,
    QUEUE_NAME,
    RECEIVES_MAX,
)
from local.stack import PortTaken
from tests.local.http import call
from tests.local.waiting import until, until_run

REGISTRY = "tests.local.small_registry:registry"


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """One stack for all tests of this file. Nothing of it outlives the file."""
    with LocalStack(registry=REGISTRY) as stack:
        yield stack


def test_a_workflow_runs_over_http(stack: LocalStack) -> None:
    """Start, a failed attempt and its retry, a wait, its webhook, the end: by nothing but HTTP."""
    status, started = call(f"{stack.url}/workflows/small/runs", {"workflowId": "run-1"})
    assert (status, started["workflowId"]) == (202, "run-1")
    paused = until_run(stack.url, "run-1", lambda run: run["status"] == "paused")
    link = paused["wait"]["callbackUrl"]
    assert link.startswith(stack.url)
    assert call(link)[1]["workflowId"] == "run-1"
    assert call(link, {"ok": True})[0] == 202
    ended = until_run(stack.url, "run-1", lambda run: run["status"] == "completed")
    assert ended["output"] == {"got": {"ok": True}}
    assert [result["attempt"] for result in ended["context"]["flaky"]] == [2]
    assert call(link, {"ok": False})[0] == 410
    _, stats = call(f"{stack.url}/local/stats")
    assert stats["deliveries"] >= 4
    assert stats["failures"] == 0


def test_the_front_speaks_as_api_gateway_does(stack: LocalStack) -> None:
    """Health, unknown paths and methods, bodies that are no JSON, over real HTTP."""
    assert call(f"{stack.url}/health")[1]["status"] == "ok"
    assert call(f"{stack.url}/nowhere")[0] == 404
    assert call(f"{stack.url}/health", method="DELETE")[0] == 405
    assert call(f"{stack.url}/workflows/small/runs", {"input": "x" * 5_000_000})[0] == 413


def test_a_value_too_large_for_the_table_goes_by_the_bucket(stack: LocalStack) -> None:
    """An input of more than an item holds, however it is compressed, is kept in the bucket and goes with its run."""
    large = random.Random(7).randbytes(600_000).hex()  # noqa: S311  (incompressible, the same each time)
    s3 = EmulatorClients(stack.emulator_url).s3()
    assert call(f"{stack.url}/workflows/small/runs", {"workflowId": "large", "input": large})[0] == 202
    assert s3.list_objects_v2(Bucket=BUCKET_NAME, Prefix="runs/large/")["KeyCount"] == 1
    until_run(stack.url, "large", lambda run: run["status"] == "paused")
    assert call(f"{stack.url}/runs/large/cancel", {"reason": "seen enough"})[0] == 202
    assert call(f"{stack.url}/runs/large", method="DELETE") == (200, {"workflowId": "large", "removed": True})
    assert s3.list_objects_v2(Bucket=BUCKET_NAME, Prefix="runs/large/")["KeyCount"] == 0


def test_runs_are_listed(stack: LocalStack) -> None:
    """By both indexes."""
    assert call(f"{stack.url}/workflows/small/runs", {"workflowId": "listed"})[0] == 202
    until_run(stack.url, "listed", lambda run: run["status"] == "paused")
    for query in ("workflow=small", "status=paused"):
        _, page = call(f"{stack.url}/runs?{query}")
        assert "listed" in [run["workflowId"] for run in page["runs"]]


def test_a_dead_letter_is_handled_by_its_function(stack: LocalStack) -> None:
    """What nobody can act on is parked; the letter of a run that waits is acknowledged."""
    sqs = EmulatorClients(stack.emulator_url).sqs()
    dead_letters, parked = (
        sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in (DEAD_LETTER_QUEUE_NAME, PARKED_QUEUE_NAME)
    )
    sqs.send_message(QueueUrl=dead_letters, MessageBody=json.dumps({"workflowId": "nobody", "version": 1}))
    sqs.send_message(QueueUrl=dead_letters, MessageBody="no message of ours")
    found = until(lambda: sqs.receive_message(QueueUrl=parked, MessageAttributeNames=["All"]).get("Messages", []))
    (message,) = found
    assert message["Body"] == "no message of ours"
    assert message["MessageAttributes"]["reason"]["StringValue"].startswith("MalformedMessage: ")
    assert call(f"{stack.url}/local/stats")[1]["deadLetters"] == 2


def test_queues_are_behind_each_other_as_in_the_cloud(stack: LocalStack) -> None:
    """Steps, dead letters, parked."""
    sqs = EmulatorClients(stack.emulator_url).sqs()
    behind = {}
    for name in (QUEUE_NAME, DEAD_LETTER_QUEUE_NAME, PARKED_QUEUE_NAME):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        redrive = json.loads(attributes.get("RedrivePolicy", "{}"))
        behind[name] = redrive.get("deadLetterTargetArn", "").rpartition(":")[2], redrive.get("maxReceiveCount")
    assert behind == {
        QUEUE_NAME: (DEAD_LETTER_QUEUE_NAME, RECEIVES_MAX),
        DEAD_LETTER_QUEUE_NAME: (PARKED_QUEUE_NAME, DEAD_RECEIVES_MAX),
        PARKED_QUEUE_NAME: ("", None),
    }


def test_a_taken_port_is_told_at_once(stack: LocalStack) -> None:
    """With the port, and what to do."""
    port = int(stack.url.rsplit(":", 1)[1])
    with pytest.raises(PortTaken, match=f"port {port} is in use"), LocalStack(registry=REGISTRY, port=port):
        pass
