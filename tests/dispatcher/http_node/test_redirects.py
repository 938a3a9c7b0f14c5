"""Redirects are followed by hand: each is judged anew, and takes along only what was meant for where it leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from dispatcher.http_node.errors import HttpRefused, HttpRejected, HttpUnavailable, HttpUnreachable
from dispatcher.limits import HTTP_REDIRECTS_MAX
from tests.dispatcher.http_node.caller import call, got, names
from tests.dispatcher.http_node.server import Received, Server, answered, as_json, serving

HERE: Final = names(a_test="127.0.0.1", b_test="127.0.0.1", inside_test="10.0.0.1", meta_test="169.254.169.254")
CREDENTIALS: Final = {"Authorization": "Bearer t0ken", "Cookie": "sid=1", "X-Api-Key": "k3y", "X-Trace": "trace"}


def leading(places: Mapping[str, tuple[int, str]]) -> Callable[[Received], bytes]:
    """Redirects by path; anything else is answered with its own method and path."""

    def answer(request: Received) -> bytes:
        if request.path in places:
            status, location = places[request.path]
            return answered(status, "moved", location=location)
        return as_json(f'"{request.method} {request.target}"')

    return answer


def sent(server: Server, path: str) -> Received:
    """The last request for a path."""
    return [request for request in server.received if request.path == path][-1]


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "GET", "GET"),
        (302, "GET", "GET"),
        (303, "GET", "GET"),
        (307, "GET", "GET"),
        (308, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (307, "PATCH", "PATCH"),
        (303, "OPTIONS", "GET"),
    ],
)
def test_the_method_after_a_redirect(status: int, method: str, then: str) -> None:
    """As HTTP has it; a request that becomes a GET leaves its body and its key behind."""
    data: dict[str, Any] = {} if method in {"GET", "OPTIONS"} else {"json": {"a": 1}, "headers": {"Content-X": "1"}}
    with serving(leading({"/old": (status, "/new?x=1")})) as server:
        assert got(method, f"{server.url}/old", query={"secret": "no"}, **data)["body"] == f"{then} /new?x=1"
    first, second = server.received
    kept = then == method
    about_the_body = {"content-type", "content-length", "content-x", "idempotency-key"}
    assert second.body == (first.body if kept else b"")
    carried = {name for name in first.headers if name not in about_the_body or kept}
    assert set(second.headers) == carried


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_head_stays_head(status: int) -> None:
    """Whatever the redirect."""
    with serving(leading({"/old": (status, "/new")})) as server:
        assert got("HEAD", f"{server.url}/old")["status"] == 200
    assert [request.method for request in server.received] == ["HEAD", "HEAD"]


def test_the_same_server_is_given_everything() -> None:
    """Credentials too: they were meant for it."""
    with serving(leading({"/old": (302, "/new")})) as server:
        call("GET", f"{server.url}/old", headers=CREDENTIALS)
    assert sent(server, "/new").headers == sent(server, "/old").headers
    assert sent(server, "/new").headers["authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("leaves_by", ["name", "port"])
def test_another_server_is_given_no_credentials(leaves_by: str) -> None:
    """Nor any header of the author's that may be one; what every server may know goes along."""
    plain = {"Accept": "text/csv", "Accept-Language": "pt", "User-Agent": "mine"}
    with serving(leading({})) as other, serving(leading({})) as server:
        target = server.at("b.test") if leaves_by == "name" else other.at("a.test")
        server.answer = leading({"/old": (302, f"{target}/new")})
        url = f"{server.at('a.test')}/old"
        call("GET", url, headers=CREDENTIALS | plain, query={"key": "q"}, resolve=HERE)
        end = sent(server if leaves_by == "name" else other, "/new")
    host = target.removeprefix("http://")
    assert end.headers == {
        "host": host,
        "accept": "text/csv",
        "accept-language": "pt",
        "user-agent": "mine",
        "accept-encoding": "gzip",
    }
    assert end.target == "/new"


def test_credentials_do_not_come_back() -> None:
    """A redirect to another server and back again brings them to neither."""
    with serving(leading({})) as server:
        places = {"/old": (302, f"{server.at('b.test')}/away"), "/away": (302, f"{server.at('a.test')}/back")}
        server.answer = leading(places)
        call("GET", f"{server.at('a.test')}/old", headers=CREDENTIALS, resolve=HERE)
    assert "authorization" in sent(server, "/old").headers
    for path in ("/away", "/back"):
        assert {"authorization", "cookie", "x-api-key", "x-trace"}.isdisjoint(sent(server, path).headers)


@pytest.mark.parametrize("status", [307, 308])
def test_a_body_is_not_sent_to_another_server(status: int) -> None:
    """It may hold a secret as well as a header may."""
    with serving(leading({})) as server:
        server.answer = leading({"/old": (status, f"{server.at('b.test')}/new?x=hidden")})
        with pytest.raises(HttpRefused, match=rf"redirects to b\.test:{server.port}, which the body was not meant for"):
            call("POST", f"{server.at('a.test')}/old", json={"client_secret": "s"}, resolve=HERE)
    assert len(server.received) == 1


def test_five_redirects_are_followed() -> None:
    """And no more, in a circle or not."""
    places = {f"/{step}": (302, f"/{step + 1}") for step in range(9)}
    with serving(leading(places)) as server:
        assert got("GET", f"{server.url}/4")["body"] == "GET /9"
        server.received.clear()
        with pytest.raises(HttpRefused, match=f"more than {HTTP_REDIRECTS_MAX} redirects"):
            call("GET", f"{server.url}/0")
        assert len(server.received) == HTTP_REDIRECTS_MAX + 1
    with serving(leading({"/": (302, "/")})) as server, pytest.raises(HttpRefused, match="more than"):
        call("GET", server.url)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://inside.test/", "not public (private)"),
        ("http://meta.test/latest/meta-data/", "not public (link-local)"),
        ("http://169.254.169.254/latest/meta-data/", "not public (link-local)"),
        ("//10.0.0.1/", "not public (private)"),
        ("http://[::ffff:169.254.169.254]/", "not public (IPv4-mapped)"),
        ("http://2852039166/", "a URL that is not called: its host ends in a number"),
        ("http://0x7f.1/", "a URL that is not called: its host ends in a number"),
        ("http://user:canary@a.test/", "a URL that is not called: it names a user"),
        ("file:///etc/passwd", "a URL that is not called: it must begin with"),
        ("ftp://a.test/", "a URL that is not called: it must begin with"),
        ("gopher://127.0.0.1:6379/_x", "a URL that is not called: it must begin with"),
        ("http:\\\\a.test/", "a URL that is not called: it holds a control"),
        ("/a\tb", "a URL that is not called: it holds a control"),
        ("http://a.test:99999/", "a URL that is not called: its port"),
        ("http://[::1", "a URL that is not called: it cannot be read"),
    ],
)
def test_a_redirect_is_judged_as_a_url_is(location: str, said: str) -> None:
    """The server sends its caller nowhere that the caller could not have gone."""
    with serving(answered(302, location=location)) as server, pytest.raises(HttpRefused) as caught:
        call("GET", server.at("a.test"), resolve=HERE)
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)
    assert len(server.received) == 1


def test_what_comes_after_a_redirect_counts() -> None:
    """Its status, under its own URL."""
    after = {"/4": answered(404, "gone", content_type="text/plain"), "/5": answered(503, retry_after="2"), "/0": b""}

    def answer(request: Received) -> bytes:
        return after[request.path] if request.path in after else answered(302, location=request.path[2:])

    with serving(answer) as server:
        with pytest.raises(HttpRejected, match=rf"GET 127\.0\.0\.1:{server.port}/4 was answered 404: gone"):
            call("POST", f"{server.url}/x/4")
        assert call("POST", f"{server.url}/x/4", exits=["rejected"]).next_handle == "rejected"
        with pytest.raises(HttpUnavailable, match="answered 503"):
            call("GET", f"{server.url}/x/5")
        with pytest.raises(HttpUnreachable, match=rf"{server.port}/0: "):
            call("GET", f"{server.url}/x/0")


def test_the_body_of_a_redirect_is_not_read() -> None:
    """However long it is, or however long it takes."""
    raw = b"HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 999999999\r\n\r\nx"
    with serving(lambda request: raw if request.path == "/old" else as_json("1")) as server:
        assert got("GET", f"{server.url}/old")["body"] == 1
