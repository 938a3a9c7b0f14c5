"""A log group that forgets: CloudWatch keeps logs for ever unless told otherwise."""

from __future__ import annotations

from typing import cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct


class ExpiringLogGroup(Construct):
    """``log_group``, kept for so many days, and beyond the stack itself in production."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        retention_days: int,
        is_production: bool,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self,
            "Group",
            encryption_key=encryption_key,
            removal_policy=RemovalPolicy.RETAIN if is_production else RemovalPolicy.DESTROY,
        )
        # The L2 takes names ("ONE_MONTH"); CloudFormation, like our setting, takes days.
        cast("logs.CfnLogGroup", self.log_group.node.default_child).retention_in_days = retention_days
