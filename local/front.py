"""API Gateway on a laptop: real HTTP in, real events of an HTTP API or a REST API to the handler, its answers out."""

from __future__ import annotations

import base64
import itertools
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Literal, Self
from urllib.parse import parse_qsl, urlsplit

BODY_BYTES_MAX: Final = 10 * 1024 * 1024
"""Largest request API Gateway takes (HTTP API quotas)."""

_TIME_FORMAT: Final = "%d/%b/%Y:%H:%M:%S +0000"

_STOP_POLL_SECONDS: Final = 0.05

_LOG: Final = logging.getLogger("refluxo.local")

HttpHandler = Callable[[Mapping[str, object]], Mapping[str, object]]


PayloadFormat = Literal["2.0", "1.0"]
"""Form of the events: of an HTTP API, or of a REST API."""


def http_event(
    method: str, target: str, headers: Mapping[str, str], body: bytes, *, request_id: str, now: datetime
) -> dict[str, object]:
    """The event API Gateway makes of a request (HTTP API, payload format 2.0)."""
    split = urlsplit(target)
    lowered = {name.lower(): value for name, value in headers.items()}
    event: dict[str, object] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": split.path,
        "rawQueryString": split.query,
        "headers": lowered,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": lowered.get("host", "localhost"),
            "http": {
                "method": method,
                "path": split.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": lowered.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime(_TIME_FORMAT),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": False,
    }
    query = parse_qsl(split.query, keep_blank_values=True)
    if query:
        joined: dict[str, str] = {}
        for name, value in query:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        event["queryStringParameters"] = joined
    if body:
        event["body"], event["isBase64Encoded"] = _body(body)
    return event


def rest_event(
    method: str, target: str, headers: Mapping[str, str], body: bytes, *, request_id: str, now: datetime
) -> dict[str, object]:
    """The event API Gateway makes of a request (REST API, Lambda proxy integration; payload format 1.0).

    What is not there is null, as API Gateway has it; of a parameter sent twice the last value is the single one.
    """
    split = urlsplit(target)
    query = parse_qsl(split.query, keep_blank_values=True)
    every: dict[str, list[str]] = {}
    for name, value in query:
        every.setdefault(name, []).append(value)
    user_agent = next((value for name, value in headers.items() if name.lower() == "user-agent"), "")
    event: dict[str, object] = {
        "resource": "/{proxy+}",
        "path": split.path,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": every or None,
        "pathParameters": {"proxy": split.path.removeprefix("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": next((value for name, value in headers.items() if name.lower() == "host"), "localhost"),
            "httpMethod": method,
            "identity": {"sourceIp": "127.0.0.1", "userAgent": user_agent},
            "path": split.path,
            "protocol": "HTTP/1.1",
            "requestId": request_id,
            "requestTime": now.strftime(_TIME_FORMAT),
            "requestTimeEpoch": int(now.timestamp() * 1000),
            "resourcePath": "/{proxy+}",
            "stage": "local",
        },
        "body": None,
        "isBase64Encoded": False,
    }
    if body:
        event["body"], event["isBase64Encoded"] = _body(body)
    return event


def _body(body: bytes) -> tuple[str, bool]:
    """The body as text, and whether that is base64."""
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


_EVENT_OF: Final = {"2.0": http_event, "1.0": rest_event}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A port still in TIME_WAIT may be taken again; one that another process serves may not.
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handle: HttpHandler, payload_format: PayloadFormat) -> None:
        self.handle_event = handle
        self.event_of = _EVENT_OF[payload_format]
        self.requests = itertools.count(1)
        super().__init__(address, _RequestHandler)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  (socketserver's names)
        """A caller that has gone is no news; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            _LOG.exception("a request could not be answered")


class _RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            # What follows cannot be told from the next request, so the connection ends here.
            self.close_connection = True
            self._refuse(HTTPStatus.LENGTH_REQUIRED)
            return
        if int(length) > BODY_BYTES_MAX:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        event = self.server.event_of(
            self.command,
            self.path,
            _joined(self.headers.items()),
            self.rfile.read(int(length)),
            request_id=f"local-{next(self.server.requests)}",
            now=datetime.now(tz=UTC),
        )
        try:
            answer = self.server.handle_event(event)
        except Exception:  # noqa: BLE001  (a function that dies is API Gateway's 500, and the next request is another's)
            _LOG.exception("the function failed on %s %s", self.command, self.path)
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        self._send(answer)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answers as API Gateway does where no function is asked."""
        headers = {"content-type": "application/json"}
        self._send({"statusCode": int(status), "headers": headers, "body": json.dumps({"message": status.phrase})})

    def _send(self, answer: Mapping[str, object]) -> None:
        status, body = answer.get("statusCode", 200), answer.get("body") or ""
        payload = base64.b64decode(str(body)) if answer.get("isBase64Encoded") else str(body).encode()
        self.send_response(int(str(status)))
        for name, value in _headers_of(answer):
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815  (http.server's names)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        """Says nothing: the local stack tells what happens in its own words."""


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by name; the values of one that came twice are joined by commas."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _headers_of(answer: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    headers, several, cookies = (answer.get(name) for name in ("headers", "multiValueHeaders", "cookies"))
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        yield str(name), str(value)
    for name, values in several.items() if isinstance(several, Mapping) else ():
        yield from ((str(name), str(value)) for value in values)
    for cookie in cookies if isinstance(cookies, list) else ():
        yield "set-cookie", str(cookie)


class Front:
    """The HTTP front in a thread.

    Args:
        handle: the handler, given each event.
        port: 0 takes a free one.
        payload_format: of the events.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, handle: HttpHandler, *, port: int = 0, payload_format: PayloadFormat = "2.0") -> None:
        self._server = _Server(("127.0.0.1", port), handle, payload_format)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_SECONDS,), name="front", daemon=True
        )

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self.close()

    def close(self) -> None:
        """Gives the port back; for a front that was never entered."""
        self._server.server_close()
