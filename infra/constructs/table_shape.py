"""Whether a table somebody brings along is one that runs can be kept in: looked at when the app is synthesized."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsii
from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from constructs import IValidation

from dispatcher import table_schema

_HASH: Final = "HASH"
_RANGE: Final = "RANGE"

_INDEXES: Final = {
    table_schema.DUE_INDEX: (table_schema.DUE_SHARD, table_schema.DUE_AT),
    table_schema.STATUS_INDEX: (table_schema.STATUS_SHARD, table_schema.STARTED),
    table_schema.WORKFLOW_INDEX: (table_schema.WORKFLOW_SHARD, table_schema.STARTED),
}


def check_shape(table: dynamodb.ITable) -> None:
    """Have synthesis fail when the table lacks a key, an index or the TTL attribute.

    A table that is made in another app shows nothing of itself, and is taken as it is.
    """
    resource = table.node.default_child
    if isinstance(resource, dynamodb.CfnTable):
        table.node.add_validation(TableShape(resource))


@jsii.implements(IValidation)
class TableShape:
    """What is missing of a table, once everything has been said of it."""

    def __init__(self, table: dynamodb.CfnTable) -> None:
        self._table = table

    def validate(self) -> list[str]:
        """The faults, each with its remedy. The name is the CDK's."""
        return list(self._faults())

    def _faults(self) -> Iterator[str]:
        stack = Stack.of(self._table)
        if _keys(stack.resolve(self._table.key_schema)) != (table_schema.PARTITION_KEY, table_schema.SORT_KEY):
            yield (
                f"the keys of a table of runs are {table_schema.PARTITION_KEY!r} and {table_schema.SORT_KEY!r}, both "
                "strings: make it as infra.constructs.table.RunsTable does"
            )
        found = {
            index["indexName"]: _keys(index["keySchema"])
            for index in stack.resolve(self._table.global_secondary_indexes) or ()
        }
        for name, keys in _INDEXES.items():
            if found.get(name) != keys:
                yield f"a table of runs has an index {name!r} with the keys {keys[0]!r} and {keys[1]!r}: add it"
        ttl = stack.resolve(self._table.time_to_live_specification) or {}
        if ttl.get("attributeName") != table_schema.EXPIRES_AT:
            yield f"time_to_live_attribute of a table of runs is {table_schema.EXPIRES_AT!r}: set it"


def _keys(schema: list[Mapping[str, Any]]) -> tuple[str | None, str | None]:
    by_kind = {key["keyType"]: str(key["attributeName"]) for key in schema}
    return by_kind.get(_HASH), by_kind.get(_RANGE)
