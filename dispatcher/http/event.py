"""Requests as API Gateway hands them over: HTTP APIs (payload 2.0), REST APIs and HTTP APIs of payload 1.0.

The two differ in where they keep the method, the path, repeated values and the authorizer's word; what comes out
is one Request. It refuses to judge a request: an event that nobody would send becomes one that no route takes.
"""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher.http.request import Identity, Request


def read_request(event: Mapping[str, object], *, prefix: str = "") -> Request:
    """Takes an event apart.

    Args:
        event: the event.
        prefix: what the API's public address has before every path: a stage's name, or a custom domain's mapping.
    """
    context = _mapping(event.get("requestContext"))
    # Every REST API's event is of payload 1.0, where the method stands beside the context.
    old = "httpMethod" in event
    http = _mapping(context.get("http"))
    return Request(
        method=str(event.get("httpMethod") if old else http.get("method", "GET")),
        path=_path_of_payload_1(event, context, prefix) if old else _path_of_payload_2(event, context, prefix),
        headers={name.lower(): value for name, value in _joined(event, "multiValueHeaders", "headers", ", ").items()},
        text=str(event.get("body") or ""),
        encoded=event.get("isBase64Encoded") is True,
        query=_joined(event, "multiValueQueryStringParameters", "queryStringParameters", ","),
        identity=_identity_of_payload_1(context) if old else _identity_of_payload_2(context),
    )


def _joined(event: Mapping[str, object], multiple: str, single: str, separator: str) -> Mapping[str, str]:
    """Values by name, those of a repeated one joined as payload 2.0 does it."""
    found = {str(name): str(value) for name, value in _mapping(event.get(single)).items()}
    for name, values in _mapping(event.get(multiple)).items():
        if isinstance(values, list):
            found[str(name)] = separator.join(map(str, values))
    return found


def _path_of_payload_1(event: Mapping[str, object], context: Mapping[str, object], prefix: str) -> str:
    path, stage = str(event.get("path") or "/"), context.get("stage")
    # A REST API at its own address has cut the stage off already, and tells the whole path beside it.
    if context.get("path") == f"/{stage}{path}":
        return path
    # An HTTP API tells the payload's version and leaves the stage where it is; a REST API does neither.
    return _below(path, prefix, stage if "version" in event else None)


def _path_of_payload_2(event: Mapping[str, object], context: Mapping[str, object], prefix: str) -> str:
    return _below(str(event.get("rawPath") or "/"), prefix, context.get("stage"))


def _below(path: str, prefix: str, stage: object) -> str:
    for root in (prefix, f"/{stage}" if isinstance(stage, str) and stage not in {"", "$default"} else ""):
        if root and (path == root or path.startswith(f"{root}/")):
            return path[len(root) :] or "/"
    return path


def _identity_of_payload_2(context: Mapping[str, object]) -> Identity:
    authorizer = _mapping(context.get("authorizer"))
    arn = _mapping(authorizer.get("iam")).get("userArn")
    if isinstance(arn, str):
        return Identity(arn, signed=True)
    # What a Lambda authorizer says of its caller is as good as a token's claims.
    for claims in (_mapping(authorizer.get("jwt")).get("claims"), authorizer.get("lambda")):
        if isinstance(claims, Mapping):
            return _bearer(claims)
    return Identity()


def _identity_of_payload_1(context: Mapping[str, object]) -> Identity:
    arn = _mapping(context.get("identity")).get("userArn")
    authorizer = context.get("authorizer")
    if isinstance(authorizer, Mapping) and authorizer:
        claims = authorizer.get("claims")
        return _bearer(claims if isinstance(claims, Mapping) else authorizer)
    return Identity(arn, signed=True) if isinstance(arn, str) else Identity()


def _bearer(claims: Mapping[str, object]) -> Identity:
    subject = claims.get("sub", claims.get("principalId"))
    return Identity(subject if isinstance(subject, str) and subject else "anonymous", claims)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
