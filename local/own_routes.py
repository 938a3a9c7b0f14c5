"""What the local stack answers besides the product: counts of the emulated platform, and a way in for events.

Both are under ``/local/``, where the product has nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dispatcher.bootstrap import App
from local.events import Event, InvalidEvent, events_of, matching
from local.poller import Poller

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

STATS_PATH: Final = "/local/stats"
EVENTS_PATH: Final = "/local/events"

Answer = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRoutes:
    """Answers requests under ``/local/``.

    Args:
        steps: the poller of the steps.
        dead_letters: the poller of the dead letters.
        app: gives the app of the moment.
        sqs: a client of the emulator.
        events_queue_url: the queue of events.
    """

    steps: Poller
    dead_letters: Poller
    app: Callable[[], App]
    sqs: SQSClient
    events_queue_url: str

    def answer(self, event: Mapping[str, object]) -> Answer | None:
        """The answer to a request, or None when the path is not one of these."""
        match event.get("rawPath", event.get("path")):
            case "/local/stats":
                return self._stats()
            case "/local/events":
                return self._take_events(event)
            case _:
                return None

    def _stats(self) -> Answer:
        counts = self.steps.counts
        return _answer(
            200,
            {
                "batches": counts.batches,
                "deliveries": counts.deliveries,
                "failures": counts.failures,
                "deadLetters": self.dead_letters.counts.deliveries,
            },
        )

    def _take_events(self, request: Mapping[str, object]) -> Answer:
        """Puts events on the queue as the bus does, and says by which routes they will go."""
        if _method(request) != "POST":
            return _problem(405, "POST one event, a list of them, or a call of PutEvents")
        try:
            events = list(events_of(json.loads(_text(request))))
        except InvalidEvent as invalid:
            return _problem(400, str(invalid))
        except (ValueError, RecursionError):
            return _problem(400, "the body is not JSON")
        for event in events:
            self.sqs.send_message(QueueUrl=self.events_queue_url, MessageBody=json.dumps(event))
        return _answer(202, {"events": self._told(events)})

    def _told(self, events: Sequence[Event]) -> list[Answer]:
        app = self.app()
        return [{"id": event["id"], "routes": matching(app, event)} for event in events]


def _method(request: Mapping[str, object]) -> object:
    context = request.get("requestContext")
    http = context.get("http") if isinstance(context, Mapping) else None
    return http.get("method") if isinstance(http, Mapping) else request.get("httpMethod")


def _text(request: Mapping[str, object]) -> str | bytes:
    body = str(request.get("body") or "")
    return base64.b64decode(body) if request.get("isBase64Encoded") else body


def _problem(status: int, detail: str) -> Answer:
    return _answer(status, {"status": status, "detail": detail}, "application/problem+json")


def _answer(status: int, document: Mapping[str, object], content_type: str = "application/json") -> Answer:
    return {"statusCode": status, "headers": {"content-type": content_type}, "body": json.dumps(document)}
