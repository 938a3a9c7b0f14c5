"""A call ends in its time, whatever the server does. Real time, a second at most."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any, Final

import pytest
from urllib3.connection import HTTPConnection

from dispatcher.http_node.errors import HttpTimedOut, HttpUnavailable, HttpUnreachable
from dispatcher.http_node.time_limit import TimeLimit
from dispatcher.http_node.url import Url
from dispatcher.limits import HTTP_DEADLINE_RESERVE_MS, HTTP_TIMEOUT_MS
from tests.dispatcher.http_node.caller import NOW_MS, call, got, names
from tests.dispatcher.http_node.server import Answer, answered, as_json, serving

LIMIT_MS: Final = 50

AMPLE_MS: Final = 1000
"""Time in which a server has surely begun to answer."""

Writing = Callable[[Any, Event], None]


def says(first: bytes, drop: bytes = b"") -> Writing:
    """Writes something, then a drop every hundredth of a second, or nothing, for ever."""

    def write(writer: Any, closing: Event) -> None:
        writer.write(first)
        while not closing.wait(0.01 if drop else None):
            writer.write(drop)

    return write


HEAD: Final = b"HTTP/1.1 200 OK\r\n"

SLOW: Final = {
    "nothing": says(b""),
    "a status line by drops": says(b"HTTP/1.1 200 ", b"O"),
    "headers by drops": says(HEAD, b"X: y\r\n"),
    "a header by drops": says(HEAD + b"X: ", b"y"),
    "no body": says(HEAD + b"Content-Length: 5\r\n\r\n"),
    "a body by drops": says(HEAD + b"Content-Length: 99999\r\n\r\n", b"x"),
    "a body without length by drops": says(HEAD + b"\r\n", b"x"),
    "chunks by drops": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a 100 now and then": says(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "gzip by drops": says(HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\0"),
}


@pytest.mark.parametrize("writing", SLOW.values(), ids=SLOW.keys())
def test_a_slow_server_is_left(writing: Writing) -> None:
    """Each byte in time is not enough: the whole call is limited."""
    said = r"^GET 127\.0\.0\.1:\d+/a: no answer within 0\.05 s$"
    with serving(lambda _request: writing) as server, pytest.raises(HttpTimedOut, match=said):
        call("GET", f"{server.url}/a?token=hidden", timeoutMs=LIMIT_MS)


def test_a_server_that_reads_nothing_is_left() -> None:
    """A large body that nobody takes."""
    with serving(answered()) as server:
        release = Event()

        def stuck(_request: object) -> Answer:
            release.wait()
            return answered()

        server.answer = stuck
        with pytest.raises(HttpTimedOut):
            call("POST", server.url, body="x" * 20_000_000, timeoutMs=LIMIT_MS)
        release.set()


def test_redirects_share_the_time() -> None:
    """A server cannot win time by sending its caller around."""
    slow = says(HEAD + b"X: ", b"y")
    moved = answered(302, location="/slow")
    with (
        serving(lambda request: moved if request.path == "/" else slow) as server,
        pytest.raises(HttpTimedOut, match="/slow: no answer"),
    ):
        call("GET", server.url, timeoutMs=AMPLE_MS)


def test_a_lookup_that_hangs_is_left() -> None:
    """It cannot be interrupted; nobody waits for it."""
    release = Event()

    def resolve(_host: str, _port: int) -> Sequence[str]:
        release.wait()
        return ["127.0.0.1"]

    with pytest.raises(HttpTimedOut, match=r"GET a\.test/: no answer within"):
        call("GET", "http://a.test/", resolve=resolve, timeoutMs=LIMIT_MS)
    release.set()


def test_a_connection_that_hangs_is_left() -> None:
    """An address where nobody answers takes no longer than the call."""

    class Hanging(HTTPConnection):
        """Never made."""

        def connect(self) -> None:
            """Takes all the time it is given."""
            assert isinstance(self.timeout, float)
            Event().wait(self.timeout)
            raise TimeoutError

    def connect(_url: Url, address: str, seconds: float) -> HTTPConnection:
        return Hanging(address, 80, timeout=seconds)

    with pytest.raises(HttpTimedOut):
        call("GET", "http://a.test/", resolve=names(a_test="1.1.1.1"), connect=connect, timeoutMs=LIMIT_MS)


def test_an_error_whose_body_is_slow_is_that_error() -> None:
    """The status has been said in time."""
    slow = says(b"HTTP/1.1 503 Busy\r\nRetry-After: 4\r\n\r\nbus", b"y")
    with serving(lambda _request: slow) as server, pytest.raises(HttpUnavailable, match="answered 503: busy") as caught:
        call("GET", server.url, timeoutMs=AMPLE_MS)
    assert caught.value.retry_after_ms == 4000


@pytest.mark.parametrize(
    ("timeout_ms", "deadline_ms", "said"),
    [
        (60_000, LIMIT_MS + HTTP_DEADLINE_RESERVE_MS, "0.05 s"),
        (None, LIMIT_MS + HTTP_DEADLINE_RESERVE_MS, "0.05 s"),
        (LIMIT_MS, 60_000, "0.05 s"),
        (60_000, 0, "0.001 s"),
        (60_000, -5_000, "0.001 s"),
    ],
)
def test_a_call_ends_before_its_step_is_stopped(timeout_ms: int | None, deadline_ms: int, said: str) -> None:
    """So that what fails is the call, with its own name."""
    with serving(lambda _request: says(b"")) as server, pytest.raises(HttpTimedOut, match=f"within {said}"):
        call("GET", server.url, timeoutMs=timeout_ms, deadline_ms=NOW_MS + deadline_ms)


def test_a_call_has_ten_seconds_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented default."""
    assert HTTP_TIMEOUT_MS == 10_000
    monkeypatch.setattr("dispatcher.http_node.node.HTTP_TIMEOUT_MS", LIMIT_MS)
    with serving(lambda _request: says(b"")) as server, pytest.raises(HttpTimedOut, match=r"within 0\.05 s"):
        call("GET", server.url)


def test_a_call_in_time_leaves_nothing_behind() -> None:
    """No thread goes on, whether it went well or not."""
    before = set(threading.enumerate())
    with serving(as_json("1")) as server:
        assert got("GET", server.url, timeoutMs=60_000)["body"] == 1
        with pytest.raises(HttpUnreachable):
            call("GET", "http://nowhere.test/", timeoutMs=60_000)
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def test_a_socket_in_use_too_late_is_shut_at_once() -> None:
    """A connection that was made while the time ran out."""

    class Socket:
        """Not one of the system's: to shut it raises, which is passed over."""

    with TimeLimit(0.001) as limit:
        while not limit._ended:
            pass
        assert limit.over
        with pytest.raises(TypeError, match="descriptor 'shutdown'"):
            limit.watch(Socket())  # type: ignore[arg-type]  # shutting it is what is looked for
