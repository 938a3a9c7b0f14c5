"""One call and one answer: what is sent, what a body becomes, and which status is a result."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any, Final

import pytest

from dispatcher.http_node.errors import (
    HttpError,
    HttpRejected,
    HttpThrottled,
    HttpTooLarge,
    HttpUnavailable,
    HttpUnreachable,
)
from dispatcher.limits import HTTP_RESPONSE_BYTES_MAX
from engine import Output
from engine.errors import InvalidInput
from tests.dispatcher.http_node.caller import call, got
from tests.dispatcher.http_node.server import answered, as_json, serving

PNG: Final = b"\x89PNG\r\n\x1a\n\0"

# --- what is sent ------------------------------------------------------------------------------


def test_a_get_sends_no_body_and_no_key() -> None:
    """Its target, Host and our own few headers, and nothing else."""
    with serving(as_json("1")) as server:
        call("GET", f"{server.url}/a%20b?x=1#part", query={"y": "z z"})
    request = server.received[0]
    assert (request.method, request.target, request.body) == ("GET", "/a%20b?x=1&y=z%20z", b"")
    expected = {"host": f"127.0.0.1:{server.port}", "accept": "*/*", "accept-encoding": "gzip", "user-agent": "refluxo"}
    assert request.headers == expected


@pytest.mark.parametrize(
    ("data", "body", "kind"),
    [
        ({"json": {"a": [1, "é", None]}}, b'{"a": [1, "\\u00e9", null]}', "application/json"),
        ({"json": None}, b"null", "application/json"),
        ({"json": ""}, b'""', "application/json"),
        ({"body": "a=é"}, "a=é".encode(), "text/plain; charset=utf-8"),
        ({"body": ""}, b"", "text/plain; charset=utf-8"),
        ({"body": "a=1", "headers": {"content-TYPE": "x/y"}}, b"a=1", "x/y"),
        ({"json": 1, "headers": {"Content-Type": None}}, b"1", None),
        ({}, b"", None),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_body_is_sent_with_its_type(method: str, data: Any, body: bytes, kind: str | None) -> None:
    """JSON or text; the author's own type instead of ours."""
    with serving(as_json("1")) as server:
        call(method, server.url, **data)
    request = server.received[0]
    assert (request.method, request.body, request.headers.get("content-type")) == (method, body, kind)
    # DELETE without a body says nothing of its length; the others say that it is none.
    assert request.headers.get("content-length") == (None if method == "DELETE" and not data else str(len(body)))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_what_changes_something_carries_the_steps_key(method: str) -> None:
    """The same for each attempt: the server can tell a repetition."""
    with serving(answered()) as server:
        for _ in range(2):
            call(method, server.url)
    keys = [request.headers.get("idempotency-key") for request in server.received]
    assert keys[0] == keys[1]
    assert (keys[0] is None) == (method in {"GET", "HEAD", "OPTIONS"})


def test_the_authors_headers_win() -> None:
    """Whatever their case; null leaves one out, ours too."""
    theirs = {"IDEMPOTENCY-key": "own", "accept": "text/csv", "User-Agent": None, "X-None": None, "X-Empty": ""}
    with serving(answered()) as server:
        call("POST", server.url, headers=theirs)
    headers = server.received[0].headers
    assert (headers["idempotency-key"], headers["accept"], headers["x-empty"]) == ("own", "text/csv", "")
    assert {"user-agent", "x-none"}.isdisjoint(headers)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"X": "a\r\nHost: evil"}, "X has a line break"),
        ({"X": "a\nb"}, "X has a line break"),
        ({"X": "a\0"}, "X has a line break, a control character"),
        ({"X": "snow\u2603"}, "beyond Latin-1"),
        ({"X": "\ud800"}, "beyond Latin-1"),
        ({"X\r\nY": "a"}, "a name has characters"),
        ({"X Y": "a"}, "a name has characters"),
        ({"X:": "a"}, "a name has characters"),
        ({"é": "a"}, "a name has characters"),
        ({"": "a"}, "a name has characters"),
        ({"Host": "evil.test"}, "Host follows from the URL"),
        ({"hOsT": None}, "hOsT follows from the URL"),
        ({"Content-Length": "5"}, "Content-Length follows"),
        ({"Transfer-Encoding": "chunked"}, "Transfer-Encoding follows"),
        ({"Connection": "upgrade"}, "Connection follows"),
        ({"Upgrade": "h2c"}, "Upgrade follows"),
        ({"Expect": "100-continue"}, "Expect follows"),
        ({"Proxy-Authorization": "x"}, "Proxy-Authorization follows"),
        ({"X-A": "1", "x-a": "2"}, "x-a is given twice"),
    ],
)
def test_headers_that_would_make_another_message_of_it_are_refused(headers: Any, said: str) -> None:
    """By name; the value is not quoted. Nothing is sent."""
    with serving(answered()) as server, pytest.raises(InvalidInput, match=r"node 'call': headers: ") as caught:
        call("GET", server.url, headers=headers)
    assert said in str(caught.value)
    assert not server.received
    assert "evil" not in str(caught.value)


def test_a_body_that_has_no_utf8_is_refused() -> None:
    """Nothing is sent."""
    with serving(answered()) as server, pytest.raises(InvalidInput, match=r"body: .* surrogate"):
        call("POST", server.url, body="\ud800")
    assert not server.received


@pytest.mark.parametrize(
    "data", [{"json": 1, "body": "x"}, {"json": None, "body": ""}, {"timeoutMs": 0}, {"timeoutMs": 900_001}]
)
def test_data_that_is_no_request_is_refused(data: Any) -> None:
    """When it is read."""
    with pytest.raises(ValueError, match=r"json or body, not both|greater than 0|less than or equal to 900000"):
        call("POST", "http://example.test", **data)


# --- what an answer becomes --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "content", "body"),
    [
        ("application/json", b'{"a": [1, 2.5, null, "\xc3\xa9"]}', {"a": [1, 2.5, None, "é"]}),
        ("application/json; charset=utf-8", b" 1 ", 1),
        ("APPLICATION/JSON", b"\xef\xbb\xbftrue", True),
        ("application/problem+json", b'{"title": "x"}', {"title": "x"}),
        ("text/json", b"[]", []),
        ("application/json", b"", None),
        ("application/json", b"not json", "not json"),
        ("application/json", b'{"a": 1', '{"a": 1'),
        ("application/json", b"NaN", "NaN"),
        ("application/json", b"[Infinity]", "[Infinity]"),
        ("application/json", b"1" * 5000, "1" * 5000),
        ("application/json", b"[" * 100_000, "[" * 100_000),
        ("application/x-ndjson", b"1\n2\n", "1\n2\n"),
        ("text/plain", b"caf\xc3\xa9", "café"),
        ("text/plain; charset=ISO-8859-1", b"caf\xe9", "café"),
        ('text/plain; charset="windows-1252"', b"\x80", "€"),
        ("text/plain; charset=unicode_escape", b"\\x41", "\\x41"),
        ("text/plain; charset=zip", b"abc", "abc"),
        ("text/html", b"<p>", "<p>"),
        ("application/xml", b"<a/>", "<a/>"),
        ("application/atom+xml", b"<a/>", "<a/>"),
        ("application/x-yaml", b"a: 1", "a: 1"),
        ("application/x-www-form-urlencoded", b"a=1", "a=1"),
        (None, b"hello", "hello"),
        ("", b"hello", "hello"),
        ("text/plain", b"", None),
        ("image/png", b"", None),
    ],
)
def test_a_body_is_json_or_text(kind: str | None, content: bytes, body: Any) -> None:
    """By its declared type; what claims to be JSON and is not is text."""
    headers = {} if kind is None else {"content_type": kind}
    with serving(answered(200, content, **headers)) as server:
        assert got("GET", server.url) == {
            "status": 200,
            "headers": {"content-length": str(len(content))} | ({} if kind is None else {"content-type": kind}),
            "body": body,
        }


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("image/png", PNG),
        ("application/octet-stream", b"ascii"),
        ("application/pdf", b"%PDF-1.7"),
        ("text/plain", b"\xff\xfe\xfd"),
        ("application/json", b"\xff"),
        ("text/plain; charset=utf-16", b"\x00\xd8\x00\x00"),
        (None, PNG),
    ],
)
def test_anything_else_is_base64_and_says_so(kind: str | None, content: bytes) -> None:
    """So is a text that is none in its own charset."""
    headers = {} if kind is None else {"content_type": kind}
    with serving(answered(200, content, **headers)) as server:
        result = got("GET", server.url)
    assert result["isBase64Encoded"] is True
    assert base64.b64decode(result["body"]) == content


def test_headers_are_told_in_lower_case() -> None:
    """Several of one name are joined; cookies, which are credentials, are left out."""
    raw = b"HTTP/1.1 200 OK\r\nX-Some: a\r\nx-some: b\r\nSet-Cookie: sid=1\r\nETag: \xe9\r\nContent-Length: 0\r\n\r\n"
    with serving(raw) as server:
        headers = got("GET", server.url)["headers"]
    assert headers == {"x-some": "a, b", "etag": "é", "content-length": "0"}


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 300, 304, 307, 399])
def test_statuses_below_400_are_results(status: int) -> None:
    """So is a redirect that leads nowhere."""
    raw = f"HTTP/1.1 {status} \r\n\r\n".encode()
    with serving(raw) as server:
        assert got("GET", server.url) == {"status": status, "headers": {}, "body": None}


def test_head_has_no_body() -> None:
    """Whatever its headers say of one."""
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Encoding: gzip\r\n\r\n"
    with serving(raw) as server:
        result = got("HEAD", server.url)
    assert (result["status"], result["body"], result["headers"]["content-length"]) == (200, None, "99")


CHUNKED: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        CHUNKED + b'3\r\n{"a\r\n5;x=y\r\n": 1}\r\n0\r\nX-Trailer: 1\r\n\r\n',
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"a": 1}',
        b'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{"a": 1}',
        b"HTTP/1.1 100 Continue\r\n\r\n" + as_json('{"a": 1}'),
        answered(body=gzip.compress(b'{"a": 1}'), content_encoding="gzip", content_type="application/json"),
        answered(body=zlib.compress(b'{"a": 1}'), content_encoding="deflate", content_type="application/json"),
    ],
    ids=["chunked", "until it closes", "HTTP/1.0", "after a 100", "gzip", "deflate"],
)
def test_however_a_body_comes(raw: bytes) -> None:
    """In pieces, without a length, packed: it is the same."""
    with serving(raw) as server:
        assert got("GET", server.url)["body"] == {"a": 1}


# --- what is no result -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 451, 499])
def test_4xx_goes_by_rejected_when_an_edge_leaves_by_it(status: int) -> None:
    """With all that a result has; else it fails, and says what was answered."""
    with serving(as_json('{"why": "no"}', status)) as server:
        output = call("POST", f"{server.url}/orders?token=hidden", exits=["rejected"])
        assert isinstance(output, Output)
        assert output.next_handle == "rejected"
        headers = {"content-length": "13", "content-type": "application/json"}
        assert output.data == {"status": status, "headers": headers, "body": {"why": "no"}}
        with pytest.raises(HttpRejected) as caught:
            call("POST", f"{server.url}/orders?token=hidden", exits=["next"])
    assert str(caught.value) == f'POST 127.0.0.1:{server.port}/orders was answered {status}: {{"why": "no"}}'


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 599, 600, 999])
@pytest.mark.parametrize("exits", [[], ["rejected"]])
def test_429_and_5xx_fail_either_way(status: int, exits: list[str]) -> None:
    """They pass, and are what retries are for."""
    busy = answered(status, "busy", content_type="text/plain")
    with serving(busy) as server, pytest.raises(HttpUnavailable, match=rf"/ was answered {status}: busy$") as caught:
        call("GET", server.url, exits=exits)
    assert type(caught.value) is (HttpThrottled if status == 429 else HttpUnavailable)
    assert caught.value.retry_after_ms == 0


@pytest.mark.parametrize(
    ("header", "wait_ms"),
    [
        ("0", 0),
        ("7", 7_000),
        (" 120 ", 120_000),
        ("999999999", 999_999_999_000),
        ("Thu, 01 Jan 2026 00:01:30 GMT", 90_000),
        ("Thursday, 01-Jan-26 00:01:30 GMT", 90_000),
        ("Thu Jan  1 00:01:30 2026", 90_000),
        ("Thu, 01 Jan 2026 01:00:00 +0100", 0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("Thu, 01 Jan 99999 00:00:00 GMT", 0),
        ("1.5", 0),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("9" * 5000, 0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_seconds_or_a_date(status: int, header: str, wait_ms: int) -> None:
    """Against the clock of the run; what is neither, or has passed, asks for nothing."""
    with serving(answered(status, retry_after=header)) as server, pytest.raises(HttpUnavailable) as caught:
        call("GET", server.url)
    assert caught.value.retry_after_ms == wait_ms


def test_4xx_never_asks_for_a_retry() -> None:
    """Its Retry-After does not make another attempt of it."""
    with serving(answered(404, retry_after="5")) as server, pytest.raises(HttpRejected) as caught:
        call("GET", server.url)
    assert not hasattr(caught.value, "retry_after_ms")


@pytest.mark.parametrize(
    ("kind", "content", "excerpt"),
    [
        ("text/plain", b"", ""),
        ("text/plain", b" \r\n ", ""),
        ("text/plain", b"one\r\ntwo\x00\x1b[31m\xe2\x80\xae", ": one  two  [31m"),
        ("text/plain", b"x" * 201, ": " + "x" * 200 + "…"),
        ("text/plain", "é".encode() * 100_000, ": " + "é" * 200 + "…"),
        ("image/png", PNG, ""),
    ],
)
def test_an_error_tells_the_beginning_of_its_answer(kind: str, content: bytes, excerpt: str) -> None:
    """In one line of visible text, of 200 characters at most."""
    with serving(answered(500, content, content_type=kind)) as server, pytest.raises(HttpUnavailable) as caught:
        call("GET", server.url)
    assert str(caught.value) == f"GET 127.0.0.1:{server.port}/ was answered 500{excerpt}"


def test_an_error_whose_body_breaks_off_is_that_error() -> None:
    """The status has been said; the rest is an excerpt."""
    raw = b"HTTP/1.1 503 Busy\r\nContent-Length: 99\r\nRetry-After: 3\r\n\r\nbus"
    with serving(raw) as server, pytest.raises(HttpUnavailable, match="answered 503") as caught:
        call("GET", server.url)
    assert caught.value.retry_after_ms == 3000


BROKEN: Final = {
    "nothing": b"",
    "half a status line": b"HTTP/1.",
    "no HTTP": b"SSH-2.0-OpenSSH_9.0\r\n",
    "no status": b"HTTP/1.1 yes\r\n\r\n",
    "half its headers": b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Ty",
    "no end of its headers": b"HTTP/1.1 200 OK\r\nX: y\r\n",
    "a body cut short": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfive!",
    "a chunk cut short": CHUNKED + b"9\r\nfive!",
    "a chunk of no length": CHUNKED + b"zz\r\nfive!\r\n0\r\n\r\n",
    "no gzip": answered(body=b"plain", content_encoding="gzip"),
    "packed too often": answered(body=b"x", content_encoding=", ".join(["gzip"] * 9)),
    "a header line too long": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
    "early hints": b"HTTP/1.1 103 Early\r\n\r\n",
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_cannot_be_read_is_none(raw: bytes) -> None:
    """It may be another one next time."""
    with serving(raw) as server, pytest.raises(HttpUnreachable, match=r"^GET 127\.0\.0\.1:\d+/a: ") as caught:
        call("GET", f"{server.url}/a?token=hidden")
    assert type(caught.value) is HttpUnreachable
    assert "hidden" not in str(caught.value)


def test_nobody_there_is_unreachable() -> None:
    """Told in the system's words."""
    with serving(answered()) as server:
        pass
    with pytest.raises(HttpUnreachable, match="connection refused"):
        call("GET", server.url)


# --- what is too large -------------------------------------------------------------------------


def _endless(_writer: Any, _closing: Any) -> None:
    _writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        _writer.write(b"x" * 65_536)


@pytest.mark.parametrize(
    "raw",
    [
        answered(body=b"x" * (HTTP_RESPONSE_BYTES_MAX + 1), content_type="text/plain"),
        answered(body=gzip.compress(b"x" * (HTTP_RESPONSE_BYTES_MAX + 1), mtime=0), content_encoding="gzip"),
        answered(
            body=gzip.compress(gzip.compress(bytes(200_000_000), 9, mtime=0), 9, mtime=0),
            content_encoding="gzip, gzip",
        ),
    ],
    ids=["plain", "gzip", "a bomb"],
)
def test_an_answer_that_is_too_large_is_refused(raw: bytes) -> None:
    """By what it is unpacked; no more of it is unpacked than that."""
    with serving(raw) as server, pytest.raises(HttpTooLarge, match=f"more than {HTTP_RESPONSE_BYTES_MAX} bytes"):
        call("GET", server.url)


def test_an_answer_without_end_is_too_large() -> None:
    """Nobody reads on."""
    with serving(lambda _request: _endless) as server, pytest.raises(HttpTooLarge):
        call("GET", server.url)


def test_an_answer_of_the_largest_size_is_taken() -> None:
    """To the byte."""
    with serving(answered(body=b"x" * HTTP_RESPONSE_BYTES_MAX, content_type="text/plain")) as server:
        assert len(got("GET", server.url)["body"]) == HTTP_RESPONSE_BYTES_MAX


def test_headers_are_limited_too() -> None:
    """They are a part of the result."""
    raw = b"HTTP/1.1 200 OK\r\n" + (b"X-%d: " + b"y" * 30_000 + b"\r\n") % 1 * 3 + b"Content-Length: 0\r\n\r\n"
    with serving(raw) as server, pytest.raises(HttpTooLarge, match="headers have"):
        call("GET", server.url)


def test_a_rejected_answer_is_limited_as_any_other() -> None:
    """Where it is kept; where it is an error, its size does not matter."""
    with serving(answered(404, b"x" * (HTTP_RESPONSE_BYTES_MAX + 1))) as server:
        with pytest.raises(HttpTooLarge):
            call("GET", server.url, exits=["rejected"])
        with pytest.raises(HttpRejected):
            call("GET", server.url)


def test_every_failure_is_an_http_error() -> None:
    """One name for a catch edge about all of them."""
    for kind in (HttpRejected, HttpThrottled, HttpTooLarge, HttpUnavailable, HttpUnreachable):
        assert issubclass(kind, HttpError)
    assert issubclass(HttpThrottled, HttpUnavailable)


def test_what_is_sent_is_what_json_says() -> None:
    """Letters beyond ASCII arrive as they were."""
    with serving(as_json("1")) as server:
        call("POST", server.url, json={"é": "☃"})
    assert json.loads(server.received[0].body) == {"é": "☃"}
