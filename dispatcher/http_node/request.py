"""What is sent: from a node's data, and again after a redirect.

It refuses headers that could make another message of the request, and to carry to another server what was meant for
the first one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dispatcher.http_node.errors import HttpRefused
from dispatcher.http_node.secrecy import Mask
from dispatcher.http_node.url import InvalidUrl, Url, read_url, redirect_url
from engine.core_data import HttpData
from engine.errors import InvalidInput
from engine.step import Step

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1): they need no key."""

_DEFAULTS: Final = {"Accept": "*/*", "Accept-Encoding": "gzip", "User-Agent": "refluxo"}

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")

_OURS: Final = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "upgrade",
        "te",
        "trailer",
        "expect",
    }
)
"""Headers that frame the message or belong to one connection (RFC 9110, 7.6.1; RFC 9112, 6)."""

_FOR_ANYBODY: Final = frozenset({"accept", "accept-encoding", "accept-language", "user-agent", "content-type"})
"""Headers that go to another server too. Any other may be a credential: services name theirs as they like."""

_ABOUT_THE_BODY: Final = ("content-", "idempotency-key")

_SEE_OTHER: Final = 303
_METHOD_CHANGES: Final = {(301, "POST"), (302, "POST")}
"""What browsers made of these, and RFC 9110, 15.4 allows."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request. ``headers`` are all but Host; ``mask`` hides what its text must not show."""

    method: str
    url: Url
    headers: Mapping[str, str]
    body: bytes | None
    mask: Mask

    def __str__(self) -> str:
        """How messages name it: by method, host and path. Its query may hold secrets."""
        return f"{self.method} {self.url.authority}{self.mask.hide(self.url.path)}"


def request_of(data: HttpData, step: Step) -> Request:
    """The request that a node's data asks for.

    Raises:
        InvalidInput: the URL, a header or the body cannot be sent; names the field.
    """
    try:
        url = read_url(data.url, data.query)
    except InvalidUrl as error:
        raise InvalidInput(f"node {step.node_id!r}: url: {error}") from None
    try:
        given = _checked_headers(data.headers or {})
        body, kind = _body(data)
    except ValueError as error:
        raise InvalidInput(f"node {step.node_id!r}: {error}") from None
    headers = dict(_DEFAULTS)
    if kind is not None:
        headers["Content-Type"] = kind
    if data.method not in _SAFE:
        headers[IDEMPOTENCY_HEADER] = step.idempotency_key
    theirs = {name.lower() for name in given}
    sent = {name: value for name, value in headers.items() if name.lower() not in theirs}
    sent |= {name: value for name, value in given.items() if value is not None}
    if body is not None or data.method in {"POST", "PUT", "PATCH"}:
        sent["Content-Length"] = str(len(body or b""))
    return Request(data.method, url, sent, body, Mask.of(step.globals, given))


def redirected(request: Request, status: int, location: str) -> Request:
    """The request that a redirect asks for.

    Raises:
        HttpRefused: it leads where no workflow may go.
    """
    try:
        url = redirect_url(request.url, location)
    except InvalidUrl as error:
        raise HttpRefused(f"{request}: the server redirects to a URL that is not called: {error}") from None
    if request.url.scheme == "https" and url.scheme == "http":
        raise HttpRefused(f"{request}: the server redirects from https to http, where anybody can read along")
    method, body, headers = request.method, request.body, dict(request.headers)
    if (status == _SEE_OTHER and method != "HEAD") or (status, method) in _METHOD_CHANGES:
        method, body = "GET", None
        headers = {name: value for name, value in headers.items() if not name.lower().startswith(_ABOUT_THE_BODY)}
    if not request.url.trusts(url):
        if body is not None:
            raise HttpRefused(f"{request}: the server redirects to {url.authority}, which the body was not meant for")
        headers = {name: value for name, value in headers.items() if name.lower() in _FOR_ANYBODY}
    return Request(method, url, headers, body, request.mask)


def _checked_headers(headers: Mapping[str, str | None]) -> Mapping[str, str | None]:
    """Raises ValueError. Values are never quoted, nor names that are none: expressions may have put secrets there."""
    seen: set[str] = set()
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError("headers: a name has characters that no header's name has")
        if name.lower() in _OURS:
            raise ValueError(f"headers: {name} follows from the URL and the body; leave it out")
        if name.lower() in seen:
            raise ValueError(f"headers: {name} is given twice")
        if value is not None and not _VALUE.fullmatch(value):
            raise ValueError(f"headers: {name} has a line break, a control character or one beyond Latin-1")
        seen.add(name.lower())
    return headers


def _body(data: HttpData) -> tuple[bytes | None, str | None]:
    """The body and its type."""
    if data.sends_json:
        return json.dumps(data.json_body, allow_nan=False).encode(), "application/json"
    if data.body is None:
        return None, None
    try:
        return data.body.encode(), "text/plain; charset=utf-8"
    except UnicodeEncodeError:
        raise ValueError("body: it holds half of a surrogate pair, which has no UTF-8") from None
