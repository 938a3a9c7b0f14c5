"""Fixtures of the shell's tests: moto, virtual time, and a loop over any registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from moto import mock_aws

from engine import Registry
from tests.dispatcher.moto_loop import MotoClients, MotoLoop
from tests.dispatcher.virtual_time import VirtualTime, virtual_time
from tests.dispatcher.wiretap import Wiretap

NewLoop = Callable[..., MotoLoop]


@pytest.fixture(scope="session")
def clients() -> MotoClients:
    """The product's clients; making them takes longer than most tests."""
    return MotoClients()


@pytest.fixture(scope="session")
def observer() -> MotoClients:
    """The tests' own clients, which no fault ever hits."""
    return MotoClients()


@pytest.fixture
def time() -> Iterator[VirtualTime]:
    """Virtual time."""
    with virtual_time() as time:
        yield time


@pytest.fixture
def moto(time: VirtualTime) -> Iterator[None]:
    """An account that has nothing yet, in virtual time."""
    assert time.now_ms
    with mock_aws():
        yield


@pytest.fixture
def tap(moto: None, clients: MotoClients) -> Iterator[Wiretap]:  # noqa: ARG001
    """Every call of the product's clients."""
    tap = Wiretap()
    with tap.tapping(clients.all):
        yield tap


@pytest.fixture
def new_loop(clients: MotoClients, observer: MotoClients, tap: Wiretap, time: VirtualTime) -> NewLoop:
    """Makes the deployment of a registry: ``new_loop(registry, steps_per_invocation=3)``."""

    def made(registry: Registry, **settings: int) -> MotoLoop:
        return MotoLoop(registry, clients=clients, observer=observer, tap=tap, time=time, **settings)

    return made
