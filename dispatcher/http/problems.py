"""Errors as callers see them: one place that maps an exception to an RFC 9457 problem document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dispatcher.catalog import AnotherVersion, NameOfCode
from dispatcher.errors import (
    DispatchError,
    InvalidCursor,
    ItemTooLarge,
    Retryable,
    RunFinished,
    RunNotFound,
    UnknownSchema,
)
from dispatcher.front_door import (
    InvalidRunInput,
    NothingToResume,
    PayloadTooLargeForRun,
    StartConflict,
    WaitClosed,
)
from dispatcher.operator_calls import NotPossible, RunMovedOn
from dispatcher.retention import RunPinned
from dispatcher.rewind import NoSuchVersion
from dispatcher.webhook_token import InvalidToken
from engine.errors import Fault, InvalidDefinition, UnknownWorkflow
from engine.json_value import JsonObject


class RequestFault(DispatchError):
    """A request is wrong in itself; ``faults`` names each bad field and its remedy."""

    def __init__(self, status: int, detail: str, faults: Iterable[Fault] = ()) -> None:
        self.status = status
        self.faults = tuple(faults)
        super().__init__(detail)


_TITLES: Final = {
    400: "Bad request",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    410: "Gone",
    412: "Precondition failed",
    413: "Content too large",
    422: "Unprocessable content",
    500: "Internal error",
    503: "Service unavailable",
}

_STATUS: Final[dict[type[Exception], int]] = {
    RunNotFound: 404,
    UnknownWorkflow: 404,
    InvalidToken: 404,
    StartConflict: 409,
    RunFinished: 409,
    NothingToResume: 409,
    NotPossible: 409,
    NoSuchVersion: 409,
    RunPinned: 409,
    NameOfCode: 409,
    AnotherVersion: 412,
    RunMovedOn: 412,
    InvalidDefinition: 422,
    InvalidCursor: 400,
    WaitClosed: 410,
    PayloadTooLargeForRun: 413,
    ItemTooLarge: 413,
    InvalidRunInput: 422,
    Retryable: 503,
    UnknownSchema: 503,
}

_INTERNAL: Final = 500

_OUR_SIDE: Final = {
    500: "Something went wrong on our side; the log has the cause.",
    503: "AWS did not answer in time; send the request again, with the same Idempotency-Key if it had one.",
}


def status_of(error: Exception) -> int:
    """The HTTP status of an error; 500 for one nobody expected."""
    if isinstance(error, RequestFault):
        return error.status
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return _INTERNAL


def problem_of(error: Exception) -> JsonObject:
    """The problem document of an error. One on our side says nothing of what it was: that is in the log."""
    status = status_of(error)
    detail = _OUR_SIDE.get(status, str(error))
    document: JsonObject = {"type": "about:blank", "title": _TITLES[status], "status": status, "detail": detail}
    faults = getattr(error, "faults", ())
    if faults:
        document["errors"] = [{"path": fault.path, "message": fault.message} for fault in faults]
    return document
