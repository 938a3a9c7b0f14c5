"""The executor of ``core:http``: a request, its redirects, and what the answer comes to.

Statuses below 400 are results. 4xx goes by ``rejected`` when an edge leaves by it and fails the step otherwise; 429 and
5xx fail it, so that its retry policy decides. It keeps no connection and no cookie: a call knows nothing of another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from dispatcher.http_node.body import body_of, excerpt_of
from dispatcher.http_node.connection import Outside, Reply, Select, Wanted
from dispatcher.http_node.errors import (
    HttpError,
    HttpRefused,
    HttpRejected,
    HttpThrottled,
    HttpTooLarge,
    HttpUnavailable,
)
from dispatcher.http_node.request import Request, redirected, request_of
from dispatcher.http_node.time_limit import TimeLimit
from dispatcher.limits import (
    HTTP_DEADLINE_RESERVE_MS,
    HTTP_ERROR_BODY_BYTES_MAX,
    HTTP_ERROR_EXCERPT_CHARACTERS,
    HTTP_REDIRECTS_MAX,
    HTTP_RESPONSE_BYTES_MAX,
    HTTP_TIMEOUT_MS,
)
from engine.core_data import HttpData
from engine.outcome import Output
from engine.step import Step

REJECTED: Final = "rejected"

_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500
_TOO_MANY: Final = 429
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_LEFT_OUT: Final = frozenset({"set-cookie"})
"""Headers that are credentials: what a run keeps is seen by whoever may see the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpNode:
    """Executes ``core:http``.

    Args:
        outside: the network.
        now_ms: the time, epoch milliseconds.
    """

    outside: Outside
    now_ms: Callable[[], int]

    def execute(self, data: HttpData, step: Step) -> Output:
        """Calls the URL.

        Raises:
            InvalidInput: the data is no request.
            HttpError: there is no answer, or one that is a failure; its type says which.
        """
        request = request_of(data, step)
        keeps_rejected = step.connects(REJECTED)

        def wanted(status: int, headers: Mapping[str, str]) -> Wanted:
            if _location(status, headers) is not None:
                return Wanted(0, intact=False)
            if status < _CLIENT_ERROR or (keeps_rejected and _is_rejection(status)):
                return Wanted(HTTP_RESPONSE_BYTES_MAX, intact=True)
            return Wanted(HTTP_ERROR_BODY_BYTES_MAX, intact=False)

        with TimeLimit(self._limit_ms(data, step) / 1000) as limit:
            request, reply = self._answered(request, limit, wanted)
        return self._outcome(request, reply, keeps_rejected=keeps_rejected)

    def _answered(self, request: Request, limit: TimeLimit, wanted: Select) -> tuple[Request, Reply]:
        """The last request, redirects followed, and its answer."""
        for _ in range(HTTP_REDIRECTS_MAX + 1):
            reply = self.outside.exchange(request, limit, wanted)
            location = _location(reply.status, reply.headers)
            if location is None:
                return request, reply
            request = redirected(request, reply.status, location)
        raise HttpRefused(f"{request}: more than {HTTP_REDIRECTS_MAX} redirects")

    def _limit_ms(self, data: HttpData, step: Step) -> int:
        limit_ms = data.timeout_ms if data.timeout_ms is not None else HTTP_TIMEOUT_MS
        if step.deadline_ms is None:
            return limit_ms
        return max(min(limit_ms, step.deadline_ms - self.now_ms() - HTTP_DEADLINE_RESERVE_MS), 1)

    def _outcome(self, request: Request, reply: Reply, *, keeps_rejected: bool) -> Output:
        if reply.status < _CLIENT_ERROR:
            return Output(_result(request, reply))
        if not _is_rejection(reply.status):
            raise self._unavailable(request, reply)
        if keeps_rejected:
            return Output(_result(request, reply), REJECTED)
        raise HttpRejected(_told(request, reply))

    def _unavailable(self, request: Request, reply: Reply) -> HttpError:
        kind = HttpThrottled if reply.status == _TOO_MANY else HttpUnavailable
        return kind(_told(request, reply), _retry_after_ms(reply.headers.get("retry-after", ""), self.now_ms()))


def _location(status: int, headers: Mapping[str, str]) -> str | None:
    """Where an answer redirects to; None when it does not."""
    return headers.get("location") if status in _REDIRECTS else None


def _is_rejection(status: int) -> bool:
    return _CLIENT_ERROR <= status < _SERVER_ERROR and status != _TOO_MANY


def _result(request: Request, reply: Reply) -> dict[str, object]:
    if not reply.whole:
        raise HttpTooLarge(f"{request}: the answer has more than {HTTP_RESPONSE_BYTES_MAX} bytes; ask for less of it")
    headers = {name: value for name, value in sorted(reply.headers.items()) if name not in _LEFT_OUT}
    return {"status": reply.status, "headers": headers, **body_of(reply.body, headers.get("content-type"))}


def _told(request: Request, reply: Reply) -> str:
    # Hidden before it is cut, for a cut secret would not be found.
    text = request.mask.hide(excerpt_of(reply.body, reply.headers.get("content-type"))).strip()
    excerpt = text[:HTTP_ERROR_EXCERPT_CHARACTERS] + ("…" if len(text) > HTTP_ERROR_EXCERPT_CHARACTERS else "")
    return f"{request} was answered {reply.status}" + (f": {excerpt}" if excerpt else "")


def _retry_after_ms(text: str, now_ms: int) -> int:
    """Retry-After is a number of seconds or a date (RFC 9110, 10.2.3); what is neither asks for nothing."""
    if _SECONDS.fullmatch(text.strip()):
        return int(text) * 1000
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return 0
    at = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max(round(at.timestamp() * 1000) - now_ms, 0)
