"""Fixtures: each test of a contract runs on every backend of its port."""

from __future__ import annotations

import pytest

from tests.dispatcher.contract.backends import (
    DynamoDb,
    QueueBackend,
    StoreBackend,
    dynamodb,
    queue_in_memory,
    queue_on_sqs,
    store_in_memory,
)
from tests.dispatcher.moto_loop import MotoClients
from tests.dispatcher.virtual_time import VirtualTime
from tests.dispatcher.wiretap import Wiretap


@pytest.fixture
def table(clients: MotoClients, observer: MotoClients, tap: Wiretap) -> DynamoDb:
    """The store on moto, with its calls."""
    return dynamodb(clients, observer, tap)


@pytest.fixture(params=["memory", "moto"])
def backend(request: pytest.FixtureRequest) -> StoreBackend:
    """A RunStore."""
    if request.param == "memory":
        return store_in_memory()
    table: DynamoDb = request.getfixturevalue("table")
    return StoreBackend(table.store, table.set_schema, table.in_index)


@pytest.fixture(params=["memory", "moto"])
def queue(
    request: pytest.FixtureRequest, time: VirtualTime, clients: MotoClients, observer: MotoClients
) -> QueueBackend:
    """A StepQueue."""
    if request.param == "memory":
        return queue_in_memory(time)
    request.getfixturevalue("moto")
    return queue_on_sqs(clients, observer)
