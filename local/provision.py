"""Makes the table, the queues, the bucket and the secret that the cloud stack makes, from the same table_schema.py.

What is there already, because a service stands elsewhere than in the emulator, is taken as it is. A table that is
not one of this product's is refused and left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

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
    from mypy_boto3_dynamodb.type_defs import GlobalSecondaryIndexTypeDef, KeySchemaElementTypeDef
    from mypy_boto3_s3 import S3Client
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

DEAD_RECEIVES_MAX: Final = 2 * RECEIVES_MAX
"""The same for the dead letters, which the emulator counts from their first queue on: AWS begins anew. With fewer a
dead letter would be parked before anybody has seen it."""


_INDEXES: Final = {
    DUE_INDEX: (DUE_SHARD, DUE_AT),
    STATUS_INDEX: (STATUS_SHARD, STARTED),
    WORKFLOW_INDEX: (WORKFLOW_SHARD, STARTED),
}


class WrongTable(ValueError):
    """There is a table of the product's name that the product cannot use; says why."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Names and addresses of what was made. ``table_made``: the table was not there before."""

    table_name: str
    queue_url: str
    dead_letter_queue_url: str
    parked_queue_url: str
    payload_bucket: str
    secret_id: str
    table_made: bool = True

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
    """Makes everything that is not there yet.

    Args:
        clients: of the emulator, or of what stands in for a part of it.
        signing_secret: signs webhook tokens, unless there is a secret already.
        visibility_seconds: how long a received message stays hidden; the cloud stack's default.

    Raises:
        WrongTable: the table that is there is not one of this product's.
    """
    sqs = clients.sqs()
    table_made = ensure_table(clients.dynamodb())
    ensure_bucket(clients.s3(), BUCKET_NAME)
    parked = sqs.create_queue(QueueName=PARKED_QUEUE_NAME)["QueueUrl"]
    dead_letters = _create_queue_before(sqs, parked, DEAD_LETTER_QUEUE_NAME, visibility_seconds, DEAD_RECEIVES_MAX)
    steps = _create_queue_before(sqs, dead_letters, QUEUE_NAME, visibility_seconds, RECEIVES_MAX)
    secret_id = _ensure_secret(clients.secretsmanager(), signing_secret)
    return Resources(TABLE_NAME, steps, dead_letters, parked, BUCKET_NAME, secret_id, table_made)


def ensure_table(dynamodb: DynamoDBClient, name: str = TABLE_NAME) -> bool:
    """Makes the table, unless it is there; whether it was made.

    Raises:
        WrongTable: it is there with other keys, or lacks an index. It is left as it is.
    """
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        create_table(dynamodb, name)
        # At once on an emulator; a table of AWS's own takes some seconds.
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return True
    indexes = {index["IndexName"]: _keys(index["KeySchema"]) for index in table.get("GlobalSecondaryIndexes", [])}
    faults = _faults(_keys(table["KeySchema"]), indexes)
    if faults:
        where = dynamodb.meta.endpoint_url
        remedy = "it is left as it is: remove it, or choose another endpoint"
        raise WrongTable(f"the table {name!r} at {where} is not one of this product's: {'; '.join(faults)}; {remedy}")
    return False


def _faults(keys: Sequence[str], indexes: Mapping[str, Sequence[str]]) -> list[str]:
    wanted = [PARTITION_KEY, SORT_KEY]
    faults = [] if keys == wanted else [f"its keys are {_named(keys)}, not {_named(wanted)}"]
    for name, index_keys in _INDEXES.items():
        if name not in indexes:
            faults.append(f"it lacks the index {name!r}")
        elif tuple(indexes[name]) != index_keys:
            faults.append(f"the keys of its index {name!r} are {_named(indexes[name])}, not {_named(index_keys)}")
    return faults


def _keys(schema: Sequence[KeySchemaElementTypeDef]) -> list[str]:
    """Names of the keys, partition first."""
    return [element["AttributeName"] for element in sorted(schema, key=lambda element: element["KeyType"])]


def _named(keys: Sequence[str]) -> str:
    return " and ".join(keys)


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
        GlobalSecondaryIndexes=[_index(index, *keys) for index, keys in _INDEXES.items()],
    )


def ensure_bucket(s3: S3Client, name: str) -> None:
    """Makes a bucket, unless the caller has it already."""
    try:
        s3.create_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise


def _index(name: str, partition_key: str, sort_key: str) -> GlobalSecondaryIndexTypeDef:
    return {
        "IndexName": name,
        "KeySchema": [
            {"AttributeName": partition_key, "KeyType": "HASH"},
            {"AttributeName": sort_key, "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }


def _create_queue_before(
    sqs: SQSClient, queue_behind_url: str, name: str, visibility_seconds: int, receives_max: int
) -> str:
    answer = sqs.get_queue_attributes(QueueUrl=queue_behind_url, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": answer["Attributes"]["QueueArn"], "maxReceiveCount": receives_max}
    return sqs.create_queue(
        QueueName=name,
        Attributes={"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]


def _ensure_secret(secretsmanager: SecretsManagerClient, signing_secret: str) -> str:
    try:
        return secretsmanager.create_secret(Name=SECRET_NAME, SecretString=signing_secret)["ARN"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
        return secretsmanager.describe_secret(SecretId=SECRET_NAME)["ARN"]
