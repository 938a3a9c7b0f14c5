"""Entry point of the dispatcher function: a batch of queue messages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypedDict

from dispatcher import bootstrap
from dispatcher.errors import MalformedMessage
from dispatcher.limits import ANOTHER_STEP_NEEDS_MS
from dispatcher.messages import Delivery, decode
from dispatcher.ports import StepQueue

if TYPE_CHECKING:
    from dispatcher.dispatch import Dispatcher

_LOG: Final = logging.getLogger("refluxo.queue")


class LambdaContext(Protocol):
    """What a handler uses of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the platform stops this invocation."""
        ...


class BatchItemFailure(TypedDict):
    """One record to deliver again."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """Lambda's partial batch response."""

    batchItemFailures: list[BatchItemFailure]


def handler(event: Mapping[str, object], context: LambdaContext) -> BatchResponse:
    """Handles a batch; names the records that must be delivered again."""
    return handle_batch(bootstrap.app(), event, context)


def handle_batch(app: bootstrap.App, event: Mapping[str, object], context: LambdaContext) -> BatchResponse:
    """As :func:`handler`, over a given app."""
    deadline_ms = app.adapters.now_ms() + context.get_remaining_time_in_millis()
    with app.invocation():
        return each_record(
            event,
            context,
            lambda record: _handle_record(app.dispatcher, app.adapters.queue, record, deadline_ms),
        )


def each_record(
    event: Mapping[str, object], context: LambdaContext, handle: Callable[[Mapping[str, object]], None]
) -> BatchResponse:
    """Handles the records of a batch one by one; one record never changes another's outcome."""
    records = event.get("Records")
    failures: list[BatchItemFailure] = []
    for number, record in enumerate(records if isinstance(records, Sequence) else ()):
        message_id = str(record.get("messageId", ""))
        if number and message_id and context.get_remaining_time_in_millis() < ANOTHER_STEP_NEEDS_MS:
            # To be stopped in mid-step would have the whole batch delivered again, what is done included.
            failures.append({"itemIdentifier": message_id})
            continue
        try:
            handle(record)
        except Exception:  # noqa: BLE001  (one record never changes another's outcome)
            _LOG.exception("delivery failed", extra={"message_id": message_id})
            # An empty id would fail the whole batch.
            if message_id:
                failures.append({"itemIdentifier": message_id})
    return {"batchItemFailures": failures}


def _handle_record(dispatcher: Dispatcher, queue: StepQueue, record: Mapping[str, object], deadline_ms: int) -> None:
    body = str(record.get("body", ""))
    try:
        message = decode(body)
    except MalformedMessage as malformed:
        # Nobody can act on it, now or later: park it, and do not burn redeliveries on it.
        _LOG.error("malformed message", extra={"message_id": record.get("messageId"), "reason": str(malformed)})
        queue.park(body, reason=str(malformed))
        return
    delivery = Delivery(str(record.get("messageId", "")), _receive_count(record), message)
    dispatcher.deliver(delivery, deadline_ms=deadline_ms)


def _receive_count(record: Mapping[str, object]) -> int:
    attributes = record.get("attributes")
    count = attributes.get("ApproximateReceiveCount") if isinstance(attributes, Mapping) else None
    return int(count) if isinstance(count, str) and count.isdecimal() else 1
