"""The store one begins with: load the whole snapshot, run a step, put the whole snapshot, send the next message.

It is here to be measured against, and leaves out everything but its cost: no versions, no conditions, no due times.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dispatcher.table_schema import HEAD_SORT_KEY, PARTITION_KEY, SORT_KEY, run_partition
from engine import Snapshot

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


class ItemFull(Exception):
    """The snapshot is larger than an item of the table can be: the run ends here."""


class NaiveStore:
    """Whole snapshots in a table, each one item of JSON text."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def load(self, workflow_id: str) -> Snapshot:
        """The whole snapshot, read strongly, as a run that goes on at once must."""
        answer = self._client.get_item(TableName=self._table_name, Key=_key(workflow_id), ConsistentRead=True)
        return Snapshot.from_json(json.loads(answer["Item"]["snapshot"]["S"]))

    def save(self, snapshot: Snapshot) -> int:
        """Puts the whole snapshot; returns the bytes of its JSON.

        Raises:
            ItemFull: the table refuses it.
        """
        text = json.dumps(snapshot.to_json(), separators=(",", ":"))
        try:
            self._client.put_item(
                TableName=self._table_name, Item={**_key(snapshot.workflow_id), "snapshot": {"S": text}}
            )
        except ClientError as error:
            if "Item size" not in str(error):
                raise
            raise ItemFull(f"{len(text)} bytes") from None
        return len(text)


def _key(workflow_id: str) -> dict[str, AttributeValueTypeDef]:
    return {PARTITION_KEY: {"S": run_partition(workflow_id)}, SORT_KEY: {"S": HEAD_SORT_KEY}}
