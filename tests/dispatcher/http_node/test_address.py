"""The verdict on addresses: public ones may be called, and what the deployment allows."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatcher.http_node.address import networks_of, refusal
from dispatcher.settings import InvalidSettings, Settings
from tests.dispatcher.test_settings import WELL

PROPERTY: Final = settings(derandomize=True, deadline=None, max_examples=500)

INSIDE: Final = [
    IPv4Network(text)
    for text in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12")
] + [IPv4Network(text) for text in ("192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4")]
"""IPv4 networks that no call may reach."""

BESIDES: Final = [IPv4Network("192.88.99.0/24"), IPv4Network("192.0.0.0/24")]
"""IPv4 networks with a few public addresses that are refused all the same."""

HOLDERS: Final = ["::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::", "::"]
"""IPv6 networks whose last 32 bits are an IPv4 address."""


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "93.184.215.14",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2001:4860:4860::8888",
        "2a00:1450::1",
        "2003::1",
        "3ffe:ffff::1",
        "2001:200::1",
    ],
)
def test_public_addresses_may_be_called(address: str) -> None:
    """Up to the edges of what may not."""
    assert refusal(ip_address(address)) is None


@PROPERTY
@given(st.ip_addresses(v=4))
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("255.255.255.255"))
def test_an_ipv4_address_that_python_calls_private_is_refused(address: IPv4Address) -> None:
    """Nothing that the standard library knows as special passes, and hardly anything else is refused."""
    kind = refusal(address)
    if any(address in network for network in INSIDE) or address.is_private or address.is_multicast:
        assert kind is not None
    elif not any(address in network for network in BESIDES):
        assert kind is None


@PROPERTY
@given(st.ip_addresses(v=6) | st.integers(0, 2**125 - 1).map(lambda low: IPv6Address(2**125 + low)))
@example(IPv6Address("fd00:ec2::254"))
def test_an_ipv6_address_that_is_not_public_is_refused(address: IPv6Address) -> None:
    """Of 2000::/3 alone, and there nothing that the standard library knows as special."""
    kind = refusal(address)
    special = address.is_private or address.is_multicast or address.is_reserved or address.sixtofour is not None
    if address not in IPv6Network("2000::/3") or special or address.teredo is not None:
        assert kind is not None


@PROPERTY
@given(st.sampled_from(HOLDERS), st.ip_addresses(v=4))
@example("64:ff9b::", IPv4Address("8.8.8.8"))
def test_ipv4_within_ipv6_is_refused_whatever_it_is(holder: str, inner: IPv4Address) -> None:
    """A gateway might turn it into the very address that is forbidden."""
    assert refusal(IPv6Address(int(IPv6Address(holder)) + int(inner))) is not None
    assert refusal(IPv6Address((0x2002 << 112) + (int(inner) << 80) + 1)) == "6to4"


@PROPERTY
@given(st.sampled_from(HOLDERS[:4]), st.ip_addresses(v=4))
def test_where_ipv6_may_hold_ipv4_what_it_holds_is_judged(holder: str, inner: IPv4Address) -> None:
    """An allowed network of NAT64 leads to public addresses, and nowhere else."""
    outer = IPv6Address(int(IPv6Address(holder)) + int(inner))
    assert refusal(outer, [IPv6Network("::/0")]) == refusal(inner)


@pytest.mark.parametrize(
    ("allowed", "address", "may"),
    [
        ("127.0.0.0/8", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.1.0.0/16,10.2.0.0/16", "10.2.3.4", True),
        ("10.1.0.0/16", "10.2.3.4", False),
        ("fd00::/8", "fd12::1", True),
        ("fd00::/8", "127.0.0.1", False),
        ("0.0.0.0/0", "::1", False),
    ],
)
def test_exceptions(allowed: str, address: str, *, may: bool) -> None:
    """Networks of one version say nothing of the other."""
    assert (refusal(ip_address(address), networks_of(allowed)) is None) is may


def test_networks_are_a_setting() -> None:
    """With commas between them; none by default."""
    assert Settings.from_env(WELL).http_allowed_networks == ()
    assert Settings.from_env({**WELL, "HTTP_ALLOWED_NETWORKS": " , "}).http_allowed_networks == ()
    settings = Settings.from_env({**WELL, "HTTP_ALLOWED_NETWORKS": "127.0.0.0/8, fd00::/8 ,10.0.0.7"})
    expected = ("127.0.0.0/8", "fd00::/8", "10.0.0.7/32")
    assert settings.http_allowed_networks == tuple(map(ip_network, expected))


@pytest.mark.parametrize("value", ["127.0.0.1/8", "localhost", "10.0.0.0/33", "10.0.0", "*", "127.0.0.0/8 10.0.0.0/8"])
def test_a_network_that_is_none_is_told(value: str) -> None:
    """By the variable's name, with what it must be."""
    with pytest.raises(InvalidSettings, match="HTTP_ALLOWED_NETWORKS is") as caught:
        Settings.from_env({**WELL, "HTTP_ALLOWED_NETWORKS": f"fd00::/8,{value}"})
    assert f"{value!r} is no network; write it as 10.1.0.0/16" in str(caught.value)
