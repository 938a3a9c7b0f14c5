"""Fixtures: each test of a contract runs on every backend of its port."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Final

import pytest

from tests.dispatcher.contract.backends import (
    DynamoDb,
    QueueBackend,
    StoreBackend,
    dynamodb,
    queue_in_memory,
    queue_on_sqs,
    store_in_memory,
    store_on_dynamodb_local,
)
from tests.dispatcher.contract.dynamodb_local import DynamoDbLocal, java
from tests.dispatcher.moto_loop import MotoClients
from tests.dispatcher.virtual_time import VirtualTime
from tests.dispatcher.wiretap import Wiretap

WITHOUT_JAVA: Final = "there is no Java: nothing was tested on DynamoDB Local; install a Java runtime, 8 or later"


@pytest.fixture(scope="session")
def local_dynamodb(request: pytest.FixtureRequest) -> Iterator[DynamoDbLocal]:
    """DynamoDB Local, started when the first test of this process asks for it; only without Java is there none."""
    if java() is None:
        _show_in_summary(request.config, WITHOUT_JAVA)
        pytest.skip(WITHOUT_JAVA)
    with DynamoDbLocal() as server:
        yield server


def _show_in_summary(config: pytest.Config, text: str) -> None:
    # Past the filters, which would make an error of it, and in a form that workers hand on to the terminal.
    warning = warnings.WarningMessage(pytest.PytestWarning(text), pytest.PytestWarning, __file__, 1)
    config.hook.pytest_warning_recorded.call_historic(
        kwargs={"warning_message": warning, "nodeid": "", "when": "runtime", "location": None}
    )


@pytest.fixture
def table(clients: MotoClients, observer: MotoClients, tap: Wiretap) -> DynamoDb:
    """The store on moto, with its calls."""
    return dynamodb(clients, observer, tap)


@pytest.fixture(params=["memory", "moto", "dynamodb-local"])
def backend(request: pytest.FixtureRequest) -> StoreBackend:
    """A RunStore."""
    if request.param == "memory":
        return store_in_memory()
    if request.param == "dynamodb-local":
        server: DynamoDbLocal = request.getfixturevalue("local_dynamodb")
        return store_on_dynamodb_local(server.new_account())
    table: DynamoDb = request.getfixturevalue("table")
    return StoreBackend(table.store, table.hands.set_schema, table.hands.in_index)


@pytest.fixture(params=["memory", "moto"])
def queue(
    request: pytest.FixtureRequest, time: VirtualTime, clients: MotoClients, observer: MotoClients
) -> QueueBackend:
    """A StepQueue."""
    if request.param == "memory":
        return queue_in_memory(time)
    request.getfixturevalue("moto")
    return queue_on_sqs(clients, observer)
