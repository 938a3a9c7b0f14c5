"""URLs that lead where no workflow may go: each is refused before anything is connected to, and the reason is told."""

from __future__ import annotations

from typing import Final, NoReturn

import pytest
from urllib3.connection import HTTPConnection

from dispatcher.http_node.connection import Resolve
from dispatcher.http_node.errors import HttpRefused
from dispatcher.http_node.url import Url
from engine.errors import InvalidInput
from tests.dispatcher.http_node.caller import call, names

ADDRESS: Final = "not public"
NUMBER: Final = "ends in a number"
NAME: Final = "its host is no name"
UNSEEN: Final = "control character or a backslash"
USER: Final = "names a user or a password"
BEYOND: Final = "letters beyond ASCII"
BRACKETS: Final = "brackets hold no IPv6 address"
PORT: Final = "its port must be a number from 1 to 65535"
NO_HOST: Final = "names no host"

WRITTEN: Final = [
    # Addresses, as they are.
    ("http://127.0.0.1/", f"{ADDRESS} (loopback)"),
    ("http://127.8.8.8:9001/2018-06-01/runtime/invocation/next", f"{ADDRESS} (loopback)"),
    ("http://0.0.0.0/", f"{ADDRESS} (unspecified)"),
    ("http://0.1.2.3/", f"{ADDRESS} (unspecified)"),
    ("http://10.0.0.1/", f"{ADDRESS} (private)"),
    ("http://10.255.255.255/", f"{ADDRESS} (private)"),
    ("http://172.16.0.1/", f"{ADDRESS} (private)"),
    ("http://172.31.255.255/", f"{ADDRESS} (private)"),
    ("http://192.168.1.1/", f"{ADDRESS} (private)"),
    ("http://100.64.0.1/", f"{ADDRESS} (carrier NAT)"),
    ("http://100.127.255.254/", f"{ADDRESS} (carrier NAT)"),
    ("http://169.254.169.254/latest/meta-data/iam/security-credentials/", f"{ADDRESS} (link-local)"),
    ("http://169.254.170.2/v2/credentials", f"{ADDRESS} (link-local)"),
    ("https://169.254.169.254/", f"{ADDRESS} (link-local)"),
    ("http://192.0.0.170/", f"{ADDRESS} (reserved)"),
    ("http://192.0.2.1/", f"{ADDRESS} (documentation)"),
    ("http://198.51.100.1/", f"{ADDRESS} (documentation)"),
    ("http://203.0.113.9/", f"{ADDRESS} (documentation)"),
    ("http://198.18.0.1/", f"{ADDRESS} (benchmarking)"),
    ("http://192.88.99.1/", f"{ADDRESS} (6to4 relay)"),
    ("http://224.0.0.1/", f"{ADDRESS} (multicast)"),
    ("http://239.255.255.250:1900/", f"{ADDRESS} (multicast)"),
    ("http://240.0.0.1/", f"{ADDRESS} (reserved)"),
    ("http://255.255.255.255/", f"{ADDRESS} (reserved)"),
    ("http://127.0.0.1./", f"{ADDRESS} (loopback)"),
    ("HTTP://127.0.0.1/", f"{ADDRESS} (loopback)"),
    ("http://127.0.0.1#@example.com/", f"{ADDRESS} (loopback)"),
    ("http://127.0.0.1?@example.com/", f"{ADDRESS} (loopback)"),
    ("http://[::]/", f"{ADDRESS} (unspecified)"),
    ("http://[::1]/", f"{ADDRESS} (loopback)"),
    ("http://[0:0:0:0:0:0:0:1]:8080/", f"{ADDRESS} (loopback)"),
    ("http://[fe80::1]/", f"{ADDRESS} (link-local)"),
    ("http://[febf::1]/", f"{ADDRESS} (link-local)"),
    ("http://[fec0::1]/", f"{ADDRESS} (site-local)"),
    ("http://[fc00::1]/", f"{ADDRESS} (unique local)"),
    ("http://[fd00:ec2::254]/latest/meta-data/", f"{ADDRESS} (unique local)"),
    ("http://[ff02::1]/", f"{ADDRESS} (multicast)"),
    ("http://[100::1]/", f"{ADDRESS} (reserved)"),
    ("http://[4000::1]/", f"{ADDRESS} (reserved)"),
    ("http://[5f00::1]/", f"{ADDRESS} (reserved)"),
    ("http://[2001:db8::1]/", f"{ADDRESS} (documentation)"),
    ("http://[3fff::1]/", f"{ADDRESS} (documentation)"),
    # IPv4 within IPv6.
    ("http://[::ffff:127.0.0.1]/", f"{ADDRESS} (IPv4-mapped)"),
    ("http://[::ffff:a9fe:a9fe]/", f"{ADDRESS} (IPv4-mapped)"),
    ("http://[::ffff:8.8.8.8]/", f"{ADDRESS} (IPv4-mapped)"),
    ("http://[::ffff:0:169.254.169.254]/", f"{ADDRESS} (IPv4-translated)"),
    ("http://[::169.254.169.254]/", f"{ADDRESS} (IPv4-compatible)"),
    ("http://[::7f00:1]/", f"{ADDRESS} (IPv4-compatible)"),
    ("http://[64:ff9b::169.254.169.254]/", f"{ADDRESS} (NAT64)"),
    ("http://[64:ff9b::7f00:1]/", f"{ADDRESS} (NAT64)"),
    ("http://[64:ff9b:1::a00:1]/", f"{ADDRESS} (NAT64)"),
    ("http://[2002:7f00:1::]/", f"{ADDRESS} (6to4)"),
    ("http://[2002:a9fe:a9fe::1]/", f"{ADDRESS} (6to4)"),
    ("http://[2001:0:53aa:64c::5601:5601]/", f"{ADDRESS} (reserved)"),
    # Spellings that some readers take for an IPv4 address.
    ("http://2130706433/", NUMBER),
    ("http://2852039166/latest/meta-data/", NUMBER),
    ("http://017700000001/", NUMBER),
    ("http://0x7f000001/", NUMBER),
    ("http://0X7F.0.0.1/", NUMBER),
    ("http://0x7f.0.0.0x1/", NUMBER),
    ("http://0177.0.0.1/", NUMBER),
    ("http://127.0.0.01/", NUMBER),
    ("http://127.1/", NUMBER),
    ("http://127.0.1/", NUMBER),
    ("http://0/", NUMBER),
    ("http://1.2.3.4.5/", NUMBER),
    ("http://256.1.1.1/", NUMBER),
    ("http://169.254.43518/", NUMBER),
    ("http://metadata.0x/", NUMBER),
    ("http://\uff11\uff12\uff17.0.0.1/", BEYOND),
    ("http://\u2460\u2461\u2466.0.0.1/", BEYOND),
    ("http://127\u30020\u30020\u30021/", BEYOND),
    ("http://loc\u017flhost/", BEYOND),
    ("http://\u212aafka.test/", BEYOND),
    ("http://ex\u00adample.com/", BEYOND),
    ("http://%31%32%37.0.0.1/", NAME),
    ("http://127.0.0.1%2f@example.com/", USER),
    ("http://127.0.0.1%00.example.com/", NAME),
    # Where readers disagree about what is the host.
    ("http://example.com@127.0.0.1/", USER),
    ("http://user:password@example.com/", USER),
    ("http://@example.com/", USER),
    ("http://example.com:80@127.0.0.1/", USER),
    ("http://example.com\\@127.0.0.1/", UNSEEN),
    ("http://127.0.0.1\\.example.com/", UNSEEN),
    ("http://example.com\t.evil.test/", UNSEEN),
    ("http://exam\nple.com/", UNSEEN),
    ("http://example.com/\r\nHost: 127.0.0.1", UNSEEN),
    ("http://example.com/ HTTP/1.1\r\nX: y", UNSEEN),
    ("http://example.com/\x00", UNSEEN),
    ("http://example.com/\x7f", UNSEEN),
    ("http://example.com/\x85", UNSEEN),
    ("http://exa mple.com/", NAME),
    ("http:// example.com/", NAME),
    ("http://example.com,127.0.0.1/", NAME),
    ("http://example.com;127.0.0.1/", NAME),
    ("http://exam<ple.com/", NAME),
    ("http://-example.com/", NAME),
    ("http://a..b.test/", NAME),
    ("http://example.com../", NAME),
    ("http://.example.com/", NAME),
    (f"http://{'a' * 64}.test/", NAME),
    (f"http://{'.'.join(['a' * 63] * 4)}.test/", NAME),
    ("http:///etc/passwd", NO_HOST),
    ("http://", NO_HOST),
    ("http://./", NO_HOST),
    ("http://?q", NO_HOST),
    ("http://:80/", NO_HOST),
    ("http://[::1/", BRACKETS),
    ("http://[::1]x/", BRACKETS),
    ("http://[]/", BRACKETS),
    ("http://[fe80::1%25eth0]/", BRACKETS),
    ("http://[fe80::1%eth0]/", BRACKETS),
    ("http://[127.0.0.1]/", BRACKETS),
    ("http://[v1.fe80]/", BRACKETS),
    ("http://example.com:0/", PORT),
    ("http://example.com:65536/", PORT),
    ("http://example.com:-80/", PORT),
    ("http://example.com:+80/", PORT),
    ("http://example.com:/", PORT),
    ("http://example.com:80:80/", PORT),
    ("http://example.com:8_0/", PORT),
    ("http://example.com:\u0668\u0660/", PORT),
    ("http://::1/", NO_HOST),
    ("http://example.com/\ud800", "surrogate"),
    ("http://example.com/" + "a" * 9000, "the most is 8000"),
]

NO_WEB: Final = [
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "//example.com/",
    "example.com",
    " http://example.com/",
    "http:/example.com",
    "http:example.com",
    "http\uff1a//example.com/",
    "http\u017f://example.com/",
    "unix:///var/run/docker.sock",
    "",
]


def nothing_is_connected(_url: Url, address: str, _seconds: float) -> HTTPConnection:
    """What a refused URL never comes to."""
    raise AssertionError(f"connected to {address}")


def nothing_is_looked_up(_host: str, _port: int) -> NoReturn:
    """What a URL that is refused as it is written never comes to."""
    raise AssertionError("looked up")


def refused(url: str, resolve: Resolve = nothing_is_looked_up, allowed: str = "") -> str:
    """Why a URL is refused."""
    with pytest.raises((HttpRefused, InvalidInput)) as caught:
        call("GET", url, resolve=resolve, connect=nothing_is_connected, allowed=allowed)
    return str(caught.value)


@pytest.mark.parametrize(("url", "reason"), WRITTEN, ids=[ascii(case[0][:60]) for case in WRITTEN])
def test_a_url_is_refused_as_it_is_written(url: str, reason: str) -> None:
    """No look-up, no connection; the reason says what is wrong."""
    assert reason in refused(url)


@pytest.mark.parametrize("url", NO_WEB, ids=ascii)
def test_only_http_and_https_are_called(url: str) -> None:
    """Told when the data is read."""
    with pytest.raises(ValueError, match=r"begins with http:// or https://"):
        call("GET", url, resolve=nothing_is_looked_up, connect=nothing_is_connected)


NAMED: Final = [
    ("127.0.0.1", "loopback"),
    ("::1", "loopback"),
    ("10.1.2.3", "private"),
    ("169.254.169.254", "link-local"),
    ("fe80::1%2", "link-local"),
    ("100.100.100.200", "carrier NAT"),
    ("::ffff:93.184.215.14", "IPv4-mapped"),
    ("64:ff9b::5db8:d70e", "NAT64"),
    ("2002:5db8:d70e::1", "6to4"),
    ("fd12:3456::1", "unique local"),
    ("0.1.2.3", "unspecified"),
    ("255.255.255.255", "reserved"),
]


@pytest.mark.parametrize(("address", "kind"), NAMED)
@pytest.mark.parametrize("company", [[], ["93.184.215.14"], ["2606:4700::1", "93.184.215.14"]], ids=len)
def test_a_name_is_refused_for_any_of_its_addresses(address: str, kind: str, company: list[str]) -> None:
    """A forbidden address in good company is forbidden, wherever it stands; what it is, is not told."""
    for addresses in ([address, *company], [*company, address]):
        message = refused("http://evil.test/x?token=hidden", names(evil_test=addresses))
        assert f"GET evil.test/x: its host has an address that is {ADDRESS} ({kind})" in message
        assert "HTTP_ALLOWED_NETWORKS" in message
        assert address not in message
        assert "hidden" not in message


@pytest.mark.parametrize(
    ("allowed", "url", "kind"),
    [
        ("127.0.0.0/8", "http://169.254.169.254/", "link-local"),
        ("127.0.0.0/8", "http://[::ffff:127.0.0.1]/", "IPv4-mapped"),
        ("127.0.0.0/8", "http://[::1]/", "loopback"),
        ("10.1.0.0/16", "http://10.2.0.1/", "private"),
        ("64:ff9b::/96", "http://[64:ff9b::a9fe:a9fe]/", "link-local"),
        ("64:ff9b::/96, 2002::/16", "http://[2002:7f00:1::]/", "loopback"),
        ("::/0", "http://[::ffff:10.0.0.1]/", "private"),
    ],
)
def test_an_exception_is_for_its_network_alone(allowed: str, url: str, kind: str) -> None:
    """An IPv6 network that is allowed allows no IPv4 address within it that is not allowed itself."""
    assert f"({kind})" in refused(url, allowed=allowed)


def test_no_reason_quotes_the_url() -> None:
    """An expression may have put a secret there."""
    for url, _ in WRITTEN:
        message = refused(f"{url}?key=canary-1234" if "?" not in url and "#" not in url else url)
        assert "canary-1234" not in message
        assert "password" not in message.replace("a user or a password", "")
