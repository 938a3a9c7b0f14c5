"""What is there already is taken, or refused if it is not ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from dispatcher.table_schema import PARTITION_KEY, SORT_KEY
from local.provision import TABLE_NAME, WrongTable, create_table, ensure_bucket, ensure_table, provision
from tests.dispatcher.moto_loop import MotoClients


@pytest.fixture
def clients() -> Iterator[MotoClients]:
    """Clients of an account that has nothing yet."""
    with mock_aws():
        yield MotoClients()


def test_what_is_there_is_taken_as_it_is(clients: MotoClients) -> None:
    """Made once; the second time finds it, and the first secret stays."""
    first = provision(clients, signing_secret="one")
    second = provision(clients, signing_secret="two")
    assert (first.table_made, second.table_made) == (True, False)
    assert first.secret_id == second.secret_id
    assert clients.secretsmanager().get_secret_value(SecretId=second.secret_id)["SecretString"] == "one"
    ensure_bucket(clients.s3(), second.payload_bucket)


def test_a_table_that_is_not_ours_is_refused(clients: MotoClients) -> None:
    """With all that is wrong with it, and what to do; it is left alone."""
    dynamodb = clients.dynamodb()
    dynamodb.create_table(
        TableName=TABLE_NAME,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    with pytest.raises(WrongTable, match=rf"its keys are id, not {PARTITION_KEY} and {SORT_KEY}") as raised:
        ensure_table(dynamodb)
    for said in (f"'{TABLE_NAME}' at https://dynamodb", "lacks the index 'due'", "remove it, or choose another"):
        assert said in str(raised.value)
    assert dynamodb.describe_table(TableName=TABLE_NAME)["Table"]["KeySchema"][0]["AttributeName"] == "id"


def test_an_index_with_other_keys_is_refused(clients: MotoClients) -> None:
    """Named, with both."""
    dynamodb = clients.dynamodb()
    create_table(dynamodb)
    dynamodb.update_table(TableName=TABLE_NAME, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "due"}}])
    dynamodb.update_table(
        TableName=TABLE_NAME,
        AttributeDefinitions=[{"AttributeName": "due_at", "AttributeType": "N"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "due",
                    "KeySchema": [{"AttributeName": "due_at", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            }
        ],
    )
    with pytest.raises(WrongTable, match="the keys of its index 'due' are due_at, not due_shard and due_at"):
        ensure_table(dynamodb)
