"""Calls of the HTTP API, as anybody outside would make them: JSON out, JSON in, signed when told how.

It follows no redirects, for a signature or a token is for one address alone, and it repeats nothing by itself.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException
from typing import Final, TypeAlias
from urllib.parse import quote, unquote, urlencode, urlsplit

from cli.failures import NOT_FOUND, REFUSED, UNREACHABLE, CommandError

TIMEOUT_SECONDS: Final = 35.0
"""A little more than API Gateway gives any request (30 s)."""

ENDED: Final = frozenset({"completed", "failed", "cancelled"})
"""Statuses of a run in which nothing more happens by itself."""

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

Authorize: TypeAlias = Callable[[str, str, bytes | None], Mapping[str, str]]
"""Given method, address and body: the headers that say who asks."""


class ApiError(CommandError):
    """The API did not answer, or answered with an error. ``status``: the HTTP status, None without an answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None,
        advice: str | None = None,
        problem: Mapping[str, object] | None = None,
    ) -> None:
        self.status = status
        super().__init__(message, _exit_code(status), advice=advice, problem=problem)


def _exit_code(status: int | None) -> int:
    if status == HTTPStatus.NOT_FOUND:
        return NOT_FOUND
    return REFUSED if status is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR else UNREACHABLE


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON body and headers (names in lower case) of an answer. 304 has no body."""

    status: int
    document: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


class _NotOurs(Exception):
    """An answer that no Refluxo gives."""


class Api:
    """Calls the API at an address.

    Args:
        url: its address; with a path, if the API stands below one.
        authorize: gives the headers that say who asks; None asks as nobody.
        who: how an error tells as whom it was asked.
        timeout_seconds: the longest silence.
    """

    def __init__(
        self,
        url: str,
        *,
        authorize: Authorize | None = None,
        who: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.url = url.rstrip("/")
        self._authorize = authorize
        self._who = who
        self._timeout_seconds = timeout_seconds
        # A proxy of the environment knows nothing of this machine's own ports.
        proxies = [urllib.request.ProxyHandler({})] if urlsplit(url).hostname in LOOPBACK else []
        self._opener = urllib.request.build_opener(_NoRedirects, *proxies)

    def get(self, path: str, query: Mapping[str, object] | None = None, *, etag: str | None = None) -> Answer:
        """GET a path, or an address of the API. With ``etag`` the answer may be 304, without a body."""
        return self._call("GET", path, query=query, headers={} if etag is None else {"if-none-match": etag})

    def post(self, path: str, document: object = None, *, idempotency_key: str | None = None) -> Answer:
        """POST JSON to a path, or to an address of the API."""
        headers = {} if idempotency_key is None else {"idempotency-key": idempotency_key}
        return self._call("POST", path, document=document, headers=headers)

    def put(self, path: str, document: object) -> Answer:
        """PUT JSON to a path."""
        return self._call("PUT", path, document=document)

    def delete(self, path: str) -> Answer:
        """DELETE what is at a path."""
        return self._call("DELETE", path)

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        document: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        address = path if path.startswith(f"{self.url}/") else self.url + path
        said = {name: str(value) for name, value in (query or {}).items() if value is not None}
        if said:
            # Not quote_plus: a signature is made over %20.
            address += "?" + urlencode(said, quote_via=quote)
        body = None if document is None else json.dumps(document).encode()
        sent = {"content-type": "application/json", "accept": "application/json", **(headers or {})}
        if self._authorize is not None:
            sent.update(self._authorize(method, address, body))
        request = urllib.request.Request(address, data=body, method=method, headers=sent)  # noqa: S310  (the user's own)
        try:
            with self._opener.open(request, timeout=self._timeout_seconds) as answer:
                return Answer(answer.status, _document(answer.read()), _lowered(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return self._refused(method, path, error)
        except _NotOurs:
            raise self._not_ours(method, path, HTTPStatus.OK) from None
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            advice = (
                "is the local stack running (refluxo local)?"
                if urlsplit(address).hostname in LOOPBACK
                else "check the address given by --url or REFLUXO_URL, and that this machine can reach it"
            )
            raise ApiError(f"{method} {address} did not answer: {reason}", status=None, advice=advice) from None

    def _refused(self, method: str, path: str, error: urllib.error.HTTPError) -> Answer:
        if error.code == HTTPStatus.NOT_MODIFIED:
            return Answer(error.code, {}, _lowered(error.headers))
        try:
            problem = _document(error.read())
        except (OSError, HTTPException):
            problem = {}
        except _NotOurs:
            # What stands before a service may say in its own words that it is away, or that the caller may not.
            if HTTPStatus.BAD_REQUEST <= error.code < _SERVER_ERROR and error.code not in _BY_OTHERS:
                raise self._not_ours(method, path, error.code) from None
            problem = {}
        # API Gateway itself says {"message": ..} where the service says {"detail": ..}.
        detail = problem.get("detail", problem.get("message", error.reason))
        raise ApiError(
            f"{method} {path}: {error.code}: {_in_brief(detail, problem)}",
            status=error.code,
            advice=self._advice(error.code, path),
            problem={"status": error.code, "detail": detail, **problem},
        )

    def _not_ours(self, method: str, path: str, status: int) -> ApiError:
        told = f"what answers at {self.url} is no Refluxo: {method} {path}: {status}, and no JSON object"
        return ApiError(told, status=None, advice="check the address: --url, REFLUXO_URL, or the link")

    def _advice(self, status: int, path: str) -> str | None:
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            if self._who is None:
                return "the request was sent as nobody: give --sign (AWS credentials), or a token in REFLUXO_TOKEN"
            return f"the request was sent as {self._who}; that identity needs execute-api:Invoke on this API"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return "try again; refluxo health tells which part is not well"
        if status < HTTPStatus.BAD_REQUEST:
            return "the address redirects, and no redirect is followed: give --url as the API's own address"
        _, room, *rest = path.split("/")
        near = self._nearest(rest[0]) if status == HTTPStatus.NOT_FOUND and room == "workflows" and rest else None
        if near is not None:
            return f"did you mean {near}?"
        return _NEXT.get((status, room), _NEXT.get((status, ""), "")).format(*rest, "") or None

    def _nearest(self, name: str) -> str | None:
        """The workflow whose name is most like one that is none's."""
        try:
            found = self.get("/workflows").document.get("workflows")
        except ApiError:
            return None
        from difflib import get_close_matches  # noqa: PLC0415  (only after a mistake)

        names = (
            [str(each.get("name")) for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
        )
        return None if unquote(name) in names else next(iter(get_close_matches(unquote(name), names, 1)), None)


_SERVER_ERROR: Final = HTTPStatus.INTERNAL_SERVER_ERROR
_BY_OTHERS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})

_NEXT: Final[Mapping[tuple[int, str], str]] = {
    (HTTPStatus.NOT_FOUND, "runs"): "refluxo list shows the runs there are",
    (HTTPStatus.NOT_FOUND, "workflows"): "refluxo workflows shows the workflows there are",
    (HTTPStatus.NOT_FOUND, "webhooks"): "use the link as it was given",
    (HTTPStatus.NOT_FOUND, ""): "is this the address of a Refluxo API (--url, REFLUXO_URL)?",
    (HTTPStatus.CONFLICT, "runs"): "refluxo show {} shows where the run stands",
}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """See urllib: None lets the answer be an error."""


def _document(body: bytes) -> Mapping[str, object]:
    if not body.strip():
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _NotOurs
    return document


def _in_brief(detail: object, problem: Mapping[str, object]) -> object:
    """What a problem is, without its faults, which are told one by one."""
    errors = problem.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    told_twice = isinstance(first, Mapping) and str(first.get("message")) in str(detail)
    return "what was sent is not valid" if told_twice else detail


def _lowered(headers: Message) -> Mapping[str, str]:
    return {name.lower(): str(value) for name, value in headers.items()}


def run_path(run_id: str, *more: str) -> str:
    """The path of a run, or of something below it."""
    return "/".join(["/runs", *(quote(part, safe=":@") for part in (run_id, *more))])


def workflow_path(name: str, *more: str) -> str:
    """The path of a workflow, or of something below it."""
    return "/".join(["/workflows", *(quote(part, safe=":@") for part in (name, *more))])
