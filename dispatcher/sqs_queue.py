"""The StepQueue on SQS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from dispatcher.errors import calling_aws
from dispatcher.limits import DELAY_SECONDS_MAX, PARKED_BODY_BYTES_MAX
from dispatcher.messages import Message, encode

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageRequestTypeDef

# SQS tells the age of its oldest message to CloudWatch alone, once a minute, a few minutes late.
_AGE_METRIC: Final = "ApproximateAgeOfOldestMessage"
_AGE_WINDOW: Final = timedelta(minutes=10)


class SqsStepQueue:
    """A StepQueue on a standard SQS queue, with the parked queue beside it.

    Args:
        client: of SQS.
        queue_url: the queue of steps.
        parked_queue_url: the parked queue.
        cloudwatch: makes the client that knows the age of the oldest message; only the sweep asks.
        now_ms: the time.
    """

    def __init__(
        self,
        client: SQSClient,
        queue_url: str,
        parked_queue_url: str,
        *,
        cloudwatch: Callable[[], CloudWatchClient],
        now_ms: Callable[[], int],
    ) -> None:
        self._client = client
        self._make_cloudwatch = cloudwatch
        self._cloudwatch: CloudWatchClient | None = None
        self._now_ms = now_ms
        self._queue_url = queue_url
        self._parked_queue_url = parked_queue_url

    def send(self, message: Message, *, delay_seconds: int = 0, group: str | None = None) -> None:
        """See StepQueue."""
        if not 0 <= delay_seconds <= DELAY_SECONDS_MAX:
            raise ValueError(f"delay_seconds is {delay_seconds}; it must be 0 to {DELAY_SECONDS_MAX}")
        request: SendMessageRequestTypeDef = {
            "QueueUrl": self._queue_url,
            "MessageBody": encode(message),
            "DelaySeconds": delay_seconds,
        }
        if group is not None:
            # On a standard queue this switches on fair queues: one tenant's backlog does not delay the others.
            request["MessageGroupId"] = group
        with calling_aws():
            self._client.send_message(**request)

    def park(self, body: str, *, reason: str) -> None:
        """See StepQueue."""
        with calling_aws():
            self._client.send_message(
                QueueUrl=self._parked_queue_url,
                MessageBody=body.encode()[:PARKED_BODY_BYTES_MAX].decode(errors="ignore") or " ",
                MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
            )

    def oldest_age_ms(self) -> int:
        """See StepQueue."""
        now = datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC)
        if self._cloudwatch is None:
            self._cloudwatch = self._make_cloudwatch()
        with calling_aws():
            answer = self._cloudwatch.get_metric_statistics(
                Namespace="AWS/SQS",
                MetricName=_AGE_METRIC,
                Dimensions=[{"Name": "QueueName", "Value": self._queue_url.rpartition("/")[2]}],
                StartTime=now - _AGE_WINDOW,
                EndTime=now,
                Period=60,
                Statistics=["Maximum"],
            )
        newest = max(answer["Datapoints"], key=lambda point: point["Timestamp"], default=None)
        return 0 if newest is None else round(newest["Maximum"] * 1000)

    def check(self) -> None:
        """See StepQueue."""
        with calling_aws():
            self._client.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
