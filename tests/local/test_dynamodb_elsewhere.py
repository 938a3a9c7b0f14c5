"""The local stack over another DynamoDB: AWS's own DynamoDB Local, which outlives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import LocalStack
from local.emulator import EmulatorClients
from local.provision import TABLE_NAME, WrongTable
from local.state_folder import StateFolder
from tests.dispatcher.contract.conftest import local_dynamodb
from tests.dispatcher.contract.dynamodb_local import DynamoDbLocal
from tests.local.http import call
from tests.local.waiting import until_status

REGISTRY = "tests.local.small_registry:registry"

__all__ = ["local_dynamodb"]


@pytest.fixture
def url(local_dynamodb: DynamoDbLocal) -> str:
    """Address of a DynamoDB that has nothing yet."""
    dynamodb = EmulatorClients("http://127.0.0.1:9", {"dynamodb": local_dynamodb.url}).dynamodb()
    for name in dynamodb.list_tables()["TableNames"]:
        dynamodb.delete_table(TableName=name)
    return local_dynamodb.url


def test_runs_outlive_the_stack(url: str, tmp_path: Path) -> None:
    """The table is made there and found again; what the queue lost is sent again; the folder keeps the secret alone."""
    with LocalStack(registry=REGISTRY, dynamodb_endpoint=url, data=tmp_path) as first:
        assert first.elsewhere == {"dynamodb": url}
        assert EmulatorClients(first.emulator_url).dynamodb().list_tables()["TableNames"] == []
        first._functions[0].stop()
        first._functions[0]._thread.join(10)
        assert call(f"{first.url}/workflows/small/runs", {"workflowId": "kept"})[0] == 202
        port = int(first.url.rpartition(":")[2])
    with LocalStack(registry=REGISTRY, dynamodb_endpoint=url, data=tmp_path, port=port) as second:
        assert second.requeued == 1
        link = until_status(second.url, "kept", "paused")["wait"]["callbackUrl"]
    with LocalStack(registry=REGISTRY, dynamodb_endpoint=url, data=tmp_path, port=port) as third:
        assert call(link, {"ok": True})[0] == 202
        assert until_status(third.url, "kept", "completed")["output"] == {"got": {"ok": True}}
    with StateFolder(tmp_path) as folder:
        state = folder.load()
    assert state is not None
    assert state.items is None


def test_a_table_that_is_not_ours_is_refused(url: str) -> None:
    """By its address, and it is left as it is."""
    dynamodb = EmulatorClients("http://127.0.0.1:9", {"dynamodb": url}).dynamodb()
    dynamodb.create_table(
        TableName=TABLE_NAME,
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    with pytest.raises(WrongTable, match=f"'{TABLE_NAME}' at {url} is not one"):
        LocalStack(registry=REGISTRY, dynamodb_endpoint=url).__enter__()
    assert dynamodb.list_tables()["TableNames"] == [TABLE_NAME]
