"""URLs are read by one set of rules: what is accepted says the same to everybody."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatcher.http_node.url import InvalidUrl, Url, read_url, redirect_url

PROPERTY: Final = settings(derandomize=True, deadline=None, max_examples=400)

NASTY: Final = st.text(st.sampled_from("htps:/?#@[]%.\\\t\r\n\0 xX09aAfF0127-_;,&=+~é。①\u212a\ud800"), max_size=40)
"""Text out of what URLs are made of, and what breaks them."""


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://example.com", Url("http", "example.com", 80, "/")),
        ("https://example.com", Url("https", "example.com", 443, "/")),
        ("HttpS://EXAMPLE.com.:8443/A/b", Url("https", "example.com", 8443, "/A/b")),
        ("http://example.com?q", Url("http", "example.com", 80, "/", "q")),
        ("http://example.com/?", Url("http", "example.com", 80, "/", "")),
        ("http://example.com/a#b?c", Url("http", "example.com", 80, "/a")),
        ("http://example.com/a?b#c", Url("http", "example.com", 80, "/a", "b")),
        ("http://a_b.xn--nxasmq6b.test/", Url("http", "a_b.xn--nxasmq6b.test", 80, "/")),
        ("http://1password.test/", Url("http", "1password.test", 80, "/")),
        ("http://3com.1a/", Url("http", "3com.1a", 80, "/")),
        ("http://8.8.8.8:1/", Url("http", "8.8.8.8", 1, "/")),
        ("http://[2606:4700:0:0:0:0:0:1]:65535/", Url("http", "2606:4700::1", 65535, "/")),
        ("http://example.com/a b/é?c=d e", Url("http", "example.com", 80, "/a%20b/%C3%A9", "c=d%20e")),
        ("http://example.com/a%20b%zz/../c//d", Url("http", "example.com", 80, "/a%20b%zz/../c//d")),
        ("http://example.com/<\"'`{|}^>", Url("http", "example.com", 80, "/%3C%22'%60%7B%7C%7D%5E%3E")),
        ("http://example.com/@:!$&'()*+,;=~[]", Url("http", "example.com", 80, "/@:!$&'()*+,;=~[]")),
    ],
)
def test_a_url_is_taken_apart(text: str, url: Url) -> None:
    """Names in lower case without their last dot; what is not ASCII percent-encoded, what is encoded left alone."""
    assert read_url(text) == url


@pytest.mark.parametrize(
    ("text", "authority", "target"),
    [
        ("http://example.com:80/a?b", "example.com", "/a?b"),
        ("https://example.com:80/", "example.com:80", "/"),
        ("https://example.com:443/?", "example.com", "/?"),
        ("http://[2606:4700::1]/", "[2606:4700::1]", "/"),
        ("http://[2606:4700::1]:81/", "[2606:4700::1]:81", "/"),
    ],
)
def test_what_is_sent_of_it(text: str, authority: str, target: str) -> None:
    """Host header and request line."""
    url = read_url(text)
    assert (url.authority, url.target) == (authority, target)


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ({}, None),
        ({"a": None}, ""),
        ({"a": "x&y=z #?%é\n"}, "a=x%26y%3Dz%20%23%3F%25%C3%A9%0A"),
        ({"a b": 1, "c": 2.0, "d": 2.5, "e": True, "f": False}, "a%20b=1&c=2&d=2.5&e=true&f=false"),
        ({"a": ["x", 1, None, True], "b": []}, "a=x&a=1&a=true"),
        ({"": ""}, "="),
    ],
)
def test_a_query_is_added(query: Any, sent: str | None) -> None:
    """Encoded whole, so that no value becomes two; values look as expressions write them."""
    assert read_url("http://example.com/", query).query == (sent or None)
    assert read_url("http://example.com/?own=1", query).query == ("own=1" + (f"&{sent}" if sent else ""))


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/new", "https://example.com:8443/new"),
        ("new?x=1", "https://example.com:8443/a/new?x=1"),
        ("?x=1", "https://example.com:8443/a/b?x=1"),
        ("../c", "https://example.com:8443/c"),
        ("//other.test/x", "https://other.test/x"),
        ("http://other.test", "http://other.test/"),
        ("#part", "https://example.com:8443/a/b?q=1"),
        ("", "https://example.com:8443/a/b?q=1"),
        (" /new ", "https://example.com:8443/new"),
        ("/\u00c3\u00a9", "https://example.com:8443/%C3%A9"),
        ("/caf\u00e9", "https://example.com:8443/caf%EF%BF%BD"),
    ],
)
def test_a_redirect_is_read_from_where_it_was_met(location: str, leads_to: str) -> None:
    """Relative ones too; beyond ASCII as the UTF-8 that servers mean."""
    base = read_url("https://example.com:8443/a/b?q=1")
    url = redirect_url(base, location)
    assert f"{url.scheme}://{url.authority}{url.target}" == leads_to


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "//user@other.test/", "https://a\\b/", "//[::1", "/a\tb", "//0x7f.1/", "mailto:x"],
)
def test_a_redirect_is_no_way_around_the_rules(location: str) -> None:
    """The same URLs are refused."""
    with pytest.raises(InvalidUrl):
        redirect_url(read_url("https://example.com/"), location)


@pytest.mark.parametrize(
    ("first", "second", "trusted"),
    [
        ("http://a.test/x", "http://a.test/y", True),
        ("http://a.test/", "http://A.test.:80/", True),
        ("http://a.test/", "https://a.test/", True),
        ("https://a.test/", "http://a.test/", False),
        ("http://a.test/", "https://a.test:8443/", False),
        ("http://a.test:8080/", "https://a.test/", False),
        ("http://a.test/", "http://a.test:81/", False),
        ("http://a.test/", "http://b.test/", False),
        ("http://a.test/", "http://x.a.test/", False),
        ("https://a.test/", "https://b.test/", False),
    ],
)
def test_which_server_is_the_same(first: str, second: str, *, trusted: bool) -> None:
    """Scheme, host and port; or the same host over TLS, at the usual ports."""
    assert read_url(first).trusts(read_url(second)) is trusted


@PROPERTY
@given(NASTY.map("http://{}".format) | NASTY | st.text(max_size=30).map("https://{}".format))
@example("http://0x7f.1")
@example("http://a:80@b")
def test_what_is_accepted_is_unambiguous(text: str) -> None:
    """A name or an address of one spelling, a target in one line of ASCII; read again, it is the same."""
    try:
        url = read_url(text)
    except InvalidUrl:
        return
    assert url.scheme in {"http", "https"}
    assert re.fullmatch(r"[a-z0-9_.-]{1,253}|[0-9a-f:.]{2,45}", url.host)
    if url.address is None:
        assert not re.fullmatch(r"(\d+|0x[0-9a-f]*)", url.host.rpartition(".")[2])
    assert 1 <= url.port <= 65535
    assert re.fullmatch(r"/[\x21-\x7e]*", url.target)
    assert "#" not in url.target
    again = read_url(f"{url.scheme}://{url.authority}{url.target}")
    assert again == url


@PROPERTY
@given(NASTY, NASTY)
def test_whatever_is_in_a_query_stays_in_it(name: str, value: str) -> None:
    """No name or value ends the query, the line or itself."""
    if "\ud800" in name + value:
        with pytest.raises(InvalidUrl, match="surrogate"):
            read_url("http://example.com/a", {name: value})
        return
    url = read_url("http://example.com/a", {name: value})
    assert re.fullmatch(r"/a\?[A-Za-z0-9%._~-]*=[A-Za-z0-9%._~-]*", url.target)
