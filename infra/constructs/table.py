"""The one table: runs, their signals and definitions, and its indexes: what is due, and the listings."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from dispatcher import table_schema
from infra.acknowledgement import acknowledge


class RunsTable(Construct):
    """``table``, on demand and encrypted: by a key of AWS's own unless one is given.

    The name is CloudFormation's to choose: a named table cannot be replaced by an update, and two stages
    would fight over it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        is_production: bool,
        point_in_time_recovery: bool = True,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=_key(table_schema.PARTITION_KEY, dynamodb.AttributeType.STRING),
            sort_key=_key(table_schema.SORT_KEY, dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=table_schema.EXPIRES_AT,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=point_in_time_recovery
            ),
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if encryption_key else None,
            encryption_key=encryption_key,
            deletion_protection=is_production,
            removal_policy=RemovalPolicy.RETAIN if is_production else RemovalPolicy.DESTROY,
        )
        due_at = _key(table_schema.DUE_AT, dynamodb.AttributeType.NUMBER)
        started = _key(table_schema.STARTED, dynamodb.AttributeType.STRING)
        self._index(table_schema.DUE_INDEX, table_schema.DUE_SHARD, due_at)
        self._index(table_schema.STATUS_INDEX, table_schema.STATUS_SHARD, started)
        self._index(table_schema.WORKFLOW_INDEX, table_schema.WORKFLOW_SHARD, started)
        if not point_in_time_recovery:
            acknowledge(self.table, "AwsSolutions-DDB3", "Switched off by a setting that says what it does.")

    def _index(self, name: str, partition_key: str, sort_key: dynamodb.Attribute) -> None:
        self.table.add_global_secondary_index(
            index_name=name,
            partition_key=_key(partition_key, dynamodb.AttributeType.STRING),
            sort_key=sort_key,
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )


def index_arn(table: dynamodb.ITable, name: str) -> str:
    """The ARN of one of the table's indexes."""
    return f"{table.table_arn}/index/{name}"


def _key(name: str, kind: dynamodb.AttributeType) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=kind)
