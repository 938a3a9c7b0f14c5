"""A request as the routes read it, and answers as API Gateway takes them. How an event becomes one is http_event's."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from dispatcher.http.problems import RequestFault
from dispatcher.limits import IDEMPOTENCY_KEY_CHARACTERS_MAX, REQUEST_BODY_BYTES_MAX
from engine.errors import Fault, InvalidOutput
from engine.json_value import JsonObject, JsonValue, checked_copy

Response: TypeAlias = dict[str, object]
"""API Gateway's, for REST and HTTP APIs alike: ``{"statusCode", "headers", "body"}``."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the authorizer says the caller is.

    Args:
        actor: the ARN of AWS credentials, or the subject of a token.
        claims: what a token says of its bearer; None for a caller without one.
        signed: whether the request was signed with AWS credentials.
    """

    actor: str = "anonymous"
    claims: Mapping[str, object] | None = None
    signed: bool = False


NOBODY = Identity()


@dataclass(frozen=True, slots=True)
class Request:
    """A request, taken apart.

    Args:
        method: in capitals, as it was sent.
        path: below the API's root, as it was sent: escapes are still escapes.
        headers: by name in lower case.
        parameters: what the route's template names in the path, checked.
        text: the body as the event has it.
        encoded: whether ``text`` is base64.
        query: by name; values of a repeated name are joined by commas.
        identity: who calls.
        tenant: whose runs alone the caller may see and touch; None for a caller who may all.
        ends_at_ms: when the platform stops this function, epoch milliseconds, if that is known.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    encoded: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    identity: Identity = NOBODY
    tenant: str | None = None
    ends_at_ms: int | None = None

    @property
    def actor(self) -> str:
        """Who calls, as the history tells it."""
        return self.identity.actor

    def body(self) -> bytes:
        """The body.

        Raises:
            RequestFault: 413 when it is too large, 400 when it says it is base64 and is not.
        """
        if self.encoded:
            try:
                body = base64.b64decode(self.text, validate=True)
            except ValueError:
                raise RequestFault(400, "the body is not base64") from None
        else:
            body = self.text.encode("utf-8", "surrogatepass")
        if len(body) > REQUEST_BODY_BYTES_MAX:
            raise RequestFault(413, f"the body has {len(body)} bytes; the most is {REQUEST_BODY_BYTES_MAX}")
        return body

    def json(self) -> JsonValue:
        """The body as JSON, whatever its content type says; None when it is empty.

        Raises:
            RequestFault: as for :meth:`body`, and 400 when it is not JSON that can be kept.
        """
        body = self.body()
        if not body.strip():
            return None
        try:
            document = json.loads(body)
        except RecursionError:
            raise RequestFault(400, "the body is nested too deeply") from None
        except ValueError as error:
            raise RequestFault(400, f"the body is not JSON: {error}") from None
        try:
            return checked_copy(document)
        except InvalidOutput as error:
            path, _, message = str(error).partition(": ")
            raise RequestFault(400, "the body cannot be kept as JSON", [Fault(path, message)]) from None

    def idempotency_key(self) -> str | None:
        """The Idempotency-Key header, if there is one."""
        key = self.headers.get("idempotency-key")
        if key is not None and not (1 <= len(key) <= IDEMPOTENCY_KEY_CHARACTERS_MAX and key.isprintable()):
            most = IDEMPOTENCY_KEY_CHARACTERS_MAX
            raise RequestFault(400, f"Idempotency-Key must have 1 to {most} printable characters")
        return key


def accepted(workflow_id: str, fresh: bool) -> Response:
    """Something was written, or had been before."""
    return response_of(202, {"accepted": True, "repeated": not fresh, "links": {"run": f"/runs/{workflow_id}"}})


def response_of(status: int, body: JsonObject, *, content_type: str = "application/json") -> Response:
    """An answer of JSON."""
    # A fault may quote a lone surrogate of the request: it has no UTF-8, but its escape is JSON.
    text = json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace").decode()
    return {
        "statusCode": status,
        "headers": {"content-type": content_type, "cache-control": "no-store"},
        "body": text,
    }


def empty_response(status: int, headers: Mapping[str, str]) -> Response:
    """An answer without a body."""
    return {"statusCode": status, "headers": dict(headers), "body": ""}


def headers_of(response: Response) -> dict[str, str]:
    """The headers of an answer."""
    headers = response["headers"]
    return dict(headers) if isinstance(headers, dict) else {}


def with_header(response: Response, name: str, value: str) -> Response:
    """The same answer with one more header."""
    return {**response, "headers": {**headers_of(response), name: value}}
