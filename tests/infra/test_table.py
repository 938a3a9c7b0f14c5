"""The table's construct, on a bare stack."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk.assertions import Template

from dispatcher import table_schema
from infra.constructs.table import RunsTable


def table_template(*, is_production: bool) -> Template:
    """A stack of nothing but the table."""
    stack = Stack()
    RunsTable(stack, "Runs", is_production=is_production)
    return Template.from_stack(stack)


def index(name: str, partition_key: str, sort_key: str) -> dict[str, object]:
    """A keys-only index, as CloudFormation has it."""
    return {
        "IndexName": name,
        "KeySchema": [
            {"AttributeName": partition_key, "KeyType": "HASH"},
            {"AttributeName": sort_key, "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }


def test_keys_indexes_and_ttl_are_those_the_store_writes() -> None:
    """Key, index and TTL names come from table_schema, the indexes are keys-only, billing is on demand."""
    table_template(is_production=False).has_resource_properties(
        "AWS::DynamoDB::Table",
        {
            "KeySchema": [
                {"AttributeName": table_schema.PARTITION_KEY, "KeyType": "HASH"},
                {"AttributeName": table_schema.SORT_KEY, "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": table_schema.PARTITION_KEY, "AttributeType": "S"},
                {"AttributeName": table_schema.SORT_KEY, "AttributeType": "S"},
                {"AttributeName": table_schema.DUE_SHARD, "AttributeType": "S"},
                {"AttributeName": table_schema.DUE_AT, "AttributeType": "N"},
                {"AttributeName": table_schema.STATUS_SHARD, "AttributeType": "S"},
                {"AttributeName": table_schema.STARTED, "AttributeType": "S"},
                {"AttributeName": table_schema.WORKFLOW_SHARD, "AttributeType": "S"},
            ],
            "GlobalSecondaryIndexes": [
                index(table_schema.DUE_INDEX, table_schema.DUE_SHARD, table_schema.DUE_AT),
                index(table_schema.STATUS_INDEX, table_schema.STATUS_SHARD, table_schema.STARTED),
                index(table_schema.WORKFLOW_INDEX, table_schema.WORKFLOW_SHARD, table_schema.STARTED),
            ],
            "BillingMode": "PAY_PER_REQUEST",
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "TimeToLiveSpecification": {"AttributeName": table_schema.EXPIRES_AT, "Enabled": True},
        },
    )


def test_the_name_is_left_to_cloudformation() -> None:
    """A named table could not be replaced by an update."""
    (table,) = table_template(is_production=False).find_resources("AWS::DynamoDB::Table").values()
    assert "TableName" not in table["Properties"]


def test_production_data_outlives_the_stack() -> None:
    """In production the table refuses deletion, and is kept when the stack goes."""
    table_template(is_production=True).has_resource(
        "AWS::DynamoDB::Table",
        {
            "Properties": {"DeletionProtectionEnabled": True},
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
        },
    )


def test_a_trial_leaves_nothing_behind() -> None:
    """Any other stage can be torn down."""
    table_template(is_production=False).has_resource(
        "AWS::DynamoDB::Table",
        {"Properties": {"DeletionProtectionEnabled": False}, "DeletionPolicy": "Delete"},
    )
