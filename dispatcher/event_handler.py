"""Entry point of the event function: what EventBridge hands over starts the runs that the routes say.

An event comes alone, when the function is the target of a rule, or in the messages of a queue between the two. Both
come at least once, so each run is known by its route and its event: a repeat finds the run that is there. What can
start no run, now or later, is parked; what only fails now is raised, and comes again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypedDict

from dispatcher import bootstrap
from dispatcher.errors import Terminal
from dispatcher.front_door import InvalidRunInput, StartConflict, StartRequest
from dispatcher.queue_handler import BatchResponse, LambdaContext, each_record
from engine.errors import RefluxoError

if TYPE_CHECKING:
    # For the annotation alone: whoever has routes has loaded what they are made of.
    from engine.route import Route

_LOG: Final = logging.getLogger("refluxo.events")

_REASON_CHARACTERS_MAX: Final = 500
"""Length of the reason a parked event carries: its body leaves a kilobyte for that (dispatcher/limits.py)."""


class EventReport(TypedDict):
    """What an event did: ids of the runs it started, of those it had started before, and routes it is parked for."""

    started: list[str]
    repeated: list[str]
    parked: list[str]


def handler(event: Mapping[str, object], context: LambdaContext) -> EventReport | BatchResponse:
    """Handles an event, or the events in a batch of messages; says what it did, or what must be delivered again."""
    return handle_event(bootstrap.app(), event, context)


def handle_event(
    app: bootstrap.App, event: Mapping[str, object], context: LambdaContext
) -> EventReport | BatchResponse:
    """As :func:`handler`, over a given app."""
    with app.invocation():
        if isinstance(event.get("Records"), list):
            return each_record(event, context, lambda record: _handle_message(app, record))
        return start_runs(app, event)


def start_runs(app: bootstrap.App, event: Mapping[str, object]) -> EventReport:
    """Starts a run for each route that matches an event.

    Raises:
        Exception: whatever kept a run from being started this time; the other routes' runs have been.
    """
    report = EventReport(started=[], repeated=[], parked=[])
    routes = [route for route in app.registry.routes if route.matches(event)]
    hopeless: dict[str, Exception] = {}
    trouble: list[Exception] = []
    if not routes:
        _LOG.info("no route for an event", extra=_facts(event))
    for route in routes:
        try:
            _start(app, route, event, report)
        except (Terminal, RefluxoError) as error:
            hopeless[route.name] = error
        except Exception as error:  # noqa: BLE001  (one route's trouble is not another's; raised below)
            trouble.append(error)
    if trouble:
        raise trouble[0]
    # Last, so that an event that comes again is parked once.
    for name, reason in hopeless.items():
        _park(app, name, event, reason)
        report["parked"].append(name)
    return report


def _start(app: bootstrap.App, route: Route, event: Mapping[str, object], report: EventReport) -> None:
    run_id = route.run_id(event)
    facts = {"workflow_id": run_id, "route": route.name, **_facts(event)}
    request = StartRequest(
        workflow=route.workflow,
        input=route.start_input(event),
        workflow_id=run_id,
        tags={"route": route.name, "event": str(event.get("id", ""))},
    )
    try:
        started = app.front_door.start(request)
    except StartConflict:
        # The same event by its key, told differently this time: the run that is there is its run.
        _LOG.info("event repeated with other content", extra=facts)
        report["repeated"].append(run_id)
        return
    _LOG.info("run started by an event" if started.fresh else "event repeated", extra=facts)
    report["started" if started.fresh else "repeated"].append(run_id)


def _handle_message(app: bootstrap.App, record: Mapping[str, object]) -> None:
    # What has no body came from no queue: an S3 bucket's older notifications, say. All of it is kept.
    body = str(record["body"]) if "body" in record else json.dumps(record, default=str)
    try:
        event = json.loads(body) if "body" in record else None
    except (ValueError, RecursionError):
        event = None
    if isinstance(event, dict):
        start_runs(app, event)
        return
    _LOG.error("parked", extra={"reason": "the message is no event"})
    app.adapters.queue.park(body, reason="the message is no event: its body must be a JSON object")


def _park(app: bootstrap.App, route: str, event: Mapping[str, object], error: Exception) -> None:
    kind = type(error).__name__
    # The message of a fault may quote the event, which is in the body; a log line has no more than its place.
    where = ", ".join(fault.path for fault in error.faults) if isinstance(error, InvalidRunInput) else None
    _LOG.error("parked", extra={"route": route, "error": kind, "faults": where, **_facts(event)})
    # As JSON escapes it, for a message takes no control characters.
    reason = json.dumps(f"route {route}: {kind}: {where or error}")[1:-1]
    app.adapters.queue.park(json.dumps(event, default=str), reason=reason[:_REASON_CHARACTERS_MAX])


def _facts(event: Mapping[str, object]) -> dict[str, object]:
    return {"event_id": event.get("id"), "event_source": event.get("source"), "event_type": event.get("detail-type")}
