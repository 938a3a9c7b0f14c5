"""The entry point for any event: a queue batch, an HTTP request, a schedule, or a direct call.

The functions the stack keeps apart have entry points of their own beside this one; a single function that is
to do it all has this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dispatcher import bootstrap
from dispatcher.queue_handler import LambdaContext, handle_batch

_SCHEDULE: Final = "Scheduled Event"


class UnknownEvent(ValueError):
    """The event is of no kind this handler knows, or breaks the form of its kind."""


def handler(event: Mapping[str, object], context: LambdaContext) -> object:
    """Handles one event of any kind."""
    return handle(bootstrap.app(), event, context)


def handle(app: bootstrap.App, event: Mapping[str, object], context: LambdaContext) -> object:
    """As :func:`handler`, over a given app.

    Raises:
        UnknownEvent: the event is of none of these kinds, or a direct call with an id no run can have.
    """
    request_context = event.get("requestContext")
    records = event.get("Records")
    if isinstance(records, list):
        return _handle_records(app, records, event, context)
    if isinstance(request_context, Mapping) and ("http" in request_context or "httpMethod" in event):
        from dispatcher.http_handler import handle_request  # noqa: PLC0415  (as below: each event is of one kind)

        return handle_request(app, event, context)
    if event.get("detail-type") == _SCHEDULE or (event.get("detail-type") and event.get("source")):
        return _handle_eventbridge(app, event, context)
    if isinstance(event.get("workflow"), str):
        with app.invocation():
            return _start(app, event, context)
    kinds = "a queue batch (Records), an API Gateway request, an EventBridge event, or {workflow, input?, workflowId?}"
    raise UnknownEvent(f"the event has {sorted(event)}; it must be {kinds}")


def _handle_records(
    app: bootstrap.App, records: Sequence[object], event: Mapping[str, object], context: LambdaContext
) -> object:
    """Messages of the queue of steps; those of any other can only be what that queue has given up."""
    first = records[0] if records and isinstance(records[0], Mapping) else {}
    source = first.get("eventSourceARN")
    if not isinstance(source, str) or source.rpartition(":")[2] == app.settings.queue_url.rpartition("/")[2]:
        return handle_batch(app, event, context)
    from dispatcher.dead_letter_handler import handle_dead_letters  # noqa: PLC0415

    return handle_dead_letters(app, event, context)


def _handle_eventbridge(app: bootstrap.App, event: Mapping[str, object], context: LambdaContext) -> object:
    """A schedule that no route is for is the sweep's."""
    if event.get("detail-type") == _SCHEDULE and not any(r.matches(event) for r in app.registry.routes):
        from dispatcher.sweep_handler import handle_schedule  # noqa: PLC0415

        return handle_schedule(app)
    from dispatcher.event_handler import handle_event  # noqa: PLC0415

    return handle_event(app, event, context)


def _start(app: bootstrap.App, event: Mapping[str, object], context: LambdaContext) -> dict[str, object]:
    """A direct call starts a run; Lambda's own repetition of an asynchronous call finds the same one."""
    from dispatcher.front_door import StartRequest  # noqa: PLC0415
    from engine.json_value import checked_copy  # noqa: PLC0415
    from engine.naming import valid_name  # noqa: PLC0415

    workflow_id = event.get("workflowId")
    if workflow_id is not None and not (isinstance(workflow_id, str) and valid_name(workflow_id)):
        remedy = "1 to 128 letters, digits or _.:@- that begin with a letter, a digit or _"
        raise UnknownEvent(f"workflowId is {workflow_id!r}; it must be {remedy}")
    request = StartRequest(
        workflow=str(event["workflow"]),
        input=checked_copy(event.get("input")),
        workflow_id=workflow_id,
        idempotency_key=getattr(context, "aws_request_id", None),
    )
    started = app.front_door.start(request)
    return {"workflowId": started.snapshot.workflow_id, "status": started.snapshot.status.value}
