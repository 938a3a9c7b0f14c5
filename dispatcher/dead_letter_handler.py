"""Entry point of the dead-letter function: a batch of messages that the queue has given up."""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher import bootstrap
from dispatcher.queue_handler import BatchResponse, LambdaContext, each_record


def handler(event: Mapping[str, object], context: LambdaContext) -> BatchResponse:
    """Handles a batch; names the records that must be delivered again."""
    return handle_dead_letters(bootstrap.app(), event, context)


def handle_dead_letters(app: bootstrap.App, event: Mapping[str, object], context: LambdaContext) -> BatchResponse:
    """As :func:`handler`, over a given app."""
    with app.invocation():
        return each_record(
            event,
            context,
            lambda record: app.dead_letters.handle(str(record.get("messageId", "")), str(record.get("body", ""))),
        )
