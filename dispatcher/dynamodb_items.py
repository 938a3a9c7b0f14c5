"""Items of the table as DynamoDB's low-level client takes and gives them.

Owns which attribute holds what. One compressed JSON body and a few attributes for conditions and indexes: nested
maps through the high-level client cost eight times the CPU (field-notes.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from dispatcher.due import shard_of
from dispatcher.head import (
    HEAD_SCHEMA,
    Attributes,
    Head,
    Hold,
    OperatorCall,
    attributes_of,
    call_to_json,
    decode_body,
    encode_body,
    hold_from_json,
    hold_to_json,
)
from dispatcher.table_schema import (
    DUE_AT,
    DUE_SHARD,
    DUE_SHARDS,
    LIST_SHARDS,
    PARTITION_KEY,
    SORT_KEY,
    STARTED,
    STATUS_SHARD,
    WORKFLOW_SHARD,
    call_sort_key,
    due_shard,
    run_partition,
    status_shard,
    workflow_shard,
)
from engine import Status

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Item: TypeAlias = dict[str, AttributeValueTypeDef]

RESERVED: Final = {"#by": "by", "#status": "status", "#schema": "schema"}
"""Attribute names that DynamoDB reserves, by their stand-ins."""

# No message has that id.
_NOBODY: Final = "-"


def key(partition: str, sort_key: str) -> Item:
    """The primary key of an item."""
    return {PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort_key}}


def mark_attributes(workflow_id: str, due_at_ms: int) -> Item:
    """A due mark."""
    return {DUE_AT: {"N": str(due_at_ms)}, DUE_SHARD: {"S": due_shard(shard_of(workflow_id, DUE_SHARDS))}}


def head_attributes(head: Head) -> Item:
    """What every commit writes of a head. Index keys that stay the same cost nothing.

    Raises:
        ItemTooLarge: the table would refuse it.
    """
    attributes = attributes_of(head)
    number = shard_of(head.workflow_id, LIST_SHARDS)
    return {
        "body": {"B": encode_body(head)},
        "version": {"N": str(attributes.version)},
        "writer_id": {"S": attributes.writer_id},
        "by": {"S": attributes.by or _NOBODY},
        "status": {"S": attributes.status.value},
        "schema": {"N": str(HEAD_SCHEMA)},
        STATUS_SHARD: {"S": status_shard(attributes.status.value, number)},
    }


def listing_attributes(head: Head) -> Item:
    """What only a start writes, for it never changes."""
    definition = head.snapshot.definition
    name = definition.name if definition is not None else ""
    return {
        STARTED: {"S": attributes_of(head).started},
        WORKFLOW_SHARD: {"S": workflow_shard(name, shard_of(head.workflow_id, LIST_SHARDS))},
    }


def head_from_item(item: Mapping[str, AttributeValueTypeDef]) -> Head:
    """Reads a head.

    Raises:
        UnknownSchema: it was written by newer code.
        HistoryDamaged: it cannot be read.
    """
    attributes = Attributes(
        version=int(item["version"]["N"]),
        writer_id=item["writer_id"]["S"],
        by=item["by"]["S"] if item["by"]["S"] != _NOBODY else None,
        status=Status(item["status"]["S"]),
        started=item[STARTED]["S"] if STARTED in item else "",
        schema=int(item["schema"]["N"]),
        due_at_ms=_number(item, DUE_AT),
        grace_ms=_number(item, "grace"),
        hold=_hold(item),
        tries=_number(item, "tries") or 0,
        claim_until_ms=_number(item, "claim_until"),
        outside_calls=_number(item, "outside_calls") or 0,
        removing="removing" in item,
    )
    return decode_body(item["body"]["B"], attributes)


def as_stored(head: Head, item: Mapping[str, AttributeValueTypeDef]) -> Head:
    """A head just written, under the due mark and the hold that its item has."""
    return head.as_stored(
        due_at_ms=_number(item, DUE_AT), hold=_hold(item), outside_calls=_number(item, "outside_calls") or 0
    )


def hold_attribute(hold: Hold) -> AttributeValueTypeDef:
    """A hold."""
    return {"S": json.dumps(hold_to_json(hold))}


def call_item(workflow_id: str, call: OperatorCall) -> Item:
    """The record of an operator's call."""
    return {**key(run_partition(workflow_id), call_sort_key(call.key)), "call": {"S": json.dumps(call_to_json(call))}}


def _hold(item: Mapping[str, AttributeValueTypeDef]) -> Hold | None:
    return hold_from_json(json.loads(item["held"]["S"])) if "held" in item else None


def _number(item: Mapping[str, AttributeValueTypeDef], name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None
