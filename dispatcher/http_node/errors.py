"""How a call of ``core:http`` fails, by what retry policies and catch edges are to make of it.

The names are contracts: definitions match them. A message tells method, host, path, status and the beginning of the
answer; never a query, a header, or a text of the run's globals.
"""

from __future__ import annotations


class HttpError(Exception):
    """Base of them all."""


class HttpRejected(HttpError):
    """The server answered 4xx (but 429): it will not do this. Retried only by a policy that names it."""


class HttpUnavailable(HttpError):
    """The server answered 5xx: not now.

    Args:
        message: what happened.
        retry_after_ms: how long the server asks to be left alone, milliseconds; the retry waits that long at least.
    """

    def __init__(self, message: str, retry_after_ms: int = 0) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class HttpThrottled(HttpUnavailable):
    """The server answered 429: too many calls."""


class HttpUnreachable(HttpError):
    """There is no answer: no such name, no connection, a certificate that is not trusted, or an answer cut short."""


class HttpTimedOut(HttpUnreachable):
    """There is no answer in time. Whether the server has done what was asked is not known."""


class HttpRefused(HttpError):
    """The call, or a redirect of it, leads where no workflow may go. Never retried."""


class HttpTooLarge(HttpError):
    """The answer is larger than what a run keeps. Never retried."""
