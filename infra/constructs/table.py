"""The one table: runs, their signals and definitions, and the index of what is due."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from dispatcher import table_schema


class RunsTable(Construct):
    """On demand, with point-in-time recovery. ``table`` is the table, ``due_index_arn`` its index.

    The name is CloudFormation's to choose: a named table cannot be replaced by an update, and two stages
    would fight over it.
    """

    def __init__(self, scope: Construct, construct_id: str, *, is_production: bool) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=_key(table_schema.PARTITION_KEY, dynamodb.AttributeType.STRING),
            sort_key=_key(table_schema.SORT_KEY, dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=table_schema.EXPIRES_AT,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=is_production,
            removal_policy=RemovalPolicy.RETAIN if is_production else RemovalPolicy.DESTROY,
        )
        self.table.add_global_secondary_index(
            index_name=table_schema.DUE_INDEX,
            partition_key=_key(table_schema.DUE_SHARD, dynamodb.AttributeType.STRING),
            sort_key=_key(table_schema.DUE_AT, dynamodb.AttributeType.NUMBER),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.due_index_arn = f"{self.table.table_arn}/index/{table_schema.DUE_INDEX}"


def _key(name: str, kind: dynamodb.AttributeType) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=kind)
