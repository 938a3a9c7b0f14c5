"""The RunStore on DynamoDB: low-level client, one compressed JSON attribute, each half of a condition named.

Every item's key and attribute names come from table_schema.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import ClientError

from dispatcher.dynamodb_items import (
    RESERVED,
    as_stored,
    call_item,
    head_attributes,
    head_from_item,
    hold_attribute,
    key,
    listing_attributes,
    mark_attributes,
)
from dispatcher.errors import RunFinished, SealBroken, calling_aws, error_code
from dispatcher.head import Head, Hold, OperatorCall, call_from_json
from dispatcher.history import value_from_json, value_to_json
from dispatcher.limits import CONFLICT_TRIES, INBOX_PAGE_ITEMS, LIST_ROUNDS_MAX
from dispatcher.listing import bounds, cursor_at, page_of, run_at, workflow_at
from dispatcher.packing import packed, unpacked
from dispatcher.ports import DefinitionPointer, DueMark, RunPage, RunQuery, Sealed, Signal
from dispatcher.table_schema import (
    CALL_PREFIX,
    DUE_AT,
    DUE_INDEX,
    DUE_SHARD,
    EXPIRES_AT,
    HEAD_SORT_KEY,
    INBOX_PREFIX,
    LIST_SHARDS,
    PARTITION_KEY,
    POINTER_PARTITION,
    SORT_KEY,
    STARTED,
    STATUS_INDEX,
    STATUS_SHARD,
    WORKFLOW_INDEX,
    WORKFLOW_SHARD,
    call_sort_key,
    definition_partition,
    definition_sort_key,
    due_shard,
    inbox_sort_key,
    run_partition,
    signal_sort_key,
    status_shard,
    workflow_shard,
)
from engine import Status
from engine.json_value import JsonObject, JsonValue

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef, TransactWriteItemTypeDef

    from dispatcher.dynamodb_items import Item

_T = TypeVar("_T")

_TERMINAL: Final = tuple(status.value for status in Status if status.terminal)

_ABSENT: Final = f"attribute_not_exists({PARTITION_KEY})"
_PRESENT: Final = f"attribute_exists({PARTITION_KEY})"
_OF_ANOTHER_LIFE: Final = "life <> :life"
_VERSION_IS: Final = "version = :previous"
_MARK_UNCHANGED: Final = f"{DUE_AT} = :seen_mark"
_MARK_STILL_ABSENT: Final = f"attribute_not_exists({DUE_AT})"
_NO_CALL_SINCE: Final = "outside_calls = :seen_calls"
_NO_CALL_YET: Final = "attribute_not_exists(outside_calls)"
_NOT_TERMINAL: Final = f"NOT #status IN ({', '.join(f':terminal{i}' for i in range(len(_TERMINAL)))})"
_NOT_CLAIMED: Final = "attribute_not_exists(claim_id)"
_NOT_REMOVING: Final = "attribute_not_exists(removing)"
_HELD: Final = "attribute_exists(held)"

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_CONFLICT: Final = "TransactionConflictException"

_ONE_CALL: Final = "outside_calls :one"

# Of one version alone: a commit clears them. A failed run that is retried does not expire any more.
_OF_THE_VERSION_BEFORE: Final = f"grace, tries, claim_id, claim_until, {EXPIRES_AT}"


class DynamoDbRunStore:
    """A RunStore in one DynamoDB table.

    ``pause``: waits before a try that follows a conflict, given the number of tries so far.
    """

    def __init__(
        self, client: DynamoDBClient, table_name: str, *, pause: Callable[[int], None] = lambda _tries: None
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._pause = pause

    # --- heads ---------------------------------------------------------------------------------

    def load(self, workflow_id: str) -> Head | None:
        """See RunStore."""
        item = self._get(run_partition(workflow_id), HEAD_SORT_KEY)
        return None if item is None else head_from_item(item)

    def create(self, head: Head) -> Head | None:
        """See RunStore."""
        item: Item = {
            **key(run_partition(head.workflow_id), HEAD_SORT_KEY),
            **head_attributes(head),
            **listing_attributes(head),
        }
        if head.due_at_ms is not None:
            item.update(mark_attributes(head.workflow_id, head.due_at_ms))
        with calling_aws():
            try:
                self._client.put_item(
                    TableName=self._table_name,
                    Item=item,
                    ConditionExpression=_ABSENT,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                existing = self._head_in_the_way(error, head.workflow_id)
                if existing is None:
                    raise
                # The SDK repeats a write whose answer was lost: that was this very one.
                return None if existing.writer_id == head.writer_id else existing
        return None

    def commit(self, head: Head, *, mark_ms: int | None, call: OperatorCall | None = None) -> Head | None:
        """See RunStore."""
        attributes = head_attributes(head)
        if mark_ms is not None:
            attributes.update(mark_attributes(head.workflow_id, mark_ms))
        stand_ins = {name: stand_in for stand_in, name in RESERVED.items()}
        assignments = ", ".join(f"{stand_ins.get(name, name)} = :{name}" for name in attributes)
        update = f"SET {assignments} REMOVE {_OF_THE_VERSION_BEFORE}"
        values: Item = {f":{name}": value for name, value in attributes.items()}
        values[":previous"] = {"N": str(head.version - 1)}
        if call is not None:
            return self._commit_with(head, update, values, call)
        with calling_aws():
            try:
                answer = self._patiently(
                    lambda: self._client.update_item(
                        TableName=self._table_name,
                        Key=key(run_partition(head.workflow_id), HEAD_SORT_KEY),
                        UpdateExpression=update,
                        ConditionExpression=_VERSION_IS,
                        ExpressionAttributeNames=RESERVED,
                        ExpressionAttributeValues=values,
                        ReturnValues="ALL_NEW",
                        ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    )
                )
            except ClientError as error:
                existing = self._head_in_the_way(error, head.workflow_id)
                if existing is None and error_code(error) != _CONDITION_FAILED:
                    raise
                if existing is None or (existing.version, existing.writer_id) != (head.version, head.writer_id):
                    return None
                return _under_the_mark_of(existing, head)
        return as_stored(head, answer["Attributes"])

    def _commit_with(self, head: Head, update: str, values: Item, call: OperatorCall) -> Head | None:
        writes: list[TransactWriteItemTypeDef] = [
            {
                "Put": {
                    "TableName": self._table_name,
                    "Item": call_item(head.workflow_id, call),
                    "ConditionExpression": _ABSENT,
                }
            },
            {
                "Update": {
                    "TableName": self._table_name,
                    "Key": key(run_partition(head.workflow_id), HEAD_SORT_KEY),
                    "UpdateExpression": update,
                    "ConditionExpression": f"{_VERSION_IS} AND {_NOT_REMOVING}",
                    "ExpressionAttributeNames": RESERVED,
                    "ExpressionAttributeValues": values,
                }
            },
        ]
        failed = self._transact(writes)
        # A transaction tells nothing of what it found: the mark and the hold it left alone are read.
        stored = self.load(head.workflow_id)
        if failed is None:
            return _under_the_mark_of(stored if stored is not None else head, head)
        own = stored is not None and (stored.version, stored.writer_id) == (head.version, head.writer_id)
        return _under_the_mark_of(stored, head) if own and stored is not None else None

    def count_try(self, head: Head, *, by: int = 1) -> bool:
        """See RunStore."""
        return self._change(head, "ADD tries :by", {":by": {"N": str(by)}}) is None

    def claim(self, head: Head, *, until_ms: int, claim_id: str) -> bool:
        """See RunStore."""
        values: Item = {":until": {"N": str(until_ms)}, ":claim": {"S": claim_id}}
        refused = self._change(head, "SET claim_until = :until, claim_id = :claim", values, _NOT_CLAIMED)
        if refused is None:
            return True
        item = refused.response.get("Item") or self._get(run_partition(head.workflow_id), HEAD_SORT_KEY)
        # The SDK repeats a write whose answer was lost: by the claim's id it is known again.
        return isinstance(item, dict) and item.get("claim_id") == {"S": claim_id} and _version(item) == head.version

    def _change(self, head: Head, update: str, values: Item, *conditions: str) -> ClientError | None:
        """Changes an item of this version of a head; the error when a condition does not hold."""
        with calling_aws():
            try:
                self._patiently(
                    lambda: self._client.update_item(
                        TableName=self._table_name,
                        Key=key(run_partition(head.workflow_id), HEAD_SORT_KEY),
                        UpdateExpression=update,
                        ConditionExpression=" AND ".join((_VERSION_IS, *conditions)),
                        ExpressionAttributeValues={**values, ":previous": {"N": str(head.version)}},
                        ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    )
                )
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise
                return error
        return None

    # --- operators -----------------------------------------------------------------------------

    def set_hold(self, workflow_id: str, hold: Hold | None, *, call: OperatorCall, due_at_ms: int) -> bool:
        """See RunStore."""
        values: Item = {
            **_terminal_values(),
            ":one": {"N": "1"},
            **{f":{name}": value for name, value in mark_attributes(workflow_id, due_at_ms).items()},
        }
        assignments = f"SET {DUE_AT} = :{DUE_AT}, {DUE_SHARD} = :{DUE_SHARD}"
        condition = f"{_PRESENT} AND {_NOT_TERMINAL}"
        if hold is None:
            update, condition = f"{assignments} ADD {_ONE_CALL} REMOVE grace, held", f"{condition} AND {_HELD}"
        else:
            update = f"{assignments}, held = :hold ADD {_ONE_CALL} REMOVE grace"
            values[":hold"] = hold_attribute(hold)
        failed = self._transact(
            [
                {
                    "Put": {
                        "TableName": self._table_name,
                        "Item": call_item(workflow_id, call),
                        "ConditionExpression": _ABSENT,
                    }
                },
                {
                    "Update": {
                        "TableName": self._table_name,
                        "Key": key(run_partition(workflow_id), HEAD_SORT_KEY),
                        "UpdateExpression": update,
                        "ConditionExpression": condition,
                        "ExpressionAttributeNames": {"#status": "status"},
                        "ExpressionAttributeValues": values,
                    }
                },
            ]
        )
        if failed is None:
            return True
        repeated, _ = failed
        if not repeated:
            head = self.load(workflow_id)
            if head is None or head.snapshot.status.terminal:
                raise RunFinished(f"run {workflow_id!r} has ended")
        return False

    def record(self, workflow_id: str, call: OperatorCall) -> bool:
        """See RunStore."""
        failed = self._transact(
            [
                {
                    "Put": {
                        "TableName": self._table_name,
                        "Item": call_item(workflow_id, call),
                        "ConditionExpression": _ABSENT,
                    }
                },
                {
                    "ConditionCheck": {
                        "TableName": self._table_name,
                        "Key": key(run_partition(workflow_id), HEAD_SORT_KEY),
                        "ConditionExpression": f"{_PRESENT} AND {_NOT_REMOVING}",
                    }
                },
            ]
        )
        if failed is not None and failed[1]:
            raise RunFinished(f"run {workflow_id!r} is removed")
        return failed is None

    def operator_call(self, workflow_id: str, key: str) -> OperatorCall | None:
        """See RunStore."""
        item = self._get(run_partition(workflow_id), call_sort_key(key))
        return None if item is None else call_from_json(json.loads(item["call"]["S"]))

    def operator_calls(self, workflow_id: str) -> Sequence[OperatorCall]:
        """See RunStore."""
        items = self._items_beginning(workflow_id, CALL_PREFIX)
        calls = [call_from_json(json.loads(item["call"]["S"])) for item in items]
        return sorted(calls, key=lambda call: (call.at_ms, call.key))

    # --- signals -------------------------------------------------------------------------------

    def add_signal(self, signal: Signal, *, due_at_ms: int) -> bool:
        """See RunStore."""
        partition = run_partition(signal.workflow_id)
        dedupe: Item = {
            **key(partition, signal_sort_key(signal.signal_id)),
            "arrived_at": {"N": str(signal.arrived_at_ms)},
            "life": {"S": signal.life},
        }
        waiting: Item = {
            **key(partition, inbox_sort_key(signal.name, signal.arrived_at_ms, signal.signal_id)),
            "arrived_at": {"N": str(signal.arrived_at_ms)},
            "name": {"S": signal.name},
            "signal_id": {"S": signal.signal_id},
            "body": {"B": packed(value_to_json(signal.payload), f"signal {signal.signal_id!r}")},
        }
        mark = mark_attributes(signal.workflow_id, due_at_ms)
        failed = self._transact(
            [
                {
                    "Put": {
                        "TableName": self._table_name,
                        "Item": dedupe,
                        "ConditionExpression": f"{_ABSENT} OR {_OF_ANOTHER_LIFE}",
                        "ExpressionAttributeValues": {":life": {"S": signal.life}},
                    }
                },
                {"Put": {"TableName": self._table_name, "Item": waiting}},
                {
                    "Update": {
                        "TableName": self._table_name,
                        "Key": key(partition, HEAD_SORT_KEY),
                        "UpdateExpression": f"SET {DUE_AT} = :mark, {DUE_SHARD} = :shard ADD {_ONE_CALL} REMOVE grace",
                        "ConditionExpression": f"{_PRESENT} AND {_NOT_TERMINAL}",
                        "ExpressionAttributeNames": {"#status": "status"},
                        "ExpressionAttributeValues": {
                            **_terminal_values(),
                            ":mark": mark[DUE_AT],
                            ":shard": mark[DUE_SHARD],
                            ":one": {"N": "1"},
                        },
                    }
                },
            ]
        )
        if failed is None:
            return True
        if failed[0]:
            return False
        raise RunFinished(f"run {signal.workflow_id!r} has ended")

    def was_signalled(self, workflow_id: str, signal_id: str, *, life: str) -> bool:
        """See RunStore."""
        item = self._get(run_partition(workflow_id), signal_sort_key(signal_id))
        return item is not None and item["life"]["S"] == life

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
            payload=value_from_json(unpacked(oldest["body"]["B"])),
            arrived_at_ms=int(oldest["arrived_at"]["N"]),
        )

    def _first_in_inbox(self, workflow_id: str, name: str, besides: Sequence[str]) -> Item | None:
        page_items = INBOX_PAGE_ITEMS if besides else 1
        for item in self._items_beginning(workflow_id, f"{INBOX_PREFIX}{name}#", page_items=page_items):
            if item[SORT_KEY]["S"] not in besides:
                return item
        return None

    def remove_from_inbox(self, workflow_id: str, inbox_keys: Sequence[str]) -> None:
        """See RunStore."""
        self.remove(workflow_id, inbox_keys)

    # --- sealed objects ------------------------------------------------------------------------

    def put_sealed(self, sealed: Sealed) -> None:
        """See RunStore."""
        item: Item = {
            **key(run_partition(sealed.workflow_id), sealed.key),
            "body": {"B": sealed.body},
            "digest": {"S": sealed.digest},
            "life": {"S": sealed.life},
        }
        with calling_aws():
            try:
                self._client.put_item(
                    TableName=self._table_name,
                    Item=item,
                    ConditionExpression=f"{_ABSENT} OR {_OF_ANOTHER_LIFE}",
                    ExpressionAttributeValues={":life": {"S": sealed.life}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise
                existing = error.response.get("Item") or self._get(run_partition(sealed.workflow_id), sealed.key)
                if not isinstance(existing, dict) or existing.get("digest") != {"S": sealed.digest}:
                    raise SealBroken(f"run {sealed.workflow_id!r} has another object at {sealed.key!r}") from None

    def load_sealed(self, workflow_id: str, key: str, *, life: str) -> bytes | None:
        """See RunStore."""
        # Half a read unit is enough for what never changes; only its absence must be sure.
        for strongly in (False, True):
            item = self._get(run_partition(workflow_id), key, strongly=strongly)
            if item is not None and item["life"]["S"] == life:
                return item["body"]["B"]
        return None

    # --- marks ---------------------------------------------------------------------------------

    def due_marks(self, shard: int, *, until_ms: int, limit: int, after: DueMark | None = None) -> Sequence[DueMark]:
        """See RunStore."""
        query: QueryInputTypeDef = {
            "TableName": self._table_name,
            "IndexName": DUE_INDEX,
            "KeyConditionExpression": f"{DUE_SHARD} = :shard AND {DUE_AT} <= :until",
            "ExpressionAttributeValues": {":shard": {"S": due_shard(shard)}, ":until": {"N": str(until_ms)}},
            "Limit": limit,
        }
        if after is not None:
            query["ExclusiveStartKey"] = {
                **key(run_partition(after.workflow_id), HEAD_SORT_KEY),
                DUE_SHARD: {"S": due_shard(shard)},
                DUE_AT: {"N": str(after.due_at_ms)},
            }
        with calling_aws():
            answer = self._client.query(**query)
        return [DueMark(_run_of(item), int(item[DUE_AT]["N"])) for item in answer["Items"]]

    def move_mark(self, head: Head, *, due_at_ms: int | None, grace_ms: int | None) -> bool:
        """See RunStore."""
        if due_at_ms is None:
            return self._change_mark(head, f"REMOVE {DUE_AT}, {DUE_SHARD}, grace", {})
        mark = mark_attributes(head.workflow_id, due_at_ms)
        values: Item = {":mark": mark[DUE_AT], ":shard": mark[DUE_SHARD]}
        update = f"SET {DUE_AT} = :mark, {DUE_SHARD} = :shard"
        if grace_ms is None:
            update += " REMOVE grace"
        else:
            values[":grace"] = {"N": str(grace_ms)}
            update += ", grace = :grace"
        return self._change_mark(head, update, values)

    def expire(self, head: Head, *, expires_at_s: int) -> bool:
        """See RunStore."""
        update = f"SET {EXPIRES_AT} = :expires REMOVE {DUE_AT}, {DUE_SHARD}, grace"
        return self._change_mark(head, update, {":expires": {"N": str(expires_at_s)}})

    def _change_mark(self, head: Head, update: str, values: Item) -> bool:
        conditions, seen = [_MARK_STILL_ABSENT, _NO_CALL_YET], dict(values)
        if head.due_at_ms is not None:
            conditions[0] = _MARK_UNCHANGED
            seen[":seen_mark"] = {"N": str(head.due_at_ms)}
        if head.outside_calls:
            conditions[1] = _NO_CALL_SINCE
            seen[":seen_calls"] = {"N": str(head.outside_calls)}
        return self._change(head, update, seen, *conditions) is None

    # --- the end -------------------------------------------------------------------------------

    def keys(self, workflow_id: str, *, limit: int) -> Sequence[str]:
        """See RunStore."""
        with calling_aws():
            answer = self._client.query(
                TableName=self._table_name,
                KeyConditionExpression=f"{PARTITION_KEY} = :run",
                ExpressionAttributeValues={":run": {"S": run_partition(workflow_id)}},
                ProjectionExpression=SORT_KEY,
                ConsistentRead=True,
                Limit=limit + 1,
            )
        return [item[SORT_KEY]["S"] for item in answer["Items"] if item[SORT_KEY]["S"] != HEAD_SORT_KEY][:limit]

    def remove(self, workflow_id: str, keys: Sequence[str]) -> None:
        """See RunStore."""
        for sort_key in keys:
            with calling_aws():
                self._client.delete_item(TableName=self._table_name, Key=key(run_partition(workflow_id), sort_key))

    def set_removing(self, head: Head, removing: bool) -> bool:
        """See RunStore."""
        if removing:
            return self._change(head, "SET removing = :true", {":true": {"BOOL": True}}) is None
        return self._change(head, "REMOVE removing", {}) is None

    def remove_head(self, head: Head) -> bool:
        """See RunStore."""
        with calling_aws():
            try:
                self._client.delete_item(
                    TableName=self._table_name,
                    Key=key(run_partition(head.workflow_id), HEAD_SORT_KEY),
                    ConditionExpression=_VERSION_IS,
                    ExpressionAttributeValues={":previous": {"N": str(head.version)}},
                )
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise
                return False
        return True

    def find(self, query: RunQuery) -> RunPage:
        """See RunStore."""
        if query.status is None and query.workflow is not None:
            shards = [workflow_shard(query.workflow, number) for number in range(LIST_SHARDS)]
            return page_of(self._newest(WORKFLOW_INDEX, WORKFLOW_SHARD, shards, query), query)
        statuses = Status if query.status is None else (query.status,)
        shards = [status_shard(status.value, number) for status in statuses for number in range(LIST_SHARDS)]
        found: list[str] = []
        cursor = query.cursor
        # Runs of one status are not in order of their workflow: those of others are passed over, some pages a call.
        for _ in range(LIST_ROUNDS_MAX):
            places = self._newest(STATUS_INDEX, STATUS_SHARD, shards, replace(query, cursor=cursor))[: query.limit]
            found += [place for place in places if query.workflow in {None, workflow_at(place)}]
            if len(places) < query.limit:
                return page_of(found, query)
            cursor = cursor_at(places[-1])
            if len(found) >= query.limit:
                break
        found = found[: query.limit]
        return RunPage(
            [run_at(place) for place in found], cursor_at(found[-1]) if len(found) == query.limit else cursor
        )

    def _newest(self, index: str, attribute: str, shards: Sequence[str], query: RunQuery) -> list[str]:
        """The newest places of some shards within a query's bounds: one more than a page, if there are as many."""
        oldest, ends = bounds(query)
        if oldest >= ends:
            return []
        ask = partial(self._newest_of, index, attribute, oldest=oldest, ends=ends, limit=query.limit + 2)
        # A run whose status changes between two queries is found by both.
        found = {place for places in _asked(ask, shards) for place in places}
        return sorted(found, reverse=True)[: query.limit + 1]

    def _newest_of(
        self, index: str, attribute: str, shard: str, *, oldest: str, ends: str, limit: int
    ) -> Sequence[str]:
        """The newest places of one shard, from the oldest on and before the end."""
        with calling_aws():
            answer = self._client.query(
                TableName=self._table_name,
                IndexName=index,
                KeyConditionExpression=f"{attribute} = :shard AND {STARTED} BETWEEN :oldest AND :newest",
                ExpressionAttributeValues={
                    ":shard": {"S": shard},
                    ":oldest": {"S": oldest},
                    ":newest": {"S": ends},
                },
                ScanIndexForward=False,
                Limit=limit,
            )
        return [place for item in answer["Items"] if (place := item[STARTED]["S"]) < ends]

    # --- definitions ---------------------------------------------------------------------------

    def put_definition(self, name: str, version: str, document: JsonObject) -> None:
        """See RunStore."""
        self._put_if_absent(
            {
                **key(definition_partition(name), definition_sort_key(version)),
                "body": {"B": packed(document, f"definition {name!r}")},
            }
        )

    def load_definition(self, name: str, version: str) -> Mapping[str, JsonValue] | None:
        """See RunStore."""
        item = self._get(definition_partition(name), definition_sort_key(version), strongly=True)
        return None if item is None else unpacked(item["body"]["B"])

    def load_pointer(self, name: str) -> DefinitionPointer | None:
        """See RunStore."""
        item = self._get(POINTER_PARTITION, name)
        return None if item is None else _pointer(item)

    def pointers(self) -> Sequence[DefinitionPointer]:
        """See RunStore."""
        return [_pointer(item) for item in self._items_of(POINTER_PARTITION)]

    def put_pointer(self, pointer: DefinitionPointer, *, previous: str | None) -> bool:
        """See RunStore."""
        item: Item = {**key(POINTER_PARTITION, pointer.name), "version": {"S": pointer.version}}
        if pointer.description is not None:
            item["description"] = {"S": pointer.description}
        if previous is None:
            return self._put_if_absent(item) or self._points_at(pointer)
        with calling_aws():
            try:
                self._client.put_item(
                    TableName=self._table_name,
                    Item=item,
                    ConditionExpression=_VERSION_IS,
                    ExpressionAttributeValues={":previous": {"S": previous}},
                )
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise
                return self._points_at(pointer)
        return True

    def _points_at(self, pointer: DefinitionPointer) -> bool:
        stored = self.load_pointer(pointer.name)
        return stored is not None and stored.version == pointer.version

    def check(self) -> None:
        """See RunStore."""
        self._get("health", "health")

    # --- calls ---------------------------------------------------------------------------------

    def _get(
        self, partition: str, sort_key: str, *, strongly: bool = True
    ) -> Mapping[str, AttributeValueTypeDef] | None:
        with calling_aws():
            answer = self._client.get_item(
                TableName=self._table_name, Key=key(partition, sort_key), ConsistentRead=strongly
            )
        return answer.get("Item")

    def _items_beginning(self, workflow_id: str, prefix: str, *, page_items: int = INBOX_PAGE_ITEMS) -> Iterator[Item]:
        return self._items(
            f"{PARTITION_KEY} = :run AND begins_with({SORT_KEY}, :prefix)",
            {":run": {"S": run_partition(workflow_id)}, ":prefix": {"S": prefix}},
            page_items,
        )

    def _items_of(self, partition: str) -> Iterator[Item]:
        return self._items(f"{PARTITION_KEY} = :partition", {":partition": {"S": partition}}, None)

    def _items(self, condition: str, values: Item, page_items: int | None) -> Iterator[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            PaginationConfig={} if page_items is None else {"PageSize": page_items},
        )
        with calling_aws():
            for page in pages:
                yield from page["Items"]

    def _put_if_absent(self, item: Item) -> bool:
        with calling_aws():
            try:
                self._client.put_item(TableName=self._table_name, Item=item, ConditionExpression=_ABSENT)
            except ClientError as error:
                if error_code(error) != _CONDITION_FAILED:
                    raise
                return False
        return True

    def _transact(self, writes: Sequence[TransactWriteItemTypeDef]) -> tuple[bool, ...] | None:
        """A transaction. Which of its conditions did not hold, or None when it was done."""
        with calling_aws():
            try:
                self._patiently(lambda: self._client.transact_write_items(TransactItems=writes))
            except ClientError as error:
                failed = _failed_conditions(error)
                if failed is None:
                    raise
                return failed
        return None

    def _patiently(self, call: Callable[[], _T]) -> _T:
        """A write, again when a transaction under way on the same item was in its way.

        That is over in milliseconds, and botocore does not repeat it (botocore's guide, "Retries").
        """
        tries = 1
        while True:
            try:
                return call()
            except ClientError as error:
                if tries >= CONFLICT_TRIES or not (error_code(error) == _CONFLICT or _only_conflicts(error)):
                    raise
            self._pause(tries)
            tries += 1

    def _head_in_the_way(self, error: ClientError, workflow_id: str) -> Head | None:
        if error_code(error) != _CONDITION_FAILED:
            return None
        item = error.response.get("Item")
        # An answer without the old item (DynamoDB Local's is one): read it strongly.
        return head_from_item(item) if isinstance(item, dict) and item else self.load(workflow_id)


def _under_the_mark_of(stored: Head, head: Head) -> Head:
    """A head just written, under the due mark and the hold that it has by now."""
    return head.as_stored(due_at_ms=stored.due_at_ms, hold=stored.hold, outside_calls=stored.outside_calls)


def _terminal_values() -> Item:
    return {f":terminal{i}": {"S": status} for i, status in enumerate(_TERMINAL)}


def _pointer(item: Mapping[str, AttributeValueTypeDef]) -> DefinitionPointer:
    description = item["description"]["S"] if "description" in item else None
    return DefinitionPointer(item[SORT_KEY]["S"], item["version"]["S"], description)


def _asked(ask: Callable[[str], Sequence[str]], shards: Sequence[str]) -> Sequence[Sequence[str]]:
    """What the shards answer, in their order: those of one status at once, one status after the other.

    The order is that of a run's life, so a run that goes on meanwhile is found by two of them, and not by none.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (listings alone need threads)

    # No more than the connections that a client keeps: 10 (botocore, ``max_pool_connections``).
    with ThreadPoolExecutor(LIST_SHARDS) as pool:
        return [
            places
            for begin in range(0, len(shards), LIST_SHARDS)
            for places in pool.map(ask, shards[begin : begin + LIST_SHARDS])
        ]


def _run_of(item: Mapping[str, AttributeValueTypeDef]) -> str:
    return item[PARTITION_KEY]["S"].removeprefix(run_partition(""))


def _version(item: Mapping[str, AttributeValueTypeDef]) -> int:
    return int(item["version"]["N"])


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
