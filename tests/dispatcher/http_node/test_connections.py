"""Names are looked up once, and what was judged is what is connected to; over TLS the name is proven."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from urllib3.connection import HTTPConnection, HTTPSConnection

from dispatcher.http_node.connection import Connect, system_addresses, system_connection
from dispatcher.http_node.errors import HttpRefused, HttpUnreachable
from dispatcher.http_node.url import Url, read_url
from tests.dispatcher.http_node.caller import call, got, names
from tests.dispatcher.http_node.server import Server, answered, as_json, serving

PUBLIC: Final = "93.184.215.14"


class Route:
    """Connections that go to a server of this machine, whatever the address; it is remembered."""

    def __init__(self, server: Server, trust: ssl.SSLContext | None = None) -> None:
        self.addresses: list[str] = []
        self._server = server
        self._trust = trust

    def __call__(self, url: Url, address: str, seconds: float) -> HTTPConnection:
        """See Connect."""
        self.addresses.append(address)
        if url.scheme == "http":
            return HTTPConnection("127.0.0.1", self._server.port, timeout=seconds)
        return HTTPSConnection(
            "127.0.0.1", self._server.port, timeout=seconds, server_hostname=url.host, ssl_context=self._trust
        )


def test_a_public_name_is_called_at_its_address() -> None:
    """By the name in Host, at the address that was looked up."""
    with serving(as_json("1")) as server:
        route = Route(server)
        assert got("GET", "http://api.test/", resolve=names(api_test=PUBLIC), connect=route, allowed="")["body"] == 1
    assert route.addresses == [PUBLIC]
    assert server.received[0].headers["host"] == "api.test"


def test_an_address_is_not_looked_up() -> None:
    """There is no name."""

    def resolve(_host: str, _port: int) -> Sequence[str]:
        raise AssertionError

    with serving(as_json("1")) as server:
        route = Route(server)
        for url in (f"http://{PUBLIC}/", "http://[2606:4700:0::1]:8080/"):
            call("GET", url, resolve=resolve, connect=route, allowed="")
    assert route.addresses == [PUBLIC, "2606:4700::1"]
    assert [request.headers["host"] for request in server.received] == [PUBLIC, "[2606:4700::1]:8080"]


def test_a_name_that_changes_its_address_gains_nothing() -> None:
    """DNS rebinding: the second look-up, which would lead inside, never happens; a redirect's is judged again."""
    answers: Iterator[Sequence[str]] = iter([[PUBLIC], ["169.254.169.254"]])

    def resolve(_host: str, _port: int) -> Sequence[str]:
        return next(answers)

    with serving(answered(302, location="/again")) as server:
        route = Route(server)
        with pytest.raises(HttpRefused, match="link-local"):
            call("GET", "http://rebind.test/", resolve=resolve, connect=route, allowed="")
    assert route.addresses == [PUBLIC]
    assert len(server.received) == 1


def test_the_next_address_is_tried() -> None:
    """When one takes no connection; once one has, there is no other try."""
    with serving(as_json("1")) as server, serving(answered()) as gone:
        pass
    with serving(lambda _request: b"") as server:
        tried: list[str] = []

        def connect(_url: Url, address: str, seconds: float) -> HTTPConnection:
            tried.append(address)
            port = gone.port if address == PUBLIC else server.port
            return HTTPConnection("127.0.0.1", port, timeout=seconds)

        resolve = names(api_test=[PUBLIC, "1.1.1.1", "8.8.8.8"], down_test=PUBLIC)
        with pytest.raises(HttpUnreachable, match="closed the connection"):
            call("POST", "http://api.test/", resolve=resolve, connect=connect)
        assert tried == [PUBLIC, "1.1.1.1"]
        with pytest.raises(HttpUnreachable, match=r"GET down\.test/: connection refused"):
            call("GET", "http://down.test/", resolve=resolve, connect=connect)


def test_a_name_nobody_knows_is_unreachable() -> None:
    """It may be known later."""
    with pytest.raises(HttpUnreachable, match=r"GET nowhere\.test/a: .* looked up: name or service not known"):
        call("GET", "http://nowhere.test/a?token=hidden")
    with pytest.raises(HttpUnreachable, match="its host has no address"):
        call("GET", "http://empty.test/", resolve=names(empty_test=[]))


def test_a_resolver_that_is_broken_is_not_hidden() -> None:
    """A mistake of ours is no weather."""

    def resolve(_host: str, _port: int) -> Sequence[str]:
        raise KeyError("mistake")

    with pytest.raises(KeyError, match="mistake"):
        call("GET", "http://a.test/", resolve=resolve)


def test_the_systems_resolver_gives_addresses() -> None:
    """Each once, as text that is an address."""
    found = system_addresses("127.0.0.1", 80)
    assert found == ["127.0.0.1"]
    for address in system_addresses("localhost", 80):
        assert ip_address(address).is_loopback


def test_localhost_is_refused_by_the_systems_own_resolver() -> None:
    """The real thing, end to end."""
    with pytest.raises(HttpRefused, match=r"not public \(loopback\)"):
        call("GET", "http://localhost/", resolve=system_addresses, allowed="")


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would look names up themselves, past every rule."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(as_json("1")) as server:
        assert got("GET", server.url)["body"] == 1
    assert server.received[0].target == "/"


# --- TLS ---------------------------------------------------------------------------------------

Trust = Callable[[], ssl.SSLContext]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and key for ``a.test``, its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.test")])
    now = datetime.now(tz=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "a.test.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@pytest.fixture(scope="module")
def tls(certificate: Path) -> ssl.SSLContext:
    """The server's side of TLS; it remembers the names it is called by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture(scope="module")
def trusting(certificate: Path) -> ssl.SSLContext:
    """The client's side, which trusts that certificate."""
    return ssl.create_default_context(cafile=certificate)


def test_over_tls_the_name_is_asked_for_and_proven(tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    """Server name and certificate are the URL's host, although the connection is to an address."""
    asked: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: asked.append(name)
    with serving(as_json("1"), context=tls) as server:
        route = Route(server, trusting)
        result = got("GET", "https://a.test/", resolve=names(a_test=PUBLIC), connect=route, allowed="")
    assert result["body"] == 1
    assert asked == ["a.test"]
    assert server.received[0].headers["host"] == "a.test"


@pytest.mark.parametrize(
    ("host", "trusts", "said"),
    [
        ("b.test", True, "certificate is not trusted: Hostname mismatch"),
        (PUBLIC, True, "certificate is not trusted: IP address mismatch"),
        ("a.test", False, "certificate is not trusted: self-signed certificate"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused(
    tls: ssl.SSLContext, trusting: ssl.SSLContext, host: str, said: str, *, trusts: bool
) -> None:
    """Another name's, or one that nobody vouches for; nothing is sent."""
    context = trusting if trusts else ssl.create_default_context()
    resolve = names(a_test=PUBLIC, b_test=PUBLIC)
    with serving(as_json("1"), context=tls) as server, pytest.raises(HttpUnreachable) as caught:
        call("GET", f"https://{host}/x?token=hidden", resolve=resolve, connect=Route(server, context), allowed="")
    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert not server.received


def test_a_server_that_speaks_no_tls(trusting: ssl.SSLContext) -> None:
    """Told as what it is."""
    with serving(b"", greeting=answered(400)) as server, pytest.raises(HttpUnreachable, match="TLS fails: WRONG_V"):
        call("GET", "https://a.test/", resolve=names(a_test=PUBLIC), connect=Route(server, trusting), allowed="")


def test_no_redirect_leaves_tls(tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    """What was private stays so, whoever says otherwise."""
    with serving(answered(302, location="http://a.test/x"), context=tls) as server:
        route = Route(server, trusting)
        with pytest.raises(HttpRefused, match=r"GET a\.test/: the server redirects from https to http"):
            call("GET", "https://a.test/", resolve=names(a_test=PUBLIC), connect=route, allowed="")
    assert len(server.received) == 1


def test_http_may_lead_to_https(tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    """The same host at its usual ports is the same server, so its credentials go along, and its body."""
    with serving(as_json("1"), context=tls) as secure, serving(answered(308, location="https://a.test/x")) as plain:
        routes = {"http": Route(plain), "https": Route(secure, trusting)}
        connect: Connect = lambda url, address, seconds: routes[url.scheme](url, address, seconds)  # noqa: E731
        resolve = names(a_test=PUBLIC)
        call("POST", "http://a.test/", headers={"Authorization": "Basic x"}, json={}, resolve=resolve, connect=connect)
    assert (secure.received[0].method, secure.received[0].headers["authorization"]) == ("POST", "Basic x")
    assert secure.received[0].body == b"{}"


def test_the_systems_trust_is_what_is_asked() -> None:
    """Certificates and names are checked; the context is made once."""
    url = read_url("https://a.test/")
    first, second = (system_connection(url, PUBLIC, 1.0) for _ in range(2))
    assert isinstance(first, HTTPSConnection)
    assert isinstance(second, HTTPSConnection)
    context = first.ssl_context
    assert context is not None
    assert context is second.ssl_context
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert first.server_hostname == "a.test"
    assert (first.host, first.port) == (PUBLIC, 443)
