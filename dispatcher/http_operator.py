"""The routes of operators: hold, cancel, retry, fork, remove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from dispatcher.http_request import Request, Response, accepted, response_of, with_header
from dispatcher.limits import REASON_CHARACTERS_MAX
from dispatcher.operator_calls import Caller, OperatorCalls
from dispatcher.problems import RequestFault
from engine import Snapshot
from engine.definition import faults_of, valid_name
from engine.json_value import checked_copy

_Body = TypeVar("_Body", bound="OperatorBody")


class OperatorBody(BaseModel):
    """Body of a call that takes no more than a reason."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_name=False, validate_by_alias=True)

    reason: Annotated[str, Field(max_length=REASON_CHARACTERS_MAX)] | None = None


class RetryBody(OperatorBody):
    """Body of ``POST /runs/{id}/retry``."""

    data: dict[str, object] | None = None
    definition: str | None = None


class ForkBody(OperatorBody):
    """Body of ``POST /runs/{id}/fork``."""

    version: Annotated[int, Field(ge=0, strict=True)] | None = None
    workflow_id: str | None = None

    @field_validator("workflow_id")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        if value is not None and not valid_name(value):
            raise ValueError("must be 1 to 128 letters, digits or _.:@- and begin with a letter, a digit or _")
        return value


def body_of(request: Request, model: type[_Body]) -> _Body:
    """The body as a model; an empty one says nothing.

    Raises:
        RequestFault: with each bad field.
    """
    document = request.json()
    try:
        return model.model_validate({} if document is None else document)
    except ValidationError as error:
        raise RequestFault(400, "the body is not what this call takes", faults_of(error)) from None


def caller_of(request: Request, model: type[OperatorBody]) -> Caller:
    """Who calls and why."""
    return _caller(request, body_of(request, model))


def _caller(request: Request, body: OperatorBody) -> Caller:
    return Caller(actor=request.actor, reason=body.reason, key=request.idempotency_key())


class OperatorRoutes:
    """Answers operators."""

    def __init__(self, operator_calls: OperatorCalls) -> None:
        self._calls = operator_calls

    def routes(self) -> Sequence[tuple[str, str, Callable[[Request], Response]]]:
        """Method, path and what answers there."""
        return (
            ("POST", "/runs/{id}/pause", self._hold),
            ("POST", "/runs/{id}/cancel", self._cancel),
            ("POST", "/runs/{id}/retry", self._retry),
            ("POST", "/runs/{id}/fork", self._fork),
            ("DELETE", "/runs/{id}", self._remove),
        )

    def _hold(self, request: Request) -> Response:
        workflow_id = request.parameters["id"]
        return accepted(workflow_id, self._calls.hold(workflow_id, caller_of(request, OperatorBody)))

    def _cancel(self, request: Request) -> Response:
        snapshot = self._calls.cancel(request.parameters["id"], caller_of(request, OperatorBody))
        return _changed(snapshot)

    def _retry(self, request: Request) -> Response:
        body = body_of(request, RetryBody)
        data = checked_copy(body.data, "data")
        snapshot = self._calls.retry(
            request.parameters["id"],
            _caller(request, body),
            data=data if isinstance(data, dict) else None,
            definition=body.definition,
        )
        return _changed(snapshot)

    def _fork(self, request: Request) -> Response:
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

    def _remove(self, request: Request) -> Response:
        gone = self._calls.remove(request.parameters["id"])
        # There was more than one call can remove: the caller asks again.
        return response_of(200 if gone else 202, {"workflowId": request.parameters["id"], "removed": gone})


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
