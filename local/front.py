"""API Gateway on a laptop: real HTTP in, real HTTP API 2.0 events to the handler, its answers out."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

BODY_BYTES_MAX: Final = 10 * 1024 * 1024
"""Largest request API Gateway takes (HTTP API quotas)."""

HttpHandler = Callable[[Mapping[str, object]], Mapping[str, object]]


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
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
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
        try:
            event["body"] = body.decode()
        except UnicodeDecodeError:
            event["body"], event["isBase64Encoded"] = base64.b64encode(body).decode(), True
    return event


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A port still in TIME_WAIT may be taken again; one that another process serves may not.
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handle: HttpHandler) -> None:
        self.handle_event = handle
        self.requests = 0
        super().__init__(address, _RequestHandler)


class _RequestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        self.server.requests += 1
        event = http_event(
            self.command,
            self.path,
            dict(self.headers.items()),
            self.rfile.read(int(length)),
            request_id=f"local-{self.server.requests}",
            now=datetime.now(tz=UTC),
        )
        answer = self.server.handle_event(event)
        self._send(answer)

    def _send(self, answer: Mapping[str, object]) -> None:
        status, headers, body = answer.get("statusCode", 200), answer.get("headers"), answer.get("body") or ""
        payload = base64.b64decode(str(body)) if answer.get("isBase64Encoded") else str(body).encode()
        self.send_response(int(str(status)))
        for name, value in headers.items() if isinstance(headers, Mapping) else ():
            self.send_header(str(name), str(value))
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815  (http.server's names)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        """Says nothing: the local stack tells what happens in its own words."""


class Front:
    """The HTTP front in a thread.

    Args:
        handle: the handler, given each event.
        port: 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, handle: HttpHandler, *, port: int = 0) -> None:
        self._server = _Server(("127.0.0.1", port), handle)
        self._thread = threading.Thread(target=self._server.serve_forever, name="front", daemon=True)

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
