"""Which addresses a workflow may call: those of the public internet, and networks that the deployment allows.

Owns the table and the verdict on one address. It refuses to look names up: an address is judged here and connected to
as it is, so that no second look-up can give another.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_KINDS: Final = (
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier NAT"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "documentation"),
    ("3fff::/20", "documentation"),
    ("fc00::/7", "unique local"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
"""Networks that are not the public internet: IANA's registries of special-purpose addresses (RFC 6890), with multicast
(RFC 5771, RFC 4291). Within 192.0.0.0/24 and 2001::/23 a few services are reachable; no workflow calls them."""

_HOLDERS: Final = (
    ("::ffff:0:0/96", 0, "IPv4-mapped"),
    ("::ffff:0:0:0/96", 0, "IPv4-translated"),
    ("64:ff9b::/96", 0, "NAT64"),
    ("64:ff9b:1::/48", 0, "NAT64"),
    ("2002::/16", 80, "6to4"),
    ("::/96", 0, "IPv4-compatible"),
)
"""IPv6 networks whose addresses hold an IPv4 address, by how many bits it stands from the end: RFC 4291, RFC 7915,
RFC 6052, RFC 8215, RFC 3056. Teredo (RFC 4380), which hides it, is within 2001::/23."""

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All of IPv6 that is given out so far (RFC 4291, 2.4); what is outside of it is nobody's."""


def networks_of(text: str) -> tuple[Network, ...]:
    """Reads a comma list of networks, ``10.1.0.0/16, 127.0.0.1``; empty for none.

    Raises:
        ValueError: one of them is no network; it is quoted.
    """
    return tuple(_network(part.strip()) for part in text.split(",") if part.strip())


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is no network; write it as 10.1.0.0/16, its host bits zero") from None


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Why an address must not be called, in a word or two; None when it may be.

    Args:
        address: where a connection would go.
        allowed: networks that may be reached although they are not public. An IPv6 address that holds an IPv4 address
            must be in one of them, and what it holds must be allowed as well.
    """
    is_allowed = _within(address, allowed)
    if isinstance(address, IPv6Address) and not _own_meaning(address):
        for network, shift, kind in _holders():
            if address in network:
                return refusal(IPv4Address(int(address) >> shift & 0xFFFFFFFF), allowed) if is_allowed else kind
    if is_allowed:
        return None
    for other, kind in _kinds():
        if address.version == other.version and address in other:
            return kind
    return "reserved" if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST else None


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _own_meaning(address: IPv6Address) -> bool:
    # They lie in ::/96, and hold no IPv4 address.
    return address.is_unspecified or address.is_loopback


@cache
def _kinds() -> Sequence[tuple[Network, str]]:
    return tuple((ip_network(network), kind) for network, kind in _KINDS)


@cache
def _holders() -> Sequence[tuple[IPv6Network, int, str]]:
    return tuple((IPv6Network(network), shift, kind) for network, shift, kind in _HOLDERS)
