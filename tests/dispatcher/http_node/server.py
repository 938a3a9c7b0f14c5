"""A small real HTTP server on loopback that says exactly what a test wants, byte for byte."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import parse_headers
from io import BufferedIOBase
from threading import Event, Thread
from typing import Any, Final

LOOPBACK: Final = "127.0.0.0/8"


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target less its query."""
        return self.target.partition("?")[0]


Answer = bytes | Callable[[BufferedIOBase, Event], None]
"""What is sent: bytes, or a function that writes them and may wait until the server closes."""


@dataclass
class Server:
    """What a server answers, by request, and what it was sent. ``closing`` is set when the test is over."""

    answer: Callable[[Received], Answer]
    port: int = 0
    received: list[Received] = field(default_factory=list)
    closing: Event = field(default_factory=Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def at(self, name: str) -> str:
        """Its address by a name."""
        return f"http://{name}:{self.port}"


def answered(status: int = 200, body: bytes | str = b"", **headers: str) -> bytes:
    """A whole answer; an underscore in a header's name stands for a hyphen."""
    content = body.encode() if isinstance(body, str) else body
    named = {"content-length": str(len(content))} | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Said So\r\n{lines}\r\n".encode("latin-1") + content


def as_json(text: str, status: int = 200, **headers: str) -> bytes:
    """An answer that says it is JSON."""
    return answered(status, text, content_type="application/json", **headers)


@contextlib.contextmanager
def serving(
    answer: Callable[[Received], Answer] | bytes, *, context: ssl.SSLContext | None = None, greeting: bytes = b""
) -> Iterator[Server]:
    """A server that gives this answer, or these, while the block lasts; the greeting before it is asked anything."""
    script = Server((lambda _request: answer) if isinstance(answer, bytes) else answer)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self._answer()

        def _answer(self) -> None:
            self.wfile.write(greeting)
            line = self.rfile.readline().decode("latin-1").split(" ")
            if len(line) < 2:
                return
            headers = {name.lower(): value for name, value in parse_headers(self.rfile).items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            request = Received(line[0], line[1], headers, body)
            script.received.append(request)
            said = script.answer(request)
            if isinstance(said, bytes):
                self.wfile.write(said)
            else:
                said(self.wfile, script.closing)

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            return (connection if context is None else context.wrap_socket(connection, server_side=True)), address

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that does not like the certificate, or breaks off, is what some tests are about."""

    with Listener(("127.0.0.1", 0), Handler) as listener:
        script.port = listener.server_address[1]
        thread = Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield script
        finally:
            script.closing.set()
            listener.shutdown()
            thread.join()
