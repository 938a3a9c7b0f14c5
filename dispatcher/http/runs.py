"""The routes by which runs are started, shown and signalled."""

from __future__ import annotations

from dispatcher.front_door import FrontDoor, Started, StartRequest
from dispatcher.head import Head, Hold, hold_to_json
from dispatcher.http.bodies import OperatorBody, StartBody, body_of
from dispatcher.http.conditions import etag, unless_known
from dispatcher.http.problems import RequestFault
from dispatcher.http.request import Request, Response, accepted, response_of, with_header
from dispatcher.http.wait import Patience, wait_seconds
from dispatcher.operator_calls import Caller, OperatorCalls
from engine.json_value import JsonObject, checked_copy


class RunRoutes:
    """Answers who starts runs and who has something for them."""

    def __init__(self, front_door: FrontDoor, operator_calls: OperatorCalls, patience: Patience) -> None:
        self._front_door = front_door
        self._operator_calls = operator_calls
        self._patience = patience

    def start(self, request: Request) -> Response:
        """Starts a run, or finds it; with ``wait`` its output, if it ends in time."""
        seconds = wait_seconds(request)
        body = body_of(request, StartBody)
        if request.tenant is not None and body.tenant not in {None, request.tenant}:
            raise RequestFault(403, f"tenant: the token is of {request.tenant!r}; leave it out, or say the same")
        started = self._front_door.start(
            StartRequest(
                workflow=request.parameters["name"],
                input=checked_copy(body.input),
                workflow_id=body.workflow_id,
                idempotency_key=request.idempotency_key(),
                tags=body.tags,
                tenant=request.tenant or body.tenant,
            )
        )
        head = self._patience.head_in_time(request, started.snapshot.workflow_id, seconds) if seconds else None
        if head is not None and head.snapshot.status.terminal:
            return _ended(head)
        return _started(started, head)

    def show(self, request: Request) -> Response:
        """A run, unless the caller has this version of it already."""
        head = self._front_door.show(request.parameters["id"])
        hold = _hold_of(head)
        # A hold changes what is shown and not the version.
        version = str(head.version) if hold is None else f"{head.version}-held-{hold.at_ms}"
        return unless_known(response_of(200, self._run_document(head)), etag(version), request.headers)

    def _run_document(self, head: Head) -> JsonObject:
        snapshot = head.snapshot
        document = snapshot.to_json(newest_only=True)
        document["startedAt"] = head.started_at_ms
        # The context holds one result of each node: how often it was gone through is told beside it.
        document["visits"] = {node_id: snapshot.context.visits(node_id) for node_id in snapshot.context}
        document["output"] = snapshot.output if snapshot.status.terminal else None
        wait = document.get("wait")
        if isinstance(wait, dict):
            wait["callbackUrl"] = self._front_door.callback_url(head)
        hold = _hold_of(head)
        if hold is not None:
            document["held"] = hold_to_json(hold)
        return document

    def signal(self, request: Request) -> Response:
        """Delivers a named signal."""
        workflow_id, name = request.parameters["id"], request.parameters["signal"]
        key = request.idempotency_key()
        fresh = self._front_door.signal(workflow_id, name, request.json(), idempotency_key=key)
        return accepted(workflow_id, fresh)

    def resume(self, request: Request) -> Response:
        """Lifts a hold; delivers the body to the current wait where there is none."""
        workflow_id, payload, key = request.parameters["id"], request.json(), request.idempotency_key()
        repeat = Caller(actor=request.actor, key=key)
        if self._operator_calls.was_released(workflow_id, repeat):
            return accepted(workflow_id, self._operator_calls.release(workflow_id, repeat))
        head = self._front_door.show(workflow_id)
        # A call that has delivered its payload is no release when it is repeated, even if the run is held by now.
        if head.hold is None or (key is not None and self._front_door.was_resumed(head, key)):
            fresh = self._front_door.resume(workflow_id, payload, idempotency_key=key)
            return accepted(workflow_id, fresh)
        if not (payload is None or (isinstance(payload, dict) and payload.keys() <= {"reason"})):
            detail = (
                f"run {workflow_id!r} is on hold, and this payload would be lost: "
                "lift the hold first, by an empty body or a reason, then send it again"
            )
            raise RequestFault(409, detail)
        caller = Caller(actor=request.actor, reason=body_of(request, OperatorBody).reason, key=key)
        return accepted(workflow_id, self._operator_calls.release(workflow_id, caller))

    def webhook(self, request: Request) -> Response:
        """Delivers the body by capability URL."""
        fresh = self._front_door.webhook(request.parameters["token"], request.json())
        return response_of(202, {"accepted": True, "repeated": not fresh})

    def describe_webhook(self, request: Request) -> Response:
        """What a capability URL is for; changes nothing."""
        return response_of(200, self._front_door.describe_webhook(request.parameters["token"]))


def _hold_of(head: Head) -> Hold | None:
    return None if head.snapshot.status.terminal else head.hold


def _started(started: Started, head: Head | None) -> Response:
    """A run that goes on, or waits; ``head``: as it is by now, if somebody has looked."""
    snapshot = started.snapshot if head is None else head.snapshot
    link = f"/runs/{snapshot.workflow_id}"
    body: JsonObject = {
        "workflowId": snapshot.workflow_id,
        "status": snapshot.status.value,
        "links": {"run": link, "resume": f"{link}/resume"},
    }
    return with_header(response_of(202 if started.fresh else 200, body), "location", link)


def _ended(head: Head) -> Response:
    """A run that has ended while the caller waited: with its output, or with what it failed of."""
    snapshot = head.snapshot
    link = f"/runs/{head.workflow_id}"
    body: JsonObject = {
        "workflowId": head.workflow_id,
        "status": snapshot.status.value,
        "output": snapshot.output,
        "links": {"run": link},
    }
    if snapshot.error is not None:
        body["error"] = snapshot.error.error
        body["errorType"] = snapshot.error.error_type
    return with_header(response_of(200, body), "location", link)
