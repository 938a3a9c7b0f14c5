"""The one table: runs, their signals and definitions, and its indexes: what is due, and the listings."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from dispatcher import table_schema


class RunsTable(Construct):
    """On demand, with point-in-time recovery. ``table`` is the table; each of its indexes has an ARN of its own.

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
        self.due_index_arn = self._index(
            table_schema.DUE_INDEX, table_schema.DUE_SHARD, (table_schema.DUE_AT, dynamodb.AttributeType.NUMBER)
        )
        started = (table_schema.STARTED, dynamodb.AttributeType.STRING)
        self.status_index_arn = self._index(table_schema.STATUS_INDEX, table_schema.STATUS_SHARD, started)
        self.workflow_index_arn = self._index(table_schema.WORKFLOW_INDEX, table_schema.WORKFLOW_SHARD, started)

    def _index(self, name: str, partition_key: str, sort_key: tuple[str, dynamodb.AttributeType]) -> str:
        self.table.add_global_secondary_index(
            index_name=name,
            partition_key=_key(partition_key, dynamodb.AttributeType.STRING),
            sort_key=_key(*sort_key),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        return f"{self.table.table_arn}/index/{name}"


def _key(name: str, kind: dynamodb.AttributeType) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=kind)
