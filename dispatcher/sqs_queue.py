"""The StepQueue on SQS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.errors import calling_aws
from dispatcher.limits import DELAY_SECONDS_MAX, PARKED_BODY_BYTES_MAX
from dispatcher.messages import Message, encode

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsStepQueue:
    """A StepQueue on a standard SQS queue, with the parked queue beside it."""

    def __init__(self, client: SQSClient, queue_url: str, parked_queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url
        self._parked_queue_url = parked_queue_url

    def send(self, message: Message, *, delay_seconds: int = 0) -> None:
        """See StepQueue."""
        if not 0 <= delay_seconds <= DELAY_SECONDS_MAX:
            raise ValueError(f"delay_seconds is {delay_seconds}; it must be 0 to {DELAY_SECONDS_MAX}")
        with calling_aws():
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=encode(message), DelaySeconds=delay_seconds)

    def park(self, body: str, *, reason: str) -> None:
        """See StepQueue."""
        with calling_aws():
            self._client.send_message(
                QueueUrl=self._parked_queue_url,
                MessageBody=body.encode()[:PARKED_BODY_BYTES_MAX].decode(errors="ignore") or " ",
                MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
            )

    def check(self) -> None:
        """See StepQueue."""
        with calling_aws():
            self._client.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
