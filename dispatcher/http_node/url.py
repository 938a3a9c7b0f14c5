"""URLs as ``core:http`` takes them: read once, by these rules alone, so that no two parts of it read one differently.

It refuses what other readers disagree about (blanks, backslashes, users in front of ``@``, numbers that some take for
an IPv4 address) rather than to guess what was meant. No message quotes a URL: a secret may be in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias
from urllib.parse import quote, urljoin

from dispatcher.limits import HTTP_URL_CHARACTERS_MAX

_PORTS: Final = {"http": 80, "https": 443}
_PORT_MAX: Final = 65535
_HOST_CHARACTERS_MAX: Final = 253
"""Length of a name (RFC 1035, 2.3.4, less its length bytes)."""

_SHAPE: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[^#]*)", re.IGNORECASE | re.ASCII
)
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*")
_PORT: Final = re.compile(r"[0-9]{1,5}")
KEPT_IN_PATH: Final = "/%:@!$&'()*+,;=~-._[]"
"""What stands in a path as it is, beside letters and digits (RFC 3986, 3.3); brackets too, which servers take."""

Scalar: TypeAlias = str | int | float | bool | None


class InvalidUrl(ValueError):
    """A URL that is not called, and why; it is not quoted."""


@dataclass(frozen=True, slots=True)
class Url:
    """A URL taken apart.

    Args:
        scheme: ``http`` or ``https``.
        host: a name in lower case, or an address as text; an IPv6 address has no brackets here.
        port: from 1 to 65535.
        path: from the first slash on, percent-encoded.
        query: without its question mark, percent-encoded; None when there is none.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str | None = None

    @property
    def target(self) -> str:
        """What stands in the request line."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @property
    def authority(self) -> str:
        """What stands in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host, when it is an address and no name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    def trusts(self, other: Url) -> bool:
        """Whether what was meant for this URL's server may go to the other's: it is the same, or the same over TLS."""
        if (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port):
            return True
        usual = self.port == _PORTS[self.scheme] and other.port == _PORTS[other.scheme]
        return usual and self.host == other.host and other.scheme == "https"


def read_url(text: str, query: Mapping[str, Scalar | Sequence[Scalar]] | None = None) -> Url:
    """Takes a URL apart and adds to its query.

    Args:
        text: the URL; what follows a ``#`` is left out. Blanks and letters beyond ASCII are percent-encoded in its path
            and query.
        query: more of the query; None leaves a name out, a list repeats it.

    Raises:
        InvalidUrl: it is none that is called, and why.
    """
    if _UNSEEN.search(text):
        raise InvalidUrl("it holds a control character or a backslash; percent-encode what belongs to its path")
    shape = _SHAPE.fullmatch(text.partition("#")[0])
    if shape is None or shape["scheme"].lower() not in _PORTS:
        raise InvalidUrl("it must begin with http:// or https://")
    scheme = shape["scheme"].lower()
    host, port = _server(shape["authority"], _PORTS[scheme])
    path, mark, own_query = shape["rest"].partition("?")
    parts = [_encoded(own_query)] if mark else []
    parts += [f"{_quoted(name)}={_quoted(item)}" for name, item in _pairs(query or {})]
    url = Url(scheme, host, port, _encoded(path) or "/", "&".join(filter(None, parts)) if parts else None)
    if len(url.target) > HTTP_URL_CHARACTERS_MAX:
        raise InvalidUrl(f"its path and query have {len(url.target)} characters; the most is {HTTP_URL_CHARACTERS_MAX}")
    return url


def redirect_url(base: Url, location: str) -> Url:
    """Where a Location header leads.

    Raises:
        InvalidUrl: to no URL that is called.
    """
    # Headers come as Latin-1, and what goes beyond ASCII in this one is meant as UTF-8.
    location = location.strip(" ").encode("latin-1", "replace").decode("utf-8", "replace")
    if _UNSEEN.search(location):  # urljoin would take some of them out
        raise InvalidUrl("it holds a control character or a backslash")
    try:
        joined = urljoin(f"{base.scheme}://{base.authority}{base.target}", location)
    except ValueError:
        raise InvalidUrl("it cannot be read") from None
    return read_url(joined)


def _server(authority: str, usual_port: int) -> tuple[str, int]:
    if "@" in authority:
        raise InvalidUrl("it names a user or a password; give those as the header Authorization")
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise InvalidUrl("its brackets hold no IPv6 address")
        return _ipv6(host), _port(port[1:] if port else None, usual_port)
    host, colon, port = authority.partition(":")
    return _name(host), _port(port if colon else None, usual_port)


def _port(text: str | None, usual: int) -> int:
    if text is None:
        return usual
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= _PORT_MAX:
        raise InvalidUrl(f"its port must be a number from 1 to {_PORT_MAX}")
    return int(text)


def _ipv6(text: str) -> str:
    try:
        # A zone, which follows a %, is about this machine's own networks.
        return str(IPv6Address("" if "%" in text else text))
    except ValueError:
        raise InvalidUrl("its brackets hold no IPv6 address") from None


def _name(text: str) -> str:
    if not text.isascii():  # before it is made small: the Kelvin sign becomes a k
        raise InvalidUrl("its host has letters beyond ASCII; write its xn-- form")
    name = text.lower().removesuffix(".")
    if not name:
        raise InvalidUrl("it names no host")
    labels = name.split(".")
    if len(name) > _HOST_CHARACTERS_MAX or not all(map(_LABEL.fullmatch, labels)):
        raise InvalidUrl("its host is no name: letters, digits, - and _, in parts of 1 to 63 between dots")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(name)
    return name


def _ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))  # four decimal numbers without leading zeros, and nothing else
    except ValueError:
        raise InvalidUrl("its host ends in a number and is no IPv4 address; write four decimal numbers") from None


def _encoded(text: str, kept: str = KEPT_IN_PATH + "?") -> str:
    try:
        return quote(text, safe=kept)
    except UnicodeEncodeError:
        raise InvalidUrl("it holds half of a surrogate pair, which has no UTF-8") from None


def _quoted(value: Scalar) -> str:
    return _encoded(_text(value), kept="")


def _text(value: Scalar) -> str:
    """A value as expressions write it into text: as JavaScript does."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _pairs(query: Mapping[str, Scalar | Sequence[Scalar]]) -> Sequence[tuple[str, Scalar]]:
    pairs: list[tuple[str, Scalar]] = []
    for name, value in query.items():
        values = [value] if value is None or isinstance(value, str | int | float) else value
        pairs += [(name, item) for item in values if item is not None]
    return pairs
