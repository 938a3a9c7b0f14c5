"""AWS's errors by what the platform must do next: deliver again, or go on."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from dispatcher.errors import DispatchError, ItemTooLarge, Retryable, Terminal, calling_aws, classified, error_code
from tests.dispatcher.wiretap import client_error

PASSING = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
    "RequestThrottled",
    "KmsThrottled",
    "LimitExceededException",
]
LASTING = [
    "ValidationException",
    "AccessDeniedException",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
    "InvalidParameterValue",
    "AWS.SimpleQueueService.NonExistentQueue",
    "SomethingNobodyHasHeardOf",
]


@pytest.mark.parametrize("code", PASSING)
def test_what_passes_is_retryable(code: str) -> None:
    """Throttling and conflicts, whatever service calls them by whatever name."""
    assert type(classified(client_error("PutItem", code))) is Retryable


@pytest.mark.parametrize("code", LASTING)
def test_what_lasts_is_terminal(code: str) -> None:
    """The same call would fail again."""
    assert isinstance(classified(client_error("PutItem", code)), Terminal)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_s_fault_is_retryable_under_any_name(status: int) -> None:
    """5xx says that it is not about the request."""
    assert type(classified(client_error("PutItem", "SomethingNobodyHasHeardOf", status=status))) is Retryable


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://queue.test"),
        ConnectTimeoutError(endpoint_url="https://queue.test"),
        ReadTimeoutError(endpoint_url="https://queue.test"),
        NoCredentialsError(),
    ],
)
def test_no_answer_is_retryable(error: EndpointConnectionError) -> None:
    """Nobody knows whether it was done."""
    assert type(classified(error)) is Retryable


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (["TransactionConflict"], Retryable),
        (["None", "ThrottlingError", "ProvisionedThroughputExceeded"], Retryable),
        (["None", "TransactionConflict", "ValidationError"], Terminal),
        (["ConditionalCheckFailed"], Terminal),
    ],
)
def test_a_cancelled_transaction_passes_when_all_its_reasons_do(codes: list[str], kind: type[DispatchError]) -> None:
    """One lasting reason is enough."""
    reasons = [{"Code": code} for code in codes]
    error = client_error("TransactWriteItems", "TransactionCanceledException", CancellationReasons=reasons)
    assert type(classified(error)) is kind


def test_an_item_the_table_refuses_is_too_large() -> None:
    """DynamoDB has no code of its own for it."""
    error = client_error("UpdateItem", "ValidationException")
    error.response["Error"]["Message"] = "Item size to update has exceeded the maximum allowed size"
    refused = ClientError(error.response, "UpdateItem")
    assert type(classified(refused)) is ItemTooLarge


def test_an_answer_without_anything_is_terminal() -> None:
    """An error without code and status is not mistaken for one that passes."""
    error = ClientError({}, "PutItem")
    assert error_code(error) == ""
    assert type(classified(error)) is Terminal


def test_only_what_a_client_raises_is_turned() -> None:
    """Anything else is a fault of ours, and stays what it is; the cause is kept."""
    with pytest.raises(ZeroDivisionError), calling_aws():
        _ = 1 / 0
    with pytest.raises(Retryable) as caught, calling_aws():
        raise client_error("PutItem", "ThrottlingException")
    assert isinstance(caught.value.__cause__, ClientError)


def test_an_error_is_one_or_the_other() -> None:
    """No error says both: deliver again, and go on."""
    kinds = {Retryable, Terminal}
    todo = list(DispatchError.__subclasses__())
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        assert len(kinds & set(kind.__mro__)) <= 1, kind
