"""EventBridge on a laptop: what comes to the emulator's default bus goes to the routes of the registry.

One rule takes everything to a queue. The registry's patterns are matched here, by the engine's own matcher: the
emulator's knows fewer operators, and a registry that was saved anew needs no new rules. A delivery that fails is
repeated as Lambda repeats an asynchronous call, then parked and told loudly.

Owns what makes the emulator's events those of AWS. It refuses to start runs: the event handler does.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from dispatcher.bootstrap import App
from dispatcher.event_handler import handle_event
from dispatcher.queue_handler import BatchResponse, each_record
from local.emulator import REGION
from local.poller import FunctionContext

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

EVENTS_QUEUE_NAME: Final = "refluxo-events"
UPLOAD_BUCKET_NAME: Final = "refluxo-uploads"
FUNCTION_NAME: Final = "refluxo-events"

DELIVERIES_MAX: Final = 3
"""Calls for one event: Lambda repeats an asynchronous call that failed twice."""

ACCOUNT: Final = "123456789012"
"""The emulator's."""

_ID_OF_ALL: Final = "17793124-05d4-b198-2fde-7ededc63b103"
"""The id the emulator gives every event of S3."""

_RULE_NAME: Final = "refluxo-all"
_VISIBILITY_SECONDS: Final = 60
_EVERYTHING: Final = json.dumps({"source": [{"prefix": ""}]})

_LOG: Final = logging.getLogger("refluxo.local.events")

Event = dict[str, object]


class EventClients(Protocol):
    """The clients that an emulated EventBridge takes."""

    def events(self) -> EventBridgeClient:
        """An EventBridge client."""
        ...

    def s3(self) -> S3Client:
        """An S3 client."""
        ...

    def sqs(self) -> SQSClient:
        """An SQS client."""
        ...


class InvalidEvent(ValueError):
    """What was sent is no event, nor a list of them; says what it must be."""


def provision_events(clients: EventClients) -> str:
    """Makes the queue and the rule, and has the bucket for uploads send its events. The queue's URL.

    Args:
        clients: all of one emulator, in which the bucket is there.
    """
    sqs, events = clients.sqs(), clients.events()
    url = sqs.create_queue(QueueName=EVENTS_QUEUE_NAME, Attributes={"VisibilityTimeout": str(_VISIBILITY_SECONDS)})[
        "QueueUrl"
    ]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=_RULE_NAME, EventPattern=_EVERYTHING)
    events.put_targets(Rule=_RULE_NAME, Targets=[{"Id": "events", "Arn": arn}])
    clients.s3().put_bucket_notification_configuration(
        Bucket=UPLOAD_BUCKET_NAME, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    return url


class EventDelivery:
    """The function behind the queue of events.

    Args:
        app: gives the app of the moment.
    """

    def __init__(self, app: Callable[[], App]) -> None:
        self._app = app

    def handle_batch(self, batch: Mapping[str, object], context: FunctionContext) -> BatchResponse:
        """Handles a batch of the queue; names the events that must be delivered again."""
        return each_record(batch, context, self._handle_record)

    def _handle_record(self, record: Mapping[str, object]) -> None:
        try:
            self._handle(_as_on_aws(json.loads(str(record["body"])), record))
        except Exception as error:
            if _receive_count(record) < DELIVERIES_MAX:
                raise
            _LOG.exception("event given up after %d deliveries, and parked", DELIVERIES_MAX)
            self._app().adapters.queue.park(str(record["body"]), reason=f"{type(error).__name__}: {error}")

    def _handle(self, event: Event) -> None:
        app = self._app()
        names = matching(app, event)
        told = {"source": event.get("source"), "detail_type": event.get("detail-type")}
        if not names:
            # The emulator tells of tags with each object that is put, though nobody has set any.
            level = logging.DEBUG if told["detail_type"] == "Object Tags Added" else logging.INFO
            _LOG.log(level, "no route for event", extra=told)
            return
        _LOG.info("event", extra={**told, "routes": ", ".join(names)})
        handle_event(app, event, FunctionContext(FUNCTION_NAME))


def matching(app: App, event: Mapping[str, object]) -> list[str]:
    """Names of the routes that an event goes by."""
    return [route.name for route in app.registry.routes if route.matches(event)]


def events_of(document: object) -> Iterator[Event]:
    """Events from what was sent by hand: one event, a list of them, or a call of PutEvents.

    Each is as EventBridge delivers it, or as PutEvents takes it (``Source``, ``DetailType``, ``Detail``). What
    EventBridge sets is set where it is missing.

    Raises:
        InvalidEvent: it is none of these, or lacks what an event must have.
    """
    if isinstance(document, Mapping) and "Entries" in document:
        document = document["Entries"]
    if not isinstance(document, list):
        document = [document]
    for number, entry in enumerate(document):
        if not isinstance(entry, Mapping):
            raise InvalidEvent(f"event {number} is a {type(entry).__name__}, not an object")
        yield _event_of(entry, f"event {number}")


def _event_of(entry: Mapping[str, object], name: str) -> Event:
    given = dict(entry) if "source" in entry else _from_put_events(entry, name)
    for member, kind in {"source": str, "detail-type": str, "detail": dict}.items():
        if not isinstance(given.get(member), kind) or (kind is str and not given[member]):
            what = "a text" if kind is str else "an object"
            raise InvalidEvent(f"{name}: {member!r} is missing or not {what}")
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "account": ACCOUNT,
        "time": _time_text(datetime.now(tz=UTC)),
        "region": REGION,
        "resources": [],
        **given,
    }


def _from_put_events(entry: Mapping[str, object], name: str) -> Event:
    detail = entry.get("Detail", "{}")
    if isinstance(detail, str):
        try:
            detail = json.loads(detail)
        except ValueError:
            raise InvalidEvent(f"{name}: 'Detail' is not JSON") from None
    event: Event = {"source": entry.get("Source"), "detail-type": entry.get("DetailType"), "detail": detail}
    if "Resources" in entry:
        event["resources"] = entry["Resources"]
    return event


def _as_on_aws(event: Event, record: Mapping[str, object]) -> Event:
    """Mends what the emulator does otherwise: events have no account, and those of S3 one id and one sequencer for all.

    What stands in is taken from the message, so it is the same at each delivery.
    """
    event = {"account": ACCOUNT, **event}
    detail = event.get("detail")
    stored = detail.get("object") if isinstance(detail, Mapping) else None
    if event.get("id") != _ID_OF_ALL or not isinstance(detail, Mapping) or not isinstance(stored, Mapping):
        return event
    message_id, sent_ms = str(record["messageId"]), int(_attribute(record, "SentTimestamp"))
    known = {name: value for name, value in stored.items() if value is not None}
    sequencer = f"{sent_ms:012X}{message_id.replace('-', '')[:8].upper()}"
    return {**event, "id": message_id, "detail": {**detail, "object": {**known, "sequencer": sequencer}}}


def _time_text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _receive_count(record: Mapping[str, object]) -> int:
    return int(_attribute(record, "ApproximateReceiveCount"))


def _attribute(record: Mapping[str, object], name: str) -> str:
    attributes = record.get("attributes")
    return str(attributes.get(name, "1")) if isinstance(attributes, Mapping) else "1"
