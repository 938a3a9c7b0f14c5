"""The queues' construct, on a bare stack."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk.assertions import Template

from infra.constructs.queues import RunQueues

CONSUMER_TIMEOUT_SECONDS = 40
DEAD_LETTER_TIMEOUT_SECONDS = 30
DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def queues() -> Template:
    """A stack of nothing but the queues."""
    stack = Stack()
    RunQueues(
        stack,
        "Queues",
        consumer_timeout=Duration.seconds(CONSUMER_TIMEOUT_SECONDS),
        dead_letter_timeout=Duration.seconds(DEAD_LETTER_TIMEOUT_SECONDS),
    )
    return Template.from_stack(stack)


def queue_named(template: Template, part: str) -> tuple[str, dict[str, Any]]:
    """Logical id and properties of the one queue whose id holds the part."""
    ((logical_id, resource),) = (
        (logical_id, resource)
        for logical_id, resource in template.find_resources("AWS::SQS::Queue").items()
        if part in logical_id
    )
    return logical_id, resource["Properties"]


@pytest.mark.parametrize(
    ("name", "timeout_seconds"),
    [("QueuesQueue", CONSUMER_TIMEOUT_SECONDS), ("DeadLetters", DEAD_LETTER_TIMEOUT_SECONDS)],
)
def test_a_queue_hides_a_message_six_timeouts_long(queues: Template, name: str, timeout_seconds: int) -> None:
    """AWS's rule for an SQS source: shorter, and a message in work shows up a second time."""
    _, queue = queue_named(queues, name)
    assert queue["VisibilityTimeout"] == 6 * timeout_seconds


def test_what_cannot_be_handled_goes_to_the_dead_letters_then_to_parked(queues: Template) -> None:
    """Five receives, then five more that a dead letter brought along or not, and nothing is behind the last queue."""
    _, queue = queue_named(queues, "QueuesQueue")
    dead_letters_id, dead_letters = queue_named(queues, "DeadLetters")
    parked_id, parked = queue_named(queues, "Parked")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [dead_letters_id, "Arn"]},
        "maxReceiveCount": 5,
    }
    assert dead_letters["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [parked_id, "Arn"]},
        "maxReceiveCount": 10,
    }
    assert "RedrivePolicy" not in parked


def test_a_dead_letter_is_kept_longer_than_the_queue_keeps_it(queues: Template) -> None:
    """Four days on the queue, fourteen behind it: a dead letter keeps the time of its first enqueue."""
    retention = {
        name: queue_named(queues, name)[1]["MessageRetentionPeriod"]
        for name in ("QueuesQueue", "DeadLetters", "Parked")
    }
    assert retention == {
        "QueuesQueue": 4 * DAY_SECONDS,
        "DeadLetters": 14 * DAY_SECONDS,
        "Parked": 14 * DAY_SECONDS,
    }


def test_every_queue_is_encrypted_at_rest_and_in_transit(queues: Template) -> None:
    """Server-side encryption on each, and a policy on each that denies anything but TLS."""
    resources = queues.find_resources("AWS::SQS::Queue")
    assert all(queue["Properties"]["SqsManagedSseEnabled"] for queue in resources.values())
    policies = queues.find_resources("AWS::SQS::QueuePolicy").values()
    covered = {policy["Properties"]["Queues"][0]["Ref"] for policy in policies}
    assert covered == set(resources)
    for policy in policies:
        (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_queue_takes_delays(queues: Template) -> None:
    """None is FIFO: those refuse a delay per message, which timers and retries are made of."""
    assert not any("FifoQueue" in queue["Properties"] for queue in queues.find_resources("AWS::SQS::Queue").values())
