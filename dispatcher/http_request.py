"""An HTTP request as API Gateway's HTTP API hands it over (version 2.0), and answers as it takes them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from dispatcher.limits import IDEMPOTENCY_KEY_CHARACTERS_MAX, REQUEST_BODY_BYTES_MAX
from dispatcher.problems import RequestFault
from engine.errors import Fault, InvalidOutput
from engine.json_value import JsonObject, JsonValue, checked_copy

Response: TypeAlias = dict[str, object]
"""API Gateway's: ``{"statusCode", "headers", "body"}``."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, taken apart. Header names are in lower case. ``actor``: who the authorizer says it is."""

    method: str
    path: str
    headers: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)
    actor: str = "anonymous"

    def json(self) -> JsonValue:
        """The body as JSON; None when it is empty.

        Raises:
            RequestFault: 413 when it is too large, 400 when it is not JSON that can be kept.
        """
        if len(self.body) > REQUEST_BODY_BYTES_MAX:
            raise RequestFault(413, f"the body has {len(self.body)} bytes; the most is {REQUEST_BODY_BYTES_MAX}")
        if not self.body.strip():
            return None
        try:
            document = json.loads(self.body)
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


def read_request(event: Mapping[str, object]) -> Request:
    """Takes an HTTP API 2.0 event apart.

    Raises:
        RequestFault: the body says it is base64 and is not.
    """
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, Mapping) else None
    method = str(http.get("method", "GET")) if isinstance(http, Mapping) else "GET"
    headers = event.get("headers")
    text = event.get("body") or ""
    if event.get("isBase64Encoded") is True:
        try:
            body = base64.b64decode(str(text), validate=True)
        except ValueError:
            raise RequestFault(400, "the body is not base64") from None
    else:
        body = str(text).encode("utf-8", "surrogatepass")
    query = event.get("queryStringParameters")
    return Request(
        method=method,
        path=str(event.get("rawPath") or "/"),
        headers={str(k).lower(): str(v) for k, v in headers.items()} if isinstance(headers, Mapping) else {},
        body=body,
        query={str(k): str(v) for k, v in query.items()} if isinstance(query, Mapping) else {},
        actor=_actor(context.get("authorizer") if isinstance(context, Mapping) else None),
    )


def _actor(authorizer: object) -> str:
    """Who calls: the ARN an IAM authorizer tells, or the subject of a JWT."""
    if not isinstance(authorizer, Mapping):
        return "anonymous"
    iam, jwt = authorizer.get("iam"), authorizer.get("jwt")
    if isinstance(iam, Mapping) and isinstance(iam.get("userArn"), str):
        return str(iam["userArn"])
    claims = jwt.get("claims") if isinstance(jwt, Mapping) else None
    if isinstance(claims, Mapping) and isinstance(claims.get("sub"), str):
        return str(claims["sub"])
    return "anonymous"


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


def with_header(response: Response, name: str, value: str) -> Response:
    """The same answer with one more header."""
    headers = response["headers"]
    return {**response, "headers": {**headers, name: value} if isinstance(headers, dict) else {name: value}}
