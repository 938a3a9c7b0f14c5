"""The RunStore on DynamoDB: low-level client, one compressed JSON attribute, each half of a condition named.

Every item's key and attribute names come from table_schema.py.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from dispatcher.due import shard_of
from dispatcher.errors import ItemTooLarge, RunFinished, calling_aws, error_code
from dispatcher.head import HEAD_SCHEMA, Head, decode_body, encode_body
from dispatcher.limits import CONFLICT_TRIES, INBOX_PAGE_ITEMS, ITEM_BYTES_MAX
from dispatcher.ports import DueMark, Signal
from dispatcher.table_schema import (
    DUE_AT,
    DUE_INDEX,
    DUE_SHARD,
    DUE_SHARDS,
    HEAD_SORT_KEY,
    INBOX_PREFIX,
    PARTITION_KEY,
    SORT_KEY,
    definition_partition,
    definition_sort_key,
    due_shard,
    inbox_sort_key,
    run_partition,
    signal_sort_key,
)
from engine import Status
from engine.json_value import JsonObject, JsonValue

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    _Item = dict[str, AttributeValueTypeDef]

_TERMINAL: Final = tuple(status.value for status in Status if status.terminal)

# Attribute names that DynamoDB reserves go by these stand-ins.
_NAMES: Final = {"#by": "by", "#status": "status", "#schema": "schema"}

_ABSENT: Final = f"attribute_not_exists({PARTITION_KEY})"
_PRESENT: Final = f"attribute_exists({PARTITION_KEY})"
_VERSION_UNCHANGED: Final = "version = :previous"
_MARK_UNCHANGED: Final = f"{DUE_AT} = :seen_mark"
_MARK_STILL_ABSENT: Final = f"attribute_not_exists({DUE_AT})"
_NOT_TERMINAL: Final = f"NOT #status IN ({', '.join(f':terminal{i}' for i in range(len(_TERMINAL)))})"

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_CONFLICT: Final = "TransactionConflictException"


class DynamoDbRunStore:
    """A RunStore in one DynamoDB table."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def load(self, workflow_id: str) -> Head | None:
        """See RunStore."""
        item = self._get(run_partition(workflow_id), HEAD_SORT_KEY)
        return None if item is None else _head(item)

    def create(self, head: Head) -> Head | None:
        """See RunStore."""
        item: _Item = {**_key(run_partition(head.workflow_id), HEAD_SORT_KEY), **_head_attributes(head)}
        if head.due_at_ms is not None:
            item[DUE_AT] = {"N": str(head.due_at_ms)}
            item[DUE_SHARD] = {"S": due_shard(shard_of(head.workflow_id, DUE_SHARDS))}
        with calling_aws():
            try:
                self._client.put_item(
                    TableName=self._table_name,
                    Item=item,
                    ConditionExpression=_ABSENT,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                existing = self._item_in_the_way(error, head.workflow_id)
                if existing is None:
                    raise
                # The SDK repeats a write whose answer was lost: that was this very one.
                return None if existing.writer_id == head.writer_id else existing
        return None

    def commit(self, head: Head, *, mark_ms: int | None) -> bool:
        """See RunStore."""
        attributes = _head_attributes(head)
        if mark_ms is not None:
            attributes[DUE_AT] = {"N": str(mark_ms)}
            attributes[DUE_SHARD] = {"S": due_shard(shard_of(head.workflow_id, DUE_SHARDS))}
        reserved = {name: alias for alias, name in _NAMES.items()}
        assignments = ", ".join(f"{reserved.get(name, name)} = :{name}" for name in attributes)
        values = {f":{name}": value for name, value in attributes.items()}
        with calling_aws():
            for tries_left in reversed(range(CONFLICT_TRIES)):
                try:
                    self._client.update_item(
                        TableName=self._table_name,
                        Key=_key(run_partition(head.workflow_id), HEAD_SORT_KEY),
                        UpdateExpression=f"SET {assignments} REMOVE grace",
                        ConditionExpression=_VERSION_UNCHANGED,
                        ExpressionAttributeNames=_NAMES,
                        ExpressionAttributeValues={**values, ":previous": {"N": str(head.version - 1)}},
                        ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    )
                except ClientError as error:
                    if error_code(error) == _CONDITION_FAILED:
                        return self._is_own_write(error, head)
                    # A signal's transaction is in the way: over in milliseconds, and botocore does not try again.
                    if not tries_left or error_code(error) != _CONFLICT:
                        raise
                else:
                    break
        return True

    def _is_own_write(self, error: ClientError, head: Head) -> bool:
        existing = self._item_in_the_way(error, head.workflow_id)
        return existing is not None and existing.version == head.version and existing.writer_id == head.writer_id

    def add_signal(self, signal: Signal, *, due_at_ms: int) -> bool:
        """See RunStore."""
        partition = run_partition(signal.workflow_id)
        dedupe: _Item = {
            **_key(partition, signal_sort_key(signal.signal_id)),
            "arrived_at": {"N": str(signal.arrived_at_ms)},
        }
        waiting: _Item = {
            **_key(partition, inbox_sort_key(signal.name, signal.arrived_at_ms, signal.signal_id)),
            "arrived_at": {"N": str(signal.arrived_at_ms)},
            "name": {"S": signal.name},
            "signal_id": {"S": signal.signal_id},
            "body": {"B": _packed(signal.payload, f"signal {signal.signal_id!r}")},
        }
        terminal: _Item = {f":terminal{i}": {"S": status} for i, status in enumerate(_TERMINAL)}
        writes: list[TransactWriteItemTypeDef] = [
            {"Put": {"TableName": self._table_name, "Item": dedupe, "ConditionExpression": _ABSENT}},
            {"Put": {"TableName": self._table_name, "Item": waiting}},
            {
                "Update": {
                    "TableName": self._table_name,
                    "Key": _key(partition, HEAD_SORT_KEY),
                    "UpdateExpression": f"SET {DUE_AT} = :mark, {DUE_SHARD} = :shard REMOVE grace",
                    "ConditionExpression": f"{_PRESENT} AND {_NOT_TERMINAL}",
                    "ExpressionAttributeNames": {"#status": "status"},
                    "ExpressionAttributeValues": {
                        **terminal,
                        ":mark": {"N": str(due_at_ms)},
                        ":shard": {"S": due_shard(shard_of(signal.workflow_id, DUE_SHARDS))},
                    },
                }
            },
        ]
        with calling_aws():
            try:
                self._transact(writes)
            except ClientError as error:
                failed = _failed_conditions(error)
                if failed is None:
                    raise
                if failed[0]:
                    return False
                raise RunFinished(f"run {signal.workflow_id!r} has ended") from None
        return True

    def _transact(self, writes: Sequence[TransactWriteItemTypeDef]) -> None:
        """A transaction, again at once when a step's commit was in its way: botocore does not repeat those."""
        for tries_left in reversed(range(CONFLICT_TRIES)):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if not (tries_left and _only_conflicts(error)):
                    raise
            else:
                return

    def oldest_signal(self, workflow_id: str, names: Sequence[str], *, besides: Sequence[str]) -> Signal | None:
        """See RunStore."""
        found = [item for name in names if (item := self._first_in_inbox(workflow_id, name, besides)) is not None]
        if not found:
            return None
        oldest = min(found, key=lambda item: (int(item["arrived_at"]["N"]), item[SORT_KEY]["S"]))
        return Signal(
            workflow_id=workflow_id,
            name=oldest["name"]["S"],
            signal_id=oldest["signal_id"]["S"],
            payload=_unpacked(oldest["body"]["B"]),
            arrived_at_ms=int(oldest["arrived_at"]["N"]),
        )

    def _first_in_inbox(self, workflow_id: str, name: str, besides: Sequence[str]) -> _Item | None:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression=f"{PARTITION_KEY} = :run AND begins_with({SORT_KEY}, :name)",
            ExpressionAttributeValues={
                ":run": {"S": run_partition(workflow_id)},
                ":name": {"S": f"{INBOX_PREFIX}{name}#"},
            },
            ConsistentRead=True,
            PaginationConfig={"PageSize": INBOX_PAGE_ITEMS if besides else 1},
        )
        with calling_aws():
            for page in pages:
                for item in page["Items"]:
                    if item[SORT_KEY]["S"] not in besides:
                        return item
        return None

    def remove_from_inbox(self, workflow_id: str, inbox_keys: Sequence[str]) -> None:
        """See RunStore."""
        for key in inbox_keys:
            with calling_aws():
                self._client.delete_item(TableName=self._table_name, Key=_key(run_partition(workflow_id), key))

    def due_marks(self, shard: int, *, until_ms: int, limit: int) -> Sequence[DueMark]:
        """See RunStore."""
        with calling_aws():
            answer = self._client.query(
                TableName=self._table_name,
                IndexName=DUE_INDEX,
                KeyConditionExpression=f"{DUE_SHARD} = :shard AND {DUE_AT} <= :until",
                ExpressionAttributeValues={":shard": {"S": due_shard(shard)}, ":until": {"N": str(until_ms)}},
                Limit=limit,
            )
        prefix = run_partition("")
        return [
            DueMark(item[PARTITION_KEY]["S"].removeprefix(prefix), int(item[DUE_AT]["N"])) for item in answer["Items"]
        ]

    def move_mark(self, head: Head, *, due_at_ms: int | None, grace_ms: int | None) -> bool:
        """See RunStore."""
        values: _Item = {":previous": {"N": str(head.version)}}
        mark_unchanged = _MARK_STILL_ABSENT
        if head.due_at_ms is not None:
            mark_unchanged = _MARK_UNCHANGED
            values[":seen_mark"] = {"N": str(head.due_at_ms)}
        if due_at_ms is None:
            update = f"REMOVE {DUE_AT}, {DUE_SHARD}, grace"
        else:
            values[":mark"] = {"N": str(due_at_ms)}
            values[":shard"] = {"S": due_shard(shard_of(head.workflow_id, DUE_SHARDS))}
            update = f"SET {DUE_AT} = :mark, {DUE_SHARD} = :shard"
            if grace_ms is None:
                update += " REMOVE grace"
            else:
                values[":grace"] = {"N": str(grace_ms)}
                update += ", grace = :grace"
        with calling_aws():
            try:
                self._client.update_item(
                    TableName=self._table_name,
                    Key=_key(run_partition(head.workflow_id), HEAD_SORT_KEY),
                    UpdateExpression=update,
                    ConditionExpression=f"{_VERSION_UNCHANGED} AND {mark_unchanged}",
                    ExpressionAttributeValues=values,
                )
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise
                return False
        return True

    def put_definition(self, name: str, version: str, document: JsonObject) -> None:
        """See RunStore."""
        item: _Item = {
            **_key(definition_partition(name), definition_sort_key(version)),
            "body": {"B": _packed(document, f"definition {name!r}")},
        }
        with calling_aws():
            try:
                self._client.put_item(TableName=self._table_name, Item=item, ConditionExpression=_ABSENT)
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise

    def load_definition(self, name: str, version: str) -> Mapping[str, JsonValue] | None:
        """See RunStore."""
        item = self._get(definition_partition(name), definition_sort_key(version))
        if item is None:
            return None
        document = _unpacked(item["body"]["B"])
        return document if isinstance(document, dict) else None

    def check(self) -> None:
        """See RunStore."""
        self._get("health", "health")

    def _get(self, partition: str, sort_key: str) -> Mapping[str, AttributeValueTypeDef] | None:
        with calling_aws():
            answer = self._client.get_item(
                TableName=self._table_name, Key=_key(partition, sort_key), ConsistentRead=True
            )
        return answer.get("Item")

    def _item_in_the_way(self, error: ClientError, workflow_id: str) -> Head | None:
        if error_code(error) != _CONDITION_FAILED:
            return None
        item = error.response.get("Item")
        # An answer without the old item (DynamoDB Local's is one): read it strongly.
        return _head(item) if isinstance(item, dict) and item else self.load(workflow_id)


def _key(partition: str, sort_key: str) -> _Item:
    return {PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort_key}}


def _head_attributes(head: Head) -> _Item:
    return {
        "body": {"B": encode_body(head)},
        "version": {"N": str(head.version)},
        "writer_id": {"S": head.writer_id},
        "by": {"S": head.by or ""},
        "status": {"S": head.snapshot.status.value},
        "schema": {"N": str(HEAD_SCHEMA)},
    }


def _head(item: Mapping[str, AttributeValueTypeDef]) -> Head:
    return decode_body(
        item["body"]["B"],
        schema=int(item["schema"]["N"]),
        by=item["by"]["S"] or None,
        writer_id=item["writer_id"]["S"],
        due_at_ms=int(item[DUE_AT]["N"]) if DUE_AT in item else None,
        grace_ms=int(item["grace"]["N"]) if "grace" in item else None,
    )


def _packed(value: JsonValue, what: str) -> bytes:
    body = zlib.compress(json.dumps(value, separators=(",", ":")).encode(), level=6)
    if len(body) > ITEM_BYTES_MAX:
        raise ItemTooLarge(f"{what} would take {len(body)} bytes compressed; the most is {ITEM_BYTES_MAX}")
    return body


def _unpacked(body: bytes) -> JsonValue:
    value: JsonValue = json.loads(zlib.decompress(body))
    return value


def _only_conflicts(error: ClientError) -> bool:
    reasons = {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])}
    return error_code(error) == "TransactionCanceledException" and reasons <= {"None", "TransactionConflict"}


def _failed_conditions(error: ClientError) -> tuple[bool, ...] | None:
    """Which writes of a transaction failed on their condition; None when it failed for another reason."""
    if error_code(error) != "TransactionCanceledException":
        return None
    reasons = error.response.get("CancellationReasons", [])
    failed = tuple(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons)
    return failed if any(failed) else None
