"""The routes of operators: hold, cancel, retry, fork, remove."""

from __future__ import annotations

from dataclasses import replace

from dispatcher.http.bodies import ForkBody, OperatorBody, RetryBody, body_of
from dispatcher.http.conditions import run_versions
from dispatcher.http.request import Request, Response, accepted, response_of, with_header
from dispatcher.http.tenancy import operators_only
from dispatcher.operator_calls import Caller, OperatorCalls
from engine import Snapshot
from engine.json_value import checked_copy


class OperatorRoutes:
    """Answers operators."""

    def __init__(self, operator_calls: OperatorCalls) -> None:
        self._calls = operator_calls

    def hold(self, request: Request) -> Response:
        """Holds a run."""
        workflow_id = request.parameters["id"]
        return accepted(workflow_id, self._calls.hold(workflow_id, _caller(request, body_of(request, OperatorBody))))

    def cancel(self, request: Request) -> Response:
        """Ends a run."""
        caller = _conditional_caller(request, body_of(request, OperatorBody))
        snapshot = self._calls.cancel(request.parameters["id"], caller)
        return _changed(snapshot)

    def retry(self, request: Request) -> Response:
        """Takes a failed run back to its failed node."""
        body = body_of(request, RetryBody)
        if body.data is not None:
            # Data may hold expressions, and those may read secrets: whoever writes it is an author.
            operators_only(request, "a retry with other data")
        data = checked_copy(body.data, "data")
        snapshot = self._calls.retry(
            request.parameters["id"],
            _conditional_caller(request, body),
            data=data if isinstance(data, dict) else None,
            definition=body.definition,
        )
        return _changed(snapshot)

    def fork(self, request: Request) -> Response:
        """Starts a new run from a version of this one."""
        body = body_of(request, ForkBody)
        head, fresh = self._calls.fork(
            request.parameters["id"], _caller(request, body), version=body.version, new_id=body.workflow_id
        )
        link = f"/runs/{head.workflow_id}"
        answer = response_of(
            202 if fresh else 200,
            {
                "workflowId": head.workflow_id,
                "status": head.snapshot.status.value,
                "version": head.version,
                "links": {"run": link, "source": f"/runs/{request.parameters['id']}"},
            },
        )
        return with_header(answer, "location", link)

    def remove(self, request: Request) -> Response:
        """Removes a run that has ended, and all that belongs to it."""
        gone = self._calls.remove(request.parameters["id"])
        # There was more than one call can remove: the caller asks again.
        return response_of(200 if gone else 202, {"workflowId": request.parameters["id"], "removed": gone})


def _caller(request: Request, body: OperatorBody) -> Caller:
    return Caller(actor=request.actor, reason=body.reason, key=request.idempotency_key())


def _conditional_caller(request: Request, body: OperatorBody) -> Caller:
    """Of a call that is a transition, which can be bound to the version the caller has seen."""
    return replace(_caller(request, body), versions=run_versions(request.headers))


def _changed(snapshot: Snapshot) -> Response:
    return response_of(
        202,
        {
            "workflowId": snapshot.workflow_id,
            "status": snapshot.status.value,
            "version": snapshot.version,
            "links": {"run": f"/runs/{snapshot.workflow_id}"},
        },
    )
