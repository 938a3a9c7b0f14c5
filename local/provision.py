"""Makes the table, the queues and the secret that the cloud stack makes, from the same table_schema.py."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dispatcher.bootstrap import Clients
from dispatcher.table_schema import DUE_AT, DUE_INDEX, DUE_SHARD, PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

TABLE_NAME: Final = "refluxo"
QUEUE_NAME: Final = "refluxo-steps"
DEAD_LETTER_QUEUE_NAME: Final = "refluxo-dead-letters"
PARKED_QUEUE_NAME: Final = "refluxo-parked"
SECRET_NAME: Final = "refluxo-webhooks"  # noqa: S105  (a name)

RECEIVES_MAX: Final = 5
"""Deliveries of a message before it goes to the dead-letter queue, as in the cloud stack."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Names and addresses of what was made."""

    table_name: str
    queue_url: str
    dead_letter_queue_url: str
    parked_queue_url: str
    secret_id: str

    def environment(self, public_url: str, registry: str) -> dict[str, str]:
        """The environment the cloud stack would give the functions."""
        return {
            "TABLE_NAME": self.table_name,
            "QUEUE_URL": self.queue_url,
            "PARKED_QUEUE_URL": self.parked_queue_url,
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
    _create_table(clients.dynamodb())
    dead_letters = sqs.create_queue(QueueName=DEAD_LETTER_QUEUE_NAME)["QueueUrl"]
    parked = sqs.create_queue(QueueName=PARKED_QUEUE_NAME)["QueueUrl"]
    steps = _create_step_queue(sqs, dead_letters, visibility_seconds)
    secret_id = _create_secret(clients.secretsmanager(), signing_secret)
    return Resources(TABLE_NAME, steps, dead_letters, parked, secret_id)


def _create_table(dynamodb: DynamoDBClient) -> None:
    dynamodb.create_table(
        TableName=TABLE_NAME,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": PARTITION_KEY, "AttributeType": "S"},
            {"AttributeName": SORT_KEY, "AttributeType": "S"},
            {"AttributeName": DUE_SHARD, "AttributeType": "S"},
            {"AttributeName": DUE_AT, "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
            {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": DUE_INDEX,
                "KeySchema": [
                    {"AttributeName": DUE_SHARD, "KeyType": "HASH"},
                    {"AttributeName": DUE_AT, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


def _create_step_queue(sqs: SQSClient, dead_letter_queue_url: str, visibility_seconds: int) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=dead_letter_queue_url, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": answer["Attributes"]["QueueArn"], "maxReceiveCount": RECEIVES_MAX}
    return sqs.create_queue(
        QueueName=QUEUE_NAME,
        Attributes={"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]


def _create_secret(secretsmanager: SecretsManagerClient, signing_secret: str) -> str:
    return secretsmanager.create_secret(Name=SECRET_NAME, SecretString=signing_secret)["ARN"]
