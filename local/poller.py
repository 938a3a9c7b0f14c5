"""Lambda's event-source poller on a laptop: real batches to the handler, partial failures left for later."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

BATCH_SIZE: Final = 10
"""Records per invocation at most: the most Lambda takes of a queue without a batching window."""

FUNCTION_TIMEOUT_MS: Final = 30_000
"""The dispatcher function's timeout, as in the cloud stack."""

_POLL_SECONDS: Final = 0.1
_REDELIVERY_SECONDS: Final = 1

_LOG: Final = logging.getLogger("refluxo.local")

BatchHandler = Callable[[Mapping[str, object], "FunctionContext"], Mapping[str, object]]


class FunctionContext:
    """Lambda's context object, as far as the handlers use it."""

    function_name = "refluxo-dispatcher"

    def __init__(self) -> None:
        self.aws_request_id = uuid.uuid4().hex

    def get_remaining_time_in_millis(self) -> int:
        """The whole timeout: nothing stops a function here."""
        return FUNCTION_TIMEOUT_MS


@dataclass(slots=True)
class PollerCounts:
    """What the poller has done so far."""

    batches: int = 0
    deliveries: int = 0
    failures: int = 0


def queue_event(messages: Sequence[MessageTypeDef]) -> dict[str, object]:
    """The event Lambda makes of a batch of messages."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {str(name): value for name, value in message.get("Attributes", {}).items()},
                "messageAttributes": {},
                "md5OfBody": message.get("MD5OfBody", ""),
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:refluxo-steps",
                "awsRegion": "us-east-1",
            }
            for message in messages
        ]
    }


def failed_ids(response: Mapping[str, object]) -> set[str]:
    """Message ids that a partial batch response names."""
    failures = response.get("batchItemFailures")
    return {str(f["itemIdentifier"]) for f in failures} if isinstance(failures, list) else set()


class Poller:
    """Receives, invokes, deletes what succeeded; in a thread of its own."""

    def __init__(self, sqs: SQSClient, queue_url: str, handle: BatchHandler) -> None:
        self.counts = PollerCounts()
        self._sqs = sqs
        self._queue_url = queue_url
        self._handle = handle
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="poller", daemon=True)

    def poll_once(self) -> int:
        """Handles one batch, if there is one. Returns the number of messages received."""
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=BATCH_SIZE,
            MessageSystemAttributeNames=["All"],
            WaitTimeSeconds=0,
        )
        messages = answer.get("Messages", [])
        if not messages:
            return 0
        self.counts.batches += 1
        self.counts.deliveries += len(messages)
        failed = failed_ids(self._handle(queue_event(messages), FunctionContext()))
        self.counts.failures += len(failed)
        for message in messages:
            if message["MessageId"] in failed:
                # On AWS it comes back when its visibility ends; nobody at a laptop waits three minutes.
                self._sqs.change_message_visibility(
                    QueueUrl=self._queue_url,
                    ReceiptHandle=message["ReceiptHandle"],
                    VisibilityTimeout=_REDELIVERY_SECONDS,
                )
            else:
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
        return len(messages)

    def _poll(self) -> None:
        while not self._stop.is_set():
            try:
                received = self.poll_once()
            except (ClientError, BotoCoreError):
                if self._stop.is_set():
                    return
                _LOG.exception("the queue did not answer")
                received = 0
            except BaseException:  # noqa: BLE001  (a function that dies is started again, as on Lambda)
                _LOG.exception("the function died")
                received = 0
            if not received:
                self._stop.wait(_POLL_SECONDS)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=20)
