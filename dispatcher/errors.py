"""Errors by what the platform must do next, and the one place that classifies AWS's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError


class DispatchError(Exception):
    """Base of the shell's own errors."""


class Retryable(DispatchError):
    """Nothing is decided: the platform delivers the message, or the caller sends the request, again."""


class Terminal(DispatchError):
    """Trying again would end the same way: record it, tell somebody, and go on."""


class MalformedMessage(Terminal):
    """A message nobody can act on, now or later. It is parked, never redelivered."""


class UnknownSchema(DispatchError):
    """A head written by newer code than this: a deploy is in flight."""


class ItemTooLarge(Terminal):
    """An item would exceed what the table takes. Nothing has been written."""


class HistoryDamaged(Terminal):
    """A sealed object is missing, or another stands in its place: nothing is written, somebody must look."""


class SealBroken(HistoryDamaged):
    """Another object stands where one was to be sealed. Nothing has been written."""


class InvalidCursor(Terminal):
    """A cursor that no page of this listing has given."""


class RunNotFound(Terminal):
    """There is no such run."""


class RunFinished(Terminal):
    """The run has ended (or has never been): it takes no more signals."""


# Service errors that say "not now". botocore's standard retry mode repeats most of them a few times; it
# leaves out TransactionConflictException (botocore docs, "Retries"), and what is left after its retries
# arrives here.
_PASSING = frozenset(
    {
        "InternalServerError",
        "InternalFailure",
        "ServiceUnavailable",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "Throttling",
        "ThrottledException",
        "TooManyRequestsException",
        "TransactionConflictException",
        "TransactionInProgressException",
        "RequestThrottled",
        "RequestTimeout",
        "RequestTimeoutException",
        "LimitExceededException",
        "KmsThrottled",
    }
)

_SERVER_FAULT = 500

# DynamoDB has no code of its own for an item over 400 KB; its text is the same for every kind of write. What is
# too large is known before it is sent, but for attributes that a head does not know.
_ITEM_SIZE = "Item size"


def error_code(error: ClientError) -> str:
    """The service's own name of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def classified(error: ClientError | BotoCoreError) -> DispatchError:
    """Retryable for what passes (throttling, conflicts, 5xx, a lost connection), Terminal for what does not.

    A cancelled transaction passes when all of its reasons do; the adapter looks at failed conditions before
    it asks here.
    """
    response = getattr(error, "response", None)
    if response is None:
        return Retryable(f"no answer from AWS: {error}")
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "TransactionCanceledException":
        reasons = {reason.get("Code", "None") for reason in response.get("CancellationReasons", [])} - {"None"}
        passing = reasons <= {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
        return Retryable(str(error)) if passing else Terminal(str(error))
    if code in _PASSING or status >= _SERVER_FAULT:
        return Retryable(str(error))
    if code == "ValidationException" and _ITEM_SIZE in str(error):
        return ItemTooLarge(str(error))
    return Terminal(str(error))


@contextmanager
def calling_aws() -> Iterator[None]:
    """Turns what a client raises into Retryable or Terminal, and leaves everything else alone."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (only where a client is used)

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise classified(error) from error
