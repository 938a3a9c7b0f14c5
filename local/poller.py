"""Lambda's event-source poller on a laptop: real batches to the handler, partial failures left for later."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

from local.provision import QUEUE_NAME
from local.ticker import STOP_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

BATCH_SIZE: Final = 10
"""Records per invocation at most: the most Lambda takes of a queue without a batching window."""

FUNCTION_TIMEOUT_MS: Final = 30_000
"""The timeout of both functions that a queue feeds, as in the cloud stack."""

POLL_SECONDS: Final = 0.1
"""Wait after a poll that brought nothing."""

_REDELIVERY_SECONDS: Final = 1

_LOG: Final = logging.getLogger("refluxo.local")

BatchHandler = Callable[[Mapping[str, object], "FunctionContext"], Mapping[str, object]]


class FunctionContext:
    """Lambda's context object, as far as the handlers use it."""

    def __init__(self, function_name: str = "refluxo-dispatcher") -> None:
        self.function_name = function_name
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


def queue_event(messages: Sequence[MessageTypeDef], queue_name: str = QUEUE_NAME) -> dict[str, object]:
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
                "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue_name}",
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
    """Receives, invokes, deletes what succeeded; in a thread of its own.

    Args:
        sqs: a client.
        queue_url: the queue.
        handle: the function.
        function_name: its name, which is also the thread's.
        poll_seconds: the wait after a poll that brought nothing.
    """

    def __init__(
        self,
        sqs: SQSClient,
        queue_url: str,
        handle: BatchHandler,
        *,
        function_name: str = "refluxo-dispatcher",
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.counts = PollerCounts()
        self._function_name = function_name
        self._poll_seconds = poll_seconds
        self._sqs = sqs
        self._queue_url = queue_url
        self._handle = handle
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name=function_name, daemon=True)

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
        event = queue_event(messages, self._queue_url.rpartition("/")[2])
        try:
            failed = failed_ids(self._handle(event, FunctionContext(self._function_name)))
        except BaseException:
            self.counts.failures += len(messages)
            for message in messages:
                self._redeliver_soon(message)
            raise
        self.counts.failures += len(failed)
        for message in messages:
            if message["MessageId"] in failed:
                self._redeliver_soon(message)
            else:
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])
        return len(messages)

    def _redeliver_soon(self, message: MessageTypeDef) -> None:
        """On AWS it comes back when its visibility ends; nobody at a laptop waits three minutes."""
        self._sqs.change_message_visibility(
            QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=_REDELIVERY_SECONDS
        )

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
                self._stop.wait(self._poll_seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Receives no more; does not wait for a batch that is under way."""
        self._stop.set()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            _LOG.warning("%s is cut short; what it was at is done again by the next delivery", self._function_name)
