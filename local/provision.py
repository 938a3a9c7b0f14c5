"""Makes the table, the queues, the bucket and the secret that the cloud stack makes, from the same table_schema.py."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dispatcher.bootstrap import Clients
from dispatcher.table_schema import (
    DUE_AT,
    DUE_INDEX,
    DUE_SHARD,
    PARTITION_KEY,
    SORT_KEY,
    STARTED,
    STATUS_INDEX,
    STATUS_SHARD,
    WORKFLOW_INDEX,
    WORKFLOW_SHARD,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import GlobalSecondaryIndexTypeDef
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

TABLE_NAME: Final = "refluxo"
QUEUE_NAME: Final = "refluxo-steps"
DEAD_LETTER_QUEUE_NAME: Final = "refluxo-dead-letters"
PARKED_QUEUE_NAME: Final = "refluxo-parked"
BUCKET_NAME: Final = "refluxo-payloads"
SECRET_NAME: Final = "refluxo-webhooks"  # noqa: S105  (a name)

RECEIVES_MAX: Final = 5
"""Deliveries of a message before it goes to the queue behind: from the steps to the dead letters, from there to
parked, as in the cloud stack."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Names and addresses of what was made."""

    table_name: str
    queue_url: str
    dead_letter_queue_url: str
    parked_queue_url: str
    payload_bucket: str
    secret_id: str

    def environment(self, public_url: str, registry: str) -> dict[str, str]:
        """The environment the cloud stack would give the functions."""
        return {
            "TABLE_NAME": self.table_name,
            "QUEUE_URL": self.queue_url,
            "PARKED_QUEUE_URL": self.parked_queue_url,
            "PAYLOAD_BUCKET": self.payload_bucket,
            "PUBLIC_URL": public_url,
            "REFLUXO_REGISTRY": registry,
            "WEBHOOK_SECRET_ID": self.secret_id,
        }


def provision(clients: Clients, *, signing_secret: str, visibility_seconds: int = 180) -> Resources:
    """Makes everything, on an emulator that has nothing yet.

    Args:
        clients: of the emulator.
        signing_secret: signs webhook tokens.
        visibility_seconds: how long a received message stays hidden; the cloud stack's default.
    """
    sqs = clients.sqs()
    create_table(clients.dynamodb())
    clients.s3().create_bucket(Bucket=BUCKET_NAME)
    parked = sqs.create_queue(QueueName=PARKED_QUEUE_NAME)["QueueUrl"]
    dead_letters = _create_queue_before(sqs, parked, DEAD_LETTER_QUEUE_NAME, visibility_seconds)
    steps = _create_queue_before(sqs, dead_letters, QUEUE_NAME, visibility_seconds)
    secret_id = _create_secret(clients.secretsmanager(), signing_secret)
    return Resources(TABLE_NAME, steps, dead_letters, parked, BUCKET_NAME, secret_id)


def create_table(dynamodb: DynamoDBClient, name: str = TABLE_NAME) -> None:
    """Makes a table of that name with the cloud table's keys and indexes."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": PARTITION_KEY, "AttributeType": "S"},
            {"AttributeName": SORT_KEY, "AttributeType": "S"},
            {"AttributeName": DUE_SHARD, "AttributeType": "S"},
            {"AttributeName": DUE_AT, "AttributeType": "N"},
            {"AttributeName": STATUS_SHARD, "AttributeType": "S"},
            {"AttributeName": WORKFLOW_SHARD, "AttributeType": "S"},
            {"AttributeName": STARTED, "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
            {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            _index(DUE_INDEX, DUE_SHARD, DUE_AT),
            _index(STATUS_INDEX, STATUS_SHARD, STARTED),
            _index(WORKFLOW_INDEX, WORKFLOW_SHARD, STARTED),
        ],
    )


def _index(name: str, partition_key: str, sort_key: str) -> GlobalSecondaryIndexTypeDef:
    return {
        "IndexName": name,
        "KeySchema": [
            {"AttributeName": partition_key, "KeyType": "HASH"},
            {"AttributeName": sort_key, "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }


def _create_queue_before(sqs: SQSClient, queue_behind_url: str, name: str, visibility_seconds: int) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=queue_behind_url, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": answer["Attributes"]["QueueArn"], "maxReceiveCount": RECEIVES_MAX}
    return sqs.create_queue(
        QueueName=name,
        Attributes={"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]


def _create_secret(secretsmanager: SecretsManagerClient, signing_secret: str) -> str:
    return secretsmanager.create_secret(Name=SECRET_NAME, SecretString=signing_secret)["ARN"]
