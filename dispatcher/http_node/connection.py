"""One exchange with one server: look its name up, judge every address, connect to one of them, send, read.

What is judged is what is connected to: the name is looked up once, and only its addresses are used after that, while
Host header and TLS go on naming the server. It takes no notice of proxies in the environment, follows nothing, retries
nothing, and reads no more than it is told to.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BufferedIOBase
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, NamedTuple, TypeAlias

from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.exceptions import HTTPError as Urllib3Error

from dispatcher.http_node.address import Network, refusal
from dispatcher.http_node.errors import HttpRefused, HttpTimedOut, HttpTooLarge, HttpUnreachable
from dispatcher.http_node.request import Request
from dispatcher.http_node.time_limit import TimeLimit
from dispatcher.http_node.url import Url
from dispatcher.limits import HTTP_CONNECT_TIMEOUT_MS, HTTP_HEADER_BYTES_MAX

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Addresses of a host, for a port; raises OSError when there are none."""

Connect: TypeAlias = Callable[[Url, str, float], HTTPConnection]
"""A connection, not made yet, to a URL's server at an address, with a limit in seconds for each wait."""

_READ_BYTES: Final = 64 * 1024
_FINAL: Final = 200
_NOT_ANSWERED: Final = (OSError, http.client.HTTPException, Urllib3Error)


def system_addresses(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says, in its order of preference."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def system_connection(url: Url, address: str, timeout_seconds: float) -> HTTPConnection:
    """A connection; over TLS the server must prove, to an authority the system trusts, that it is the URL's host."""
    if url.scheme == "http":
        return HTTPConnection(address, url.port, timeout=timeout_seconds)
    return HTTPSConnection(
        address, url.port, timeout=timeout_seconds, server_hostname=url.host, ssl_context=_trust_of_the_system()
    )


@cache
def _trust_of_the_system() -> ssl.SSLContext:
    # Reading the authorities takes 20 ms and more: once a process.
    return ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered. Header names are in lower case. ``whole``: whether ``body`` is all there was."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


class Wanted(NamedTuple):
    """How much of a body is read at most, and whether an exchange fails when it breaks off before."""

    bytes_max: int
    intact: bool


Select: TypeAlias = Callable[[int, Mapping[str, str]], Wanted]
"""What is wanted of a body, by the answer's status and headers."""


class Outside:
    """The network as workflows may use it.

    Args:
        allowed: networks that may be reached although they are not public.
        resolve: looks names up.
        connect: makes connections.
    """

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        resolve: Resolve = system_addresses,
        connect: Connect = system_connection,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._connect = connect

    def exchange(self, request: Request, limit: TimeLimit, wanted: Select) -> Reply:
        """Sends a request and reads its answer.

        Args:
            request: what is sent.
            limit: the call's time.
            wanted: says what of the answer's body is read.

        Raises:
            HttpRefused: no workflow may call any such address.
            HttpUnreachable, HttpTimedOut: there is no answer.
            HttpTooLarge: its headers are.
        """
        addresses = self._addresses(request, limit)
        with _failing_as(request, limit):
            connection = self._connected(request, addresses, limit)
            try:
                limit.watch(connection.sock)
                _send(connection, request)
                return _read(connection, request, limit, wanted)
            finally:
                limit.watch(None)
                connection.close()

    def _addresses(self, request: Request, limit: TimeLimit) -> Sequence[str]:
        url = request.url
        literal = url.address
        addresses = [str(literal)] if literal is not None else self._looked_up(request, limit)
        # One forbidden address is one too many: the others may be there to make it pass.
        for address in addresses:
            kind = refusal(ip_address(address), self._allowed)
            if kind is not None:
                raise HttpRefused(
                    f"{request}: its host has an address that is not public ({kind}); "
                    "HTTP_ALLOWED_NETWORKS names networks that may be called all the same"
                )
        return addresses

    def _looked_up(self, request: Request, limit: TimeLimit) -> Sequence[str]:
        """A look-up cannot be interrupted, so it is waited for from outside."""
        host, port = request.url.host, request.url.port
        answers: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(self._resolve(host, port))
            except Exception as error:  # noqa: BLE001  (raised again where it is waited for)
                answers.put(error)

        Thread(target=look_up, daemon=True).start()
        try:
            answer = answers.get(timeout=limit.left_seconds)
        except Empty:
            raise _timed_out(request, limit) from None
        if isinstance(answer, OSError):
            raise HttpUnreachable(f"{request}: its host cannot be looked up: {_reason(answer)}") from None
        if isinstance(answer, Exception):
            raise answer
        if not answer:
            raise HttpUnreachable(f"{request}: its host has no address")
        return answer

    def _connected(self, request: Request, addresses: Sequence[str], limit: TimeLimit) -> HTTPConnection:
        """A connection to the first address that takes one."""
        for left, address in zip(reversed(range(len(addresses))), addresses, strict=True):
            seconds = min(limit.left_seconds, HTTP_CONNECT_TIMEOUT_MS / 1000)
            connection = self._connect(request.url, address, seconds)
            try:
                connection.connect()
            except (NewConnectionError, ConnectTimeoutError):
                connection.close()
                if not left or limit.over:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                # The timer is to end a wait, not this: what fails then is the call as a whole.
                connection.sock.settimeout(limit.left_seconds + 1)
                return connection
        raise AssertionError("there is no address")


class _Lines:
    """What an answer's head is read from; where it ends too early, that is an error."""

    def __init__(self, source: BufferedIOBase) -> None:
        self._source = source

    def __getattr__(self, name: str) -> object:
        return getattr(self._source, name)

    def readline(self, size: int = -1) -> bytes:
        """The next line."""
        line = self._source.readline(size)
        if not line:
            raise http.client.RemoteDisconnected("the head of the answer breaks off")
        return line


class _Answer(http.client.HTTPResponse):
    """An answer whose head is whole: the standard library takes one that breaks off for complete."""

    def begin(self) -> None:
        """Reads status and headers."""
        source = self.fp
        lines: Any = _Lines(source)
        self.fp = lines
        super().begin()
        if self.fp is lines:  # None when there is no body
            self.fp = source


def _send(connection: HTTPConnection, request: Request) -> None:
    try:
        connection.putrequest(request.method, request.url.target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", request.url.authority)
        for name, value in request.headers.items():
            connection.putheader(name, value)
        connection.endheaders(request.body)
    except BrokenPipeError:
        pass  # A server that has heard enough may have said why.


def _read(connection: HTTPConnection, request: Request, limit: TimeLimit, wanted: Select) -> Reply:
    connection.response_class = _Answer
    # That of the standard library: urllib3's own logs the whole URL when a header is malformed.
    answer = http.client.HTTPConnection.getresponse(connection)
    if limit.over:
        raise TimeoutError
    if answer.status < _FINAL:
        raise HttpUnreachable(f"{request}: the server answered {answer.status}, which is no final answer")
    headers = HTTPHeaderDict(answer.msg.items())
    size = sum(len(name) + len(value) for name, value in headers.iteritems())
    if size > HTTP_HEADER_BYTES_MAX:
        raise HttpTooLarge(f"{request}: the answer's headers have {size} bytes; the most is {HTTP_HEADER_BYTES_MAX}")
    response = HTTPResponse(
        body=answer,
        headers=headers,
        status=answer.status,
        preload_content=False,
        original_response=answer,
        request_method=request.method,
    )
    names = {name.lower(): headers[name] for name in headers}
    body, whole = _body(response, wanted(answer.status, names), limit)
    return Reply(answer.status, names, body, whole)


def _body(response: HTTPResponse, wanted: Wanted, limit: TimeLimit) -> tuple[bytes, bool]:
    """The beginning of a body, unpacked piece by piece, and whether that is all of it."""
    body = bytearray()
    if not wanted.bytes_max:
        return b"", False
    try:
        while len(body) <= wanted.bytes_max:
            piece = response.read(_READ_BYTES)
            if not piece:
                if limit.over:
                    raise TimeoutError  # where a body ends with its connection, a cut one would look whole
                return bytes(body), True
            body += piece
    except _NOT_ANSWERED:
        if wanted.intact:
            raise
    return bytes(body[: wanted.bytes_max]), False


@contextmanager
def _failing_as(request: Request, limit: TimeLimit) -> Iterator[None]:
    """Tells what the libraries raise in our own words: theirs may quote the URL, or the answer."""
    try:
        yield
    except (*_NOT_ANSWERED, ValueError) as error:
        if limit.over:
            raise _timed_out(request, limit) from None
        raise HttpUnreachable(f"{request}: {_reason(error)}") from None


def _timed_out(request: Request, limit: TimeLimit) -> HttpTimedOut:
    return HttpTimedOut(f"{request}: no answer within {limit.seconds:g} s")


def _reason(error: BaseException) -> str:
    wrapped = error.__cause__ if isinstance(error, Urllib3Error) else None
    cause = wrapped if isinstance(wrapped, OSError) else error
    match cause:
        case ssl.SSLCertVerificationError():
            return f"the server's certificate is not trusted: {cause.verify_message}"
        case ssl.SSLError():
            return f"TLS fails: {cause.reason or type(cause).__name__}"
        case http.client.RemoteDisconnected():
            return "the server closed the connection before its answer was whole"
        case TimeoutError() | ConnectTimeoutError():
            return "the connection timed out"
        case OSError(strerror=str(text)):
            return text.lower()
        case _:
            return f"the answer cannot be read: {type(cause).__name__}"
